package hunt

import (
	"strings"
)

// alert: what Microsoft's own products noticed, the security events of Graph.
func alert() *Hunt {
	return &Hunt{
		Name: "alert", Title: "Alerts of Microsoft's products",
		Operations: []string{"Alert"},
		Anybody:    true, // an alert has victims and no actor
		Where:      func(e *Event) bool { return e.Record.Alert != nil },
		Look: func(e *Event) {
			a := e.Record.Alert
			for _, t := range a.Techniques {
				if validTechnique(t) {
					e.State("technique", strings.ToUpper(t))
				}
			}
			if len(a.Techniques) == 1 && validTechnique(a.Techniques[0]) {
				e.Technique(strings.ToUpper(a.Techniques[0]))
			}
			e.State("severity", oneOf(a.Severity, "informational", "low", "medium", "high"))
			e.State("category", oneOf(a.Category, "InitialAccess", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion",
				"CredentialAccess", "Discovery", "LateralMovement", "Collection", "CommandAndControl", "Exfiltration", "Impact", "SuspiciousActivity"))
			e.Keep("alert", a.Title)
			for _, v := range a.Evidence {
				e.Keep("victim", v.User)
				if v.Type != "ipEvidence" {
					e.Keep("evidence", v.Value)
				}
			}
		},
		Points:  3,
		Private: "titles, users, files and messages of alerts",
	}
}

func validTechnique(t string) bool {
	t = strings.ToUpper(t)
	if len(t) != 5 && len(t) != 9 || t[0] != 'T' || len(t) == 9 && t[5] != '.' {
		return false
	}
	return strings.Trim(strings.Replace(t[1:], ".", "", 1), "0123456789") == ""
}
