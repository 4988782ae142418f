package client

import (
	"context"
	"errors"
	"io"
	"iter"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// AuditTrail yields what was done and told, as much as is asked for. Only ctx bounds
// how long that takes.
func (c *Client) AuditTrail(ctx context.Context, req *elsewherev1.AuditTrailRequest) iter.Seq2[*elsewherev1.AuditTrailResponse, error] {
	return func(yield func(*elsewherev1.AuditTrailResponse, error) bool) {
		// A caller who stops reading ends the stream.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.admin.AuditTrail(ctx, req)
		if err != nil {
			yield(nil, fromStatus(err))
			return
		}
		for {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fromStatus(err))
				return
			}
			if !yield(part, nil) {
				return
			}
		}
	}
}
