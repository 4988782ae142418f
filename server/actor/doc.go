// Package actor groups cases that one actor seems to stand behind: clusters of
// scored pairs, held to what people confirmed and refuted.
//
// Clusters are found by greedy correlation clustering. A strong pair pulls by its
// score, any other pair pushes a little, the less the further apart in time, and
// two clusters become one while that adds up to more than nothing. The result is
// a pure function of the cases, pairs and reviews given: their order, earlier
// results and the clock do not enter, and all sums are of integers, so that every
// machine finds the same. A cluster can therefore be forgotten and found again;
// nothing in it is irreversible.
//
// The package does no I/O and must not know the store, the wire schema, who asks,
// or what a pair's score is made of. What an actor is called lies outside it.
package actor
