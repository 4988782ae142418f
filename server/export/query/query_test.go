package query_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/query"
)

func bundleOf(items ...export.Item) *export.Bundle {
	return &export.Bundle{Title: "Indicators", TLP: "tlp:green", Items: func(yield func(export.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}}
}

func item(kind evidence.Kind, text string) export.Item {
	return export.Item{Value: evidence.Value{Kind: kind, Text: text}, Written: text, Indicator: true}
}

func written(t *testing.T, b *export.Bundle, l query.Language) string {
	t.Helper()
	var out bytes.Buffer
	if err := query.Write(t.Context(), &out, b, l); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestTexts: what stands in a value cannot end the text that it is in.
func TestTexts(t *testing.T) {
	rule := item(evidence.KindRuleName, `x' OR "1"="1" \`)
	rule.Indicator = false
	for _, l := range []query.Language{query.Sentinel, query.Defender} {
		if got := written(t, bundleOf(rule), l); !strings.Contains(got, `  "x' OR \"1\"=\"1\" \\"`+"\n]);") {
			t.Error(got)
		}
	}
	if got := written(t, bundleOf(rule), query.SQL); !strings.Contains(got, `strpos(lower(parameters), 'x'' or "1"="1" \') > 0`) {
		t.Error(got)
	}
}

// TestTopics: every topic is looked for in every language, context is not, and what
// was redacted cannot be.
func TestTopics(t *testing.T) {
	context := item(evidence.KindIP, "192.0.2.9")
	context.Indicator = false
	b := bundleOf(
		item(evidence.KindAppID, "00000003-0000-0000-c000-000000000000"), item(evidence.KindCIDR, "198.51.100.0/24"), item(evidence.KindDomain, "x.example"),
		item(evidence.KindEmail, "a@x.example"), item(evidence.KindForwardTo, "b@x.example"), item(evidence.KindHostname, "c.x.example"),
		item(evidence.KindIP, "192.0.2.1"), context, item(evidence.KindIP, "2001:db8::1"), item(evidence.KindRuleName, "Block Spoofing"), item(evidence.KindRuleName, "[REDACTED] x"),
	)
	for l, table := range map[query.Language]string{query.Sentinel: "SigninLogs", query.Defender: "CloudAppEvents", query.SQL: "FROM xdr_identity_o365"} {
		got := written(t, b, l)
		folded := strings.ToLower(got)
		for _, text := range []string{"00000003-", "198.51.100.0/24", "x.example", "a@x.example", "b@x.example", "c.x.example", "192.0.2.1", "2001:db8::1", "block spoofing"} {
			if !strings.Contains(folded, text) {
				t.Errorf("nothing looks for %s in %s", text, got)
			}
		}
		if strings.Contains(got, "192.0.2.9") || strings.Contains(got, "REDACTED") || !strings.Contains(got, table) || !strings.Contains(got, "TLP:GREEN") {
			t.Error(got)
		}
		if strings.Count(got, "(") != strings.Count(got, ")") || strings.Count(got, "[") != strings.Count(got, "]") {
			t.Errorf("brackets do not match in %s", got)
		}
	}
}

// TestParts: many values are several queries.
func TestParts(t *testing.T) {
	var items []export.Item
	for i := range 1_201 {
		items = append(items, item(evidence.KindIP, fmt.Sprintf("70.0.%d.%d", i>>8, i&255)))
	}
	for l, mark := range map[query.Language]string{query.Sentinel: "let wanted", query.Defender: "let wanted", query.SQL: "SELECT"} {
		got := written(t, bundleOf(items...), l)
		if n := strings.Count(got, mark); n != 3 {
			t.Errorf("%d queries", n)
		}
		if !strings.Contains(got, "70.0.0.0") || !strings.Contains(got, "70.0.4.176") {
			t.Error("an address is missing")
		}
	}
}
