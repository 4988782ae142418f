package actor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// store is a graph in memory.
type store struct {
	cases   map[evidence.Ref]actor.Case
	edges   map[[2]evidence.Ref]actor.Edge
	reviews map[[2]evidence.Ref]actor.Review
	read    []evidence.Ref
	broken  error
}

func newStore() *store {
	return &store{
		cases: map[evidence.Ref]actor.Case{}, edges: map[[2]evidence.Ref]actor.Edge{},
		reviews: map[[2]evidence.Ref]actor.Review{},
	}
}

func (s *store) Case(_ context.Context, ref evidence.Ref) (actor.Case, bool, error) {
	s.read = append(s.read, ref)
	c, ok := s.cases[ref]
	return c, ok, s.broken
}

func (s *store) Edges(_ context.Context, ref evidence.Ref) ([]actor.Edge, error) {
	return of(s.edges, ref), nil
}

func (s *store) Reviews(_ context.Context, ref evidence.Ref) ([]actor.Review, error) {
	return of(s.reviews, ref), nil
}

// of returns what is kept of the pairs of a case, or of all for the zero case.
func of[T any](pairs map[[2]evidence.Ref]T, ref evidence.Ref) []T {
	var out []T
	for k, v := range pairs {
		if ref == (evidence.Ref{}) || k[0] == ref || k[1] == ref {
			out = append(out, v)
		}
	}
	return out
}

func (s *store) whole() ([]actor.Case, []actor.Edge, []actor.Review) {
	var cases []actor.Case
	for _, c := range s.cases {
		cases = append(cases, c)
	}
	return cases, of(s.edges, evidence.Ref{}), of(s.reviews, evidence.Ref{})
}

var (
	genRef = rapid.Custom(func(t *rapid.T) evidence.Ref {
		return evidence.Ref{
			Tenant: rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "tenant"),
			Case:   rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "case"),
		}
	})
	genCase = rapid.Custom(func(t *rapid.T) actor.Case {
		c := actor.Case{Ref: genRef.Draw(t, "ref")}
		// Few distinct times, so that gains and founders tie often.
		if n := rapid.IntRange(0, 3).Draw(t, "opened"); n > 0 {
			c.Opened = time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
		}
		if rapid.Bool().Draw(t, "known") {
			c.Active.Known = true
			c.Active.First = 90 * rapid.Int32Range(0, 40).Draw(t, "first")
			c.Active.Last = c.Active.First + rapid.Int32Range(0, 1).Draw(t, "dwell")
		}
		return c
	})
	genEdge = rapid.Custom(func(t *rapid.T) actor.Edge {
		tier := rapid.SampledFrom([]link.Tier{link.Strong, link.Strong, link.Strong, link.Probable, link.Lead})
		return actor.Edge{
			A: genRef.Draw(t, "a"), B: genRef.Draw(t, "b"), Tier: tier.Draw(t, "tier"),
			Millibits: rapid.SampledFrom([]int32{-9000, -300, -1, 0, 1, 250, 500, 1000, 2500, 4250, 6000, 7000, 90_000}).Draw(t, "millibits"),
		}
	})
	genReview = rapid.Custom(func(t *rapid.T) actor.Review {
		return actor.Review{
			A: genRef.Draw(t, "a"), B: genRef.Draw(t, "b"), Same: rapid.Bool().Draw(t, "same"),
			At: time.Unix(rapid.Int64Range(0, 5).Draw(t, "at"), 0).UTC(),
		}
	})
)

// input is a graph where every case and pair stands once; pairs of a case with
// itself and with cases that do not exist are among them.
func input(t *rapid.T) ([]actor.Case, []actor.Edge, []actor.Review) {
	cases := rapid.SliceOfNDistinct(genCase, rapid.IntRange(0, 14).Draw(t, "least"), 18, func(c actor.Case) evidence.Ref { return c.Ref }).Draw(t, "cases")
	edges := rapid.SliceOfNDistinct(genEdge, rapid.IntRange(0, 50).Draw(t, "least"), 80, func(e actor.Edge) [2]evidence.Ref { return ends(e.A, e.B) }).Draw(t, "edges")
	reviews := rapid.SliceOfN(genReview, rapid.IntRange(0, 10).Draw(t, "least"), 20).Draw(t, "reviews")
	return cases, edges, reviews
}

func differ(t interface{ Fatalf(string, ...any) }, what string, got, want actor.Result) {
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func TestClusterIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cases, edges, reviews := input(t)
		limit := rapid.SampledFrom([]int{2, 4, 8, 5000}).Draw(t, "limit")
		edges = slices.DeleteFunc(edges, func(e actor.Edge) bool { return e.A == e.B })
		want := referenceCluster(cases, edges, reviews, limit)
		differ(t, "clusters", actor.ClusterLimited(cases, edges, reviews, limit), want)
	})
}

