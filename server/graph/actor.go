package graph

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Actor is a cluster of cases, as the linker has stored it.
type Actor struct {
	// Founder names the actor among those of one state.
	Founder   evidence.Ref
	Members   []evidence.Ref // sorted, two at least, the founder among them
	Threshold int32          // millibits, see actor.Actor
	// IDs are, of each member, what the actor is called by who knows that member.
	IDs []string
}

// ActorChange is what became of an actor.
type ActorChange uint8

// The changes of an actor; see the package actor for the first five.
const (
	ActorCreated ActorChange = iota + 1
	ActorJoined
	ActorMerged
	ActorSplit
	ActorRenamed // another founder
	ActorNamed   // a person gave, changed or took away a name or a note
)

// ActorEvent is an entry of an actor's history.
type ActorEvent struct {
	// Place is where it stands among the events of all actors: later ones have a
	// larger place, and an event that is kept under two founders has one. It is
	// opaque, and set by who reads.
	Place  EventPlace
	Change ActorChange
	Time   time.Time // when it was stored, UTC, microseconds
	// From and To are founders, zero where there is none.
	From, To evidence.Ref
	// Members are the cases that it is about, at most MaxEventMembers of them; More
	// counts the others.
	Members []evidence.Ref
	More    uint32
	// Author and Text belong to ActorNamed.
	Author, Text string
}

// EventPlace is a place in the order of all events of actors.
type EventPlace string

// Bounds of histories.
const (
	// MaxEventMembers is how many cases an event names.
	MaxEventMembers = 100
	// MaxActorEvents is how many events are kept under one founder, the newest; some
	// more may be there until the next is kept.
	MaxActorEvents = 10_000
)

// Anchor is what a person calls an actor. It hangs on a case and goes where the case
// goes.
type Anchor struct {
	evidence.Ref
	Name    string
	Aliases []string
	Note    string
	Author  string
	Time    time.Time // UTC, microseconds
}

// ErrAnchorChanged is returned where somebody else has changed a name meanwhile.
var ErrAnchorChanged = errors.New("somebody else has changed the name meanwhile")

// Fanout is how widely a case is linked. The zero value stands for cases that no
// alarm has to know of.
type Fanout struct {
	// Day is the UTC day, since 1970-01-01, on which the content of the case came
	// in, and Made the number of tenants of which older cases are linked with it as
	// probable or better.
	Day  int32
	Made uint32
	// Wide says that whether the cases that it is linked with are linked with each
	// other matters.
	Wide bool
	// Alarm says that the links of the case are held for review.
	Alarm bool
}

// CaseFanout is a case with its Fanout.
type CaseFanout struct {
	evidence.Ref
	Fanout
}

// Network is what groups cases of all link rows, in numbers: 16 bytes a row, and
// about 100 a case.
type Network struct {
	// Cases are those that have rows, in order.
	Cases []evidence.Ref
	// Links are the rows, in order of A, then of B.
	Links []Link
}

// Link is a row of a Network. A and B are places in its Cases, A the smaller one.
type Link struct {
	A, B      int32
	Millibits int32
	Tier      uint8
	Verdict   Verdict
	Held      bool
}

// Tally is a case with the number of its Fanout.
type Tally struct {
	evidence.Ref
	Made uint32
}

// Anchors changes what actors are called. It is safe for concurrent use.
type Anchors interface {
	// Anchor puts a name in the place of what hung on the case before; with no name,
	// alias or note it takes it away. The event is kept under the founder To of the
	// actor; the zero event is none. ErrNotFound if the case is not stored.
	//
	// was is what hung on cases when the change was decided on (Actors.AnchorOf). If
	// something else hangs on one of them now, nothing is changed and the error is
	// ErrAnchorChanged; what hangs on another of them than a.Ref goes. All of it is
	// one change.
	Anchor(ctx context.Context, a Anchor, was []Anchor, e ActorEvent) error
	// ForgetEvents takes the cases of a tenant out of all histories of actors; an
	// event that is about nothing else goes.
	ForgetEvents(ctx context.Context, tenant string) error
}

