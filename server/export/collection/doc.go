// Package collection offers what may leave as collections of STIX objects that
// receivers come back to: all that a key may hand on under a label, or what is known
// of an actor.
//
// A collection remembers what it offered, and since when, so that a receiver who asks
// for what was added since is told of everything that came, changed or went, and of
// nothing twice. It knows bundles, STIX objects and the store of small records. It
// must not know the wire, nor decide who may read or what may leave.
package collection
