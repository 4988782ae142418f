package server

import (
	"context"
	"net/netip"

	"google.golang.org/grpc"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/watch"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// Services returns what the server has registered.
func (s *Server) Services() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// KeptStore returns the enrich.Store in a store of the graph.
func KeptStore(s graph.Store) enrich.Store { return keptStore{s.Kept()} }

// Classes returns the classifier on lists and a book.
func Classes(t *netclass.Table, book *enrich.Book) link.Classifier {
	c := newClasses(link.Version1(), t)
	c.book = book
	c.exchange(t)
	return c
}

// Shield returns the shield on lists.
func Shield(current func() *netclass.Table) enrich.Shield {
	return shield{current, func() bool { return false }, func(netip.Prefix) bool { return false }}
}

// Traces returns the names of all that is erased with a tenant.
func (s *Server) Traces() []string { return s.erasure.eraser.Traces() }

// Posted returns c with other options for webhooks.
func Posted(c Config, o webhook.Options) Config {
	c.Webhooks.options = o
	return c
}

// Watched returns c with other options for those who watch.
func Watched(c Config, o watch.Options) Config {
	c.watching = o
	return c
}

// OpenTrail opens the audit trail of a store in a data folder.
func OpenTrail(ctx context.Context, c Config, store graph.Store) (*audit.Trail, error) {
	trail, _, err := openTrail(ctx, c, store)
	return trail, err
}
