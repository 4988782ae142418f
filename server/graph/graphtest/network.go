package graphtest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// compareNetwork holds a network to the rows.
func (p *people) compareNetwork(n *graph.Network) {
	var linked []evidence.Ref
	for k := range p.rows {
		linked = append(linked, k.A, k.B)
	}
	slices.SortFunc(linked, evidence.Ref.Compare)
	same(p, "cases with rows", n.Cases, slices.Compact(linked))
	place := func(r evidence.Ref) int32 { return int32(slices.Index(n.Cases, r)) }
	var links []graph.Link
	for _, r := range slices.SortedFunc(maps.Values(p.rows), func(x, y graph.Row) int { return x.RowKey.Compare(y.RowKey) }) {
		links = append(links, graph.Link{
			A: place(r.A), B: place(r.B), Millibits: r.Millibits, Tier: r.Tier, Verdict: r.Verdict, Held: r.Held,
		})
	}
	same(p, "links of the network", n.Links, links)
}

// compareListing holds what is known of the first part of the list to what is in it.
func (p *people) compareListing(t *rapid.T, all []graph.Touched, marks []graph.TouchMark) {
	l, err := p.Listed(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := graph.Listing{Entries: len(all), Marks: marks}
	for _, x := range all {
		if x.B != (evidence.Ref{}) {
			want.Pairs = append(want.Pairs, graph.RowKey(x))
		}
	}
	slices.SortFunc(want.Pairs, graph.RowKey.Compare)
	same(p, "listing", l, want)
}
