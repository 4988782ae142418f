package hunt

// deletion (H9): mail that was deleted to hide traces.
func deletion() *Hunt {
	return &Hunt{
		Name: "deletion", Title: "Mail was deleted",
		Technique:  "T1070.008",
		Operations: []string{"MoveToDeletedItems", "SoftDelete", "HardDelete"},
		Where:      mailboxRecord,
		Look: func(e *Event) {
			e.State("client", clientClass(e))
			for _, s := range e.Mailbox.Subjects {
				for _, tag := range e.Lexicon.Tags(s) {
					e.State("subject", tag)
				}
			}
			for _, f := range e.Mailbox.Folders {
				e.State("folder", folderClass(f))
			}
			e.Keep("subject", e.Mailbox.Subjects...)
			e.Keep("message id", e.Mailbox.MessageIDs...)
			e.Keep("folder", e.Mailbox.Folders...)
			e.Target(e.Mailbox.Owner)
		},
		Points:  1,
		Private: "subjects, message ids, folder paths",
	}
}
