package linker

import (
	"context"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// regroup goes on with a look at every case, if there is one: it lists a page of what
// is to be looked at and how far it is, as one change.
func (l *Linker) regroup(ctx context.Context) (more bool, err error) {
	at, err := l.store.Regrouping(ctx)
	if err != nil || !at.Pending {
		return false, err
	}
	p := page{at: at}
	if err = l.store.View(ctx, p.fill); err != nil {
		return false, err
	}
	return true, l.store.Relink(ctx, graph.RelinkBatch{Grouping: graph.Grouping{Touch: p.touch, Regrouping: &p.at}})
}

// page is a part of a look at every case.
type page struct {
	at    graph.Regrouping
	touch []graph.Touched
}

// full reports whether no more fits.
func (p *page) full() bool { return len(p.touch) >= touchedPerPage }

func (p *page) fill(s graph.Snapshot) error {
	switch {
	case p.at.Actors:
		return p.actors(s)
	case p.at.Reviews:
		return p.reviews(s)
	}
	for ref, err := range s.LinkedCases(p.at.After) {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		p.at.After = ref
		p.touch = append(p.touch, graph.Touched{A: ref})
	}
	p.at = graph.Regrouping{Pending: true, Reviews: true}
	return nil
}

// reviews lists reviewed pairs: confirmed ones of one tenant have no row.
func (p *page) reviews(s graph.Snapshot) error {
	for r, err := range s.ReviewsAfter(graph.RowKey{A: p.at.After, B: p.at.Other}) {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		p.at.After, p.at.Other = r.A, r.B
		p.touch = append(p.touch, graph.Touched(r.RowKey), graph.Touched{A: r.A}, graph.Touched{A: r.B})
	}
	p.at = graph.Regrouping{Pending: true, Actors: true}
	return nil
}

// actors lists a member of each actor. The others come with it; those that nothing
// holds together any more have no rows.
func (p *page) actors(s graph.Snapshot) error {
	for a, err := range s.ActorsAfter(p.at.After) {
		if err != nil {
			return err
		}
		if p.full() {
			return nil
		}
		p.at.After = a.Founder
		p.touch = append(p.touch, graph.Touched{A: a.Founder})
	}
	p.at = graph.Regrouping{}
	return nil
}
