package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Explain compares two cases and says why. The result does not depend on their
// order.
func (s *Scorer) Explain(x, y *evidence.Profile) (*Explanation, error) {
	a, b, err := s.sidesOf(x, y)
	if err != nil {
		return nil, err
	}
	o, err := s.score(a, b)
	if err != nil {
		return nil, err
	}
	a, b = s.a, s.b
	e := &Explanation{
		A: a.Ref, B: b.Ref, ModelVersion: s.model.version, FeedsVersion: s.classifier.Version(), N: s.n,
		Prior: s.prior, Total: o.Millibits, Micros: o.Micros, Tier: o.Tier,
		SharedCount: o.SharedCount, SameTenant: a.Tenant == b.Tenant, CalibratedOn: s.model.calibration.reviews,
	}
	e.Families, e.Negative = s.familyScores(), s.opposing
	behaviour := s.model.behaviour(a, b)
	if f := behaviour.explain(s.model, a, b); len(f.Groups) > 0 {
		e.Families = append(e.Families, f)
	}
	s.explainGeneric(e)
	s.notes(e)
	e.Counterfactual = s.counterfactuals(behaviour.used(s.model) + s.opposing)
	if s.model.onlyInitialAccess(e) {
		e.Notes = append(e.Notes, "everything in common lies in initial access: it could be a common access broker")
	}
	switch {
	case e.Tier < Lead || e.SameTenant:
	case !a.live || !b.live:
		e.Notes = append(e.Notes, "not stored as a link: a restricted or tlp:red case is nobody's candidate")
	default:
		stored, err := s.proposed(a, b)
		if err != nil {
			return nil, err
		}
		if !stored {
			e.Notes = append(e.Notes, "not stored as a link: on no common value that may propose one are both cases among the latest of their tenants")
		}
	}
	return e, nil
}

// notes says what speaks against a link and what kept the tier down.
func (s *Scorer) notes(e *Explanation) {
	if s.noLogin {
		e.Notes = append(e.Notes, fmt.Sprintf("against: both cases have %d addresses of the actor or more, and none in common", s.model.alike.logins))
	}
	if s.noContent {
		e.Notes = append(e.Notes, "against: both cases have mail rules that look for keywords, and none that look for nearly the same")
	}
	if s.a.dismissed || s.b.dismissed {
		e.Notes = append(e.Notes, "a dismissed case never links")
		return
	}
	strong := s.model.tiers[0]
	if (s.a.bulk || s.b.bulk) && e.Micros >= strong.micros && s.groups >= strong.groups {
		e.Notes = append(e.Notes, fmt.Sprintf("a case holds more than %d values of a kind: not linked as strong by itself", s.model.bulkValues))
	}
}

// familyScores writes the parts of the comparison that s has just made.
func (s *Scorer) familyScores() []FamilyScore {
	var out []FamilyScore
	parts := s.parts
	for f, sum := range s.sums {
		scored := FamilyScore{Name: families[f], Raw: sum.raw, Cap: sum.cap, Used: sum.used}
		for len(parts) > 0 && int(parts[0].family) == f {
			p := &parts[0]
			if n := len(scored.Groups); n == 0 || scored.Groups[n-1].ID != p.group {
				scored.Groups = append(scored.Groups, Group{ID: p.group, Rank: p.rank})
			}
			g := &scored.Groups[len(scored.Groups)-1]
			g.Used += p.used
			g.Values = append(g.Values, s.explainPart(p))
			parts = parts[1:]
		}
		if len(scored.Groups) > 0 {
			out = append(out, scored)
		}
	}
	return out
}

// explainPart writes one piece of evidence.
func (s *Scorer) explainPart(p *part) Value {
	v := Value{
		Value: p.value, Row: p.row.name, M: p.row.m, Alpha: p.alpha, Background: p.background, Trust: p.trust,
		Unexplained: p.d, GapDays: uint32(p.gap), Weight: p.weight, Used: p.used,
	}
	if p.how == sameTheme {
		x, y := s.a.otherThemes(s.b), s.b.otherThemes(s.a)
		v.RolesA, v.RolesB = roles(x), roles(y)
		v.TechniquesA, v.TechniquesB = techniques(x), techniques(y)
		v.Reasons = weightReasons(p, 0, 0)
		return v
	}
	if !p.how.common() {
		x, y := &s.a.profile.Sightings[p.near.a], &s.b.profile.Sightings[p.near.b]
		v.RolesA, v.RolesB = x.Roles, y.Roles
		v.TechniquesA, v.TechniquesB = x.Techniques, y.Techniques
		v.Reasons = append([]string{p.matchReason()}, weightReasons(p, p.sizes.a, p.sizes.b)...)
		return v
	}
	x, y := s.sightings(p.at)
	class := s.valueOf(s.a, p.at.a).class
	v.RolesA, v.RolesB = x.Roles, y.Roles
	v.TechniquesA, v.TechniquesB = x.Techniques, y.Techniques
	v.Class, v.ClassReasons = class.Name, class.Reasons
	v.Reasons = weightReasons(p, int32(s.a.sights[p.at.a].size), int32(s.b.sights[p.at.b].size))
	if p.capped {
		v.Reasons = append(v.Reasons, "capped: a case holds too many values of this kind")
	}
	return v
}

// sightings returns a common value as both profiles have it.
func (s *Scorer) sightings(at place) (x, y *evidence.Sighting) {
	return s.a.sighting(at.a), s.b.sighting(at.b)
}

