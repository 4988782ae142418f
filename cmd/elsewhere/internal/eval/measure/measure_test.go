package measure_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

var nan = math.NaN()

// near compares measures: sums in another order differ in their last digits, and
// what is undefined is so on both sides.
func near() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(x, y measure.Value) bool {
			a, b := float64(x), float64(y)
			return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9
		}),
		cmpopts.EquateApprox(0, 1e-9),
		cmpopts.EquateEmpty(),
		cmpopts.EquateNaNs(),
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, near()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func ground(t *testing.T, truth measure.Truth, sharing ...measure.Couple) *measure.Ground {
	t.Helper()
	g, err := measure.NewGround(truth, sharing)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func method(t *testing.T, g *measure.Ground, rest float64, pairs ...measure.Pair) *measure.Method {
	t.Helper()
	m, err := g.NewMethod(pairs, rest)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// small is five cases of two actors, three and two, each at a tenant of its own.
// Of the four same pairs, three share a value; of the six different ones, two.
func small(t *testing.T) (*measure.Ground, *measure.Method) {
	g := ground(t, measure.Truth{Labels: []int32{7, 7, 7, 3, 3}, Tenants: []int32{1, 2, 3, 4, 5}},
		measure.Couple{I: 0, J: 1}, measure.Couple{I: 0, J: 2}, measure.Couple{I: 0, J: 3},
		measure.Couple{I: 1, J: 3}, measure.Couple{I: 3, J: 4})
	return g, method(t, g, .25, // a likelihood of .2 for 0 and 2, which are not listed
		measure.Pair{I: 1, J: 3, Score: 1, P: .1},
		measure.Pair{I: 0, J: 3, Score: 7, P: .7, Tier: 5},
		measure.Pair{I: 0, J: 1, Score: 9, P: .9, Tier: 6},
		measure.Pair{I: 3, J: 4, Score: 7, P: .7, Tier: 4},
		measure.Pair{I: 1, J: 2, Score: 5, P: nan, Tier: 4})
}

func TestCounts(t *testing.T) {
	g, _ := small(t)
	same(t, "each at a tenant of its own",
		measure.Counts{Cases: 5, Labels: 2, Judged: 10, Same: 4, Sharing: 5, SameSharing: 3}, g.Counts())
	g = ground(t, measure.Truth{Labels: []int32{1, 1, 1, 2}, Tenants: []int32{5, 5, 6, 6}},
		measure.Couple{I: 0, J: 1}, measure.Couple{I: 0, J: 2}, measure.Couple{I: 2, J: 3})
	same(t, "pairs of one tenant are not judged",
		measure.Counts{Cases: 4, Labels: 2, Judged: 4, Same: 2, Sharing: 1, SameSharing: 1}, g.Counts())
}

func TestRates(t *testing.T) {
	_, m := small(t)
	nine := measure.Rates{TP: 1, FP: 0, Precision: 1, Recall: 1. / 3, RecallAll: .25, F1: .5}
	seven := measure.Rates{TP: 2, FP: 1, Precision: 2. / 3, Recall: 2. / 3, RecallAll: .5, F1: 2. / 3}
	five := measure.Rates{TP: 3, FP: 1, Precision: .75, Recall: 2. / 3, RecallAll: .75, F1: 12. / 17}
	one := measure.Rates{TP: 3, FP: 2, Precision: .6, Recall: 2. / 3, RecallAll: .75, F1: 12. / 19}
	same(t, "above all scores", measure.Rates{Precision: measure.Value(nan)}, m.AtThreshold(10))
	same(t, "score 9", nine, m.AtThreshold(9))
	same(t, "score 7", seven, m.AtThreshold(7))
	same(t, "between scores", five, m.AtThreshold(1.5))
	same(t, "tier 6", nine, m.AtTier(6))
	same(t, "tier 5", measure.Rates{TP: 1, FP: 1, Precision: .5, Recall: 1. / 3, RecallAll: .25, F1: .4}, m.AtTier(5))
	same(t, "tier 4", five, m.AtTier(4))
	same(t, "tier 0 is every listed pair", one, m.AtTier(0))

	curve := []measure.Point{{Threshold: 9, Rates: nine}, {Threshold: 7, Rates: seven}, {Threshold: 5, Rates: five}, {Threshold: 1, Rates: one}}
	same(t, "curve", curve, m.Curve(200))
	same(t, "ends of the curve", []measure.Point{curve[0], curve[3]}, m.Curve(0))

	type chosen struct {
		measure.Point
		OK bool
	}
	choose := func(p measure.Point, ok bool) chosen { return chosen{p, ok} }
	same(t, "best F1", chosen{curve[2], true}, choose(m.BestF1()))
	same(t, "precision at half the recall", chosen{curve[2], true}, choose(m.PrecisionAt(.5)))
	same(t, "precision at a third of the recall", chosen{curve[0], true}, choose(m.PrecisionAt(1./3)))
	same(t, "precision where the method never gets", chosen{}, choose(m.PrecisionAt(.7)))
	same(t, "recall at precision .7", chosen{curve[2], true}, choose(m.RecallAt(.7)))
	same(t, "recall at precision .8", chosen{curve[0], true}, choose(m.RecallAt(.8)))
	same(t, "recall at a precision above 1", chosen{}, choose(m.RecallAt(1.1)))

	same(t, "average precision", measure.AveragePrecision{Sharing: 5. / 9, All: 29. / 48}, m.AveragePrecision())
}

func TestCalibration(t *testing.T) {
	_, m := small(t)
	bins := func(low, high func(k int) float64) []measure.Bin {
		return []measure.Bin{
			{Low: low(1), High: high(1), N: 1, Mean: .1, Observed: 0},
			{Low: low(2), High: high(2), N: 1, Mean: .2, Observed: 1},
			{Low: low(7), High: high(7), N: 2, Mean: .7, Observed: .5},
			{Low: low(9), High: high(9), N: 1, Mean: .9, Observed: 1},
		}
	}
	tenths := func(k int) float64 { return float64(k) / 10 }
	want := measure.Calibration{
		N: 5, Brier: 1.24 / 5, ECE: 1.4 / 5, ECEMass: 1.4 / 5,
		LogLoss: measure.Value(-(math.Log(.9) + math.Log(.2) + math.Log(.3) + math.Log(.9) + math.Log(.7)) / 5),
		Width:   bins(tenths, func(k int) float64 { return tenths(k + 1) }), Mass: bins(tenths, tenths),
	}
	same(t, "five sharing pairs", want, m.Calibration())
}

func TestCertainAndWrongCostsABoundedLoss(t *testing.T) {
	g := ground(t, measure.Truth{Labels: []int32{1, 2}, Tenants: []int32{1, 2}}, measure.Couple{I: 0, J: 1})
	c := method(t, g, 0, measure.Pair{I: 0, J: 1, P: 1}).Calibration()
	same(t, "log loss", measure.Value(-math.Log(1e-6)), c.LogLoss)
	same(t, "Brier", measure.Value(1), c.Brier)
	same(t, "the last bin has its upper bound", []measure.Bin{{Low: .9, High: 1, N: 1, Mean: 1}}, c.Width)
}

func TestUnsaidLikelihoods(t *testing.T) {
	g := ground(t, measure.Truth{Labels: []int32{1, 1, 2}, Tenants: []int32{1, 2, 3}},
		measure.Couple{I: 0, J: 1}, measure.Couple{I: 0, J: 2}, measure.Couple{I: 1, J: 2})
	c := method(t, g, nan, measure.Pair{I: 0, J: 1, P: .5}, measure.Pair{I: 0, J: 2, P: nan}).Calibration()
	if c.N != 1 || c.Unsaid != 2 {
		t.Errorf("%d pairs measured and %d unsaid, want 1 and 2", c.N, c.Unsaid)
	}
	same(t, "Brier of what was said", measure.Value(.25), c.Brier)
}

func TestTuring(t *testing.T) {
	g, _ := small(t)
	rows, err := g.Turing([]measure.Ratio{{0, 3, 50}, {1, 3, 10}, {0, 1, 1e6}, {2, 3, .5}}, 1, 10, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "of six different pairs", []measure.TuringRow{
		{X: 1, Above: 2, Different: 6, Share: 2. / 6, Bound: 1, Holds: true},
		{X: 10, Above: 1, Different: 6, Share: 1. / 6, Bound: .1, Holds: false},
		{X: 100, Above: 0, Different: 6, Share: 0, Bound: .01, Holds: true},
	}, rows)
}

// The clusterings and their values are the example that er-evaluation documents.
func TestBCubed(t *testing.T) {
	g := ground(t, measure.Truth{Labels: []int32{1, 1, 1, 2, 2, 3, 3, 4}, Tenants: []int32{0, 0, 0, 0, 0, 0, 0, 0}})
	b, err := g.BCubed([]int32{1, 1, 2, 3, 2, 4, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	p, r := 0.6458333333333333, 0.7638888888888888
	same(t, "eight records", measure.BCubed{
		Precision: measure.Value(p), Recall: measure.Value(r), F1: measure.Value(2 * p * r / (p + r)),
	}, b)
}

func TestNothingToMeasure(t *testing.T) {
	undefined := measure.Value(nan)
	cases := []struct {
		name  string
		truth measure.Truth
		pairs []measure.Pair
		rates measure.Rates
		curve []measure.Point
		ap    measure.AveragePrecision
		fits  bool // whether there is a best F1
	}{
		{
			name:  "no cases",
			rates: measure.Rates{Precision: undefined, Recall: undefined, RecallAll: undefined, F1: undefined},
			ap:    measure.AveragePrecision{Sharing: undefined, All: undefined},
		},
		{
			name:  "no pairs",
			truth: measure.Truth{Labels: []int32{1, 1, 2}, Tenants: []int32{1, 2, 3}},
			rates: measure.Rates{Precision: undefined, Recall: 0, RecallAll: 0, F1: 0},
		},
		{
			name:  "no same pairs",
			truth: measure.Truth{Labels: []int32{1, 2, 3}, Tenants: []int32{1, 2, 3}},
			pairs: []measure.Pair{{I: 0, J: 1, Score: 1, P: .5}},
			rates: measure.Rates{FP: 1, Precision: 0, Recall: undefined, RecallAll: undefined, F1: undefined},
			curve: []measure.Point{{Threshold: 1, Rates: measure.Rates{FP: 1, Precision: 0, Recall: undefined, RecallAll: undefined, F1: undefined}}},
			ap:    measure.AveragePrecision{Sharing: undefined, All: undefined},
		},
		{
			name:  "all ties",
			truth: measure.Truth{Labels: []int32{1, 1, 2}, Tenants: []int32{1, 2, 3}},
			pairs: []measure.Pair{{I: 0, J: 1, P: nan}, {I: 0, J: 2, P: nan}, {I: 1, J: 2, P: nan}},
			rates: measure.Rates{TP: 1, FP: 2, Precision: 1. / 3, Recall: 1, RecallAll: 1, F1: .5},
			curve: []measure.Point{{Rates: measure.Rates{TP: 1, FP: 2, Precision: 1. / 3, Recall: 1, RecallAll: 1, F1: .5}}},
			ap:    measure.AveragePrecision{Sharing: 1. / 3, All: 1. / 3},
			fits:  true,
		},
		{
			name:  "one tenant",
			truth: measure.Truth{Labels: []int32{1, 1, 2}, Tenants: []int32{1, 1, 1}},
			pairs: []measure.Pair{{I: 0, J: 1, P: 1}, {I: 0, J: 2, P: 1}},
			rates: measure.Rates{Precision: undefined, Recall: undefined, RecallAll: undefined, F1: undefined},
			ap:    measure.AveragePrecision{Sharing: undefined, All: undefined},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var sharing []measure.Couple
			for i := range c.truth.Labels {
				for j := i + 1; j < len(c.truth.Labels); j++ {
					sharing = append(sharing, measure.Couple{I: int32(i), J: int32(j)})
				}
			}
			g := ground(t, c.truth, sharing...)
			m := method(t, g, .1, c.pairs...)
			same(t, "rates", c.rates, m.AtThreshold(-1))
			same(t, "tier", c.rates, m.AtTier(0))
			same(t, "curve", c.curve, m.Curve(9))
			same(t, "average precision", c.ap, m.AveragePrecision())
			if _, ok := m.BestF1(); ok != c.fits && len(c.pairs) > 0 {
				t.Errorf("best F1 found: %t", ok)
			}
			clusters := make([]int32, len(c.truth.Labels))
			if _, err := g.BCubed(clusters); err != nil {
				t.Error(err)
			}
			r := g.Resample(20, 1)
			b, err := r.BCubed(clusters)
			if err != nil {
				t.Error(err)
			}
			// Whatever is undefined, a report can be written.
			if _, err := json.Marshal([]any{
				m.Calibration(), r.AtTier(m, 0), r.AtThreshold(m, 0), r.AveragePrecision(m), b, r.Calibration(m),
				r.Difference(m, m), r.Band(m, m.Curve(9)), m.Curve(9),
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValueJSON(t *testing.T) {
	got, err := json.Marshal([]measure.Value{.1234567, 1, measure.Value(nan), -1e-9, 0, -.5})
	if err != nil {
		t.Fatal(err)
	}
	if want := `[0.123457,1,null,0,0,-0.5]`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestInputErrors(t *testing.T) {
	truth := measure.Truth{Labels: []int32{1, 1, 2}, Tenants: []int32{1, 2, 3}}
	g := ground(t, truth)
	pairs := func(p ...measure.Pair) func() error {
		return func() error { _, err := g.NewMethod(p, 0); return err }
	}
	sharing := func(c ...measure.Couple) func() error {
		return func() error { _, err := measure.NewGround(truth, c); return err }
	}
	rest := func(odds float64) func() error {
		return func() error { _, err := g.NewMethod(nil, odds); return err }
	}
	ratios := func(r ...measure.Ratio) func() error {
		return func() error { _, err := g.Turing(r, 10); return err }
	}
	ok := measure.Pair{I: 0, J: 1}
	for _, c := range []struct {
		name string
		give func() error
		want measure.InputError
	}{
		{"truth", func() error {
			_, err := measure.NewGround(measure.Truth{Labels: []int32{1, 2}, Tenants: []int32{1}}, nil)
			return err
		}, measure.InputError{What: "truth", Index: 1}},
		{"sharing out of range", sharing(measure.Couple{I: 0, J: 3}), measure.InputError{What: "sharing"}},
		{"sharing below zero", sharing(measure.Couple{I: -1, J: 2}), measure.InputError{What: "sharing"}},
		{"sharing with itself", sharing(measure.Couple{I: 1, J: 1}), measure.InputError{What: "sharing"}},
		{"sharing twice", sharing(measure.Couple{I: 0, J: 1}, measure.Couple{I: 0, J: 1}), measure.InputError{What: "sharing", Index: 1}},
		{"sharing unsorted", sharing(measure.Couple{I: 1, J: 2}, measure.Couple{I: 0, J: 1}), measure.InputError{What: "sharing", Index: 1}},
		{"pair turned round", pairs(ok, measure.Pair{I: 2, J: 0}), measure.InputError{What: "pair", Index: 1}},
		{"pair twice", pairs(measure.Pair{I: 1, J: 2}, ok, measure.Pair{I: 1, J: 2}), measure.InputError{What: "pair", Index: 2}},
		{"no score", pairs(measure.Pair{I: 0, J: 1, Score: nan}), measure.InputError{What: "pair"}},
		{"endless score", pairs(measure.Pair{I: 0, J: 1, Score: math.Inf(-1)}), measure.InputError{What: "pair"}},
		{"likelihood above 1", pairs(ok, measure.Pair{I: 0, J: 2, P: 1.01}), measure.InputError{What: "pair", Index: 1}},
		{"likelihood below 0", pairs(measure.Pair{I: 0, J: 2, P: -.1}), measure.InputError{What: "pair"}},
		{"rest below 0", rest(-1), measure.InputError{What: "rest"}},
		{"rest endless", rest(math.Inf(1)), measure.InputError{What: "rest"}},
		{"ratio twice", ratios(measure.Ratio{I: 0, J: 1}, measure.Ratio{I: 0, J: 1}), measure.InputError{What: "likelihood ratio", Index: 1}},
		{"ratio of nothing", ratios(measure.Ratio{I: 0, J: 1, LR: nan}), measure.InputError{What: "likelihood ratio"}},
		{"too few clusters", func() error { _, err := g.BCubed([]int32{1}); return err }, measure.InputError{What: "cluster", Index: 1}},
		{"too many clusters", func() error { _, err := g.Resample(1, 1).BCubed(make([]int32, 4)); return err }, measure.InputError{What: "cluster", Index: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := errors.AsType[*measure.InputError](c.give())
			if !ok {
				t.Fatal("no error")
			}
			same(t, "error", c.want, measure.InputError{What: got.What, Index: got.Index})
			if got.Why == "" {
				t.Error("does not say why")
			}
		})
	}
}
