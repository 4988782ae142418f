package learn

import (
	"math"
	"slices"
)

// logLoss is the mean loss of observations in bits, by pull.
func logLoss(seen []observation) float64 {
	var sum, weights float64
	for i := range seen {
		sum += lossOf(&seen[i])
		weights += seen[i].pull
	}
	return sum / weights
}

// lossOf is the loss of one observation in bits, by its pull.
func lossOf(o *observation) float64 {
	p := o.chance
	if !o.Same {
		p = 1 - p
	}
	return float64(-o.pull * math.Log2(max(p, leastChance)))
}

// clearly reports whether pairs are judged better after than before by more than chance
// would often do: the gain is above its own standard error. Pairs that hang together
// by their cases are one witness, so that nothing rests on what somebody said of one
// case.
func clearly(before, after []observation) bool {
	var gain, square float64
	for _, part := range components(before) {
		var own float64
		for _, i := range part {
			own += lossOf(&before[i]) - lossOf(&after[i])
		}
		gain += own
		square += float64(own * own)
	}
	return gain > 0 && float64(gain*gain) > square
}

// leastChance is what a likelihood of 0 counts as: it is rounded to millionths.
const leastChance = 5e-7

// minOutcome is the number of judged pairs of either kind below which scale and
// shift are left alone: from links that are nearly all right nobody learns where
// right ones end.
const minOutcome = 15

// How many pairs like those that people are shown one pair may stand for. Unlikely
// pairs stand for thousands, and hold likelihoods down; but one of them that turns
// out to be of one actor is luck, and must not raise all the others.
const (
	mostPullDifferent = 50
	mostPullSame      = 5
)

// shown is the likelihood from which on people are shown a pair: tier lead.
const shown = .05

// temper sets what pairs pull.
func temper(seen []observation) {
	var weights []float64
	for i := range seen {
		if seen[i].chance >= shown {
			weights = append(weights, seen[i].Weight)
		}
	}
	typical := 1.
	if len(weights) > 0 {
		slices.Sort(weights)
		typical = weights[len(weights)/2]
	}
	for i := range seen {
		o := &seen[i]
		most := float64(mostPullDifferent)
		if o.Same {
			most = mostPullSame
		}
		o.pull = min(o.Weight/typical, most)
	}
}
