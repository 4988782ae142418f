package link

import (
	"math"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// combine adds up evidence under the three discounts for dependence (SCORING.md
// A4): groups, ranks within a family, caps of families.
func (m *Model) combine(prior int32, items []item, behaviour FamilyScore) *Explanation {
	e := &Explanation{Prior: prior}
	e.Families = m.families(prior, items)
	if len(behaviour.Groups) > 0 {
		e.Families = append(e.Families, behaviour)
	}
	e.SharedCount = sharedCount(items)
	e.Total, e.Micros = m.total(prior, e.Families)
	return e
}

func sharedCount(items []item) uint32 {
	n := uint32(0)
	for _, it := range items {
		if !it.theme {
			n++
		}
	}
	return n
}

func (m *Model) total(prior int32, families []FamilyScore) (int32, uint32) {
	total := prior
	for _, f := range families {
		total += f.Used
	}
	return total, m.micros(total)
}

// micros returns the likelihood in millionths of a score in millibits.
func (m *Model) micros(total int32) uint32 {
	p := float64(m.ceiling / float64(1+exp2Millibits(-total)))
	return uint32(math.RoundToEven(float64(p * 1e6)))
}

// families groups, ranks and caps the items of every family but behaviour.
func (m *Model) families(prior int32, items []item) []FamilyScore {
	var out []FamilyScore
	for _, name := range []Family{Infra, Deception, Tooling, Artifact} {
		f := FamilyScore{Name: name, Cap: max(0, m.familyAbovePrior[name]-prior)}
		f.Groups = m.groups(name, items)
		if len(f.Groups) == 0 {
			continue
		}
		for i := range f.Groups {
			f.Groups[i].rank(i + 1)
		}
		m.capBulk(prior, &f)
		for _, g := range f.Groups {
			f.Raw += g.Used
		}
		f.Used = min(f.Raw, f.Cap)
		out = append(out, f)
	}
	return out
}

// groups returns the groups of a family, heaviest first; until they are ranked,
// Used is what a value adds at rank 1.
func (m *Model) groups(family Family, items []item) []Group {
	byID := make(map[string]*Group)
	var ids []string
	for _, it := range items {
		if it.family != family {
			continue
		}
		g := byID[it.group]
		if g == nil {
			g = &Group{ID: it.group}
			byID[it.group] = g
			ids = append(ids, it.group)
		}
		g.Values = append(g.Values, it.Value)
	}
	out := make([]Group, 0, len(ids))
	for _, id := range ids {
		g := byID[id]
		slices.SortFunc(g.Values, func(x, y Value) int {
			if x.Weight != y.Weight {
				return int(y.Weight) - int(x.Weight)
			}
			return x.Value.Compare(y.Value)
		})
		m.fill(g)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(x, y Group) int {
		if x.Used != y.Used {
			return int(y.Used) - int(x.Used)
		}
		return strings.Compare(x.ID, y.ID)
	})
	return out
}

// fill sets what each value of a group adds: evidence of mail rules halves from
// one to the next, the names of rules up to a cap; in any other group the
// heaviest counts and all the rest together add a small bonus.
func (m *Model) fill(g *Group) {
	namesLeft := m.rulesCap
	for i := range g.Values {
		v := &g.Values[i]
		switch {
		case g.ID == rulesGroup && v.Kind == evidence.KindRuleName:
			v.Used = min(halved(v.Weight, i), namesLeft)
			namesLeft -= v.Used
		case g.ID == rulesGroup:
			v.Used = halved(v.Weight, i)
		case i == 0:
			v.Used = v.Weight
		case i == 1:
			v.Used = min(v.Weight, m.groupBonus)
		}
		g.Used += v.Used
	}
}

// rank halves what the values add once for each better group. The sums are
// rounded, and the values take the differences, so that they add up.
func (g *Group) rank(rank int) {
	g.Rank = rank
	sum, before := int32(0), int32(0)
	for i := range g.Values {
		sum += g.Values[i].Used
		after := halved(sum, rank-1)
		g.Values[i].Used = after - before
		before = after
	}
	g.Used = before
}

// capBulk bounds what a kind adds in which a case is bulk: a case that lists
// half the internet matches everybody.
func (m *Model) capBulk(prior int32, f *FamilyScore) {
	left := make(map[evidence.Kind]int32)
	limit := max(0, -prior-m.bulkBelow)
	for i := range f.Groups {
		g := &f.Groups[i]
		g.Used = 0
		for j := range g.Values {
			v := &g.Values[j]
			if v.bulk {
				if _, ok := left[v.Kind]; !ok {
					left[v.Kind] = limit
				}
				if v.Used > left[v.Kind] {
					v.Used = left[v.Kind]
					v.Reasons = append(slices.Clip(v.Reasons), "capped: a case holds too many values of this kind")
				}
				left[v.Kind] -= v.Used
			}
			g.Used += v.Used
		}
	}
}

// maxCounterfactuals bounds how many groups are left out in turn.
const maxCounterfactuals = 10

// counterfactuals returns the likelihood without each of the heaviest groups.
func (m *Model) counterfactuals(prior int32, items []item, families []FamilyScore) []Counterfactual {
	type key struct {
		family Family
		group  string
		name   string
		used   int32
	}
	var keys []key
	for _, f := range families {
		if f.Name == Behaviour {
			continue
		}
		for _, g := range f.Groups {
			if g.Used == 0 {
				continue
			}
			name := g.ID
			if len(g.Values) == 1 {
				name = g.Values[0].Text
			}
			keys = append(keys, key{f.Name, g.ID, name, g.Used})
		}
	}
	slices.SortStableFunc(keys, func(x, y key) int { return int(y.used) - int(x.used) })
	behaviour := FamilyScore{}
	if last := families[len(families)-1]; last.Name == Behaviour {
		behaviour = last
	}
	var out []Counterfactual
	for _, k := range keys[:min(len(keys), maxCounterfactuals)] {
		rest := slices.DeleteFunc(slices.Clone(items), func(it item) bool {
			return it.family == k.family && it.group == k.group
		})
		_, micros := m.total(prior+behaviour.Used, m.families(prior, rest))
		out = append(out, Counterfactual{Without: k.name, Micros: micros})
	}
	return out
}
