// Package learn proposes changes of a model's constants from pairs of cases that
// people judged (SCORING.md A8).
//
// It knows the score's explanations and the arithmetic of a few parameters: how
// many unrelated users a class of values has, how often cases of one actor share a
// value of a class, how many cases an actor has, and a scale and shift of the whole.
// It never applies what it proposes, keeps nothing, reads no store and has no clock;
// the same judged pairs in any order give the same proposal.
//
// Nothing is proposed that does not judge pairs better which were held out while it
// was learned. m and the number of siblings come from clusters of confirmed pairs.
// Pairs that were looked at because they share something say too much of what they
// share, so a pair speaks of m only where it shares something else too; and clusters of
// confirmed pairs are larger than those of all cases, so siblings at most double.
package learn
