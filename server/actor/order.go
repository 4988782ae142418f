package actor

import (
	"cmp"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// compareCases orders cases by ref. What follows matters only where one ref was
// given twice: it makes the choice the same in any order.
func compareCases(x, y Case) int {
	if c := x.Ref.Compare(y.Ref); c != 0 {
		return c
	}
	return cmp.Or(compareOpened(x.Opened, y.Opened), compareSpans(x.Active, y.Active))
}

// compareFounders orders members by who came first.
func compareFounders(x, y *Case) int {
	if c := compareOpened(x.Opened, y.Opened); c != 0 {
		return c
	}
	return x.Ref.Compare(y.Ref)
}

// compareOpened puts unknown times last: a case must not become the founder by
// saying nothing.
func compareOpened(x, y time.Time) int {
	switch {
	case x.IsZero() == y.IsZero():
		return x.Compare(y)
	case x.IsZero():
		return 1
	}
	return -1
}

func compareSpans(x, y Span) int {
	if x.Known != y.Known {
		if x.Known {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.Last, y.Last))
}

// comparePairs orders pairs by their ends, the best of one pair first.
func comparePairs(x, y pair) int {
	if c := compareEnds(x.a, x.b, y.a, y.b); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(y.tier, x.tier), cmp.Compare(y.millibits, x.millibits))
}

// compareEnds orders (a, b) before (c, d). It takes most of the time of large
// sorts, so it looks at the second ends only if it must.
func compareEnds(a, b, c, d int32) int {
	if a != c {
		return cmp.Compare(a, c)
	}
	return cmp.Compare(b, d)
}

// compareCandidates orders candidates best first.
func compareCandidates(x, y Candidate) int {
	if c := cmp.Compare(y.Millibits, x.Millibits); c != 0 {
		return c
	}
	return cmp.Or(x.Member.Compare(y.Member), x.Other.Compare(y.Other))
}

// compareActors orders the actors of one clustering by their smallest member.
func compareActors(x, y Actor) int {
	return slices.CompareFunc(x.Members, y.Members, evidence.Ref.Compare)
}
