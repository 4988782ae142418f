package link

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// world is a corpus of real cases in which everything is derived by plain loops.
type world struct {
	table
	cases []*evidence.Profile
	caps  Caps
}

func (w *world) on(v evidence.Value) (out []*evidence.Profile) {
	for _, p := range w.cases {
		if slices.ContainsFunc(p.Sightings, func(s evidence.Sighting) bool { return s.Value == v }) {
			out = append(out, p)
		}
	}
	return out
}

func (w *world) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	on := w.on(v)
	names := make(map[string]bool)
	for _, p := range on {
		names[p.Tenant] = true
	}
	return uint32(len(names)), uint32(len(on)), nil
}

func (w *world) Representatives(v evidence.Value) (refs []evidence.Ref, err error) {
	if tenants, _, _ := w.Spread(v); int(tenants) > w.caps.CandidateTenants {
		return nil, nil
	}
	for _, p := range w.on(v) {
		refs = append(refs, p.Ref)
	}
	slices.SortFunc(refs, evidence.Ref.Compare)
	return refs, nil
}

func (w *world) CasesOf(v evidence.Value, tenant string, limit int) (n int, err error) {
	for _, p := range w.on(v) {
		if p.Tenant == tenant && n < limit {
			n++
		}
	}
	return n, nil
}

func (w *world) Profile(ref evidence.Ref) (*evidence.Profile, error) {
	for _, p := range w.cases {
		if p.Ref == ref {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no case %s", ref)
}

// unexplained is the definition of SCORING.md A3, word by word.
func (w *world) unexplained(v evidence.Value, a, b *evidence.Profile) uint32 {
	tenants := make(map[string]bool) // whether explained
	count, _, _ := w.Spread(v)
	for _, x := range w.on(v) {
		if x.Tenant == a.Tenant || x.Tenant == b.Tenant {
			continue
		}
		explained := false
		if int(count) <= w.caps.CandidateTenants {
			explained = w.shares(x, a, v) || w.shares(x, b, v)
		}
		tenants[x.Tenant] = tenants[x.Tenant] || explained
	}
	d := uint32(0)
	for _, explained := range tenants {
		if !explained {
			d++
		}
	}
	return d
}

func (w *world) shares(x, a *evidence.Profile, v evidence.Value) bool {
	group := func(u evidence.Value) string { return Version1().group(u, w.Class(u)) }
	others := make(map[string]bool)
	for _, s := range a.Sightings {
		u := s.Value
		tenants, cases, _ := w.Spread(u)
		if !slices.ContainsFunc(x.Sightings, func(s evidence.Sighting) bool { return s.Value == u }) ||
			group(u) == group(v) || w.Class(u).Name == ClassVPN ||
			int(tenants) > w.caps.CandidateTenants || int(cases) > w.caps.ExplainingCases {
			continue
		}
		if int(tenants) <= w.caps.ExplainingTenants {
			return true
		}
		others[group(u)] = true
	}
	return len(others) >= 3
}

func TestUnexplainedTenants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{table: table{size: 4096, classes: make(map[evidence.Value]Class)}}
		w.caps = Caps{
			CandidateTenants:  rapid.IntRange(2, 8).Draw(t, "candidate cap"),
			ExplainingTenants: rapid.IntRange(1, 4).Draw(t, "explaining cap"),
			ExplainingCases:   rapid.IntRange(4, 20).Draw(t, "explaining cases"),
			ScoringTenants:    12,
		}
		var pool []evidence.Value
		for i := range 14 {
			// Two addresses a network, so that groups matter.
			v := ip(fmt.Sprintf("70.0.%d.%d", i/2, i))
			pool = append(pool, v)
			if rapid.IntRange(0, 4).Draw(t, "vpn") == 0 {
				w.classes[v] = Class{Name: ClassVPN}
			}
		}
		for i := range rapid.IntRange(2, 16).Draw(t, "cases") {
			p := &evidence.Profile{Live: true, Ref: evidence.Ref{
				Tenant: fmt.Sprint("t", rapid.IntRange(0, 9).Draw(t, "tenant")), Case: fmt.Sprint(i),
			}}
			values := rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 1, 8, rapid.ID).Draw(t, "values")
			slices.SortFunc(values, evidence.Value.Compare)
			p.Sightings = login(values...)
			w.cases = append(w.cases, p)
		}
		s, err := NewScorer(Version1(), w.caps, w, w, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := rapid.SampledFrom(w.cases).Draw(t, "a")
		b := rapid.SampledFrom(w.cases).Draw(t, "b")
		if a == b {
			return
		}
		e, err := s.Explain(a, b)
		if err != nil {
			t.Fatal(err)
		}
		checkSums(t, e)
		for _, f := range e.Families {
			for _, g := range f.Groups {
				for _, v := range g.Values {
					if want := quantise(w.unexplained(v.Value, a, b)); v.Kind == evidence.KindIP && v.Unexplained != want {
						t.Errorf("d of %s for %s and %s = %d, want %d", v.Text, a.Ref, b.Ref, v.Unexplained, want)
					}
				}
			}
		}
	})
}

func (w *world) Outline(ref evidence.Ref) (*evidence.Profile, error) { return w.Profile(ref) }

func (w *world) Overlap(ref evidence.Ref, _ *evidence.Profile) (*evidence.Profile, error) {
	return w.Profile(ref)
}
