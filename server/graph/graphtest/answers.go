package graphtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// testValues stores values that a backend could confuse or lose a part of.
func testValues(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	values := oddValues()
	m := &Model{}
	for i, v := range values {
		// Every value in a case of its own and in one with all others.
		c := holding("acme", fmt.Sprint(i), v)
		s.submit(c)
		m.Submit(c)
	}
	all := holding("globex", "all", values...)
	s.submit(all)
	m.Submit(all)
	s.compare(m, values, []string{"acme", "globex"})
	marked := s.marks()
	for _, v := range values {
		if marked[v].Value != v {
			t.Errorf("no mark on %q", v)
		}
	}

	s.remove(all.Ref)
	m.Delete(all.Ref)
	for i := range values {
		if i%2 == 0 {
			r := ref("acme", fmt.Sprint(i))
			s.remove(r)
			m.Delete(r)
		}
	}
	s.compare(m, values, []string{"acme", "globex"})
	same(t, "number of marks", len(s.marks()), len(marked))
	s.check()
	s.settle()
	same(t, "marks", s.marks(), map[evidence.Value]graph.Mark{})
	s.compare(m, values, []string{"acme", "globex"})
	s.check()
}

// testParts reads parts of the profile of a case that is too large to be read
// whole each time.
func testParts(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	name := func(text string) evidence.Value { return evidence.Value{Kind: evidence.KindRuleName, Text: text} }
	url := func(n int) evidence.Value {
		return evidence.Value{Kind: evidence.KindURL, Text: fmt.Sprintf("https://host-%d.example/a/path", n)}
	}
	large := newCase("acme", "large", undated(name("spam")), undated(name(".")))
	for i := range graph.OutlineAbove {
		large.Findings[0].Observables = append(large.Findings[0].Observables, seen(ip(i), i%5, i%5), seen(url(i), 1, 2))
	}
	small := holding("globex", "small", ip(3), ip(7), ip(1_000_000), url(5), name("block"), evidence.Value{Kind: "x_last", Text: "1"})
	s.submit(large, small, holding("initech", "none"))
	counts := map[evidence.Kind]int{evidence.KindIP: graph.OutlineAbove, evidence.KindURL: graph.OutlineAbove, evidence.KindRuleName: 2}
	s.view(func(sn graph.Snapshot) {
		whole := must[*evidence.Profile](t)(sn.Profile(large.Ref))
		same(t, "profile", whole, large.Profile())
		without := *whole
		without.Counts, without.Sightings = counts, nil
		same(t, "outline", must[*evidence.Profile](t)(sn.Outline(large.Ref)), &without)
		for _, with := range []*evidence.Case{small, holding("initech", "none"), large} {
			got := must[*evidence.Profile](t)(sn.Overlap(large.Ref, with.Profile()))
			same(t, "counts", got.Counts, counts)
			// At least the common values and the names, and nothing else but
			// what the case has, once and in order.
			for _, sg := range whole.Sightings {
				has := func(o evidence.Sighting) bool { return o.Value == sg.Value }
				wanted := sg.Kind == evidence.KindRuleName || slices.ContainsFunc(with.Profile().Sightings, has)
				if wanted && !slices.ContainsFunc(got.Sightings, has) {
					t.Errorf("%v is left out", sg.Value)
				}
			}
			for i, sg := range got.Sightings {
				if i > 0 && got.Sightings[i-1].Compare(sg.Value) >= 0 {
					t.Errorf("%v comes after %v", sg.Value, got.Sightings[i-1].Value)
				}
				k := slices.IndexFunc(whole.Sightings, func(o evidence.Sighting) bool { return o.Value == sg.Value })
				if k < 0 {
					t.Fatalf("%v is no value of the case", sg.Value)
				}
				same(t, "sighting", sg, whole.Sightings[k])
			}
			got.Sightings = nil
			same(t, "the rest of the overlap", got, &without)
		}
		for _, err := range []error{
			second(sn.Outline(ref("acme", "no such"))), second(sn.Overlap(ref("acme", "no such"), whole)),
		} {
			if !errors.Is(err, graph.ErrNotFound) {
				t.Errorf("a part of a case that is not there: %v", err)
			}
		}
	})
}

// testSightingOrder reads the sightings of a value in pages of every size.
func testSightingOrder(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	m := &Model{}
	v := ip(1)
	for i, tenant := range []string{"b", "a", "a-c", "ab", "reports-x"} {
		for j, id := range []string{"1", "1:1", "10", "2", "Z", "a", longID(1), longID(2)} {
			c := newCase(tenant, id, seen(v, 0, (i*3+j*5)%4))
			switch j {
			case 3, 6, 7:
				c = newCase(tenant, id, undated(v))
			case 4:
				c.Findings[0].Observables[0].LastSeen = day(2).Add(999_000_000) // the same second
			}
			s.submit(c)
			m.Submit(c)
			held := *c
			held.Case += "-held"
			held.Restricted = true
			if len(held.Case) <= 128 {
				s.submit(&held)
				m.Submit(&held)
			}
		}
	}
	s.view(func(sn graph.Snapshot) {
		compareValue(t, sn, m, v)
		for _, page := range []int{1, 2, 3, 7, 100} {
			for name, seq := range map[string]func(*graph.Position) []graph.Sighting{
				"sightings": func(p *graph.Position) []graph.Sighting { return collect(t, sn.Sightings(v, p), page) },
				"withheld":  func(p *graph.Position) []graph.Sighting { return collect(t, sn.Withheld(v, p), page) },
			} {
				var got []graph.Sighting
				var at *graph.Position
				for {
					part := seq(at)
					if len(part) == 0 {
						break
					}
					got = append(got, part...)
					last := part[len(part)-1]
					at = &graph.Position{Ref: last.Ref, Last: last.Last}
				}
				want := m.Sightings(v)
				if name == "withheld" {
					want = m.Withheld(v)
				}
				same(t, fmt.Sprintf("%s in pages of %d", name, page), got, want)
			}
		}
		// A position need not be that of a sighting.
		for _, tenant := range []string{"", "a", "a-c", "aa", "b", "z"} {
			i := slices.IndexFunc(m.Sightings(v), func(s graph.Sighting) bool { return s.Tenant >= tenant })
			var want []graph.Sighting
			if i >= 0 {
				want = m.Sightings(v)[i:]
			}
			same(t, "from tenant "+tenant, collect(t, sn.Sightings(v, graph.StartOf(tenant)), everything), want)
		}
	})
	s.check()
}

