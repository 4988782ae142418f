package hunt

import (
	"slices"
	"strings"
)

// delegation (H4): rights to other people's mailboxes and folders.
func delegation() *Hunt {
	return &Hunt{
		Name: "delegation", Title: "Permissions on mailboxes were delegated",
		Technique: "T1098.002",
		Operations: []string{
			"Add-MailboxPermission", "Set-MailboxPermission", "Add-RecipientPermission", "Set-Mailbox",
			"Add-MailboxFolderPermission", "Set-MailboxFolderPermission", "ModifyFolderPermissions", "AddFolderPermissions",
		},
		Where: func(e *Event) bool {
			if e.Operation == "set-mailbox" {
				_, ok := e.Parameters.Lookup("GrantSendOnBehalfTo")
				return ok
			}
			return true
		},
		Look: func(e *Event) {
			for _, right := range rights(e) {
				e.State("access_right", right)
			}
			e.Target(first(e.Parameters.Get("Identity"), e.Mailbox.Owner, e.Object))
			e.Keep("trustee", e.Parameters.Get("User"), e.Parameters.Get("Trustee"), e.Parameters.Get("GrantSendOnBehalfTo"))
		},
		Points:  2,
		Private: "whose mailbox, and who may now use it",
	}
}

// accessRights are the documented rights to mailboxes, recipients and folders.
const accessRights = "FullAccess ReadPermission ExternalAccount DeleteItem ChangePermission ChangeOwner SendAs Author Contributor Editor None " +
	"NonEditingAuthor Owner PublishingEditor PublishingAuthor Reviewer AvailabilityOnly LimitedDetails CreateItems " +
	"CreateSubfolders DeleteAllItems DeleteOwnedItems EditAllItems EditOwnedItems FolderContact FolderOwner FolderVisible ReadItems"

// rights returns the rights that a record names, as they are documented.
func rights(e *Event) []string {
	if e.Operation == "set-mailbox" {
		return []string{"SendOnBehalf"}
	}
	text := e.Parameters.Get("AccessRights")
	if text == "" {
		text = e.Raw.Get("Item", "ParentFolder", "MemberRights").Text()
	}
	var list []string
	for f := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 'A' || r > 'z' || r > 'Z' && r < 'a' }) {
		for known := range strings.FieldsSeq(accessRights) {
			if strings.EqualFold(f, known) && !slices.Contains(list, known) {
				list = append(list, known)
			}
		}
	}
	return list
}
