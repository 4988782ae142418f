package hunt

import (
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

// newAccount (H2): accounts and guests that a person made.
func newAccount() *Hunt {
	return &Hunt{
		Name: "new-account", Title: "A cloud account was created",
		Technique:  "T1136.003",
		Operations: []string{"Add user.", "Invite external user.", "New-Mailbox"},
		Look: func(e *Event) {
			name := e.Object
			if e.Operation == "new-mailbox" {
				name = first(e.Parameters.Get("MicrosoftOnlineServicesID"), e.Parameters.Get("PrimarySmtpAddress"), e.Parameters.Get("Name"), e.Object)
			}
			if len(e.Targets) > 0 && !strings.Contains(name, "@") {
				name = e.Targets[0]
			}
			local, _, _ := strings.Cut(name, "@")
			e.Observe(Observable{Kind: "account_pattern", Value: accountPattern(e.Lexicon, local), Role: "created"})
			e.Target(name)
			e.Keep("created account", name, e.Parameters.Get("DisplayName"))
		},
		Points:  2,
		Private: "the account's name and address",
	}
}

// roleWords are what intruders call an account that nobody is to wonder about.
const roleWords = ` admin administrator support help helpdesk desk it sys system service services server security backup sync test scan
scanner mailer noreply account accounts billing finance hr info postmaster root sysadmin tech temp update user
audit invoice payment payroll mail cloud exchange office sharepoint teams guest operator portal monitor monitoring `

// accountPattern returns the shape of a local part: words for roles as they are,
// numbers as <digits>, everything else as <word>. It is "" where nothing but
// words would be left, which is every name.
func accountPattern(l *lexicon.Lexicon, local string) string {
	var parts []string
	telling := false
	known := strings.Fields(roleWords)
	for _, w := range lexicon.Words(strings.TrimPrefix(local, "#")) {
		switch {
		case slices.Contains(known, w):
			parts = append(parts, w)
			telling = true
		case strings.Trim(w, "0123456789") == "":
			parts = append(parts, "<digits>")
		default:
			parts = append(parts, "<word>")
		}
	}
	if !telling || len(parts) > 6 {
		return ""
	}
	return strings.Join(slices.Compact(parts), "-")
}

func first(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}
