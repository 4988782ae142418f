package hunt

import (
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// Person reports whether a record is of somebody with an account, not of a
// service, the system or an administrator of Microsoft.
func Person(r *m365.Record) bool {
	switch r.UserType {
	case m365.UserTypeDcAdmin, m365.UserTypeSystem, m365.UserTypeApplication, m365.UserTypeServicePrincipal,
		m365.UserTypeCustomPolicy, m365.UserTypeSystemPolicy:
		return false
	}
	return IsPerson(r.User)
}

// IsPerson reports whether a user id has the form of a person's account.
func IsPerson(user string) bool {
	u := strings.ToLower(strings.TrimSpace(user))
	local, domain, ok := strings.Cut(u, "@")
	if !ok || local == "" || strings.ContainsAny(u, " \\/") || !strings.Contains(domain, ".") {
		return false
	}
	for _, suffix := range []string{".prod.outlook.com", "support.onmicrosoft.com", ".exchangelabs.com"} {
		if strings.HasSuffix(domain, suffix) {
			return false
		}
	}
	for _, prefix := range []string{"serviceprincipal_", "urn:spo:anon", "healthmailbox", "systemmailbox", "discoverysearchmailbox", "federatedemail."} {
		if strings.HasPrefix(local, prefix) {
			return false
		}
	}
	// Joining and syncing devices sign in as themselves.
	return !strings.HasPrefix(local, "sync_") && !strings.HasPrefix(local, "package_")
}

// Actor returns who acted as findings name them: lower-cased, "" for nobody in
// particular.
func Actor(r *m365.Record) string {
	u := strings.ToLower(strings.TrimSpace(r.User))
	if IsPerson(u) {
		return u
	}
	for _, a := range r.Actors {
		if IsPerson(a) {
			return a
		}
	}
	return u
}
