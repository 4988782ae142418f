package linker_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// eventsAfter returns the log after a place, and its end.
func eventsAfter(t interface{ Fatal(...any) }, store graph.Reader, after graph.EventPosition) (events []graph.LinkEvent, end graph.EventPosition) {
	end = after
	err := store.View(context.Background(), func(s graph.Snapshot) error {
		for e, err := range s.Events(after) {
			if err != nil {
				return err
			}
			events = append(events, e)
			end = e.Position
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, end
}

// listed are the tiers of the rows that people are told of.
func listed(rows []graph.Row) map[graph.RowKey]link.Tier {
	out := make(map[graph.RowKey]link.Tier)
	for _, r := range rows {
		if linker.Shown(r.Standing()) {
			out[r.RowKey] = linker.TierOf(r.Standing())
		}
	}
	return out
}

// TestEventsFollowTheRows lets random changes pass. Who follows the log knows all
// links with their tiers, and of each event what was before; and where neither case of
// a pair has changed, only another tier is told.
func TestEventsFollowTheRows(t *testing.T) {
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		store, err := badger.Open(ctx, badger.Options{Memory: true, Limits: small()})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		classes := &changing{version: "0", classes: make(map[string]string)}
		rules := linker.Rules{Model: link.Version2(), Classes: classes, Limits: small()}
		l := linker.New(store, rules, slog.New(slog.DiscardHandler))
		following := make(map[graph.RowKey]link.Tier)
		changed := make(map[evidence.Ref]bool)
		at := graph.EventPosition("")
		drain := func() {
			if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
				t.Fatal(err)
			}
			if err := l.Drain(ctx, func(int, int) {}); err != nil {
				t.Fatal(err)
			}
			var events []graph.LinkEvent
			events, at = eventsAfter(t, store, at)
			told += len(events)
			for _, e := range events {
				was := link.Tier(0)
				if linker.Shown(e.Before) {
					was = linker.TierOf(e.Before)
				}
				if was != following[e.RowKey] {
					t.Fatalf("%v had tier %d and is told from %d", e.RowKey, following[e.RowKey], was)
				}
				is := link.Tier(0)
				if linker.Shown(e.After) {
					is = linker.TierOf(e.After)
				}
				if is == was && !changed[e.A] && !changed[e.B] {
					t.Fatalf("%v is told though neither its cases nor its tier changed", e.RowKey)
				}
				if is == was && e.Before.Millibits == e.After.Millibits {
					t.Fatalf("%v is told though nothing changed", e.RowKey)
				}
				if following[e.RowKey] = is; is == 0 {
					delete(following, e.RowKey)
				}
			}
			if diff := gocmp.Diff(listed(allRows(t, store)), following); diff != "" {
				t.Fatalf("links (-stored +followed):\n%s", diff)
			}
			clear(changed)
		}
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			r := evidence.Ref{
				Tenant: fmt.Sprint("t", rapid.IntRange(0, 5).Draw(t, "tenant")),
				Case:   fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "case")),
			}
			switch rapid.IntRange(0, 9).Draw(t, "operation") {
			case 0:
				if err := store.Delete(ctx, r); err == nil {
					changed[r] = true
				}
			case 1, 2, 3:
				drain()
			case 4:
				text := fmt.Sprintf("70.%d.0.%d", rapid.IntRange(0, 9).Draw(t, "value"), rapid.IntRange(1, 2).Draw(t, "host"))
				classes.classes[text] = rapid.SampledFrom([]string{link.ClassM365Service, link.ClassHosting, link.ClassVPN}).Draw(t, "class")
				classes.version += "+"
			default:
				if _, err := store.Submit(ctx, parse(t, drawDraft(t, r)), nil); err != nil {
					t.Fatal(err)
				}
				changed[r] = true
			}
		}
		drain()
		// All of it made anew is no change.
		if err := store.StartSweep(ctx, rules.Basis(), true); err != nil {
			t.Fatal(err)
		}
		if err := l.Drain(ctx, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		if events, _ := eventsAfter(t, store, at); len(events) > 0 {
			t.Fatalf("a rebuild is told: %v", events)
		}
	})
	if told < 5 {
		t.Errorf("%d events: nothing was tested", told)
	}
}

// pairs are those of TestCauses.
const pairs = 50

// TestCauses changes N, the lists and the model under pairs that are linked more and
// less, and has those told whose tier is another one then.
func TestCauses(t *testing.T) {
	ctx := t.Context()
	classes := &changing{version: "0", classes: make(map[string]string)}
	rules := linker.NewChangeable(linker.NewRules(link.Version2(), classes, graph.Limits{}))
	store, err := badger.Open(ctx, badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := linker.New(store, rules, slog.New(slog.DiscardHandler))
	submit := func(tenant, id string, seen time.Time, values ...string) {
		t.Helper()
		f := evidence.Finding{FirstSeen: seen, LastSeen: seen}
		for _, v := range values {
			f.Observables = append(f.Observables, evidence.Observable{Value: evidence.Value{Kind: evidence.KindIP, Text: v}, Roles: []string{evidence.RoleLoginSource}})
		}
		c, _, err := evidence.Parse(evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: id}, Findings: []evidence.Finding{f}}, evidence.Options{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	at := graph.EventPosition("")
	// drain returns how many events there are, all of which have a cause.
	drain := func(cause graph.Cause) int {
		t.Helper()
		before := listed(nil)
		for key, tier := range listed(allRows(t, store)) {
			before[key] = tier
		}
		if err := store.StartSweep(ctx, rules.Now().Basis(), false); err != nil {
			t.Fatal(err)
		}
		if err := l.Drain(ctx, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		events, end := eventsAfter(t, store, at)
		at = end
		for _, e := range events {
			if e.Cause != cause {
				t.Errorf("%v is told with the cause %d, want %d", e.RowKey, e.Cause, cause)
			}
		}
		now := listed(allRows(t, store))
		others := 0
		for i := range pairs {
			key := graph.Pair(evidence.Ref{Tenant: "a", Case: fmt.Sprint(i)}, evidence.Ref{Tenant: "b", Case: fmt.Sprint(i)})
			if now[key] != before[key] {
				others++
			}
		}
		if others != len(events) {
			t.Errorf("%d events for %d links with another tier", len(events), others)
		}
		return len(events)
	}
	// The farther apart in time, the less two addresses weigh.
	for i := range pairs {
		values := []string{fmt.Sprintf("71.%d.0.1", i), fmt.Sprintf("72.%d.0.1", i)}
		day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		submit("a", fmt.Sprint(i), day, values...)
		submit("b", fmt.Sprint(i), day.AddDate(0, 0, 10*i), values...)
	}
	if n := drain(graph.CauseEvidence); n < 5 {
		t.Fatalf("%d links", n)
	}
	for i := range 1023 {
		submit("c", fmt.Sprint(i), time.Time{}, fmt.Sprintf("90.%d.%d.1", i/250, i%250))
	}
	if drain(graph.CauseCorpus) == 0 {
		t.Error("another N changes no tier")
	}
	for i := range pairs {
		classes.classes[fmt.Sprintf("71.%d.0.1", i)] = link.ClassVPN
	}
	classes.version = "1"
	if drain(graph.CauseFeeds) == 0 {
		t.Error("other lists change no tier")
	}
	model, err := link.Version2().With(77, []link.Change{{Name: "siblings", Value: 8}})
	if err != nil {
		t.Fatal(err)
	}
	rules.Exchange(linker.NewRules(model, classes, graph.Limits{}))
	if drain(graph.CauseModel) == 0 {
		t.Error("another model changes no tier")
	}
}
