// Package audit keeps the record of what was done and what was told to whom.
//
// It knows entries, how they are chained and signed (format.md) and how to verify
// them; it keeps them through the Storage of a store. It must not know the wire, nor
// who may see what. What is told of a request is decided by who records it: nothing
// here looks into one.
package audit
