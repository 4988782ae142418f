package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// errScans is returned inside a change that has to look for what a case was reviewed
// with: it is asked for again, then with all changes before it committed.
var errScans = errors.New("the change has to read what was committed")

// maxSaid is how many entries the history of a pair keeps, the latest.
const maxSaid = 1_000

func encodeReview(r graph.Review) []byte { return appendReview(nil, r) }

func appendReview(b []byte, r graph.Review) []byte {
	b = append(b, byte(r.Verdict))
	b = binary.AppendVarint(b, r.Time.UnixMicro())
	b = appendString(b, r.Author)
	return appendString(b, r.Reason)
}

func (d *decoder) review(key graph.RowKey) graph.Review {
	r := graph.Review{RowKey: key, Verdict: graph.Verdict(d.byte())}
	r.Time = time.UnixMicro(d.varint()).UTC()
	r.Author, r.Reason = d.str(), d.str()
	if r.Verdict > graph.Refuted {
		d.fail()
	}
	return r
}

func decodeReview(key graph.RowKey, val []byte) (graph.Review, error) {
	d := decoder{s: string(val)}
	r := d.review(key)
	return r, d.done("review")
}

func encodeSaid(all []graph.Review) []byte {
	b := binary.AppendUvarint(nil, uint64(len(all)))
	for _, r := range all {
		b = appendReview(b, r)
	}
	return b
}

func decodeSaid(key graph.RowKey, val []byte) ([]graph.Review, error) {
	d := decoder{s: string(val)}
	n := d.count()
	all := make([]graph.Review, 0, min(n, maxAhead))
	for range n {
		all = append(all, d.review(key))
		if d.bad {
			break
		}
	}
	return all, d.done("history of reviews")
}

// Judge implements graph.Reviewer.
func (s *Store) Judge(ctx context.Context, r graph.Review) error {
	if r.A.Compare(r.B) >= 0 || r.Verdict > graph.Refuted {
		return graph.ErrOnePair
	}
	if err := s.room.admit(ctx); err != nil {
		return err
	}
	return s.write(ctx, false, func(_ *writer, c *change) error { return c.review(r) })
}

func (c *change) review(r graph.Review) error {
	for _, ref := range [...]evidence.Ref{r.A, r.B} {
		m, err := c.meta(ref)
		if err != nil {
			return err
		}
		if m.Revision == 0 {
			return graph.ErrNotFound
		}
	}
	key, back := pairKey(spaceReview, r.A, r.B), pairKey(spaceReview, r.B, r.A)
	before, err := c.get(key)
	if err != nil {
		return err
	}
	if r.Verdict == graph.Unreviewed {
		if before == nil {
			return nil
		}
		c.remove(key)
		c.remove(back)
	} else {
		c.set(key, encodeReview(r))
		c.set(back, present)
	}
	c.touchPair(r.RowKey)
	return c.say(r)
}

// say adds a review to the history of its pair.
func (c *change) say(r graph.Review) error {
	key := pairKey(spaceSaid, r.A, r.B)
	val, err := c.get(key)
	if err != nil {
		return err
	}
	var all []graph.Review
	if val != nil {
		if all, err = decodeSaid(r.RowKey, val); err != nil {
			return err
		}
	} else {
		for _, ref := range [...]evidence.Ref{r.A, r.B} {
			if err := c.countSaid(ref, 1); err != nil {
				return err
			}
		}
		c.set(pairKey(spaceSaid, r.B, r.A), present)
	}
	all = append(all, r)
	c.set(key, encodeSaid(all[max(0, len(all)-maxSaid):]))
	return nil
}

// countSaid changes the number of pairs of a case that something was said of.
func (c *change) countSaid(ref evidence.Ref, by int) error {
	key := string(refKey(spaceSaid, ref))
	n, err := c.number(key)
	if err != nil {
		return err
	}
	if n += uint64(by); n == 0 {
		c.remove([]byte(key))
	} else {
		c.setNumber(key, n)
	}
	return nil
}

