package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// run is one set in the product.
type run struct {
	Config
	*prepared
	trial *server.Trial
	// scores are those of each baseline, in the order of baselines.
	scores [][]float64
	own    *own
}

// open puts a set into the product. The run has to be closed.
func (c Config) open(ctx context.Context, d *prepared) (*run, error) {
	r := &run{Config: c, prepared: d}
	classes := c.classes(c.Model)
	var err error
	if r.trial, err = server.NewTrial(ctx, c.Model, classes); err != nil {
		return nil, err
	}
	err = r.trial.Submit(ctx, d.set.Cases, func(done int) {
		c.Progress(fmt.Sprintf("%s: %d of %d cases stored", d.name, done, len(d.set.Cases)))
	})
	if err == nil {
		err = r.settle(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.scores = d.baselineScores(classes)
	return r, nil
}

func (r *run) close() error { return r.trial.Close() }

// settle lets the product link everything, and compares what it then says.
func (r *run) settle(ctx context.Context) (err error) {
	err = r.trial.Settle(ctx, func(done, of int) {
		r.Progress(fmt.Sprintf("%s: %d of %d cases linked", r.name, done, of))
	})
	if err != nil {
		return err
	}
	r.own, err = judge(ctx, r.trial, r.prepared, func(done, of int) {
		r.Progress(fmt.Sprintf("%s: %d of %d pairs scored", r.name, done, of))
	})
	return err
}

// use puts another model in place.
func (r *run) use(ctx context.Context, m *link.Model) error {
	r.trial.Use(m, r.classes(m))
	return r.settle(ctx)
}

// tiers are those that are measured, surest first.
func tiers() []link.Tier { return []link.Tier{link.Strong, link.Probable, link.Possible} }

func tierName(t link.Tier) string {
	switch t {
	case link.Strong:
		return "strong"
	case link.Probable:
		return "probable"
	default:
		return "possible"
	}
}

// likelihoods are those from which on the product is measured.
func likelihoods() []float64 { return []float64{.99, .95, .9, .75, .5, .3, .2, .1, .05} }

// turingFactors are the likelihood ratios that are checked.
func turingFactors() []float64 { return []float64{10, 100, 1000} }

// leadLikelihood is that of tier lead, from which on people are shown a pair.
const leadLikelihood = .05

// curvePoints bounds the points of a curve.
const curvePoints = 200

// report measures the product and the baselines on a scope. thresholds are those
// of the baselines; it fills what it lacks.
func (r *run) report(ctx context.Context, s *scope, thresholds map[string]float64) (*SetReport, error) {
	r.Progress(r.name + ": measuring")
	out := &SetReport{
		Name: r.name, Cases: s.ground.Counts(), Values: r.set.Values, Stored: r.own.stored, Unproposed: r.own.unproposed,
		Held: r.own.held,
	}
	method, err := s.method(r.own.pairs)
	if err != nil {
		return nil, err
	}
	if out.Own, err = r.measureOwn(s, method); err != nil {
		return nil, err
	}
	methods := make([]*measure.Method, len(baselines()))
	for i, b := range baselines() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Progress(r.name + ": measuring " + b.name)
		pairs := r.pairsOf(r.scores[i])
		if methods[i], err = s.method(pairs); err != nil {
			return nil, err
		}
		one, err := r.measureBaseline(s, b, methods[i], pairs, thresholds)
		if err != nil {
			return nil, err
		}
		out.Baselines = append(out.Baselines, one)
	}
	for i := range out.Own.Tiers {
		tier := &out.Own.Tiers[i]
		tier.Baseline = bestAt(methods, float64(tier.Precision.Value))
	}
	out.Best = s.compare(method, methods, out.Baselines)
	if r.Mistakes > 0 && s.number == nil {
		out.Wrong, out.Missed, err = r.mistakes(ctx, r.Mistakes)
	}
	return out, err
}

func (r *run) measureOwn(s *scope, m *measure.Method) (out OwnReport, err error) {
	for _, t := range tiers() {
		out.Tiers = append(out.Tiers, TierRow{Tier: tierName(t), RateEstimates: s.draws.AtTier(m, uint8(t))})
	}
	for _, p := range likelihoods() {
		out.Thresholds = append(out.Thresholds, LikelihoodRow{Likelihood: p, Rates: m.AtThreshold(scoreFrom(r.own.pairs, p))})
	}
	out.AveragePrecision = s.draws.AveragePrecision(m)
	out.Calibration, out.Estimates = m.Calibration(), s.draws.Calibration(m)
	shown := slices.DeleteFunc(slices.Clone(r.own.pairs), func(p measure.Pair) bool { return p.P < leadLikelihood })
	listed, err := s.method(shown)
	if err != nil {
		return out, err
	}
	out.Listed = s.draws.Calibration(listed)
	out.Curve = m.Curve(curvePoints)
	out.Band = s.draws.Band(m, out.Curve)
	if out.Turing, err = s.ground.Turing(ratios(s.within(r.own.pairs), r.own.prior), turingFactors()...); err != nil {
		return out, err
	}
	out.BCubed, err = s.cubed(r.own.clusters)
	return out, err
}

// scoreFrom returns the least score of a pair with at least that likelihood.
func scoreFrom(pairs []measure.Pair, p float64) float64 {
	least := math.Inf(1)
	for i := range pairs {
		if pairs[i].P >= p {
			least = min(least, pairs[i].Score)
		}
	}
	return least
}

// ratios are the likelihood ratios of pairs: how much the evidence moved the
// odds. The prior is in millibits.
func ratios(pairs []measure.Pair, prior int32) []measure.Ratio {
	out := make([]measure.Ratio, len(pairs))
	for i, p := range pairs {
		out[i] = measure.Ratio{I: p.I, J: p.J, LR: math.Exp2(p.Score - float64(prior)/1000)}
	}
	return out
}

// measureBaseline measures a baseline from the threshold on that has its best F1
// where it is first met.
func (r *run) measureBaseline(s *scope, b baseline, m *measure.Method, pairs []measure.Pair, thresholds map[string]float64) (BaselineReport, error) {
	x, known := thresholds[b.key]
	if !known {
		x = math.Inf(1)
		if best, ok := m.BestF1(); ok {
			x = best.Threshold
		}
		thresholds[b.key] = x
	}
	clusters := components(len(r.refs), pairs, func(p measure.Pair) bool { return p.Score >= x })
	cubed, err := s.cubed(clusters)
	return BaselineReport{
		Method: b.key, Name: b.name, Threshold: measure.Value(x), RateEstimates: s.draws.AtThreshold(m, x),
		AveragePrecision: s.draws.AveragePrecision(m), BCubed: cubed, Curve: m.Curve(curvePoints),
	}, err
}

// bestAt returns the baseline with the most recall among those that have a
// precision.
func bestAt(methods []*measure.Method, precision float64) *BaselinePoint {
	var best *BaselinePoint
	for i, b := range baselines() {
		p, ok := methods[i].RecallAt(precision)
		if ok && (best == nil || p.Recall > best.Recall) {
			best = &BaselinePoint{Method: b.key, Point: p}
		}
	}
	return best
}

// compare holds the product against the baseline with the highest average
// precision; nil if none has one.
func (s *scope) compare(m *measure.Method, methods []*measure.Method, reports []BaselineReport) *Comparison {
	best := -1
	for i := range reports {
		ap := reports[i].AveragePrecision.Sharing.Value
		if ap.Defined() && (best < 0 || ap > reports[best].AveragePrecision.Sharing.Value) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return &Comparison{Method: reports[best].Method, Difference: s.draws.Difference(m, methods[best])}
}
