package graphtest

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// erase removes all cases of a tenant, one after the other as a service does.
func (s *store) erase(tenant string) {
	s.Helper()
	var refs []evidence.Ref
	s.view(func(sn graph.Snapshot) {
		for c, err := range sn.Cases(tenant, evidence.Ref{}) {
			if err != nil {
				s.Fatal(err)
			}
			refs = append(refs, c.Ref)
		}
	})
	for _, ref := range refs {
		s.remove(ref)
	}
}

// erased is the tenant that testErase takes out again.
const erased = "a-b"

// testErase lets random operations pass on two stores, one of which is never given
// the cases of a tenant. When the other one has lost them both answer the same: also
// what was there on which day, which tells when something came.
func testErase(t *testing.T, open Opener) {
	rapid.Check(t, func(rt *rapid.T) {
		at := epoch()
		config := Config{Limits: machineLimits(), Clock: func() time.Time { return at }}
		all, without := &store{open(t, config), rt}, &store{open(t, config), rt}
		defer func() {
			for _, s := range []*store{all, without} {
				if err := s.Close(); err != nil {
					rt.Errorf("close: %v", err)
				}
			}
		}()
		model := &Model{Limits: machineLimits()}
		for range rapid.IntRange(1, 30).Draw(rt, "operations") {
			at = at.Add(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
			tenant := rapid.SampledFrom(append(machineTenants(), erased, erased)).Draw(rt, "tenant")
			r := ref(tenant, rapid.SampledFrom(machineCases()).Draw(rt, "case"))
			c := newCase(r.Tenant, r.Case, rapid.SliceOfN(rapid.Custom(drawObservable), 0, 5).Draw(rt, "observables")...)
			setStanding(c, rapid.IntRange(0, 8).Draw(rt, "standing"))
			_, is := model.Case(r)
			remove := is && rapid.IntRange(0, 3).Draw(rt, "remove") == 0
			settle := rapid.IntRange(0, 5).Draw(rt, "settle") == 0
			for _, s := range []*store{all, without} {
				switch {
				case s == without && tenant == erased:
				case remove:
					s.remove(r)
				default:
					s.submit(c)
				}
				if settle {
					s.settle()
				}
			}
			if remove {
				model.Delete(r)
			} else {
				model.Submit(c)
			}
		}
		at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "hours before")) * time.Hour)
		all.erase(erased)
		for _, c := range model.Cases() {
			if c.Tenant == erased {
				model.Delete(c.Ref)
			}
		}
		for _, settled := range []bool{false, true} {
			if settled {
				all.settle()
				without.settle()
			}
			for _, s := range []*store{all, without} {
				s.compare(model, heldValues(), machineTenants())
				s.check()
			}
			for days := range 3 {
				day := at.AddDate(0, 0, days)
				if diff := gocmp.Diff(without.before(day), all.before(day)); diff != "" {
					rt.Fatalf("sightings before %s (-never, +erased):\n%s", day.Format(time.DateOnly), diff)
				}
			}
		}
		same(rt, "marks", all.marks(), without.marks())
	})
}

// before returns what was there before a day.
func (s *store) before(day time.Time) map[string][]graph.Sighting {
	s.Helper()
	found := make(map[string][]graph.Sighting)
	s.view(func(sn graph.Snapshot) {
		for _, v := range heldValues() {
			for sg, err := range sn.SightingsBefore(v, day, nil) {
				if err != nil {
					s.Fatal(err)
				}
				found[fmt.Sprint(v)] = append(found[fmt.Sprint(v)], sg)
			}
			held := must[graph.Held](s)(sn.HeldBefore(v, day))
			same(s, "what was held before "+day.Format(time.DateOnly), held, heldOf(found[fmt.Sprint(v)]))
		}
	})
	return found
}

// testPurge purges a store again and again while it is read and written to, and opens
// it anew. Nothing is lost, and nothing else than files changes.
func testPurge(t *testing.T, open Opener) {
	clock := newClock()
	config := Config{Dir: t.TempDir(), Clock: clock.now}
	m := &Model{}
	s := &store{open(t, config), t}
	values := append(oddValues()[:20], ip(0), ip(1), ip(4), ip(107))
	tenants := []string{"t0", "t1", "t2"}
	for round := range 4 {
		for i := range 12 {
			n := round*12 + i
			c := holding(fmt.Sprintf("t%d", n%3), fmt.Sprint(n), ip(n%5), ip(100+n), oddValues()[n%20])
			setStanding(c, n)
			s.submit(c)
			m.Submit(c)
		}
		r := m.Cases()[0].Ref
		s.remove(r)
		m.Delete(r)
		marks := s.marks()
		stop, written, purged := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		go func() { written <- s.comeAndGo(stop) }()
		// A reader keeps its state beyond the purge.
		s.view(func(sn graph.Snapshot) {
			go func() {
				last := uint64(0)
				purged <- s.Purge(t.Context(), func(done, of uint64) {
					if done > of || done < last {
						t.Errorf("%d of %d done after %d", done, of, last)
					}
					last = done
				})
			}()
			for range 5 {
				for _, v := range values {
					compareValue(t, sn, m, v)
				}
			}
		})
		if err := <-purged; err != nil {
			t.Fatal(err)
		}
		close(stop)
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		s.compare(m, values, tenants)
		// Those on the case that came and went are new.
		delete(marks, ip(2_000))
		for v, mark := range marks {
			same(t, "mark", s.marks()[v], mark)
		}
		s.check()
		if round%2 == 1 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s.Store = open(t, config)
			s.compare(m, values, tenants)
			s.check()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// comeAndGo submits and deletes a case until it is told to stop.
func (s *store) comeAndGo(stop <-chan struct{}) error {
	c := holding("t1", "meanwhile", ip(2_000))
	for {
		if _, err := s.Submit(s.Context(), c, nil); err != nil {
			return err
		}
		if err := s.Delete(s.Context(), c.Ref); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}
