// Package link compares two cases: it finds candidates and scores how likely one
// actor stands behind both, with every reason.
//
// The score is a sum of log2 Bayes factors (bits) and therefore its own
// explanation. It is a pure function of the two cases, of what a Corpus and a
// Classifier say about the values that they share, and of a numbered Model; no
// clock, no order of arrival and no earlier score enters. The package does no
// I/O of its own and must not know the store, the wire schema or who asks.
//
// All weights are int32 thousandths of a bit ("millibits"), so that parts add up
// exactly, and all floating-point steps are written so that no compiler may fuse
// them: the same input gives the same bits on every platform.
package link
