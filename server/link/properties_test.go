package link

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// drawRow draws a row of the model.
func drawRow(t *rapid.T) row {
	m := Version1()
	rows := []row{m.sendingName, m.otherName, m.spoofedName, m.forwardDomain}
	for _, k := range []evidence.Kind{evidence.KindEmail, evidence.KindFileHash, evidence.KindRuleName, evidence.KindCIDR} {
		rows = append(rows, m.kinds[k])
	}
	for _, c := range []string{ClassHosting, ClassVPN, ClassUnknown, ClassMobile, ClassResidentialDynamic} {
		rows = append(rows, m.addresses[c])
	}
	return rapid.SampledFrom(rows).Draw(t, "row")
}

func TestWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRow(t)
		n := uint32(1) << rapid.IntRange(10, 24).Draw(t, "log2 N")
		d := rapid.Uint32Range(0, 400).Draw(t, "d")
		gap := rapid.Int64Range(0, 4000).Draw(t, "gap")
		na, nb := rapid.IntRange(1, 10_000).Draw(t, "na"), rapid.IntRange(1, 10_000).Draw(t, "nb")
		share := rapid.Float64Range(0, .3).Draw(t, "share")
		trust := rapid.Float64Range(0, 1).Draw(t, "trust")
		at := func(d uint32, na int, gap int64, trust float64) int32 {
			return weigh(r, r.alpha, share, trust, d, n, na, nb, gap)
		}
		w := at(d, na, gap, trust)
		if w < 0 || r.cap > 0 && w > r.cap {
			t.Fatalf("weight %d", w)
		}
		if more := at(d+1, na, gap, trust); more > w {
			t.Errorf("one more unrelated tenant raises the weight from %d to %d", w, more)
		}
		if more := at(d, na+1, gap, trust); more > w {
			t.Errorf("a longer case raises the weight from %d to %d", w, more)
		}
		if more := at(d, na, gap+1, trust); more > w {
			t.Errorf("a longer gap raises the weight from %d to %d", w, more)
		}
		if less := at(d, na, gap, trust/2); less > w {
			t.Errorf("less trust raises the weight from %d to %d", w, less)
		}
		// One tenant counts at most one in d (SCORING.md C7), quantised at most
		// doubling it above 2.
		if d < 2 && share == 0 {
			bound := log2Millibits((r.alpha+float64(d)+1)/(r.alpha+float64(d))) + 2
			if fall := w - at(d+1, na, gap, trust); fall > bound {
				t.Errorf("one tenant takes %d millibits, at most %d", fall, bound)
			}
		}
		if weigh(r, r.alpha, share, trust, d, n, nb, na, gap) != w {
			t.Error("weight depends on the order of the cases")
		}
	})
}

// TestSingleMatchDoesNotDependOnN is SCORING.md C15.
func TestSingleMatchDoesNotDependOnN(t *testing.T) {
	m := Version1()
	for class, r := range m.addresses {
		if r.service || r.cap > 0 {
			continue
		}
		at := func(n uint32) uint32 {
			prior := log2Millibits(1 / float64(n))
			_, micros := m.total(prior+weigh(r, r.alpha, 0, 1, 0, n, 1, 1, 0), nil)
			return micros
		}
		for n := uint32(1024); n < 1<<24; n *= 2 {
			if x, y := float64(at(n)), float64(at(2*n)); x/y > 1.01 || y/x > 1.01 {
				t.Errorf("%s: likelihood %v at N = %d, %v at twice that", class, x, n, y)
			}
		}
	}
}

func drawItems(t *rapid.T) []item {
	n := rapid.IntRange(0, 12).Draw(t, "items")
	var items []item
	for i := range n {
		family := rapid.SampledFrom([]Family{Infra, Deception, Tooling, Artifact}).Draw(t, "family")
		kind := map[Family]evidence.Kind{
			Infra: evidence.KindIP, Deception: evidence.KindEmail,
			Tooling: evidence.KindRuleName, Artifact: evidence.KindFileHash,
		}[family]
		group := fmt.Sprint("group ", rapid.IntRange(0, 4).Draw(t, "group"))
		if family == Tooling {
			group = rulesGroup
		}
		items = append(items, item{family: family, group: group, Value: Value{
			Value: evidence.Value{Kind: kind, Text: fmt.Sprint(i)}, Weight: rapid.Int32Range(1, 25_000).Draw(t, "weight"),
			bulk: rapid.IntRange(0, 5).Draw(t, "bulk") == 0,
		}})
	}
	return items
}

