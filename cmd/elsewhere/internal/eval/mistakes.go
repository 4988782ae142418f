package eval

import (
	"cmp"
	"context"
	"slices"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Mistake is a pair that the product judges otherwise than the labels: of two
// labels and likely the same actor, or of one and unlikely.
type Mistake struct {
	A          string  `json:"a"`
	B          string  `json:"b"`
	LabelA     string  `json:"label_a"`
	LabelB     string  `json:"label_b"`
	Likelihood float64 `json:"likelihood"`
	Tier       string  `json:"tier"` // "" below possible
	// Because are the values that moved the score most, heaviest first.
	Because []Because `json:"because"`
}

// Because is one reason of a mistake.
type Because struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
	Row   string `json:"row"` // the constants that weighed it
	// Millibits is what it adds to the score.
	Millibits int32 `json:"millibits"`
}

// maxBecause bounds the reasons of a mistake.
const maxBecause = 6

// mistakes returns the n pairs of two labels that are judged most likely, of tier
// possible or better, and the n of one label below it that share most values.
func (r *run) mistakes(ctx context.Context, n int) (wrong, missed []Mistake, err error) {
	var linked, unlinked []measure.Pair
	for _, p := range r.own.pairs {
		switch possible := p.Tier >= uint8(link.Possible); {
		case possible && !r.same(p.I, p.J):
			linked = append(linked, p)
		case !possible && r.same(p.I, p.J):
			unlinked = append(unlinked, p)
		}
	}
	byPair := func(x, y measure.Pair) int {
		return cmp.Or(cmp.Compare(x.I, y.I), cmp.Compare(x.J, y.J))
	}
	slices.SortFunc(linked, func(x, y measure.Pair) int { return cmp.Or(cmp.Compare(y.Score, x.Score), byPair(x, y)) })
	slices.SortFunc(unlinked, func(x, y measure.Pair) int {
		return cmp.Or(cmp.Compare(r.inCommon(y), r.inCommon(x)), cmp.Compare(y.Score, x.Score), byPair(x, y))
	})
	err = r.trial.View(ctx, 1, func(v *server.TrialView) error {
		for _, list := range []struct {
			pairs []measure.Pair
			to    *[]Mistake
		}{{linked, &wrong}, {unlinked, &missed}} {
			for _, p := range list.pairs[:min(n, len(list.pairs))] {
				m, err := r.mistake(v, p)
				if err != nil {
					return err
				}
				*list.to = append(*list.to, m)
			}
		}
		return nil
	})
	return wrong, missed, err
}

// inCommon counts the values that both cases have.
func (r *run) inCommon(p measure.Pair) (n int) {
	r.common(measure.Couple{I: p.I, J: p.J}, func(int32) { n++ })
	return n
}

func (r *run) mistake(v *server.TrialView, p measure.Pair) (Mistake, error) {
	e, err := v.Explain(r.refs[p.I], r.refs[p.J])
	if err != nil {
		return Mistake{}, err
	}
	m := Mistake{
		A: r.refs[p.I].String(), B: r.refs[p.J].String(), LabelA: r.set.Labels[p.I], LabelB: r.set.Labels[p.J],
		Likelihood: e.Likelihood(),
	}
	if e.Tier >= link.Possible {
		m.Tier = tierName(e.Tier)
	}
	for _, f := range e.Families {
		for _, g := range f.Groups {
			for _, value := range g.Values {
				if value.Used != 0 {
					m.Because = append(m.Because, Because{string(value.Kind), value.Text, value.Row, value.Used})
				}
			}
		}
	}
	slices.SortStableFunc(m.Because, func(x, y Because) int { return cmp.Compare(abs(y.Millibits), abs(x.Millibits)) })
	m.Because = m.Because[:min(len(m.Because), maxBecause)]
	return m, nil
}

func abs(n int32) int32 { return max(n, -n) }
