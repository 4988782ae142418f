// Package learn proposes changes of a model's constants from pairs of cases that
// people judged (SCORING.md A8).
//
// It knows the score's explanations and the arithmetic of a few parameters: how
// many unrelated users a class of values has, and a scale and shift of the whole. It never applies what it proposes, keeps nothing,
// reads no store and has no clock; the same judged pairs in any order give the same
// proposal.
//
// Two constants that could be learned are not. m, the share of an actor's cases that
// have a value of a kind in common, cannot be told from pairs that were looked at
// because they share something, and a lone match only knows m/alpha. siblings from
// the clusters of confirmed pairs lifted every class, also those that nobody had
// judged: measured on made-up cases it cost precision and gained nothing that the
// shift does not give.
package learn
