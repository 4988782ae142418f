// Package graphtest is the suite that every backend of package graph passes
// whole, and the slow, obvious model that judges it.
//
// It knows the promises of package graph; it must not know a backend. There is
// no list of tests to skip: a backend that cannot pass is none.
package graphtest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Config says which store a test wants.
type Config struct {
	// Dir is where the store lives; the same Dir is the same store. Empty: a
	// store of its own, which nobody opens again.
	Dir    string
	Limits graph.Limits
	Clock  func() time.Time // nil: time.Now
}

// Opener opens a store. It fails the test if that is not possible. The test
// closes the store.
type Opener func(t testing.TB, c Config) graph.Store

// Run runs the whole suite on a backend.
func Run(t *testing.T, open Opener) {
	runCalls(t, open)
	t.Run("Giant", func(t *testing.T) { testGiant(t, open) })
	t.Run("Popular", func(t *testing.T) { testPopular(t, open) })
	t.Run("Machine", func(t *testing.T) { testMachine(t, open, true) })
	t.Run("Purge", func(t *testing.T) { testPurge(t, open) })
	t.Run("People", func(t *testing.T) { testPeople(t, open, true) })
	t.Run("Reopened", func(t *testing.T) { testReopened(t, open) })
	t.Run("Killed", func(t *testing.T) { testKilled(t, open) })
}

// RunVolatile runs what does not need a store to outlive Close.
func RunVolatile(t *testing.T, open Opener) {
	runCalls(t, open)
	t.Run("Machine", func(t *testing.T) { testMachine(t, open, false) })
	t.Run("People", func(t *testing.T) { testPeople(t, open, false) })
}

