package linker_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
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

// small caps, so that a few tenants cross every one of them.
func small() graph.Limits {
	return graph.Limits{
		RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2,
		ExplainingCases: 6, ScoringTenants: 6,
	}
}

// reference is the slow, obvious truth: all live cases in a list, everything
// derived from it by loops.
type reference struct {
	cases  map[evidence.Ref]*evidence.Profile
	limits graph.Limits
}

func (m *reference) live() (out []*evidence.Profile) {
	for _, p := range m.cases {
		if p.Live {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *evidence.Profile) int { return a.Compare(b.Ref) })
	return out
}

func (m *reference) Size() (uint32, error) { return uint32(len(m.live())), nil }

type on struct {
	*evidence.Profile
	last time.Time
}

func (m *reference) on(v evidence.Value) (out []on) {
	for _, p := range m.live() {
		for _, s := range p.Sightings {
			if s.Value == v {
				out = append(out, on{p, s.Last})
			}
		}
	}
	return out
}

func (m *reference) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	all := m.on(v)
	names := make(map[string]bool)
	for _, o := range all {
		names[o.Tenant] = true
	}
	return uint32(len(names)), uint32(len(all)), nil
}

func (m *reference) Representatives(v evidence.Value) (refs []evidence.Ref, err error) {
	if tenants, _, _ := m.Spread(v); int(tenants) > m.limits.CandidateTenants {
		return nil, nil
	}
	all := m.on(v)
	slices.SortFunc(all, func(a, b on) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), b.last.Compare(a.last), a.Compare(b.Ref))
	})
	count := make(map[string]int)
	for _, o := range all {
		if count[o.Tenant]++; count[o.Tenant] <= m.limits.RepresentativesPerTenant {
			refs = append(refs, o.Ref)
		}
	}
	return refs, nil
}

func (m *reference) CasesOf(v evidence.Value, tenant string, limit int) (n int, err error) {
	for _, o := range m.on(v) {
		if o.Tenant == tenant && n < limit {
			n++
		}
	}
	return n, nil
}

func (m *reference) Profile(ref evidence.Ref) (*evidence.Profile, error) { return m.cases[ref], nil }
func (m *reference) Trust(string) (float64, error)                       { return 1, nil }

// rows returns the score of every pair that has to be stored and is listed.
func (m *reference) rows(t *rapid.T, rules linker.Rules) map[graph.RowKey]graph.Score {
	l := m.limits
	s, err := link.NewScorer(rules.Model, link.Caps{
		CandidateTenants: l.CandidateTenants, ExplainingTenants: l.ExplainingTenants,
		ExplainingCases: l.ExplainingCases, ScoringTenants: l.ScoringTenants,
	}, m, rules.Classes, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[graph.RowKey]graph.Score)
	live := m.live()
	for i, a := range live {
		for _, b := range live[i+1:] {
			if a.Tenant == b.Tenant || !m.proposed(a, b, rules) {
				continue
			}
			e, err := s.Score(a, b)
			if err != nil {
				t.Fatal(err)
			}
			if e.Tier >= link.Lead {
				out[graph.Pair(a.Ref, b.Ref)] = linker.ScoreOf(e)
			}
		}
	}
	return out
}

func (m *reference) proposed(a, b *evidence.Profile, rules linker.Rules) bool {
	for _, sg := range a.Sightings {
		v := sg.Value
		if !slices.ContainsFunc(b.Sightings, func(s evidence.Sighting) bool { return s.Value == v }) {
			continue
		}
		if v.Kind == evidence.KindIP && rules.Classes.Class(v).Name == link.ClassM365Service {
			continue
		}
		if rules.Model.Version() == 1 && (v.Kind == evidence.KindRuleWords || v.Kind.Derived()) {
			continue
		}
		refs, _ := m.Representatives(v)
		if slices.Contains(refs, a.Ref) && slices.Contains(refs, b.Ref) {
			return true
		}
	}
	return false
}

// service classes one address as everybody's and one as a VPN exit.
type service struct{}

func (service) Version() string { return "test" }

// changing is service until look-ups or other lists say otherwise.
type changing struct {
	version string
	classes map[string]string
}

func (c *changing) Version() string { return c.version }

func (c *changing) Class(v evidence.Value) link.Class {
	class := service{}.Class(v)
	if name, ok := c.classes[v.Text]; ok {
		class.Name = name
	}
	return class
}

func (service) Class(v evidence.Value) link.Class {
	var asn uint32
	if network, ok := strings.CutPrefix(v.Text, "70."); ok {
		asn = uint32(network[0]-'0') / 4
	}
	switch v.Text {
	case "70.0.0.1":
		return link.Class{Name: link.ClassM365Service, ASN: asn}
	case "70.1.0.1":
		return link.Class{Name: link.ClassVPN, ASN: asn}
	}
	return link.Class{Name: link.ClassHosting, ASN: asn}
}

