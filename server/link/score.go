package link

import (
	"errors"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// ErrSameCase is returned when a case is compared with itself.
var ErrSameCase = errors.New("a case cannot be compared with itself")

// Outcome is a score without its reasons.
type Outcome struct {
	A, B evidence.Ref // A is the smaller
	// Millibits is the score, Micros the likelihood in millionths.
	Millibits    int32
	Micros       uint32
	Tier         Tier
	SharedCount  uint32 // common values that carry weight
	ModelVersion uint32
	// Kept says that the pair is one that Pairs and Stored keep: its tier is one
	// that is listed, or it shares two values or more that may weigh something
	// now or after a change of other cases. Set by those two alone.
	Kept bool
}

// Score compares two cases. The result does not depend on their order, and is
// that of Explain.
func (s *Scorer) Score(x, y *evidence.Profile) (Outcome, error) {
	a, b, err := s.sidesOf(x, y)
	if err != nil {
		return Outcome{}, err
	}
	return s.score(a, b)
}

func (s *Scorer) sidesOf(x, y *evidence.Profile) (a, b *side, err error) {
	s.relax()
	if a, err = s.side(x); err != nil {
		return nil, nil, err
	}
	b, err = s.side(y)
	return a, b, err
}

// score compares two sides and leaves in s how.
func (s *Scorer) score(a, b *side) (Outcome, error) {
	if err := s.ordered(a, b); err != nil {
		return Outcome{}, err
	}
	return s.weighed(false)
}

// ordered lets two sides meet, the smaller ref first.
func (s *Scorer) ordered(a, b *side) error {
	switch order := a.Compare(b.Ref); {
	case order == 0:
		return ErrSameCase
	case order > 0:
		a, b = b, a
	}
	s.meet(a, b)
	return nil
}

// boundMargin is more than what rounding can take from a sum, in millibits.
const boundMargin = 64

// scoreFrom is score where only tiers from floor on matter; reached is false, and
// the outcome of no use, where the pair is below. Most pairs are, and can be told
// by what costs little to find out.
func (s *Scorer) scoreFrom(a, b *side, floor Tier) (o Outcome, reached bool, err error) {
	if err := s.ordered(a, b); err != nil {
		return Outcome{}, false, err
	}
	return s.weighedFrom(floor)
}

func (s *Scorer) weighedFrom(floor Tier) (o Outcome, reached bool, err error) {
	if s.a.bulk || s.b.bulk {
		// A cap on one kind is no bound: what is heavier may push out what counts.
		o, err = s.weighed(false)
		return o, o.Tier >= floor, err
	}
	o, err = s.weighed(true)
	if err != nil || s.model.micros(o.Millibits+boundMargin) < s.model.leastMicros(floor) {
		return o, false, err
	}
	if s.guessed || s.bound && len(s.a.rules.themed) > 0 && len(s.b.rules.themed) > 0 {
		o, err = s.weighed(false)
	}
	return o, o.Tier >= floor, err
}

// weighed scores the sides that met.
func (s *Scorer) weighed(bound bool) (Outcome, error) {
	if err := s.weighAll(bound); err != nil {
		return Outcome{}, err
	}
	s.add(s.model, s.prior)
	o := Outcome{A: s.a.Ref, B: s.b.Ref, SharedCount: s.tally.values(), ModelVersion: s.model.version}
	o.Millibits, o.Micros = s.total(s.model, s.prior, s.model.behaviour(s.a, s.b).used(s.model)+s.opposing)
	o.Tier = s.tier(o.Micros)
	return o, nil
}

// weighable counts the common values, of the sides that met, and the matches that
// may weigh something now or after a change of other cases.
func (s *Scorer) weighable() (n int, err error) {
	for _, at := range s.shared {
		v := s.valueOf(s.a, at.a)
		if v.weightless || v.Kind.Derived() {
			continue
		}
		if err := s.spread(v); err != nil {
			return 0, err
		}
		if int(v.tenants) <= s.caps.ScoringTenants {
			n++
		}
	}
	alike, err := s.weighableMatches()
	return n + alike, err
}

// leastMicros returns the likelihood from which a tier can hold, in millionths.
func (m *Model) leastMicros(t Tier) uint32 {
	for _, rule := range m.tiers {
		if rule.tier == t {
			return rule.micros
		}
	}
	return 0
}

// tier judges the comparison that s has just made.
func (s *Scorer) tier(micros uint32) Tier {
	if s.a.dismissed || s.b.dismissed {
		return None
	}
	for _, rule := range s.model.tiers {
		if micros < rule.micros || s.groups < rule.groups {
			continue
		}
		if rule.tier == Strong && (s.a.bulk || s.b.bulk) {
			return Probable
		}
		return rule.tier
	}
	if s.common {
		return SharedGeneric
	}
	return None
}
