package rpc

import (
	"cmp"
	"maps"
	"math"
	"slices"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/link"
)

func wireModel(m *Model) *elsewherev1.Model {
	return elsewherev1.Model_builder{
		Version: m.Version(), BaseVersion: m.Base(), LearnedFromVersion: m.LearnedFrom, Active: m.Active,
		CreatedAt: toTimestamp(m.Definition.CreatedAt), CreatedBy: m.By, Note: m.Definition.Note,
		Reviews: uint32(m.Reviews), CalibratedReviews: m.CalibratedOn(), Changed: uint32(len(m.Definition.Changes)),
		LogLossBefore: orZero(m.Before), LogLossAfter: orZero(m.After),
	}.Build()
}

// orZero returns 0 for what is not known.
func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func wireProposal(p *Proposal) *elsewherev1.ProposeModelResponse {
	res := elsewherev1.ProposeModelResponse_builder{
		Reviews: uint32(p.Reviews), Same: uint32(p.Same), Folds: uint32(p.Folds), PairsCompared: uint32(p.Compared),
	}
	if p.Model != nil {
		res.Model = wireModel(p.Model)
	}
	for _, c := range p.Considered {
		res.Considered = append(res.Considered, elsewherev1.LearnedParameter_builder{
			Name: c.Name, Same: uint32(c.Same), Different: uint32(c.Different),
			FromValue: c.From, ToValue: c.To, Applied: c.Applied, Reason: c.Reason,
		}.Build())
	}
	changes := slices.SortedFunc(maps.Keys(p.Tiers), func(x, y [2]link.Tier) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	})
	for _, c := range changes {
		res.TierChanges = append(res.TierChanges, elsewherev1.TierChange_builder{
			FromTier: elsewherev1.Tier(c[0]), ToTier: elsewherev1.Tier(c[1]), Pairs: uint32(p.Tiers[c]),
		}.Build())
	}
	return res.Build()
}
