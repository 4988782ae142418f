package actor_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// ref names a case by one word: its own tenant, so that no pair is within one.
func ref(name string) evidence.Ref { return evidence.Ref{Tenant: name, Case: "1"} }

func day(n int32) actor.Span { return actor.Span{First: n, Last: n, Known: true} }

// scene is a graph written down: cases are made when first named, all active on
// day 0.
type scene struct {
	cases   []actor.Case
	edges   []actor.Edge
	reviews []actor.Review
}

func (s *scene) on(n int32, names ...string) *scene {
	for _, name := range names {
		s.cases = append(s.cases, actor.Case{Ref: ref(name), Active: day(n)})
	}
	return s
}

func (s *scene) pair(a, b string, bits float64, tier link.Tier) *scene {
	s.edges = append(s.edges, actor.Edge{A: ref(a), B: ref(b), Millibits: int32(bits * 1000), Tier: tier})
	return s
}

func (s *scene) strong(a, b string, bits float64) *scene { return s.pair(a, b, bits, link.Strong) }

// clique makes every pair strong.
func (s *scene) clique(bits float64, names ...string) *scene {
	for i, a := range names {
		for _, b := range names[:i] {
			s.strong(a, b, bits)
		}
	}
	return s
}

func (s *scene) review(at int64, same bool, a, b string) *scene {
	s.reviews = append(s.reviews, actor.Review{A: ref(a), B: ref(b), Same: same, At: time.Unix(at, 0).UTC()})
	return s
}

func (s *scene) cluster() actor.Result { return actor.Cluster(s.cases, s.edges, s.reviews) }

