package graphtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// machineLimits are so small that few cases cross every cap.
func machineLimits() graph.Limits {
	return graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4, ExplainingTenants: 2, ExplainingCases: 6, ScoringTenants: 6}
}

func machineTenants() []string { return []string{"a", "a-b", "ab", "b", "c", "d", "reports-x"} }

func machineCases() []string { return []string{"1", "1:1", "2", longID(1)} }

func machineValues() []evidence.Value {
	odd := oddValues()
	return append([]evidence.Value{ip(1), ip(2), ip(3), ip(4)}, odd[13], odd[14], odd[24], odd[25], odd[42],
		evidence.Value{Kind: evidence.KindRuleName, Text: "block spoofing"},
		evidence.Value{Kind: evidence.KindRuleName, Text: "spoofing: block"})
}

// heldValues are those that the cases of a machine can hold: drawn or derived.
func heldValues() []evidence.Value {
	held := make(map[evidence.Value]bool)
	for _, s := range holding("a", "1", machineValues()...).Profile().Sightings {
		held[s.Value] = true
	}
	return slices.SortedFunc(maps.Keys(held), evidence.Value.Compare)
}

// machine runs a store and the model side by side.
type machine struct {
	*store
	model *Model
	clock *clock
	marks map[evidence.Value]*expected
	rows  map[graph.RowKey]graph.Row
	log   []graph.LinkEvent
}

// expected is what is known of a mark.
type expected struct {
	expectation
	left time.Time
	// version is the one that was seen last, 0 for a mark that was not seen yet.
	version uint64
	// leftAgain: the version has to be another one. mayBe: it may.
	leftAgain, mayBe bool
	// ofTwo: the value began to weigh again, so values in two tenants are due.
	ofTwo bool
	// due are the cases that were on the value when its power changed, and that
	// have not changed since.
	due map[evidence.Ref]bool
}

// testMachine lets random operations pass and compares every answer after each.
func testMachine(t *testing.T, open Opener, reopen bool) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		config := Config{Limits: machineLimits(), Clock: clock.now}
		if reopen {
			config.Dir = t.TempDir()
		}
		m := &machine{
			store: &store{open(t, config), rt}, model: &Model{Limits: machineLimits()}, clock: clock,
			marks: map[evidence.Value]*expected{}, rows: map[graph.RowKey]graph.Row{},
		}
		defer func() {
			if err := m.Close(); err != nil {
				rt.Errorf("close: %v", err)
			}
		}()
		actions := map[string]func(*rapid.T){
			"":              m.compareAll,
			"submit":        m.submitAny,
			"submit more":   m.submitAny,
			"submit again":  m.submitAny,
			"submit same":   m.submitSame,
			"change a mark": m.changeStanding,
			"delete":        m.deleteAny,
			"erase":         m.eraseAny,
			"relink":        m.relinkAny,
			"settle":        m.settleAll,
			"expand":        m.expandAny,
		}
		if reopen {
			actions["reopen"] = func(*rapid.T) {
				if err := m.Close(); err != nil {
					rt.Fatal(err)
				}
				m.Store = open(t, config)
			}
			actions["purge"] = func(*rapid.T) {
				if err := m.Purge(t.Context(), func(uint64, uint64) {}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		rt.Repeat(actions)
		m.check()
	})
}

func (m *machine) anyRef(t *rapid.T) evidence.Ref {
	return ref(rapid.SampledFrom(machineTenants()).Draw(t, "tenant"), rapid.SampledFrom(machineCases()).Draw(t, "case"))
}

// stored draws a case that is there, and skips the action if there is none.
func (m *machine) stored(t *rapid.T) evidence.Case {
	all := m.model.Cases()
	if len(all) == 0 {
		t.Skip("no case")
	}
	return rapid.SampledFrom(all).Draw(t, "stored")
}

func drawObservable(t *rapid.T) evidence.Observable {
	o := evidence.Observable{Value: rapid.SampledFrom(machineValues()).Draw(t, "value")}
	o.Roles = rapid.SampledFrom([][]string{
		{evidence.RoleLoginSource},
		{evidence.RoleAllowListed, evidence.RoleLoginSource},
		{evidence.RoleSpoofed, "unheard of"},
	}).Draw(t, "roles")
	o.Count = rapid.Uint32Range(0, 2).Draw(t, "count")
	if first := rapid.IntRange(-1, 4).Draw(t, "first"); first >= 0 {
		o.FirstSeen = day(first)
		o.LastSeen = day(first + rapid.IntRange(0, 3).Draw(t, "days"))
	}
	return o
}

