package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/server"
)

func TestAbuseKeyFromTheEnvironment(t *testing.T) {
	t.Setenv(abuseKeyVariable, "0123456789abcdef")
	e, err := (&enrichmentFlags{ceilings: []string{"birch=clear", "red", "alder=tlp:green"}}).enrichment()
	if err != nil || e.AbuseIPDBKey.IsZero() {
		t.Fatalf("no key: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(s, "0123456789abcdef") {
		t.Error("the key shows itself")
	}
	if got, want := disclosures(e), "AbuseIPDB may be asked about addresses of alder, birch"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv(abuseKeyVariable, "two words")
	if _, err := (&enrichmentFlags{}).enrichment(); err == nil || strings.Contains(err.Error(), "two words") {
		t.Errorf("a key with a space: %v", err)
	}
	t.Setenv(abuseKeyVariable, "")
	if e, err := (&enrichmentFlags{}).enrichment(); err != nil || !e.AbuseIPDBKey.IsZero() {
		t.Errorf("no key: %v, %v", e, err)
	}
}

func TestDisclosures(t *testing.T) {
	t.Setenv(abuseKeyVariable, "0123456789abcdef")
	for want, given := range map[string][]string{
		"AbuseIPDB may be asked about addresses of all tenants":                  {"green"},
		"AbuseIPDB may be asked about addresses of all tenants but birch, cedar": {"clear", "cedar=amber", "birch=red", "alder=green"},
		"AbuseIPDB is not asked: no --tlp-ceiling permits it":                    {"amber", "alder=amber+strict"},
	} {
		e, err := (&enrichmentFlags{ceilings: given}).enrichment()
		if got := disclosures(e); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
	}
	if c, err := ceilings([]string{"a=b=green"}); err == nil {
		t.Errorf("a=b=green is read as %v", c)
	}
	if c, err := ceilings(nil); err != nil || c.Default != enrich.TLP("") || len(c.Tenants) > 0 {
		t.Errorf("nothing is read as %v, %v", c, err)
	}
	if got := disclosures(server.Enrichment{}); got != "nobody outside is asked about addresses" {
		t.Error(got)
	}
}
