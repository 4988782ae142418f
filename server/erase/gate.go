package erase

import (
	"context"
	"errors"
	"sync"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// ErrErasing is returned for a case of a tenant that is being erased.
var ErrErasing = errors.New("the tenant is being erased and takes no cases")

// Store is what cases go through.
type Store interface {
	graph.Writer
	graph.Reader
	graph.Reviewer
	graph.Anchors
}

// Gate is a store whose cases can be taken out: it keeps those of a tenant that is
// being erased from coming in, and takes the traces of a case away with it. It is
// safe for concurrent use.
type Gate struct {
	Store
	traces []CaseTrace

	// mu is held for reading by who brings a case, so that closing the gate waits for
	// those who are in.
	mu     sync.RWMutex
	closed map[string]bool
}

// NewGate returns a gate before a store, with the traces that go by case.
func NewGate(s Store, traces ...CaseTrace) *Gate {
	return &Gate{Store: s, traces: traces, closed: make(map[string]bool)}
}

// Submit implements graph.Writer.
func (g *Gate) Submit(ctx context.Context, c *evidence.Case, expected *uint32) (graph.Receipt, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed[c.Tenant] {
		return graph.Receipt{}, ErrErasing
	}
	return g.Store.Submit(ctx, c, expected)
}

// Delete implements graph.Writer.
func (g *Gate) Delete(ctx context.Context, ref evidence.Ref) error {
	// The note is about the case, and left with it.
	beside := graph.WithNote(ctx, nil)
	for _, t := range g.traces {
		if err := t.Before(beside, ref); err != nil {
			return err
		}
	}
	if err := g.Store.Delete(ctx, ref); err != nil {
		return err
	}
	for _, t := range g.traces {
		if err := t.After(beside, ref); err != nil {
			return err
		}
	}
	return nil
}

// Closed reports whether a tenant's cases are kept out.
func (g *Gate) Closed(tenant string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.closed[tenant]
}

// close keeps a tenant's cases out. None is on its way in when it returns.
func (g *Gate) close(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[tenant] = true
}

func (g *Gate) open(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.closed, tenant)
}
