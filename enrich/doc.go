// Package enrich says what is known about a value: what an address is, where it
// is hosted, who reported it, each statement with its source and its date.
//
// A Source answers about one value; the Enricher asks several, local ones first,
// and returns a Record in which what could not be asked says so. Answers of third
// parties are kept in a Store, so that a value is disclosed as seldom as possible.
// A Book holds what look-ups established about the class of a value until a later
// look-up says otherwise.
//
// It must not know cases, scores or the server. Who may see a record, and which
// bits a class is worth, is decided elsewhere.
package enrich
