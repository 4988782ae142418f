package measure_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// interval is the percentiles by their definition: the value that stands at q of
// the way through the sorted values, linear between two of them.
func interval(value float64, draws []float64) measure.Estimate {
	draws = slices.DeleteFunc(slices.Clone(draws), math.IsNaN)
	slices.Sort(draws)
	at := func(q float64) measure.Value {
		if len(draws) == 0 {
			return measure.Value(nan)
		}
		place := q * float64(len(draws)-1)
		low, high := draws[int(math.Floor(place))], draws[int(math.Ceil(place))]
		return measure.Value(low + (high-low)*(place-math.Floor(place)))
	}
	return measure.Estimate{Value: measure.Value(value), Low: at(.025), High: at(.975)}
}

func TestResamplesAreTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := prepare(t)
		other, err := s.g.NewMethod(s.pairs[:len(s.pairs)/2], s.rest)
		if err != nil {
			t.Fatal(err)
		}
		half := s.sample
		half.pairs = half.pairs[:len(half.pairs)/2]
		const n = 12
		r := s.g.Resample(n, rapid.Uint64().Draw(t, "seed"))

		// The first row is the data themselves.
		drawn := [][]int32{slices.Repeat([]int32{1}, len(r.Draw(0)))}
		for k := range n {
			drawn = append(drawn, r.Draw(k))
		}
		estimate := func(measured func(l, half literal) float64) measure.Estimate {
			var values []float64
			for _, d := range drawn {
				values = append(values, measured(written(s.sample, d), written(half, d)))
			}
			return interval(values[0], values[1:])
		}
		rates := func(claimed func(j judgment) bool) measure.RateEstimates {
			one := func(pick func(measure.Rates) measure.Value) measure.Estimate {
				return estimate(func(l, _ literal) float64 { return float64(pick(l.rates(claimed))) })
			}
			x := written(s.sample, drawn[0]).rates(claimed)
			return measure.RateEstimates{
				TP: x.TP, FP: x.FP,
				Precision: one(func(x measure.Rates) measure.Value { return x.Precision }),
				Recall:    one(func(x measure.Rates) measure.Value { return x.Recall }),
				RecallAll: one(func(x measure.Rates) measure.Value { return x.RecallAll }),
				F1:        one(func(x measure.Rates) measure.Value { return x.F1 }),
			}
		}
		agree(t, "threshold", rates(func(j judgment) bool { return j.score >= 1 }), r.AtThreshold(s.m, 1))
		agree(t, "tier", rates(func(j judgment) bool { return j.tier >= 2 }), r.AtTier(s.m, 2))
		agree(t, "average precision", measure.AveragePrecisionEstimates{
			Sharing: estimate(func(l, _ literal) float64 { return float64(l.averagePrecision().Sharing) }),
			All:     estimate(func(l, _ literal) float64 { return float64(l.averagePrecision().All) }),
		}, r.AveragePrecision(s.m))
		b, err := r.BCubed(s.clusters)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "B-cubed", measure.BCubedEstimates{
			Precision: estimate(func(l, _ literal) float64 { return float64(l.bcubed().Precision) }),
			Recall:    estimate(func(l, _ literal) float64 { return float64(l.bcubed().Recall) }),
			F1:        estimate(func(l, _ literal) float64 { return float64(l.bcubed().F1) }),
		}, b)
		calibration := func(k int) measure.Estimate {
			return estimate(func(l, _ literal) float64 { return l.calibration()[k] })
		}
		agree(t, "calibration", measure.CalibrationEstimates{
			Brier: calibration(0), LogLoss: calibration(1), ECE: calibration(2), ECEMass: calibration(3),
		}, r.Calibration(s.m))

		apart := func(l, half literal) float64 {
			return float64(l.averagePrecision().Sharing - half.averagePrecision().Sharing)
		}
		d := r.Difference(s.m, other)
		agree(t, "difference", estimate(apart), d.Estimate)
		var defined, notBelow float64
		for _, x := range drawn[1:] {
			v := apart(written(s.sample, x), written(half, x))
			if !math.IsNaN(v) {
				defined++
			}
			if v > -1e-12 {
				notBelow++
			}
		}
		agree(t, "share of draws not below", measure.Value(notBelow/defined), d.NotBelow)

		points := []measure.Point{{Threshold: 2}, {Threshold: -9}, {Threshold: 0}, {Threshold: 9}}
		var band []measure.Estimate
		for _, p := range points {
			band = append(band, rates(func(j judgment) bool { return j.score >= p.Threshold }).Precision)
		}
		agree(t, "band", band, r.Band(s.m, points))
	})
}

func TestDrawsTakeAsManyLabelsAsThereAre(t *testing.T) {
	g := ground(t, measure.Truth{Labels: []int32{1, 1, 1, 2, 3, 4}, Tenants: []int32{1, 2, 3, 4, 5, 6}})
	r := g.Resample(2000, 3)
	var seen [4]int
	for k := range 2000 {
		sum := int32(0)
		for l, n := range r.Draw(k) {
			seen[l] += int(n)
			sum += n
		}
		if sum != 4 {
			t.Fatalf("draw %d takes %d labels of 4", k, sum)
		}
	}
	for l, n := range seen {
		if n < 1800 || n > 2200 { // five standard deviations of 39
			t.Errorf("label %d taken %d times in 2000 draws of one in four", l, n)
		}
	}
	if slices.Equal(r.Draw(0), r.Draw(1)) && slices.Equal(r.Draw(1), r.Draw(2)) {
		t.Error("draws do not differ")
	}
	if !slices.Equal(r.Draw(7), g.Resample(10, 3).Draw(7)) {
		t.Error("a draw depends on how many there are")
	}
}

