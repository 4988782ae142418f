package learn

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Judged is a pair of cases that a person judged.
type Judged struct {
	A, B evidence.Ref
	// Same says that one actor is behind both.
	Same bool
	// Weight is how many pairs this one stands for, where pairs were not drawn
	// with equal chances; 0 counts as 1.
	Weight float64
}

// Cases is what is asked about the judged cases. The error of a case that does not
// exist is returned as it is.
type Cases interface {
	// Explain compares two cases under a model.
	Explain(m *link.Model, a, b evidence.Ref) (link.Explanation, error)
	// InBoth returns the rows of constants of a model of which both cases have
	// values, and whether they have one in common.
	InBoth(m *link.Model, a, b evidence.Ref) ([]link.InBoth, error)
}

// Proposal is what was learned, and how well it did on pairs that it had not seen.
type Proposal struct {
	// Changes are those of the base model that are proposed, in order of name.
	Changes []link.Change
	// Considered is everything that was looked at, in order of name.
	Considered []Considered
	// Reviews is the number of judged pairs without repetitions, Same how many of
	// them are of one actor, Folds in how many parts they were held out.
	Reviews, Same, Folds int
	// Before and After are the mean log-loss, in bits, on held-out pairs of the base
	// model and of what is proposed; NaN where nothing could be held out.
	Before, After float64
}

// Considered is a constant that could be learned, and what became of it.
type Considered struct {
	Name string
	// Same and Different are the judged pairs that speak of it.
	Same, Different int
	// From is the value of the base model, To what was learned; equal where
	// nothing was.
	From, To float64
	Applied  bool
	// Reason says why, for people.
	Reason string
}

// ContradictionError is returned where a pair was judged both ways.
type ContradictionError struct{ A, B evidence.Ref }

func (e *ContradictionError) Error() string {
	return fmt.Sprintf("%s and %s are judged both same and different", e.A, e.B)
}

// PairError is an error about one judged pair.
type PairError struct {
	A, B evidence.Ref
	Err  error
}

func (e *PairError) Error() string { return fmt.Sprintf("%s and %s: %v", e.A, e.B, e.Err) }

// Unwrap returns the error of the pair.
func (e *PairError) Unwrap() error { return e.Err }

// MinReviews is the number of judged pairs below which nothing is learned.
const MinReviews = 20

// Propose learns from judged pairs what to change in base. The order of the pairs
// and of the two cases of a pair says nothing, repetitions count once. Errors are
// *ContradictionError, *PairError and those of ctx. Alpha and m are learned
// from the defaults of the program and not from base, so that pairs that base was
// learned from count once.
func Propose(ctx context.Context, base *link.Model, judged []Judged, cases Cases) (*Proposal, error) {
	pairs, err := distinct(judged)
	if err != nil {
		return nil, err
	}
	defaults, ok := link.BuiltIn(base.Base())
	if !ok {
		return nil, &link.UnknownBaseError{Version: base.Version(), Base: base.Base()}
	}
	l := &lesson{base: base, defaults: defaults, cases: cases}
	for _, j := range pairs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o, err := l.observe(defaults, j)
		if err != nil {
			return nil, err
		}
		l.seen = append(l.seen, o)
	}
	if l.seen, err = l.under(ctx, base, l.seen); err != nil {
		return nil, err
	}
	p := &Proposal{Reviews: len(pairs), Before: math.NaN(), After: math.NaN()}
	for _, j := range pairs {
		if j.Same {
			p.Same++
		}
	}
	return p, l.propose(ctx, p)
}

// distinct returns the pairs once each, in order, the smaller case first. Of
// different weights the largest counts.
func distinct(judged []Judged) ([]Judged, error) {
	out := slices.Clone(judged)
	for i := range out {
		j := &out[i]
		if j.A.Compare(j.B) > 0 {
			j.A, j.B = j.B, j.A
		}
		if j.A == j.B {
			return nil, &PairError{j.A, j.B, link.ErrSameCase}
		}
		switch {
		case j.Weight == 0:
			j.Weight = 1
		case !(j.Weight > 0) || j.Weight > MaxWeight:
			return nil, &PairError{j.A, j.B, errWeight}
		}
	}
	slices.SortFunc(out, compareJudged)
	kept := out[:0]
	for _, j := range out {
		if n := len(kept); n > 0 && kept[n-1].A == j.A && kept[n-1].B == j.B {
			if kept[n-1].Same != j.Same {
				return nil, &ContradictionError{j.A, j.B}
			}
			continue
		}
		kept = append(kept, j)
	}
	return kept, nil
}
