package hunt

import (
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// loginOperations are sign-ins, of the audit log and of Graph.
func loginOperations() []string { return []string{"UserLoggedIn", "UserLoginFailed"} }

// externalLogin (H1): logins from outside the organisation. Which addresses are
// outside is for all records together to say.
func externalLogin() *Hunt {
	return &Hunt{
		Name: "external-login", Title: "Logins from addresses outside the organisation",
		Technique:  "T1078.004",
		Operations: loginOperations(),
		Where:      func(e *Event) bool { return !e.Interrupted() },
		Look: func(e *Event) {
			for _, agent := range e.UserAgents {
				e.Observe(Observable{Kind: "user_agent", Value: agent})
			}
			for _, app := range e.Apps {
				e.Observe(Observable{Kind: "app_id", Value: app})
			}
			if e.Failed() {
				e.State("error", errorCode(e.ErrorNumber))
			}
			e.Keep("device", e.Devices...)
		},
		Points:  1,
		Private: "user, object ids, device names",
	}
}

// errorCode lets numbers pass.
func errorCode(s string) string {
	if len(s) > 8 || s == "0" || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// Failed reports whether what was tried did not succeed.
func (e *Event) Failed() bool { return Failed(e.Record) }

// Failed reports whether what a record tells of did not succeed.
func Failed(r *m365.Record) bool {
	return r.Result == m365.ResultFailed || r.Operation == "userloginfailed"
}
