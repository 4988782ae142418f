package graphtest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Model is the slow, obvious store: a map of cases, out of which every answer
// is counted anew. A backend is right if it answers as the model does. The zero
// value is an empty model with the limits of package graph.
type Model struct {
	Limits graph.Limits
	cases  map[evidence.Ref]held
}

type held struct {
	evidence.Case
	profile *evidence.Profile
}

// Submit creates or replaces a case.
func (m *Model) Submit(c *evidence.Case) {
	if m.cases == nil {
		m.cases = make(map[evidence.Ref]held)
	}
	m.cases[c.Ref] = held{*c, c.Profile()}
}

// Delete removes a case and reports whether it was there.
func (m *Model) Delete(ref evidence.Ref) bool {
	_, ok := m.cases[ref]
	delete(m.cases, ref)
	return ok
}

// Case returns a case and reports whether it is there.
func (m *Model) Case(ref evidence.Ref) (evidence.Case, bool) {
	c, ok := m.cases[ref]
	return c.Case, ok
}

// Cases returns all cases in order of Ref.
func (m *Model) Cases() []evidence.Case {
	var all []evidence.Case
	for _, c := range m.cases {
		all = append(all, c.Case)
	}
	slices.SortFunc(all, func(x, y evidence.Case) int { return x.Ref.Compare(y.Ref) })
	return all
}

// Profile returns what linking reads of a case, nil if there is none.
func (m *Model) Profile(ref evidence.Ref) *evidence.Profile {
	return m.cases[ref].profile
}

// Size is the number of live cases of customers.
func (m *Model) Size() uint32 {
	n := uint32(0)
	for _, c := range m.cases {
		if c.Live() && !strings.HasPrefix(c.Tenant, "reports-") {
			n++
		}
	}
	return n
}

// Values returns the values that live cases hold, in order of Value.
func (m *Model) Values() []evidence.Value {
	held := map[evidence.Value]bool{}
	for _, c := range m.cases {
		if c.Live() {
			for _, s := range c.profile.Sightings {
				held[s.Value] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(held), evidence.Value.Compare)
}

// Sightings returns the sightings of a value in live cases, in the order of
// graph.Snapshot.Sightings.
func (m *Model) Sightings(v evidence.Value) []graph.Sighting {
	return m.sightings(v, func(c *evidence.Case) bool { return c.Live() })
}

// heldOf is what sightings of a value are together.
func heldOf(sightings []graph.Sighting) graph.Held {
	held := graph.Held{Whole: len(sightings) <= graph.MaxPutTogether}
	for i, s := range sightings {
		fresh := i == 0 || sightings[i-1].Tenant != s.Tenant
		if fresh {
			held.By = append(held.By, graph.HeldBy{Tenant: s.Tenant})
		}
		if fresh || held.Whole {
			held.By[len(held.By)-1].Add(s)
		}
	}
	held.By = held.By[:min(len(held.By), graph.MaxHolders)]
	return held
}

// Holders returns who has a value.
func (m *Model) Holders(v evidence.Value) graph.Holders {
	sum := m.Summary(v)
	first := func(sightings []graph.Sighting) (tenants []string) {
		for _, s := range sightings {
			if !slices.Contains(tenants, s.Tenant) {
				tenants = append(tenants, s.Tenant)
			}
		}
		slices.Sort(tenants)
		return tenants[:min(len(tenants), graph.MaxHolders)]
	}
	return graph.Holders{Tenants: sum.Tenants, Cases: sum.Cases, Live: first(m.Sightings(v)), Withheld: first(m.Withheld(v))}
}

// SightingsIn returns the first few sightings of each of some tenants.
func (m *Model) SightingsIn(v evidence.Value, tenants []string, each int) []graph.Sighting {
	var found []graph.Sighting
	of := make(map[string]int)
	for _, s := range m.Sightings(v) {
		if of[s.Tenant]++; slices.Contains(tenants, s.Tenant) && of[s.Tenant] <= each {
			found = append(found, s)
		}
	}
	return found
}

// Withheld returns the sightings of a value in restricted and tlp:red cases.
func (m *Model) Withheld(v evidence.Value) []graph.Sighting {
	return m.sightings(v, func(c *evidence.Case) bool { return !c.Live() && c.State != evidence.Dismissed })
}

func (m *Model) sightings(v evidence.Value, want func(*evidence.Case) bool) []graph.Sighting {
	var found []graph.Sighting
	for _, c := range m.cases {
		if !want(&c.Case) {
			continue
		}
		for _, s := range c.profile.Sightings {
			if s.Value == v {
				found = append(found, graph.Sighting{Ref: c.Ref, Roles: s.Roles, First: s.First, Last: s.Last, Count: s.Count})
			}
		}
	}
	slices.SortFunc(found, func(x, y graph.Sighting) int {
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), y.Last.Compare(x.Last), cmp.Compare(x.Case, y.Case))
	})
	return found
}

// Summary counts the sightings of a value.
func (m *Model) Summary(v evidence.Value) graph.Summary {
	s := graph.Summary{Withheld: uint32(len(m.Withheld(v)))}
	tenants := map[string]bool{}
	for _, sg := range m.Sightings(v) {
		tenants[sg.Tenant] = true
		s.Cases++
		if !sg.First.IsZero() && (s.First.IsZero() || sg.First.Before(s.First)) {
			s.First = sg.First
		}
		if sg.Last.After(s.Last) {
			s.Last = sg.Last
		}
		s.Newest = append(s.Newest, sg)
	}
	s.Tenants = uint32(len(tenants))
	slices.SortFunc(s.Newest, func(x, y graph.Sighting) int {
		return cmp.Or(y.Last.Compare(x.Last), x.Ref.Compare(y.Ref))
	})
	s.Newest = s.Newest[:min(len(s.Newest), 10)]
	return s
}

// Representatives returns the first cases of each tenant on a value, nil if it
// is in too many tenants.
func (m *Model) Representatives(v evidence.Value) []evidence.Ref {
	limits := m.Limits.OrDefaults()
	var refs []evidence.Ref
	of := map[string]int{}
	for _, s := range m.Sightings(v) {
		if of[s.Tenant]++; of[s.Tenant] <= limits.RepresentativesPerTenant {
			refs = append(refs, s.Ref)
		}
	}
	if len(of) > limits.CandidateTenants {
		return nil
	}
	return refs
}
