// Package eval measures links on labelled cases: it runs the product's own store,
// linker and score in process, beside what people use today, and compares both
// with the labels.
//
// It knows cases and scores, and how to draw a picture of them; the arithmetic is
// in package measure, the cases come from package set. It must not know how a
// score is made: every baseline sees values and how many cases have them, and
// whether a list knows them.
//
// # The report as JSON
//
// One object. Shares have at most six decimals; what is not defined is null. An
// estimate is {"value", "low", "high"}, the interval being the 2.5th and 97.5th
// percentile of a bootstrap over labels; rates are "tp", "fp", "precision",
// "recall" (of the same pairs that share a value), "recall_all" (of all same
// pairs) and "f1".
//
//	cases        name of the set
//	model        version of the model
//	feeds        version of the data behind the classes
//	seed, resamples
//	sets[]       the cases as they are, then with --stress the stressed ones
//	  name         "clean", the noise of a world, or the stress
//	  cases        "cases", "labels" and the judged pairs: "judged", "same",
//	               "sharing", "same_sharing"
//	  values       "read", "repaired", "dropped"[] of {"type", "reason", "n"}; not
//	               of a world
//	  stored       links that the linker keeps
//	  unproposed   pairs of tier possible or better that no value proposes, which
//	               the linker therefore does not keep
//	  own          the product: tiers[] {"tier", rates as estimates,
//	               "baseline_recall": {"method", "threshold", rates}}, being the
//	               best baseline of at least that precision; thresholds[]
//	               {"likelihood", rates}; average_precision {"sharing", "all"};
//	               b_cubed of its clusters; calibration and its estimates; turing[];
//	               curve[] {"threshold" in bits, rates}
//	  baselines[]  {"method", "name", "threshold", rates as estimates,
//	               average_precision, b_cubed, curve[]}
//	  best         {"method", "value", "low", "high", "not_below"}: the average
//	               precision less that of the best baseline, on the same draws
//	  wrong[], missed[]  with --mistakes: pairs of two labels judged possible or
//	               better, and of one label judged below, each with "a", "b",
//	               "label_a", "label_b", "likelihood", "tier" and "because"[] of
//	               {"kind", "value", "row", "millibits"}
//	ablation[]   with --ablate: {"without", "sets"[] {"name", "average_precision",
//	             "difference", "at_probable": rates}}, the first with nothing off
//	reviews      with --reviews: "drawn", "same", "queue" (of the drawn), the new
//	             "model" and its "changes"[], "log_loss_before" and
//	             "log_loss_after" on reviews held out, sets[] as above with the new
//	             model, and held_out {"labels", "before"[], "after"[]}: the sets
//	             without the labels of which a pair was reviewed
package eval

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Config says what to measure.
type Config struct {
	Set *set.Set
	// As is what the cases as they are are called; Clean if "".
	As string
	// Stress is the noise under which all is measured a second time, "" for none.
	Stress string
	// Seed decides all chances.
	Seed uint64
	// Resamples is the number of draws for intervals; DefaultResamples if 0.
	Resamples int
	Model     *link.Model
	// Lists give the classes of a set that brings none.
	Lists *server.Lists
	// Ablate measures also without each part of the score.
	Ablate bool
	// Reviews is the number of pairs to review and to learn from; 0 is none.
	Reviews int
	// Mistakes is how many pairs are listed that the product judges otherwise than
	// the labels, in either direction.
	Mistakes int
	// Progress is told what is being done; nil: nobody is.
	Progress func(what string)
}

// DefaultResamples is the number of draws for intervals unless told otherwise.
const DefaultResamples = 1000

// Clean is the name of the cases as they are.
const Clean = "clean"

func (c Config) orDefaults() Config {
	c.Resamples = cmp.Or(c.Resamples, DefaultResamples)
	c.As = cmp.Or(c.As, Clean)
	told := c.Progress
	if told == nil {
		told = func(string) {}
	}
	var mu sync.Mutex
	c.Progress = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		told(what)
	}
	return c
}

func (c Config) classes(m *link.Model) link.Classifier {
	if c.Set.Classes != nil {
		return c.Set.Classes
	}
	return c.Lists.Classes(m)
}

// Report is what Run found.
type Report struct {
	Cases     string        `json:"cases"`
	Model     uint32        `json:"model"`
	Feeds     string        `json:"feeds"`
	Seed      uint64        `json:"seed"`
	Resamples int           `json:"resamples"`
	Sets      []SetReport   `json:"sets"`
	Ablation  []AblationRow `json:"ablation,omitempty"`
	Reviews   *ReviewReport `json:"reviews,omitempty"`
	// Last is the last of the sets: the one that reviews are of.
	Last *set.Set `json:"-"`
}

