package enrich

import (
	"context"
	"fmt"
	"slices"
)

// TLP is a label of the traffic light protocol, version 2.
type TLP string

// The labels. An unset label is read as TLPAmberStrict.
const (
	TLPRed         TLP = "red"
	TLPAmberStrict TLP = "amber+strict"
	TLPAmber       TLP = "amber"
	TLPGreen       TLP = "green"
	TLPClear       TLP = "clear"
)

// openness ranks a label, 0 is the strictest; an unknown label is as strict as
// red.
func (t TLP) openness() int {
	if t == "" {
		t = TLPAmberStrict
	}
	return max(0, slices.Index([]TLP{TLPRed, TLPAmberStrict, TLPAmber, TLPGreen, TLPClear}, t))
}

// Disclosure is a value of somebody's case on its way to a third party.
type Disclosure struct {
	// Tenant is on whose behalf the question is; "" is the operator's own.
	Tenant string
	// TLP is the strictest label of the cases that the value comes from; "" when
	// it comes from none.
	TLP TLP
	// Service is the name of the source that would be asked.
	Service string
	Value   Value
}

// Gate decides about disclosures.
type Gate interface {
	// Permit returns "" if the value may be sent, else why not, for people. After
	// an error nothing is sent. Many goroutines call it at once.
	Permit(context.Context, Disclosure) (refusal string, err error)
}

// Ceilings knows the tenants' ceilings.
type Ceilings interface {
	// Ceiling returns the most open label under which values of the tenant may
	// leave the deployment; "" is read as amber+strict. The tenant "" stands for
	// the operator's own questions.
	Ceiling(ctx context.Context, tenant string) (TLP, error)
}

// TLPGate permits what both the tenant's ceiling and the label of the cases that
// a value comes from, where it is known, allow. Its zero value permits
// nothing.
type TLPGate struct {
	Ceilings Ceilings
	// Audience is how public a question to a third party is: a tenant's ceiling
	// has to be as open. "" is green, a community; amber suits a service under
	// contract.
	Audience TLP
}

// Permit implements Gate.
func (g TLPGate) Permit(ctx context.Context, d Disclosure) (string, error) {
	if g.Ceilings == nil {
		return "no tenant's ceiling is known", nil
	}
	if d.TLP == TLPRed {
		return "tlp:red is not disclosed", nil
	}
	ceiling, err := g.Ceilings.Ceiling(ctx, d.Tenant)
	if err != nil {
		return "", err
	}
	audience := g.Audience
	if audience == "" {
		audience = TLPGreen
	}
	if d.TLP != "" && d.TLP.openness() < audience.openness() {
		return fmt.Sprintf("the value is tlp:%s, asking discloses as tlp:%s", Sanitize(string(d.TLP), 16), audience), nil
	}
	if ceiling.openness() < audience.openness() {
		if ceiling == "" {
			ceiling = TLPAmberStrict
		}
		return fmt.Sprintf("the tenant's ceiling is tlp:%s, asking discloses as tlp:%s", Sanitize(string(ceiling), 16), audience), nil
	}
	return "", nil
}

// Shield knows what must never be sent to a third party whoever asks: the
// services everybody uses and the egress of every tenant.
type Shield interface {
	// Shielded returns why no question about v may leave, or "". A prefix is
	// shielded as soon as a part of it is. The reason names no tenant: it is shown
	// to all. Many goroutines call it at once.
	Shielded(v Value) string
}

// shieldedClasses are never sent, whichever local source says so.
func shieldedClasses() []string {
	return []string{ClassBogon, ClassTenantEgress, ClassM365Service}
}