// Graphs where most gains tie, and reviews that mostly contradict one another:
// here every rule for equal things decides something.
func TestClusterIsTheDefinitionAmongEquals(t *testing.T) {
	actors, raised, conflicts, candidates := 0, 0, 0, 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var cases []actor.Case
		for i := range 40 {
			cases = append(cases, actor.Case{Ref: ref(fmt.Sprintf("%02d", i)), Active: day(90 * rnd.Int32N(3))})
		}
		pick := func(n int) (a, b evidence.Ref) {
			at := rnd.Perm(n)
			return cases[at[0]].Ref, cases[at[1]].Ref
		}
		edges := map[[2]evidence.Ref]actor.Edge{}
		for range 50 + rnd.IntN(150) {
			a, b := pick(len(cases))
			edges[ends(a, b)] = actor.Edge{A: a, B: b, Millibits: 500 * (1 + rnd.Int32N(3)), Tier: link.Strong}
		}
		var reviews []actor.Review
		for at := range 40 * rnd.IntN(2) {
			a, b := pick(12)
			reviews = append(reviews, actor.Review{A: a, B: b, Same: rnd.IntN(3) > 0, At: time.Unix(int64(at), 0).UTC()})
		}
		pairs := slices.Collect(maps.Values(edges))
		limit := []int{5000, 5000, 30}[seed%3]
		want := referenceCluster(cases, pairs, reviews, limit)
		differ(t, fmt.Sprintf("seed %d", seed), actor.ClusterLimited(cases, pairs, reviews, limit), want)
		for _, a := range want.Actors {
			actors++
			raised += min(1, int(a.Threshold))
			candidates += len(a.Candidates)
		}
		conflicts += len(want.Conflicts)
	}
	if actors < 100 || raised < 10 || conflicts < 100 || candidates < 100 {
		t.Errorf("%d actors, %d above a raised threshold, %d conflicts, %d candidates: the graphs test too little", actors, raised, conflicts, candidates)
	}
}

func TestOrderOfInputDoesNotCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cases, edges, reviews := input(t)
		// Here a case or a pair may be given in several versions.
		cases = append(cases, rapid.SliceOfN(genCase, 0, 3).Draw(t, "again")...)
		edges = append(edges, rapid.SliceOfN(genEdge, 0, 5).Draw(t, "again")...)
		limit := rapid.SampledFrom([]int{3, 5000}).Draw(t, "limit")
		want := actor.ClusterLimited(cases, edges, reviews, limit)
		for i, e := range edges {
			if rapid.Bool().Draw(t, "turned") {
				edges[i].A, edges[i].B = e.B, e.A
			}
		}
		for i, r := range reviews {
			if rapid.Bool().Draw(t, "turned") {
				reviews[i].A, reviews[i].B = r.B, r.A
			}
		}
		got := actor.ClusterLimited(
			rapid.Permutation(cases).Draw(t, "cases"), rapid.Permutation(edges).Draw(t, "edges"),
			rapid.Permutation(reviews).Draw(t, "reviews"), limit,
		)
		differ(t, "in another order", got, want)
	})
}

// Invariant C10: a refute is never inside an actor and a confirm is never split,
// but for those that are reported.
func TestReviewsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cases, edges, reviews := input(t)
		result := actor.ClusterLimited(cases, edges, reviews, rapid.SampledFrom([]int{2, 5000}).Draw(t, "limit"))
		home := map[evidence.Ref]int{}
		for _, c := range cases {
			home[c.Ref] = -1 - len(home)
		}
		for i, a := range result.Actors {
			if len(a.Members) < 2 || !slices.IsSortedFunc(a.Members, evidence.Ref.Compare) || !slices.Contains(a.Members, a.Founder) {
				t.Fatalf("actor %v of %v", a.Founder, a.Members)
			}
			for _, m := range a.Members {
				if home[m] >= 0 {
					t.Fatalf("%v is in two actors or was not given", m)
				}
				home[m] = i
			}
		}
		aside := map[[2]evidence.Ref]bool{}
		for _, c := range result.Conflicts {
			aside[[2]evidence.Ref{c.SetAside.A, c.SetAside.B}] = true
			if c.SetAside.At.After(c.Against.At) || !c.SetAside.Same && !c.Against.Same {
				t.Fatalf("%v gives way to %v", c.SetAside, c.Against)
			}
		}
		counts := slices.Clone(reviews)
		slices.SortStableFunc(counts, func(x, y actor.Review) int {
			return cmp.Or(x.At.Compare(y.At), map[bool]int{true: 1}[y.Same]-map[bool]int{true: 1}[x.Same])
		})
		latest := map[[2]evidence.Ref]actor.Review{}
		for _, r := range counts {
			latest[ends(r.A, r.B)] = r
		}
		for k, r := range latest {
			a, okA := home[k[0]]
			b, okB := home[k[1]]
			if !okA || !okB || k[0] == k[1] || aside[k] {
				continue
			}
			if r.Same != (a == b) {
				t.Fatalf("%v does not hold", r)
			}
		}
	})
}

