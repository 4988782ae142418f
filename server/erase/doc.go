// Package erase takes a tenant out of a deployment for good: everything that is kept
// about it, then the old copies in the files, and a signed receipt at the end.
//
// It knows the order of the work, the stored intention that survives a crash, and the
// receipt. What there is to take out is handed to it as a list of traces; it must not
// know the wire or a database.
package erase
