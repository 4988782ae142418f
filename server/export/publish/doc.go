// Package publish sends bundles to the targets that an operator set up, and keeps
// the ledger of it.
//
// It knows what targets there are, how much may go to each, and their secrets,
// which it reads from files and never shows. It must not know the wire.
package publish
