package badger

import (
	"encoding/binary"
	"iter"
	"math"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// dayMark is the first request of the last UTC day on which something changed.
type dayMark struct{ day, first uint64 }

// dayOf numbers the UTC day of a time.
func dayOf(t time.Time) uint64 { return seconds(t) / (24 * 60 * 60) }

func (m dayMark) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, m.day), m.first)
}

func decodeDayMark(val []byte) (m dayMark, err error) {
	d := decoder{s: string(val)}
	m.day, m.first = d.uvarint(), d.uvarint()
	return m, d.done("day")
}

// markDay notes that a request is the first of its day. A clock that was set back
// begins no day: what is written then belongs to the later one.
func (w *writer) markDay(c *change) error {
	today := dayOf(w.now())
	if c.sequence == 0 || today <= w.day {
		return nil
	}
	val, err := c.get([]byte(keyDay))
	if err != nil {
		return err
	}
	var m dayMark
	if val != nil {
		if m, err = decodeDayMark(val); err != nil {
			return err
		}
	}
	if today > m.day {
		c.put(keyDay, write{val: dayMark{today, c.sequence}.encode()})
		return nil
	}
	// Remembered only once it is there for sure: this request may be undone.
	w.day = m.day
	return nil
}

// before returns the first request whose changes are not of a time before a day; none
// has so high a number where all are.
func (s *snapshot) before(day time.Time) (first uint64, err error) {
	if s.day == nil {
		var m dayMark
		_, err := s.get([]byte(keyDay), func(val []byte) (err error) {
			m, err = decodeDayMark(val)
			return err
		})
		if err != nil {
			return 0, err
		}
		s.day = &m
	}
	if s.day.day >= dayOf(day) {
		return s.day.first, nil
	}
	return math.MaxUint64, nil
}

// SightingsBefore implements graph.Snapshot.
func (s *snapshot) SightingsBefore(v evidence.Value, day time.Time, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	return func(yield func(graph.Sighting, error) bool) {
		first, err := s.before(day)
		if err != nil {
			yield(graph.Sighting{}, err)
			return
		}
		for sighting, err := range s.written(spacePosting, newNode(v).key, after) {
			if err == nil && sighting.by >= first {
				continue
			}
			if !yield(sighting.Sighting, err) || err != nil {
				return
			}
		}
	}
}
