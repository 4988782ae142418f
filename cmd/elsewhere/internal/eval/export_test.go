package eval

import (
	"context"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// BaselinePairs returns what every baseline says of a set, by method.
func BaselinePairs(s *set.Set, classes link.Classifier) (map[string][]measure.Pair, error) {
	d, err := prepare(Clean, s)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]measure.Pair)
	for i, scores := range d.baselineScores(classes) {
		out[baselines()[i].key] = d.pairsOf(scores)
	}
	return out, nil
}

// Sharing returns the pairs of a set that share a value.
func Sharing(s *set.Set) ([]measure.Couple, error) {
	d, err := prepare(Clean, s)
	if err != nil {
		return nil, err
	}
	return d.sharing, nil
}

// Components returns the connected components of pairs.
func Components(cases int, pairs []measure.Pair) []int32 {
	return components(cases, pairs, func(measure.Pair) bool { return true })
}

// Draw draws from pairs with those likelihoods, and returns the numbers of the
// pairs, those of the queue first, and what each stands for.
func Draw(likelihoods []float64, n int, seed uint64) (pairs []int, queue int, weights []float64) {
	r := &run{Config: Config{Seed: seed}, prepared: &prepared{sharing: make([]measure.Couple, len(likelihoods))}, own: &own{}}
	for _, p := range likelihoods {
		r.own.pairs = append(r.own.pairs, measure.Pair{P: p})
	}
	d := r.draw(n)
	return d.pairs, d.queue, d.weights
}

// The ways in which Agree spoils what it compares.
const (
	SpoilNothing = iota
	SpoilScores
	SpoilRows
	LoseRows
)

// Agree compares the stored links of a set with its scores after they were
// spoiled.
func Agree(ctx context.Context, c Config, spoil int) error {
	c = c.orDefaults()
	d, err := prepare(Clean, c.Set)
	if err != nil {
		return err
	}
	r, err := c.open(ctx, d)
	if err != nil {
		return err
	}
	defer r.close()
	rows, err := r.trial.Rows(ctx)
	if err != nil {
		return err
	}
	verdicts, err := score(ctx, r.trial, d, r.own.couples, func(int, int) {})
	if err != nil {
		return err
	}
	stored := make(map[measure.Couple]verdict)
	for _, row := range rows {
		v := verdictOf(row.Outcome)
		if spoil == SpoilRows {
			v.shared++
		}
		if spoil != LoseRows {
			stored[d.couple(row.Outcome)] = v
		}
	}
	for i := range verdicts {
		if spoil == SpoilScores {
			verdicts[i].millibits++
		}
	}
	_, err = agree(ctx, r.trial, d, r.own.couples, verdicts, stored)
	return err
}
