package hunt

// forwarding: a mailbox that sends on all its mail.
func forwarding() *Hunt {
	return &Hunt{
		Name: "mailbox-forwarding", Title: "Mailboxes were set to forward all mail",
		Technique:  forwardsMail,
		Operations: []string{"Set-Mailbox"},
		Where: func(e *Event) bool {
			return !off(e.Parameters.Get("ForwardingSmtpAddress")) || !off(e.Parameters.Get("ForwardingAddress"))
		},
		Look: func(e *Event) {
			for _, name := range []string{"ForwardingSmtpAddress", "ForwardingAddress"} {
				if v := e.Parameters.Get(name); !off(v) {
					e.State("set", name)
					forwardTargets(e, v)
				}
			}
			if v, ok := e.Parameters.Lookup("DeliverToMailboxAndForward"); ok {
				e.State("keeps_a_copy", map[bool]string{true: "no", false: "yes"}[off(v)])
			}
			e.Target(first(e.Parameters.Get("Identity"), e.Object))
		},
		Points:  4,
		Private: "whose mailbox; internal recipients",
	}
}
