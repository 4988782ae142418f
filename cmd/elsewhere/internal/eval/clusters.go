package eval

import (
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// components returns, by case, the number of the connected component in which
// the chosen pairs put it.
func components(cases int, pairs []measure.Pair, chosen func(measure.Pair) bool) []int32 {
	parent := make([]int32, cases)
	for i := range parent {
		parent[i] = int32(i)
	}
	root := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, p := range pairs {
		if chosen(p) {
			// The smallest case of a component stands for it.
			x, y := root(p.I), root(p.J)
			parent[max(x, y)] = min(x, y)
		}
	}
	out := make([]int32, cases)
	for i := range out {
		out[i] = root(int32(i))
	}
	return out
}

// actors returns, by case, the number of the actor in which the product puts it,
// or one of its own.
func (d *prepared) actors(pairs []measure.Pair) []int32 {
	cases := make([]actor.Case, len(d.refs))
	out := make([]int32, len(d.refs))
	for i, c := range d.set.Cases {
		p := c.Profile()
		cases[i] = actor.Case{Ref: c.Ref, Active: actor.SpanOf(p.First, p.Last), Opened: c.OpenedAt}
		out[i] = int32(i)
	}
	var edges []actor.Edge
	for _, p := range pairs {
		if link.Tier(p.Tier) >= link.Lead {
			edges = append(edges, actor.Edge{
				A: d.refs[p.I], B: d.refs[p.J], Millibits: millibits(p), Tier: link.Tier(p.Tier),
			})
		}
	}
	for _, a := range actor.Cluster(cases, edges, nil).Actors {
		first := d.number[a.Members[0]]
		for _, m := range a.Members {
			out[d.number[m]] = first
		}
	}
	return out
}