// saidOf returns the pairs of a case that something was said of. Most cases have
// none, which costs one look.
func (c *change) saidOf(ref evidence.Ref) ([]graph.RowKey, error) {
	n, err := c.number(string(refKey(spaceSaid, ref)))
	if err != nil || n == 0 {
		return nil, err
	}
	if !c.scans {
		return nil, errScans
	}
	var pairs []graph.RowKey
	prefix := pairsOf(spaceSaid, ref)
	it := c.base.iterate(prefix)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		here, there, ok := parsePair(it.Item().Key()[1:])
		if !ok || here != ref {
			return nil, unreadable("history of reviews")
		}
		pairs = append(pairs, graph.Pair(here, there))
	}
	return pairs, nil
}

// touchReviewed lists what was said of a changed case as to be looked at.
func (c *change) touchReviewed(ref evidence.Ref) error {
	pairs, err := c.saidOf(ref)
	for _, p := range pairs {
		c.touchPair(p)
	}
	return err
}

// touchPair lists a pair and its cases: what people say of a pair may bring cases
// together that no row connects.
func (c *change) touchPair(p graph.RowKey) {
	c.touch(graph.Touched(p))
	c.touch(graph.Touched{A: p.A})
	c.touch(graph.Touched{A: p.B})
}

// forget removes all that people said of a case that goes.
func (c *change) forget(ref evidence.Ref) error {
	pairs, err := c.saidOf(ref)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		for _, end := range [...][2]evidence.Ref{{p.A, p.B}, {p.B, p.A}} {
			said, review := pairKey(spaceSaid, end[0], end[1]), pairKey(spaceReview, end[0], end[1])
			// Read before it is removed, see longValue.
			if _, err := c.get(said); err != nil {
				return err
			}
			c.remove(said)
			c.remove(review)
			if err := c.countSaid(end[0], -1); err != nil {
				return err
			}
		}
		c.touchPair(p)
	}
	anchor := refKey(spaceAnchor, ref)
	if val, err := c.get(anchor); err != nil || val == nil {
		return err
	}
	c.remove(anchor)
	return nil
}

func (s *snapshot) Review(key graph.RowKey) (r graph.Review, err error) {
	r.RowKey = key
	_, err = s.get(pairKey(spaceReview, key.A, key.B), func(val []byte) (err error) {
		r, err = decodeReview(key, val)
		return err
	})
	return r, err
}

func (s *snapshot) ReviewsOf(ref evidence.Ref) iter.Seq2[graph.Review, error] {
	prefix := pairsOf(spaceReview, ref)
	return s.reviews(prefix, prefix, false)
}

func (s *snapshot) ReviewsAfter(after graph.RowKey) iter.Seq2[graph.Review, error] {
	prefix := []byte{spaceReview}
	start := prefix
	if after != (graph.RowKey{}) {
		start = append(pairKey(spaceReview, after.A, after.B), 0)
	}
	return s.reviews(prefix, start, true)
}

// reviews yields those under a prefix, at the smaller end only if once.
func (s *snapshot) reviews(prefix, start []byte, once bool) iter.Seq2[graph.Review, error] {
	return func(yield func(graph.Review, error) bool) {
		for it, err := range s.from(prefix, start) {
			var r graph.Review
			if err == nil {
				here, there, ok := parsePair(it.Item().Key()[1:])
				switch {
				case !ok:
					err = unreadable("review")
				case here.Compare(there) > 0 && once:
					continue
				case here.Compare(there) > 0:
					r, err = s.Review(graph.Pair(here, there))
				default:
					err = s.value(it, func(val []byte) (err error) {
						r, err = decodeReview(graph.RowKey{A: here, B: there}, val)
						return err
					})
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) ReviewHistory(key graph.RowKey) iter.Seq2[graph.Review, error] {
	return func(yield func(graph.Review, error) bool) {
		var all []graph.Review
		_, err := s.get(pairKey(spaceSaid, key.A, key.B), func(val []byte) error {
			if bytes.Equal(val, present) {
				return unreadable("history of reviews")
			}
			var err error
			all, err = decodeSaid(key, val)
			return err
		})
		if err != nil {
			yield(graph.Review{}, err)
			return
		}
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}
