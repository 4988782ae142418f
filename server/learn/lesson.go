package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// MaxWeight bounds how many pairs one may stand for.
const MaxWeight = 1e9

var errWeight = errors.New("a weight is above 0 and at most a billion")

func compareJudged(x, y Judged) int {
	return cmp.Or(x.A.Compare(y.A), x.B.Compare(y.B), cmp.Compare(y.Weight, x.Weight))
}

// lesson is one run of Propose.
type lesson struct {
	base *link.Model
	// defaults is the model of the program that base is made from. What is learned
	// is held back towards it, so that the same pairs say the same once more.
	defaults *link.Model
	explain  Explain
	seen     []observation
	parts    [][]int // of seen, held out in turn
}

// observation is a judged pair as the default model explains it.
type observation struct {
	Judged
	// score and chance are those of a model that learned.
	score  float64 // bits
	chance float64 // likelihood
	// pull is what the pair weighs where all kinds of evidence are judged together.
	pull float64
	// row is the one row of constants that all evidence but behaviour is of, where
	// it lies in one group; else "".
	row string
}

// observe explains a pair.
func (l *lesson) observe(m *link.Model, j Judged) (observation, error) {
	e, err := l.explain(m, j.A, j.B)
	if err != nil {
		return observation{}, &PairError{j.A, j.B, err}
	}
	o := observation{Judged: j, score: float64(e.Total) / 1000, chance: e.Likelihood()}
	groups, rows := 0, 0
	for _, f := range e.Families {
		if f.Name == link.Behaviour {
			continue
		}
		groups += len(f.Groups)
		for _, g := range f.Groups {
			for _, v := range g.Values {
				if v.Row == "" || v.Row != o.row {
					rows++
				}
				o.row = v.Row
			}
		}
	}
	if groups != 1 || rows != 1 {
		o.row = ""
	}
	return o, nil
}

// logLoss is the mean loss of observations in bits, by pull.
func logLoss(seen []observation) float64 {
	var sum, weights float64
	for i := range seen {
		o := &seen[i]
		p := o.chance
		if !o.Same {
			p = 1 - p
		}
		sum -= float64(o.pull * math.Log2(max(p, leastChance)))
		weights += o.pull
	}
	return sum / weights
}

// leastChance is what a likelihood of 0 counts as: it is rounded to millionths.
const leastChance = 5e-7

// propose learns step by step and keeps of each step what judges held-out pairs
// better: alpha row by row, then the calibration.
func (l *lesson) propose(ctx context.Context, p *Proposal) error {
	if len(l.seen) < MinReviews {
		p.Considered = append(p.Considered, Considered{
			Name: "everything", Same: p.Same, Different: p.Reviews - p.Same,
			Reason: fmt.Sprintf("too few judged pairs; %d are needed", MinReviews),
		})
		return nil
	}
	temper(l.seen)
	l.parts = folds(l.seen)
	p.Folds = len(l.parts)
	learned := l.learnAlphas(l.seen, nil)
	if p.Folds < 2 {
		p.Considered = learned.considered
		refuse(p.Considered, "all judged pairs hang together, so that none can be held out")
		return nil
	}
	p.Before = logLoss(l.seen)
	p.After = p.Before
	only, held, err := l.rows(ctx, learned)
	if err != nil {
		return err
	}
	p.Considered = learned.considered
	if loss := logLoss(held); len(only) > 0 && loss < p.After {
		p.After = loss
	} else {
		refuse(p.Considered, noGain)
		only = map[string]bool{}
	}
	p.Changes = l.learnAlphas(l.seen, only).changes
	return l.calibrate(ctx, p, only)
}

func tooFew() string {
	return fmt.Sprintf("too few pairs; %d of one actor and as many of several are needed", minOutcome)
}

const noGain = "held-out pairs are judged no better with it"

// rows keeps those rows whose own pairs are judged better when held out, and
// returns all pairs as they were judged then.
func (l *lesson) rows(ctx context.Context, learned alphas) (only map[string]bool, held []observation, err error) {
	only = make(map[string]bool)
	for _, c := range learned.considered {
		if c.Applied {
			only[rowOf(c.Name)] = true
		}
	}
	if held, err = l.heldOut(ctx, only, false); err != nil {
		return nil, nil, err
	}
	for i := range learned.considered {
		c := &learned.considered[i]
		row := rowOf(c.Name)
		own := func(o observation) bool { return o.row != row }
		before, after := slices.DeleteFunc(slices.Clone(l.seen), own), slices.DeleteFunc(slices.Clone(held), own)
		if c.Applied && logLoss(after) >= logLoss(before) {
			c.Applied, c.Reason = false, noGain
			delete(only, row)
		}
	}
	held, err = l.heldOut(ctx, only, false)
	return only, held, err
}

