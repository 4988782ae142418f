package link

import (
	"iter"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Candidates yields how p compares with each case that a common value proposes
// for it, from a tier on: the representatives of every other tenant, and of p's
// own if sameTenant. The rarest values come first, and each case once. Cases that
// want refuses are left out. An error is the last element.
func (s *Scorer) Candidates(p *evidence.Profile, sameTenant bool, from Tier, want func(evidence.Ref) bool) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		if p.Dismissed {
			return
		}
		s.relax()
		a, err := s.side(p)
		if err != nil {
			yield(Outcome{}, err)
			return
		}
		sources, err := s.proposing(a)
		if err != nil {
			yield(Outcome{}, err)
			return
		}
		seen := make(map[evidence.Ref]bool)
		for _, v := range sources {
			if err := s.representatives(v); err != nil {
				yield(Outcome{}, err)
				return
			}
			for _, ref := range v.refs {
				if ref == p.Ref || ref.Tenant == p.Tenant && !sameTenant || seen[ref] {
					continue
				}
				seen[ref] = true
				if !want(ref) {
					continue
				}
				o, reached, err := s.scoreAgainst(a, ref, from)
				if (reached || err != nil) && !yield(o, err) || err != nil {
					return
				}
			}
		}
	}
}

// scoreAgainst compares a whole side with a case of the corpus.
func (s *Scorer) scoreAgainst(a *side, ref evidence.Ref, from Tier) (o Outcome, reached bool, err error) {
	b, err := s.against(a, ref)
	if err != nil {
		return Outcome{}, false, err
	}
	return s.scoreFrom(a, b, from)
}

// proposing returns the values of a case that propose pairs, rarest first.
func (s *Scorer) proposing(a *side) ([]*value, error) {
	var out []*value
	for i := range a.keys {
		v := s.valueOf(a, int32(i))
		proposes, err := s.proposes(v)
		if err != nil {
			return nil, err
		}
		if proposes && v.cases > 0 {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(x, y *value) int {
		if x.tenants != y.tenants {
			return int(x.tenants) - int(y.tenants)
		}
		return x.Compare(y.Value)
	})
	return out, nil
}

// Stored compares two cases of the corpus. The pair is kept if, besides, some
// common value proposes it: one that may propose pairs and on which both stand
// for their tenants.
func (s *Scorer) Stored(x, y evidence.Ref) (Outcome, error) {
	s.relax()
	a, b, err := s.pair(x, y)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.ordered(a, b); err != nil {
		return Outcome{}, err
	}
	o, err := s.keep()
	if err != nil || !o.Kept {
		return o, err
	}
	o.Kept, err = s.proposed(s.a, s.b)
	return o, err
}

// keep scores the sides that met if their pair is one to keep.
func (s *Scorer) keep() (Outcome, error) {
	n, err := s.weighable()
	if err != nil {
		return Outcome{}, err
	}
	if n < 2 {
		o, reached, err := s.weighedFrom(Lead)
		o.Kept = reached
		return o, err
	}
	o, err := s.weighed(false)
	o.Kept = true
	return o, err
}

// proposed reports whether a common value of the sides that met proposes them.
func (s *Scorer) proposed(a, b *side) (bool, error) {
	if !a.live || !b.live {
		return false, nil
	}
	for _, at := range s.shared {
		v := s.valueOf(a, at.a)
		proposes, err := s.proposes(v)
		if err != nil {
			return false, err
		}
		if !proposes {
			continue
		}
		if err := s.representatives(v); err != nil {
			return false, err
		}
		if v.position(a.Ref) >= 0 && v.position(b.Ref) >= 0 {
			return true, nil
		}
	}
	return false, nil
}

// Shared returns the values that the comparison that was made last rests on, in
// order of Value: the common ones, and those that are alike by their letters.
func (s *Scorer) Shared() []evidence.Value {
	out := make([]evidence.Value, 0, len(s.shared))
	for _, at := range s.shared {
		if v := s.valueOf(s.a, at.a); !v.Kind.Derived() || !v.mute {
			out = append(out, v.Value)
		}
	}
	out = append(out, s.rests()...)
	slices.SortFunc(out, evidence.Value.Compare)
	return out
}

// Pairs compares the pairs of cases that a value proposes, but for those that are
// known, the smaller ref first, and yields what came of each. known is nil or
// asked as it goes. An error is the last element.
func (s *Scorer) Pairs(of evidence.Value, known func(a, b evidence.Ref) bool) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		s.relax()
		v := s.value(of)
		proposes, err := s.proposes(v)
		if err == nil && proposes {
			err = s.representatives(v)
		}
		if err != nil {
			yield(Outcome{}, err)
			return
		}
		if !proposes {
			return
		}
		for i := range v.refs {
			for k := i + 1; k < len(v.refs); k++ {
				// Representatives are in order of their tenants.
				if v.tenantOf[i] == v.tenantOf[k] || known != nil && known(v.refs[i], v.refs[k]) {
					continue
				}
				o, err := s.scorePair(v, i, k)
				if !yield(o, err) || err != nil {
					return
				}
			}
		}
	}
}

// scorePair compares two representatives of a value.
func (s *Scorer) scorePair(v *value, i, k int) (Outcome, error) {
	a, err := s.representative(v, i)
	if err != nil {
		return Outcome{}, err
	}
	b, err := s.representative(v, k)
	if err != nil {
		return Outcome{}, err
	}
	if a.partial || b.partial {
		if a, b, err = s.pair(a.Ref, b.Ref); err != nil {
			return Outcome{}, err
		}
	}
	if err := s.ordered(a, b); err != nil {
		return Outcome{}, err
	}
	return s.keep()
}
