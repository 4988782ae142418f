package client

import (
	"context"
	"errors"
	"io"
	"iter"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Publish makes a target have what a selection says, or with DryRun answers what
// would be sent. progress, unless nil, is told how many of how many values are sent.
// The stream has no deadline but that of ctx.
func (c *Client) Publish(ctx context.Context, req *elsewherev1.PublishRequest, progress func(done, of uint32)) (*elsewherev1.PublishReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.exports.Publish(ctx, req)
	if err != nil {
		return nil, fromStatus(err)
	}
	var report *elsewherev1.PublishReport
	for {
		part, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && report == nil:
			return nil, errors.New("server ended a publication without a report")
		case errors.Is(err, io.EOF):
			return report, nil
		case err != nil:
			return nil, fromStatus(err)
		}
		if part.HasReport() {
			report = part.GetReport()
		} else if progress != nil {
			progress(part.GetProgress().GetDone(), part.GetProgress().GetTotal())
		}
	}
}

// Publications yields the pages of what was published, to one target or, where that
// is "", to all; the first page has the targets.
func (c *Client) Publications(ctx context.Context, target string) iter.Seq2[*elsewherev1.ListPublicationsResponse, error] {
	return func(yield func(*elsewherev1.ListPublicationsResponse, error) bool) {
		for token := ""; ; {
			page, err := call(ctx, c, c.exports.ListPublications, elsewherev1.ListPublicationsRequest_builder{
				Target: target, PageSize: pageSize, PageToken: token,
			}.Build())
			if !yield(page, err) || err != nil {
				return
			}
			if token = page.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// importPart is how much of a file is in one message, in bytes.
const importPart = 256 << 10

// Import makes a case of what somebody published. A file that cannot be read as a
// table, an event or a bundle, and values in it that cannot, are an *InvalidError
// whose paths are places in the file, as in line 3. The stream has no deadline but
// that of ctx.
func (c *Client) Import(ctx context.Context, header *elsewherev1.ImportHeader, r io.Reader) (*elsewherev1.ImportResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.exports.Import(ctx)
	if err != nil {
		return nil, fromStatus(err)
	}
	err = stream.Send(elsewherev1.ImportRequest_builder{Header: header}.Build())
	part := make([]byte, importPart)
	for err == nil {
		n, readErr := io.ReadFull(r, part)
		if n > 0 {
			err = stream.Send(elsewherev1.ImportRequest_builder{Data: part[:n]}.Build())
		}
		if errors.Is(readErr, io.EOF) || errors.Is(readErr, io.ErrUnexpectedEOF) {
			break
		}
		if readErr != nil {
			return nil, readErr
		}
	}
	// io.EOF says that the server has answered already; the answer says what.
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fromStatus(err)
	}
	res, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fromStatus(err)
	}
	return res, nil
}
