package actor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// world makes cases of groups that link strongly within and a little across.
func world(cases, edges, group int, across float64) ([]actor.Case, []actor.Edge) {
	rnd := rand.New(rand.NewPCG(1, 2))
	refs := make([]evidence.Ref, cases)
	out := make([]actor.Case, cases)
	for i := range refs {
		refs[i] = evidence.Ref{Tenant: fmt.Sprintf("tenant-%d", i%997), Case: fmt.Sprintf("2026-%06d", i)}
		first := rnd.Int32N(1000)
		out[i] = actor.Case{Ref: refs[i], Active: actor.Span{First: first, Last: first + rnd.Int32N(60), Known: true}}
	}
	tiers := []link.Tier{link.Possible, link.Probable, link.Strong, link.Strong}
	pairs := make([]actor.Edge, 0, edges)
	for len(pairs) < edges {
		a := rnd.IntN(cases)
		b := a - a%group + rnd.IntN(group)
		if rnd.Float64() < across {
			b = rnd.IntN(cases)
		}
		tier := tiers[rnd.IntN(len(tiers))]
		bits := map[link.Tier]int32{link.Possible: -1000, link.Probable: 1600, link.Strong: 4300}[tier]
		if b = min(b, cases-1); a != b {
			pairs = append(pairs, actor.Edge{A: refs[a], B: refs[b], Millibits: bits + rnd.Int32N(2000), Tier: tier})
		}
	}
	return out, pairs
}

func benchmark(b *testing.B, cases []actor.Case, edges []actor.Edge) {
	b.ReportAllocs()
	var result actor.Result
	for b.Loop() {
		result = actor.Cluster(cases, edges, nil)
	}
	largest := 0
	for _, a := range result.Actors {
		largest = max(largest, len(a.Members))
	}
	b.ReportMetric(float64(len(result.Actors)), "actors")
	b.ReportMetric(float64(largest), "largest")
}

func BenchmarkCluster(b *testing.B) {
	b.Run("100000 cases, 300000 pairs", func(b *testing.B) {
		cases, edges := world(100_000, 300_000, 12, .01)
		benchmark(b, cases, edges)
	})
	b.Run("100000 cases, all hang together", func(b *testing.B) {
		cases, edges := world(100_000, 300_000, 12, .5)
		benchmark(b, cases, edges)
	})
	// A component at the limit, of less and of more pairs.
	for _, pairs := range []int{10_000, 100_000, 1_000_000, 4_000_000} {
		b.Run(fmt.Sprintf("5000 cases in one, %d pairs", pairs), func(b *testing.B) {
			cases, edges := world(5_000, pairs, 5_000, 0)
			benchmark(b, cases, edges)
		})
	}
}

// indexed is a graph in memory that finds the pairs of a case at once.
type indexed struct {
	cases map[evidence.Ref]actor.Case
	edges map[evidence.Ref][]actor.Edge
	reads int
}

func newIndexed(cases []actor.Case, edges []actor.Edge) *indexed {
	g := &indexed{cases: map[evidence.Ref]actor.Case{}, edges: map[evidence.Ref][]actor.Edge{}}
	for _, c := range cases {
		g.cases[c.Ref] = c
	}
	for _, e := range edges {
		g.edges[e.A] = append(g.edges[e.A], e)
		g.edges[e.B] = append(g.edges[e.B], e)
	}
	return g
}

func (g *indexed) Case(_ context.Context, ref evidence.Ref) (actor.Case, bool, error) {
	g.reads++
	c, ok := g.cases[ref]
	return c, ok, nil
}

func (g *indexed) Edges(_ context.Context, ref evidence.Ref) ([]actor.Edge, error) {
	return g.edges[ref], nil
}

func (g *indexed) Reviews(context.Context, evidence.Ref) ([]actor.Review, error) { return nil, nil }

// Growing a graph by a tenth in steps gives what clustering the whole gives.
func TestRefreshAtScale(t *testing.T) {
	cases, edges := world(20_000, 60_000, 12, .001)
	now := actor.Cluster(cases, edges[:54_000], nil)
	reads := 0
	for n := 54_300; n <= len(edges); n += 300 {
		var touched []evidence.Ref
		for _, e := range edges[n-300 : n] {
			touched = append(touched, e.A, e.B)
		}
		g := newIndexed(cases, edges[:n])
		var err error
		if now, err = actor.Refresh(t.Context(), g, now, touched); err != nil {
			t.Fatal(err)
		}
		reads += g.reads
	}
	differ(t, "grown", now, actor.Cluster(cases, edges, nil))
	if average := reads / 20; average > 5_000 {
		t.Errorf("%d of 20,000 cases read at a time", average)
	}
}

func BenchmarkRefresh(b *testing.B) {
	cases, edges := world(100_000, 300_000, 12, .001)
	g := newIndexed(cases, edges)
	now := actor.Cluster(cases, edges, nil)
	touched := []evidence.Ref{cases[4242].Ref}
	b.Run("gather and cluster", func(b *testing.B) {
		g.reads = 0
		for b.Loop() {
			n, err := actor.Gather(b.Context(), g, touched)
			if err != nil {
				b.Fatal(err)
			}
			actor.Cluster(n.Cases, n.Edges, n.Reviews)
		}
		b.ReportMetric(float64(g.reads)/float64(b.N), "reads")
	})
	b.Run("refresh", func(b *testing.B) {
		for b.Loop() {
			if _, err := actor.Refresh(b.Context(), g, now, touched); err != nil {
				b.Fatal(err)
			}
		}
	})
}
