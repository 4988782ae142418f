package export

import (
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// denied returns why an observable never leaves, "" if it may. That is decided by
// what it is and did, before anybody looks at its text.
func denied(o *evidence.Observable) string {
	visibility, known := evidence.KindVisibility(o.Kind)
	switch {
	case !known || o.Kind.Own():
		return "own kinds"
	case visibility == evidence.Private:
		return "private kinds"
	case o.Kind == evidence.KindSpoofPair:
		// What it was spoofed from is an observable beside it.
		return "spoofed senders"
	case slices.ContainsFunc(o.Roles, func(r string) bool { return victimRoles[r] }):
		return "victims"
	case o.Kind == evidence.KindAccountPattern:
		return "account patterns"
	case o.Kind == evidence.KindRuleWords:
		// They stand in order of the alphabet, so that nobody would find a name of
		// several words among them.
		return "keywords of mail rules"
	}
	return ""
}

// victimRoles are roles, of nobody's vocabulary, by which people mark whom it was
// done to.
var victimRoles = map[string]bool{
	"victim": true, "target": true, "targeted": true, "recipient": true, "compromised": true, "compromised_account": true,
}

// deniedItem is denied for what is known only when all cases have spoken: what a
// value is now, and that nobody saw more of it than that it was impersonated. Such a
// name is a victim's or a bystander's.
func deniedItem(class string, roles []string) string {
	if class == link.ClassTenantEgress {
		return "addresses of tenants"
	}
	used := func(role string) bool { return role != evidence.RoleSpoofed && role != evidence.RoleReferenced }
	if slices.Contains(roles, evidence.RoleSpoofed) && !slices.ContainsFunc(roles, used) {
		return "spoofed senders"
	}
	return ""
}
