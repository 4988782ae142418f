package link

import (
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// comparison is what two cases have in common, in numbers. A Scorer has one and
// uses its room again.
type comparison struct {
	a, b   *side
	shared []place
	third  []place
	tally
	// nothing are the common values that weigh nothing.
	nothing []nothing
	// common is set when a value that everybody uses is shared.
	common bool
	// matches are the mail rules that are alike, once they are looked for: matched.
	// derived are the derived values in common, met the systems of addresses that are
	// equal or of one network.
	matches []match
	matched bool
	derived []*value
	met     []uint32
	// sharesLogin says that an address that an actor used is in both cases,
	// sharesContent that mail rules of both look for the same words, or nearly.
	sharesLogin, sharesContent bool
	// opposing is the negative evidence, in millibits; noLogin and noContent say of
	// what it is.
	noLogin, noContent bool
	opposing           int32
	// bound says that what takes time to find out was taken as what gives the
	// most weight; guessed, that there was such a thing.
	bound, guessed bool
}

// part is one piece of evidence.
type part struct {
	family family
	group  string
	value  evidence.Value
	// how says whether both cases have the value, or something alike.
	how  alikeness
	bulk bool
	// capped says that the cap of a bulk kind took from it.
	capped bool
	// weight is before rank and caps, used after it; both in millibits.
	weight, used int32
	rank         int

	// What the weight came from. at is set for a value that both cases have, near
	// for two that are alike, of which one and other are the texts, sizes the numbers
	// of values of their kind, and both and all what they have in common and together.
	at, near   place
	sizes      place
	one, other string
	both, all  int
	row        *row
	alpha      float64
	background float64
	trust      float64
	d          uint32
	gap        int64
	dated      bool
}

// nothing is a common value without weight.
type nothing struct {
	at  place
	why discount
}

// discount is why a common value weighs nothing.
type discount uint8

const (
	mayWeigh discount = iota // it may weigh something
	weighedNothing
	redacted
	weightlessKind
	everybodys
	manyTenants
	partOfPair
	ownTenant
)

// meet finds the common values of two sides.
func (s *Scorer) meet(a, b *side) {
	s.a, s.b = a, b
	s.matched = false
	s.shared = common(s.shared[:0], a, b)
}

// weighAll weighs every common value of the sides that met. With bound the
// weights are at least those without.
func (s *Scorer) weighAll(bound bool) error {
	c := &s.comparison
	a, b := c.a, c.b
	c.common, c.bound, c.guessed = false, bound, false
	c.sharesLogin, c.sharesContent, c.noLogin, c.noContent = false, false, false, false
	c.parts, c.nothing, c.met = c.parts[:0], c.nothing[:0], c.met[:0]
	trust := float64(a.trust * b.trust)
	pairs := s.spoofParts()
	nameMatches := false
	for _, at := range c.shared {
		v := s.valueOf(a, at.a)
		switch {
		case v.Kind == evidence.KindIP:
			c.sharesLogin = c.sharesLogin || (a.sights[at.a].roles|b.sights[at.b].roles)&roleActor != 0
		case v.Kind == evidence.KindRuleWords:
			c.sharesContent = true
		case v.Kind.Derived():
			continue
		}
		why, err := s.discounted(v, a, b, pairs)
		if err != nil {
			return err
		}
		if why == mayWeigh {
			p, err := s.weighShared(v, at, trust)
			if err != nil {
				return err
			}
			if p.weight > 0 {
				c.parts = append(c.parts, p)
				c.common = c.common || s.everybodys(v)
				nameMatches = nameMatches || v.Kind == evidence.KindRuleName && p.background < s.model.shortName
				continue
			}
			why = weighedNothing
		}
		c.common = c.common || why == manyTenants || why == everybodys
		c.nothing = append(c.nothing, nothing{at, why})
	}
	if err := s.weighMatches(trust); err != nil {
		return err
	}
	// Where no name matches but ones that many use, the theme of the others may.
	if (bound || !nameMatches) && len(a.rules.themed) > 0 && len(b.rules.themed) > 0 {
		if p, ok := s.ruleTheme(a, b, trust); ok {
			c.parts = append(c.parts, p)
		}
	}
	s.weighNearby(trust)
	c.opposing = s.negative()
	return nil
}

// everybodys reports whether a value is of a class that many unrelated people
// use, whatever little it still weighs.
func (s *Scorer) everybodys(v *value) bool {
	switch v.Kind {
	case evidence.KindIP:
		r := s.model.address(*v.class)
		return r.service || r.cap > 0
	case evidence.KindCIDR:
		return s.model.address(*v.class).service
	case evidence.KindDomain, evidence.KindHostname, evidence.KindForwardTo, evidence.KindAppID,
		evidence.KindEmail, evidence.KindURL, evidence.KindFileHash:
		return v.weak
	}
	return false
}

// discounted returns why a common value weighs nothing before any arithmetic.
func (s *Scorer) discounted(v *value, a, b *side, pairs map[evidence.Value]bool) (discount, error) {
	if err := s.spread(v); err != nil {
		return 0, err
	}
	switch {
	case v.Kind == evidence.KindRuleName && evidence.IsPlaceholder(v.Text):
		return redacted, nil
	case v.weightless:
		if !s.everybodys(v) {
			return weightlessKind, nil
		}
		return everybodys, nil
	case int(v.tenants) > s.caps.ScoringTenants:
		return manyTenants, nil
	case pairs[v.Value]:
		return partOfPair, nil
	case a.Tenant == b.Tenant && s.bound:
		s.guessed = true
	case a.Tenant == b.Tenant:
		n, err := s.corpus.CasesOf(v.Value, a.Tenant, sameTenantCommon)
		if err != nil {
			return 0, err
		}
		if n >= sameTenantCommon {
			return ownTenant, nil
		}
	}
	return mayWeigh, nil
}

// sameTenantCommon is the number of a tenant's cases from which a value says
// nothing about two of them.
const sameTenantCommon = 3

// spoofParts returns the parts of all common spoof pairs, nil if there is none:
// the pair counts, and its parts would count the same thing again.
func (s *Scorer) spoofParts() map[evidence.Value]bool {
	var parts map[evidence.Value]bool
	for _, at := range s.shared {
		v := s.valueOf(s.a, at.a)
		if v.Kind != evidence.KindSpoofPair {
			continue
		}
		if parts == nil {
			parts = make(map[evidence.Value]bool)
		}
		for _, part := range strings.SplitN(v.Text, ">", 2) {
			for _, kind := range []evidence.Kind{
				evidence.KindDomain, evidence.KindHostname, evidence.KindIP, evidence.KindCIDR, evidence.KindEmail,
			} {
				parts[evidence.Value{Kind: kind, Text: part}] = true
			}
		}
	}
	return parts
}

// weighShared weighs one common value by the heaviest of the rows that fit.
func (s *Scorer) weighShared(v *value, at place, trust float64) (part, error) {
	d := uint32(0)
	if s.bound && v.tenants > 2 && int(v.tenants) <= s.caps.CandidateTenants {
		s.guessed = true
	} else {
		var err error
		if d, err = s.unexplained(v, s.a, s.b); err != nil {
			return part{}, err
		}
	}
	x, y := &s.a.sights[at.a], &s.b.sights[at.b]
	best := part{group: v.group, value: v.Value, bulk: x.bulk() || y.bulk(), weight: -1, at: at, trust: trust, d: quantise(d)}
	best.gap, best.dated = x.gap(y.span)
	switch v.Kind {
	case evidence.KindUserAgent:
		best.background = v.share
	case evidence.KindRuleName:
		best.background = max(v.share, s.model.wordsShare(x.words), s.model.wordsShare(y.words))
	}
	for _, r := range s.model.rows(v, x.roles, y.roles) {
		if r == nil {
			continue
		}
		alpha := v.alpha(r)
		w := weigh(r, alpha, best.background, trust, best.d, s.n, int(x.size), int(y.size), best.gap)
		if w > best.weight {
			best.family, best.row, best.alpha, best.weight = familyOf(r.family), r, alpha, w
		}
	}
	best.weight = max(best.weight, 0)
	return best, nil
}

// alpha returns the expected number of unseen users of a value.
func (v *value) alpha(r *row) float64 {
	switch {
	case v.Kind != evidence.KindIP:
	case r.referenced && v.class.AlphaReferenced > 0:
		return v.class.AlphaReferenced
	case v.class.Alpha > 0:
		return v.class.Alpha
	}
	return r.alpha
}

// ruleTheme weighs that both cases have mail rules that pretend to be security,
// under different names.
func (s *Scorer) ruleTheme(a, b *side, trust float64) (part, bool) {
	m := s.model
	best := part{
		family: familyOf(m.theme.family), group: rulesGroup, how: sameTheme, row: &m.theme,
		value:      evidence.Value{Kind: evidence.KindRuleName, Text: themeText},
		background: m.themeShare, trust: trust, gap: -1,
	}
	for _, x := range a.rules.themed {
		if b.hasTheme(x.name) || s.isMatched(x.name) {
			continue
		}
		for _, y := range b.rules.themed {
			if a.hasTheme(y.name) || s.isMatched(y.name) {
				continue
			}
			gap, ok := x.gap(y.span)
			if best.gap < 0 || gap < best.gap || gap == best.gap && ok {
				best.gap, best.dated = gap, ok
			}
		}
	}
	if best.gap < 0 {
		return part{}, false
	}
	best.weight = weigh(&m.theme, 0, m.themeShare, trust, 0, 1, 0, 0, best.gap)
	return best, best.weight > 0
}

// isMatched reports whether a name that only one side has is like one of the other,
// in a way that says more than that both speak of security.
func (s *Scorer) isMatched(name string) bool {
	if s.bound {
		return false
	}
	return slices.ContainsFunc(s.parts, func(p part) bool {
		return (p.how == sameWords || p.how == sameLetters) && p.background < s.model.shortName && (p.value.Text == name || p.other == name)
	})
}

// hasTheme reports whether a name that speaks of security is one of the side's.
func (sd *side) hasTheme(name string) bool {
	for _, t := range sd.rules.themed {
		if t.name == name {
			return true
		}
	}
	return false
}

// themeText stands where a common value would: no name is the same.
const themeText = "different names with words of security"
