package graph

import (
	"context"
	"iter"
	"time"
)

// Standing is what a row says of its pair, as far as it is told to who watches.
type Standing struct {
	Score
	Verdict Verdict
	Held    bool
}

// Standing returns what watchers are told of a row, nil of none.
func (r *Row) Standing() *Standing {
	if r == nil {
		return nil
	}
	return &Standing{r.Score, r.Verdict, r.Held}
}

// Cause is why a row is not as it was.
type Cause uint8

// The causes, numbered as on the wire.
const (
	// CauseEvidence: a case came, changed or went, or more became known of a value.
	CauseEvidence Cause = iota + 1
	CauseCorpus         // N doubled or halved
	CauseModel          // another version of the model
	CauseFeeds          // other data about what values are
	CauseReview         // somebody confirmed or refuted the pair, or took that back
	CauseAlarm          // an alarm holds the link, or no longer does
	CauseErased         // a tenant was erased; nothing else is kept of the event
)

// LinkEvent is one change of a row that watchers may have to be told of.
type LinkEvent struct {
	RowKey
	// Before and After are the row around the change, nil where there was none.
	// Both are nil where the event is CauseErased.
	Before, After *Standing
	Cause         Cause
	// Feeds is the version of the data that classes came from at the change.
	Feeds string
	// Commit is when the change was stored, to the microsecond. It never goes back,
	// even if the clock does.
	Commit   time.Time
	Position EventPosition
}

// EventPosition is a place in the log of events; "" is the beginning. Positions
// compare as strings. Of a pair, later events have greater ones; and an event that
// a snapshot does not hold yet will have a greater one than all that it holds. They
// tell nothing else.
type EventPosition string

// Events is the log of the changes of rows. An event is written in the change that
// makes it, so that none is lost and none doubled, whatever crashes.
type Events interface {
	// Logged returns a channel that receives after events were logged; it holds at
	// most one signal.
	Logged() <-chan struct{}
	// CutEvents removes the events before a time, in as many changes as it takes.
	CutEvents(ctx context.Context, before time.Time) error
	// EraseEvents removes what the log holds of the pairs with an end in a tenant.
	// With tombstones each pair keeps one event, CauseErased, logged anew, so that
	// who watches learns that the link is gone. It may be called again after an
	// error. Rows of the tenant have to be gone before.
	EraseEvents(ctx context.Context, tenant string, tombstones bool) error
}

// EventReader is the part of a Snapshot that reads the log.
type EventReader interface {
	// Events yields the events after a position.
	Events(after EventPosition) iter.Seq2[LinkEvent, error]
	// EventsAt returns the position before the first event of a time or later.
	EventsAt(t time.Time) EventPosition
	// LastEvent returns the position of the last event that was ever logged.
	LastEvent() (EventPosition, error)
	// HasRow reports whether a pair has a row.
	HasRow(RowKey) (bool, error)
}

// Tell says whether watchers have to hear that a row is not as it was, and why it
// is not. It is called while the row is stored, so it has to be quick and must not
// call the store. A row that was not there or is no longer is nil.
type Tell func(before, after *Row) (Cause, bool)
