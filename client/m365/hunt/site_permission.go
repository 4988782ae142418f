package hunt

import "strings"

// sitePermission (H5): administrators, locks and sharing of SharePoint sites.
func sitePermission() *Hunt {
	return &Hunt{
		Name: "site-permission", Title: "Sites were opened, shared or given a new administrator",
		Technique: "T1098.003",
		Operations: []string{
			"SiteCollectionAdminAdded", "SiteLocksChanged", "SiteCollectionCreated", "SharingPolicyChanged",
			"AnonymousLinkCreated", "AnonymousLinkUsed", "SharingSet",
		},
		Anybody: true, // who uses an anonymous link has no account
		Where: func(e *Event) bool {
			return Person(e.Record) || e.Operation == "anonymouslinkused" && !e.Failed()
		},
		Look: func(e *Event) {
			for _, c := range e.Changes {
				if transition := setting(c.Name); transition != "" {
					from, to := setting(c.OldValue().Text()), setting(c.NewValue().Text())
					if from != "" || to != "" {
						transition += ": " + first(from, "?") + " to " + first(to, "?")
					}
					e.State("property", transition)
				}
			}
			e.Target(e.Object)
			e.Keep("site, file or user", e.Targets...)
		},
		Points:  1,
		Private: "site addresses, file names, the new administrator",
	}
}

// settings are the values that a transition may be told with.
const settings = " True False None Disabled Enabled ReadOnly NoAccess Unlock NoAdditions ExternalUserSharingOnly " +
	"ExternalUserAndGuestSharing ExistingExternalUserSharingOnly Anyone AnonymousAccess Direct Internal View Edit " +
	"SiteAdmin SharingCapability LockState ShareUsingAnonymousLinks AllowGuests ShareWithGuests DefaultLinkPermission " +
	"DefaultSharingLinkType RequireAnonymousLinksExpireInDays PermissionLevels IsSiteAdmin "

// setting lets documented settings pass.
func setting(s string) string {
	s = strings.Trim(strings.TrimSpace(s), `"`)
	if s == "" || strings.ContainsAny(s, " \n") {
		return ""
	}
	i := strings.Index(strings.ToLower(settings), " "+strings.ToLower(s)+" ")
	if i < 0 {
		return ""
	}
	return settings[i+1 : i+1+len(s)]
}
