package graphtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func (s *store) sweep() graph.Sweep {
	s.Helper()
	sw, err := s.Sweep(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return sw
}

func (s *store) startSweep(basis string, force bool) {
	s.Helper()
	if err := s.StartSweep(s.Context(), basis, force); err != nil {
		s.Fatal(err)
	}
}

func testSweep(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	if s.sweep().Pending {
		t.Error("a new store has something to look at")
	}
	s.submit(holding("a", "1", oddValues()...))
	s.startSweep("model 1", false)
	first := s.sweep()
	if !first.Pending || first.After != (evidence.Ref{}) {
		t.Fatalf("a sweep begins at %+v", first)
	}
	s.startSweep("model 1", false)
	same(t, "sweep with the same basis", s.sweep(), first)

	for _, r := range []evidence.Ref{ref("a", "1"), ref("z-9", "A.B:c#d_e-F")} {
		progress := first
		progress.After = r
		s.relink(graph.RelinkBatch{Sweep: &progress})
		same(t, "progress", s.sweep(), progress)
	}
	done := graph.Sweep{Version: first.Version}
	s.relink(graph.RelinkBatch{Sweep: &done})
	if s.sweep().Pending {
		t.Fatal("a sweep that is done is pending")
	}
	s.startSweep("model 1", false)
	if s.sweep().Pending {
		t.Fatal("a sweep with the same basis is started again")
	}

	s.startSweep("model 2", false)
	next := s.sweep()
	if !next.Pending || next.Version == first.Version {
		t.Fatalf("after another basis the sweep is %+v", next)
	}
	// Progress of the older sweep is none of this one.
	stale := graph.Sweep{Version: first.Version}
	s.relink(graph.RelinkBatch{Sweep: &stale})
	same(t, "sweep", s.sweep(), next)

	s.startSweep("model 2", true)
	if third := s.sweep(); !third.Pending || third.Version == next.Version {
		t.Fatalf("a forced sweep is %+v", third)
	}
}

// testSweepDoubling starts a sweep where N doubles, and where it halves.
func testSweepDoubling(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 128 {
				if _, err := s.Submit(t.Context(), holding(fmt.Sprintf("t%d", w), fmt.Sprint(i), ip(i)), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.submit(holding("reports-x", "1", ip(1)))
	if s.sweep().Pending {
		t.Fatal("1,024 cases of customers start a sweep")
	}
	s.submit(holding("t0", "one more", ip(1)))
	first := s.sweep()
	if !first.Pending {
		t.Fatal("1,025 cases start no sweep")
	}
	s.relink(graph.RelinkBatch{Sweep: &graph.Sweep{Version: first.Version}})
	s.submit(holding("t0", "and another", ip(1)))
	if s.sweep().Pending {
		t.Error("1,026 cases start a sweep")
	}
	s.remove(ref("t0", "one more"))
	if s.sweep().Pending {
		t.Error("a sweep starts although N is the same")
	}
	s.remove(ref("t0", "and another"))
	if next := s.sweep(); !next.Pending || next.Version == first.Version {
		t.Errorf("back at 1,024 cases the sweep is %+v", next)
	}
	s.check()
}

// testSweepForce asks for a sweep although nothing has changed: rows and marks
// stay.
func testSweepForce(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	s.submit(holding("a", "1", ip(1)))
	var rows []graph.Row
	for i := range 30 {
		rows = append(rows, row(ref("a", fmt.Sprint(i%3)), ref("b", fmt.Sprint(i)), i, ip(i), ip(i+1)))
	}
	s.relink(graph.RelinkBatch{Put: rows})
	marks := s.marks()
	s.startSweep("model 1", true)
	s.compareRows(rows, []string{"a", "b"}, []evidence.Value{ip(1), ip(2)})
	same(t, "marks", s.marks(), marks)
	s.check()
}

// scanned is what Scan has called its functions with.
type scanned struct {
	Size      uint32
	Values    map[evidence.Value][2]uint32
	Alone     map[evidence.Value]bool
	Profiles  map[evidence.Ref]*evidence.Profile
	Revisions map[evidence.Ref]uint32
}

// compareScan holds what Scan reads to the model.
func (s *store) compareScan(m *Model) {
	s.Helper()
	empty := func() scanned {
		return scanned{
			0, map[evidence.Value][2]uint32{}, map[evidence.Value]bool{}, map[evidence.Ref]*evidence.Profile{}, map[evidence.Ref]uint32{},
		}
	}
	got, want := empty(), empty()
	var mu sync.Mutex
	err := s.Scan(s.Context(), 3, graph.Scan{
		Size: func(n uint32) { got.Size = n },
		Value: func(v evidence.Value, tenants, cases uint32) {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := got.Values[v]; ok || len(got.Profiles) > 0 {
				s.Errorf("%v comes twice or after a case", v)
			}
			got.Values[v] = [2]uint32{tenants, cases}
		},
		Alone: func(v evidence.Value) {
			mu.Lock()
			defer mu.Unlock()
			if got.Alone[v] || len(got.Profiles) > 0 {
				s.Errorf("%v comes twice or after a case", v)
			}
			got.Alone[v] = true
		},
		Case: func(p *evidence.Profile, revision uint32) {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := got.Profiles[p.Ref]; ok {
				s.Errorf("%v comes twice", p.Ref)
			}
			got.Profiles[p.Ref], got.Revisions[p.Ref] = copyOf(p), revision
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	want.Size = m.Size()
	for _, v := range m.Values() {
		switch sum := m.Summary(v); {
		case sum.Tenants >= 2:
			want.Values[v] = [2]uint32{sum.Tenants, sum.Cases}
		case sum.Tenants == 1:
			switch v.Kind {
			case evidence.KindIP, evidence.KindCIDR, evidence.KindDomain, evidence.KindHostname:
				want.Alone[v] = true
			}
		}
	}
	s.view(func(sn graph.Snapshot) {
		for _, c := range m.Cases() {
			if c.Live() {
				want.Profiles[c.Ref] = m.Profile(c.Ref)
				want.Revisions[c.Ref] = must[graph.Meta](s)(sn.Meta(c.Ref)).Revision
			}
		}
	})
	same(s, "scan", got, want)
}

// copyOf returns a profile that stays when the room of the other is used again.
func copyOf(p *evidence.Profile) *evidence.Profile {
	c := *p
	c.Techniques, c.Sightings = slices.Clone(p.Techniques), slices.Clone(p.Sightings)
	for i := range c.Sightings {
		c.Sightings[i].Techniques = slices.Clone(c.Sightings[i].Techniques)
	}
	return &c
}
