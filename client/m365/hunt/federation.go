package hunt

// federation: domains whose sign-ins somebody else decides about.
func federation() *Hunt {
	return &Hunt{
		Name: "federation", Title: "Trust in a domain was changed",
		Technique: "T1484.002",
		Operations: []string{
			"Set domain authentication.", "Set federation settings on domain.", "Add unverified domain.",
			"Add verified domain.", "Verify domain.",
		},
		Look: func(e *Event) {
			if e.Operation == "set domain authentication" || e.Operation == "set federation settings on domain" {
				e.Hot(5)
			}
			e.Target(e.Object)
		},
		Points:  3,
		Private: "the domain",
	}
}
