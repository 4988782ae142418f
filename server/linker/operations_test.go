package linker_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/erase"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

var (
	operations    = flag.Int("operations", 400, "random operations of TestOperations, half of them with -short")
	operationSeed = flag.Uint64("operations.seed", 0, "seed of TestOperations; 0: another one each time")
)

// operation is one change, and what it is about: those that have something in common
// keep their order.
type operation struct {
	what  string
	about []string
	day   int
	do    func(*deployment)
}

// deployment is a store with its linker, and what it should hold.
type deployment struct {
	*testing.T
	store   graph.Store
	linker  *linker.Linker
	rules   linker.Rules
	classes *changing
	trust   map[string]float64
	day     int
	cases   map[evidence.Ref]*evidence.Case
	// reach and made are the bounds of alarms.
	reach, made, groups int
}

// deploy returns an empty store with a linker whose alarms few tenants raise.
func deploy(t *testing.T) *deployment {
	d := &deployment{
		T: t, classes: &changing{version: "0", classes: make(map[string]string)}, trust: make(map[string]float64),
		cases: make(map[evidence.Ref]*evidence.Case),
	}
	var err error
	d.store, err = badger.Open(t.Context(), badger.Options{Memory: true, Clock: func() time.Time {
		return time.Date(2026, 1, 1+d.day, 12, 0, 0, 0, time.UTC)
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.rules = linker.Rules{Model: link.Version2(), Classes: d.classes, Trust: func(tenant string) float64 {
		if x, ok := d.trust[tenant]; ok {
			return x
		}
		return 1
	}}
	d.linker = linker.New(d.store, d.rules, slog.New(slog.DiscardHandler))
	d.alarm(5, 12, 2)
	return d
}

// alarm sets how far a case may reach, how many links a tenant may make on a day, and
// with how many groups a case may be linked.
func (d *deployment) alarm(reach, made, groups int) {
	d.reach, d.made, d.groups = reach, made, groups
	d.linker.Alarm(uint32(reach), uint32(made), uint32(groups))
}

func (d *deployment) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *deployment) drain() {
	d.Helper()
	d.must(d.store.StartSweep(d.Context(), d.rules.Basis(), false))
	d.must(d.linker.Drain(d.Context(), nil))
}

func (d *deployment) view(f func(graph.Snapshot) error) {
	d.Helper()
	d.must(d.store.View(d.Context(), f))
}

// operationWorld draws operations of a few actors' cases in a number of tenants.
type operationWorld struct {
	*rand.Rand
	tenants int
	reviews int
}

// draft is a case with most of what one actor uses, and some of another's.
func (w *operationWorld) draft(ref evidence.Ref) evidence.Draft {
	d := evidence.Draft{Ref: ref, State: evidence.Open, Kind: "bec"}
	switch w.IntN(14) {
	case 0:
		d.State = evidence.Dismissed
	case 1:
		d.Restricted = true
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, w.IntN(500))
	d.OpenedAt = at.AddDate(0, 0, w.IntN(5))
	f := evidence.Finding{FirstSeen: at, LastSeen: at.AddDate(0, 0, 1+w.IntN(20)), Technique: "T1114.003"}
	use := func(actor, n int) {
		for _, i := range w.Perm(6)[:n] {
			f.Observables = append(f.Observables, evidence.Observable{
				Value: evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("70.%d.%d.1", actor, i)}, Roles: []string{evidence.RoleLoginSource},
			})
		}
	}
	use(w.IntN(9), 1+w.IntN(5))
	if w.IntN(4) == 0 {
		use(w.IntN(9), 1)
	}
	if w.IntN(3) == 0 {
		f.Observables = append(f.Observables, evidence.Observable{
			Value: evidence.Value{Kind: evidence.KindForwardTo, Text: fmt.Sprintf("drop%d@collect.example", w.IntN(12))}, Roles: []string{evidence.RoleForwardTarget},
		})
	}
	d.Findings = []evidence.Finding{f}
	return d
}

func (w *operationWorld) ref() evidence.Ref {
	return evidence.Ref{Tenant: fmt.Sprintf("t%02d", w.IntN(w.tenants)), Case: fmt.Sprint(w.IntN(4))}
}

func (w *operationWorld) draw(day int) operation {
	switch n := w.IntN(20); {
	case n < 2:
		ref := w.ref()
		return operation{"delete " + ref.String(), []string{ref.String()}, day, func(d *deployment) {
			if d.cases[ref] != nil {
				d.must(d.store.Delete(d.Context(), ref))
				delete(d.cases, ref)
			}
		}}
	case n < 7:
		x, y := w.ref(), w.ref()
		for x == y {
			y = w.ref()
		}
		w.reviews++
		r := graph.Review{
			RowKey: graph.Pair(x, y), Verdict: graph.Verdict(w.IntN(3)), Author: "somebody", Reason: "because",
			Time: time.Date(2026, 1, 1, 0, 0, w.reviews, 0, time.UTC),
		}
		return operation{fmt.Sprint("review ", r.RowKey, r.Verdict), []string{x.String(), y.String()}, day, func(d *deployment) {
			if d.cases[r.A] != nil && d.cases[r.B] != nil {
				d.must(d.store.Judge(d.Context(), r))
			}
		}}
	case n == 9 && w.IntN(2) == 0:
		tenant := fmt.Sprintf("t%02d", w.IntN(w.tenants))
		about := []string{"trust " + tenant}
		for id := range 4 {
			about = append(about, evidence.Ref{Tenant: tenant, Case: fmt.Sprint(id)}.String())
		}
		return operation{"erase " + tenant, about, day, func(d *deployment) {
			for _, trace := range []erase.Trace{
				erase.Cases{Store: d.store, Deleter: d.store}, erase.Histories{Store: d.store}, erase.Events{Store: d.store},
			} {
				d.must(trace.Erase(d.Context(), tenant, func(uint64) {}))
			}
			for ref := range d.cases {
				if ref.Tenant == tenant {
					delete(d.cases, ref)
				}
			}
		}}
	case n == 7:
		v := evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("70.%d.%d.1", w.IntN(9), w.IntN(6))}
		class := []string{link.ClassHosting, link.ClassVPN, link.ClassM365Service, link.ClassLeased}[w.IntN(4)]
		return operation{"class " + v.Text + " " + class, []string{v.Text}, day, func(d *deployment) {
			d.classes.classes[v.Text] = class
			d.must(d.store.Touch(d.Context(), []evidence.Value{v}))
		}}
	case n == 8:
		tenant, trust := fmt.Sprintf("t%02d", w.IntN(w.tenants)), []float64{.1, .5, 1}[w.IntN(3)]
		return operation{fmt.Sprint("trust ", tenant, trust), []string{"trust " + tenant}, day, func(d *deployment) {
			d.trust[tenant] = trust
			var values []evidence.Value
			for ref, c := range d.cases {
				if ref.Tenant == tenant {
					for _, s := range c.Profile().Sightings {
						values = append(values, s.Value)
					}
				}
			}
			d.must(d.store.Touch(d.Context(), values))
		}}
	}
	ref := w.ref()
	c, _, err := evidence.Parse(w.draft(ref), evidence.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	return operation{"submit " + ref.String(), []string{ref.String()}, day, func(d *deployment) {
		d.must(err)
		_, err := d.store.Submit(d.Context(), c, nil)
		d.must(err)
		d.cases[ref] = c
	}}
}

// shuffle returns the operations in another order, in which those about one thing
// keep theirs.
func shuffle(r *rand.Rand, all []operation) (out []operation) {
	behind := make([]int, len(all)) // how many have to come first
	then := make([][]int, len(all))
	last := make(map[string]int)
	for i, o := range all {
		before := make(map[int]bool)
		for _, about := range o.about {
			if k, ok := last[about]; ok {
				before[k] = true
			}
			last[about] = i
		}
		for k := range before {
			then[k] = append(then[k], i)
			behind[i]++
		}
	}
	var free []int
	for i := range all {
		if behind[i] == 0 {
			free = append(free, i)
		}
	}
	for len(free) > 0 {
		k := r.IntN(len(free))
		i := free[k]
		free[k] = free[len(free)-1]
		free = free[:len(free)-1]
		out = append(out, all[i])
		for _, n := range then[i] {
			if behind[n]--; behind[n] == 0 {
				free = append(free, n)
			}
		}
	}
	return out
}

// state is all that must not depend on the order of operations.
type state struct {
	Rows         []graph.Row
	Actors       []graph.Actor
	IDs          map[string]evidence.Ref
	Reviews      []graph.Review
	Fanouts      map[evidence.Ref]graph.Fanout
	Explanations map[graph.RowKey]link.Explanation
}

func (d *deployment) state(explain bool) (s state) {
	d.Helper()
	s.Rows = allRows(d, d.store)
	for i := range s.Rows {
		// How often a case changed before is outside.
		s.Rows[i].RevisionA, s.Rows[i].RevisionB = 0, 0
	}
	s.IDs, s.Fanouts = make(map[string]evidence.Ref), make(map[evidence.Ref]graph.Fanout)
	s.Explanations = make(map[graph.RowKey]link.Explanation)
	d.view(func(sn graph.Snapshot) error {
		for a, err := range sn.ActorsAfter(evidence.Ref{}) {
			if err != nil {
				return err
			}
			s.Actors = append(s.Actors, *a)
			for i, id := range a.IDs {
				ref, ok, err := sn.ActorCase(id)
				if err != nil || !ok || ref != a.Members[i] {
					return fmt.Errorf("id of %s stands for %s: %w", a.Members[i], ref, err)
				}
				if own, err := sn.ActorOf(a.Members[i]); err != nil || own.Founder != a.Founder {
					return fmt.Errorf("%s is not in its actor: %w", a.Members[i], err)
				}
				s.IDs[id] = ref
			}
		}
		for r, err := range sn.ReviewsAfter(graph.RowKey{}) {
			if err != nil {
				return err
			}
			s.Reviews = append(s.Reviews, r)
		}
		for ref := range d.cases {
			f, err := sn.FanoutOf(ref)
			if err != nil {
				return err
			}
			s.Fanouts[ref] = f
		}
		if !explain {
			return nil
		}
		scorer, err := d.rules.Scorer(sn)
		if err != nil {
			return err
		}
		for _, row := range s.Rows {
			a, err := sn.Profile(row.A)
			if err != nil {
				return err
			}
			b, err := sn.Profile(row.B)
			if err != nil {
				return err
			}
			e, err := scorer.Explain(a, b)
			if err != nil {
				return err
			}
			s.Explanations[row.RowKey] = *e
		}
		return nil
	})
	return s
}

// compare holds the stored actors and alarms to what follows from the cases, rows and
// reviews when all are looked at together.
func (d *deployment) compare(s state) (conflicts int) {
	d.Helper()
	meta := make(map[evidence.Ref]graph.Meta)
	d.view(func(sn graph.Snapshot) (err error) {
		for ref := range d.cases {
			if meta[ref], err = sn.Meta(ref); err != nil {
				return err
			}
		}
		return nil
	})
	fanouts := d.fanouts(s.Rows, meta)
	said := make(map[graph.RowKey]graph.Verdict)
	var reviews []actor.Review
	for _, r := range s.Reviews {
		said[r.RowKey] = r.Verdict
		reviews = append(reviews, actor.Review{A: r.A, B: r.B, Same: r.Verdict == graph.Confirmed, At: r.Time})
	}
	var edges []actor.Edge
	for _, row := range s.Rows {
		if row.Verdict != said[row.RowKey] {
			d.Errorf("the row of %v has verdict %d, people said %d", row.RowKey, row.Verdict, said[row.RowKey])
		}
		delete(said, row.RowKey)
		if row.A.Tenant == row.B.Tenant && row.Verdict == graph.Unreviewed {
			d.Errorf("the cases of one tenant %v have a row though nobody speaks of them", row.RowKey)
		}
		held := row.Verdict == graph.Unreviewed && link.Tier(row.Tier) >= link.Lead && (fanouts[row.A].Alarm || fanouts[row.B].Alarm)
		if row.Held != held {
			d.Errorf("the row of %v is held: %t, want %t", row.RowKey, row.Held, held)
		}
		tier := link.Tier(row.Tier)
		if held {
			tier = min(tier, link.Probable)
		}
		edges = append(edges, actor.Edge{A: row.A, B: row.B, Millibits: row.Millibits, Tier: tier})
	}
	for key := range said {
		if key.A.Tenant != key.B.Tenant && d.cases[key.A].Live() && d.cases[key.B].Live() {
			d.Errorf("the reviewed pair %v has no row", key)
		}
	}
	var cases []actor.Case
	for _, c := range d.cases {
		if p := c.Profile(); p.Live {
			cases = append(cases, actor.Case{Ref: c.Ref, Active: actor.SpanOf(p.First, p.Last), Opened: c.OpenedAt})
		}
	}
	whole := actor.Cluster(cases, edges, reviews)
	want := make(map[evidence.Ref][]evidence.Ref)
	for _, a := range whole.Actors {
		want[a.Founder] = a.Members
	}
	got := make(map[evidence.Ref][]evidence.Ref)
	for _, a := range s.Actors {
		got[a.Founder] = a.Members
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		d.Errorf("actors (-all together +stored):\n%s", diff)
	}
	if diff := gocmp.Diff(fanouts, s.Fanouts); diff != "" {
		d.Errorf("fan-outs (-all together +stored):\n%s", diff)
	}
	return len(whole.Conflicts)
}

// fanouts counts, the slow way, what alarms rest on.
func (d *deployment) fanouts(rows []graph.Row, meta map[evidence.Ref]graph.Meta) map[evidence.Ref]graph.Fanout {
	reached, made := make(map[evidence.Ref]map[string]bool), make(map[evidence.Ref]map[string]bool)
	day := func(ref evidence.Ref) int32 { return int32(meta[ref].UpdateTime.Unix() / 86_400) }
	for _, row := range rows {
		if row.Verdict == graph.Refuted || link.Tier(row.Tier) < link.Lead {
			continue
		}
		for _, end := range [][2]evidence.Ref{{row.A, row.B}, {row.B, row.A}} {
			x, y := end[0], end[1]
			if reached[x] == nil {
				reached[x], made[x] = make(map[string]bool), make(map[string]bool)
			}
			reached[x][y.Tenant] = true
			if link.Tier(row.Tier) >= link.Probable && day(y) < day(x) {
				made[x][y.Tenant] = true
			}
		}
	}
	// Cases that are linked, or of one tenant, are in one group.
	together := func(x, y evidence.Ref) bool {
		return x.Tenant == y.Tenant || slices.ContainsFunc(rows, func(r graph.Row) bool {
			return r.RowKey == graph.Pair(x, y) && r.Verdict != graph.Refuted && link.Tier(r.Tier) >= link.Lead
		})
	}
	groups := func(x evidence.Ref) (n int) {
		var left []evidence.Ref
		for _, row := range rows {
			if (row.A == x || row.B == x) && row.Verdict != graph.Refuted && link.Tier(row.Tier) >= link.Lead {
				left = append(left, row.A, row.B)
			}
		}
		left = slices.DeleteFunc(left, func(y evidence.Ref) bool { return y == x })
		for ; len(left) > 0; n++ {
			group := left[:1:1]
			left = left[1:]
			for i := 0; i < len(group); i++ {
				left = slices.DeleteFunc(slices.Clone(left), func(y evidence.Ref) bool {
					in := together(group[i], y)
					if in {
						group = append(group, y)
					}
					return in
				})
			}
		}
		return n
	}
	type on struct {
		tenant string
		day    int32
	}
	sums := make(map[on]int)
	for ref, tenants := range made {
		sums[on{ref.Tenant, day(ref)}] += len(tenants)
	}
	out := make(map[evidence.Ref]graph.Fanout)
	for ref := range d.cases {
		f := graph.Fanout{Made: uint32(len(made[ref])), Wide: len(reached[ref]) > d.groups}
		f.Alarm = len(reached[ref]) > d.reach || f.Wide && groups(ref) > d.groups
		if f.Made > 0 {
			f.Day = day(ref)
			f.Alarm = f.Alarm || sums[on{ref.Tenant, f.Day}] > d.made
		}
		out[ref] = f
	}
	return out
}

// TestOperations lets random operations pass in two orders, the linker being asked at
// other times in each, and holds every link, actor, id, alarm and explanation of both
// to each other, and the actors to those that are found all at once.
func TestOperations(t *testing.T) {
	seed := *operationSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	n := *operations
	if testing.Short() {
		n /= 2
	}
	t.Logf("%d operations, -operations.seed %d", n, seed)
	w := &operationWorld{Rand: rand.New(rand.NewPCG(seed, 1)), tenants: 10 + n/40}
	all := make([]operation, n)
	for i := range all {
		all[i] = w.draw(i * 20 / n)
	}
	orders := [][]operation{all, shuffle(w.Rand, all)}
	var states [2]state
	for i, order := range orders {
		d := deploy(t)
		if i == 0 {
			// All cases are looked at in one order, what is listed in the other.
			d.linker.RegroupFrom(1 + w.IntN(20))
		}
		every := 3 + w.IntN(n/8)
		conflicts, seen := 0, 0
		for k, o := range order {
			d.day = o.day
			o.do(d)
			if k%every == every-1 {
				d.drain()
				if n <= 2_000 || k > n-2*every {
					s := d.state(false)
					conflicts += d.compare(s)
					seen += len(s.Actors)
				}
			}
			if t.Failed() {
				t.Fatalf("after operation %d of order %d, %s", k, i, o.what)
			}
		}
		d.drain()
		states[i] = d.state(true)
		conflicts += d.compare(states[i])
		held := 0
		for _, row := range states[i].Rows {
			if row.Held {
				held++
			}
		}
		t.Logf("order %d: %d cases, %d rows, %d of them held, %d actors, %d reviews, %d conflicts seen",
			i, len(d.cases), len(states[i].Rows), held, len(states[i].Actors), len(states[i].Reviews), conflicts)
		if seen += len(states[i].Actors); seen < 2 {
			t.Errorf("%d actors: nothing was tested", seen)
		}
		d.must(d.store.Close())
	}
	if diff := gocmp.Diff(states[0], states[1]); diff != "" {
		t.Fatalf("the orders end differently:\n%s", diff)
	}
}
