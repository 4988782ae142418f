package hunt

import "github.com/elsewhere-project/elsewhere/client/m365"

// inboxRules: rules of one mailbox, from a shell, the web or Outlook.
func inboxRules() *Hunt {
	return &Hunt{
		Name: "inbox-rules", Title: "Inbox rules were made or changed",
		Technique:  hidesMail,
		Operations: []string{"New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "UpdateInboxRules"},
		Where: func(e *Event) bool {
			// Outlook writes a record for every change of the list, also to remove.
			op := e.Details.Get("RuleOperation")
			return oneOf(op, "RemoveMailboxRule", "RemoveRule", "DeleteRule") == ""
		},
		Look: func(e *Event) {
			lookAtRule(e, first(e.Parameters.Get("Name"), e.Details.Get("RuleName"), ruleName(e.Record)))
			e.Keep("owner", e.Mailbox.Owner)
		},
		Points:  2,
		Private: "words that name the tenant or its users; internal recipients; what rules look for",
	}
}

// ruleName returns the name of a rule from the object that was changed, where it
// stands after the mailbox.
func ruleName(r *m365.Record) string {
	object := r.Object
	if v := r.Parameters.Get("Identity"); v != "" {
		object = v
	}
	if name := lastSegment(object); name != object {
		return name
	}
	return ""
}
