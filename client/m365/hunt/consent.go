package hunt

import (
	"strings"
)

// consent: applications that were let in.
func consent() *Hunt {
	return &Hunt{
		Name: "consent", Title: "An application was given access",
		Technique: "T1528",
		Operations: []string{
			"Consent to application.", "Add OAuth2PermissionGrant.", "Add delegated permission grant.",
			"Add app role assignment grant to user.", "Add app role assignment to service principal.",
		},
		Look: func(e *Event) {
			for _, id := range appIDs(e) {
				e.Observe(Observable{Kind: "app_id", Value: id, Role: "created"})
			}
			for _, c := range e.Changes {
				for scope := range strings.FieldsFuncSeq(c.New, func(r rune) bool { return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '.' || r == '_') }) {
					e.State("scope", oneOf(scope, riskyScopes()...))
				}
			}
			e.Target(e.Object)
			e.Keep("application or user", e.Targets...)
		},
		Points:  3,
		Private: "names of applications, ids of objects that the tenant made",
	}
}

// riskyScopes are permissions that let an application read, send or stay.
func riskyScopes() []string {
	return []string{
		"Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.ReadBasic", "MailboxSettings.ReadWrite", "offline_access",
		"Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All", "Contacts.Read", "People.Read",
		"User.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All", "RoleManagement.ReadWrite.Directory",
		"full_access_as_app", "full_access_as_user", "EWS.AccessAsUser.All", "IMAP.AccessAsUser.All", "SMTP.Send",
		"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Chat.Read", "Notes.Read.All",
	}
}

// appIDs returns the ids of applications that a directory record is about; an
// object id is another thing.
func appIDs(e *Event) []string {
	var ids []string
	for _, c := range e.Changes {
		switch strings.ToLower(c.Name) {
		case "appid", "serviceprincipal.appid", "targetid.serviceprincipalnames", "clientid":
			for _, s := range c.NewValue().Strings() {
				for f := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
					if isGUID(f) {
						ids = append(ids, strings.ToLower(strings.Trim(f, "{}")))
					}
				}
			}
		}
	}
	return ids
}
