package erase

import (
	"context"
	"errors"
	"sync"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Cases are the cases of tenants with all that a graph.Store derives from them.
type Cases struct {
	// Store loses the cases.
	Store Store
	// Deleter deletes one; it is the Gate, so that the traces of a case go with it.
	Deleter interface {
		Delete(ctx context.Context, ref evidence.Ref) error
	}
}

// Cases that are read in one view, and that are deleted at the same time: they share
// a sync.
const (
	casesTogether   = 1_000
	deletedTogether = 64
)

// Name implements Trace.
func (c Cases) Name() string { return "cases" }

// Count implements Trace.
func (c Cases) Count(ctx context.Context, tenant string) ([]Tally, error) {
	var cases, sightings uint64
	for at := (evidence.Ref{}); ; {
		refs, err := c.after(ctx, tenant, at, func(s graph.Snapshot, ref evidence.Ref) error {
			p, err := s.Outline(ref)
			if err != nil {
				return err
			}
			cases++
			sightings += uint64(len(p.Sightings))
			for _, n := range p.Counts {
				sightings += uint64(n)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(refs) == 0 {
			return []Tally{{"cases", cases}, {"sightings", sightings}}, nil
		}
		at = refs[len(refs)-1]
	}
}

// after returns the next cases of a tenant, having called f for each.
func (c Cases) after(ctx context.Context, tenant string, at evidence.Ref, f func(graph.Snapshot, evidence.Ref) error) (refs []evidence.Ref, err error) {
	err = c.Store.View(ctx, func(s graph.Snapshot) error {
		for stored, err := range s.Cases(tenant, at) {
			if err != nil {
				return err
			}
			if err := f(s, stored.Ref); err != nil {
				return err
			}
			if refs = append(refs, stored.Ref); len(refs) == casesTogether {
				return nil
			}
		}
		return nil
	})
	return refs, err
}

// Erase implements Trace.
func (c Cases) Erase(ctx context.Context, tenant string, progress func(done uint64)) error {
	done := uint64(0)
	// From where the last were on: to begin anew would pass all that went before.
	for at := (evidence.Ref{}); ; {
		refs, err := c.after(ctx, tenant, at, func(graph.Snapshot, evidence.Ref) error { return nil })
		if err != nil || len(refs) == 0 && at == (evidence.Ref{}) {
			return err
		}
		if len(refs) == 0 {
			at = evidence.Ref{}
			continue
		}
		at = refs[len(refs)-1]
		if err := c.delete(ctx, refs); err != nil {
			return err
		}
		done += uint64(len(refs))
		progress(done)
	}
}

// delete deletes cases, some at a time.
func (c Cases) delete(ctx context.Context, refs []evidence.Ref) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan evidence.Ref)
	var workers sync.WaitGroup
	for range deletedTogether {
		workers.Go(func() {
			for ref := range next {
				if err := c.Deleter.Delete(ctx, ref); err != nil && !errors.Is(err, graph.ErrNotFound) {
					cancel(err)
				}
			}
		})
	}
	for _, ref := range refs {
		select {
		case next <- ref:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// Links are the stored links of a tenant's cases. They follow the cases by
// themselves; erasing waits until they have.
type Links struct {
	Store Store
	Link  Link
}

// Histories are those of actors, which follow the links and name cases.
type Histories struct{ Store graph.Anchors }

// Name implements Trace.
func (h Histories) Name() string { return "histories of actors" }

// Count implements Trace. Those that follow from erasing are not there yet.
func (h Histories) Count(context.Context, string) ([]Tally, error) { return nil, nil }

// Erase implements Trace.
func (h Histories) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return h.Store.ForgetEvents(ctx, tenant)
}

// Events are how links changed, which the log of the store holds for who watches. Of
// each pair one is left that says that the tenant was erased: who comes back with a
// place in the log has to learn that the link is gone. It names both cases, and goes
// with a purge.
type Events struct{ Store EventStore }

// EventStore is what Events need of a store.
type EventStore interface {
	graph.Reader
	graph.Events
}

// Name implements Trace.
func (e Events) Name() string { return "events of links" }

// Count implements Trace. Those that follow from erasing are not there yet.
func (e Events) Count(ctx context.Context, tenant string) ([]Tally, error) {
	n := uint64(0)
	err := e.Store.View(ctx, func(s graph.Snapshot) error {
		for event, err := range s.Events("") {
			if err != nil {
				return err
			}
			if event.A.Tenant == tenant || event.B.Tenant == tenant {
				n++
			}
		}
		return nil
	})
	return []Tally{{"events of links", n}}, err
}

// Erase implements Trace.
func (e Events) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return e.Store.EraseEvents(ctx, tenant, true)
}

// Purge implements PurgedTrace.
func (e Events) Purge(ctx context.Context, tenant string) error {
	return e.Store.EraseEvents(ctx, tenant, false)
}

// Name implements Trace.
func (l Links) Name() string { return "links" }

// Count implements Trace.
func (l Links) Count(ctx context.Context, tenant string) (_ []Tally, err error) {
	n := uint64(0)
	err = l.Store.View(ctx, func(s graph.Snapshot) error {
		for _, err := range s.Rows(tenant, graph.RowKey{}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return []Tally{{"links", n}}, err
}

// Erase implements Trace.
func (l Links) Erase(ctx context.Context, _ string, _ func(uint64)) error { return l.Link.Settle(ctx) }