// names writes clusters down as "ab cd".
func names(r actor.Result) string {
	var out []string
	for _, a := range r.Actors {
		var word string
		for _, m := range a.Members {
			word += m.Tenant
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

// The arithmetic of SCORING.md A9, in bits.
func TestWhatIsMerged(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *scene
		want string
	}{
		{"a strong pair is an actor", new(scene).on(0, "a", "b").strong("a", "b", 4.25), "ab"},
		{"a probable pair is none", new(scene).on(0, "a", "b").pair("a", "b", 4.25, link.Probable), ""},
		{"nor a strong pair of one tenant", &scene{
			cases: []actor.Case{{Ref: evidence.Ref{Tenant: "a", Case: "1"}}, {Ref: evidence.Ref{Tenant: "a", Case: "2"}}},
			edges: []actor.Edge{{A: evidence.Ref{Tenant: "a", Case: "1"}, B: evidence.Ref{Tenant: "a", Case: "2"}, Millibits: 9000, Tier: link.Strong}},
		}, ""},
		{
			"one edge of 6 carries 11 absent pairs: 6 - 5.5 > 0",
			new(scene).on(0, "a", "b", "c", "d", "e", "f", "g").clique(9, "a", "b", "c").clique(9, "d", "e", "f", "g").strong("a", "d", 6),
			"abcdefg",
		},
		{
			"but not 15: 6 - 7.5 < 0",
			new(scene).on(0, "a", "b", "c", "d", "e", "f", "g", "h").
				clique(9, "a", "b", "c", "d").clique(9, "e", "f", "g", "h").strong("a", "e", 6),
			"abcd efgh",
		},
		{
			"and not 12: 6 - 6 = 0 is no gain",
			new(scene).on(0, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n").
				clique(9, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m").strong("m", "n", 6),
			"abcdefghijklm",
		},
		{
			"an edge counts 6 bits at most: 20 bits carry no more",
			new(scene).on(0, "a", "b", "c", "d", "e", "f", "g", "h").
				clique(9, "a", "b", "c", "d").clique(9, "e", "f", "g", "h").strong("a", "e", 20),
			"abcd efgh",
		},
		{
			"the same 15 a year apart: 6 - 15·0.030 > 0",
			new(scene).on(0, "a", "b", "c", "d").on(365, "e", "f", "g", "h").
				clique(9, "a", "b", "c", "d").clique(9, "e", "f", "g", "h").strong("a", "e", 6),
			"abcdefgh",
		},
		{
			"without a date a pair counts as 90 days apart: 6 - 15·0.25 > 0",
			func() *scene {
				s := new(scene).on(0, "a", "b", "c", "d").clique(9, "a", "b", "c", "d").clique(9, "e", "f", "g", "h").strong("a", "e", 6)
				for _, name := range []string{"e", "f", "g", "h"} {
					s.cases = append(s.cases, actor.Case{Ref: ref(name)})
				}
				return s
			}(),
			"abcdefgh",
		},
		{
			"a pair that shares something weak repels no more than one that shares nothing",
			new(scene).on(0, "a", "b", "c").strong("a", "b", 5).strong("b", "c", 5).pair("a", "c", -30, link.Lead),
			"abc",
		},
		{
			"a probable pair does not repel: 6 - 11·0.5 - 4·0 > 0",
			new(scene).on(0, "a", "b", "c", "d", "e", "f", "g", "h").
				clique(9, "a", "b", "c", "d").clique(9, "e", "f", "g", "h").strong("a", "e", 6).
				pair("b", "f", 2, link.Probable).pair("c", "f", 2, link.Probable).
				pair("b", "g", 2, link.Probable).pair("c", "g", 2, link.Probable),
			"abcdefgh",
		},
		{
			"of equal gains the smallest cases come first; c is left with 4.5 - 5",
			new(scene).on(0, "a", "b", "c").strong("b", "c", 4.5).strong("a", "b", 4.5).review(1, false, "a", "c"),
			"ab",
		},
		{
			"the largest gain comes first",
			new(scene).on(0, "a", "b", "c").strong("b", "c", 4.6).strong("a", "b", 4.5).review(1, false, "a", "c"),
			"bc",
		},
		{"a confirm joins what shares nothing", new(scene).on(0, "a", "b").review(1, true, "a", "b"), "ab"},
		{"a refute parts the strongest", new(scene).on(0, "a", "b").strong("a", "b", 60).review(1, false, "b", "a"), ""},
		{"the later review of a pair counts", new(scene).on(0, "a", "b").review(2, true, "b", "a").review(1, false, "a", "b"), "ab"},
		{"of one time the refute", new(scene).on(0, "a", "b").review(1, true, "a", "b").review(1, false, "a", "b"), ""},
		{"reviews of cases that are gone count for nothing", new(scene).on(0, "a", "c").review(1, true, "a", "b").review(1, true, "b", "c"), ""},
		{"nothing", new(scene), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := names(tt.s.cluster()); got != tt.want {
				t.Errorf("actors %q, want %q", got, tt.want)
			}
		})
	}
}

// An actor that changes its ways all the time stays one: each case shares
// something with the next only, six a year for five years. Two halves of such a
// chain repel by .5·Σ k·2^(-2k/3) less the one pair that is known, 2.0 bits, and
// the edge between them is 5. Were all of one time, the chain would fall apart.
func TestActorMayDrift(t *testing.T) {
	for _, tt := range []struct {
		name   string
		days   int32 // between two cases
		actors int
	}{
		{"over the years", 60, 1},
		{"at once", 0, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(scene)
			for i := range 30 {
				s.on(int32(i)*tt.days, fmt.Sprintf("%02d", i))
				if i > 0 {
					s.strong(fmt.Sprintf("%02d", i-1), fmt.Sprintf("%02d", i), 5)
				}
			}
			got := s.cluster()
			if len(got.Actors) != tt.actors {
				t.Errorf("%d actors, want %d: %s", len(got.Actors), tt.actors, names(got))
			}
		})
	}
}

func TestRefuteSplitsWhatItMust(t *testing.T) {
	s := new(scene).on(0, "a", "b", "c", "d", "e", "f").clique(6, "a", "b", "c").clique(6, "d", "e", "f").
		strong("c", "d", 6).strong("b", "d", 6)
	if got := names(s.cluster()); got != "abcdef" {
		t.Fatalf("actors %q", got)
	}
	before := s.cluster()
	s.review(1, false, "c", "d")
	if got := names(s.cluster()); got != "abc def" {
		t.Errorf("after the refute %q", got)
	}
	s.reviews = nil
	if d := cmp.Diff(before, s.cluster()); d != "" {
		t.Errorf("after it was cleared (-before +after):\n%s", d)
	}
}

func TestConflictingReviews(t *testing.T) {
	type aside struct{ pair, against string }
	for _, tt := range []struct {
		name      string
		s         *scene
		want      string
		conflicts []aside
	}{
		{
			"confirms newer than the refute hold",
			new(scene).on(0, "a", "b", "c").review(1, false, "a", "c").review(2, true, "a", "b").review(3, true, "b", "c"),
			"abc",
			[]aside{{"ac", "ab"}},
		},
		{
			"a refute newer than the confirms cuts the oldest",
			new(scene).on(0, "a", "b", "c", "d").review(5, false, "a", "d").review(2, true, "a", "b").review(1, true, "b", "c").review(3, true, "c", "d"),
			"ab cd",
			[]aside{{"bc", "ad"}},
		},
		{
			"a refute between two confirms cuts the older",
			new(scene).on(0, "a", "b", "c").review(1, true, "a", "b").review(2, false, "a", "c").review(3, true, "b", "c"),
			"bc",
			[]aside{{"ab", "ac"}},
		},
		{
			"of one time the refute holds, then the smaller pair",
			new(scene).on(0, "a", "b", "c").review(1, true, "a", "b").review(1, true, "b", "c").review(1, false, "a", "c"),
			"ab",
			[]aside{{"bc", "ac"}},
		},
		{
			"what contradicts a set-aside review only is accepted",
			new(scene).on(0, "a", "b", "c", "d").review(4, true, "a", "b").review(3, true, "b", "c").
				review(2, false, "a", "c").review(1, true, "c", "d"),
			"abcd",
			[]aside{{"ac", "bc"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.s.cluster()
			if n := names(got); n != tt.want {
				t.Errorf("actors %q, want %q", n, tt.want)
			}
			var conflicts []aside
			for _, c := range got.Conflicts {
				conflicts = append(conflicts, aside{c.SetAside.A.Tenant + c.SetAside.B.Tenant, c.Against.A.Tenant + c.Against.B.Tenant})
			}
			if d := cmp.Diff(tt.conflicts, conflicts, cmp.AllowUnexported(aside{})); d != "" {
				t.Errorf("conflicts (-want +got):\n%s", d)
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	s := new(scene).on(0, "a", "b", "c", "d", "e", "f").strong("a", "b", 6).strong("c", "d", 6).
		pair("b", "e", 2, link.Probable).pair("a", "e", 1, link.Possible).pair("c", "b", 3, link.Probable).
		pair("f", "a", 2, link.Probable).review(1, false, "a", "f").pair("a", "b", 6, link.Strong)
	got := s.cluster()
	want := []actor.Actor{
		{
			Members: []evidence.Ref{ref("a"), ref("b")}, Founder: ref("a"),
			Candidates: []actor.Candidate{
				{Member: ref("b"), Other: ref("c"), Millibits: 3000, Tier: link.Probable},
				{Member: ref("b"), Other: ref("e"), Millibits: 2000, Tier: link.Probable},
			},
		},
		{
			Members: []evidence.Ref{ref("c"), ref("d")}, Founder: ref("c"),
			Candidates: []actor.Candidate{{Member: ref("c"), Other: ref("b"), Millibits: 3000, Tier: link.Probable}},
		},
	}
	if d := cmp.Diff(want, got.Actors); d != "" {
		t.Errorf("actors (-want +got):\n%s", d)
	}
}

func TestFounder(t *testing.T) {
	opened := func(name string, day int) actor.Case {
		return actor.Case{Ref: ref(name), Opened: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)}
	}
	for _, tt := range []struct {
		name  string
		cases []actor.Case
		want  string
	}{
		{"opened first", []actor.Case{opened("a", 3), opened("b", 2), opened("c", 4)}, "b"},
		{"of one time the smallest", []actor.Case{opened("a", 3), opened("b", 2), opened("c", 2)}, "b"},
		{"unknown comes last", []actor.Case{{Ref: ref("a")}, {Ref: ref("b")}, opened("c", 2)}, "c"},
		{"all unknown", []actor.Case{{Ref: ref("a")}, {Ref: ref("b")}, {Ref: ref("c")}}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(scene).clique(6, "a", "b", "c")
			s.cases = tt.cases
			got := s.cluster()
			if len(got.Actors) != 1 || got.Actors[0].Founder != ref(tt.want) {
				t.Errorf("actors %+v, want one founded by %s", got.Actors, tt.want)
			}
		})
	}
}

// Where too many cases hang together the threshold rises until they do not. What
// hangs together by confirms alone is left so, however large.
func TestTooLargeComponent(t *testing.T) {
	s := new(scene).on(0, "a", "b", "c", "d", "e", "f").strong("a", "b", 7.5).strong("b", "c", 4.5).strong("c", "d", 7.5).
		review(1, true, "e", "f").strong("d", "e", 4.9)
	got := actor.ClusterLimited(s.cases, s.edges, s.reviews, 3)
	if n := names(got); n != "ab cd ef" {
		t.Errorf("actors %q", n)
	}
	for _, a := range got.Actors {
		if a.Threshold != 5000 && a.Founder != ref("e") {
			t.Errorf("threshold %d of %v, want 5 bits", a.Threshold, a.Members)
		}
	}
	s.review(1, true, "a", "b").review(1, true, "c", "b")
	got = actor.ClusterLimited(s.cases, s.edges, s.reviews, 2)
	if n := names(got); n != "abc ef" {
		t.Errorf("with confirms %q", n)
	}
	if got.Actors[0].Threshold != math.MaxInt32 {
		t.Errorf("threshold %d", got.Actors[0].Threshold)
	}
}

// A refute takes a pair out of what hangs together.
func TestRefuteBreaksUpWhatIsTooLarge(t *testing.T) {
	s := new(scene).on(0, "a", "b", "c", "d").strong("a", "b", 4.5).strong("b", "c", 9).strong("c", "d", 4.5)
	if n := names(actor.ClusterLimited(s.cases, s.edges, nil, 3)); n != "bc" {
		t.Errorf("actors %q", n)
	}
	s.review(1, false, "b", "c")
	if n := names(actor.ClusterLimited(s.cases, s.edges, s.reviews, 3)); n != "ab cd" {
		t.Errorf("with the refute %q", n)
	}
}

func TestRepel(t *testing.T) {
	for gap := range int64(90 * 34) {
		want := 5e8 * math.Exp2(-float64(gap)/90)
		if got := float64(actor.Repel(gap)); math.Abs(got-want) > .51 {
			t.Fatalf("%d days: %v nanobits, want %v", gap, got, want)
		}
	}
	if got := actor.Repel(math.MaxInt64); got != 0 {
		t.Errorf("endless gap: %d", got)
	}
}

func TestSpanOf(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(1970, 1, day, hour, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name        string
		first, last time.Time
		want        actor.Span
	}{
		{"days, not hours", at(1, 23), at(3, 1), actor.Span{First: 0, Last: 2, Known: true}},
		{"before 1970", at(0, 23), at(0, 23), actor.Span{First: -1, Last: -1, Known: true}},
		{"by UTC", at(2, 1).In(time.FixedZone("west", -6*60*60)), at(2, 1), actor.Span{First: 1, Last: 1, Known: true}},
		{"unknown", time.Time{}, at(2, 1), actor.Span{}},
		{"unknown end", at(2, 1), time.Time{}, actor.Span{First: 1, Last: 1, Known: true}},
	} {
		if got := actor.SpanOf(tt.first, tt.last); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// The largest and smallest numbers that fit do no harm.
func TestExtremes(t *testing.T) {
	s := new(scene).on(math.MinInt32, "a", "b").on(math.MaxInt32, "c", "d")
	for i, c := range s.cases {
		for _, d := range s.cases[:i] {
			s.edges = append(s.edges, actor.Edge{A: c.Ref, B: d.Ref, Millibits: math.MaxInt32, Tier: link.Confirmed})
		}
	}
	s.edges[0].Millibits, s.edges[1].Tier = math.MinInt32, 0
	if n := names(s.cluster()); n != "abcd" {
		t.Errorf("actors %q", n)
	}
	if n := names(actor.ClusterLimited(s.cases, s.edges, nil, 1)); n != "" {
		t.Errorf("one at most: %q", n)
	}
	turned := actor.Span{First: 5, Last: 3, Known: true}
	s.cases[0].Active, s.cases[1].Active = turned, turned
	if got := s.cluster(); !slices.ContainsFunc(got.Actors, func(a actor.Actor) bool { return len(a.Members) == 4 }) {
		t.Errorf("actors %q", names(got))
	}
}
