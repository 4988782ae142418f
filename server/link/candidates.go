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
			refs, err := s.corpus.Representatives(v)
			if err != nil {
				yield(evidence.Ref{}, err)
				return
			}
			for _, ref := range refs {
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
func (s *Scorer) proposing(p *evidence.Profile) ([]evidence.Value, error) {
	type source struct {
		v       evidence.Value
		tenants uint32
	}
	var sources []source
	for i := range p.Sightings {
		v := p.Sightings[i].Value
		st, err := s.value(v)
		if err != nil {
			return nil, err
		}
		if st.proposes && st.cases > 0 {
			sources = append(sources, source{v, st.tenants})
		}
	}
	slices.SortStableFunc(sources, func(x, y source) int { return int(x.tenants) - int(y.tenants) })
	values := make([]evidence.Value, len(sources))
	for i, src := range sources {
		values[i] = src.v
	}
	return values, nil
}

// Proposes reports whether a value may propose pairs.
func (s *Scorer) Proposes(v evidence.Value) (bool, error) {
	st, err := s.value(v)
	if err != nil {
		return false, err
	}
	return st.proposes, nil
}

// Shared returns the values that two cases have in common, in order of Value.
func Shared(a, b *evidence.Profile) []evidence.Value {
	pairs := shared(a, b)
	out := make([]evidence.Value, len(pairs))
	for i, p := range pairs {
		out[i] = p.a.Value
	}
	return out
}

// Proposed reports whether the pair is kept as a link if its score says so: on
// some common value both cases stand for their tenants.
func (s *Scorer) Proposed(a, b *evidence.Profile) (bool, error) {
	if !a.Live || !b.Live {
		return false, nil
	}
	for _, p := range shared(a, b) {
		v := p.a.Value
		st, err := s.value(v)
		if err != nil {
			return false, err
		}
		if !st.proposes {
			continue
		}
		if err := s.readRepresentatives(v, st); err != nil {
			return false, err
		}
		if slices.Contains(st.representatives, a.Ref) && slices.Contains(st.representatives, b.Ref) {
			return true, nil
		}
	}
	return false, nil
}
