package eval

import (
	"math"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// The baselines: what people do today.
const (
	// AnyValue links what has a value in common, as MISP's correlations do.
	AnyValue = "any"
	// AnyUnlisted is AnyValue without values that a list knows.
	AnyUnlisted = "unlisted"
	// RareValues counts the common values that are in at most rareCases cases.
	RareValues = "rare"
	// IDFCosine is the cosine of two cases in the space of values weighted by
	// inverse case frequency.
	IDFCosine = "idf_cosine"
	// IDFSum adds the inverse case frequencies of the common values.
	IDFSum = "idf_sum"
)

// rareCases is how many cases may have a rare value.
const rareCases = 5

// baseline is a method that others use.
type baseline struct{ key, name string }

func baselines() []baseline {
	return []baseline{
		{AnyValue, "any shared value"},
		{AnyUnlisted, "any, after warninglists"},
		{RareValues, "rare values (≤ 5 cases)"},
		{IDFCosine, "IDF cosine"},
		{IDFSum, "IDF sum"},
	}
}

// baselineScores scores the sharing pairs with every baseline, in the order of
// baselines; 0 is a pair that it says nothing of.
func (d *prepared) baselineScores(classes link.Classifier) [][]float64 {
	idf, listed := d.idf(), d.listed(classes)
	length := make([]float64, len(d.of))
	for i, values := range d.of {
		sum := 0.0
		for _, v := range values {
			sum += idf[v] * idf[v]
		}
		length[i] = math.Sqrt(sum)
	}
	out := make([][]float64, len(baselines()))
	for b := range out {
		out[b] = make([]float64, len(d.sharing))
	}
	for i, c := range d.sharing {
		unlisted, rare := 0.0, 0.0
		sum, product := 0.0, 0.0
		d.common(c, func(v int32) {
			sum += idf[v]
			product += idf[v] * idf[v]
			if !listed[v] {
				unlisted = 1
			}
			if d.df[v] <= rareCases {
				rare++
			}
		})
		cosine := 0.0
		if product > 0 {
			cosine = product / (length[c.I] * length[c.J])
		}
		for b, score := range []float64{1, unlisted, rare, cosine, sum} {
			out[b][i] = score
		}
	}
	return out
}

// pairsOf returns the sharing pairs that have a score.
func (d *prepared) pairsOf(scores []float64) []measure.Pair {
	var out []measure.Pair
	for i, c := range d.sharing {
		if scores[i] > 0 {
			out = append(out, measure.Pair{I: c.I, J: c.J, Score: scores[i], P: math.NaN()})
		}
	}
	return out
}

// common calls f with each value of both cases, in order.
func (d *prepared) common(c measure.Couple, f func(v int32)) {
	x, y := d.of[c.I], d.of[c.J]
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] < y[0]:
			x = x[1:]
		case x[0] > y[0]:
			y = y[1:]
		default:
			f(x[0])
			x, y = x[1:], y[1:]
		}
	}
}
