package graphtest

import (
	"fmt"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// expectation is what a mark should say.
type expectation struct {
	Tenants uint32
	Expand  bool
}

func (s *store) expectMarks(want map[evidence.Value]expectation) {
	s.Helper()
	got := make(map[evidence.Value]expectation)
	for v, m := range s.marks() {
		got[v] = expectation{m.Tenants, m.Expand}
	}
	same(s, "marks", got, want)
}

func testMarks(t *testing.T, open Opener) {
	limits := graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2, ExplainingCases: 6, ScoringTenants: 6}
	s := newStore(t, open, Config{Limits: limits})
	// Where there is one tenant, there is no pair.
	s.submit(holding("a", "1", ip(1), ip(2)))
	s.expectMarks(nil)

	// Old and new values; a mark keeps the number of tenants it began with.
	s.submit(holding("b", "1", ip(1), ip(3)))
	s.expectMarks(map[evidence.Value]expectation{ip(1): {1, false}})
	s.submit(holding("b", "1", ip(1), ip(2)))
	s.expectMarks(map[evidence.Value]expectation{ip(1): {1, false}, ip(2): {1, false}, ip(3): {1, false}})
	s.submit(holding("c", "1", ip(1)))
	s.expectMarks(map[evidence.Value]expectation{ip(1): {1, true}, ip(2): {1, false}, ip(3): {1, false}})
	s.settle()
	s.expectMarks(nil)

	// A change of nothing but the title makes rows of another revision.
	c := holding("c", "1", ip(1))
	c.Title = "Another title"
	s.submit(c)
	s.expectMarks(map[evidence.Value]expectation{ip(1): {3, false}})
	s.settle()

	// Powers by tenants: full up to 2, partial up to 4, none above.
	for i, step := range []struct {
		tenant string
		expand bool
	}{{"d", false}, {"e", true}, {"f", false}} {
		s.submit(holding(step.tenant, "1", ip(1)))
		s.expectMarks(map[evidence.Value]expectation{ip(1): {uint32(3 + i), step.expand}})
		s.settle()
	}
	for i, step := range []struct {
		tenant string
		expand bool
	}{{"f", false}, {"e", true}, {"d", false}, {"c", true}} {
		s.remove(ref(step.tenant, "1"))
		s.expectMarks(map[evidence.Value]expectation{ip(1): {uint32(6 - i), step.expand}})
		s.settle()
	}
	// By cases: none above 6. a and b have one each.
	for i := range 5 {
		s.submit(holding("a", fmt.Sprint("more", i), ip(1)))
		s.expectMarks(map[evidence.Value]expectation{ip(1): {2, i == 4}})
		s.settle()
	}
	s.remove(ref("a", "more0"))
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, true}})
	s.settle()

	// A value that was in too many tenants to weigh anything and no longer is.
	s.submit(holding("c", "9", ip(9)))
	for i, tenant := range []string{"d", "e", "f", "g"} {
		i++
		s.submit(holding(tenant, "9", ip(9)))
		s.expectMarks(map[evidence.Value]expectation{ip(9): {uint32(i), i == 2 || i == 4}})
		s.settle()
	}
	for i, tenant := range []string{"h", "i"} {
		s.submit(holding(tenant, "9", ip(9)))
		s.expectMarks(map[evidence.Value]expectation{ip(9): {uint32(5 + i), false}})
		s.settle()
	}
	// One more there says nothing about any pair, one that changes does.
	s.submit(holding("j", "9", ip(9)))
	s.expectMarks(nil)
	s.submit(holding("j", "9", ip(9), ip(90)))
	s.expectMarks(map[evidence.Value]expectation{ip(9): {8, false}})
	s.remove(ref("j", "9"))
	s.settle()
	s.remove(ref("i", "9"))
	s.expectMarks(map[evidence.Value]expectation{ip(9): {7, true}})
	s.settle()

	// Live to dismissed and back is a change; so is the end of the last case.
	dismissed := holding("b", "1", ip(1), ip(2))
	dismissed.State = evidence.Dismissed
	s.submit(dismissed)
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, false}, ip(2): {2, false}})
	s.settle()
	s.remove(ref("a", "1"))
	s.expectMarks(map[evidence.Value]expectation{ip(1): {1, false}, ip(2): {1, false}})
	s.settle()
	s.check()
}

