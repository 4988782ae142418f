package measure

import (
	"math"
	"slices"
)

// leastLikelihood bounds what a certain but wrong likelihood costs in the log
// loss: likelihoods have six decimals, so nothing finer was ever said.
const leastLikelihood = 1e-6

// binCount is the customary number of bins.
const binCount = 10

// Calibration says how far likelihoods can be believed, over the judged sharing
// pairs for which the method states one (Ground.NewMethod says which).
type Calibration struct {
	N       int   `json:"n"`        // pairs measured
	Unsaid  int   `json:"unsaid"`   // judged sharing pairs without a likelihood
	Brier   Value `json:"brier"`    // mean of (p − same)², 0 to 1, lower is better (Brier 1950)
	LogLoss Value `json:"log_loss"` // mean of −ln of what was given to the truth, p kept in 1e-6 to 1−1e-6
	ECE     Value `json:"ece"`      // expected calibration error over Width, 0 to 1
	ECEMass Value `json:"ece_mass"` // the same over Mass
	// Width has ten bins of equal width, [0, .1) to [.9, 1]. Mass has ten of about
	// equally many pairs: pairs of one likelihood stay together, in the bin where
	// the middle one of them falls. Empty bins are left out. The expected
	// calibration error is the mean over pairs of |mean − observed| of their bin
	// (Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using
	// Bayesian Binning, AAAI 2015).
	Width []Bin `json:"width"`
	Mass  []Bin `json:"mass"`
}

// Bin is a row of the reliability table.
type Bin struct {
	Low      float64 `json:"low"` // of Width its bounds, of Mass the least and greatest likelihood in it
	High     float64 `json:"high"`
	N        int     `json:"n"`
	Mean     Value   `json:"mean"`     // mean likelihood stated
	Observed Value   `json:"observed"` // share that is the same
}

// bin adds up a row.
type bin struct {
	low, high float64
	n, same   int64
	p         float64
}

// here is how many pairs of one likelihood there are in a draw.
type here struct{ n, same int64 }

func (b *bin) add(p float64, h here) {
	if b.n == 0 {
		b.low = p
	}
	b.high = p
	b.n += h.n
	b.same += h.same
	b.p += float64(float64(h.n) * p)
}

// reliability is the sums behind a Calibration.
type reliability struct {
	n           int64
	square, log float64
	width, mass [binCount]bin
}

func (m *Method) reliability(drawn []int32) *reliability {
	var r reliability
	levels := make([]here, len(m.levels))
	from := 0
	for k := range m.levels {
		l := &m.levels[k]
		var h here
		for _, s := range m.stated[from:l.to] {
			w := weight(drawn, s.a, s.b)
			h.n += w
			if s.a == s.b {
				h.same += w
			}
		}
		from = l.to
		levels[k] = h
		if h.n == 0 {
			continue
		}
		r.n += h.n
		same, other := float64(h.same), float64(h.n-h.same)
		r.square += float64(same*l.squareSame) + float64(other*l.squareOther)
		r.log += float64(same*l.logSame) + float64(other*l.logOther)
		r.width[min(int(l.p*binCount), binCount-1)].add(l.p, h)
	}
	var before, at int64
	for k := range m.levels {
		l, h := &m.levels[k], levels[k]
		if h.n == 0 {
			continue
		}
		for (2*before+h.n)*binCount >= 2*r.n*(at+1) {
			at++
		}
		r.mass[at].add(l.p, h)
		before += h.n
	}
	return &r
}

func (r *reliability) brier() float64   { return r.square / float64(r.n) }
func (r *reliability) logLoss() float64 { return r.log / float64(r.n) }

// off is the expected calibration error over bins.
func (r *reliability) off(bins *[binCount]bin) float64 {
	var sum float64
	for _, b := range bins {
		sum += math.Abs(b.p - float64(b.same))
	}
	return sum / float64(r.n)
}

// Calibration measures the likelihoods.
func (m *Method) Calibration() Calibration {
	r := m.reliability(m.ground.once)
	c := Calibration{
		N: int(r.n), Unsaid: m.unsaid,
		Brier: Value(r.brier()), LogLoss: Value(r.logLoss()),
		ECE: Value(r.off(&r.width)), ECEMass: Value(r.off(&r.mass)),
	}
	for k := range r.width {
		r.width[k].low, r.width[k].high = float64(k)/binCount, float64(k+1)/binCount
	}
	c.Width, c.Mass = table(&r.width), table(&r.mass)
	return c
}

func table(bins *[binCount]bin) []Bin {
	rows := []Bin{}
	for _, b := range bins {
		if b.n > 0 {
			rows = append(rows, Bin{
				Low: b.low, High: b.high, N: int(b.n),
				Mean: Value(b.p / float64(b.n)), Observed: Value(ratio(b.same, b.n)),
			})
		}
	}
	return rows
}

// Ratio is the likelihood ratio a method gives for two cases.
type Ratio struct {
	I, J int32 // case numbers, I < J
	LR   float64
}

// TuringRow is one line of Turing's check.
type TuringRow struct {
	X         float64 `json:"x"`
	Above     int     `json:"above"`     // different pairs with LR > X
	Different int     `json:"different"` // all judged different pairs
	Share     Value   `json:"share"`     // Above/Different
	Bound     Value   `json:"bound"`     // 1/X
	Holds     bool    `json:"holds"`     // Above·X <= Different
}

// Turing checks Pr(LR > x | different) <= 1/x for each x (10, 100 and 1000 by
// custom). A ratio that means what it says has a mean of 1 over different pairs,
// and so obeys this by Markov's inequality; the rule is Turing's (I. J. Good,
// Probability and the Weighing of Evidence, 1950). Pairs that are not listed are
// taken to be at or below every x, so each pair that could exceed the least x has
// to be listed. Errors are *InputError.
func (g *Ground) Turing(ratios []Ratio, xs ...float64) ([]TuringRow, error) {
	seen := make(map[Couple]bool, len(ratios))
	var different []float64
	for k, r := range ratios {
		why := g.misfit(r.I, r.J)
		switch {
		case why != "":
		case math.IsNaN(r.LR) || r.LR < 0:
			why = "a ratio that is no number, or below zero"
		case seen[Couple{r.I, r.J}]:
			why = "listed twice"
		}
		if why != "" {
			return nil, &InputError{"likelihood ratio", k, why}
		}
		seen[Couple{r.I, r.J}] = true
		if g.judged(r.I, r.J) && g.labels[r.I] != g.labels[r.J] {
			different = append(different, r.LR)
		}
	}
	slices.Sort(different)
	n := g.counts.Judged - g.counts.Same
	rows := make([]TuringRow, 0, len(xs))
	for _, x := range xs {
		at, _ := slices.BinarySearchFunc(different, x, func(lr, x float64) int {
			if lr > x {
				return 1
			}
			return -1
		})
		above := len(different) - at
		rows = append(rows, TuringRow{
			X: x, Above: above, Different: n, Share: Value(ratio(int64(above), int64(n))), Bound: Value(1 / x),
			Holds: float64(above)*x <= float64(n),
		})
	}
	return rows, nil
}
