package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// ErrSameCase is returned when a case is compared with itself.
var ErrSameCase = errors.New("a case cannot be compared with itself")

// item is one piece of evidence before it meets the others.
type item struct {
	Value
	family Family
	group  string
	// theme counts in the score but not as a group of evidence.
	theme bool
}

// findings of a comparison of values, before they are combined.
type comparison struct {
	items   []item
	generic []Generic
	// common is set when a value that everybody uses is shared.
	common bool
}

// Explain compares two cases. The result does not depend on their order.
func (s *Scorer) Explain(x, y *evidence.Profile) (*Explanation, error) {
	if x.Compare(y.Ref) > 0 {
		x, y = y, x
	}
	e, cmp, err := s.score(x, y)
	if err != nil {
		return nil, err
	}
	if len(cmp.items) > 0 {
		e.Counterfactual = s.model.counterfactuals(s.prior, cmp.items, e.Families)
	}
	if s.model.onlyInitialAccess(e) {
		e.Notes = append(e.Notes, "everything in common lies in initial access: it could be a common access broker")
	}
	switch {
	case e.Tier < Lead || e.SameTenant:
	case !x.Live || !y.Live:
		e.Notes = append(e.Notes, "not stored as a link: a restricted or tlp:red case is nobody's candidate")
	default:
		stored, err := s.Proposed(x, y)
		if err != nil {
			return nil, err
		}
		if !stored {
			e.Notes = append(e.Notes, "not stored as a link: on no common value that may propose one are both cases among the latest of their tenants")
		}
	}
	return e, nil
}

// Score is Explain without counterfactuals and without notes on the link.
func (s *Scorer) Score(x, y *evidence.Profile) (*Explanation, error) {
	if x.Compare(y.Ref) > 0 {
		x, y = y, x
	}
	e, _, err := s.score(x, y)
	return e, err
}

// score compares a with b, the larger ref.
func (s *Scorer) score(x, y *evidence.Profile) (*Explanation, comparison, error) {
	if x.Ref == y.Ref {
		return nil, comparison{}, ErrSameCase
	}
	if s.held > maxHeld {
		s.forget()
	}
	a, b := s.side(x), s.side(y)
	cmp, err := s.compare(a, b)
	if err != nil {
		return nil, comparison{}, err
	}
	e := s.model.combine(s.prior, cmp.items, s.model.behaviour(x, y))
	e.A, e.B = x.Ref, y.Ref
	e.ModelVersion, e.FeedsVersion, e.N = s.model.version, s.classifier.Version(), s.n
	e.SameTenant = x.Tenant == y.Tenant
	e.Generic = cmp.generic
	s.judge(e, cmp, a, b)
	return e, cmp, nil
}

// judge sets the tier.
func (s *Scorer) judge(e *Explanation, cmp comparison, a, b *side) {
	groups := evidenceGroups(cmp.items, e)
	e.Tier = None
	if cmp.common {
		e.Tier = SharedGeneric
	}
	for _, rule := range s.model.tiers {
		if e.Micros >= rule.micros && groups >= rule.groups {
			e.Tier = rule.tier
			break
		}
	}
	if (a.bulk || b.bulk) && e.Tier == Strong {
		e.Tier = Probable
		e.Notes = append(e.Notes, fmt.Sprintf("a case holds more than %d values of a kind: not linked as strong by itself", s.model.bulkValues))
	}
	if a.Dismissed || b.Dismissed {
		e.Tier = None
		e.Notes = append(e.Notes, "a dismissed case never links")
	}
}

// evidenceGroups counts the groups with weight, without theme and behaviour.
func evidenceGroups(items []item, e *Explanation) int {
	themes := make(map[evidence.Value]bool)
	for _, it := range items {
		if it.theme {
			themes[it.Value.Value] = true
		}
	}
	ids := make(map[string]bool)
	for _, f := range e.Families {
		if f.Name == Behaviour {
			continue
		}
		for _, g := range f.Groups {
			for _, v := range g.Values {
				if v.Used > 0 && !themes[v.Value] {
					ids[g.ID] = true
				}
			}
		}
	}
	return len(ids)
}

