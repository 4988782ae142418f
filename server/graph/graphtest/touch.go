package graphtest

import (
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// testTouch marks values whose class has changed, and expands to all values that
// pairs with them may be found by.
func testTouch(t *testing.T, open Opener) {
	limits := graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2, ExplainingCases: 6, ScoringTenants: 6}
	s := newStore(t, open, Config{Limits: limits})
	touch := func(values ...evidence.Value) {
		t.Helper()
		if err := s.Touch(t.Context(), values); err != nil {
			t.Fatal(err)
		}
	}
	// ip(1) is in two tenants, with ip(2) in both and ip(3) in one; ip(9) is in
	// more tenants than can weigh anything, what lies near it still may.
	s.submit(holding("a", "1", ip(1), ip(2), ip(3)), holding("b", "1", ip(1), ip(2)))
	for _, tenant := range []string{"c", "d", "e", "f", "g", "h", "i"} {
		s.submit(holding(tenant, "1", ip(9)))
	}
	s.settle()
	select {
	case <-s.Store.Changed():
	default:
	}
	touch(ip(1), ip(9), ip(99))
	select {
	case <-s.Store.Changed():
	default:
		t.Error("no signal after a touch")
	}
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, true}, ip(9): {7, true}})
	marks := s.marks()
	for _, v := range []evidence.Value{ip(1), ip(9)} {
		if !marks[v].Again {
			t.Errorf("the mark on %s says that nothing but its spread changed", v.Text)
		}
	}
	if err := s.Expand(t.Context(), marks[ip(1)]); err != nil {
		t.Fatal(err)
	}
	// A pair of two that shares ip(2) as well is found by it.
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, false}, ip(2): {2, false}, ip(9): {7, true}})
	// A touch while the mark is worked on leaves it anew.
	before := s.marks()
	touch(ip(1))
	s.relink(graph.RelinkBatch{Done: []graph.Mark{before[ip(1)], before[ip(2)], before[ip(9)]}})
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, true}})
	// One that a single tenant has may lie near one of another: the pair is found
	// by what they share.
	s.settle()
	touch(ip(3))
	s.expectMarks(map[evidence.Value]expectation{ip(3): {1, true}})
	if err := s.Expand(t.Context(), s.marks()[ip(3)]); err != nil {
		t.Fatal(err)
	}
	s.expectMarks(map[evidence.Value]expectation{ip(1): {2, false}, ip(2): {2, false}, ip(3): {1, false}})
	touch()
	s.check()
}

// testKept keeps entries beside cases.
func testKept(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	now := clock.pass()
	k := s.Kept()
	put := func(key, data string, expire time.Time) {
		t.Helper()
		if err := k.Put(t.Context(), key, []byte(data), expire); err != nil {
			t.Fatal(err)
		}
	}
	put("a/1", "x", time.Time{})
	put("a/2", "", time.Time{})
	put("a/3", "over", now.Add(-time.Hour))
	put("b", "y", now.Add(time.Hour))
	s.submit(holding("a", "1", ip(1)))
	if done, err := k.Swap(t.Context(), "a/1", []byte("z"), []byte("w")); done || err != nil {
		t.Errorf("swapped what was not there: %v, %v", done, err)
	}
	if done, err := k.Swap(t.Context(), "a/1", []byte("x"), []byte("w")); !done || err != nil {
		t.Errorf("not swapped: %v, %v", done, err)
	}
	var got []string
	for _, e := range collect(t, k.Scan(t.Context(), "a/"), everything) {
		got = append(got, e.Key+"="+string(e.Data))
	}
	same(t, "entries", got, []string{"a/1=w", "a/2="})
	if data, err := k.Get(t.Context(), "a/2"); data == nil || len(data) > 0 || err != nil {
		t.Errorf("no data are not absence: %v, %v", data, err)
	}
	for key, data := range map[string]int{"": 1, string(make([]byte, graph.MaxKeptKey+1)): 1, "large": graph.MaxKeptData + 1} {
		if err := k.Put(t.Context(), key, make([]byte, data), time.Time{}); err == nil {
			t.Errorf("a key of %d bytes with %d was taken", len(key), data)
		}
	}
	// Cases know nothing of them.
	s.remove(ref("a", "1"))
	if data, err := k.Get(t.Context(), "b"); string(data) != "y" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	s.check()
}
