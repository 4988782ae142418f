package eval

import (
	"math"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// scope is the part of a set that is judged: everything, or the cases of some
// labels. What a method says of a pair depends on the whole set all the same.
type scope struct {
	ground *measure.Ground
	draws  *measure.Resamples
	// number is, by case, its number in the scope, -1 outside; nil where the scope
	// is everything.
	number []int32
}

// whole is the scope of everything.
func (r *run) whole() *scope {
	return &scope{ground: r.ground, draws: r.ground.Resample(r.Resamples, r.Seed)}
}

// only is the scope of the cases whose label is wanted.
func (r *run) only(wanted func(label int32) bool) (*scope, error) {
	s := &scope{number: make([]int32, len(r.refs))}
	var truth measure.Truth
	for i, label := range r.truth.Labels {
		s.number[i] = -1
		if wanted(label) {
			s.number[i] = int32(len(truth.Labels))
			truth.Labels = append(truth.Labels, label)
			truth.Tenants = append(truth.Tenants, r.truth.Tenants[i])
		}
	}
	var sharing []measure.Couple
	for _, c := range r.sharing {
		if i, j := s.number[c.I], s.number[c.J]; i >= 0 && j >= 0 {
			sharing = append(sharing, measure.Couple{I: i, J: j})
		}
	}
	var err error
	if s.ground, err = measure.NewGround(truth, sharing); err != nil {
		return nil, err
	}
	s.draws = s.ground.Resample(r.Resamples, r.Seed)
	return s, nil
}

// method ranks the pairs that lie in the scope.
func (s *scope) method(pairs []measure.Pair) (*measure.Method, error) {
	return s.ground.NewMethod(s.within(pairs), math.NaN())
}

func (s *scope) within(pairs []measure.Pair) []measure.Pair {
	if s.number == nil {
		return pairs
	}
	var out []measure.Pair
	for _, p := range pairs {
		if p.I, p.J = s.number[p.I], s.number[p.J]; p.I >= 0 && p.J >= 0 {
			out = append(out, p)
		}
	}
	return out
}

// cubed compares clusters of all cases with the labels of the scope.
func (s *scope) cubed(clusters []int32) (measure.BCubedEstimates, error) {
	if s.number != nil {
		var own []int32
		for i, c := range clusters {
			if s.number[i] >= 0 {
				own = append(own, c)
			}
		}
		clusters = own
	}
	return s.draws.BCubed(clusters)
}