// SetReport is what was found on one set.
type SetReport struct {
	Name       string         `json:"name"`
	Cases      measure.Counts `json:"cases"`
	Values     set.Values     `json:"values,omitzero"`
	Stored     int            `json:"stored"`
	Unproposed int            `json:"unproposed"`
	// Held are the links, possible or better, that wait for a review.
	Held      int              `json:"held"`
	Own       OwnReport        `json:"own"`
	Baselines []BaselineReport `json:"baselines"`
	Best      *Comparison      `json:"best"`
	Wrong     []Mistake        `json:"wrong,omitempty"`
	Missed    []Mistake        `json:"missed,omitempty"`
}

// OwnReport is how the product does.
type OwnReport struct {
	Tiers            []TierRow                         `json:"tiers"`
	Thresholds       []LikelihoodRow                   `json:"thresholds"`
	AveragePrecision measure.AveragePrecisionEstimates `json:"average_precision"`
	BCubed           measure.BCubedEstimates           `json:"b_cubed"`
	Calibration      measure.Calibration               `json:"calibration"`
	Estimates        measure.CalibrationEstimates      `json:"calibration_estimates"`
	// Listed is the calibration of the pairs that people are shown: tier lead and
	// better. The rest are most pairs, and easy.
	Listed measure.CalibrationEstimates `json:"listed_estimates"`
	Turing []measure.TuringRow          `json:"turing"`
	Curve  []measure.Point              `json:"curve"`
	Band   []measure.Estimate           `json:"-"`
}

// TierRow is how the product does from a tier on.
type TierRow struct {
	Tier string `json:"tier"`
	measure.RateEstimates
	// Baseline is the baseline with the most recall at this precision, at the
	// threshold where it has it; nil where none reaches the precision.
	Baseline *BaselinePoint `json:"baseline_recall"`
}

// BaselinePoint is a baseline at some threshold.
type BaselinePoint struct {
	Method string `json:"method"`
	measure.Point
}

// LikelihoodRow is how the product does from a likelihood on.
type LikelihoodRow struct {
	Likelihood float64 `json:"likelihood"`
	measure.Rates
}

// BaselineReport is how a baseline does from the threshold on that has the best
// F1 on the clean set.
type BaselineReport struct {
	Method    string        `json:"method"`
	Name      string        `json:"name"`
	Threshold measure.Value `json:"threshold"`
	measure.RateEstimates
	AveragePrecision measure.AveragePrecisionEstimates `json:"average_precision"`
	BCubed           measure.BCubedEstimates           `json:"b_cubed"`
	Curve            []measure.Point                   `json:"curve"`
}

// Comparison is the average precision over sharing pairs less that of the best
// baseline of the same set.
type Comparison struct {
	Method string `json:"method"`
	measure.Difference
}

// Run measures.
func Run(ctx context.Context, c Config) (report *Report, err error) {
	c = c.orDefaults()
	sets, err := c.prepare()
	if err != nil {
		return nil, err
	}
	out := &Report{
		Cases: c.Set.Name, Model: c.Model.Version(), Feeds: c.classes(c.Model).Version(), Seed: c.Seed, Resamples: c.Resamples,
		Last: sets[len(sets)-1].set,
	}
	var runs []*run
	defer func() {
		for _, r := range runs {
			err = errors.Join(err, r.close())
		}
	}()
	thresholds := make(map[string]float64)
	for _, d := range sets {
		r, err := c.open(ctx, d)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
		one, err := r.report(ctx, r.whole(), thresholds)
		if err != nil {
			return nil, err
		}
		out.Sets = append(out.Sets, *one)
	}
	if c.Ablate {
		if out.Ablation, err = c.ablate(ctx, runs); err != nil {
			return nil, err
		}
	}
	if c.Reviews > 0 {
		if out.Reviews, err = c.learnFrom(ctx, runs, thresholds); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// prepare returns the clean set, and the stressed one if there is one.
func (c Config) prepare() ([]*prepared, error) {
	c.Progress("finding pairs that share a value")
	clean, err := prepare(c.As, c.Set)
	if err != nil || c.Stress == "" {
		return []*prepared{clean}, err
	}
	noisy, err := c.Set.Stressed(c.Stress, c.Seed)
	if err != nil {
		return nil, err
	}
	stressed, err := prepare(c.Stress, noisy)
	return []*prepared{clean, stressed}, err
}
