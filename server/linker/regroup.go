package linker

import (
	"context"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// regroup goes on with a look at every case, if there is one: it lists a page of the
// reviewed pairs and how far it is, as one change, and then looks at all cases at once.
func (l *Linker) regroup(ctx context.Context, at graph.Regrouping) (more bool, err error) {
	switch {
	case !at.Pending:
		return false, nil
	case at.Actors:
		return true, l.regroupAll(ctx)
	case !at.Reviews:
		at = graph.Regrouping{Pending: true, Reviews: true}
	}
	p := page{at: at}
	if err = l.store.View(ctx, p.fill); err != nil {
		return false, err
	}
	return true, l.store.Relink(ctx, graph.RelinkBatch{Grouping: graph.Grouping{Touch: p.touch, Regrouping: &p.at}})
}

// page is a part of the reviewed pairs, whose rows are scored again.
type page struct {
	at    graph.Regrouping
	touch []graph.Touched
}

func (p *page) fill(s graph.Snapshot) error {
	for r, err := range s.ReviewsAfter(graph.RowKey{A: p.at.After, B: p.at.Other}) {
		if err != nil {
			return err
		}
		if len(p.touch) >= touchedPerPage {
			return nil
		}
		p.at.After, p.at.Other = r.A, r.B
		p.touch = append(p.touch, graph.Touched(r.RowKey))
	}
	p.at = graph.Regrouping{Pending: true, Actors: true}
	return nil
}
