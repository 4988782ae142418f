package evidence

import (
	"fmt"
	"strconv"
)

const (
	maxLabels     = 100
	maxReferences = 1_000
	// Facts and roles cost memory although they may hold few bytes.
	maxFacts = 100_000
	maxRoles = 100_000
)

// checkLimits reports each limit that a case exceeds as a whole, once. It looks
// at sizes only.
func checkLimits(d *Draft, r *report) {
	if n := len(d.Findings); n > MaxFindings {
		r.add("findings", ReasonTooMany, fmt.Sprintf("%d findings; %d at most", n, MaxFindings))
		return
	}
	observables, crossed := 0, -1
	facts, roles := 0, 0
	for i := range d.Findings {
		f := &d.Findings[i]
		observables += submitted(f.Observables)
		if observables > MaxObservables && crossed < 0 {
			crossed = i
		}
		facts += len(f.Facts)
		for j := range f.Observables {
			facts += len(f.Observables[j].Facts)
			roles += len(f.Observables[j].Roles)
		}
	}
	if crossed >= 0 {
		r.add("findings["+strconv.Itoa(crossed)+"].observables", ReasonTooMany, fmt.Sprintf("%d observables in the case; %d at most", observables, MaxObservables))
	}
	if facts > maxFacts {
		r.add("findings", ReasonTooMany, fmt.Sprintf("%d facts; %d at most", facts, maxFacts))
	}
	if roles > maxRoles {
		r.add("findings", ReasonTooMany, fmt.Sprintf("%d roles; %d at most", roles, maxRoles))
	}
	if n := textBytes(d); n > MaxCaseBytes {
		r.add("findings", ReasonTooLarge, fmt.Sprintf("%d bytes of text; %d at most", n, MaxCaseBytes))
	}
}

// submitted counts observables without those that the parser can have derived
// from a spoof pair, so that a stored case is no larger than the one sent.
func submitted(observables []Observable) int {
	pairs, parts := 0, 0
	for i := range observables {
		o := &observables[i]
		switch {
		case o.Kind == KindSpoofPair:
			pairs++
		case hasPartRole(o.Roles):
			parts++
		}
	}
	return len(observables) - min(parts, 2*pairs)
}

func hasPartRole(roles []string) bool {
	for _, role := range roles {
		if role == RoleSpoofed || role == RoleSendingInfrastructure {
			return true
		}
	}
	return false
}

func textBytes(d *Draft) int {
	n := len(d.Tenant) + len(d.Case) + len(d.Title) + len(d.Kind) + len(d.TLP) + len(d.Source)
	for k, v := range d.Labels {
		n += len(k) + len(v)
	}
	for _, s := range d.References {
		n += len(s)
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		n += len(f.ID) + len(f.Technique) + len(f.Operation) + len(f.Summary) + factBytes(f.Facts)
		for j := range f.Observables {
			o := &f.Observables[j]
			n += len(o.Kind) + len(o.Text) + len(o.Written) + factBytes(o.Facts)
			for _, role := range o.Roles {
				n += len(role)
			}
		}
	}
	return n
}

func factBytes(facts []Fact) int {
	n := 0
	for _, f := range facts {
		n += len(f.Name) + len(f.Value) + len(f.Source)
	}
	return n
}