// testNewest takes away and adds at every place of the order that Newest and
// the first and last times are cut from.
func testNewest(t *testing.T, open Opener) {
	for _, id := range []func(int) string{func(i int) string { return fmt.Sprintf("case-%d", i) }, longID} {
		s := newStore(t, open, Config{})
		m := &Model{}
		v := ip(1)
		put := func(i, first, last int) {
			c := newCase(fmt.Sprintf("t%d", i%3), id(i), seen(v, first, last))
			if last < 0 {
				c = newCase(fmt.Sprintf("t%d", i%3), id(i), undated(v))
			}
			s.submit(c)
			m.Submit(c)
		}
		drop := func(i int) {
			r := ref(fmt.Sprintf("t%d", i%3), id(i))
			s.remove(r)
			m.Delete(r)
		}
		compare := func() {
			t.Helper()
			s.view(func(sn graph.Snapshot) { compareValue(t, sn, m, v) })
		}
		for i := range 30 {
			put(i, i%7, 10+(i*7)%15)
			compare()
		}
		put(30, 0, -1)
		compare()
		for _, settled := range []bool{false, true} {
			// The newest, the oldest and others, until few are left.
			for len(m.cases) > 4 {
				all := m.Summary(v).Newest
				r := all[len(m.cases)%len(all)].Ref
				if len(m.cases)%3 == 0 {
					all := m.Sightings(v)
					slices.SortFunc(all, func(x, y graph.Sighting) int { return x.First.Compare(y.First) })
					r = all[0].Ref
				}
				s.remove(r)
				m.Delete(r)
				compare()
				if settled {
					s.settle()
					compare()
				}
			}
			// Both older and newer than what is left, and again.
			for i := range 25 {
				put(100+i, (i*5)%20, 20+(i*11)%23)
				compare()
			}
			put(100, 19, 19)
			compare()
			put(101, 0, 99)
			compare()
		}
		for _, c := range m.Cases() {
			s.remove(c.Ref)
			m.Delete(c.Ref)
			compare()
		}
		put(1, 1, 1)
		compare()
		drop(1)
		compare()
		s.check()
	}
}

func testRepresentatives(t *testing.T, open Opener) {
	limits := graph.Limits{RepresentativesPerTenant: 3, CandidateTenants: 4}
	s := newStore(t, open, Config{Limits: limits})
	m := &Model{Limits: limits}
	v := ip(1)
	compare := func() {
		t.Helper()
		s.view(func(sn graph.Snapshot) { compareValue(t, sn, m, v) })
	}
	for i := range 60 {
		c := newCase(fmt.Sprintf("t%d", i%4), fmt.Sprintf("c%d", i), seen(v, 0, (i*7)%9))
		s.submit(c)
		m.Submit(c)
		compare()
	}
	for i := range 3 {
		c := newCase("another", fmt.Sprint(i), seen(v, 0, 1))
		s.submit(c)
		m.Submit(c)
		compare()
		if m.Representatives(v) != nil {
			t.Fatal("the model has representatives above the cap")
		}
	}
	for i := range 3 {
		s.remove(ref("another", fmt.Sprint(i)))
		m.Delete(ref("another", fmt.Sprint(i)))
		compare()
	}
	if len(m.Representatives(v)) != 12 {
		t.Fatalf("%d representatives of 4 tenants", len(m.Representatives(v)))
	}
}

// testStanding turns a case from each standing into each other one.
func testStanding(t *testing.T, open Opener) {
	standings := map[string]func(*evidence.Case){
		"live":       func(*evidence.Case) {},
		"closed":     func(c *evidence.Case) { c.State = evidence.Closed },
		"dismissed":  func(c *evidence.Case) { c.State = evidence.Dismissed },
		"restricted": func(c *evidence.Case) { c.Restricted = true },
		"red":        func(c *evidence.Case) { c.TLP = evidence.TLPRed },
		"both":       func(c *evidence.Case) { c.State, c.Restricted = evidence.Dismissed, true },
	}
	s := newStore(t, open, Config{})
	m := &Model{}
	for _, c := range []*evidence.Case{holding("acme", "other", ip(1)), holding("globex", "other", ip(1), ip(2))} {
		s.submit(c)
		m.Submit(c)
	}
	values := []evidence.Value{ip(1), ip(2), ip(3), ip(4)}
	for _, from := range standings {
		for _, to := range standings {
			for i, set := range []func(*evidence.Case){from, to} {
				c := holding("acme", "1", ip(1), ip(2), ip(3+i))
				set(c)
				s.submit(c)
				m.Submit(c)
				s.compare(m, values, []string{"acme", "globex"})
			}
		}
	}
	s.check()
}
