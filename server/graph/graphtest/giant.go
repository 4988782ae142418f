package graphtest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// short makes a large number small with -short, which the race detector needs.
func short(n int) int {
	if testing.Short() {
		return n / 20
	}
	return n
}

// giant is the largest case that the parser admits: evidence.MaxObservables
// observables, nearly all of them spoof pairs whose sides are as long as names
// may be, with the parts that are derived from them. Two seeds have no pair in
// common. popular are observables besides.
func giant(tenant, id string, seed int, popular ...evidence.Value) *evidence.Case {
	c := newCase(tenant, id)
	c.Findings = nil
	name := func(side string, i int) string {
		return strings.Repeat("label-of-some-length.", 11) + fmt.Sprintf("%s%d-%d.com", side, seed, i)
	}
	pairs := short(evidence.MaxObservables) - len(popular)
	const perFinding = 10
	for i := range pairs {
		if i%perFinding == 0 {
			c.Findings = append(c.Findings, evidence.Finding{
				ID: fmt.Sprint("f", i), Technique: "T1114.003", Operation: "New-TenantAllowBlockListSpoofItems", Count: 1,
			})
		}
		f := &c.Findings[len(c.Findings)-1]
		spoofed, infrastructure := name("s", i), name("i", i)
		pair := seen(evidence.Value{Kind: evidence.KindSpoofPair, Text: spoofed + ">" + infrastructure}, i%50, i%50+seed)
		left := seen(evidence.Value{Kind: evidence.KindHostname, Text: spoofed}, i%50, i%50+seed)
		left.Roles = []string{evidence.RoleSpoofed}
		right := seen(evidence.Value{Kind: evidence.KindHostname, Text: infrastructure}, i%50, i%50+seed)
		right.Roles = []string{evidence.RoleSendingInfrastructure}
		f.Observables = append(f.Observables, pair, left, right)
	}
	for _, v := range popular {
		f := &c.Findings[len(c.Findings)-1]
		f.Observables = append(f.Observables, seen(v, 0, 90))
	}
	return c
}

// testGiant replaces the largest case by another one of the same size, with ids
// of the greatest length, where another tenant has all its values too.
func testGiant(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	tenant := strings.Repeat("t", 63)
	one, two := giant(tenant, longID(1), 1), giant(tenant, longID(1), 2)
	s.submit(giant("other", longID(2), 1), giant("other", longID(3), 2))
	s.submit(one)
	s.settle()
	s.submit(two)
	probe := func(m *Model) {
		t.Helper()
		s.view(func(sn graph.Snapshot) {
			for _, c := range []*evidence.Case{one, two} {
				for _, f := range []int{0, len(c.Findings) / 2, len(c.Findings) - 1} {
					for _, o := range c.Findings[f].Observables[:3] {
						compareValue(t, sn, m, o.Value)
					}
				}
			}
		})
	}
	m := &Model{}
	m.Submit(giant("other", longID(2), 1))
	m.Submit(giant("other", longID(3), 2))
	m.Submit(two)
	probe(m)
	s.view(func(sn graph.Snapshot) {
		same(t, "case", must[*graph.StoredCase](t)(sn.Case(two.Ref)).Case, *two)
	})
	n, _, err := s.Backlog(t.Context(), 1_000_000)
	if want := len(one.Profile().Sightings) + len(two.Profile().Sightings); err != nil || n != want {
		t.Errorf("%d marks, not %d: %v", n, want, err)
	}
	s.check()
	s.remove(two.Ref)
	m.Delete(two.Ref)
	probe(m)
	s.check()
}

// testPopular replaces the largest case where some of its values have 10⁵
// sightings, and asks for those values.
func testPopular(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	const tenants, workers = 50, 32
	each := short(2000)
	values := []evidence.Value{ip(1), ip(2), ip(3)}
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= tenants*each {
					return
				}
				c := newCase(fmt.Sprintf("tenant-%d", i%tenants), fmt.Sprintf("case-%d", i/tenants))
				for j, v := range values {
					c.Findings[0].Observables = append(c.Findings[0].Observables, seen(v, 1+i%(50+j), 60+i%(70+j)))
				}
				if _, err := s.Submit(t.Context(), c, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases on %d values in %v", tenants*each, len(values), time.Since(start).Round(time.Millisecond))

	whale := strings.Repeat("w", 63)
	expect := func(v evidence.Value, in bool) {
		t.Helper()
		s.view(func(sn graph.Snapshot) {
			start := time.Now()
			got := must[graph.Summary](t)(sn.Summary(v))
			took := time.Since(start)
			want := graph.Summary{Tenants: tenants, Cases: uint32(tenants * each), First: day(1)}
			if in {
				want.Tenants++
				want.Cases++
				want.First = day(0)
			}
			if got.Tenants != want.Tenants || got.Cases != want.Cases || !got.First.Equal(want.First) || len(got.Newest) != 10 {
				t.Errorf("summary of %s: %+v", v.Text, got)
			}
			start = time.Now()
			refs := must[[]evidence.Ref](t)(sn.Representatives(v))
			few := tenants * graph.RepresentativesPerTenant
			if in {
				few++ // its tenant has one case
			}
			if len(refs) != few {
				t.Errorf("%d representatives of %d tenants", len(refs), want.Tenants)
			}
			t.Logf("%s: summary in %v, representatives in %v", v.Text, took, time.Since(start))
		})
	}
	one, two := giant(whale, longID(1), 1, values[0], values[1]), giant(whale, longID(1), 2, values[1], values[2])
	for i, c := range []*evidence.Case{one, two, one} {
		start := time.Now()
		s.submit(c)
		t.Logf("largest case in %v", time.Since(start).Round(time.Millisecond))
		expect(values[0], i != 1)
		expect(values[1], true)
		expect(values[2], i == 1)
	}
	start = time.Now()
	s.remove(one.Ref)
	t.Logf("deleted in %v", time.Since(start).Round(time.Millisecond))
	for _, v := range values {
		expect(v, false)
	}
	s.check()
}
