package measure_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// sample is the input of one measurement.
type sample struct {
	truth    measure.Truth
	sharing  []measure.Couple
	pairs    []measure.Pair
	rest     float64
	clusters []int32
}

func samples() *rapid.Generator[sample] {
	return rapid.Custom(func(t *rapid.T) sample {
		var s sample
		n := rapid.IntRange(0, 12).Draw(t, "cases")
		labels := rapid.Int32Range(1, 5)
		tenants := rapid.Int32Range(1, 8)
		likelihoods := rapid.SampledFrom([]float64{nan, 0, .05, .1, .1, .3, .3, .55, .6, .95, .999, 1})
		for i := range n {
			s.truth.Labels = append(s.truth.Labels, labels.Draw(t, "label"))
			s.truth.Tenants = append(s.truth.Tenants, tenants.Draw(t, "tenant"))
			s.clusters = append(s.clusters, rapid.Int32Range(0, 5).Draw(t, "cluster"))
			for j := range i {
				c := measure.Couple{I: int32(j), J: int32(i)}
				if rapid.Bool().Draw(t, "shares") {
					s.sharing = append(s.sharing, c)
				}
				if rapid.Bool().Draw(t, "listed") {
					s.pairs = append(s.pairs, measure.Pair{
						I: c.I, J: c.J, Score: float64(rapid.IntRange(-2, 3).Draw(t, "score")),
						P: likelihoods.Draw(t, "likelihood"), Tier: uint8(rapid.IntRange(0, 3).Draw(t, "tier")),
					})
				}
			}
		}
		slices.SortFunc(s.sharing, func(x, y measure.Couple) int {
			if x.I != y.I {
				return int(x.I - y.I)
			}
			return int(x.J - y.J)
		})
		s.rest = rapid.SampledFrom([]float64{nan, 0, .01, 1}).Draw(t, "rest")
		return s
	})
}

// item is a case in one copy of its label.
type item struct{ at, copy, label, tenant, cluster int }

// judgment is a judged pair with all that is said of it.
type judgment struct {
	same, sharing, listed bool
	score, p              float64
	tier                  uint8
}

// literal is a sample with labels copied as often as they were drawn, written out
// pair by pair.
type literal struct {
	items []item
	pairs []judgment
}

func written(s sample, drawn []int32) literal {
	var l literal
	number := map[int32]int{}
	for i, name := range s.truth.Labels {
		if _, ok := number[name]; !ok {
			number[name] = len(number)
		}
		for c := range drawn[number[name]] {
			l.items = append(l.items, item{i, int(c), number[name], int(s.truth.Tenants[i]), int(s.clusters[i])})
		}
	}
	for _, x := range l.items {
		for _, y := range l.items {
			if x.at >= y.at || x.tenant == y.tenant || x.label == y.label && x.copy != y.copy {
				continue
			}
			j := judgment{same: x.label == y.label, p: s.rest / (1 + s.rest)}
			j.sharing = slices.Contains(s.sharing, measure.Couple{I: int32(x.at), J: int32(y.at)})
			for _, p := range s.pairs {
				if int(p.I) == x.at && int(p.J) == y.at {
					j.listed, j.score, j.p, j.tier = true, p.Score, p.P, p.Tier
				}
			}
			l.pairs = append(l.pairs, j)
		}
	}
	return l
}

// count counts the pairs that pass.
func (l literal) count(pass func(j judgment) bool) float64 {
	n := 0
	for _, j := range l.pairs {
		if pass(j) {
			n++
		}
	}
	return float64(n)
}

func (l literal) rates(claimed func(j judgment) bool) measure.Rates {
	claims := func(j judgment) bool { return j.listed && claimed(j) }
	tp := l.count(func(j judgment) bool { return claims(j) && j.same })
	fp := l.count(func(j judgment) bool { return claims(j) && !j.same })
	p := tp / (tp + fp)
	r := l.count(func(j judgment) bool { return claims(j) && j.same && j.sharing }) /
		l.count(func(j judgment) bool { return j.same && j.sharing })
	f1 := 2 * p * r / (p + r)
	if r == 0 {
		f1 = 0
	}
	all := tp / l.count(func(j judgment) bool { return j.same })
	return measure.Rates{
		TP: int(tp), FP: int(fp),
		Precision: measure.Value(p), Recall: measure.Value(r), RecallAll: measure.Value(all), F1: measure.Value(f1),
	}
}

