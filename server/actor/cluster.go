package actor

import (
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Case is what clustering needs to know of a case.
type Case struct {
	Ref    evidence.Ref
	Active Span
	Opened time.Time // zero means unknown
}

// Edge is a scored pair, its ends in any order. Tier is the score's; what people
// said of the pair is a Review.
type Edge struct {
	A, B      evidence.Ref
	Millibits int32
	Tier      link.Tier
}

// Review is what a person said of a pair, its ends in any order. Of several
// reviews of one pair the latest counts; of those of one time, a refute.
type Review struct {
	A, B evidence.Ref
	Same bool // confirmed; else refuted
	At   time.Time
}

// Actor is a cluster of at least two cases.
type Actor struct {
	Members []evidence.Ref // sorted
	// Founder is the member that was opened first, of several the one with the
	// smallest ref. A member with no known time comes after all others.
	Founder evidence.Ref
	// Threshold is the score, in millibits, that a pair had to exceed to pull:
	// 0, more where too many cases hang together, and math.MaxInt32 where that
	// left confirms alone.
	Threshold int32
	// Candidates are the pairs from probable on with one end in the actor, best
	// first. No refuted pair is among them.
	Candidates []Candidate
}

// Candidate is a pair that leads out of an actor.
type Candidate struct {
	Member, Other evidence.Ref
	Millibits     int32
	Tier          link.Tier
}

// Result is a clustering. Cases in no actor stand alone.
type Result struct {
	Actors    []Actor    // by smallest member
	Conflicts []Conflict // by pair set aside
}

// Cluster groups cases. No two cases that an accepted refute names are in one
// actor, and every two that an accepted confirm names are; see Conflict for the
// others. A case should be given once and a pair once: of several versions one is
// taken, the same whatever the order. A pair of a case with itself counts for
// nothing, and one with a case that is not given can only be a candidate, unless
// it is refuted. Pairs within one tenant never pull.
//
// Where more than 5,000 cases hang together the score that a pair must exceed to
// pull rises by one bit at a time until they fall apart; what still hangs
// together above 64 bits is left to the confirmed pairs alone.
func Cluster(cases []Case, edges []Edge, reviews []Review) Result {
	return cluster(cases, edges, reviews, maxComponent)
}

func cluster(cases []Case, edges []Edge, reviews []Review, limit int) Result {
	w := newWorld(cases, edges)
	rules := w.judge(reviews)
	w.refute(rules.apart)
	p := partition{world: w, rules: rules, limit: limit, home: make([]int32, len(w.cases))}
	p.all()
	return Result{Actors: p.actors(), Conflicts: rules.conflicts}
}

// world numbers the cases in the order of their refs, so that the smaller of two
// numbers is the smaller ref.
type world struct {
	cases []Case
	// strangers are named by pairs and were not given. They are numbered from
	// len(cases) on.
	strangers []evidence.Ref
	number    map[evidence.Ref]int32
	pairs     []pair // sorted by ends, one for each
}

// pair is an edge between numbered cases.
type pair struct {
	a, b      int32 // a < b; so b is a stranger if one of them is
	millibits int32
	tier      link.Tier
	pulls     bool // may pull, if its score exceeds the threshold
	refuted   bool
}

func newWorld(cases []Case, edges []Edge) *world {
	w := &world{cases: slices.Clone(cases)}
	slices.SortFunc(w.cases, compareCases)
	w.cases = slices.CompactFunc(w.cases, func(x, y Case) bool { return x.Ref == y.Ref })
	w.number = make(map[evidence.Ref]int32, len(w.cases))
	for i := range w.cases {
		w.number[w.cases[i].Ref] = int32(i)
	}
	w.meetStrangers(edges)
	w.pairs = make([]pair, 0, len(edges))
	for i := range edges {
		w.addPair(&edges[i])
	}
	slices.SortFunc(w.pairs, comparePairs)
	w.pairs = slices.CompactFunc(w.pairs, func(x, y pair) bool { return x.a == y.a && x.b == y.b })
	return w
}

func (w *world) meetStrangers(edges []Edge) {
	for i := range edges {
		for _, ref := range [...]evidence.Ref{edges[i].A, edges[i].B} {
			if _, ok := w.number[ref]; !ok {
				w.number[ref] = -1
				w.strangers = append(w.strangers, ref)
			}
		}
	}
	slices.SortFunc(w.strangers, evidence.Ref.Compare)
	for i, ref := range w.strangers {
		w.number[ref] = int32(len(w.cases) + i)
	}
}

func (w *world) addPair(e *Edge) {
	a, b := w.number[e.A], w.number[e.B]
	if a == b {
		return
	}
	p := pair{a: min(a, b), b: max(a, b), millibits: e.Millibits, tier: e.Tier}
	// A tenant's own cases share its systems; that alone makes no actor.
	p.pulls = pulls(e) && w.known(p.b)
	w.pairs = append(w.pairs, p)
}

// pulls reports whether a pair can bring its cases together.
func pulls(e *Edge) bool {
	return e.Tier >= link.Strong && e.Millibits > 0 && e.A.Tenant != e.B.Tenant
}

// known reports whether a case was given.
func (w *world) known(n int32) bool { return int(n) < len(w.cases) }

func (w *world) ref(n int32) evidence.Ref {
	if w.known(n) {
		return w.cases[n].Ref
	}
	return w.strangers[int(n)-len(w.cases)]
}

// refute marks the pairs that must stay apart; apart is sorted.
func (w *world) refute(apart [][2]int32) {
	i := 0
	for k := range w.pairs {
		p := &w.pairs[k]
		for i < len(apart) && compareEnds(apart[i][0], apart[i][1], p.a, p.b) < 0 {
			i++
		}
		if i < len(apart) && apart[i] == [2]int32{p.a, p.b} {
			p.refuted, p.pulls = true, false
		}
	}
}