// compare weighs every common value.
func (s *Scorer) compare(a, b *side) (comparison, error) {
	var out comparison
	pairs := s.shared(a, b)
	trust, err := s.trust(a.Tenant, b.Tenant)
	if err != nil {
		return out, err
	}
	parts := spoofParts(pairs)
	nameMatches := false
	for _, p := range pairs {
		v := p.v
		reason, common, err := s.discounted(v, a, b, parts)
		if err != nil {
			return out, err
		}
		if reason == "" {
			it, why, err := s.weighShared(p, a, b, trust)
			if err != nil {
				return out, err
			}
			if it.Weight > 0 {
				out.items = append(out.items, it)
				out.common = out.common || s.everybodys(v)
				nameMatches = nameMatches || v.Kind == evidence.KindRuleName && it.Background < s.model.shortName
				continue
			}
			reason = why
		}
		out.common = out.common || common
		out.generic = append(out.generic, Generic{Value: v.Value, Class: v.class.Name, Reason: reason})
	}
	// Where no name matches but ones that many use, the theme of the others may.
	if !nameMatches {
		if it, ok := s.model.ruleTheme(a.otherThemes(b), b.otherThemes(a), trust); ok {
			out.items = append(out.items, it)
		}
	}
	return out, nil
}

func (s *Scorer) trust(tenants ...string) (float64, error) {
	product := 1.0
	for _, t := range tenants {
		v, err := s.corpus.Trust(t)
		if err != nil {
			return 0, err
		}
		product = float64(product * min(1, max(0, v)))
	}
	return product, nil
}

// everybodys reports whether a value is of a class that many unrelated people
// use, whatever little it still weighs.
func (s *Scorer) everybodys(v *value) bool {
	switch v.Kind {
	case evidence.KindIP:
		r := s.model.address(v.class)
		return r.service || r.cap > 0
	case evidence.KindCIDR:
		return s.model.address(v.class).service
	case evidence.KindDomain, evidence.KindHostname, evidence.KindForwardTo, evidence.KindAppID,
		evidence.KindEmail, evidence.KindURL, evidence.KindFileHash:
		return v.weak
	}
	return false
}

// discounted returns why a common value weighs nothing before any arithmetic,
// "" if it may weigh something, and whether it is one that everybody uses.
func (s *Scorer) discounted(v *value, a, b *side, parts map[evidence.Value]bool) (reason string, common bool, err error) {
	if err := s.spread(v); err != nil {
		return "", false, err
	}
	switch {
	case v.Kind == evidence.KindRuleName && evidence.IsPlaceholder(v.Text):
		return "a redacted name matches nothing", false, nil
	case s.model.weightless(v.Value, v.class):
		if !s.everybodys(v) {
			return "values of this kind carry no weight", false, nil
		}
		return "everybody's: " + strings.ReplaceAll(v.class.Name, "_", " "), true, nil
	case int(v.tenants) > s.caps.ScoringTenants:
		return fmt.Sprintf("seen in more than %d tenants", s.caps.ScoringTenants), true, nil
	case parts[v.Value]:
		return "part of a common spoof pair, counted there", false, nil
	case a.Tenant == b.Tenant:
		n, err := s.corpus.CasesOf(v.Value, a.Tenant, sameTenantCommon)
		if err != nil {
			return "", false, err
		}
		if n >= sameTenantCommon {
			return fmt.Sprintf("in %d or more cases of this tenant", sameTenantCommon), false, nil
		}
	}
	return "", false, nil
}

// sameTenantCommon is the number of a tenant's cases from which a value says
// nothing about two of them.
const sameTenantCommon = 3

// spoofParts returns the parts of all common spoof pairs: the pair counts, and
// its parts would count the same thing again.
func spoofParts(pairs []sharedValue) map[evidence.Value]bool {
	parts := make(map[evidence.Value]bool)
	for _, p := range pairs {
		if p.v.Kind != evidence.KindSpoofPair {
			continue
		}
		for _, part := range strings.SplitN(p.v.Text, ">", 2) {
			for _, kind := range []evidence.Kind{
				evidence.KindDomain, evidence.KindHostname, evidence.KindIP, evidence.KindCIDR, evidence.KindEmail,
			} {
				parts[evidence.Value{Kind: kind, Text: part}] = true
			}
		}
	}
	return parts
}