// averagePrecision is the mean, over the same pairs, of the precision among the
// pairs with at least their score.
func (l literal) averagePrecision() measure.AveragePrecision {
	var sharing, all float64
	for _, x := range l.pairs {
		if !x.same || !x.listed {
			continue
		}
		p := float64(l.rates(func(j judgment) bool { return j.score >= x.score }).Precision)
		all += p
		if x.sharing {
			sharing += p
		}
	}
	return measure.AveragePrecision{
		Sharing: measure.Value(sharing / l.count(func(j judgment) bool { return j.same && j.sharing })),
		All:     measure.Value(all / l.count(func(j judgment) bool { return j.same })),
	}
}

// bcubed sums over cases and their clusters.
func (l literal) bcubed() measure.BCubed {
	var p, r, labels float64
	for _, x := range l.items {
		var both, cluster, label float64
		for _, y := range l.items {
			mine := x.label == y.label && x.copy == y.copy
			if x.label == y.label && !mine {
				continue
			}
			if y.cluster == x.cluster {
				cluster++
			}
			if mine {
				label++
			}
			if mine && y.cluster == x.cluster {
				both++
			}
		}
		p += both / cluster / label
		r += both / label / label
		labels += 1 / label
	}
	p, r = p/labels, r/labels
	return measure.BCubed{Precision: measure.Value(p), Recall: measure.Value(r), F1: measure.Value(2 * p * r / (p + r))}
}

func truth(same bool) float64 {
	if same {
		return 1
	}
	return 0
}

// calibration is Brier, log loss, ECE by width, ECE by mass and the number of
// pairs measured.
func (l literal) calibration() []float64 {
	var said []judgment
	for _, j := range l.pairs {
		if j.sharing && !math.IsNaN(j.p) {
			said = append(said, j)
		}
	}
	n := float64(len(said))
	var brier, loss float64
	type group struct{ p, same float64 }
	width, mass := map[int]group{}, map[int]group{}
	into := func(bins map[int]group, k int, j judgment) {
		bins[k] = group{bins[k].p + j.p, bins[k].same + truth(j.same)}
	}
	for _, j := range said {
		brier += math.Pow(j.p-truth(j.same), 2)
		given := j.p
		if !j.same {
			given = 1 - j.p
		}
		loss -= math.Log(math.Min(math.Max(given, 1e-6), 1-1e-6))

		into(width, min(int(math.Floor(j.p*10)), 9), j)
		var below, equal int
		for _, o := range said {
			if o.p < j.p {
				below++
			}
			if o.p == j.p {
				equal++
			}
		}
		into(mass, (2*below+equal)*10/(2*len(said)), j)
	}
	off := func(bins map[int]group) float64 {
		var sum float64
		for _, g := range bins {
			sum += math.Abs(g.p - g.same)
		}
		return sum / n
	}
	return []float64{brier / n, loss / n, off(width), off(mass), n}
}

// draw is a sample with everything that the package prepares from it.
type prepared struct {
	sample
	g *measure.Ground
	m *measure.Method
}

func prepare(t *rapid.T) prepared {
	s := samples().Draw(t, "sample")
	g, err := measure.NewGround(s.truth, s.sharing)
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.NewMethod(s.pairs, s.rest)
	if err != nil {
		t.Fatal(err)
	}
	return prepared{s, g, m}
}

func agree(t *rapid.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, near()); d != "" {
		t.Errorf("%s (-literal +got):\n%s", what, d)
	}
}

func TestMeasuresAreTheirDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		once := make([]int32, len(s.g.Resample(1, 1).Draw(0)))
		for k := range once {
			once[k] = 1
		}
		l := written(s.sample, once)
		counts := s.g.Counts()
		agree(t, "judged pairs", []float64{float64(counts.Judged), float64(counts.Same), float64(counts.Sharing), float64(counts.SameSharing)},
			[]float64{
				l.count(func(judgment) bool { return true }), l.count(func(j judgment) bool { return j.same }),
				l.count(func(j judgment) bool { return j.sharing }), l.count(func(j judgment) bool { return j.same && j.sharing }),
			})
		for x := -3.; x <= 4; x += .5 {
			agree(t, "rates at a threshold", l.rates(func(j judgment) bool { return j.score >= x }), s.m.AtThreshold(x))
		}
		for tier := range uint8(5) {
			agree(t, "rates at a tier", l.rates(func(j judgment) bool { return j.tier >= tier }), s.m.AtTier(tier))
		}
		agree(t, "average precision", l.averagePrecision(), s.m.AveragePrecision())
		b, err := s.g.BCubed(s.clusters)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "B-cubed", l.bcubed(), b)
		c := s.m.Calibration()
		agree(t, "calibration", l.calibration(),
			[]float64{float64(c.Brier), float64(c.LogLoss), float64(c.ECE), float64(c.ECEMass), float64(c.N)})
		if c.N+c.Unsaid != counts.Sharing {
			t.Errorf("%d measured and %d unsaid of %d", c.N, c.Unsaid, counts.Sharing)
		}
	})
}

func TestReliabilityTablesHoldEveryPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		c := s.m.Calibration()
		for _, bins := range [][]measure.Bin{c.Width, c.Mass} {
			n, off, last := 0, 0., -1.
			for _, b := range bins {
				n += b.N
				off += float64(b.N) * math.Abs(float64(b.Mean-b.Observed))
				if float64(b.Mean) < b.Low-1e-9 || float64(b.Mean) > b.High+1e-9 || b.Low < last {
					t.Errorf("bin %+v after one that ends at %g", b, last)
				}
				last = b.High
			}
			if n != c.N {
				t.Errorf("%d pairs in the table, %d measured", n, c.N)
			}
			ece := c.ECE
			if len(bins) == len(c.Mass) && len(bins) > 0 && &bins[0] == &c.Mass[0] {
				ece = c.ECEMass
			}
			if n > 0 && math.Abs(off/float64(n)-float64(ece)) > 1e-9 {
				t.Errorf("the table is off by %g, the summary by %g", off/float64(n), ece)
			}
		}
	})
}

// everyPoint is the points of all distinct scores by their definition.
func everyPoint(s prepared) []measure.Point {
	var scores []float64
	for _, p := range s.pairs {
		if s.truth.Tenants[p.I] != s.truth.Tenants[p.J] {
			scores = append(scores, -p.Score)
		}
	}
	slices.Sort(scores)
	var points []measure.Point
	for _, x := range slices.Compact(scores) {
		points = append(points, measure.Point{Threshold: -x, Rates: s.m.AtThreshold(-x)})
	}
	return points
}

func TestPointsAreTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		all := everyPoint(s)
		agree(t, "whole curve", all, s.m.Curve(1000))
		least := rapid.SampledFrom([]float64{0, .2, .5, 2. / 3, 1}).Draw(t, "least")

		p, ok := s.m.BestF1()
		if want := len(all) > 0 && s.g.Counts().SameSharing > 0; ok != want {
			t.Errorf("best F1 found %t, want %t", ok, want)
		}
		q, okP := s.m.PrecisionAt(least)
		r, okR := s.m.RecallAt(least)
		anyP, anyR := false, false
		for _, x := range all {
			if x.F1 > p.F1 || x.F1 == p.F1 && x.Threshold > p.Threshold {
				t.Errorf("%+v beats the best F1 %+v", x, p)
			}
			if float64(x.Recall) >= least {
				anyP = true
				if x.Precision > q.Precision || x.Precision == q.Precision && x.Recall > q.Recall {
					t.Errorf("%+v beats %+v at recall %g", x, q, least)
				}
			}
			if float64(x.Precision) >= least {
				anyR = true
				if x.Recall > r.Recall || x.Recall == r.Recall && x.Precision > r.Precision {
					t.Errorf("%+v beats %+v at precision %g", x, r, least)
				}
			}
		}
		if okP != anyP || okR != anyR {
			t.Errorf("found %t and %t, want %t and %t", okP, okR, anyP, anyR)
		}
	})
}

func TestCurveKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		all := everyPoint(s)
		limit := rapid.IntRange(2, 6).Draw(t, "limit")
		got := s.m.Curve(limit)
		if len(got) > limit {
			t.Fatalf("%d points, at most %d asked", len(got), limit)
		}
		if len(all) == 0 {
			return
		}
		agree(t, "first", all[0], got[0])
		agree(t, "last", all[len(all)-1], got[len(got)-1])
		for k := 1; k < len(got); k++ {
			if got[k].Threshold >= got[k-1].Threshold {
				t.Errorf("threshold %g follows %g", got[k].Threshold, got[k-1].Threshold)
			}
		}
	})
}

// A shortened curve goes as far between its points as an even division would,
// but for the last step before each.
func TestCurveFollowsTheTurns(t *testing.T) {
	g, pairs := campaign(t, 5000, 2)
	m := method(t, g, 0, pairs...)
	all := m.Curve(len(pairs))
	along := map[float64]float64{} // way to a threshold
	way, longest := 0., 0.
	for k, p := range all {
		if k > 0 {
			step := math.Hypot(float64(p.Recall-all[k-1].Recall), float64(p.Precision-all[k-1].Precision))
			way += step
			longest = max(longest, step)
		}
		along[p.Threshold] = way
	}
	const limit = 60
	short := m.Curve(limit)
	if len(short) < limit/2 {
		t.Errorf("%d points of %d", len(short), limit)
	}
	for k := 1; k < len(short); k++ {
		if gap := along[short[k].Threshold] - along[short[k-1].Threshold]; gap > way/(limit-1)+longest+1e-9 {
			t.Errorf("point %d comes after %.4f, an even part is %.4f and the longest step %.4f", k, gap, way/(limit-1), longest)
		}
	}
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		again, err := s.g.NewMethod(rapid.Permutation(s.pairs).Draw(t, "pairs"), s.rest)
		if err != nil {
			t.Fatal(err)
		}
		exact := cmp.Comparer(func(x, y measure.Value) bool {
			return math.Float64bits(float64(x)) == math.Float64bits(float64(y)) || !x.Defined() && !y.Defined()
		})
		if d := cmp.Diff(
			[]any{s.m.AveragePrecision(), s.m.Calibration(), s.m.Curve(5), s.m.AtTier(1)},
			[]any{again.AveragePrecision(), again.Calibration(), again.Curve(5), again.AtTier(1)}, exact); d != "" {
			t.Error(d)
		}
	})
}

func TestTuringIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		var ratios []measure.Ratio
		for _, p := range s.pairs {
			ratios = append(ratios, measure.Ratio{I: p.I, J: p.J, LR: rapid.SampledFrom([]float64{0, 1, 2, 3, 10, math.Inf(1)}).Draw(t, "ratio")})
		}
		x := rapid.SampledFrom([]float64{1, 2, 2.5, 10}).Draw(t, "x")
		rows, err := s.g.Turing(ratios, x)
		if err != nil {
			t.Fatal(err)
		}
		above := 0
		for _, r := range ratios {
			if s.truth.Tenants[r.I] != s.truth.Tenants[r.J] && s.truth.Labels[r.I] != s.truth.Labels[r.J] && r.LR > x {
				above++
			}
		}
		n := s.g.Counts().Judged - s.g.Counts().Same
		want := measure.TuringRow{X: x, Above: above, Different: n, Share: measure.Value(float64(above) / float64(n)), Bound: measure.Value(1 / x)}
		want.Holds = n == 0 || float64(want.Share) <= 1/x+1e-12
		agree(t, "row", []measure.TuringRow{want}, rows)
	})
}
