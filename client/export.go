package client

import (
	"context"
	"errors"
	"io"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Export writes a selection in a format to w and returns what it holds. progress,
// unless nil, is told how many items of how many are written. After an error w may
// have a part of the file; what names a victim is found before the first byte. The
// stream has no deadline but that of ctx.
func (c *Client) Export(ctx context.Context, req *elsewherev1.ExportRequest, w io.Writer, progress func(done, of uint32)) (*elsewherev1.ExportSummary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.exports.Export(ctx, req)
	if err != nil {
		return nil, fromStatus(err)
	}
	var summary *elsewherev1.ExportSummary
	for {
		part, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && summary == nil:
			return nil, errors.New("server ended an export that it had not begun")
		case errors.Is(err, io.EOF):
			return summary, nil
		case err != nil:
			return nil, fromStatus(err)
		}
		if part.HasSummary() {
			summary = part.GetSummary()
		}
		if _, err := w.Write(part.GetData()); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(part.GetItemsDone(), summary.GetCounts().GetItems())
		}
	}
}

// ApproveExport returns what lets another lead export what a selection gives now.
func (c *Client) ApproveExport(ctx context.Context, s *elsewherev1.Selection) (*elsewherev1.ApproveExportResponse, error) {
	return call(ctx, c, c.exports.ApproveExport, elsewherev1.ApproveExportRequest_builder{Selection: s}.Build())
}

// hintTokens is how many tokens one call takes.
const hintTokens = 10_000

// TenantHints tells the server what names a victim, so that exports can look for
// it; any number of tokens, split over several calls. The server keeps keyed hashes
// only. Who calls makes sure that nobody reads along: by TLS, or on this machine.
func (c *Client) TenantHints(ctx context.Context, tenant string, tokens []string) (*elsewherev1.TenantHintsResponse, error) {
	var all elsewherev1.TenantHintsResponse_builder
	for len(tokens) > 0 {
		n := min(len(tokens), hintTokens)
		resp, err := call(ctx, c, c.cases.TenantHints, elsewherev1.TenantHintsRequest_builder{Tenant: tenant, Tokens: tokens[:n]}.Build())
		if err != nil {
			return nil, err
		}
		all.Added += resp.GetAdded()
		all.Total = resp.GetTotal()
		tokens = tokens[n:]
	}
	return all.Build(), nil
}
