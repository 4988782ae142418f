// Package jsonform is the one JSON form of the wire schema: how messages are
// written, for the command line and for REST alike, and what an object says that a
// message does not take, with its place.
//
// It knows descriptors of messages and must not know which messages there are, what
// is valid in them, HTTP or files.
package jsonform
