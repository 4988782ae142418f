package hunt

// strongAuthentication: a second factor that is somebody else's, or none.
func strongAuthentication() *Hunt {
	return &Hunt{
		Name: "strong-authentication", Title: "A second factor was registered or switched off",
		Technique: "T1556.006",
		Operations: []string{
			"User registered security info.", "User registered all required security info.", "User changed default security info.",
			"Admin registered security info.", "User deleted security info.", "Admin deleted security info.",
			"Disable Strong Authentication.", "Enable Strong Authentication.",
		},
		Look: func(e *Event) {
			if e.Operation == "disable strong authentication" {
				e.Hot(3)
			}
			e.Target(e.Object)
			for _, c := range e.Changes {
				e.Keep("telephone number", phones(c.Old)...)
			}
		},
		Points:  2,
		Private: "whose, and the numbers",
	}
}
