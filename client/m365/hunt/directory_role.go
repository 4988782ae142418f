package hunt

import "strings"

// directoryRole: somebody was made an administrator.
func directoryRole() *Hunt {
	return &Hunt{
		Name: "directory-role", Title: "A directory role was given",
		Technique: "T1098.003",
		Operations: []string{
			"Add member to role.", "Add eligible member to role.", "Add scoped member to role.",
			"Add member to role completed (PIM activation).",
		},
		Look: func(e *Event) {
			for _, c := range e.Changes {
				if oneOf(c.Name, "Role.DisplayName", "Role.TemplateId", "Role.WellKnownObjectName") == "" {
					continue
				}
				for _, s := range c.NewValue().Strings() {
					e.State("role", oneOf(strings.ReplaceAll(s, "Company Administrator", "Global Administrator"), directoryRoles()...))
				}
			}
			e.Target(e.Object)
			e.Keep("member", e.Targets...)
		},
		Points:  3,
		Private: "who got the role",
	}
}

// directoryRoles are built-in roles worth having.
func directoryRoles() []string {
	return []string{
		"Global Administrator", "Exchange Administrator", "SharePoint Administrator", "User Administrator",
		"Privileged Role Administrator", "Privileged Authentication Administrator", "Authentication Administrator",
		"Application Administrator", "Cloud Application Administrator", "Security Administrator", "Billing Administrator",
		"Helpdesk Administrator", "Conditional Access Administrator", "Global Reader", "Teams Administrator",
		"Compliance Administrator", "Hybrid Identity Administrator", "Intune Administrator",
	}
}
