package evidence

import "strings"

const (
	maxTenantBytes = 63
	maxCaseIDBytes = 128
)

// ParseRef reads tenant/case. The error is an *InvalidError with the path
// case_ref.
func ParseRef(s string) (Ref, error) { return ParseRefAt("case_ref", s) }

// ParseRefAt is ParseRef for a field of another name.
func ParseRefAt(path, s string) (Ref, error) {
	r := report{max: MaxViolations}
	if s == "" {
		r.add(path, ReasonRequired, "a case is named tenant/case")
		return Ref{}, r.err()
	}
	tenant, id, ok := strings.Cut(s, "/")
	if !ok {
		r.add(path, ReasonMalformed, excerpt(s)+" is not of the form tenant/case")
		return Ref{}, r.err()
	}
	for _, f := range []*flaw{tenantFlaw(tenant), caseIDFlaw(id)} {
		if f != nil {
			r.add(path, f.reason, f.message)
		}
	}
	if err := r.err(); err != nil {
		return Ref{}, err
	}
	return Ref{tenant, id}, nil
}

// CheckTenant returns nil if id can be the id of a tenant, else an
// *InvalidError with the path tenant.
func CheckTenant(id string) error {
	var r report
	if f := tenantFlaw(id); f != nil {
		r.add("tenant", f.reason, f.message)
	}
	return r.err()
}

func tenantFlaw(id string) *flaw {
	if id == "" {
		return flawf(ReasonRequired, "the tenant is missing")
	}
	good := len(id) <= maxTenantBytes && id[0] != '-' && only(id, func(c byte) bool {
		return lowerAlnum(c) || c == '-'
	})
	if !good {
		return flawf(ReasonMalformed, "the tenant %s is not 1-%d of a-z, 0-9 and -, beginning with a letter or digit", excerpt(id), maxTenantBytes)
	}
	return nil
}

func caseIDFlaw(id string) *flaw {
	if id == "" {
		return flawf(ReasonRequired, "the case id is missing")
	}
	good := len(id) <= maxCaseIDBytes && only(id, func(c byte) bool {
		return letterOrDigit(c) || strings.IndexByte("._:#-", c) >= 0
	})
	if !good {
		return flawf(ReasonMalformed, "the case id %s is not 1-%d of A-Z, a-z, 0-9 and ._:#-", excerpt(id), maxCaseIDBytes)
	}
	return nil
}
