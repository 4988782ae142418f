package linker_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
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

// meanwhile is a store that changes while the linker is at work: before it reads a
// state and before it stores what it made of one.
type meanwhile struct {
	*badger.Store
	mu      sync.Mutex
	changes []func()
}

func (m *meanwhile) change() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.changes) > 0 {
		m.changes[0]()
		m.changes = m.changes[1:]
	}
}

func (m *meanwhile) View(ctx context.Context, f func(graph.Snapshot) error) error {
	m.change()
	return m.Store.View(ctx, f)
}

func (m *meanwhile) Views(ctx context.Context, n int, f func(graph.Snapshot) error) error {
	m.change()
	return m.Store.Views(ctx, n, f)
}

func (m *meanwhile) Relink(ctx context.Context, b graph.RelinkBatch) error {
	m.change()
	return m.Store.Relink(ctx, b)
}

// TestRowsFollowChangesMeanwhile is TestRowsFollowTheCases with changes between any
// two things that the linker asks of the store.
func TestRowsFollowChangesMeanwhile(t *testing.T) {
	most := 0
	// Of so many tenants some are too common to propose, and not to weigh.
	limits := graph.Limits{
		RepresentativesPerTenant: 1, CandidateTenants: 3, ExplainingTenants: 2,
		ExplainingCases: 6, ScoringTenants: 7,
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		opened, err := badger.Open(ctx, badger.Options{Memory: true, Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		store := &meanwhile{Store: opened}
		classes := &changing{version: "0", classes: make(map[string]string)}
		rules := linker.Rules{Model: link.Version2(), Classes: classes, Limits: limits}
		l := linker.New(store, rules, slog.New(slog.DiscardHandler))
		ref := &reference{cases: make(map[evidence.Ref]*evidence.Profile), limits: limits}
		var tenants []string
		for i := range 9 {
			tenants = append(tenants, fmt.Sprint("t", i))
		}
		if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
			t.Fatal(err)
		}
		var failed error
		do := func(err error) {
			if err != nil && failed == nil {
				failed = err
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			r := evidence.Ref{
				Tenant: rapid.SampledFrom(tenants).Draw(t, "tenant"),
				Case:   fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "case")),
			}
			switch rapid.IntRange(0, 9).Draw(t, "operation") {
			case 0, 1, 2:
				store.changes = append(store.changes, func() {
					if _, ok := ref.cases[r]; ok {
						do(store.Delete(ctx, r))
						delete(ref.cases, r)
					}
				})
			case 3:
				text := fmt.Sprintf("70.%d.0.%d", rapid.IntRange(0, 9).Draw(t, "value"), rapid.IntRange(1, 2).Draw(t, "host"))
				class := rapid.SampledFrom([]string{link.ClassM365Service, link.ClassHosting, link.ClassVPN}).Draw(t, "class")
				store.changes = append(store.changes, func() {
					classes.classes[text] = class
					do(store.Touch(ctx, []evidence.Value{{Kind: evidence.KindIP, Text: text}}))
				})
			default:
				c := parse(t, drawDraft(t, r))
				store.changes = append(store.changes, func() {
					_, err := store.Submit(ctx, c, nil)
					do(err)
					ref.cases[r] = c.Profile()
				})
			}
			// Some changes come at once, some while the linker is at work.
			for range rapid.IntRange(0, 2).Draw(t, "at once") {
				store.change()
			}
			for range rapid.IntRange(0, 3).Draw(t, "steps") {
				_, err := l.Step(ctx)
				do(err)
			}
		}
		do(l.Drain(ctx, func(int, int) {}))
		for len(store.changes) > 0 {
			store.change()
		}
		do(l.Drain(ctx, func(int, int) {}))
		if failed != nil {
			t.Fatal(failed)
		}
		want := ref.rows(t, rules)
		most = max(most, len(want))
		if diff := gocmp.Diff(want, storedRows(t, store, tenants)); diff != "" {
			t.Fatalf("rows (-cases +stored):\n%s", diff)
		}
		before := allRows(t, store)
		do(store.StartSweep(ctx, rules.Basis(), true))
		do(l.Drain(ctx, func(int, int) {}))
		if diff := gocmp.Diff(before, allRows(t, store)); diff != "" {
			t.Fatalf("rows (-by marks +by a sweep):\n%s", diff)
		}
	})
	if most < 5 {
		t.Errorf("at most %d links in a world: nothing was tested", most)
	}
}

