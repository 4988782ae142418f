package hunt

import "strings"

// mailboxUse (H6): mail written and sent from a mailbox.
func mailboxUse() *Hunt {
	return &Hunt{
		Name: "mailbox-use", Title: "The mailboxes were used",
		Technique:  "T1114.002",
		Operations: []string{"SendAs", "SendOnBehalf", "Create", "Update", "Send"},
		Where:      mailboxRecord,
		Look: func(e *Event) {
			e.State("client", clientClass(e))
			tagSubjects(e)
			e.Target(e.Mailbox.Owner)
		},
		Points:  1,
		Private: "subjects, message ids, recipients, owners",
	}
}

// mailboxRecord keeps operations of other services with the same names out.
func mailboxRecord(e *Event) bool {
	return strings.HasPrefix(e.RecordType, "exchange") || strings.EqualFold(e.Workload, "exchange") ||
		e.RecordType == "" && e.Workload == ""
}

// tagSubjects says which generic kinds of mail the subjects are of.
func tagSubjects(e *Event) {
	for _, s := range e.Mailbox.Subjects {
		for _, tag := range e.Lexicon.Tags(s) {
			e.State("subject", tag)
		}
	}
	e.Keep("subject", e.Mailbox.Subjects...)
	e.Keep("message id", e.Mailbox.MessageIDs...)
}

// clientClass says with what kind of program a mailbox was used.
func clientClass(e *Event) string {
	info := strings.ToLower(e.Mailbox.ClientInfo)
	for _, c := range [...][2]string{
		{"client=owa", "owa"},
		{"outlookservice", "outlook"},
		{"msexchangerpc", "outlook"},
		{"client=mapi", "outlook"},
		{"client=rest", "rest"},
		{"client=graph", "graph"},
		{"imap4", "imap"},
		{"pop3", "pop"},
		{"client=smtp", "smtp"},
		{"webservices", "ews"},
		{"activesync", "activesync"},
		{"powershell", "powershell"},
		{"rest", "rest"},
		{"client=", "other"},
	} {
		if strings.Contains(info, c[0]) {
			return c[1]
		}
	}
	return ""
}
