package dossier

import (
	"regexp"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

// mailAddress finds mail addresses among other text.
var mailAddress = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)

// learn takes from a record what names the tenant.
func (d *Dossier) learn(r *m365.Record) {
	v := d.vocabulary
	v.Organisation(r.Organization)
	v.Organisation(r.Raw.Get("OrganizationName").Text())
	v.ID(r.Raw.Get("OrganizationId").Text())
	if r.Mailbox.Owner != "" {
		v.User(r.Mailbox.Owner)
		v.ID(r.Raw.Get("MailboxGuid").Text())
		v.ID(r.Raw.Get("MailboxOwnerSid").Text())
	}
	for _, t := range r.Targets {
		v.Mention(t)
	}
	if r.Alert != nil {
		for _, e := range r.Alert.Evidence {
			v.Mention(e.User)
		}
	}
	// Anybody may try to sign in as anybody, to have a name taken for the
	// tenant's.
	if !hunt.IsPerson(r.User) || hunt.Failed(r) {
		v.Mention(r.User)
		return
	}
	v.User(r.User)
	if !strings.Contains(r.UserKey, "@") {
		v.ID(r.UserKey)
	}
	for _, device := range r.Devices {
		v.Name(device)
	}
	if r.SignIn != nil {
		v.Name(r.Raw.Get("userDisplayName").Text())
	}
	if strings.Contains(r.Object, "sharepoint.com") {
		if _, rest, ok := strings.Cut(r.Object, "://"); ok {
			host, _, _ := strings.Cut(rest, "/")
			v.Domain(host)
		}
	} else if strings.Contains(r.Object, "@") {
		v.Mention(r.Object)
	}
	if d.pack.Known(r.Operation) {
		d.learnAct(r)
	}
	if r.Operation == "add application" {
		// An application of the tenant's own is nobody else's.
		v.ID(r.Object)
		for _, c := range r.Changes {
			if strings.EqualFold(c.Name, "AppId") {
				for _, id := range c.NewValue().Strings() {
					v.ID(id)
				}
			}
		}
	}
}

// learnAct takes names from what an operation was told and changed.
func (d *Dossier) learnAct(r *m365.Record) {
	for _, p := range r.Parameters {
		switch strings.ToLower(p.Name) {
		case "displayname":
			d.vocabulary.Name(p.Value)
		default:
			if strings.Contains(p.Value, "@") {
				for _, address := range mailAddress.FindAllString(p.Value, 64) {
					d.vocabulary.Mention(address)
				}
			}
		}
	}
	for _, c := range r.Changes {
		switch strings.ToLower(c.Name) {
		case "displayname", "mailnickname", "givenname", "surname":
			d.vocabulary.Name(strings.Join(c.NewValue().Strings(), " "))
			d.vocabulary.Name(strings.Join(c.OldValue().Strings(), " "))
		case "userprincipalname":
			for _, name := range append(c.NewValue().Strings(), c.OldValue().Strings()...) {
				d.vocabulary.Mention(name)
			}
		}
	}
}
