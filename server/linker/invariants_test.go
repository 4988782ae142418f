package linker_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// invariants names, by their numbers in SCORING.md C, the tests that hold them, each
// with the folder that it is in.
func invariants() map[int][]string {
	return map[int][]string{
		1:  {"../linker TestInvariants", "../link TestWeight", "../link TestWaysAgree"},
		2:  {"../linker TestOperations"},
		3:  {"../linker TestInvariants"},
		4:  {"../linker TestInvariants", "../linker TestOperations"},
		5:  {"../link TestTally", "../link TestWeight", "../link TestRulesAreMonotone"},
		6:  {"../link TestTally", "../link TestWeight", "../link TestCapsOfFamilies", "../linker TestInvariants"},
		7:  {"../linker TestInvariants", "../linker TestPoison", "../link TestWeight"},
		8:  {"../linker TestInvariants", "../linker TestPoison"},
		9:  {"../linker TestInvariants"},
		10: {"../actor TestReviewsHold", "../linker TestRefuteSplits", "../linker TestInvariants", ".. TestReviewIsPreviewedAndTakenBack"},
		11: {".. TestTwoWorlds"},
		12: {"../linker TestInvariants", "../link TestBoundaryCases", "../link TestPublishedPair"},
		13: {"../linker TestIncrementalIsBatch", "../linker TestOperations", "../actor TestRefreshIsClusterOfAll", "../actor TestClusterIsTheDefinition"},
		14: {"../link TestAlike", "../linker TestInvariants"},
		15: {"../link TestSingleMatchDoesNotDependOnN"},
	}
}

func TestEveryInvariantHasItsTests(t *testing.T) {
	folders := make(map[string]map[string]bool)
	for number := 1; number <= 15; number++ {
		tests := invariants()[number]
		if len(tests) == 0 {
			t.Errorf("no test holds invariant %d", number)
		}
		for _, test := range tests {
			folder, name, _ := strings.Cut(test, " ")
			if folders[folder] == nil {
				folders[folder] = testsIn(t, folder)
			}
			if !folders[folder][name] {
				t.Errorf("invariant %d: there is no %s in %s", number, name, folder)
			}
		}
	}
}

// testsIn returns the names of the functions in the test files of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// TestInvariants lets random operations pass, and then holds what SCORING.md C says of
// any store to the one that came out.
func TestInvariants(t *testing.T) {
	seed := *operationSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	n := 160
	if testing.Short() {
		n = 60
	}
	t.Logf("%d operations, -operations.seed %d", n, seed)
	w := &operationWorld{Rand: rand.New(rand.NewPCG(seed, 2)), tenants: 12}
	d := deploy(t)
	defer d.store.Close()
	for i := range n {
		o := w.draw(i * 20 / n)
		d.day = o.day
		o.do(d)
	}
	d.drain()
	before := d.state(true)
	if d.compare(before); t.Failed() {
		t.FailNow()
	}
	d.sums(w, before)
	d.unchanged(before)
	d.deleted(w, before)
	d.poisoned(w)
	d.aged()
}

// pairs are all links and some others.
func (d *deployment) pairs(w *operationWorld, s state) (pairs []graph.RowKey) {
	for _, row := range s.Rows {
		pairs = append(pairs, row.RowKey)
	}
	var refs []evidence.Ref
	for tenant := range w.tenants {
		for id := range 4 {
			if ref := (evidence.Ref{Tenant: fmt.Sprintf("t%02d", tenant), Case: fmt.Sprint(id)}); d.cases[ref] != nil {
				refs = append(refs, ref)
			}
		}
	}
	for range 100 {
		if x, y := refs[w.IntN(len(refs))], refs[w.IntN(len(refs))]; x != y {
			pairs = append(pairs, graph.Pair(x, y))
		}
	}
	return pairs
}

// explained compares pairs in either order.
func (d *deployment) explained(pairs []graph.RowKey) map[graph.RowKey]link.Explanation {
	d.Helper()
	out := make(map[graph.RowKey]link.Explanation)
	d.view(func(sn graph.Snapshot) error {
		scorer, err := d.rules.Scorer(sn)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			a, err := sn.Profile(pair.A)
			if err != nil {
				return err
			}
			b, err := sn.Profile(pair.B)
			if err != nil {
				return err
			}
			e, err := scorer.Explain(a, b)
			if err != nil {
				return err
			}
			back, err := scorer.Explain(b, a)
			if err != nil {
				return err
			}
			if diff := gocmp.Diff(e, back); diff != "" {
				d.Errorf("invariant 1: %v the other way round:\n%s", pair, diff)
			}
			out[pair] = *e
		}
		return nil
	})
	return out
}

