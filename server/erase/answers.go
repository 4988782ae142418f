package erase

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Known keeps what third parties said about values.
type Known interface {
	// Any reports whether anything is kept.
	Any(ctx context.Context) (bool, error)
	// Forget drops what is kept about values.
	Forget(ctx context.Context, values []evidence.Value) error
}

// Answers are what third parties said about values that stand in no case any more.
// They are no answers about a tenant, but they tell what its cases were about.
type Answers struct {
	Store Store
	Known Known
	// Erasing reports whether all cases of a tenant go.
	Erasing func(tenant string) bool

	mu sync.Mutex
	// going are the values of cases that are being deleted which no other tenant has.
	going map[evidence.Ref][]evidence.Value
}

// Name implements Trace.
func (a *Answers) Name() string { return "kept answers" }

// Count implements Trace. They go with each case.
func (a *Answers) Count(context.Context, string) ([]Tally, error) { return nil, nil }

// Erase implements Trace.
func (a *Answers) Erase(context.Context, string, func(uint64)) error { return nil }

// Before implements CaseTrace. What can be told to be left alone is forgotten before
// the case goes: after a crash nobody would know which values those were.
func (a *Answers) Before(ctx context.Context, ref evidence.Ref) error {
	if any, err := a.Known.Any(ctx); err != nil || !any {
		return err
	}
	all := a.Erasing(ref.Tenant)
	var going, alone []evidence.Value
	err := a.Store.View(ctx, func(s graph.Snapshot) error {
		p, err := s.Profile(ref)
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range p.Sightings {
			v := p.Sightings[i].Value
			own, only, err := heldBy(s, ref, v)
			if err != nil {
				return err
			}
			if own {
				going = append(going, v)
			}
			if only || own && all {
				alone = append(alone, v)
			}
		}
		return nil
	})
	if err != nil || len(going) == 0 {
		return err
	}
	a.mu.Lock()
	if a.going == nil {
		a.going = make(map[evidence.Ref][]evidence.Value)
	}
	a.going[ref] = going
	a.mu.Unlock()
	return a.Known.Forget(ctx, alone)
}

// After implements CaseTrace. Other cases may have gone at the same time, and a
// look-up that was on its way may have been kept since.
func (a *Answers) After(ctx context.Context, ref evidence.Ref) error {
	a.mu.Lock()
	going := a.going[ref]
	delete(a.going, ref)
	a.mu.Unlock()
	if len(going) == 0 {
		return nil
	}
	var gone []evidence.Value
	err := a.Store.View(ctx, func(s graph.Snapshot) error {
		for _, v := range going {
			_, held, err := first(s.Sightings(v, nil))
			if err == nil && !held {
				_, held, err = first(s.Withheld(v, nil))
			}
			if err != nil {
				return err
			}
			if !held {
				gone = append(gone, v)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.Known.Forget(ctx, gone)
}

// heldBy reports whether a value stands in no case of another tenant than that of a
// case that has it, and whether in no other case at all.
func heldBy(s graph.Snapshot, ref evidence.Ref, v evidence.Value) (own, only bool, err error) {
	tenants, cases, err := s.Spread(v)
	if err != nil || tenants > 1 {
		return false, false, err
	}
	n := int(cases)
	// No id of a tenant has a character below the hyphen: who follows is another one.
	behind := graph.StartOf(ref.Tenant + "\x01")
	for _, at := range []*graph.Position{nil, behind} {
		for _, seq := range []iter.Seq2[graph.Sighting, error]{s.Sightings(v, at), s.Withheld(v, at)} {
			if sg, held, err := first(seq); err != nil || held && sg.Tenant != ref.Tenant {
				return false, false, err
			}
		}
	}
	for _, err := range s.Withheld(v, nil) {
		if err != nil {
			return false, false, err
		}
		if n++; n > 1 {
			break
		}
	}
	return true, n <= 1, nil
}

// first returns the first of a sequence, if there is one.
func first(seq iter.Seq2[graph.Sighting, error]) (sg graph.Sighting, ok bool, err error) {
	for sg, err := range seq {
		return sg, err == nil, err
	}
	return sg, false, nil
}
