package hunt

import (
	"regexp"
	"slices"
	"strings"
)

// changedAccount (H3): changes to how somebody proves who they are, or is
// called back.
func changedAccount() *Hunt {
	return &Hunt{
		Name: "changed-account", Title: "Details of an account were changed",
		Technique:  "T1098",
		Operations: []string{"Update user."},
		Where:      func(e *Event) bool { return len(contactChanges(e)) > 0 },
		Look: func(e *Event) {
			for _, c := range contactChanges(e) {
				e.State("changed", c.what)
				e.Keep("telephone number before", c.before...)
				for _, number := range c.after {
					e.Observe(Observable{Kind: "phone", Value: number, Role: "created", Secret: true})
				}
			}
			e.Target(e.Object)
		},
		Points:  2,
		Private: "telephone numbers; the new one leaves as a keyed hash at most",
	}
}

// contactChange is a changed property with the telephone numbers in it that
// were not there before, and those that were.
type contactChange struct {
	what          string
	before, after []string
}

// contactProperties are the properties of H3, by the beginning of their name.
const contactProperties = "StrongAuthenticationMethod StrongAuthenticationUserDetails StrongAuthenticationPhoneAppDetail StrongAuthenticationRequirement " +
	"StrongAuthentication MobilePhone Mobile TelephoneNumber AlternativePhone AlternateMobilePhone BusinessPhones"

func contactChanges(e *Event) []contactChange {
	var found []contactChange
	for _, c := range e.Changes {
		for known := range strings.FieldsSeq(contactProperties) {
			if len(c.Name) < len(known) || !strings.EqualFold(c.Name[:len(known)], known) {
				continue
			}
			change := contactChange{what: known, before: phones(c.Old)}
			for _, n := range phones(c.New) {
				if !slices.Contains(change.before, n) {
					change.after = append(change.after, n)
				}
			}
			found = append(found, change)
			break
		}
	}
	return found
}

var phoneNumber = regexp.MustCompile(`\+[0-9][0-9 ().x-]{6,24}`)

// phones returns the telephone numbers of a text in E.164.
func phones(s string) []string {
	var list []string
	for _, m := range phoneNumber.FindAllString(s, 16) {
		m, _, _ = strings.Cut(m, "x") // an extension
		number := "+" + strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, strings.Replace(m, "(0)", "", 1))
		if n := len(number) - 1; n >= 8 && n <= 15 && !slices.Contains(list, number) {
			list = append(list, number)
		}
	}
	return list
}
