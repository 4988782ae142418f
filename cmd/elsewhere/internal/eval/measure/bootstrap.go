package measure

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// Resamples is draws of the labels with replacement. Measures of the same
// Resamples are paired: they see the same draws. It is immutable and safe for
// use by several goroutines; it works on as many cores as there are, with the
// same result on any number.
//
// A draw takes as many labels as there are; a label drawn k times stands for k
// different actors. So a same pair counts k times, and a different pair counts
// the product of how often its two labels were drawn; copies of one label are
// never paired with each other. Labels are drawn and not cases, since the pairs
// of one actor are not independent. Labels with one case are drawn like any
// other: they bring no same pair but take part in different pairs, and in B-cubed
// as labels.
//
// Intervals are the percentiles 2.5 and 97.5 of the draws (Efron and Tibshirani,
// An Introduction to the Bootstrap, 1993, chapter 13), linear between neighbours.
// Draws in which a measure is undefined (a precision of no claims) are left out of
// its interval. The percentile interval makes no correction for bias: measures
// that resampling itself shifts, such as calibration errors, may lie near an end
// of theirs.
type Resamples struct {
	ground *Ground
	n      int
	seed   uint64
}

// Resample draws the labels n times. Draw k depends on the seed and k only.
func (g *Ground) Resample(n int, seed uint64) *Resamples { return &Resamples{g, max(n, 0), seed} }

// draw counts into drawn how often draw k takes each label.
func (r *Resamples) draw(k int, drawn []int32) {
	clear(drawn)
	random := rand.New(rand.NewPCG(r.seed, uint64(k)))
	for range drawn {
		drawn[random.IntN(len(drawn))]++
	}
}

// sampled is measures on the data themselves and on every draw.
type sampled struct {
	value []float64
	draws [][]float64 // by measure, then draw
}

// run takes several measures at once. A method of another ground has nothing to
// do with these labels: all is undefined.
func (r *Resamples) run(measures int, ground *Ground, measure func(drawn []int32, out []float64)) sampled {
	s := sampled{value: make([]float64, measures), draws: make([][]float64, measures)}
	if ground != r.ground {
		for i := range s.value {
			s.value[i] = math.NaN()
		}
		return s
	}
	measure(ground.once, s.value)
	for i := range s.draws {
		s.draws[i] = make([]float64, r.n)
	}
	workers := min(runtime.GOMAXPROCS(0), r.n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			drawn, out := make([]int32, len(ground.once)), make([]float64, measures)
			for k := w; k < r.n; k += workers {
				r.draw(k, drawn)
				measure(drawn, out)
				for i, v := range out {
					s.draws[i][k] = v
				}
			}
		})
	}
	wg.Wait()
	return s
}

// estimate gives measure i its interval.
func (s sampled) estimate(i int) Estimate {
	defined := slices.DeleteFunc(slices.Clone(s.draws[i]), math.IsNaN)
	slices.Sort(defined)
	return Estimate{Value: Value(s.value[i]), Low: percentile(defined, .025), High: percentile(defined, .975)}
}

// percentile interpolates between neighbours of sorted values.
func percentile(sorted []float64, q float64) Value {
	if len(sorted) == 0 {
		return Value(math.NaN())
	}
	at := q * float64(len(sorted)-1)
	k := int(at)
	if k+1 >= len(sorted) {
		return Value(sorted[len(sorted)-1])
	}
	return Value(sorted[k] + float64((at-float64(k))*(sorted[k+1]-sorted[k])))
}

// RateEstimates is Rates with intervals; the counts are those of the data.
type RateEstimates struct {
	TP        int      `json:"tp"`
	FP        int      `json:"fp"`
	Precision Estimate `json:"precision"`
	Recall    Estimate `json:"recall"`
	RecallAll Estimate `json:"recall_all"`
	F1        Estimate `json:"f1"`
}

func (r *Resamples) rates(m *Method, claimed []ranked) RateEstimates {
	s := r.run(4, m.ground, func(drawn []int32, out []float64) {
		x := m.ground.rates(claimed, drawn)
		out[0], out[1], out[2], out[3] = float64(x.Precision), float64(x.Recall), float64(x.RecallAll), float64(x.F1)
	})
	x := m.ground.rates(claimed, m.ground.once)
	return RateEstimates{
		TP: x.TP, FP: x.FP,
		Precision: s.estimate(0), Recall: s.estimate(1), RecallAll: s.estimate(2), F1: s.estimate(3),
	}
}

