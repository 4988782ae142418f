package set_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Everything that a case says is written, and nothing of the labels.
func TestWriteCases(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2025, time.January, n, 0, 0, 0, 0, time.UTC) }
	known := []evidence.Fact{{Name: "asn", Value: "64500", Source: "mmdb", ObservedAt: day(5)}}
	s := set.Set{
		Cases: []*evidence.Case{
			{
				Ref: evidence.Ref{Tenant: "t1", Case: "one"}, Title: "a title", Kind: "bec", State: evidence.Closed,
				OpenedAt: day(1), ClosedAt: day(2), EvidenceFrom: day(3), EvidenceTo: day(4),
				TLP: evidence.TLPRed, Restricted: true, Source: "by hand",
				Labels: map[string]string{"queue": "mail"}, References: []string{"https://example.com/"},
				Findings: []evidence.Finding{{
					ID: "f1", Technique: "T1566", Operation: "New-InboxRule", Outcome: 1, FirstSeen: day(5), LastSeen: day(6),
					Count: 7, Summary: "a summary", Facts: known,
					Observables: []evidence.Observable{
						{
							Value: evidence.Value{Kind: evidence.KindRuleName, Text: "a.b"}, Written: "A.b", Roles: []string{"created"},
							FirstSeen: day(5), LastSeen: day(6), Count: 8, Facts: known,
						},
						{Value: evidence.Value{Kind: evidence.KindDomain, Text: "e.com"}, Roles: []string{"referenced"}},
					},
				}},
			},
			{Ref: evidence.Ref{Tenant: "t2", Case: "two"}},
		},
		Labels: []string{"secret", "secret"},
	}
	const asn = `"facts":[{"name":"asn","value":"64500","source":"mmdb","observedAt":"2025-01-05T00:00:00Z"}]`
	const seen = `"firstSeen":"2025-01-05T00:00:00Z","lastSeen":"2025-01-06T00:00:00Z"`
	want := `{"tenant":"t1","id":"one","title":"a title","kind":"bec","state":"CASE_STATE_CLOSED",` +
		`"openedAt":"2025-01-01T00:00:00Z","closedAt":"2025-01-02T00:00:00Z",` +
		`"evidenceFrom":"2025-01-03T00:00:00Z","evidenceTo":"2025-01-04T00:00:00Z",` +
		`"tlp":"red","restricted":true,"source":"by hand","labels":{"queue":"mail"},"references":["https://example.com/"],` +
		`"findings":[{"id":"f1","technique":"T1566","operation":"New-InboxRule","outcome":"FINDING_OUTCOME_SUCCEEDED",` +
		seen + `,"count":7,"summary":"a summary",` + asn + `,"observables":[` +
		`{"kind":"rule_name","value":"A.b","roles":["created"],` + seen + `,"count":8,` + asn + `},` +
		`{"kind":"domain","value":"e.com","roles":["referenced"]}]}]}` + "\n" +
		`{"tenant":"t2","id":"two"}` + "\n"
	var got bytes.Buffer
	if err := s.WriteCases(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}
