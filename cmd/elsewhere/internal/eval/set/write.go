package set

import (
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// WriteCases writes the cases as JSON lines that elsewhere submit reads, under the
// names that they have in the set. Labels are not part of a case and stay out.
func (s *Set) WriteCases(w io.Writer) error {
	return corpus.WriteNDJSON(w, func(yield func(*elsewherev1.Case) bool) {
		for _, c := range s.Cases {
			if !yield(message(c)) {
				return
			}
		}
	})
}

// message is a case on the wire.
func message(c *evidence.Case) *elsewherev1.Case {
	b := elsewherev1.Case_builder{
		Tenant: c.Tenant, Id: c.Ref.Case, Title: c.Title, Kind: c.Kind, State: elsewherev1.CaseState(c.State),
		OpenedAt: timestamp(c.OpenedAt), ClosedAt: timestamp(c.ClosedAt),
		EvidenceFrom: timestamp(c.EvidenceFrom), EvidenceTo: timestamp(c.EvidenceTo),
		Tlp: string(c.TLP), Restricted: c.Restricted, Source: c.Source, Labels: c.Labels, References: c.References,
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		finding := elsewherev1.Finding_builder{
			Id: f.ID, Technique: f.Technique, Operation: f.Operation, Outcome: elsewherev1.FindingOutcome(f.Outcome),
			FirstSeen: timestamp(f.FirstSeen), LastSeen: timestamp(f.LastSeen), Count: f.Count, Summary: f.Summary,
			Facts: facts(f.Facts),
		}
		for _, o := range f.Observables {
			value := o.Text
			if o.Written != "" {
				value = o.Written
			}
			finding.Observables = append(finding.Observables, elsewherev1.Observable_builder{
				Kind: string(o.Kind), Value: value, Roles: o.Roles,
				FirstSeen: timestamp(o.FirstSeen), LastSeen: timestamp(o.LastSeen), Count: o.Count, Facts: facts(o.Facts),
			}.Build())
		}
		b.Findings = append(b.Findings, finding.Build())
	}
	return b.Build()
}

func facts(in []evidence.Fact) (out []*elsewherev1.Fact) {
	for _, f := range in {
		out = append(out, elsewherev1.Fact_builder{
			Name: f.Name, Value: f.Value, Source: f.Source, ObservedAt: timestamp(f.ObservedAt),
		}.Build())
	}
	return out
}

// timestamp leaves out a time that is not known.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
