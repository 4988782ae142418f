package hunt

// passwordReset: passwords that the actor set.
func passwordReset() *Hunt {
	return &Hunt{
		Name: "password-reset", Title: "Passwords were changed or reset",
		Technique: "T1098",
		Operations: []string{
			"Reset user password.", "Change user password.", "Set force change user password.",
			"Reset password (by admin)", "Reset password (self-service)", "Change password (self-service)",
		},
		Look:    func(e *Event) { e.Target(e.Object) },
		Points:  1,
		Private: "whose password",
	}
}
