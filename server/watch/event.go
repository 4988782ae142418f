package watch

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Change is what an event is to somebody who hears of links from some tier on.
type Change uint8

// The changes, numbered as on the wire.
const (
	New Change = iota + 1
	Raised
	Lowered // also below the tier from which he hears
	Removed // the link is gone, refuted or erased
	Reviewed
	Held
)

// Event is a change of a link as one watcher is told of it.
type Event struct {
	graph.RowKey
	// ID is the same whenever the same is said of a pair.
	ID     string
	Change Change
	Cause  graph.Cause
	// Link is the link after the change, nil where it is Removed.
	Link *graph.Standing
	// Tier is that of Link with what people said, Previous that of before; 0: there
	// was no link, or nothing is kept of it.
	Tier, Previous link.Tier
	// FirstLinked is the later time at which one of the cases came; zero where it is
	// Removed.
	FirstLinked time.Time
	Commit      time.Time
	Position    graph.EventPosition
}

// logged is an event of the log with what is read of its cases.
type logged struct {
	graph.LinkEvent
	firstLinked time.Time
	// stale says that the pair has no row any more, so that the log tells of its end.
	stale bool
}

// Scope is what a watcher hears of.
type Scope struct {
	Viewer access.Viewer
	// MinTier is the lowest tier of links; at least link.Lead.
	MinTier link.Tier
}

// event returns what an event of the log is to a watcher; ok is false where it is
// nothing.
func (s Scope) event(l *logged) (e Event, ok bool) {
	if !s.Viewer.Links(l.A, l.B) {
		return Event{}, false
	}
	e = Event{
		RowKey: l.RowKey, Cause: l.Cause, Commit: l.Commit, Position: l.Position,
		Link: l.After, FirstLinked: l.firstLinked,
	}
	if l.Before != nil && linker.Shown(l.Before) {
		e.Previous = linker.TierOf(l.Before)
	}
	if e.Change = s.change(&l.LinkEvent); e.Change == 0 {
		return Event{}, false
	}
	if e.Change == Removed {
		e.Link, e.FirstLinked = nil, time.Time{}
	} else if l.stale {
		// What has gone since is not told of any more; that it went, is.
		return Event{}, false
	} else {
		e.Tier = linker.TierOf(e.Link)
	}
	e.ID = eventID(&e, l)
	return e, true
}

// change says what an event is from a tier on, 0 if nothing.
func (s Scope) change(l *graph.LinkEvent) Change {
	if l.Cause == graph.CauseErased {
		return Removed
	}
	was := linker.Shown(l.Before) && linker.TierOf(l.Before) >= s.MinTier
	is := linker.Shown(l.After) && linker.TierOf(l.After) >= s.MinTier
	switch {
	case !was && !is:
		return 0
	case !linker.Shown(l.After):
		return Removed
	case was && !is:
		return Lowered
	case l.After.Held && (!was || !l.Before.Held):
		return Held
	case l.Before != nil && l.Before.Verdict != l.After.Verdict:
		return Reviewed
	case !was || l.Before.Held && !l.After.Held:
		return New
	}
	before, after := linker.TierOf(l.Before), linker.TierOf(l.After)
	switch {
	case after > before, after == before && l.After.Millibits > l.Before.Millibits:
		return Raised
	case after < before, l.After.Millibits < l.Before.Millibits:
		return Lowered
	}
	return 0
}

// eventID is a hash of the pair, the versions, the score, the review and the change.
func eventID(e *Event, l *logged) string {
	score := l.After
	if score == nil {
		score = l.Before
	}
	if score == nil {
		score = &graph.Standing{}
	}
	b := []byte("elsewhere link event\x00")
	for _, part := range []string{l.A.String(), l.B.String(), l.Feeds} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	b = binary.BigEndian.AppendUint32(b, score.ModelVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(score.Millibits))
	b = append(b, byte(score.Verdict), byte(e.Change))
	sum := sha256.Sum256(b)
	return "ev_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15]))
}