func (m *machine) submitAny(t *rapid.T) {
	r := m.anyRef(t)
	c := newCase(r.Tenant, r.Case)
	c.Findings = append(c.Findings, evidence.Finding{ID: "f2", Technique: "T1098", FirstSeen: day(1), LastSeen: day(3)})
	for i := range c.Findings {
		c.Findings[i].Observables = rapid.SliceOfN(rapid.Custom(drawObservable), 0, 4).Draw(t, "observables")
	}
	setStanding(c, rapid.IntRange(0, 12).Draw(t, "standing"))
	m.put(t, c)
}

// setStanding makes a case one of each kind; most numbers leave it live.
func setStanding(c *evidence.Case, n int) {
	c.State, c.Restricted, c.TLP = evidence.Open, false, evidence.TLPAmber
	switch n {
	case 0:
		c.State = evidence.Dismissed
	case 1:
		c.Restricted = true
	case 2:
		c.TLP = evidence.TLPRed
	case 3:
		c.State = evidence.Closed
	}
}

func (m *machine) submitSame(t *rapid.T) {
	c := m.stored(t)
	m.put(t, &c)
}

func (m *machine) changeStanding(t *rapid.T) {
	c := m.stored(t)
	setStanding(&c, rapid.IntRange(0, 4).Draw(t, "standing"))
	m.put(t, &c)
}

func (m *machine) put(t *rapid.T, c *evidence.Case) {
	old, was := m.model.Case(c.Ref)
	want := graph.Created
	if was {
		want = graph.Replaced
		if old.ContentHash() == c.ContentHash() {
			want = graph.Unchanged
		}
	}
	m.clock.pass()
	got := must[graph.Receipt](t)(m.Submit(t.Context(), c, nil))
	if got.Outcome != want {
		t.Fatalf("outcome %d, not %d", got.Outcome, want)
	}
	if want != graph.Unchanged {
		m.change(c.Ref, func() { m.model.Submit(c) })
	}
}

func (m *machine) deleteAny(t *rapid.T) {
	c := m.stored(t)
	m.clock.pass()
	m.remove(c.Ref)
	m.change(c.Ref, func() { m.model.Delete(c.Ref) })
}

// eraseAny removes all cases of a tenant.
func (m *machine) eraseAny(t *rapid.T) {
	tenant := m.stored(t).Tenant
	for _, c := range m.model.Cases() {
		if c.Tenant == tenant {
			m.clock.pass()
			m.remove(c.Ref)
			m.change(c.Ref, func() { m.model.Delete(c.Ref) })
		}
	}
}

// change applies a change to the model and expects the marks that it leaves.
func (m *machine) change(ref evidence.Ref, apply func()) {
	old := m.model.Profile(ref)
	type spread struct{ tenants, cases uint32 }
	before := map[evidence.Value]spread{}
	for _, v := range heldValues() {
		s := m.model.Summary(v)
		before[v] = spread{s.Tenants, s.Cases}
	}
	apply()
	now := m.model.Profile(ref)
	for _, e := range m.marks {
		delete(e.due, ref)
	}
	// Whether a live case held the value before.
	touched := map[evidence.Value]bool{}
	if old != nil && old.Live || now != nil && now.Live {
		for _, p := range []*evidence.Profile{now, old} {
			if p != nil {
				for _, s := range p.Sightings {
					touched[s.Value] = p == old && old.Live
				}
			}
		}
	}
	for v, held := range touched {
		e := m.marks[v]
		if e == nil && !held && !m.model.Limits.OrDefaults().Pairs(before[v].tenants, m.model.Summary(v).Tenants) {
			continue
		}
		if e == nil {
			e = &expected{expectation: expectation{Tenants: before[v].tenants}, left: m.clock.now()}
			m.marks[v] = e
		}
		e.leftAgain = true
		spread := m.model.Summary(v)
		if m.model.Limits.OrDefaults().Reaches(before[v].tenants, before[v].cases, spread.Tenants, spread.Cases) {
			e.Expand = true
			e.ofTwo = e.ofTwo || m.model.Limits.OrDefaults().WeighsAgain(before[v].tenants, spread.Tenants)
			e.due = map[evidence.Ref]bool{}
			for _, s := range m.model.Sightings(v) {
				e.due[s.Ref] = true
			}
		}
	}
}

