package hunt

// search: searches over everybody's mail and files.
func search() *Hunt {
	return &Hunt{
		Name: "ediscovery", Title: "A search over all mailboxes was run or exported",
		Technique: "T1114.002",
		Operations: []string{
			"SearchCreated", "SearchStarted", "SearchExported", "SearchExportDownloaded", "SearchPreviewed",
			"New-ComplianceSearch", "Start-ComplianceSearch", "New-ComplianceSearchAction", "New-MailboxSearch", "ViewedSearchPreviewed",
		},
		Look: func(e *Event) {
			e.Keep("query", e.Parameters.Get("ContentMatchQuery"), e.Raw.Get("Query").Text())
			e.Target(first(e.Parameters.Get("Name"), e.Object))
		},
		Points:  2,
		Private: "queries, places searched",
	}
}