// weighShared weighs one common value by the heaviest of the rows that fit, and
// says why where nothing is left.
func (s *Scorer) weighShared(p sharedValue, a, b *side, trust float64) (item, string, error) {
	v := p.v
	d, err := s.unexplained(v, a, b)
	if err != nil {
		return item{}, "", err
	}
	d = quantise(d)
	gap, dated := gapDays(p.a.First, p.a.Last, p.b.First, p.b.Last)
	best := item{Value: Value{
		Value: v.Value, RolesA: p.a.Roles, RolesB: p.b.Roles,
		TechniquesA: p.a.Techniques, TechniquesB: p.b.Techniques,
		Class: v.class.Name, ClassReasons: v.class.Reasons,
		Trust: trust, Unexplained: d, GapDays: uint32(gap), Weight: -1,
	}}
	if v.Kind == evidence.KindRuleName {
		best.Background = s.model.ruleShare(v.Text, slices.Concat(p.a.Written, p.b.Written))
	}
	na, nb := a.size(p.a), b.size(p.b)
	best.bulk = max(a.counts[v.Kind], b.counts[v.Kind]) > s.model.bulkValues
	why := "too common to weigh anything"
	for _, r := range s.model.rows(v.Value, v.class, p.a.Roles, p.b.Roles) {
		alpha := r.alpha
		if v.class.Alpha > 0 && v.Kind == evidence.KindIP {
			alpha = v.class.Alpha
		}
		w := weigh(r, alpha, best.Background, trust, d, s.n, na, nb, gap)
		if w > best.Weight {
			best.family, best.group = r.family, v.group
			best.M, best.Alpha, best.Weight = r.m, alpha, w
			best.Reasons = weightReasons(r, w, dated, na, nb)
		}
		switch {
		case weigh(r, alpha, best.Background, trust, d, s.n, na, nb, 0) > 0:
			why = fmt.Sprintf("%d days between the sightings leave nothing", gap)
		case weigh(r, alpha, best.Background, 1, d, s.n, 1, 1, 0) > 0:
			why = fmt.Sprintf("one of %d values of its kind in a case, or of a tenant without trust", max(na, nb))
		}
	}
	best.Weight = max(best.Weight, 0)
	return best, why, nil
}

// weightReasons says in words what the numbers of a Value do not show.
func weightReasons(r row, w int32, dated bool, na, nb int) []string {
	var out []string
	if !dated {
		out = append(out, fmt.Sprintf("no date: %d days assumed", noDateGap))
	}
	if n := max(na, nb); float64(n) > r.length {
		out = append(out, fmt.Sprintf("one of %d values of its kind in a case", n))
	}
	if r.cap > 0 && w == r.cap {
		out = append(out, "at the cap of its class")
	}
	return out
}

// ruleTheme weighs that both cases have mail rules that pretend to be security,
// under different names.
func (m *Model) ruleTheme(themesA, themesB []*evidence.Sighting, trust float64) (item, bool) {
	if len(themesA) == 0 || len(themesB) == 0 {
		return item{}, false
	}
	best, dated := int64(-1), false
	for _, x := range themesA {
		for _, y := range themesB {
			gap, ok := gapDays(x.First, x.Last, y.First, y.Last)
			if best < 0 || gap < best || gap == best && ok {
				best, dated = gap, ok
			}
		}
	}
	w := weigh(m.theme, 0, m.themeShare, trust, 0, 1, 0, 0, best)
	it := item{family: m.theme.family, group: rulesGroup, theme: true, Value: Value{
		Value:  evidence.Value{Kind: evidence.KindRuleName, Text: themeText},
		RolesA: roles(themesA), RolesB: roles(themesB),
		TechniquesA: techniques(themesA), TechniquesB: techniques(themesB),
		M: m.theme.m, Background: m.themeShare, Trust: trust, GapDays: uint32(best), Weight: w,
		Reasons: weightReasons(m.theme, w, dated, 0, 0),
	}}
	return it, w > 0
}

// otherThemes returns the names of a side that speak of security and that the
// other does not have.
func (sd *side) otherThemes(o *side) (out []*evidence.Sighting) {
	for _, s := range sd.themed {
		if !slices.ContainsFunc(o.themed, func(x *evidence.Sighting) bool { return x.Value == s.Value }) {
			out = append(out, s)
		}
	}
	return out
}

// themeText stands where a common value would: no name is the same.
const themeText = "different names with words of security"

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
