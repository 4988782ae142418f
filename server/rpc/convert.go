package rpc

import (
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// draft reads a case off the wire, unchecked.
func draft(c *elsewherev1.Case) evidence.Draft {
	d := evidence.Draft{
		Ref:          evidence.Ref{Tenant: c.GetTenant(), Case: c.GetId()},
		Title:        c.GetTitle(),
		Kind:         c.GetKind(),
		State:        evidence.State(enum8(int32(c.GetState()))),
		OpenedAt:     fromTimestamp(c.GetOpenedAt()),
		ClosedAt:     fromTimestamp(c.GetClosedAt()),
		EvidenceFrom: fromTimestamp(c.GetEvidenceFrom()),
		EvidenceTo:   fromTimestamp(c.GetEvidenceTo()),
		TLP:          evidence.TLP(c.GetTlp()),
		Restricted:   c.GetRestricted(),
		Source:       c.GetSource(),
		Labels:       c.GetLabels(),
		References:   c.GetReferences(),
		Findings:     make([]evidence.Finding, len(c.GetFindings())),
	}
	for i, f := range c.GetFindings() {
		d.Findings[i] = evidence.Finding{
			ID:          f.GetId(),
			Technique:   f.GetTechnique(),
			Operation:   f.GetOperation(),
			Outcome:     evidence.Outcome(enum8(int32(f.GetOutcome()))),
			FirstSeen:   fromTimestamp(f.GetFirstSeen()),
			LastSeen:    fromTimestamp(f.GetLastSeen()),
			Count:       f.GetCount(),
			Summary:     f.GetSummary(),
			Facts:       facts(f.GetFacts()),
			Observables: make([]evidence.Observable, len(f.GetObservables())),
		}
		for j, o := range f.GetObservables() {
			d.Findings[i].Observables[j] = evidence.Observable{
				Value:     evidence.Value{Kind: evidence.Kind(o.GetKind()), Text: o.GetValue()},
				Roles:     o.GetRoles(),
				FirstSeen: fromTimestamp(o.GetFirstSeen()),
				LastSeen:  fromTimestamp(o.GetLastSeen()),
				Count:     o.GetCount(),
				Facts:     facts(o.GetFacts()),
			}
		}
	}
	return d
}

// enum8 narrows an enum number so that none wraps around to a valid one.
func enum8(n int32) uint8 {
	if n < 0 || n > 255 {
		return 255
	}
	return uint8(n)
}

func facts(in []*elsewherev1.Fact) []evidence.Fact {
	if len(in) == 0 {
		return nil
	}
	out := make([]evidence.Fact, len(in))
	for i, f := range in {
		out[i] = evidence.Fact{
			Name: f.GetName(), Value: f.GetValue(), Source: f.GetSource(),
			ObservedAt: fromTimestamp(f.GetObservedAt()),
		}
	}
	return out
}

// fromTimestamp returns the zero time for an unset timestamp only; one that is
// out of range stays so and is rejected by the domain.
func fromTimestamp(ts *timestamppb.Timestamp) time.Time {
	if ts == nil {
		return time.Time{}
	}
	if t := ts.AsTime(); ts.CheckValid() == nil && !t.IsZero() {
		return t
	}
	return time.Time{}.Add(time.Second)
}

func toTimestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// wireCase writes a stored case; without findings it is an entry of a list.
func wireCase(c *graph.StoredCase) *elsewherev1.Case {
	b := elsewherev1.Case_builder{
		Tenant:       c.Tenant,
		Id:           c.Ref.Case,
		Title:        c.Title,
		Kind:         c.Kind,
		State:        elsewherev1.CaseState(c.State),
		OpenedAt:     toTimestamp(c.OpenedAt),
		ClosedAt:     toTimestamp(c.ClosedAt),
		EvidenceFrom: toTimestamp(c.EvidenceFrom),
		EvidenceTo:   toTimestamp(c.EvidenceTo),
		Tlp:          string(c.TLP),
		Restricted:   c.Restricted,
		Source:       c.Source,
		Labels:       c.Labels,
		References:   c.References,
		Findings:     make([]*elsewherev1.Finding, len(c.Findings)),
		Revision:     c.Revision,
		ContentHash:  hex.EncodeToString(c.Meta.ContentHash[:]),
		CreateTime:   toTimestamp(c.CreateTime),
		UpdateTime:   toTimestamp(c.UpdateTime),
	}
	for i, f := range c.Findings {
		observables := make([]*elsewherev1.Observable, len(f.Observables))
		for j, o := range f.Observables {
			observables[j] = elsewherev1.Observable_builder{
				Kind:      string(o.Kind),
				Value:     written(o),
				Roles:     o.Roles,
				FirstSeen: toTimestamp(o.FirstSeen),
				LastSeen:  toTimestamp(o.LastSeen),
				Count:     o.Count,
				Facts:     wireFacts(o.Facts),
			}.Build()
		}
		b.Findings[i] = elsewherev1.Finding_builder{
			Id:          f.ID,
			Technique:   f.Technique,
			Operation:   f.Operation,
			Outcome:     elsewherev1.FindingOutcome(f.Outcome),
			FirstSeen:   toTimestamp(f.FirstSeen),
			LastSeen:    toTimestamp(f.LastSeen),
			Count:       f.Count,
			Summary:     f.Summary,
			Facts:       wireFacts(f.Facts),
			Observables: observables,
		}.Build()
	}
	return b.Build()
}

// written returns the spelling under which a value was submitted, so that what
// is read can be submitted again without loss.
func written(o evidence.Observable) string {
	if o.Written != "" {
		return o.Written
	}
	return o.Text
}

func wireFacts(in []evidence.Fact) []*elsewherev1.Fact {
	out := make([]*elsewherev1.Fact, len(in))
	for i, f := range in {
		out[i] = elsewherev1.Fact_builder{
			Name: f.Name, Value: f.Value, Source: f.Source, ObservedAt: toTimestamp(f.ObservedAt),
		}.Build()
	}
	return out
}

func wireViolations(in []evidence.Violation) []*elsewherev1.Violation {
	out := make([]*elsewherev1.Violation, len(in))
	for i, v := range in {
		out[i] = wireViolation(v)
	}
	return out
}

func wireViolation(v evidence.Violation) *elsewherev1.Violation {
	return elsewherev1.Violation_builder{Path: v.Path, Reason: v.Reason, Message: v.Message}.Build()
}

func wireSighting(s graph.Sighting, withheld bool) *elsewherev1.Sighting {
	return elsewherev1.Sighting_builder{
		Tenant: s.Tenant, Case: s.Case, Roles: s.Roles,
		FirstSeen: toTimestamp(s.First), LastSeen: toTimestamp(s.Last), Withheld: withheld,
	}.Build()
}

func wireCounts(r access.CountRange) *elsewherev1.CountRange {
	b := elsewherev1.CountRange_builder{Min: r.Min}
	if !r.OrMore {
		b.Max = &r.Max
	}
	return b.Build()
}

func wireLink(row graph.Row, firstLinked time.Time) *elsewherev1.Link {
	return elsewherev1.Link_builder{
		Ref:            row.A.String() + "~" + row.B.String(),
		A:              row.A.String(),
		B:              row.B.String(),
		TotalMillibits: row.Millibits,
		Likelihood:     float64(row.Micros) / 1e6,
		Tier:           elsewherev1.Tier(linker.EffectiveTier(row.Score, row.Verdict)),
		Review:         elsewherev1.Review(row.Verdict),
		SameTenant:     row.A.Tenant == row.B.Tenant,
		SharedCount:    row.SharedCount,
		ModelVersion:   row.ModelVersion,
		FirstLinkedAt:  toTimestamp(firstLinked),
		Held:           row.Held,
	}.Build()
}

func wireExplanation(e *link.Explanation) *elsewherev1.Explanation {
	b := elsewherev1.Explanation_builder{
		A:                 e.A.String(),
		B:                 e.B.String(),
		ModelVersion:      e.ModelVersion,
		CalibratedReviews: e.CalibratedOn,
		FeedsVersion:      e.FeedsVersion,
		CorpusN:           e.N,
		PriorMillibits:    e.Prior,
		NegativeMillibits: e.Negative,
		TotalMillibits:    e.Total,
		Likelihood:        e.Likelihood(),
		Tier:              elsewherev1.Tier(e.Tier),
		Notes:             e.Notes,
	}
	for _, f := range e.Families {
		groups := make([]*elsewherev1.Group, len(f.Groups))
		for i, g := range f.Groups {
			values := make([]*elsewherev1.SharedValue, len(g.Values))
			for j, v := range g.Values {
				values[j] = wireSharedValue(v)
			}
			groups[i] = elsewherev1.Group_builder{
				Id: g.ID, Rank: uint32(g.Rank), UsedMillibits: g.Used, Values: values,
			}.Build()
		}
		b.Families = append(b.Families, elsewherev1.Family_builder{
			Name: string(f.Name), RawMillibits: f.Raw, CapMillibits: f.Cap, UsedMillibits: f.Used, Groups: groups,
		}.Build())
	}
	for _, g := range e.Generic {
		b.SharedGeneric = append(b.SharedGeneric, elsewherev1.SharedGeneric_builder{
			Kind: string(g.Kind), Value: g.Text, Class: g.Class, Reason: g.Reason,
		}.Build())
	}
	for _, c := range e.Counterfactual {
		b.Counterfactuals = append(b.Counterfactuals, elsewherev1.Counterfactual_builder{
			Without: c.Without, Likelihood: float64(c.Micros) / 1e6,
		}.Build())
	}
	return b.Build()
}

func wireSharedValue(v link.Value) *elsewherev1.SharedValue {
	return elsewherev1.SharedValue_builder{
		Kind:               string(v.Kind),
		Value:              v.Text,
		RolesA:             v.RolesA,
		RolesB:             v.RolesB,
		TechniquesA:        v.TechniquesA,
		TechniquesB:        v.TechniquesB,
		Class:              v.Class,
		ClassReasons:       v.ClassReasons,
		M:                  v.M,
		Alpha:              v.Alpha,
		Background:         v.Background,
		Trust:              v.Trust,
		UnexplainedTenants: v.Unexplained,
		GapDays:            v.GapDays,
		WeightMillibits:    v.Weight,
		UsedMillibits:      v.Used,
		Reasons:            v.Reasons,
	}.Build()
}
