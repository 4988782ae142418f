package rpc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" unset") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(700_000_000, 1_700_000_000).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns")).UTC()
}

func drawSpan(t *rapid.T) (first, last time.Time) {
	first, last = drawTime(t, "first"), drawTime(t, "last")
	if !first.IsZero() && !last.IsZero() && last.Before(first) {
		return last, first
	}
	return first, last
}

func drawFacts(t *rapid.T) (out []evidence.Fact) {
	for range rapid.IntRange(0, 2).Draw(t, "facts") {
		out = append(out, evidence.Fact{
			Name: rapid.StringMatching(`[a-z_]{1,8}`).Draw(t, "fact"), Value: rapid.StringMatching(`[ -~]{0,8}`).Draw(t, "fact value"),
			Source: rapid.StringMatching(`[a-z]{0,8}`).Draw(t, "source"), ObservedAt: drawTime(t, "observed"),
		})
	}
	return out
}

// drawCase draws a case that parses.
func drawCase(t *rapid.T) *evidence.Case {
	d := evidence.Draft{
		Ref:        evidence.Ref{Tenant: rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,20}`).Draw(t, "tenant"), Case: rapid.StringMatching(`[A-Za-z0-9._:#-]{1,20}`).Draw(t, "case")},
		Title:      rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "title"),
		Kind:       rapid.SampledFrom([]string{"", "bec", "ransomware"}).Draw(t, "kind"),
		State:      evidence.State(rapid.IntRange(0, 3).Draw(t, "state")),
		TLP:        rapid.SampledFrom([]evidence.TLP{"", "red", "amber", "clear"}).Draw(t, "tlp"),
		Restricted: rapid.Bool().Draw(t, "restricted"),
		Source:     rapid.StringMatching(`[a-z]{0,8}`).Draw(t, "source"),
		Labels:     rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}`), rapid.StringMatching(`[a-z]{0,8}`), 0, 3).Draw(t, "labels"),
	}
	d.OpenedAt, d.ClosedAt = drawSpan(t)
	d.EvidenceFrom, d.EvidenceTo = drawSpan(t)
	for i := range rapid.IntRange(0, 3).Draw(t, "findings") {
		f := evidence.Finding{
			ID: fmt.Sprint(i), Technique: rapid.SampledFrom([]string{"", "T1114", "T1114.003"}).Draw(t, "technique"),
			Operation: rapid.StringMatching(`[A-Za-z-]{0,12}`).Draw(t, "operation"), Outcome: evidence.Outcome(rapid.IntRange(0, 3).Draw(t, "outcome")),
			Count: rapid.Uint32().Draw(t, "count"), Summary: rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "summary"), Facts: drawFacts(t),
		}
		f.FirstSeen, f.LastSeen = drawSpan(t)
		for range rapid.IntRange(0, 4).Draw(t, "observables") {
			o := evidence.Observable{
				Value: rapid.SampledFrom([]evidence.Value{
					{Kind: "ip", Text: "70[.]0.0.1:443"},
					{Kind: "ip", Text: "2a00::1"},
					{Kind: "domain", Text: "a.b.example"},
					{Kind: "rule_name", Text: "Copy of WarnAuditHigh-RiskPatterns"},
					{Kind: "rule_name", Text: "warnaudithigh-riskpatterns"},
					{Kind: "spoof_pair", Text: "bank.example>1.2.3.0/24"},
					{Kind: "phone", Text: "+15551234567"},
					{Kind: "x_ours", Text: "anything"},
					{Kind: "email", Text: "A@b.example"},
					{Kind: "url", Text: "hxxp://b.example"},
					{Kind: "forward_to", Text: "smtp:x@y.example"},
				}).Draw(t, "value"),
				Roles: rapid.SliceOfN(rapid.SampledFrom([]string{"login_source", "forward_target", "ours"}), 0, 2).Draw(t, "roles"),
				Count: rapid.Uint32Range(0, 9).Draw(t, "seen"), Facts: drawFacts(t),
			}
			o.FirstSeen, o.LastSeen = drawSpan(t)
			f.Observables = append(f.Observables, o)
		}
		d.Findings = append(d.Findings, f)
	}
	c, _, err := evidence.Parse(d, parseOptions())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parseOptions() evidence.Options {
	key, _ := NewCorrelationKey(make([]byte, CorrelationKeyBytes))
	return evidence.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Private: key.Hash}
}

// TestCaseSurvivesTheWire holds that a case that is read can be submitted again
// without change: whatever the wire does not carry would be lost by Update.
func TestCaseSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		stored := &graph.StoredCase{Case: *c, Meta: graph.Meta{Revision: 7, ContentHash: c.ContentHash()}}
		raw, err := proto.Marshal(wireCase(stored))
		if err != nil {
			t.Fatal(err)
		}
		var read elsewherev1.Case
		if err := proto.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		again, _, err := evidence.Parse(draft(&read), parseOptions())
		if err != nil {
			t.Fatal(err)
		}
		if again.ContentHash() != c.ContentHash() {
			t.Errorf("content hash differs:\n%s", cmp.Diff(c, again))
		}
		if diff := cmp.Diff(c.Profile(), again.Profile()); diff != "" {
			t.Errorf("profile differs (-stored +read again):\n%s", diff)
		}
	})
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	c := elsewherev1.Case_builder{Tenant: "a", Id: "1", Findings: []*elsewherev1.Finding{
		{}, elsewherev1.Finding_builder{Observables: []*elsewherev1.Observable{{}, {}}}.Build(),
	}}.Build()
	// Field 900, a varint, as a newer client might send it.
	c.GetFindings()[1].GetObservables()[1].ProtoReflect().SetUnknown([]byte{0xa0, 0x38, 0x01})
	got := unknownFields(nil, "", c.ProtoReflect())
	if len(got) != 1 || got[0].Path != "findings[1].observables[1]" || got[0].Reason != unknownField {
		t.Errorf("found %v", got)
	}
}

func TestCorrelationKeyNeverPrints(t *testing.T) {
	raw := []byte(strings.Repeat("k", CorrelationKeyBytes))
	key, err := NewCorrelationKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if out := fmt.Sprintf(format, key); strings.Contains(out, "kkk") || strings.Contains(out, "6b6b6b") {
			t.Errorf("%s prints %s", format, out)
		}
	}
	a, b := key.Hash(evidence.KindPhone, "+15551234567"), key.Hash(evidence.KindAccount, "+15551234567")
	if a == b || len(a) != len("hmac1:")+8+1+26 {
		t.Errorf("hashes %s and %s", a, b)
	}
	if _, err := NewCorrelationKey(raw[1:]); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
}