// AtThreshold is Method.AtThreshold with intervals.
func (r *Resamples) AtThreshold(m *Method, x float64) RateEstimates {
	return r.rates(m, m.ranked[:m.above(x)])
}

// AtTier is Method.AtTier with intervals.
func (r *Resamples) AtTier(m *Method, t uint8) RateEstimates { return r.rates(m, m.atTier(t)) }

// Band returns the precision at each of the thresholds with its interval, in the
// order of the points.
func (r *Resamples) Band(m *Method, points []Point) []Estimate {
	type stop struct{ above, point int }
	stops := make([]stop, len(points))
	for i, p := range points {
		stops[i] = stop{m.above(p.Threshold), i}
	}
	slices.SortFunc(stops, func(x, y stop) int { return x.above - y.above })
	s := r.run(len(points), m.ground, func(drawn []int32, out []float64) {
		var t tally
		from := 0
		for _, to := range stops {
			t.add(m.ranked[from:to.above], drawn)
			from = to.above
			out[to.point] = ratio(t.tp, t.tp+t.fp)
		}
	})
	band := make([]Estimate, len(points))
	for i := range band {
		band[i] = s.estimate(i)
	}
	return band
}

// AveragePrecisionEstimates is AveragePrecision with intervals.
type AveragePrecisionEstimates struct {
	Sharing Estimate `json:"sharing"`
	All     Estimate `json:"all"`
}

// AveragePrecision is Method.AveragePrecision with intervals.
func (r *Resamples) AveragePrecision(m *Method) AveragePrecisionEstimates {
	s := r.run(2, m.ground, func(drawn []int32, out []float64) {
		x := m.averagePrecision(drawn)
		out[0], out[1] = float64(x.Sharing), float64(x.All)
	})
	return AveragePrecisionEstimates{Sharing: s.estimate(0), All: s.estimate(1)}
}

// BCubedEstimates is BCubed with intervals.
type BCubedEstimates struct {
	Precision Estimate `json:"precision"`
	Recall    Estimate `json:"recall"`
	F1        Estimate `json:"f1"`
}

// BCubed is Ground.BCubed with intervals.
func (r *Resamples) BCubed(clusters []int32) (BCubedEstimates, error) {
	t, err := r.ground.overlap(clusters)
	if err != nil {
		return BCubedEstimates{}, err
	}
	s := r.run(3, r.ground, func(drawn []int32, out []float64) {
		x := t.bcubed(drawn)
		out[0], out[1], out[2] = float64(x.Precision), float64(x.Recall), float64(x.F1)
	})
	return BCubedEstimates{Precision: s.estimate(0), Recall: s.estimate(1), F1: s.estimate(2)}, nil
}

// CalibrationEstimates is the numbers of Calibration with intervals.
type CalibrationEstimates struct {
	Brier   Estimate `json:"brier"`
	LogLoss Estimate `json:"log_loss"`
	ECE     Estimate `json:"ece"`
	ECEMass Estimate `json:"ece_mass"`
}

// Calibration is Method.Calibration with intervals. Bins of equal mass are cut
// anew in every draw.
func (r *Resamples) Calibration(m *Method) CalibrationEstimates {
	s := r.run(4, m.ground, func(drawn []int32, out []float64) {
		x := m.reliability(drawn)
		out[0], out[1], out[2], out[3] = x.brier(), x.logLoss(), x.off(&x.width), x.off(&x.mass)
	})
	return CalibrationEstimates{Brier: s.estimate(0), LogLoss: s.estimate(1), ECE: s.estimate(2), ECEMass: s.estimate(3)}
}

// Difference compares the average precision over sharing pairs of two methods.
type Difference struct {
	Estimate       // the first minus the second
	NotBelow Value `json:"not_below"` // share of draws where the first is not below the second
}

// rounding is how far two equal sums may lie apart that were added up in another
// order.
const rounding = 1e-12

// Difference is the paired bootstrap of the average precision (Sharing) of a
// against that of b: both are measured on the same draws.
func (r *Resamples) Difference(a, b *Method) Difference {
	ground := a.ground
	if b.ground != r.ground {
		ground = b.ground
	}
	s := r.run(1, ground, func(drawn []int32, out []float64) {
		out[0] = float64(a.averagePrecision(drawn).Sharing - b.averagePrecision(drawn).Sharing)
	})
	var n, notBelow int64
	for _, d := range s.draws[0] {
		if math.IsNaN(d) {
			continue
		}
		n++
		if d >= -rounding {
			notBelow++
		}
	}
	return Difference{s.estimate(0), Value(ratio(notBelow, n))}
}