func parse(t *rapid.T, d evidence.Draft) *evidence.Case {
	c, _, err := evidence.Parse(d, evidence.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// storedRows reads the listed rows of all tenants, each once.
func storedRows(t *rapid.T, store graph.Reader, tenants []string) map[graph.RowKey]graph.Score {
	out := make(map[graph.RowKey]graph.Score)
	err := store.View(context.Background(), func(s graph.Snapshot) error {
		for _, tenant := range tenants {
			for row, err := range s.Rows(tenant, graph.RowKey{}) {
				if err != nil {
					return err
				}
				if link.Tier(row.Tier) >= link.Lead {
					out[row.RowKey] = row.Score
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// allRows reads every row, those that no list shows included.
func allRows(t interface{ Fatal(...any) }, store graph.Reader) (rows []graph.Row) {
	err := store.View(context.Background(), func(s graph.Snapshot) error {
		for row, err := range s.RowsAfter(evidence.Ref{}) {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestRowsFollowTheCases lets random changes pass and holds the stored rows,
// whenever no mark is left, to what the cases alone say: so every change leaves
// the marks it has to, and the linker draws from them what it has to.
func TestRowsFollowTheCases(t *testing.T) {
	for _, m := range []*link.Model{link.Version1(), link.Version2()} {
		t.Run(fmt.Sprint("model ", m.Version()), func(t *testing.T) { rowsFollowTheCases(t, m) })
	}
}

func rowsFollowTheCases(t *testing.T, model *link.Model) {
	most := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		store, err := badger.Open(ctx, badger.Options{Memory: true, Limits: small()})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		classes := &changing{version: "0", classes: make(map[string]string)}
		rules := linker.Rules{Model: model, Classes: classes, Limits: small()}
		l := linker.New(store, rules, slog.New(slog.DiscardHandler))
		ref := &reference{cases: make(map[evidence.Ref]*evidence.Profile), limits: small()}
		var tenants []string
		for i := range 8 {
			tenants = append(tenants, fmt.Sprint("t", i))
		}
		drain := func() {
			if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
				t.Fatal(err)
			}
			if err := l.Drain(ctx, func(int, int) {}); err != nil {
				t.Fatal(err)
			}
			want := ref.rows(t, rules)
			most = max(most, len(want))
			if diff := gocmp.Diff(want, storedRows(t, store, tenants)); diff != "" {
				t.Fatalf("rows (-cases +stored):\n%s", diff)
			}
			// A sweep scores all pairs another way, and mends what is wrong.
			before := allRows(t, store)
			damage := graph.RelinkBatch{Put: []graph.Row{{RowKey: graph.RowKey{A: evidence.Ref{Tenant: "t0", Case: "no"}, B: evidence.Ref{Tenant: "t9", Case: "no"}}}}}
			for i, row := range before {
				switch i % 3 {
				case 0:
					damage.Remove = append(damage.Remove, row.RowKey)
				case 1:
					row.Millibits++
					damage.Put = append(damage.Put, row)
				}
			}
			if err := store.Relink(ctx, damage); err != nil {
				t.Fatal(err)
			}
			if err := store.StartSweep(ctx, rules.Basis(), true); err != nil {
				t.Fatal(err)
			}
			if err := l.Drain(ctx, func(int, int) {}); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(before, allRows(t, store)); diff != "" {
				t.Fatalf("rows (-by marks +by a sweep):\n%s", diff)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			r := evidence.Ref{
				Tenant: rapid.SampledFrom(tenants).Draw(t, "tenant"),
				Case:   fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "case")),
			}
			switch rapid.IntRange(0, 9).Draw(t, "operation") {
			case 0, 1:
				if _, ok := ref.cases[r]; !ok {
					continue
				}
				if err := store.Delete(ctx, r); err != nil {
					t.Fatal(err)
				}
				delete(ref.cases, r)
			case 2:
				drain()
			case 3:
				// A look-up changes what an address is; sometimes new lists do.
				text := fmt.Sprintf("70.%d.0.%d", rapid.IntRange(0, 9).Draw(t, "value"), rapid.IntRange(1, 2).Draw(t, "host"))
				classes.classes[text] = rapid.SampledFrom([]string{
					link.ClassM365Service, link.ClassHosting, link.ClassLeased, link.ClassVPN, link.ClassTor,
				}).Draw(t, "class")
				if rapid.IntRange(0, 9).Draw(t, "lists") == 0 {
					classes.version += "+"
					if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
						t.Fatal(err)
					}
				} else if err := store.Touch(ctx, []evidence.Value{{Kind: evidence.KindIP, Text: text}}); err != nil {
					t.Fatal(err)
				}
			default:
				c := parse(t, drawDraft(t, r))
				if _, err := store.Submit(ctx, c, nil); err != nil {
					t.Fatal(err)
				}
				ref.cases[r] = c.Profile()
			}
		}
		drain()
	})
	if most < 5 {
		t.Errorf("at most %d links in a world: nothing was tested", most)
	}
}

// TestRowsFollowNamesOfOneSide lets other tenants give up a name that only one side of
// a pair has. The pair is no link before, for want of weight, and is found all the
// same, although no common value has changed.
func TestRowsFollowNamesOfOneSide(t *testing.T) {
	ctx := t.Context()
	store, err := badger.Open(ctx, badger.Options{Memory: true, Limits: small()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rules := linker.Rules{Model: link.Version2(), Classes: service{}, Limits: small()}
	l := linker.New(store, rules, slog.New(slog.DiscardHandler))
	if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	submit := func(tenant string, values ...evidence.Value) {
		f := evidence.Finding{FirstSeen: at, LastSeen: at}
		for _, v := range values {
			f.Observables = append(f.Observables, evidence.Observable{Value: v, Roles: []string{evidence.RoleLoginSource}})
		}
		c, _, err := evidence.Parse(evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Findings: []evidence.Finding{f}}, evidence.Options{Now: at})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	tier := func() (found link.Tier) {
		if err := l.Drain(ctx, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		for _, row := range allRows(t, store) {
			if row.RowKey == graph.Pair(evidence.Ref{Tenant: "a", Case: "1"}, evidence.Ref{Tenant: "b", Case: "1"}) {
				found = link.Tier(row.Tier)
			}
		}
		return found
	}
	exit := evidence.Value{Kind: evidence.KindIP, Text: "70.1.0.1"}
	name := func(text string) evidence.Value { return evidence.Value{Kind: evidence.KindRuleName, Text: text} }
	submit("a", exit, name("invoices to archive"))
	submit("b", exit, name("invoice to archive"))
	others := []string{"c", "d", "e", "f", "g"}
	for _, tenant := range others {
		submit(tenant, name("invoices to archive"))
	}
	if got := tier(); got >= link.Lead {
		t.Fatalf("tier %d while five others have the name", got)
	}
	for _, tenant := range others {
		if err := store.Delete(ctx, evidence.Ref{Tenant: tenant, Case: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := tier(); got != link.Lead {
		t.Errorf("tier %d once nobody else has the name, want %d", got, link.Lead)
	}
}

// TestRowsFollowN lets the number of live cases cross a power of two, which
// changes every score, up and down again.
func TestRowsFollowN(t *testing.T) {
	ctx := t.Context()
	rules := linker.Rules{Model: link.Version1(), Classes: service{}}
	store, err := badger.Open(ctx, badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := linker.New(store, rules, slog.New(slog.DiscardHandler))
	if err := store.StartSweep(ctx, rules.Basis(), false); err != nil {
		t.Fatal(err)
	}
	submit := func(ref evidence.Ref, values ...string) {
		var f evidence.Finding
		for _, v := range values {
			f.Observables = append(f.Observables, evidence.Observable{Value: evidence.Value{Kind: evidence.KindIP, Text: v}, Roles: []string{evidence.RoleLoginSource}})
		}
		c, _, err := evidence.Parse(evidence.Draft{Ref: ref, Findings: []evidence.Finding{f}}, evidence.Options{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	bits := func() int32 {
		if err := l.Drain(ctx, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		var found int32
		err := store.View(ctx, func(s graph.Snapshot) error {
			for row, err := range s.Rows("a", graph.RowKey{}) {
				if err != nil {
					return err
				}
				found = row.Millibits
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, tenant := range []string{"a", "b"} {
		submit(evidence.Ref{Tenant: tenant, Case: "1"}, "71.0.0.1", "72.0.0.1", "73.0.0.1")
	}
	small := bits()
	for i := range 1023 {
		submit(evidence.Ref{Tenant: "c", Case: fmt.Sprint(i)}, fmt.Sprintf("80.%d.%d.1", i/250, i%250))
	}
	// Three groups at ranks 1, 1/2 and 1/4 gain 1.75 bits, the prior takes one.
	if large := bits(); large < small+740 || large > small+760 {
		t.Errorf("at 1,025 cases %d millibits, at 2 cases %d", large, small)
	}
	if err := store.Delete(ctx, evidence.Ref{Tenant: "c", Case: "0"}); err != nil {
		t.Fatal(err)
	}
	if again := bits(); again != small {
		t.Errorf("back at 1,024 cases %d millibits, at 2 cases %d", again, small)
	}
}

// flaky panics the first time that it is asked.
type flaky struct {
	service
	asked *atomic.Bool
}

func (f flaky) Class(v evidence.Value) link.Class {
	if !f.asked.Swap(true) {
		panic("70.9.0.1")
	}
	return f.service.Class(v)
}

// TestPanicIsTriedAgain holds that a fault in linking neither ends the process
// nor loses a mark, and that what was panicked with is not logged.
func TestPanicIsTriedAgain(t *testing.T) {
	store, err := badger.Open(t.Context(), badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, tenant := range []string{"a", "b"} {
		c, _, err := evidence.Parse(evidence.Draft{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Findings: []evidence.Finding{{
			Observables: []evidence.Observable{{Value: evidence.Value{Kind: evidence.KindForwardTo, Text: "x@y.example"}}},
		}}}, evidence.Options{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	var logged bytes.Buffer
	l := linker.New(store, linker.Rules{Model: link.Version1(), Classes: flaky{asked: &atomic.Bool{}}}, slog.New(slog.NewTextHandler(&logged, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- l.Run(ctx) }()
	if err := l.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	rows := 0
	err = store.View(t.Context(), func(s graph.Snapshot) error {
		for _, err := range s.Rows("a", graph.RowKey{}) {
			if err != nil {
				return err
			}
			rows++
		}
		return nil
	})
	if err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if out := logged.String(); !strings.Contains(out, "panic") || strings.Contains(out, "70.9.0.1") {
		t.Errorf("logged %s", out)
	}
}

func drawDraft(t *rapid.T, r evidence.Ref) evidence.Draft {
	d := evidence.Draft{Ref: r, State: evidence.State(rapid.SampledFrom([]int{1, 1, 1, 1, 1, 3}).Draw(t, "state"))}
	d.Restricted = rapid.IntRange(0, 9).Draw(t, "restricted") == 0
	var f evidence.Finding
	// Ten networks, so that a case is rarely large and groups differ.
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 1, 5, rapid.ID).Draw(t, "values") {
		text := fmt.Sprintf("70.%d.0.%d", i, rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "host"))
		o := evidence.Observable{Value: evidence.Value{Kind: evidence.KindIP, Text: text}, Roles: []string{evidence.RoleLoginSource}}
		if day := rapid.IntRange(0, 3).Draw(t, "day"); day > 0 {
			o.FirstSeen = time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC)
			o.LastSeen = o.FirstSeen
		}
		f.Observables = append(f.Observables, o)
	}
	// Mail rules that are equal, alike or neither.
	rule := func(kind evidence.Kind, texts ...string) {
		if i := rapid.IntRange(0, 2*len(texts)).Draw(t, string(kind)); i < len(texts) {
			f.Observables = append(f.Observables, evidence.Observable{Value: evidence.Value{Kind: kind, Text: texts[i]}, Roles: []string{evidence.RoleCreated}})
		}
	}
	rule(evidence.KindRuleName, "invoices to archive", "invoice to archive", "archive: to invoice", "archive to invoices")
	rule(evidence.KindRuleName, "Block Spoofing", "spoofing block")
	rule(evidence.KindRuleWords, "alpha beta gamma", "alpha beta gamma delta", "alpha beta gamma delta epsilon", "eta iota theta zeta")
	// Names that are equal or under one domain.
	rule(evidence.KindDomain, "one.near.example", "two.near.example")
	d.Findings = []evidence.Finding{f}
	return d
}

func (m *reference) Outline(ref evidence.Ref) (*evidence.Profile, error) { return m.Profile(ref) }

func (m *reference) Overlap(ref evidence.Ref, _ *evidence.Profile) (*evidence.Profile, error) {
	return m.Profile(ref)
}

// TestCachesAreEmptiedAfterALoad: what a load has left in them is not what is asked
// for next. What little work has left stays.
func TestCachesAreEmptiedAfterALoad(t *testing.T) {
	d := deploy(t)
	defer d.store.Close()
	d.put("a", "1", start(), "", "70.9.0.1")
	caches := d.store.(*badger.Store)
	kept := func() (bytes int64) {
		d.view(func(s graph.Snapshot) error {
			_, err := s.Summary(evidence.Value{Kind: evidence.KindIP, Text: "70.9.0.1"})
			return err
		})
		for _, stats := range caches.CacheStats() {
			bytes += stats.Bytes
		}
		return bytes
	}
	before := kept()
	d.linker.GiveBack(10)
	if after := kept(); before == 0 || after != before {
		t.Errorf("%d bytes are kept, then %d", before, after)
	}
	d.linker.GiveBack(50_000)
	for name, stats := range caches.CacheStats() {
		if stats.Bytes != 0 {
			t.Errorf("%s: %d bytes are kept after a load", name, stats.Bytes)
		}
	}
}
