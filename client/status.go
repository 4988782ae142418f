package client

import (
	"context"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// WhoAmI returns who asks, as the service sees them.
func (c *Client) WhoAmI(ctx context.Context) (*elsewherev1.WhoAmIResponse, error) {
	return call(ctx, c, c.admin.WhoAmI, &elsewherev1.WhoAmIRequest{})
}

// Stats returns how the service fares.
func (c *Client) Stats(ctx context.Context) (*elsewherev1.StatsResponse, error) {
	return call(ctx, c, c.admin.Stats, &elsewherev1.StatsRequest{})
}