// sums holds invariants 1, 6, 12 and 14.
func (d *deployment) sums(w *operationWorld, s state) {
	d.Helper()
	for pair, e := range d.explained(d.pairs(w, s)) {
		total := e.Prior + e.Negative
		for _, f := range e.Families {
			total += f.Used
			var raw int32
			for _, g := range f.Groups {
				var used int32
				for _, v := range g.Values {
					used += v.Used
					if f.Name != link.Behaviour && (v.Weight < 0 || v.Used < 0) {
						d.Errorf("invariant 6: %v: %s weighs %d", pair, v.Text, v.Weight)
					}
					if evidence.IsPlaceholder(v.Text) && v.Kind == evidence.KindRuleName {
						d.Errorf("invariant 14: %v: %q weighs %d", pair, v.Text, v.Weight)
					}
				}
				if used != g.Used {
					d.Errorf("invariant 12: %v: group %s is %d, its values are %d", pair, g.ID, g.Used, used)
				}
				raw += g.Used
			}
			if raw != f.Raw || f.Used > f.Cap || f.Used != min(f.Raw, f.Cap) {
				d.Errorf("invariants 6 and 12: %v: family %s uses %d of %d, cap %d, its groups are %d", pair, f.Name, f.Used, f.Raw, f.Cap, raw)
			}
		}
		if total != e.Total || e.Micros > 995_000 {
			d.Errorf("invariants 6 and 12: %v: parts are %d, the total %d, likelihood %d", pair, total, e.Total, e.Micros)
		}
	}
}

// unchanged holds invariant 3: what is submitted again changes nothing.
func (d *deployment) unchanged(before state) {
	d.Helper()
	for ref, c := range d.cases {
		receipt, err := d.store.Submit(d.Context(), c, nil)
		d.must(err)
		if receipt.Outcome != graph.Unchanged {
			d.Errorf("invariant 3: %s submitted again has outcome %d", ref, receipt.Outcome)
		}
	}
	if n, _, err := d.store.Backlog(d.Context(), 10); err != nil || n != 0 {
		d.Errorf("invariant 3: %d marks, %v", n, err)
	}
	d.drain()
	d.still(3, before)
}

// still holds that everything is as before.
func (d *deployment) still(invariant int, before state) {
	d.Helper()
	if diff := gocmp.Diff(before, d.state(true)); diff != "" {
		d.Fatalf("invariant %d (-before +after):\n%s", invariant, diff)
	}
}