func TestCombine(t *testing.T) {
	m := Version1()
	rapid.Check(t, func(t *rapid.T) {
		prior := -1000 * rapid.Int32Range(10, 31).Draw(t, "log2 N")
		items := drawItems(t)
		e := m.combine(prior, items, FamilyScore{})
		checkSums(t, e)
		shuffled := rapid.Permutation(items).Draw(t, "order")
		if diff := cmp.Diff(e, m.combine(prior, shuffled, FamilyScore{}), cmp.AllowUnexported(Value{})); diff != "" {
			t.Fatalf("order of the evidence changes the result:\n%s", diff)
		}
		// A further group never lowers a family, however it reshuffles the ranks;
		// rounding to millibits may take one per rank.
		family := rapid.SampledFrom([]Family{Infra, Deception, Artifact}).Draw(t, "family of the new group")
		before := familyUsed(e, family)
		more := append(slices.Clone(items), item{family: family, group: "new", Value: Value{
			Value: evidence.Value{Kind: "x_new", Text: "new"}, Weight: rapid.Int32Range(0, 25_000).Draw(t, "weight"),
		}})
		bulk := slices.ContainsFunc(items, func(it item) bool { return it.bulk })
		if after := familyUsed(m.combine(prior, more, FamilyScore{}), family); !bulk && after < before-int32(len(more)) {
			t.Errorf("a further group lowers %s from %d to %d", family, before, after)
		}
	})
}

func familyUsed(e *Explanation, name Family) int32 {
	for _, f := range e.Families {
		if f.Name == name {
			return f.Used
		}
	}
	return 0
}

func TestCapsOfFamilies(t *testing.T) {
	m := Version1()
	strong := func(f Family, n int) (items []item) {
		for i := range n {
			items = append(items, item{family: f, group: fmt.Sprint(i), Value: Value{Weight: 20_000}})
		}
		return items
	}
	for family, want := range map[Family]float64{Infra: .985, Deception: .985, Tooling: .4976, Artifact: .889} {
		e := m.combine(-12_000, strong(family, 9), FamilyScore{})
		if e.Likelihood() > want {
			t.Errorf("%s alone reaches %v, more than %v", family, e.Likelihood(), want)
		}
	}
}

// TestThirdParties plays out what explains a third tenant on a common value.
func TestThirdParties(t *testing.T) {
	v := ip("70.0.0.1")
	rare := evidence.Value{Kind: evidence.KindDomain, Text: "rare.example"}
	groups := []evidence.Value{ip("71.0.0.1"), ip("72.0.0.1"), ip("73.0.0.1")}
	sameNet := ip("70.0.0.9")
	for _, tc := range []struct {
		name  string
		third []evidence.Value
		want  uint32
	}{
		{"nothing else", nil, 1},
		{"a rare value", []evidence.Value{rare}, 0},
		{"a rare value of the same group", []evidence.Value{sameNet}, 1},
		{"two common values", groups[:2], 1},
		{"three common values of three groups", groups, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pool := append([]evidence.Value{v, rare, sameNet}, groups...)
			x, y := pair(login(pool...), login(v))
			third := &evidence.Profile{Ref: evidence.Ref{Tenant: "c", Case: "1"}, Live: true}
			third.Sightings = login(append([]evidence.Value{v}, tc.third...)...)
			slices.SortFunc(third.Sightings, func(p, q evidence.Sighting) int { return p.Value.Compare(q.Value) })
			c := &crowd{table: table{size: 4096, tenants: map[evidence.Value]uint32{}}, cases: []*evidence.Profile{x, y, third}}
			for _, g := range groups {
				c.tenants[g] = 5 // above the four that explain alone
			}
			e := explainOn(t, c, x, y)
			if got := e.Families[0].Groups[0].Values[0].Unexplained; got != tc.want {
				t.Errorf("%d unexplained tenants, want %d", got, tc.want)
			}
		})
	}
}

// crowd is a table whose representatives are real cases.
type crowd struct {
	table
	cases []*evidence.Profile
}

func (c *crowd) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	refs, _ := c.Representatives(v)
	n := max(uint32(len(refs)), c.tenants[v])
	return n, n, nil
}

func (c *crowd) Representatives(v evidence.Value) (refs []evidence.Ref, err error) {
	for _, p := range c.cases {
		if i := search(p.Sightings, v); i < len(p.Sightings) && p.Sightings[i].Value == v {
			refs = append(refs, p.Ref)
		}
	}
	return refs, nil
}

func (c *crowd) Profile(ref evidence.Ref) (*evidence.Profile, error) {
	for _, p := range c.cases {
		if p.Ref == ref {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no case %s", ref)
}

func explainOn(t *testing.T, c *crowd, x, y *evidence.Profile) *Explanation {
	t.Helper()
	s, err := NewScorer(Version1(), Caps{64, 4, 256, 512}, c, c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Explain(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (c *crowd) Outline(ref evidence.Ref) (*evidence.Profile, error) { return c.Profile(ref) }

func (c *crowd) Overlap(ref evidence.Ref, _ *evidence.Profile) (*evidence.Profile, error) {
	return c.Profile(ref)
}
