package link

import (
	"iter"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Candidates yields the cases that a common value proposes for p, each once:
// the representatives of every other tenant, and of p's own if sameTenant. The
// rarest values come first. An error is the last element.
func (s *Scorer) Candidates(p *evidence.Profile, sameTenant bool) iter.Seq2[evidence.Ref, error] {
	return func(yield func(evidence.Ref, error) bool) {
		if p.Dismissed {
			return
		}
		sources, err := s.proposing(p)
		if err != nil {
			yield(evidence.Ref{}, err)
			return
		}
		seen := make(map[evidence.Ref]bool)
		for _, v := range sources {
			if err := s.representatives(v); err != nil {
				yield(evidence.Ref{}, err)
				return
			}
			for _, ref := range v.refs {
				if ref == p.Ref || seen[ref] || ref.Tenant == p.Tenant && !sameTenant {
					continue
				}
				seen[ref] = true
				if !yield(ref, nil) {
					return
				}
			}
		}
	}
}

// proposing returns the values of p that propose pairs, rarest first.
func (s *Scorer) proposing(p *evidence.Profile) ([]*value, error) {
	var out []*value
	for _, v := range s.side(p).values {
		proposes, err := s.proposes(v)
		if err != nil {
			return nil, err
		}
		if proposes && v.cases > 0 {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(x, y *value) int { return int(x.tenants) - int(y.tenants) })
	return out, nil
}

// Proposes reports whether a value may propose pairs.
func (s *Scorer) Proposes(v evidence.Value) (bool, error) { return s.proposes(s.value(v)) }

// Shared returns the values that two cases have in common, in order of Value.
func Shared(a, b *evidence.Profile) []evidence.Value {
	places := common(a.Sightings, b.Sightings)
	out := make([]evidence.Value, len(places))
	for i, p := range places {
		out[i] = a.Sightings[p.a].Value
	}
	return out
}

// Proposed reports whether the pair is kept as a link if its score says so: on
// some common value both cases stand for their tenants.
func (s *Scorer) Proposed(a, b *evidence.Profile) (bool, error) {
	if !a.Live || !b.Live {
		return false, nil
	}
	x, y := s.side(a), s.side(b)
	for _, p := range common(a.Sightings, b.Sightings) {
		v := x.values[p.a]
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
		_, okX := v.on[x.Ref]
		_, okY := v.on[y.Ref]
		if okX && okY {
			return true, nil
		}
	}
	return false, nil
}
