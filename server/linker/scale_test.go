package linker_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

var scaleCases = flag.Int("scale.cases", 4_000, "cases of TestIncrementalIsBatch; a fourth of them come after the others are linked")

// TestIncrementalIsBatch lets cases come in while actors are kept current, holds the
// actors to those that are found all at once, and tells the time of both.
func TestIncrementalIsBatch(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	d.alarm(20, 50, 6)
	r := rand.New(rand.NewPCG(7, 7))
	n := *scaleCases
	cases := make([]*evidence.Case, n)
	for i := range cases {
		// Some 12 cases an actor, over a year; a third of all alone.
		who := r.IntN(n / 8)
		if r.IntN(3) == 0 {
			who = n + i
		}
		at := start().AddDate(0, 0, r.IntN(365))
		f := evidence.Finding{FirstSeen: at, LastSeen: at.AddDate(0, 0, 5)}
		for range 3 + r.IntN(4) {
			k := r.IntN(6)
			f.Observables = append(f.Observables, evidence.Observable{
				Value: evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("%d.%d.%d.%d", 20+k, who>>16&255, who>>8&255, who&255)},
				Roles: []string{evidence.RoleLoginSource},
			})
		}
		c, _, err := evidence.Parse(evidence.Draft{
			Ref: evidence.Ref{Tenant: fmt.Sprintf("t%04d", r.IntN(n/20+2)), Case: fmt.Sprint(i)}, State: evidence.Open, OpenedAt: at,
			Findings: []evidence.Finding{f},
		}, evidence.Options{Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
		d.must(err)
		cases[i] = c
	}
	submit := func(part []*evidence.Case) {
		var sending sync.WaitGroup
		for w := range 16 {
			sending.Go(func() {
				for i := w; i < len(part); i += 16 {
					if _, err := d.store.Submit(d.Context(), part[i], nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		sending.Wait()
		began := time.Now()
		d.drain()
		t.Logf("%d cases: linked and grouped in %s", len(part), time.Since(began).Round(time.Millisecond))
	}
	submit(cases[:n*3/4])
	for part := range slices.Chunk(cases[n*3/4:], max(n/16, 1)) {
		d.day++
		submit(part)
	}
	began := time.Now()
	var all []actor.Case
	var edges []actor.Edge
	for _, c := range cases {
		p := c.Profile()
		all = append(all, actor.Case{Ref: c.Ref, Active: actor.SpanOf(p.First, p.Last), Opened: c.OpenedAt})
	}
	for _, row := range allRows(d, d.store) {
		tier := link.Tier(row.Tier)
		if row.Held {
			tier = min(tier, link.Probable)
		}
		edges = append(edges, actor.Edge{A: row.A, B: row.B, Millibits: row.Millibits, Tier: tier})
	}
	read := time.Since(began)
	whole := actor.Cluster(all, edges, nil)
	t.Logf("%d cases, %d rows, %d actors: read in %s, grouped all at once in %s",
		n, len(edges), len(whole.Actors), read.Round(time.Millisecond), (time.Since(began) - read).Round(time.Millisecond))
	want := make(map[evidence.Ref][]evidence.Ref)
	for _, a := range whole.Actors {
		want[a.Founder] = a.Members
	}
	check := func(what string) {
		t.Helper()
		got := make(map[evidence.Ref][]evidence.Ref)
		d.view(func(s graph.Snapshot) error {
			for a, err := range s.ActorsAfter(evidence.Ref{}) {
				if err != nil {
					return err
				}
				got[a.Founder] = a.Members
			}
			return nil
		})
		d.same(what, got, want)
	}
	check("actors as cases came in")
	began = time.Now()
	d.must(d.store.StartRegrouping(d.Context()))
	d.must(d.linker.Drain(d.Context(), nil))
	t.Logf("all cases looked at again in %s", time.Since(began).Round(time.Millisecond))
	check("actors of all cases looked at again")
	if len(want) < n/50 {
		t.Errorf("%d actors: nothing was tested", len(want))
	}
}
