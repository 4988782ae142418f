package hunt

// mailRead: mail that was read or synchronised.
func mailRead() *Hunt {
	return &Hunt{
		Name: "mail-read", Title: "Mail was read",
		Technique:  "T1114.002",
		Operations: []string{"MailItemsAccessed"},
		Look: func(e *Event) {
			kind := first(e.Details.Get("MailAccessType"), e.Raw.Get("MailAccessType").Text())
			e.State("access", oneOf(kind, "Bind", "Sync"))
			if first(e.Details.Get("IsThrottled"), e.Raw.Get("IsThrottled").Text()) == "True" {
				// From here on Microsoft records nothing of the mailbox for a day.
				e.State("throttled", "yes")
			}
			e.State("client", clientClass(e))
			e.Keep("message id", e.Mailbox.MessageIDs...)
			e.Target(e.Mailbox.Owner)
		},
		Points:  1,
		Private: "message ids, folders, owners",
	}
}
