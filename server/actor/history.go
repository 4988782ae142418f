package actor

import (
	"cmp"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Change is what became of an actor.
type Change uint8

// The changes of an actor. Which actor of a clustering goes on as which of the
// next is told by the largest number of cases in common; of equal ones those with
// the same founder are taken first, then those with the smallest cases.
const (
	// Created: To is an actor that none goes on as. Members are all its cases.
	Created Change = iota + 1
	// Joined: Members, in no actor before, are now in To.
	Joined
	// Merged: From is no more, and To has most of its cases, Members.
	Merged
	// Split: Members have left From, to To or, if that is zero, to no actor.
	Split
	// Renamed: From goes on as To; another founder gives it another id.
	Renamed
)

// Event is one change. Actors are named by their founders, from which their ids
// follow: From by the founder before, To by the founder after. One founder may
// name two actors, one before and another after.
type Event struct {
	Change   Change
	From, To evidence.Ref   // zero where there is none
	Members  []evidence.Ref // sorted; none of a Renamed
}

// Diff returns what changed between two clusterings, in a fixed order. It cannot
// tell a case that left its actor from one that was deleted.
func Diff(before, after []Actor) []Event {
	d := newDiff(before, after)
	var out []Event
	for y := range after {
		if d.source[y] < 0 {
			out = append(out, Event{Change: Created, To: after[y].Founder, Members: slices.Clone(after[y].Members)})
		}
	}
	for x := range before {
		from := &before[x]
		y := d.target[x]
		if y >= 0 && after[y].Founder != from.Founder {
			out = append(out, Event{Change: Renamed, From: from.Founder, To: after[y].Founder})
		}
		for _, part := range parts(from.Members, d.homeAfter) {
			switch {
			case part.home < 0:
				out = append(out, Event{Change: Split, From: from.Founder, Members: part.members})
			case part.home == y:
			case y < 0 && part.home == d.heir[x]:
				out = append(out, Event{Change: Merged, From: from.Founder, To: after[part.home].Founder, Members: part.members})
			default:
				out = append(out, Event{Change: Split, From: from.Founder, To: after[part.home].Founder, Members: part.members})
			}
		}
	}
	for y := range after {
		if d.source[y] < 0 {
			continue
		}
		for _, part := range parts(after[y].Members, d.homeBefore) {
			if part.home < 0 {
				out = append(out, Event{Change: Joined, To: after[y].Founder, Members: part.members})
			}
		}
	}
	slices.SortFunc(out, compareEvents)
	return out
}

func compareEvents(x, y Event) int {
	return cmp.Or(
		cmp.Compare(x.Change, y.Change), x.From.Compare(y.From), x.To.Compare(y.To),
		slices.CompareFunc(x.Members, y.Members, evidence.Ref.Compare),
	)
}

// diff says which actors go on as which.
type diff struct {
	homeBefore, homeAfter map[evidence.Ref]int
	target                []int // of an actor before: the one it goes on as, or -1
	source                []int // of an actor after: the one that it was, or -1
	heir                  []int // of an actor before: the one with most of its cases, or -1
}

// overlap is the number of cases that an actor before and one after share.
type overlap struct {
	x, y, cases int
	sameFounder bool
}

func newDiff(before, after []Actor) *diff {
	d := &diff{homeBefore: homes(before), homeAfter: homes(after)}
	d.target, d.heir, d.source = nobody(len(before)), nobody(len(before)), nobody(len(after))
	for _, o := range d.overlaps(before, after) {
		if d.heir[o.x] < 0 {
			d.heir[o.x] = o.y
		}
		if d.target[o.x] < 0 && d.source[o.y] < 0 {
			d.target[o.x], d.source[o.y] = o.y, o.x
		}
	}
	return d
}

// overlaps returns all there are, the largest first.
func (d *diff) overlaps(before, after []Actor) []overlap {
	var out []overlap
	for x := range before {
		for _, part := range parts(before[x].Members, d.homeAfter) {
			if y := part.home; y >= 0 {
				out = append(out, overlap{x, y, len(part.members), before[x].Founder == after[y].Founder})
			}
		}
	}
	slices.SortFunc(out, func(o, p overlap) int {
		if c := cmp.Compare(p.cases, o.cases); c != 0 {
			return c
		}
		if o.sameFounder != p.sameFounder {
			if o.sameFounder {
				return -1
			}
			return 1
		}
		return cmp.Or(compareActors(before[o.x], before[p.x]), compareActors(after[o.y], after[p.y]))
	})
	return out
}

func nobody(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = -1
	}
	return out
}

func homes(actors []Actor) map[evidence.Ref]int {
	out := map[evidence.Ref]int{}
	for i := range actors {
		for _, m := range actors[i].Members {
			out[m] = i
		}
	}
	return out
}

// share is the part of an actor that is in one actor of another clustering.
type share struct {
	home    int // -1 for none
	members []evidence.Ref
}

// parts divides cases, which are sorted, by their homes.
func parts(members []evidence.Ref, homes map[evidence.Ref]int) []share {
	var out []share
	at := map[int]int{}
	for _, m := range members {
		home, ok := homes[m]
		if !ok {
			home = -1
		}
		i, ok := at[home]
		if !ok {
			i = len(out)
			at[home] = i
			out = append(out, share{home: home})
		}
		out[i].members = append(out[i].members, m)
	}
	return out
}
