package hunt

// credentials: keys and passwords for applications and service principals.
func credentials() *Hunt {
	return &Hunt{
		Name: "application-credentials", Title: "Credentials were added to an application",
		Technique: "T1098.001",
		Operations: []string{
			"Add service principal credentials.", "Update application – Certificates and secrets management",
			"Add service principal.", "Update service principal.",
		},
		Where: func(e *Event) bool {
			switch e.Operation {
			case "add service principal", "update service principal":
				for _, c := range e.Changes {
					if oneOf(c.Name, "KeyDescription", "PasswordCredentials", "KeyCredentials") != "" && !off(c.New) {
						return true
					}
				}
				return false
			}
			return true
		},
		Look: func(e *Event) {
			for _, id := range appIDs(e) {
				e.Observe(Observable{Kind: "app_id", Value: id, Role: "created"})
			}
			e.Target(e.Object)
		},
		Points:  4,
		Private: "names and object ids of applications",
	}
}