// TestRowsFollowSpreadsThatReturn lets a value come to another tenant and go again
// while the linker scores pairs that rest on it for another reason: what it saw
// meanwhile must not stay.
func TestRowsFollowSpreadsThatReturn(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	exit := evidence.Value{Kind: evidence.KindIP, Text: "70.2.0.1"}
	name := func(text string) evidence.Value { return evidence.Value{Kind: evidence.KindRuleName, Text: text} }
	common := evidence.Value{Kind: evidence.KindForwardTo, Text: "x@y.example"}
	draft := func(tenant, title string, values ...evidence.Value) *evidence.Case {
		f := evidence.Finding{FirstSeen: at, LastSeen: at}
		for _, v := range values {
			f.Observables = append(f.Observables, evidence.Observable{Value: v, Roles: []string{evidence.RoleLoginSource}})
		}
		d := evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Title: title, Findings: []evidence.Finding{f}}
		c, _, err := evidence.Parse(d, evidence.Options{Now: at})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, test := range []struct {
		name string
		// others is the number of tenants that have the value before another comes.
		others int
		comes  *evidence.Case
		value  evidence.Value
	}{
		{"a name of one side", 0, draft("z", "", name("invoices to archive")), name("invoices to archive")},
		{"a value that proposes nothing", 8, draft("z", "", common), common},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			limits := graph.Limits{CandidateTenants: 4, ExplainingTenants: 2, ScoringTenants: 50}
			opened, err := badger.Open(ctx, badger.Options{Memory: true, Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			store := &meanwhile{Store: opened}
			rules := linker.Rules{Model: link.Version2(), Classes: service{}, Limits: limits}
			l := linker.New(store, rules, slog.New(slog.DiscardHandler))
			if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
				t.Fatal(err)
			}
			submit := func(c *evidence.Case) {
				if _, err := store.Submit(ctx, c, nil); err != nil {
					t.Error(err)
				}
			}
			drain := func() []graph.Row {
				if err := l.Drain(ctx, func(int, int) {}); err != nil {
					t.Fatal(err)
				}
				return allRows(t, store)
			}
			b := []evidence.Value{exit, name("invoice to archive"), common}
			submit(draft("a", "", exit, name("invoices to archive"), common))
			submit(draft("b", "", b...))
			for i := range test.others {
				submit(draft(fmt.Sprint("o", i), "", test.value))
			}
			drain()
			// The linker has read that b changed, and reads a state that has more.
			submit(draft("b", "Another title", b...))
			store.changes = []func(){func() {}, func() { submit(test.comes) }}
			if _, err := l.Step(ctx); err != nil {
				t.Fatal(err)
			}
			if len(store.changes) > 0 {
				t.Fatal("nothing came while the linker was at work")
			}
			seen := allRows(t, store)
			if err := store.Delete(ctx, test.comes.Ref); err != nil {
				t.Fatal(err)
			}
			got := drain()
			if err := store.StartSweep(ctx, rules.Basis(), true); err != nil {
				t.Fatal(err)
			}
			want := drain()
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-by a sweep +by marks):\n%s", diff)
			}
			if len(want) == 0 || gocmp.Equal(want, seen) {
				t.Error("what came made no difference: nothing was tested")
			}
		})
	}
}

// turning is a store in which a case comes or goes before each state that is read
// once it was asked for the backlog. Who reads two states at once has to use both.
type turning struct {
	*badger.Store
	mu   sync.Mutex
	turn func()
	read int
	two  chan struct{} // closed when two states are read
}

func (s *turning) Backlog(ctx context.Context, limit int) (int, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.two = 0, make(chan struct{})
	return s.Store.Backlog(ctx, limit)
}

func (s *turning) View(ctx context.Context, f func(graph.Snapshot) error) error {
	s.mu.Lock()
	s.turn()
	two := s.two
	if s.read++; s.read == 2 && two != nil {
		close(two)
	}
	s.mu.Unlock()
	return s.Store.View(ctx, func(sn graph.Snapshot) error {
		if two != nil {
			select {
			case <-two:
			case <-time.After(time.Second):
			}
		}
		return f(sn)
	})
}

func (s *turning) Views(ctx context.Context, n int, f func(graph.Snapshot) error) error {
	s.mu.Lock()
	s.turn()
	s.mu.Unlock()
	return s.Store.Views(ctx, n, f)
}

