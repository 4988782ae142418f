package server

import (
	"context"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/rpc"
	"github.com/elsewhere-project/elsewhere/server/watch"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// Webhooks is what an operator lets webhooks do. The zero value is public targets
// with TLS.
type Webhooks struct {
	// AllowPrivate lets targets be of this machine or the networks around it.
	AllowPrivate bool
	// AllowHTTP lets targets be without TLS.
	AllowHTTP bool
	// options are how they work, for tests.
	options webhook.Options
}

func openWebhooks(ctx context.Context, c Config, store graph.Store, hub *watch.Hub, rules *access.Rules, secret []byte) (*webhook.Hooks, error) {
	o := c.Webhooks.options
	o.AllowPrivate, o.AllowHTTP = c.Webhooks.AllowPrivate, c.Webhooks.AllowHTTP
	return webhook.Open(ctx, webhook.Dependencies{
		Store: store.Kept(), Log: hub, Rules: rules, Encode: rpc.EventJSON, Options: o, Logger: c.logger(),
		Secret: func(id string) (access.Secret, error) { return access.WebhookSecret(secret, id) },
	})
}
