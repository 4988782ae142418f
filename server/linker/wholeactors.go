package linker

import (
	"slices"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// oldActor is a stored actor in numbers.
type oldActor struct {
	founder   evidence.Ref
	members   []int32
	threshold int32
}

// grouped is what hangs together, in numbers: those of the network, and behind them
// those of cases that have no rows but a review or an actor.
type grouped struct {
	*whole
	more   []evidence.Ref
	number map[evidence.Ref]int32 // of more
	// pulled says which cases may be in an actor, cases what is known of them: nil where
	// one is gone or does not link.
	pulled  []bool
	cases   []*actor.Case
	reviews []graph.Review
	old     []oldActor
	sets    trees
}

// cluster finds the actors of all cases and stores those that are not as before.
func (w *whole) cluster() error {
	g := &grouped{whole: w, number: make(map[evidence.Ref]int32), pulled: make([]bool, len(w.net.Cases))}
	if err := g.read(); err != nil {
		return err
	}
	g.cases = make([]*actor.Case, len(g.pulled))
	err := w.each(len(g.pulled), casesAtOnce, func(s graph.Snapshot, from, to int) (err error) {
		one := clusters{snapshot: s}
		for i := from; i < to; i++ {
			if !g.pulled[i] {
				continue
			}
			if g.cases[i], err = one.read(g.ref(int32(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	sets := g.join()
	return w.each(len(sets), setsAtOnce, func(_ graph.Snapshot, from, to int) error {
		var last graph.RelinkBatch
		for _, set := range sets[from:to] {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			n, old := g.neighbourhood(set)
			w.linker.compare(old, actor.Cluster(n.Cases, n.Edges, n.Reviews).Actors, &last.Grouping)
			if len(last.Actors)+len(last.Gone) >= actorsPerPage {
				// Every actor is in one change with its members.
				if err := w.linker.apply(w.ctx, last); err != nil {
					return err
				}
				last = graph.RelinkBatch{}
			}
		}
		if len(last.Actors)+len(last.Gone)+len(last.Events) == 0 {
			return nil
		}
		return w.linker.apply(w.ctx, last)
	})
}

// setsAtOnce is how many sets of cases a goroutine takes at a time.
const setsAtOnce = 2_048

// read reads reviews and stored actors, and notes who may be in an actor.
func (g *grouped) read() error {
	for i := range g.net.Links {
		if x := &g.net.Links[i]; g.pulls(x) {
			g.pulled[x.A], g.pulled[x.B] = true, true
		}
	}
	for r, err := range g.own.ReviewsAfter(graph.RowKey{}) {
		if err != nil {
			return err
		}
		if r.Verdict == graph.Unreviewed {
			continue
		}
		g.reviews = append(g.reviews, r)
		for _, ref := range [...]evidence.Ref{r.A, r.B} {
			if i := g.at(ref); r.Verdict == graph.Confirmed {
				g.pulled[i] = true
			}
		}
	}
	for a, err := range g.own.ActorsAfter(evidence.Ref{}) {
		if err != nil {
			return err
		}
		o := oldActor{founder: a.Founder, members: make([]int32, len(a.Members)), threshold: a.Threshold}
		for k, m := range a.Members {
			o.members[k] = g.at(m)
			g.pulled[o.members[k]] = true
		}
		g.old = append(g.old, o)
	}
	return nil
}

// tier is that of a link, as far as it may pull: what is held pulls nobody.
func (g *grouped) tier(x *graph.Link) link.Tier {
	if g.held(x) {
		return min(link.Tier(x.Tier), link.Probable)
	}
	return link.Tier(x.Tier)
}

func (g *grouped) pulls(x *graph.Link) bool {
	return x.Millibits > 0 && g.tier(x) >= link.Strong
}

// at returns the number of a case, which may be a new one.
func (g *grouped) at(ref evidence.Ref) int32 {
	if i, ok := g.find(ref); ok {
		return i
	}
	if i, ok := g.number[ref]; ok {
		return i
	}
	i := int32(len(g.net.Cases) + len(g.more))
	g.number[ref], g.more, g.pulled = i, append(g.more, ref), append(g.pulled, false)
	return i
}

func (g *grouped) ref(i int32) evidence.Ref {
	if n := int32(len(g.net.Cases)); i >= n {
		return g.more[i-n]
	}
	return g.net.Cases[i]
}

// together is a set of cases out of which no pair that pulls, no confirm and no stored
// actor leads.
type together struct {
	cases   []int32 // in order
	reviews []int32
	old     []int32
}

// join divides the cases into sets. Of those that stand alone and did so before there
// is none.
func (g *grouped) join() []together {
	g.sets = forest(len(g.cases))
	links := func(a, b int32) bool { return g.cases[a] != nil && g.cases[b] != nil }
	for i := range g.net.Links {
		if x := &g.net.Links[i]; g.pulls(x) && links(x.A, x.B) {
			g.sets.join(x.A, x.B)
		}
	}
	for _, r := range g.reviews {
		if a, b := g.at(r.A), g.at(r.B); r.Verdict == graph.Confirmed && links(a, b) {
			g.sets.join(a, b)
		}
	}
	for _, o := range g.old {
		for _, m := range o.members[1:] {
			g.sets.join(o.members[0], m)
		}
	}
	size := make([]int32, len(g.cases))
	for i := range g.cases {
		if g.pulled[i] {
			size[g.sets.top(int32(i))]++
		}
	}
	place := make([]int32, len(g.cases)) // of a top: 1 + its place in all
	var all []together
	for i, n := range size {
		if n > 1 {
			all = append(all, together{cases: make([]int32, 0, n)})
			place[i] = int32(len(all))
		}
	}
	of := func(i int32) *together {
		if at := place[g.sets.top(i)]; at > 0 {
			return &all[at-1]
		}
		return nil
	}
	for i := range g.cases {
		if t := of(int32(i)); t != nil && g.pulled[i] {
			t.cases = append(t.cases, int32(i))
		}
	}
	for i, r := range g.reviews {
		// One that leads out of a set is a refute, or names a case that does not link.
		if a, b := of(g.at(r.A)), of(g.at(r.B)); a != nil && a == b {
			a.reviews = append(a.reviews, int32(i))
		}
	}
	for i, o := range g.old {
		t := of(o.members[0])
		t.old = append(t.old, int32(i))
	}
	return all
}

// neighbourhood returns a set as it is clustered, and the actors that it was before.
func (g *grouped) neighbourhood(t together) (n actor.Neighbourhood, old []*graph.Actor) {
	top := g.sets.stands(t.cases[0])
	for _, i := range t.cases {
		if g.cases[i] == nil {
			continue
		}
		n.Cases = append(n.Cases, *g.cases[i])
		if int(i) >= len(g.net.Cases) {
			continue
		}
		for k := g.begins[i]; k < g.begins[i+1]; k++ {
			x := &g.net.Links[k]
			if g.cases[x.B] == nil || g.sets.stands(x.B) != top {
				continue
			}
			n.Edges = append(n.Edges, actor.Edge{A: g.net.Cases[x.A], B: g.net.Cases[x.B], Millibits: x.Millibits, Tier: g.tier(x)})
		}
	}
	for _, i := range t.reviews {
		r := &g.reviews[i]
		n.Reviews = append(n.Reviews, actor.Review{A: r.A, B: r.B, Same: r.Verdict == graph.Confirmed, At: r.Time})
	}
	for _, i := range t.old {
		o := &g.old[i]
		a := &graph.Actor{Founder: o.founder, Members: make([]evidence.Ref, len(o.members)), Threshold: o.threshold}
		for k, m := range o.members {
			a.Members[k] = g.ref(m)
		}
		old = append(old, a)
	}
	slices.SortFunc(old, func(x, y *graph.Actor) int { return x.Founder.Compare(y.Founder) })
	return n, old
}