// TestStepIsOfOneState scores pairs on several processors while a value that all of
// them share comes and goes: what one step stores has to be of one state, as a mark
// says of one number of tenants that it was scored with.
func TestStepIsOfOneState(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	ctx := t.Context()
	limits := graph.Limits{CandidateTenants: 4, ExplainingTenants: 2}
	opened, err := badger.Open(ctx, badger.Options{Memory: true, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	rules := linker.Rules{Model: link.Version2(), Classes: service{}, Limits: limits}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	submit := func(tenant string, addresses ...string) {
		f := evidence.Finding{FirstSeen: at, LastSeen: at}
		for _, text := range addresses {
			f.Observables = append(f.Observables, evidence.Observable{Value: evidence.Value{Kind: evidence.KindForwardTo, Text: text}})
		}
		d := evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Findings: []evidence.Finding{f}}
		c, _, err := evidence.Parse(d, evidence.Options{Now: at})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := opened.Submit(ctx, c, nil); err != nil {
			t.Error(err)
		}
	}
	const common = "everybody@common.example"
	const pairs = 80
	for i := range pairs {
		own := fmt.Sprintf("box@own%d.example", i)
		submit(fmt.Sprint("p", i), own, common)
		submit(fmt.Sprint("q", i), own, common)
	}
	// 256 and 257 tenants but for those of a pair weigh differently.
	for i := range 257 + 1 - 2*pairs {
		submit(fmt.Sprint("o", i), common)
	}
	store, there := &turning{Store: opened}, false
	store.turn = func() {
		if there = !there; there {
			submit("z", common)
		} else if err := opened.Delete(ctx, evidence.Ref{Tenant: "z", Case: "1"}); err != nil {
			t.Error(err)
		}
	}
	l := linker.New(store, rules, slog.New(slog.DiscardHandler))
	if _, err := l.Step(ctx); err != nil {
		t.Fatal(err)
	}
	scores := make(map[int32]int)
	for _, row := range allRows(t, opened) {
		scores[row.Millibits]++
	}
	if len(scores) != 1 || slices.Collect(maps.Values(scores))[0] != pairs {
		t.Errorf("rows by their millibits: %v, want %d of one state", scores, pairs)
	}
}

// TestRowsFollowAValueThatWeighsAgain lets a value that was too common to weigh
// anything become so rare at once that it proposes pairs. A pair of older cases, which
// it does not propose, weighs it all the same, and had no row.
func TestRowsFollowAValueThatWeighsAgain(t *testing.T) {
	ctx := t.Context()
	limits := graph.Limits{RepresentativesPerTenant: 1, CandidateTenants: 4, ExplainingTenants: 2, ScoringTenants: 6}
	store, err := badger.Open(ctx, badger.Options{Memory: true, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rules := linker.Rules{Model: link.Version2(), Classes: service{}, Limits: limits}
	l := linker.New(store, rules, slog.New(slog.DiscardHandler))
	if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
		t.Fatal(err)
	}
	submit := func(tenant, id string, day int, addresses ...string) {
		at := time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC)
		f := evidence.Finding{FirstSeen: at, LastSeen: at}
		for _, text := range addresses {
			f.Observables = append(f.Observables, evidence.Observable{
				Value: evidence.Value{Kind: evidence.KindIP, Text: text}, Roles: []string{evidence.RoleLoginSource},
			})
		}
		d := evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: id}, Findings: []evidence.Finding{f}}
		c, _, err := evidence.Parse(d, evidence.Options{Now: at})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	drain := func() []graph.Row {
		if err := l.Drain(ctx, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		return allRows(t, store)
	}
	const exit, common = "70.1.0.1", "70.2.0.1"
	for _, tenant := range []string{"a", "b"} {
		submit(tenant, "older", 1, exit, common)
		submit(tenant, "newer", 2, common)
	}
	others := []string{"c", "d", "e", "f", "g"}
	for _, tenant := range others {
		submit(tenant, "1", 1, common)
	}
	if rows := drain(); len(rows) != 0 {
		t.Fatalf("rows while the value weighs nothing: %v", rows)
	}
	for _, tenant := range others[:3] {
		if err := store.Delete(ctx, evidence.Ref{Tenant: tenant, Case: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	got := drain()
	if err := store.StartSweep(ctx, rules.Basis(), true); err != nil {
		t.Fatal(err)
	}
	want := drain()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-by a sweep +by marks):\n%s", diff)
	}
	older := graph.Pair(evidence.Ref{Tenant: "a", Case: "older"}, evidence.Ref{Tenant: "b", Case: "older"})
	if !slices.ContainsFunc(want, func(r graph.Row) bool { return r.RowKey == older }) {
		t.Error("the pair of older cases has no row: nothing was tested")
	}
}
