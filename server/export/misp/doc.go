// Package misp writes a bundle as a MISP event and as a feed directory, reads
// events, and pushes a bundle to a MISP server.
//
// It knows MISP's JSON, which attributes MISP takes and how a server answers. It
// must not decide what may leave: that was done when the bundle was made, and
// what a bundle holds is written. Every identifier is derived from the bundle's,
// so that the same bundle is the same event each time.
//
// The facts about MISP are those of its describeTypes.json and misp-objects, and
// of answers recorded from MISP 2.5.1.
package misp