// relinkAny puts and removes rows and takes marks away, some of them by a
// version that is not theirs.
func (m *machine) relinkAny(t *rapid.T) {
	var b graph.RelinkBatch
	for range rapid.IntRange(0, 2).Draw(t, "rows") {
		x, y := m.anyRef(t), m.anyRef(t)
		if x == y {
			continue
		}
		key := graph.Pair(x, y)
		if rapid.Bool().Draw(t, "remove") {
			b.Remove = append(b.Remove, key)
			continue
		}
		shared := rapid.SliceOfNDistinct(rapid.SampledFrom(machineValues()), 0, 3, rapid.ID).Draw(t, "shared")
		slices.SortFunc(shared, evidence.Value.Compare)
		b.Put = append(b.Put, row(key.A, key.B, rapid.IntRange(0, 5).Draw(t, "score"), shared...))
	}
	current := m.store.marks()
	for _, v := range slices.SortedFunc(maps.Keys(m.marks), evidence.Value.Compare) {
		switch rapid.IntRange(0, 3).Draw(t, "done") {
		case 0:
			b.Done = append(b.Done, current[v])
			delete(m.marks, v)
		case 1:
			other := current[v]
			other.Version++
			b.Done = append(b.Done, other)
		}
	}
	if rapid.Bool().Draw(t, "tell") {
		b.Tell, b.Feeds = tellMost, "feeds"
		m.log = append(m.log, applied(m.rows, b)...)
	} else {
		applied(m.rows, b)
	}
	m.relink(b)
}

func (m *machine) settleAll(*rapid.T) {
	m.settle()
	clear(m.marks)
}

func (m *machine) expandAny(t *rapid.T) {
	var candidates []evidence.Value
	for v, e := range m.marks {
		if e.Expand {
			candidates = append(candidates, v)
		}
	}
	if len(candidates) == 0 {
		t.Skip("no mark asks to be expanded")
	}
	slices.SortFunc(candidates, evidence.Value.Compare)
	w := rapid.SampledFrom(candidates).Draw(t, "expanded")
	m.clock.pass()
	if err := m.Expand(t.Context(), m.store.marks()[w]); err != nil {
		t.Fatal(err)
	}
	got := m.store.marks()
	fewest := uint32(3)
	if m.marks[w].ofTwo {
		fewest = 2
	}
	for _, s := range m.model.Sightings(w) {
		for _, o := range m.model.Profile(s.Ref).Sightings {
			e := m.marks[o.Value]
			switch {
			case o.Value == w, m.model.Summary(o.Value).Tenants < fewest:
			case e != nil && m.marks[w].due[s.Ref]:
				e.leftAgain = true
			case e != nil:
				e.mayBe = true
			case m.marks[w].due[s.Ref] || got[o.Value].Version != 0:
				m.marks[o.Value] = &expected{
					expectation: expectation{Tenants: m.model.Summary(o.Value).Tenants}, left: m.clock.now(), mayBe: true,
				}
			}
		}
	}
	m.marks[w].Expand, m.marks[w].ofTwo = false, false
	m.marks[w].due = nil
}

// compareAll is the invariant: the store answers as the model does.
func (m *machine) compareAll(t *rapid.T) {
	m.compare(m.model, heldValues(), machineTenants())
	m.compareRows(slices.Collect(maps.Values(m.rows)), machineTenants(), machineValues())
	m.compareEvents(m.log)

	want := map[evidence.Value]expectation{}
	var oldest time.Time
	for v, e := range m.marks {
		want[v] = e.expectation
		if oldest.IsZero() || e.left.Before(oldest) {
			oldest = e.left
		}
	}
	m.expectMarks(want)
	for v, got := range m.store.marks() {
		e := m.marks[v]
		changed := got.Version != e.version
		if e.version != 0 && !e.mayBe && changed != e.leftAgain {
			t.Fatalf("mark on %v: left again: %v, another version: %v", v, e.leftAgain, changed)
		}
		e.version, e.leftAgain, e.mayBe = got.Version, false, false
	}
	n, at, err := m.Backlog(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "backlog", fmt.Sprint(n, at.Unix()), fmt.Sprint(len(want), oldest.Unix()))
}