// strangers submits cases of tenants that have none, which use what the others do.
func (d *deployment) strangers(w *operationWorld, tenants, cases int) (refs []evidence.Ref) {
	d.Helper()
	for i := range cases {
		ref := evidence.Ref{Tenant: fmt.Sprintf("z%02d", i%tenants), Case: fmt.Sprint(i)}
		c, _, err := evidence.Parse(w.draft(ref), evidence.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
		d.must(err)
		_, err = d.store.Submit(d.Context(), c, nil)
		d.must(err)
		d.cases[ref] = c
		refs = append(refs, ref)
	}
	return refs
}

// deleted holds invariants 4 and 10: cases that come and go, and what is said of them
// and of others and taken back, leave nothing.
func (d *deployment) deleted(w *operationWorld, before state) {
	d.Helper()
	refs := d.strangers(w, 3, 12)
	d.drain()
	for i, ref := range refs {
		other := refs[(i+1)%len(refs)]
		verdict := []graph.Verdict{graph.Confirmed, graph.Refuted}[i%2]
		d.say(verdict, ref, other, 100_000+i)
	}
	said := make(map[graph.RowKey]bool)
	for _, r := range before.Reviews {
		said[r.RowKey] = true
	}
	var taken []graph.RowKey
	for _, pair := range d.pairs(w, before) {
		if !said[pair] && len(taken) < 6 {
			said[pair] = true
			taken = append(taken, pair)
			d.say([]graph.Verdict{graph.Confirmed, graph.Refuted}[len(taken)%2], pair.A, pair.B, 200_000+len(taken))
		}
	}
	d.drain()
	d.compare(d.state(false))
	for i, pair := range taken {
		d.say(graph.Unreviewed, pair.A, pair.B, 300_000+i)
	}
	for _, ref := range refs {
		d.must(d.store.Delete(d.Context(), ref))
		delete(d.cases, ref)
	}
	d.drain()
	d.still(4, before)
}

// poisoned holds invariants 7 and 8: the cases of one tenant raise no pair of others,
// and lower one by no more than on each of its values the presence of that tenant, and of
// those whose presence was explained by what the tenant now has too. Section C does not
// count the latter: a value of four tenants explains, and with the fifth no more.
func (d *deployment) poisoned(w *operationWorld) {
	d.Helper()
	pairs := d.pairs(w, d.state(false))
	before := d.explained(pairs)
	holders := d.holders()
	refs := d.strangers(w, 1, 4)
	d.drain()
	copied := make(map[evidence.Value]bool)
	for _, ref := range refs {
		for _, s := range d.cases[ref].Profile().Sightings {
			copied[s.Value] = true
		}
	}
	for pair, now := range d.explained(pairs) {
		was := before[pair]
		unexplained := make(map[evidence.Value]uint32)
		for _, f := range now.Families {
			for _, g := range f.Groups {
				for _, v := range g.Values {
					unexplained[v.Value] = v.Unexplained
				}
			}
		}
		// Of a family the most is twice what one value loses.
		var most int32
		for _, f := range was.Families {
			var one int32
			for _, g := range f.Groups {
				for _, v := range g.Values {
					more := 1 + turned(holders, copied, v.Value, pair)
					if now, ok := unexplained[v.Value]; ok && now > v.Unexplained+more {
						d.Errorf("invariant 7: %v: %s has %d unexplained tenants, %d before, at most %d can be new", pair, v.Text, now, v.Unexplained, more)
					}
					if v.Alpha > 0 {
						one = max(one, fall(v.Alpha, more))
					}
				}
			}
			most += 2 * one
		}
		if now.Total > was.Total {
			d.Errorf("invariant 8: %v rises from %d to %d millibits", pair, was.Total, now.Total)
		}
		if now.Total < was.Total-most-10 {
			d.Errorf("invariant 7: %v falls from %d to %d millibits, by more than %d", pair, was.Total, now.Total, most)
		}
	}
	for _, ref := range refs {
		d.must(d.store.Delete(d.Context(), ref))
		delete(d.cases, ref)
	}
	d.drain()
}

// fall is the most that a value loses with so many more tenants, log2((α+n)/α) in
// millibits.
func fall(alpha float64, tenants uint32) int32 {
	return int32(1000 * math.Log2((alpha+float64(tenants))/alpha))
}

// holders are the cases that have a value.
func (d *deployment) holders() map[evidence.Value]map[evidence.Ref]bool {
	out := make(map[evidence.Value]map[evidence.Ref]bool)
	for ref, c := range d.cases {
		for _, s := range c.Profile().Sightings {
			if out[s.Value] == nil {
				out[s.Value] = make(map[evidence.Ref]bool)
			}
			out[s.Value][ref] = true
		}
	}
	return out
}

// turned counts the tenants on a value, other than those of a pair, with a case that has
// a copied value in common with the pair.
func turned(holders map[evidence.Value]map[evidence.Ref]bool, copied map[evidence.Value]bool, on evidence.Value, pair graph.RowKey) uint32 {
	tenants := make(map[string]bool)
	for x := range holders[on] {
		if x.Tenant == pair.A.Tenant || x.Tenant == pair.B.Tenant {
			continue
		}
		for other := range copied {
			if has := holders[other]; other != on && has[x] && (has[pair.A] || has[pair.B]) {
				tenants[x.Tenant] = true
			}
		}
	}
	return uint32(len(tenants))
}

// aged holds invariant 9: time that passes changes nothing, however much is scored anew.
func (d *deployment) aged() {
	d.Helper()
	before := d.state(true)
	d.day += 500
	d.must(d.store.StartSweep(d.Context(), d.rules.Basis(), true))
	d.must(d.linker.Drain(d.Context(), nil))
	d.must(d.store.StartRegrouping(d.Context()))
	d.must(d.linker.Drain(d.Context(), nil))
	d.still(9, before)
}
