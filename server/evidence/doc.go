// Package evidence is the domain: tenants' cases, their findings and the
// observables in them.
//
// It knows what a valid case is and how a value is read: kinds, roles,
// refanging, normalising, limits. A Case that exists was made by Parse, so the
// rest of the program never checks one again. It does no I/O and must not know
// the wire schema, the store, or how evidence is weighed.
package evidence