// Actors is what a snapshot says of actors.
type Actors interface {
	// ActorOf returns the actor of a case, nil if it is in none.
	ActorOf(evidence.Ref) (*Actor, error)
	// ActorCase returns the case that an id stands for; ok is false if there is none.
	ActorCase(id string) (ref evidence.Ref, ok bool, err error)
	// ActorsAfter yields the actors after a founder (the zero Ref: all), in order of
	// founder.
	ActorsAfter(evidence.Ref) iter.Seq2[*Actor, error]
	// ActorEvents yields the history that is kept under a founder, newest first: those
	// up to a place, which itself is one of them, all if it is "".
	ActorEvents(founder evidence.Ref, upTo EventPlace) iter.Seq2[ActorEvent, error]
	// ActorEventsDropped returns how many events under a founder were dropped because
	// newer ones are more than MaxActorEvents.
	ActorEventsDropped(founder evidence.Ref) (uint64, error)
	// AnchorOf returns what hangs on a case; the zero Anchor if nothing does.
	AnchorOf(evidence.Ref) (Anchor, error)
	// FanoutOf returns the stored fan-out of a case.
	FanoutOf(evidence.Ref) (Fanout, error)
	// Fanouts yields the cases with a stored fan-out, in order.
	Fanouts() iter.Seq2[CaseFanout, error]
	// Tallies yields the cases of a tenant of which the content came in on a day and
	// which have Made something, in order of case.
	Tallies(tenant string, day int32) iter.Seq2[Tally, error]
	// RowsOfCase yields the rows of a case, in order of the other end.
	RowsOfCase(evidence.Ref) iter.Seq2[Row, error]
	// Network returns all rows in numbers. It reads them once, in order of their keys.
	Network() (*Network, error)
}

// Touched is an entry in the list of what has to be looked at because something
// other than a value changed: a case that changed, went, or of which a row did, and
// where B is set a pair of which a review did. One thing may be listed often.
type Touched struct{ A, B evidence.Ref }

// TouchMark names a part of the list that was read.
type TouchMark struct {
	Sequence uint64
	Part     uint32
}

// Listing is the list of what has to be looked at, of its cases their number alone.
type Listing struct {
	// Entries counts all of them, Pairs are those that name a pair, in order, each once.
	Entries int
	Pairs   []RowKey
	// Marks are the parts that they are in.
	Marks []TouchMark
}

// Regrouping is the progress of a look at every case that has rows or is in an actor,
// asked for because the store had no actors before, because so much is to be looked at
// that it costs less, or by hand.
type Regrouping struct {
	Pending bool
	// Reviews says that reviewed pairs are listed up to After and Other, Actors that
	// all are, so that the cases are next, all at once.
	Reviews, Actors bool
	After, Other    evidence.Ref
}

// Grouping is the part of a RelinkBatch that is about actors.
type Grouping struct {
	// Gone are founders of actors that are no more, Actors those that came or changed.
	Gone   []evidence.Ref
	Actors []Actor
	Events []ActorEvent // without Time
	// Fanouts replace those of their cases.
	Fanouts map[evidence.Ref]Fanout
	// Touch lists more to look at.
	Touch []Touched
	// Looked are the parts of the list that were carried out.
	Looked []TouchMark
	// Regrouping, when not nil, is the new progress.
	Regrouping *Regrouping
}

// Grouper is the linker's side of the store, as far as it is about actors.
type Grouper interface {
	// Touched returns at most about limit entries of the list, oldest first, and the
	// parts that they are in.
	Touched(ctx context.Context, limit int) ([]Touched, []TouchMark, error)
	// Listed reads the list from its oldest entry on until it has found that many or
	// more.
	Listed(ctx context.Context, most int) (Listing, error)
	// Regrouping returns where the look at every case stands.
	Regrouping(ctx context.Context) (Regrouping, error)
	// StartRegrouping asks for one from the beginning.
	StartRegrouping(ctx context.Context) error
}
