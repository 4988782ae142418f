package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// An event stands under the microsecond of its change, which no two changes have
// in common, and its number within it. So the log is in order of commit, and a time
// is a place in it.

// positionBytes is the length of every position but that of the beginning.
const positionBytes = 12

func eventPosition(stamp uint64, index uint32) graph.EventPosition {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, positionBytes), stamp)
	return graph.EventPosition(binary.BigEndian.AppendUint32(b, index))
}

func eventKey(p graph.EventPosition) []byte { return append([]byte{spaceLog}, p...) }

// stampOf is the microsecond of a time, 0 for those before 1970.
func stampOf(t time.Time) uint64 { return uint64(max(t.UnixMicro(), 0)) }

// stampOfPosition reads the microsecond of a position.
func stampOfPosition(p []byte) (uint64, bool) {
	if len(p) != positionBytes {
		return 0, false
	}
	return binary.BigEndian.Uint64(p), true
}

// Parts of a stored event that may be missing.
const (
	hasBefore = 1 << iota
	hasAfter
	eventParts = hasBefore | hasAfter
)

func encodeLinkEvent(e graph.LinkEvent) []byte {
	parts := byte(0)
	if e.Before != nil {
		parts |= hasBefore
	}
	if e.After != nil {
		parts |= hasAfter
	}
	b := append(make([]byte, 0, 128), parts, byte(e.Cause))
	for _, ref := range []evidence.Ref{e.A, e.B} {
		b = appendString(appendString(b, ref.Tenant), ref.Case)
	}
	b = appendString(b, e.Feeds)
	for _, s := range []*graph.Standing{e.Before, e.After} {
		if s != nil {
			b = appendStanding(b, *s)
		}
	}
	return b
}

func appendStanding(b []byte, s graph.Standing) []byte {
	b = binary.AppendVarint(b, int64(s.Millibits))
	b = binary.AppendUvarint(b, uint64(s.Micros))
	b = append(b, s.Tier)
	b = binary.AppendUvarint(b, uint64(s.SharedCount))
	b = binary.AppendUvarint(b, uint64(s.ModelVersion))
	return append(b, byte(s.Verdict)|heldBit(s.Held))
}

func (d *decoder) standing() *graph.Standing {
	s := &graph.Standing{}
	s.Millibits = int32(d.varint())
	s.Micros = d.uint32()
	s.Tier = d.byte()
	s.SharedCount = d.uint32()
	s.ModelVersion = d.uint32()
	state := d.byte()
	s.Verdict, s.Held = graph.Verdict(state&verdictMask), state&heldMask != 0
	if state > verdictMask|heldMask || s.Verdict > graph.Refuted {
		d.fail()
	}
	return s
}

// decodeLinkEvent reads an event at a position, as a key has it.
func decodeLinkEvent(position, val []byte) (graph.LinkEvent, error) {
	stamp, ok := stampOfPosition(position)
	if !ok {
		return graph.LinkEvent{}, unreadable("event")
	}
	d := decoder{s: string(val)}
	e := graph.LinkEvent{Commit: time.UnixMicro(int64(stamp)).UTC(), Position: graph.EventPosition(position)}
	parts := d.byte()
	if parts > eventParts {
		d.fail()
	}
	e.Cause = graph.Cause(d.byte())
	e.A = evidence.Ref{Tenant: d.str(), Case: d.str()}
	e.B = evidence.Ref{Tenant: d.str(), Case: d.str()}
	e.Feeds = d.str()
	if parts&hasBefore != 0 {
		e.Before = d.standing()
	}
	if parts&hasAfter != 0 {
		e.After = d.standing()
	}
	return e, d.done("event")
}

// telling gathers the events of one change.
type telling struct {
	tell   graph.Tell
	feeds  string
	events []graph.LinkEvent
}

// row takes note of a row that is stored in the place of another; nil is none.
func (t *telling) row(key graph.RowKey, before, after *graph.Row) {
	if t.tell == nil {
		return
	}
	if cause, ok := t.tell(before, after); ok {
		t.events = append(t.events, graph.LinkEvent{
			RowKey: key, Before: before.Standing(), After: after.Standing(), Cause: cause, Feeds: t.feeds,
		})
	}
}