// weightReasons says in words what the numbers of a Value do not show.
func weightReasons(p *part, na, nb int32) []string {
	var out []string
	if !p.dated {
		out = append(out, fmt.Sprintf("no date: %d days assumed", noDateGap))
	}
	if n := max(na, nb); float64(n) > p.row.length {
		out = append(out, fmt.Sprintf("one of %d values of its kind in a case", n))
	}
	if p.row.cap > 0 && p.weight == p.row.cap {
		out = append(out, "at the cap of its class")
	}
	return out
}

// explainGeneric writes the common values that add nothing, in order of Value.
func (s *Scorer) explainGeneric(e *Explanation) {
	for _, n := range s.nothing {
		v := s.valueOf(s.a, n.at.a)
		e.Generic = append(e.Generic, Generic{Value: v.Value, Class: v.class.Name, Reason: s.reason(v, n)})
	}
	slices.SortFunc(e.Generic, func(x, y Generic) int { return x.Compare(y.Value) })
}

// reason says why a common value adds nothing.
func (s *Scorer) reason(v *value, n nothing) string {
	switch n.why {
	case redacted:
		return "a redacted name matches nothing"
	case weightlessKind:
		if s.model.carries(v.Kind) {
			return "no two keywords but such as many rules have"
		}
		return "values of this kind carry no weight"
	case everybodys:
		return "everybody's: " + strings.ReplaceAll(v.class.Name, "_", " ")
	case manyTenants:
		return fmt.Sprintf("seen in more than %d tenants", s.caps.ScoringTenants)
	case partOfPair:
		return "part of a common spoof pair, counted there"
	case ownTenant:
		return fmt.Sprintf("in %d or more cases of this tenant", sameTenantCommon)
	}
	return s.whatTook(v, n.at)
}

// whatTook says what took the weight of a value that could have had some: the
// time between, else the length of a case or a tenant's want of trust, else that
// it is common.
func (s *Scorer) whatTook(v *value, at place) string {
	why := "too common to weigh anything"
	p, err := s.weighShared(v, at, float64(s.a.trust*s.b.trust))
	if err != nil {
		return why
	}
	x, y := &s.a.sights[at.a], &s.b.sights[at.b]
	for _, r := range s.model.rows(v, x.roles, y.roles) {
		switch {
		case r == nil:
		case weigh(r, v.alpha(r), p.background, p.trust, p.d, s.n, int(x.size), int(y.size), 0) > 0:
			why = fmt.Sprintf("%d days between the sightings leave nothing", p.gap)
		case weigh(r, v.alpha(r), p.background, 1, p.d, s.n, 1, 1, 0) > 0:
			why = fmt.Sprintf("one of %d values of its kind in a case, or of a tenant without trust", max(x.size, y.size))
		}
	}
	return why
}

// otherThemes returns the names of a side that speak of security and that the
// other does not have.
func (sd *side) otherThemes(o *side) (out []*evidence.Sighting) {
	for _, t := range sd.rules.themed {
		if !o.hasTheme(t.name) {
			out = append(out, &sd.profile.Sightings[t.at])
		}
	}
	return out
}

func roles(sightings []*evidence.Sighting) []string {
	var out []string
	for _, s := range sightings {
		out = append(out, s.Roles...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func techniques(sightings []*evidence.Sighting) []string {
	var out []string
	for _, s := range sightings {
		out = append(out, s.Techniques...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// onlyInitialAccess reports whether every value that counts was seen, on both
// sides, in techniques of initial access alone.
func (m *Model) onlyInitialAccess(e *Explanation) bool {
	counted := false
	for _, f := range e.Families {
		if f.Name == Behaviour {
			continue
		}
		for _, g := range f.Groups {
			for _, v := range g.Values {
				if v.Used == 0 {
					continue
				}
				counted = true
				if !m.initial(v.TechniquesA) || !m.initial(v.TechniquesB) {
					return false
				}
			}
		}
	}
	return counted
}

func (m *Model) initial(techniques []string) bool {
	for _, t := range techniques {
		parent, _, _ := strings.Cut(t, ".")
		if !slices.Contains(m.initialAccess, parent) {
			return false
		}
	}
	return len(techniques) > 0
}

// maxCounterfactuals bounds how many groups are left out in turn.
const maxCounterfactuals = 10

// counterfactuals returns the likelihood without each of the heaviest groups.
func (s *Scorer) counterfactuals(behaviour int32) []Counterfactual {
	type without struct {
		family family
		group  string
		name   string
		used   int32
	}
	var groups []without
	for i := range s.parts {
		p := &s.parts[i]
		if n := len(groups); n > 0 && groups[n-1].family == p.family && groups[n-1].group == p.group {
			groups[n-1].used += p.used
			groups[n-1].name = p.group
			continue
		}
		groups = append(groups, without{p.family, p.group, p.value.Text, p.used})
	}
	groups = slices.DeleteFunc(groups, func(w without) bool { return w.used == 0 })
	slices.SortStableFunc(groups, func(x, y without) int { return int(y.used) - int(x.used) })
	var out []Counterfactual
	for _, w := range groups[:min(len(groups), maxCounterfactuals)] {
		var rest tally
		for _, p := range s.parts {
			if p.family != w.family || p.group != w.group {
				rest.parts = append(rest.parts, p)
			}
		}
		rest.add(s.model, s.prior)
		_, micros := rest.total(s.model, s.prior, behaviour)
		out = append(out, Counterfactual{Without: w.name, Micros: micros})
	}
	return out
}
