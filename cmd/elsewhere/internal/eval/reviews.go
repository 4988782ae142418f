package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// ReviewReport is what came of reviews drawn from the last of the sets.
type ReviewReport struct {
	// Drawn are the reviewed pairs, Same those of one label. Queue of them are from
	// the queue, the others from the pairs that share a value with a likelihood
	// under .05.
	Drawn int `json:"drawn"`
	Same  int `json:"same"`
	Queue int `json:"queue"`
	// Model is the version that was made of them, with its changes.
	Model   uint32        `json:"model"`
	Changes []link.Change `json:"changes"`
	// Before and After are the mean loss in bits on reviews that were held out.
	Before measure.Value `json:"log_loss_before"`
	After  measure.Value `json:"log_loss_after"`
	// Sets are measured with the new model.
	Sets []SetReport `json:"sets"`
	// HeldOut are the cases of the labels of which no pair was reviewed.
	HeldOut HeldOut `json:"held_out"`
	Labels  []Label `json:"-"`
}

// HeldOut are the sets without the labels of which a pair was reviewed, before and
// after.
type HeldOut struct {
	Labels int         `json:"labels"`
	Before []SetReport `json:"before"`
	After  []SetReport `json:"after"`
}

// Label is a reviewed pair.
type Label struct {
	A    string `json:"a"` // tenant/case
	B    string `json:"b"`
	Same bool   `json:"same"`
	// Weight is how many pairs of the set this one stands for.
	Weight float64 `json:"weight"`
}

// WriteLabels writes reviewed pairs as JSON lines.
func WriteLabels(w io.Writer, labels []Label) error {
	out := json.NewEncoder(w)
	for _, l := range labels {
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// The review queue holds the pairs of which the product is unsure; what it is
// sure of comes after them. A likelihood under leastQueued is not in it.
const (
	leastQueued  = .05
	surestQueued = .95
)

// drawn are the numbers of reviewed pairs, those of the queue first.
type drawn struct {
	pairs []int
	queue int
	// weights are how many pairs each stands for.
	weights []float64
}

// draw takes n pairs that share a value: half from the review queue, half from
// those that are unlikely; where one has too few the other gives more.
func (r *run) draw(n int) drawn {
	random := rand.New(rand.NewPCG(r.Seed, 0x726576696577))
	var unsure, sure, unlikely []int
	for i := range r.sharing {
		switch p := r.own.pairs[i].P; {
		case p < leastQueued:
			unlikely = append(unlikely, i)
		case p < surestQueued:
			unsure = append(unsure, i)
		default:
			sure = append(sure, i)
		}
	}
	n = min(n, len(unsure)+len(sure)+len(unlikely))
	low := min(n/2, len(unlikely))
	low = max(low, n-len(unsure)-len(sure))
	middle := min(n-low, len(unsure))
	d := drawn{queue: n - low}
	for _, stratum := range []struct {
		of []int
		n  int
	}{{unsure, middle}, {sure, n - low - middle}, {unlikely, low}} {
		random.Shuffle(len(stratum.of), func(i, k int) { stratum.of[i], stratum.of[k] = stratum.of[k], stratum.of[i] })
		chosen := stratum.of[:stratum.n]
		slices.Sort(chosen)
		for range chosen {
			d.weights = append(d.weights, float64(len(stratum.of))/float64(stratum.n))
		}
		d.pairs = append(d.pairs, chosen...)
	}
	return d
}

// learnFrom reviews pairs of the last run, makes a model of them and measures it on
// all.
func (c Config) learnFrom(ctx context.Context, runs []*run, thresholds map[string]float64) (*ReviewReport, error) {
	last := runs[len(runs)-1]
	d := last.draw(c.Reviews)
	out := &ReviewReport{Drawn: len(d.pairs), Queue: d.queue}
	reviewed := make(map[int32]bool) // labels
	var answers []learn.Judged
	for k, i := range d.pairs {
		couple := last.sharing[i]
		same := last.same(couple.I, couple.J)
		if same {
			out.Same++
			reviewed[last.truth.Labels[couple.I]] = true
		}
		a, b := last.refs[couple.I], last.refs[couple.J]
		answers = append(answers, learn.Judged{A: a, B: b, Same: same, Weight: d.weights[k]})
		out.Labels = append(out.Labels, Label{A: a.String(), B: b.String(), Same: same, Weight: d.weights[k]})
	}
	proposal, err := last.propose(ctx, answers)
	if err != nil {
		return nil, err
	}
	m, err := c.Model.With(max(link.FirstOwnVersion, c.Model.Version()+1), proposal.Changes)
	if err != nil {
		return nil, err
	}
	out.Model, out.Changes = m.Version(), proposal.Changes
	out.Before, out.After = measure.Value(proposal.Before), measure.Value(proposal.After)
	for _, r := range runs {
		held, err := r.only(func(label int32) bool { return !reviewed[label] })
		if err != nil {
			return nil, err
		}
		out.HeldOut.Labels = held.ground.Counts().Labels
		before, err := r.report(ctx, held, thresholds)
		if err != nil {
			return nil, err
		}
		if err := r.use(ctx, m); err != nil {
			return nil, err
		}
		after, err := r.report(ctx, held, thresholds)
		if err != nil {
			return nil, err
		}
		all, err := r.report(ctx, r.whole(), thresholds)
		if err != nil {
			return nil, err
		}
		out.Sets = append(out.Sets, *all)
		out.HeldOut.Before = append(out.HeldOut.Before, *before)
		out.HeldOut.After = append(out.HeldOut.After, *after)
	}
	return out, nil
}

// propose learns from judged pairs.
func (r *run) propose(ctx context.Context, judged []learn.Judged) (p *learn.Proposal, err error) {
	r.Progress(fmt.Sprintf("%s: learning from %d reviews", r.name, len(judged)))
	err = r.trial.View(ctx, 1, func(v *server.TrialView) error {
		p, err = learn.Propose(ctx, r.Model, judged, &judgedCases{run: r, of: r.Model, view: v})
		return err
	})
	return p, err
}

// judgedCases compares cases of a set under any model.
type judgedCases struct {
	run  *run
	of   *link.Model
	view *server.TrialView // under of
}

func (c *judgedCases) under(m *link.Model) (err error) {
	if m == c.of {
		return nil
	}
	c.view, err = c.view.Under(m, c.run.classes(m))
	c.of = m
	return err
}

// Explain implements learn.Cases.
func (c *judgedCases) Explain(m *link.Model, a, b evidence.Ref) (link.Explanation, error) {
	if err := c.under(m); err != nil {
		return link.Explanation{}, err
	}
	e, err := c.view.Explain(a, b)
	if err != nil {
		return link.Explanation{}, err
	}
	return *e, nil
}

// InBoth implements learn.Cases.
func (c *judgedCases) InBoth(m *link.Model, a, b evidence.Ref) ([]link.InBoth, error) {
	if err := c.under(m); err != nil {
		return nil, err
	}
	return c.view.InBoth(a, b)
}
