package eval

import (
	"context"
	"math"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// AblationRow is how the product does with one part of its score off.
type AblationRow struct {
	Without string        `json:"without"` // "" is nothing
	Sets    []AblationSet `json:"sets"`
}

// AblationSet is that on one set.
type AblationSet struct {
	Name             string        `json:"name"`
	AveragePrecision measure.Value `json:"average_precision"`
	// Difference is the average precision less that with nothing off.
	Difference measure.Value `json:"difference"`
	Probable   measure.Rates `json:"at_probable"`
}

// ablate measures the model with nothing off, and then without each part.
func (c Config) ablate(ctx context.Context, runs []*run) ([]AblationRow, error) {
	var out []AblationRow
	for _, feature := range append([]string{""}, link.Features()...) {
		m := c.Model
		if feature != "" {
			var err error
			if m, err = m.Without(feature); err != nil {
				return nil, err
			}
		}
		row := AblationRow{Without: feature}
		for i, r := range runs {
			one, err := r.without(ctx, feature, m)
			if err != nil {
				return nil, err
			}
			if one.Difference = 0; feature != "" {
				one.Difference = one.AveragePrecision - out[0].Sets[i].AveragePrecision
			}
			row.Sets = append(row.Sets, one)
		}
		out = append(out, row)
	}
	return out, nil
}

// without scores the pairs of the full model under another.
func (r *run) without(ctx context.Context, feature string, m *link.Model) (AblationSet, error) {
	r.Progress(r.name + ": without " + feature)
	r.trial.Use(m, r.classes(m))
	defer r.trial.Use(r.Model, r.classes(r.Model))
	verdicts, err := score(ctx, r.trial, r.prepared, r.own.couples, func(int, int) {})
	if err != nil {
		return AblationSet{}, err
	}
	method, err := r.ground.NewMethod(judged(r.own.couples, verdicts), math.NaN())
	if err != nil {
		return AblationSet{}, err
	}
	return AblationSet{
		Name: r.name, AveragePrecision: method.AveragePrecision().Sharing, Probable: method.AtTier(uint8(link.Probable)),
	}, nil
}
