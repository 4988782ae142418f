package linker

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Sizes of one step of grouping, and how many steps of linking come between two while
// marks do not end.
const (
	touchedPerStep = 4_096
	touchedPerPage = 2_048
	actorsPerPage  = 256
	groupEvery     = 8
)

// Naming says what an actor is called by who knows a member. Without it ids hide
// nothing, which is for stores that nobody else reads. With nil no actors are found:
// what is to be looked at stays listed.
func (l *Linker) Naming(id func(member evidence.Ref) string) *Linker {
	l.id = id
	return l
}

func plainID(member evidence.Ref) string {
	return actor.ID(func(m []byte) [sha256.Size]byte { return sha256.Sum256(m) }, member)
}

// group carries out a part of the list of what was touched and reports whether there
// may be more. Reviewed pairs are scored first; what that changes is listed again.
func (l *Linker) group(ctx context.Context) (more bool, err error) {
	if l.id == nil {
		return false, nil
	}
	at, err := l.store.Regrouping(ctx)
	if err != nil {
		return false, err
	}
	if at.Actors {
		return l.regroup(ctx, at)
	}
	touched, marks, err := l.store.Touched(ctx, touchedPerStep)
	switch {
	case err != nil:
		return false, err
	case len(marks) == 0:
		return l.regroup(ctx, at)
	case len(touched) >= min(touchedPerStep, l.regroupFrom):
		much, err := l.muchListed(ctx)
		if err != nil {
			return false, err
		}
		if much {
			return true, l.regroupAll(ctx)
		}
	}
	var cases []evidence.Ref
	var pairs []graph.RowKey
	for _, t := range touched {
		if t.B == (evidence.Ref{}) {
			cases = append(cases, t.A)
		} else {
			pairs = append(pairs, graph.RowKey(t))
		}
	}
	slices.SortFunc(cases, evidence.Ref.Compare)
	slices.SortFunc(pairs, graph.RowKey.Compare)
	if err := l.rescore(ctx, slices.Compact(pairs)); err != nil {
		return false, err
	}
	last := graph.RelinkBatch{}
	err = l.store.View(ctx, func(s graph.Snapshot) error {
		return l.look(ctx, s, slices.Compact(cases), &last)
	})
	if err != nil {
		return false, err
	}
	last.Looked = marks
	return true, l.apply(ctx, last)
}

