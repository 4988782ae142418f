// Package victim finds what names a victim in whatever is about to leave.
//
// A Dictionary holds names, domains and networks of tenants, and keyed hashes of
// further tokens of which nobody knows the text any more. A Scanner looks for them
// in a text and in everything that the text says when it is decoded. It knows text
// and its encodings. It must not know cases, bundles or formats, and it never says
// which term it found.
package victim