// calibrate learns scale and shift of the scores with what was learned so far.
func (l *lesson) calibrate(ctx context.Context, p *Proposal, only map[string]bool) error {
	m, err := l.base.With(l.base.Version(), p.Changes)
	if err != nil {
		return err
	}
	seen, err := l.under(ctx, m, l.seen)
	if err != nil {
		return err
	}
	c := fit(seen)
	why := tooFew()
	applied := false
	switch {
	case min(p.Same, p.Reviews-p.Same) < minOutcome:
	default:
		held, err := l.heldOut(ctx, only, true)
		if err != nil {
			return err
		}
		loss := logLoss(held)
		if applied = loss < p.After; applied {
			p.After, why = loss, origin(p.Reviews)
			p.Changes = append(p.Changes, c.changes(p.Reviews)...)
		} else {
			why = noGain
		}
	}
	p.Considered = append(p.Considered, c.considered(m, p, applied, why)...)
	slices.SortFunc(p.Changes, func(x, y link.Change) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(p.Considered, func(x, y Considered) int { return cmp.Compare(x.Name, y.Name) })
	return nil
}

// heldOut returns every pair as a model judges it that learned from the pairs of
// the other parts.
func (l *lesson) heldOut(ctx context.Context, only map[string]bool, calibrated bool) ([]observation, error) {
	out := slices.Clone(l.seen)
	for _, part := range l.parts {
		train, test := l.split(part)
		m, err := l.base.With(l.base.Version(), l.learnAlphas(train, only).changes)
		if err != nil {
			return nil, err
		}
		if test, err = l.under(ctx, m, test); err != nil {
			return nil, err
		}
		if calibrated {
			if train, err = l.under(ctx, m, train); err != nil {
				return nil, err
			}
			test = fit(train).over(m, test)
		}
		for i, at := range part {
			out[at] = test[i]
		}
	}
	return out, nil
}

func refuse(considered []Considered, why string) {
	for i := range considered {
		if c := &considered[i]; c.Applied {
			c.Applied, c.Reason = false, why
		}
	}
}

// under explains pairs under another model; what they are evidence of stays that
// of the default one.
func (l *lesson) under(ctx context.Context, m *link.Model, seen []observation) ([]observation, error) {
	out := slices.Clone(seen)
	for i := range out {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o, err := l.observe(m, out[i].Judged)
		if err != nil {
			return nil, err
		}
		out[i].score, out[i].chance = o.score, o.chance
	}
	return out, nil
}

// split returns the pairs outside and inside a part.
func (l *lesson) split(part []int) (train, test []observation) {
	in := make(map[int]bool, len(part))
	for _, i := range part {
		in[i] = true
	}
	for i, o := range l.seen {
		if in[i] {
			test = append(test, o)
		} else {
			train = append(train, o)
		}
	}
	return train, test
}

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

// maxFolds is in how many parts pairs are held out.
const maxFolds = 5

// folds deals the pairs into parts; pairs that hang together by their cases stay in
// one, since what is learned of one is learned of the others.
func folds(seen []observation) [][]int {
	all := components(seen)
	parts := make([][]int, min(maxFolds, len(all)))
	for _, c := range all {
		least := 0
		for i := range parts {
			if len(parts[i]) < len(parts[least]) {
				least = i
			}
		}
		parts[least] = append(parts[least], c...)
	}
	for _, part := range parts {
		slices.Sort(part)
	}
	return parts
}

// components returns the pairs that hang together by their cases, the largest
// component first.
func components(seen []observation) [][]int {
	root := make(map[evidence.Ref]evidence.Ref)
	var find func(evidence.Ref) evidence.Ref
	find = func(r evidence.Ref) evidence.Ref {
		up, ok := root[r]
		if !ok || up == r {
			return r
		}
		root[r] = find(up)
		return root[r]
	}
	for i := range seen {
		a, b := find(seen[i].A), find(seen[i].B)
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		root[b] = a
	}
	members := make(map[evidence.Ref][]int)
	for i := range seen {
		at := find(seen[i].A)
		members[at] = append(members[at], i)
	}
	out := make([][]int, 0, len(members))
	for _, m := range members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y []int) int { return cmp.Or(cmp.Compare(len(y), len(x)), cmp.Compare(x[0], y[0])) })
	return out
}