// look brings fan-outs and actors of touched cases up to date. What it has not stored
// yet is in last.
func (l *Linker) look(ctx context.Context, s graph.Snapshot, cases []evidence.Ref, last *graph.RelinkBatch) error {
	f := &fans{
		alarms: newAlarms(s), bounds: l.bounds, rows: &caseRows{snapshot: s}, changes: last, days: make(map[evidence.Ref]int32), touched: make(map[tenantDay]bool),
	}
	fanned, err := f.beside(cases)
	if err != nil {
		return err
	}
	for _, ref := range fanned {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.look(ref); err != nil {
			return err
		}
	}
	if err := f.flip(); err != nil {
		return err
	}
	g := newClusters(s)
	g.alarms, g.rows = f.alarms, f.rows
	for _, ref := range cases {
		if g.done[ref] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n, old, err := g.around(ctx, []evidence.Ref{ref})
		if err != nil {
			return err
		}
		l.compare(old, actor.Cluster(n.Cases, n.Edges, n.Reviews).Actors, &last.Grouping)
		if len(last.Actors) >= actorsPerPage {
			// Every actor is in one change with its members. Rows and touches that have
			// gathered may go with it: all of it is found again after a crash.
			full := *last
			*last = graph.RelinkBatch{}
			if err := l.apply(ctx, full); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare adds what turns old actors into new ones.
func (l *Linker) compare(old []*graph.Actor, now []actor.Actor, g *graph.Grouping) {
	before := make([]actor.Actor, len(old))
	was := make(map[evidence.Ref]*graph.Actor, len(old))
	for i, a := range old {
		before[i] = actor.Actor{Members: a.Members, Founder: a.Founder, Threshold: a.Threshold}
		was[a.Founder] = a
	}
	for i := range now {
		a := &now[i]
		o := was[a.Founder]
		delete(was, a.Founder)
		if o != nil && o.Threshold == a.Threshold && slices.Equal(o.Members, a.Members) {
			continue
		}
		put := graph.Actor{Founder: a.Founder, Members: a.Members, Threshold: a.Threshold}
		for _, m := range a.Members {
			put.IDs = append(put.IDs, l.id(m))
		}
		g.Actors = append(g.Actors, put)
	}
	for founder := range was {
		g.Gone = append(g.Gone, founder)
	}
	for _, e := range actor.Diff(before, now) {
		g.Events = append(g.Events, graph.ActorEvent{
			Change: graph.ActorChange(e.Change), From: e.From, To: e.To, Members: e.Members,
		})
	}
}

// clusters reads what hangs together from one snapshot.
type clusters struct {
	snapshot graph.Snapshot
	alarms   *alarms
	rows     *caseRows
	// done are the cases whose actors are known to be up to date.
	done  map[evidence.Ref]bool
	cases map[evidence.Ref]*actor.Case // nil: none that links
	// instead, where not nil, stands in for the review of its pair.
	instead *graph.Review
	// fresh stand in for all rows of the case freshOf, where that is one.
	fresh   []actor.Edge
	freshOf evidence.Ref
	// most bounds the cases, if it is not 0.
	most int
}

func newClusters(s graph.Snapshot) *clusters {
	return &clusters{
		snapshot: s, alarms: newAlarms(s), rows: &caseRows{snapshot: s}, done: make(map[evidence.Ref]bool), cases: make(map[evidence.Ref]*actor.Case),
	}
}

// around returns what hangs together with some cases, and the stored actors that any
// of it was in. Members that have fallen away are gathered too, so that what is
// stored cannot keep a case that nothing holds any more.
func (g *clusters) around(ctx context.Context, from []evidence.Ref) (n actor.Neighbourhood, old []*graph.Actor, err error) {
	known := make(map[evidence.Ref]bool) // members of old
	for grown := true; grown; {
		grown = false
		if n, err = actor.Gather(ctx, g, from); err != nil {
			return n, nil, err
		}
		near := make(map[evidence.Ref]bool, len(n.Cases)+len(from))
		for i := range n.Cases {
			near[n.Cases[i].Ref] = true
		}
		for _, ref := range from {
			near[ref] = true
		}
		for ref := range near {
			if known[ref] {
				continue
			}
			a, err := g.snapshot.ActorOf(ref)
			if err != nil {
				return n, nil, err
			}
			if a == nil {
				continue
			}
			old = append(old, a)
			for _, m := range a.Members {
				known[m] = true
				if !near[m] {
					from = append(from, m)
					grown = true
				}
			}
		}
		for ref := range near {
			g.done[ref] = true
		}
	}
	slices.SortFunc(old, func(x, y *graph.Actor) int { return x.Founder.Compare(y.Founder) })
	return n, old, nil
}

// Case implements actor.Graph.
func (g *clusters) Case(_ context.Context, ref evidence.Ref) (actor.Case, bool, error) {
	if c, ok := g.cases[ref]; ok {
		if c == nil {
			return actor.Case{}, false, nil
		}
		return *c, true, nil
	}
	if g.most > 0 && len(g.cases) == g.most {
		return actor.Case{}, false, errTooMany
	}
	c, err := g.read(ref)
	if err != nil {
		return actor.Case{}, false, err
	}
	g.cases[ref] = c
	if c == nil {
		return actor.Case{}, false, nil
	}
	return *c, true, nil
}

func (g *clusters) read(ref evidence.Ref) (*actor.Case, error) {
	h, err := g.snapshot.Header(ref)
	if errors.Is(err, graph.ErrNotFound) || err == nil && !h.Live() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := g.snapshot.Outline(ref)
	if err != nil {
		return nil, err
	}
	return &actor.Case{Ref: ref, Active: actor.SpanOf(p.First, p.Last), Opened: h.OpenedAt}, nil
}

// Edges implements actor.Graph. What is held pulls nobody, and can be a candidate.
func (g *clusters) Edges(_ context.Context, ref evidence.Ref) (edges []actor.Edge, err error) {
	if g.freshOf != (evidence.Ref{}) && ref == g.freshOf {
		return g.fresh, nil
	}
	for i := range g.fresh {
		if e := &g.fresh[i]; e.A == ref || e.B == ref {
			edges = append(edges, *e)
		}
	}
	for row, err := range g.rows.of(ref) {
		if err != nil {
			return nil, err
		}
		if g.freshOf != (evidence.Ref{}) && (row.A == g.freshOf || row.B == g.freshOf) {
			continue
		}
		tier := link.Tier(row.Tier)
		held, err := g.alarms.holds(&row)
		if err != nil {
			return nil, err
		}
		if held {
			tier = min(tier, link.Probable)
		}
		edges = append(edges, actor.Edge{A: row.A, B: row.B, Millibits: row.Millibits, Tier: tier})
	}
	return edges, nil
}

// Reviews implements actor.Graph.
func (g *clusters) Reviews(_ context.Context, ref evidence.Ref) (reviews []actor.Review, err error) {
	add := func(r graph.Review) {
		if r.Verdict != graph.Unreviewed {
			reviews = append(reviews, actor.Review{A: r.A, B: r.B, Same: r.Verdict == graph.Confirmed, At: r.Time})
		}
	}
	for r, err := range g.snapshot.ReviewsOf(ref) {
		if err != nil {
			return nil, err
		}
		if g.instead == nil || r.RowKey != g.instead.RowKey {
			add(r)
		}
	}
	if g.instead != nil && (g.instead.A == ref || g.instead.B == ref) {
		add(*g.instead)
	}
	return reviews, nil
}
