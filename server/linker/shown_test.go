package linker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// put submits a case that saw addresses, and a drop mailbox where drop is not "", for
// some days.
func (d *deployment) put(tenant, id string, from time.Time, drop string, ips ...string) evidence.Ref {
	d.Helper()
	f := evidence.Finding{FirstSeen: from, LastSeen: from.AddDate(0, 0, 3)}
	for _, text := range ips {
		f.Observables = append(f.Observables, evidence.Observable{
			Value: evidence.Value{Kind: evidence.KindIP, Text: text}, Roles: []string{evidence.RoleLoginSource},
		})
	}
	if drop != "" {
		f.Observables = append(f.Observables, evidence.Observable{
			Value: evidence.Value{Kind: evidence.KindForwardTo, Text: drop}, Roles: []string{evidence.RoleForwardTarget},
		})
	}
	c, _, err := evidence.Parse(evidence.Draft{
		Ref: evidence.Ref{Tenant: tenant, Case: id}, State: evidence.Open, OpenedAt: from, Findings: []evidence.Finding{f},
	}, evidence.Options{Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	d.must(err)
	_, err = d.store.Submit(d.Context(), c, nil)
	d.must(err)
	d.cases[c.Ref] = c
	return c.Ref
}

// actors returns the members of all actors.
func (d *deployment) actors() (all [][]evidence.Ref) {
	d.Helper()
	d.drain()
	s := d.state(false)
	d.compare(s)
	for _, a := range s.Actors {
		all = append(all, a.Members)
	}
	return all
}

func (d *deployment) same(what string, got, want any) {
	d.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		d.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (d *deployment) say(v graph.Verdict, x, y evidence.Ref, second int) {
	d.Helper()
	d.must(d.store.Judge(d.Context(), graph.Review{
		RowKey: graph.Pair(x, y), Verdict: v, Author: "somebody", Reason: "because", Time: time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC),
	}))
}

func start() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestNoBridgeOverAnExit: A and C share nothing, and what B has in common with C is an
// exit of a VPN, whatever else it is beside.
func TestNoBridgeOverAnExit(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	for i := range 2 {
		d.classes.classes[fmt.Sprintf("70.8.%d.1", i)] = link.ClassVPN
	}
	a := d.put("a", "1", start(), "drop@a.example", "70.1.1.1", "70.1.2.1")
	b := d.put("b", "1", start(), "drop@a.example", "70.1.1.1", "70.1.2.1", "70.8.0.1", "70.8.1.1")
	d.put("c", "1", start(), "", "70.8.0.1", "70.8.1.1", "70.3.1.1")
	d.same("actors", d.actors(), [][]evidence.Ref{{a, b}})
}

// TestActorDrifts: over a year an actor changes all that it uses, and its first and
// last case share nothing.
func TestActorDrifts(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	d.alarm(20, 50)
	var all []evidence.Ref
	for month := range 13 {
		var ips []string
		for k := range 5 {
			ips = append(ips, fmt.Sprintf("70.%d.%d.1", (month+k)%10, (month+k)/10))
		}
		all = append(all, d.put(fmt.Sprintf("t%02d", month), "1", start().AddDate(0, month, 0), fmt.Sprintf("drop%d@a.example", month/2), ips...))
	}
	d.same("actors", d.actors(), [][]evidence.Ref{all})
}

// TestRefuteSplits: a refute splits what must split and no more, and taking it back
// puts back every byte of what was.
func TestRefuteSplits(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	three := func(actor int) []string {
		return []string{fmt.Sprintf("70.%d.1.1", actor), fmt.Sprintf("70.%d.2.1", actor), fmt.Sprintf("70.%d.3.1", actor)}
	}
	a1 := d.put("a", "1", start(), "one@a.example", three(1)...)
	a2 := d.put("b", "1", start(), "one@a.example", three(1)...)
	b1 := d.put("c", "1", start().AddDate(1, 0, 0), "two@a.example", append(three(2), three(1)[0], three(1)[1])...)
	b2 := d.put("d", "1", start().AddDate(1, 0, 0), "two@a.example", append(three(2), three(1)[2])...)
	far := []evidence.Ref{
		d.put("e", "1", start(), "far@a.example", three(5)...), d.put("f", "1", start(), "far@a.example", three(5)...),
	}
	d.say(graph.Confirmed, a2, b1, 1)
	d.same("actors", d.actors(), [][]evidence.Ref{{a1, a2, b1, b2}, far})
	before := d.state(true)
	d.say(graph.Refuted, a2, b1, 2)
	d.same("after the refute", d.actors(), [][]evidence.Ref{{a1, a2}, {b1, b2}, far})
	d.say(graph.Confirmed, a2, b1, 1)
	d.same("confirmed again", d.actors(), [][]evidence.Ref{{a1, a2, b1, b2}, far})
	d.same("all that is stored", d.state(true), before)

	d.say(graph.Unreviewed, a2, b1, 3)
	bare := d.actors()
	plain := d.state(true)
	d.say(graph.Refuted, a1, a2, 4)
	if split := d.actors(); slices.EqualFunc(split, bare, slices.Equal) {
		t.Fatalf("a refute changes nothing: %v", split)
	}
	d.say(graph.Unreviewed, a1, a2, 5)
	d.same("actors once it is taken back", d.actors(), bare)
	d.same("all that is stored once it is taken back", d.state(true), plain)
}

// TestPoison: one tenant submits 120 cases of values that it copied from others. No pair
// of others rises, none falls by more than one tenant may take from it, and its own
// links are held.
func TestPoison(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	d.alarm(20, 50)
	for i := range 240 {
		// Pairs of two tenants, with three addresses in common.
		pair := i / 2
		d.put(fmt.Sprintf("t%03d", i), "1", start().AddDate(0, 0, pair), fmt.Sprintf("drop%d@a.example", pair),
			fmt.Sprintf("70.1.%d.1", pair), fmt.Sprintf("70.2.%d.1", pair), fmt.Sprintf("70.3.%d.1", pair))
	}
	honest := d.actors()
	if len(honest) != 120 {
		t.Fatalf("%d actors of 120 pairs", len(honest))
	}
	before := make(map[graph.RowKey]graph.Row)
	for _, row := range allRows(t, d.store) {
		before[row.RowKey] = row
	}
	d.day = 1
	for i := range 120 {
		var ips []string
		for k := range 20 {
			ips = append(ips, fmt.Sprintf("70.%d.%d.1", 1+k%2, (i+k/2)%120))
		}
		d.put("poison", fmt.Sprint(i), start().AddDate(0, 0, i), "", ips...)
	}
	d.drain()
	own, reached := 0, 0
	for _, row := range allRows(t, d.store) {
		was, of := before[row.RowKey]
		if row.A.Tenant == "poison" || row.B.Tenant == "poison" {
			own++
			if link.Tier(row.Tier) >= link.Lead {
				reached++
				if !row.Held && link.Tier(row.Tier) >= link.Probable {
					t.Errorf("the link %v of tier %d is not held", row.RowKey, row.Tier)
				}
			}
			continue
		}
		// log2((α+1)/α) at α = .5 on a value, twice that on all of a family; nothing of
		// the drop mailbox.
		const most = 2 * 1_585
		if !of || row.Held || row.Millibits > was.Millibits || row.Millibits < was.Millibits-most {
			t.Errorf("%v: %d millibits before, %d after, held %t", row.RowKey, was.Millibits, row.Millibits, row.Held)
		}
		delete(before, row.RowKey)
	}
	if len(before) > 0 {
		t.Errorf("%d links of others are gone", len(before))
	}
	if reached == 0 {
		t.Errorf("none of %d links of the poisoned cases is listed: nothing was tested", own)
	}
	d.same("actors", d.state(false).Actors != nil, true)
	var now [][]evidence.Ref
	for _, a := range d.state(false).Actors {
		now = append(now, a.Members)
	}
	d.same("actors of others", now, honest)
}

// TestMigrated finds the actors of rows that a store had before it had actors, and goes
// on where it was interrupted.
func TestMigrated(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	a := d.put("a", "1", start(), "drop@a.example", "70.1.1.1", "70.1.2.1")
	b := d.put("b", "1", start(), "drop@a.example", "70.1.1.1", "70.1.2.1")
	d.drain()
	d.must(d.store.Relink(d.Context(), graph.RelinkBatch{Grouping: graph.Grouping{Gone: []evidence.Ref{a}}}))
	if got := len(d.state(false).Actors); got != 0 {
		t.Fatalf("%d actors", got)
	}
	d.must(d.store.StartRegrouping(d.Context()))
	for range 2 {
		if _, err := d.linker.Step(d.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.same("actors", d.actors(), [][]evidence.Ref{{a, b}})
}