// runCalls tests call by call.
func runCalls(t *testing.T, open Opener) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Opener)
	}{
		{"Submit", testSubmit},
		{"ExpectedRevision", testExpectedRevision},
		{"Delete", testDelete},
		{"Erase", testErase},
		{"Cases", testCases},
		{"Body", testBody},
		{"Parts", testParts},
		{"Size", testSize},
		{"Concurrent", testConcurrent},
		{"CompareAndSwap", testCompareAndSwap},
		{"Context", testContext},
		{"View", testView},
		{"Closed", testClosed},
		{"Values", testValues},
		{"SightingOrder", testSightingOrder},
		{"Newest", testNewest},
		{"Representatives", testRepresentatives},
		{"Standing", testStanding},
		{"Marks", testMarks},
		{"MarkVersions", testMarkVersions},
		{"MarksOfUnlinked", testMarksOfUnlinked},
		{"Changed", testChanged},
		{"Backlog", testBacklog},
		{"Expand", testExpand},
		{"ExpandLate", testExpandLate},
		{"Touch", testTouch},
		{"Kept", testKept},
		{"Notes", testNotes},
		{"Trail", testTrail},
		{"Rows", testRows},
		{"RowsChange", testRowsChange},
		{"Sweep", testSweep},
		{"SweepDoubling", testSweepDoubling},
		{"SweepForce", testSweepForce},
		{"SweepWhy", testSweepWhy},
		{"Events", testEvents},
		{"EventsGo", testEventsGo},
		{"ActorEvents", testActorEvents},
		{"HistoryIsBounded", testHistoryIsBounded},
		{"Regrouping", testRegrouping},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// tester is what this suite needs of a *testing.T and of a *rapid.T.
type tester interface {
	Helper()
	Context() context.Context
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// store is an open store with what tests keep asking of it.
type store struct {
	graph.Store
	tester
}

func newStore(t *testing.T, open Opener, c Config) *store {
	s := &store{open(t, c), t}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func (s *store) submit(cases ...*evidence.Case) {
	s.Helper()
	for _, c := range cases {
		if _, err := s.Submit(s.Context(), c, nil); err != nil {
			s.Fatalf("submit %s: %v", c.Ref, err)
		}
	}
}

func (s *store) remove(ref evidence.Ref) {
	s.Helper()
	if err := s.Delete(s.Context(), ref); err != nil {
		s.Fatalf("delete %s: %v", ref, err)
	}
}

// view runs f on a snapshot.
func (s *store) view(f func(graph.Snapshot)) {
	s.Helper()
	err := s.View(s.Context(), func(sn graph.Snapshot) error {
		f(sn)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// marks returns all marks by value.
func (s *store) marks() map[evidence.Value]graph.Mark {
	s.Helper()
	marks, err := s.Dirty(s.Context(), 1<<30)
	if err != nil {
		s.Fatal(err)
	}
	by := make(map[evidence.Value]graph.Mark)
	for _, m := range marks {
		if _, twice := by[m.Value]; twice {
			s.Fatalf("two marks on %v", m.Value)
		}
		by[m.Value] = m
	}
	return by
}

// settle takes all marks away.
func (s *store) settle() {
	s.Helper()
	for {
		marks, err := s.Dirty(s.Context(), 10_000)
		if err != nil {
			s.Fatal(err)
		}
		if len(marks) == 0 {
			return
		}
		s.relink(graph.RelinkBatch{Done: marks})
	}
}

func (s *store) relink(b graph.RelinkBatch) {
	s.Helper()
	if err := s.Relink(s.Context(), b); err != nil {
		s.Fatal(err)
	}
}

// check fails the test if the store finds fault with itself.
func (s *store) check() {
	s.Helper()
	for line, err := range s.Check(s.Context()) {
		if err != nil {
			s.Fatal(err)
		}
		s.Error("check: " + line)
	}
}

// must returns the value of a call that may not fail.
func must[T any](t tester) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// collect returns the elements of a sequence that may not fail, at most limit.
func collect[T any](t tester, seq iter.Seq2[T, error], limit int) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, v); len(all) == limit {
			break
		}
	}
	return all
}

const everything = 1 << 30

// same fails the test where two answers differ; empty and nil are the same.
func same(t tester, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// compare holds every answer about the given values and tenants, and about all
// cases, to those of the model.
func (s *store) compare(m *Model, values []evidence.Value, tenants []string) {
	s.Helper()
	s.view(func(sn graph.Snapshot) {
		same(s, "size", must[uint32](s)(sn.Size()), m.Size())
		for _, v := range values {
			compareValue(s, sn, m, v)
		}
		for _, tenant := range append([]string{""}, tenants...) {
			var want []evidence.Ref
			for _, c := range m.Cases() {
				if tenant == "" || c.Tenant == tenant {
					want = append(want, c.Ref)
				}
			}
			var got []evidence.Ref
			for _, c := range collect(s, sn.Cases(tenant, evidence.Ref{}), everything) {
				got = append(got, c.Ref)
			}
			same(s, "cases of "+tenant, got, want)
		}
		for _, c := range m.Cases() {
			stored := must[*graph.StoredCase](s)(sn.Case(c.Ref))
			same(s, "case "+c.Ref.String(), stored.Case, c)
			profile := m.Profile(c.Ref)
			same(s, "profile "+c.Ref.String(), must[*evidence.Profile](s)(sn.Profile(c.Ref)), profile)
			if len(profile.Sightings) <= graph.OutlineAbove {
				same(s, "outline "+c.Ref.String(), must[*evidence.Profile](s)(sn.Outline(c.Ref)), profile)
				same(s, "overlap "+c.Ref.String(), must[*evidence.Profile](s)(sn.Overlap(c.Ref, profile)), profile)
			}
		}
	})
	s.compareScan(m)
}

func compareValue(t tester, sn graph.Snapshot, m *Model, v evidence.Value) {
	t.Helper()
	want := m.Summary(v)
	same(t, "summary of "+v.Text, must[graph.Summary](t)(sn.Summary(v)), want)
	tenants, cases, err := sn.Spread(v)
	if err != nil || tenants != want.Tenants || cases != want.Cases {
		t.Errorf("spread of %s: %d tenants, %d cases, %v; want %d and %d", v.Text, tenants, cases, err, want.Tenants, want.Cases)
	}
	for _, when := range []string{"first", "again"} {
		same(t, "holders of "+v.Text+", asked "+when, must[graph.Holders](t)(sn.Holders(v)), m.Holders(v))
		same(t, "what is held of "+v.Text+", asked "+when, must[graph.Held](t)(sn.HeldBefore(v, time.Unix(1<<35, 0))), heldOf(m.Sightings(v)))
	}
	same(t, "sightings of "+v.Text, collect(t, sn.Sightings(v, nil), everything), m.Sightings(v))
	compareTenants(t, sn, m, v)
	same(t, "withheld sightings of "+v.Text, collect(t, sn.Withheld(v, nil), everything), m.Withheld(v))
	same(t, "representatives on "+v.Text, must[[]evidence.Ref](t)(sn.Representatives(v)), m.Representatives(v))
}

// compareTenants asks for the sightings of all tenants on a value, of each second
// one, of one alone, and of some that have none.
func compareTenants(t tester, sn graph.Snapshot, m *Model, v evidence.Value) {
	t.Helper()
	tenants := []string{"0", "nobody", "zz"}
	for _, s := range m.Sightings(v) {
		tenants = append(tenants, s.Tenant)
	}
	slices.Sort(tenants)
	tenants = slices.Compact(tenants)
	for _, step := range []int{1, 2, len(tenants)} {
		var some []string
		for i := step / 2; i < len(tenants); i += step {
			some = append(some, tenants[i])
		}
		for _, each := range []int{1, 3, 1_000} {
			what := fmt.Sprintf("%d sightings of %s in each of %v", each, v.Text, some)
			same(t, what, collect(t, sn.SightingsIn(v, some, each), everything), m.SightingsIn(v, some, each))
		}
	}
}
