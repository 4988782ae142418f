package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
	cases    Cases
	seen     []observation
	clusters []cluster
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
	// rows are those that any of the evidence is of.
	rows []string
}

// observe explains a pair.
func (l *lesson) observe(m *link.Model, j Judged) (observation, error) {
	e, err := l.cases.Explain(m, j.A, j.B)
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
				o.rows = append(o.rows, v.Row)
			}
		}
	}
	if groups != 1 || rows != 1 {
		o.row = ""
	}
	return o, nil
}

// propose learns step by step and keeps of each step what judges held-out pairs
// better: alpha row by row, then m row by row, then siblings, then the calibration.
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
	var err error
	if l.clusters, err = l.confirmed(ctx); err != nil {
		return err
	}
	if p.Folds < 2 {
		for _, s := range l.steps() {
			considered := s.learn(choice{})
			refuse(considered, "all judged pairs hang together, so that none can be held out")
			p.Considered = append(p.Considered, considered...)
		}
		slices.SortFunc(p.Considered, compareConsidered)
		return nil
	}
	p.Before = logLoss(l.seen)
	p.After = p.Before
	var kept choice
	best := l.seen
	for _, s := range l.steps() {
		considered := s.learn(kept)
		if kept, best, err = l.keep(ctx, kept, best, s, considered); err != nil {
			return err
		}
		p.Considered = append(p.Considered, considered...)
	}
	p.After = logLoss(best)
	p.Changes = l.changes(l.seen, l.clusters, kept)
	together(p)
	return l.calibrate(ctx, p, kept)
}

// together brings what was considered one after the other up to what is proposed: an
// alpha follows the m and the siblings that were taken after it.
func together(p *Proposal) {
	for i := range p.Considered {
		c := &p.Considered[i]
		at := slices.IndexFunc(p.Changes, func(x link.Change) bool { return x.Name == c.Name })
		switch {
		case at >= 0:
			c.To = p.Changes[at].Value
		case c.Applied:
			c.To, c.Applied, c.Reason = c.From, false, noChange
		}
	}
}

// choice is what of all that can be learned is taken.
type choice struct {
	alphas, shares map[string]bool // by row
	siblings       bool
}

// step is one kind of constants that is learned.
type step struct {
	// learn says what there is to learn beside what was kept.
	learn func(kept choice) []Considered
	// with returns the choice with these constants too.
	with func(kept choice, rows map[string]bool) choice
	// speaks reports whether a pair speaks of a row; nil where rows are not judged
	// by their own pairs.
	speaks func(o *observation, row string) bool
	// better reports whether pairs are judged better after than before.
	better func(before, after []observation) bool
}

// constant returns a constant of the model that learns.
func (l *lesson) constant(name string) float64 { return value(l.base, name) }

// steps returns what is learned, in order.
func (l *lesson) steps() []step {
	return []step{
		{
			learn: func(choice) []Considered { return l.learnAlphas(l.seen, nil, l.constant) },
			with: func(kept choice, rows map[string]bool) choice {
				kept.alphas = rows
				return kept
			},
			speaks: func(o *observation, row string) bool { return o.row == row },
			better: func(before, after []observation) bool { return logLoss(after) < logLoss(before) },
		},
		{
			learn: func(choice) []Considered { return l.learnShares(l.clusters, nil) },
			with: func(kept choice, rows map[string]bool) choice {
				kept.shares = rows
				return kept
			},
			speaks: func(o *observation, row string) bool { return slices.Contains(o.rows, row) },
			better: clearly,
		},
		{
			learn: func(kept choice) []Considered {
				considered := l.learnSiblings(l.clusters)
				if len(kept.alphas) == 0 {
					refuse(considered, "goes with alphas that were learned, and none was")
				}
				return considered
			},
			with: func(kept choice, rows map[string]bool) choice {
				kept.siblings = len(rows) > 0
				return kept
			},
			better: clearly,
		},
	}
}

// changes returns what a choice comes to for some pairs and clusters.
func (l *lesson) changes(seen []observation, clusters []cluster, c choice) []link.Change {
	var out []link.Change
	taken := make(map[string]float64)
	take := func(considered []Considered) {
		for _, x := range considered {
			if x.Applied {
				taken[x.Name] = x.To
				out = append(out, link.Change{Name: x.Name, Value: x.To, Origin: x.Reason})
			}
		}
	}
	if len(c.shares) > 0 {
		take(l.learnShares(clusters, c.shares))
	}
	if c.siblings {
		take(l.learnSiblings(clusters))
	}
	if len(c.alphas) > 0 {
		take(l.learnAlphas(seen, c.alphas, func(name string) float64 {
			if v, ok := taken[name]; ok {
				return v
			}
			return l.constant(name)
		}))
	}
	return out
}

const noGain = "held-out pairs are judged no better with it"

// keep adds to a choice those constants of a step with which held-out pairs are judged
// better: their own pairs, and all together. It notes in considered what it refuses,
// and returns all pairs as they are judged with the choice.
func (l *lesson) keep(ctx context.Context, kept choice, best []observation, s step, considered []Considered) (choice, []observation, error) {
	rows := make(map[string]bool)
	for _, c := range considered {
		if c.Applied {
			rows[rowOf(c.Name)] = true
		}
	}
	if len(rows) == 0 {
		return kept, best, nil
	}
	held, err := l.heldOut(ctx, s.with(kept, rows), false)
	if err != nil {
		return kept, nil, err
	}
	refused := false
	for i := range considered {
		c := &considered[i]
		if !c.Applied || s.speaks == nil {
			continue
		}
		row := rowOf(c.Name)
		others := func(o observation) bool { return !s.speaks(&o, row) }
		before, after := slices.DeleteFunc(slices.Clone(best), others), slices.DeleteFunc(slices.Clone(held), others)
		if !s.better(before, after) {
			c.Applied, c.Reason, refused = false, noGain, true
			delete(rows, row)
		}
	}
	if refused {
		if held, err = l.heldOut(ctx, s.with(kept, rows), false); err != nil {
			return kept, nil, err
		}
	}
	if len(rows) == 0 || !s.better(best, held) {
		refuse(considered, noGain)
		return kept, best, nil
	}
	return s.with(kept, rows), held, nil
}

func tooFew() string {
	return fmt.Sprintf("too few pairs; %d of one actor and as many of several are needed", minOutcome)
}

// calibrate learns scale and shift of the scores with what was learned so far.
func (l *lesson) calibrate(ctx context.Context, p *Proposal, kept choice) error {
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
	if min(p.Same, p.Reviews-p.Same) >= minOutcome {
		held, err := l.heldOut(ctx, kept, true)
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
	slices.SortFunc(p.Considered, compareConsidered)
	return nil
}

func compareConsidered(x, y Considered) int { return cmp.Compare(x.Name, y.Name) }

// heldOut returns every pair as a model judges it that learned from the pairs of
// the other parts.
func (l *lesson) heldOut(ctx context.Context, c choice, calibrated bool) ([]observation, error) {
	out := slices.Clone(l.seen)
	for _, part := range l.parts {
		train, test, clusters := l.split(part)
		m, err := l.base.With(l.base.Version(), l.changes(train, clusters, c))
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

// split returns the pairs outside and inside a part, and the clusters outside.
func (l *lesson) split(part []int) (train, test []observation, clusters []cluster) {
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
	for _, c := range l.clusters {
		if !in[c.at] {
			clusters = append(clusters, c)
		}
	}
	return train, test, clusters
}