// On graphs that are too large for the definition: no merge is left that gains,
// and another order of the input gives the same.
func TestNothingIsLeftToGain(t *testing.T) {
	cases, edges := world(600, 9_000, 60, .1)
	once := map[[2]evidence.Ref]actor.Edge{}
	for _, e := range edges {
		once[ends(e.A, e.B)] = e
	}
	edges = slices.Collect(maps.Values(once))
	got := actor.Cluster(cases, edges, nil)
	slices.Reverse(cases)
	differ(t, "in another order", actor.Cluster(cases, edges, nil), got)

	r := &reference{cases: map[evidence.Ref]actor.Case{}, edges: once}
	var clusters [][]evidence.Ref
	alone := map[evidence.Ref]bool{}
	for _, c := range cases {
		r.cases[c.Ref], alone[c.Ref] = c, true
	}
	for _, a := range got.Actors {
		clusters = append(clusters, a.Members)
		for _, m := range a.Members {
			delete(alone, m)
		}
	}
	if len(clusters) < 10 {
		t.Fatalf("%d actors are too few to test with", len(clusters))
	}
	for ref := range alone {
		clusters = append(clusters, []evidence.Ref{ref})
	}
	for i, x := range clusters {
		for _, y := range clusters[:i] {
			if g, _ := r.gain(x, y, 0); g > 0 {
				t.Fatalf("merging %v and %v would gain %d nanobits", x, y, g)
			}
		}
	}
}

// Invariants C4 and C13: whatever comes, goes and changes, clustering what was
// touched gives what clustering everything gives.
func TestRefreshIsClusterOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		var now actor.Result
		steps := rapid.IntRange(1, 40).Draw(t, "steps")
		for range steps {
			touched := s.change(t)
			var err error
			if now, err = actor.Refresh(t.Context(), s, now, touched); err != nil {
				t.Fatal(err)
			}
			differ(t, "refreshed", now, actor.Cluster(s.whole()))
		}
		// Without feedback all is as if there had never been any.
		var touched []evidence.Ref
		for k := range s.reviews {
			touched = append(touched, k[:]...)
		}
		clear(s.reviews)
		cleared, err := actor.Refresh(t.Context(), s, now, touched)
		if err != nil {
			t.Fatal(err)
		}
		cases, edges, _ := s.whole()
		differ(t, "cleared", cleared, actor.Cluster(cases, edges, nil))
	})
}

// change does a few random things and returns what they touch.
func (s *store) change(t *rapid.T) (touched []evidence.Ref) {
	for range rapid.IntRange(1, 6).Draw(t, "operations") {
		switch rapid.IntRange(0, 6).Draw(t, "operation") {
		case 0, 1:
			c := genCase.Draw(t, "case")
			s.cases[c.Ref] = c
			touched = append(touched, c.Ref)
		case 2, 3, 4:
			e := genEdge.Draw(t, "edge")
			s.edges[ends(e.A, e.B)] = e
			touched = append(touched, e.A, e.B)
		case 5:
			r := genReview.Draw(t, "review")
			if s.reviews[ends(r.A, r.B)].Same == r.Same {
				delete(s.reviews, ends(r.A, r.B))
			} else {
				s.reviews[ends(r.A, r.B)] = r
			}
			touched = append(touched, r.A, r.B)
		default:
			ref := genRef.Draw(t, "gone")
			delete(s.cases, ref)
			touched = append(touched, s.near(ref)...)
			for k := range s.edges {
				if k[0] == ref || k[1] == ref {
					delete(s.edges, k)
				}
			}
		}
	}
	return touched
}

// near returns a case and all that have a pair or a review with it.
func (s *store) near(ref evidence.Ref) []evidence.Ref {
	out := []evidence.Ref{ref}
	for _, e := range of(s.edges, ref) {
		out = append(out, e.A, e.B)
	}
	for _, r := range of(s.reviews, ref) {
		out = append(out, r.A, r.B)
	}
	return out
}

func TestRefreshReadsNoMoreThanItMust(t *testing.T) {
	s := newStore()
	for i := range 10 {
		for _, tenant := range []string{"a", "b"} {
			ref := evidence.Ref{Tenant: tenant, Case: fmt.Sprint(i)}
			s.cases[ref] = actor.Case{Ref: ref}
		}
		a, b := evidence.Ref{Tenant: "a", Case: fmt.Sprint(i)}, evidence.Ref{Tenant: "b", Case: fmt.Sprint(i)}
		s.edges[[2]evidence.Ref{a, b}] = actor.Edge{A: a, B: b, Millibits: 6000, Tier: link.Strong}
	}
	before := actor.Cluster(s.whole())
	one := evidence.Ref{Tenant: "b", Case: "4"}
	after, err := actor.Refresh(t.Context(), s, before, []evidence.Ref{one})
	if err != nil {
		t.Fatal(err)
	}
	differ(t, "nothing changed", after, before)
	slices.SortFunc(s.read, evidence.Ref.Compare)
	if d := gocmp.Diff([]evidence.Ref{{Tenant: "a", Case: "4"}, one}, s.read); d != "" {
		t.Errorf("cases read (-want +got):\n%s", d)
	}

	s.broken = errors.New("disk gone")
	if _, err := actor.Refresh(t.Context(), s, before, []evidence.Ref{one}); !errors.Is(err, s.broken) {
		t.Errorf("error %v, want that of the graph", err)
	}
}