// testMarkVersions takes marks away that were left again meanwhile.
func testMarkVersions(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	s.submit(holding("a", "1", ip(1), ip(2)), holding("c", "1", ip(1), ip(2)))
	before := s.marks()
	s.submit(holding("b", "1", ip(1)))
	after := s.marks()
	if after[ip(1)].Version == before[ip(1)].Version || after[ip(2)].Version != before[ip(2)].Version {
		t.Fatalf("versions: %v, then %v", before, after)
	}
	s.relink(graph.RelinkBatch{Done: []graph.Mark{before[ip(1)], before[ip(2)]}})
	s.expectMarks(map[evidence.Value]expectation{ip(1): {1, false}})
	s.relink(graph.RelinkBatch{Done: []graph.Mark{after[ip(1)], before[ip(2)]}})
	s.expectMarks(nil)

	// A mark that was taken away and left again is another one.
	s.submit(holding("b", "1", ip(1), ip(2)))
	s.relink(graph.RelinkBatch{Done: []graph.Mark{before[ip(1)], before[ip(2)], after[ip(1)]}})
	s.expectMarks(map[evidence.Value]expectation{ip(1): {3, false}, ip(2): {2, false}})

	// Who says with how many tenants the value was scored leaves a mark that
	// stands for what changed since; who does not, one that says so.
	s.settle()
	s.submit(holding("d", "1", ip(1), ip(2)))
	read := s.marks()
	s.submit(holding("e", "1", ip(1), ip(2)))
	scored := read[ip(1)]
	scored.Scored = 4
	s.relink(graph.RelinkBatch{Done: []graph.Mark{scored, read[ip(2)]}})
	s.expectMarks(map[evidence.Value]expectation{ip(1): {4, true}, ip(2): {3, true}})
	if left := s.marks(); left[ip(1)].Again || !left[ip(2)].Again {
		t.Errorf("left anew while they were scored, with and without a word on how: %+v", left)
	}
	// What is Again stays so.
	scored = s.marks()[ip(2)]
	scored.Version, scored.Scored = 0, 5
	s.relink(graph.RelinkBatch{Done: []graph.Mark{scored}})
	if left := s.marks()[ip(2)]; !left.Again || left.Tenants != 3 {
		t.Errorf("a mark that stands for an unknown change: %+v", left)
	}

	// So is one whose value came and went, but not one that only came.
	s.settle()
	s.submit(holding("f", "1", ip(1)), holding("g", "1", ip(2)))
	s.remove(ref("f", "1"))
	s.submit(holding("h", "1", ip(2)))
	if left := s.marks(); !left[ip(1)].Again || left[ip(2)].Again {
		t.Errorf("a value that came and went, and one that came twice: %+v", left)
	}

	marks, err := s.Dirty(t.Context(), 1)
	if err != nil || len(marks) != 1 {
		t.Errorf("%d marks with a limit of 1: %v", len(marks), err)
	}
	marks, err = s.Dirty(t.Context(), 0)
	if err != nil || len(marks) != 0 {
		t.Errorf("%d marks with a limit of 0: %v", len(marks), err)
	}
	s.check()
}

// testMarksOfUnlinked changes cases that no score depends on.
func testMarksOfUnlinked(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	restricted := holding("a", "1", ip(1))
	restricted.Restricted = true
	s.submit(restricted)
	dismissed := holding("a", "2", ip(1))
	dismissed.State = evidence.Dismissed
	s.submit(dismissed)
	restricted.Title = "Another title"
	s.submit(restricted)
	s.remove(dismissed.Ref)
	s.expectMarks(nil)
	s.submit(holding("b", "1", ip(1), ip(2)))
	s.expectMarks(nil)
	s.submit(holding("a", "1", ip(2)))
	s.expectMarks(map[evidence.Value]expectation{ip(2): {1, false}})
	s.check()
}

func testChanged(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	pending := func() bool {
		select {
		case <-s.Store.Changed():
			return true
		default:
			return false
		}
	}
	if pending() {
		t.Error("a signal before any change")
	}
	c := holding("a", "1", ip(1))
	s.submit(c, holding("b", "2", ip(1)))
	if !pending() {
		t.Error("no signal after marks were left")
	}
	if pending() {
		t.Error("two signals at a time")
	}
	s.submit(c)
	s.settle()
	if pending() {
		t.Error("a signal although no mark was left")
	}
	s.remove(c.Ref)
	if !pending() {
		t.Error("no signal after a delete")
	}
	if err := s.StartSweep(t.Context(), "basis", false); err != nil {
		t.Fatal(err)
	}
	if !pending() {
		t.Error("no signal after a sweep was started")
	}
}

func testBacklog(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	backlog := func(limit, want int) (oldest any) {
		t.Helper()
		n, at, err := s.Backlog(t.Context(), limit)
		if err != nil || n != want {
			t.Fatalf("backlog %d, not %d: %v", n, want, err)
		}
		return at
	}
	if at := backlog(10, 0); !at.(interface{ IsZero() bool }).IsZero() {
		t.Errorf("the oldest of no marks was left at %v", at)
	}
	s.submit(holding("z", "1", ip(1), ip(2), ip(3), ip(4)))
	backlog(10, 0)
	first := clock.pass()
	s.submit(holding("a", "1", ip(1), ip(2), ip(3)))
	next := clock.pass()
	s.submit(holding("b", "1", ip(1), ip(4)))
	same(t, "oldest", backlog(10, 4), first)
	same(t, "oldest", backlog(2, 2), first)
	marks := s.marks()
	// The mark on ip(1) was left again, but is still waiting since the first.
	s.relink(graph.RelinkBatch{Done: []graph.Mark{marks[ip(2)], marks[ip(3)]}})
	same(t, "oldest", backlog(10, 2), first)
	s.relink(graph.RelinkBatch{Done: []graph.Mark{marks[ip(1)]}})
	same(t, "oldest", backlog(10, 1), next)
	s.relink(graph.RelinkBatch{Done: []graph.Mark{marks[ip(4)]}})
	backlog(10, 0)
}

