package enrich_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// ceilings are tenants' ceilings; a tenant that is not there cannot be read.
type ceilings map[string]enrich.TLP

func (c ceilings) Ceiling(_ context.Context, tenant string) (enrich.TLP, error) {
	ceiling, ok := c[tenant]
	if !ok {
		return "", errors.New("no such tenant")
	}
	return ceiling, nil
}

func TestTLPGate(t *testing.T) {
	tenants := ceilings{"": "clear", "open": "clear", "green": "green", "amber": "amber", "strict": "amber+strict", "red": "red", "unset": "", "odd": "purple"}
	for _, c := range []struct {
		tenant    string
		tlp       enrich.TLP
		audience  enrich.TLP
		permitted bool
	}{
		{"", "", "", true},
		{"open", "", "", true},
		{"green", "amber", "", false},
		{"green", "green", "", true},
		{"green", "clear", "", true},
		{"amber", "amber", "amber", true},
		{"amber", "", "", false},
		{"strict", "", "", false},
		{"red", "", "", false},
		{"unset", "", "", false},
		{"odd", "", "", false},
		{"open", "red", "", false},
		{"amber", "", "amber", true},
		{"strict", "", "amber", false},
		{"unset", "", "amber+strict", true},
		{"green", "", "clear", false},
	} {
		g := enrich.TLPGate{Ceilings: tenants, Audience: c.audience}
		refusal, err := g.Permit(t.Context(), enrich.Disclosure{Tenant: c.tenant, TLP: c.tlp, Service: "s"})
		if err != nil || (refusal == "") != c.permitted {
			t.Errorf("tenant %q, case %q, audience %q: %q, %v", c.tenant, c.tlp, c.audience, refusal, err)
		}
	}
	if _, err := (enrich.TLPGate{Ceilings: tenants}).Permit(t.Context(), enrich.Disclosure{Tenant: "none"}); err == nil {
		t.Error("a tenant that cannot be read is permitted")
	}
	if refusal, err := (enrich.TLPGate{}).Permit(t.Context(), enrich.Disclosure{}); err != nil || !strings.Contains(refusal, "ceiling") {
		t.Errorf("the zero gate says %q, %v", refusal, err)
	}
}
