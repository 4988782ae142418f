package badger

import (
	"encoding/binary"
	"iter"
	"slices"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// A history is the events under one founder, in the order in which they were kept. How
// many there are stands beside it, so that the oldest can go without a count of all.

func encodeEvent(e *graph.ActorEvent) []byte {
	b := binary.AppendVarint([]byte{byte(e.Change)}, e.Time.UnixMicro())
	b = appendRefs(b, []evidence.Ref{e.From, e.To})
	b = appendRefs(b, e.Members)
	b = binary.AppendUvarint(b, uint64(e.More))
	b = appendString(b, e.Author)
	return appendString(b, e.Text)
}

func decodeEvent(val []byte) (e graph.ActorEvent, err error) {
	d := decoder{s: string(val)}
	e.Change = graph.ActorChange(d.byte())
	e.Time = time.UnixMicro(d.varint()).UTC()
	if ends := d.refs(); len(ends) == 2 {
		e.From, e.To = ends[0], ends[1]
	} else {
		d.fail()
	}
	e.Members = d.refs()
	e.More = d.uint32()
	e.Author, e.Text = d.str(), d.str()
	return e, d.done("event of an actor")
}

// keepEvents adds events to the histories of the actors that they name.
func (c *change) keepEvents(at time.Time, events []graph.ActorEvent) error {
	if len(events) == 0 {
		return nil
	}
	sequence, err := c.next()
	if err != nil {
		return err
	}
	added := make(map[evidence.Ref]uint64)
	for i := range events {
		e := events[i]
		e.Time = at.UTC().Truncate(time.Microsecond)
		if n := len(e.Members); n > graph.MaxEventMembers {
			e.Members, e.More = e.Members[:graph.MaxEventMembers], uint32(n-graph.MaxEventMembers)
		}
		val := encodeEvent(&e)
		ends := []evidence.Ref{e.From, e.To}
		for _, end := range slices.Compact(ends) {
			if end == (evidence.Ref{}) {
				continue
			}
			c.set(appendPlace(eventPrefix(end), sequence, uint32(i)), val)
			added[end]++
		}
	}
	for founder, n := range added {
		if err := c.boundHistory(founder, n); err != nil {
			return err
		}
	}
	return nil
}

// historySize says how many events a history has and how many it had before.
type historySize struct{ Kept, Dropped uint64 }

func (h historySize) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, h.Kept), h.Dropped)
}

func decodeHistorySize(val []byte) (h historySize, err error) {
	d := decoder{s: string(val)}
	h.Kept, h.Dropped = d.uvarint(), d.uvarint()
	return h, d.done("size of a history")
}

// trimTogether is by how many events a history outgrows its bound before the oldest go.
const trimTogether = 64

// boundHistory counts events that the change has added to a history, and lets the
// oldest go where that makes it too long.
func (c *change) boundHistory(founder evidence.Ref, added uint64) error {
	key := historyKey(founder)
	val, err := c.get(key)
	if err != nil {
		return err
	}
	var size historySize
	if val != nil {
		if size, err = decodeHistorySize(val); err != nil {
			return err
		}
	} else if size.Kept, err = c.countEvents(founder); err != nil {
		return err
	}
	size.Kept += added
	if size.Kept >= graph.MaxActorEvents+trimTogether {
		gone, err := c.dropEvents(founder, size.Kept-graph.MaxActorEvents)
		if err != nil {
			return err
		}
		size.Kept -= gone
		size.Dropped += gone
	}
	c.set(key, size.encode())
	return nil
}

// countEvents counts the committed events of a history whose size is not known: it was
// kept by an older program, or is new.
func (c *change) countEvents(founder evidence.Ref) (n uint64, err error) {
	if !c.scans {
		return 0, errScans
	}
	it := c.base.iterate(eventPrefix(founder))
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		n++
	}
	return n, nil
}

// dropEvents removes the oldest committed events of a history and returns how many.
func (c *change) dropEvents(founder evidence.Ref, most uint64) (gone uint64, err error) {
	if !c.scans {
		return 0, errScans
	}
	it := c.base.iterate(eventPrefix(founder))
	defer it.Close()
	for it.Rewind(); it.Valid() && gone < most; it.Next() {
		key := it.Item().KeyCopy(nil)
		// Read before it is removed, see longValue.
		if _, err := c.get(key); err != nil {
			return 0, err
		}
		c.remove(key)
		gone++
	}
	return gone, nil
}

func (s *snapshot) ActorEvents(founder evidence.Ref, upTo graph.EventPlace) iter.Seq2[graph.ActorEvent, error] {
	return func(yield func(graph.ActorEvent, error) bool) {
		if s.over {
			yield(graph.ActorEvent{}, errOver)
			return
		}
		prefix := eventPrefix(founder)
		it, done := s.keep(s.txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix, Reverse: true}))
		defer done()
		last := slices.Concat(prefix, []byte(upTo))
		if upTo == "" {
			last = append(last, lastPlace...)
		}
		for it.Seek(last); it.ValidForPrefix(prefix); it.Next() {
			place := graph.EventPlace(it.Item().Key()[len(prefix):])
			e, err := graph.ActorEvent{}, s.ctx.Err()
			if err == nil {
				err = s.value(it, func(val []byte) (err error) {
					e, err = decodeEvent(val)
					return err
				})
			}
			e.Place = place
			if !yield(e, err) || err != nil {
				return
			}
			if s.over {
				yield(graph.ActorEvent{}, errOver)
				return
			}
		}
	}
}

// lastPlace is not before the place of any event.
const lastPlace = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

func (s *snapshot) ActorEventsDropped(founder evidence.Ref) (uint64, error) {
	var size historySize
	_, err := s.get(historyKey(founder), func(val []byte) (err error) {
		size, err = decodeHistorySize(val)
		return err
	})
	return size.Dropped, err
}