// campaign is a large sample like that of published reports: 200 actors of up to
// eight cases, and a method that is right most of the time.
func campaign(tb testing.TB, pairs int, seed uint64) (*measure.Ground, []measure.Pair) {
	tb.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	const cases = 772
	var truth measure.Truth
	for i := range cases {
		truth.Labels = append(truth.Labels, int32(i/4))
		truth.Tenants = append(truth.Tenants, int32(i))
	}
	var sharing []measure.Couple
	var list []measure.Pair
	share := float64(pairs) / (cases * (cases - 1) / 2)
	for i := range int32(cases) {
		for j := i + 1; j < cases; j++ {
			same := truth.Labels[i] == truth.Labels[j]
			if !same && random.Float64() > share {
				continue
			}
			bits := random.NormFloat64()*3 - 6
			if same {
				bits += 8
			}
			p := 1 / (1 + math.Exp2(-bits))
			list = append(list, measure.Pair{I: i, J: j, Score: bits, P: p, Tier: uint8(1 + p*5)})
			sharing = append(sharing, measure.Couple{I: i, J: j})
		}
	}
	g, err := measure.NewGround(truth, sharing)
	if err != nil {
		tb.Fatal(err)
	}
	return g, list
}

func TestSameBytesOnAnyNumberOfCores(t *testing.T) {
	g, pairs := campaign(t, 2000, 1)
	m := method(t, g, .001, pairs...)
	clusters := make([]int32, g.Counts().Cases)
	for i := range clusters {
		clusters[i] = int32(i / 3)
	}
	report := func() string {
		r := g.Resample(40, 9)
		b, err := r.BCubed(clusters)
		if err != nil {
			t.Fatal(err)
		}
		curve := m.Curve(50)
		out, err := json.Marshal([]any{curve, r.Band(m, curve), r.AtTier(m, 5), r.AveragePrecision(m), b, r.Calibration(m), r.Difference(m, m)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := report()
	runtime.GOMAXPROCS(3)
	if report() != one {
		t.Error("three cores write other bytes than one")
	}
}

func TestIntervalsNarrowAroundTheValue(t *testing.T) {
	g, pairs := campaign(t, 2000, 1)
	m := method(t, g, .001, pairs...)
	e := g.Resample(300, 1).AtTier(m, 5).Precision
	if e.Low >= e.Value || e.Value >= e.High || e.High-e.Low > .3 {
		t.Errorf("precision %.3f in %.3f to %.3f", e.Value, e.Low, e.High)
	}
	if o := g.Resample(300, 2).AtTier(m, 5).Precision; o.Low == e.Low && o.High == e.High {
		t.Error("another seed draws the same")
	}
}

func TestDifferenceIsPaired(t *testing.T) {
	g, pairs := campaign(t, 2000, 1)
	good := method(t, g, 0, pairs...)
	worse := slices.Clone(pairs)
	for k := range worse {
		worse[k].Score = math.Round(worse[k].Score / 4) // coarser, so never better by much
	}
	bad := method(t, g, 0, worse...)
	r := g.Resample(200, 4)
	same(t, "with itself", measure.Difference{NotBelow: 1}, r.Difference(good, good))
	d, back := r.Difference(good, bad), r.Difference(bad, good)
	same(t, "the other way round", measure.Estimate{Value: -d.Value, Low: -d.High, High: -d.Low}, back.Estimate)
	if d.Low <= 0 || d.NotBelow != 1 || back.NotBelow != 0 {
		t.Errorf("the finer score is better in %.2f of the draws, by %+v", d.NotBelow, d.Estimate)
	}
	apart := r.AveragePrecision(good).Sharing
	if unpaired := apart.High - apart.Low; d.High-d.Low >= unpaired {
		t.Errorf("paired interval as wide as that of one method: %.3f, %.3f", d.High-d.Low, unpaired)
	}
}

func TestMethodOfAnotherGround(t *testing.T) {
	g, m := small(t)
	_, pairs := campaign(t, 10, 1)
	big, _ := campaign(t, 10, 1)
	r := g.Resample(5, 1)
	stranger := method(t, big, 0, pairs...)
	for what, e := range map[string]measure.Estimate{
		"average precision": r.AveragePrecision(stranger).Sharing,
		"difference":        r.Difference(m, stranger).Estimate,
		"turned round":      r.Difference(stranger, m).Estimate,
		"tier":              r.AtTier(stranger, 1).Precision,
		"calibration":       r.Calibration(stranger).Brier,
	} {
		if e.Value.Defined() || e.Low.Defined() || e.High.Defined() {
			t.Errorf("%s of labels that are not there: %+v", what, e)
		}
	}
}

func BenchmarkResamples(b *testing.B) {
	g, pairs := campaign(b, 50_000, 1)
	m, err := g.NewMethod(pairs, .001)
	if err != nil {
		b.Fatal(err)
	}
	curve := m.Curve(200)
	clusters := make([]int32, g.Counts().Cases)
	r := g.Resample(1000, 1)
	for _, x := range []struct {
		name    string
		measure func()
	}{
		{"tier", func() { r.AtTier(m, 2) }},
		{"average-precision", func() { r.AveragePrecision(m) }},
		{"difference", func() { r.Difference(m, m) }},
		{"band", func() { r.Band(m, curve) }},
		{"calibration", func() { r.Calibration(m) }},
		{"b-cubed", func() { _, _ = r.BCubed(clusters) }},
	} {
		b.Run(x.name, func(b *testing.B) {
			for b.Loop() {
				x.measure()
			}
		})
	}
}
