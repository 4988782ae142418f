package hunt

import "strings"

// transportRules (H7): rules for the whole organisation's mail that a person
// made, changed or took away.
func transportRules() *Hunt {
	return &Hunt{
		Name: "transport-rules", Title: "Transport rules were made or changed",
		Technique: forwardsMail,
		Operations: []string{
			"New-TransportRule", "Set-TransportRule", "Enable-TransportRule", "Disable-TransportRule",
			"Remove-TransportRule",
		},
		Look: func(e *Event) {
			lookAtRule(e, first(e.Parameters.Get("Name"), lastSegment(e.Parameters.Get("Identity")), lastSegment(e.Object)))
		},
		Points:  4,
		Private: "words that name the tenant, its users or banks; internal recipients; what rules look for",
	}
}

// lastSegment returns what stands last in an identity like container\name. An id
// is no name.
func lastSegment(s string) string {
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	if isGUID(s) || strings.Trim(s, "0123456789") == "" {
		return ""
	}
	return s
}

func isGUID(s string) bool {
	s = strings.Trim(s, "{}")
	return len(s) == 36 && strings.Count(s, "-") == 4 && strings.Trim(strings.ToLower(s), "0123456789abcdef-") == ""
}
