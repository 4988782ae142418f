package link

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// drawRow draws a row of the model.
func drawRow(t *rapid.T) *row {
	m := Version1()
	rows := []*row{&m.sendingName, &m.otherName, &m.spoofedName, &m.forwardDomain}
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
			return m.micros(prior + weigh(r, r.alpha, 0, 1, 0, n, 1, 1, 0))
		}
		for n := uint32(1024); n < 1<<24; n *= 2 {
			if x, y := float64(at(n)), float64(at(2*n)); x/y > 1.01 || y/x > 1.01 {
				t.Errorf("%s: likelihood %v at N = %d, %v at twice that", class, x, n, y)
			}
		}
	}
}

func drawParts(t *rapid.T) []part {
	n := rapid.IntRange(0, 12).Draw(t, "parts")
	var parts []part
	for i := range n {
		name := rapid.SampledFrom(families[:]).Draw(t, "family")
		kind := map[Family]evidence.Kind{
			Infra: evidence.KindIP, Deception: evidence.KindEmail,
			Tooling: evidence.KindRuleName, Artifact: evidence.KindFileHash,
		}[name]
		group := fmt.Sprint("group ", rapid.IntRange(0, 4).Draw(t, "group"))
		if name == Tooling {
			group = rulesGroup
		}
		parts = append(parts, part{
			family: familyOf(name), group: group, weight: rapid.Int32Range(1, 25_000).Draw(t, "weight"),
			value: evidence.Value{Kind: kind, Text: fmt.Sprint(i)}, bulk: rapid.IntRange(0, 5).Draw(t, "bulk") == 0,
		})
	}
	return parts
}

// tallied adds up parts, which stay as they are.
func tallied(m *Model, prior int32, parts []part) *tally {
	t := &tally{parts: slices.Clone(parts)}
	t.add(m, prior)
	return t
}

func TestTally(t *testing.T) {
	m := Version1()
	rapid.Check(t, func(t *rapid.T) {
		prior := -1000 * rapid.Int32Range(10, 31).Draw(t, "log2 N")
		parts := drawParts(t)
		sums := tallied(m, prior, parts)
		raw := make([]int32, len(families))
		for _, p := range sums.parts {
			raw[p.family] += p.used
			if p.used < 0 || p.used > p.weight {
				t.Errorf("a part of %d millibits adds %d", p.weight, p.used)
			}
		}
		for f, s := range sums.sums {
			if s.raw != raw[f] || s.used != min(s.raw, s.cap) {
				t.Errorf("%s: raw %d, cap %d, used %d; the parts add %d", families[f], s.raw, s.cap, s.used, raw[f])
			}
		}
		shuffled := tallied(m, prior, rapid.Permutation(parts).Draw(t, "order"))
		if diff := cmp.Diff(sums, shuffled, cmp.AllowUnexported(tally{}, part{}, sum{}, row{}, place{}), cmpopts.IgnoreFields(tally{}, "sorted", "runs")); diff != "" {
			t.Fatalf("order of the evidence changes the result:\n%s", diff)
		}
		// A further group never lowers a family, however it reshuffles the ranks;
		// rounding to millibits may take one per rank.
		f := familyOf(rapid.SampledFrom([]Family{Infra, Deception, Artifact}).Draw(t, "family of the new group"))
		before := sums.sums[f].used
		more := append(slices.Clone(parts), part{
			family: f, group: "new", value: evidence.Value{Kind: "x_new", Text: "new"},
			weight: rapid.Int32Range(0, 25_000).Draw(t, "weight"),
		})
		bulk := slices.ContainsFunc(parts, func(p part) bool { return p.bulk })
		if after := tallied(m, prior, more).sums[f].used; !bulk && after < before-int32(len(more)) {
			t.Errorf("a further group lowers %s from %d to %d", families[f], before, after)
		}
	})
}

func TestCapsOfFamilies(t *testing.T) {
	m := Version1()
	strong := func(f Family, n int) (parts []part) {
		for i := range n {
			parts = append(parts, part{family: familyOf(f), group: fmt.Sprint(i), weight: 20_000})
		}
		return parts
	}
	for family, want := range map[Family]uint32{Infra: 985_000, Deception: 985_000, Tooling: 497_600, Artifact: 889_000} {
		const prior = -12_000
		if _, micros := tallied(m, prior, strong(family, 9)).total(m, prior, 0); micros > want {
			t.Errorf("%s alone reaches %d millionths, more than %d", family, micros, want)
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
		if slices.ContainsFunc(p.Sightings, func(s evidence.Sighting) bool { return s.Value == v }) {
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
	s, err := NewScorer(Version1(), Caps{64, 4, 256, 512}, c, c, nil)
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