// logEvents appends the events of a change to the log, in order of pairs: which of
// several workers found one first is nobody's business.
func (w *writer) logEvents(c *change, events []graph.LinkEvent) error {
	if len(events) == 0 {
		return nil
	}
	last, err := c.get([]byte(keyEvents))
	if err != nil {
		return err
	}
	stamp := stampOf(w.now())
	if before, ok := stampOfPosition(last); ok {
		stamp = max(stamp, before+1)
	} else if last != nil {
		return unreadable("last event")
	}
	slices.SortStableFunc(events, func(x, y graph.LinkEvent) int { return x.RowKey.Compare(y.RowKey) })
	for i, e := range events {
		c.setNew(eventKey(eventPosition(stamp, uint32(i))), encodeLinkEvent(e))
	}
	c.setNew([]byte(keyEvents), []byte(eventPosition(stamp, uint32(len(events)-1))))
	c.logged = true
	return nil
}

// Logged implements graph.Events.
func (s *Store) Logged() <-chan struct{} { return s.logged }

// eventsTogether is how many events one change removes.
const eventsTogether = 4_096

// CutEvents implements graph.Events.
func (s *Store) CutEvents(ctx context.Context, before time.Time) error {
	end := eventKey(eventPosition(stampOf(before), 0))
	for {
		var keys [][]byte
		err := s.read(ctx, func(sn *snapshot) error {
			for it, err := range sn.from([]byte{spaceLog}, []byte{spaceLog}) {
				if err != nil {
					return err
				}
				key := it.Item().KeyCopy(nil)
				if bytes.Compare(key, end) >= 0 || len(keys) == eventsTogether {
					return nil
				}
				keys = append(keys, key)
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.write(ctx, false, func(_ *writer, c *change) error {
			for _, key := range keys {
				c.remove(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// EraseEvents implements graph.Events. Where it is called again after an error, a
// pair may keep two tombstones.
func (s *Store) EraseEvents(ctx context.Context, tenant string, tombstones bool) error {
	after := graph.EventPosition("")
	for {
		var keys [][]byte
		pairs := make(map[graph.RowKey]bool)
		more := false
		err := s.read(ctx, func(sn *snapshot) error {
			for e, err := range sn.Events(after) {
				if err != nil {
					return err
				}
				if len(keys) == eventsTogether {
					more = true
					return nil
				}
				after = e.Position
				if e.A.Tenant != tenant && e.B.Tenant != tenant || tombstones && e.Cause == graph.CauseErased {
					continue
				}
				keys = append(keys, eventKey(e.Position))
				pairs[e.RowKey] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			err = s.write(ctx, false, func(w *writer, c *change) error {
				for _, key := range keys {
					c.remove(key)
				}
				if !tombstones {
					return nil
				}
				var events []graph.LinkEvent
				for pair := range pairs {
					events = append(events, graph.LinkEvent{RowKey: pair, Cause: graph.CauseErased})
				}
				return w.logEvents(c, events)
			})
		}
		if err != nil || !more {
			return err
		}
	}
}

func (s *snapshot) Events(after graph.EventPosition) iter.Seq2[graph.LinkEvent, error] {
	return func(yield func(graph.LinkEvent, error) bool) {
		start := []byte{spaceLog}
		if after != "" {
			start = append(eventKey(after), 0)
		}
		for it, err := range s.from([]byte{spaceLog}, start) {
			var e graph.LinkEvent
			if err == nil {
				err = s.value(it, func(val []byte) (err error) {
					e, err = decodeLinkEvent(it.Item().Key()[1:], val)
					return err
				})
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) EventsAt(t time.Time) graph.EventPosition {
	return eventPosition(max(stampOf(t), 1)-1, 1<<32-1)
}

func (s *snapshot) LastEvent() (graph.EventPosition, error) {
	last := eventPosition(0, 0)
	_, err := s.get([]byte(keyEvents), func(val []byte) error {
		if len(val) != positionBytes {
			return unreadable("last event")
		}
		last = graph.EventPosition(val)
		return nil
	})
	return last, err
}

func (s *snapshot) HasRow(key graph.RowKey) (bool, error) {
	return s.get(rowKey(key.A, key.B), func([]byte) error { return nil })
}

// sweepWhy is why a sweep was asked for. A store of before has none.
type sweepWhy struct {
	corpus bool
	from   string
}

func (y sweepWhy) encode() []byte {
	b := []byte{0}
	if y.corpus {
		b[0] = 1
	}
	return appendString(b, y.from)
}

func decodeSweepWhy(val []byte) (sweepWhy, error) {
	d := decoder{s: string(val)}
	y := sweepWhy{corpus: d.byte() == 1}
	y.from = d.str()
	return y, d.done("sweep")
}
