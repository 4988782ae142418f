// Package m365 reads exported Microsoft 365 evidence where it lies: unified
// audit logs, sign-ins, directory audits and alerts, in the forms that portals,
// scripts and other systems write. What a file is, is found from its content.
//
// A Reader takes Sources, yields each Record once, in a stable order, and then
// accounts for every row that it read:
//
//	sources, err := m365.Paths("export/")
//	...
//	r := m365.NewReader(sources, m365.Options{})
//	for record, err := range r.Records(ctx) {
//		...
//	}
//	account := r.Account()
//
// Memory does not grow with the evidence, but for 9 to 18 bytes for each record
// that duplicates are found with, and those go to a temporary file beyond a
// limit (see Options.MaxFingerprints).
//
// The order of records follows the order of the sources, so evidence that is
// shuffled or split gives the same set of records in another order. Whoever
// wants the same answer for both aggregates in a way that does not depend on
// order, or sorts by Record.Compare.
//
// It knows files and Microsoft's schemas. It must not judge what a record means
// (an address of Microsoft, a service account) and must not know the server.
package m365