// testExpand marks the values of all cases on a value whose power has changed.
func testExpand(t *testing.T, open Opener) {
	limits := graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2, ExplainingCases: 6, ScoringTenants: 6}
	s := newStore(t, open, Config{Limits: limits})
	// Tenants x and y make third tenants on what a and b have.
	for _, tenant := range []string{"x", "y"} {
		s.submit(holding(tenant, "1", ip(10), ip(11), ip(20)))
	}
	for i, tenant := range []string{"a", "b"} {
		s.submit(holding(tenant, "1", ip(1), ip(10+i), ip(20), ip(60)), holding(tenant, "2", ip(30+i)))
	}
	withheld := holding("d", "1", ip(1), ip(40))
	withheld.Restricted = true
	s.submit(withheld)
	s.settle()
	s.submit(holding("z", "1", ip(50)))
	s.submit(holding("c", "1", ip(1), ip(50)))
	want := map[evidence.Value]expectation{ip(1): {2, true}, ip(50): {1, false}}
	s.expectMarks(want)
	before := s.marks()
	for _, v := range []evidence.Value{ip(50), ip(1)} {
		if err := s.Expand(t.Context(), before[v]); err != nil {
			t.Fatal(err)
		}
	}
	// ip(10), ip(11) and ip(20) are marked; ip(60), which only a and b have, and
	// the values of their other cases are not.
	s.expectMarks(map[evidence.Value]expectation{
		ip(1): {2, false}, ip(50): {1, false}, ip(10): {3, false}, ip(11): {3, false}, ip(20): {4, false},
	})
	// Expanding leaves marks again that were there.
	again := s.marks()
	s.relink(graph.RelinkBatch{Done: []graph.Mark{again[ip(10)]}})
	s.remove(ref("c", "1"))
	if err := s.Expand(t.Context(), s.marks()[ip(1)]); err != nil {
		t.Fatal(err)
	}
	if now := s.marks(); now[ip(20)].Version == again[ip(20)].Version {
		t.Error("a mark that was expanded to once more has the same version")
	}
	s.expectMarks(map[evidence.Value]expectation{
		ip(1): {2, false}, ip(50): {1, false}, ip(10): {3, false}, ip(11): {3, false}, ip(20): {4, false},
	})
	// Nobody has the value any more: nothing to expand to.
	if err := s.Expand(t.Context(), s.marks()[ip(50)]); err != nil {
		t.Fatal(err)
	}
	s.expectMarks(map[evidence.Value]expectation{
		ip(1): {2, false}, ip(50): {1, false}, ip(10): {3, false}, ip(11): {3, false}, ip(20): {4, false},
	})
	// A mark that is gone, or that never was.
	s.settle()
	for _, v := range []evidence.Value{ip(1), ip(99)} {
		if err := s.Expand(t.Context(), graph.Mark{Value: v, Expand: true, Version: 1}); err != nil {
			t.Fatal(err)
		}
	}
	s.expectMarks(nil)
	s.check()
}

// testExpandLate expands a mark when the value has become common meanwhile: the
// cases that were there when its power changed are marked all the same.
func testExpandLate(t *testing.T, open Opener) {
	limits := graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2, ExplainingCases: 6, ScoringTenants: 6}
	s := newStore(t, open, Config{Limits: limits})
	for i := range 5 {
		for _, tenant := range []string{"x", "y"} {
			s.submit(holding(tenant, fmt.Sprint(i), ip(10+i)))
		}
		s.submit(holding("a", fmt.Sprint(i), ip(1), ip(10+i)))
	}
	s.submit(holding("x", "0", ip(1), ip(10)))
	s.settle()
	for i := 5; i < 300; i++ {
		s.submit(holding(fmt.Sprintf("t%d", i%9), fmt.Sprint(i), ip(1), ip(10+i)))
	}
	mark := s.marks()[ip(1)]
	if !mark.Expand {
		t.Fatal("the mark asks for nothing")
	}
	if err := s.Expand(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	marks := s.marks()
	for i := range 5 {
		if _, ok := marks[ip(10+i)]; !ok {
			t.Errorf("value %d of a case that was there is not marked", i)
		}
	}
	if marks[ip(1)].Expand {
		t.Error("the mark still asks to be expanded")
	}
	s.check()
}
