package badger

import (
	"context"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// maxTouched is the number of entries in one record of the list.
const maxTouched = 256

// touch lists something as to be looked at, once for each change.
func (c *change) touch(t graph.Touched) {
	if c.touched == nil {
		c.touched = make(map[graph.Touched]bool)
	}
	c.touched[t] = true
	c.tell = true
}

// writeTouched stores the list of a request that has been applied.
func (c *change) writeTouched() error {
	if len(c.touched) == 0 {
		return nil
	}
	sequence, err := c.next()
	if err != nil {
		return err
	}
	part, n := uint32(0), 0
	var b []byte
	flush := func() {
		c.set(touchedKey(graph.TouchMark{Sequence: sequence, Part: part}), b)
		part++
		b, n = nil, 0
	}
	for t := range c.touched {
		for _, ref := range [...]evidence.Ref{t.A, t.B} {
			b = appendString(b, ref.Tenant)
			b = appendString(b, ref.Case)
		}
		if n++; n == maxTouched {
			flush()
		}
	}
	if n > 0 {
		flush()
	}
	c.touched = nil
	return nil
}

func decodeTouched(val []byte) (all []graph.Touched, err error) {
	d := decoder{s: string(val)}
	for d.s != "" && len(all) <= maxTouched {
		var t graph.Touched
		t.A = evidence.Ref{Tenant: d.str(), Case: d.str()}
		t.B = evidence.Ref{Tenant: d.str(), Case: d.str()}
		all = append(all, t)
	}
	return all, d.done("list of what was touched")
}

// Touched implements graph.Grouper.
func (s *Store) Touched(ctx context.Context, limit int) (all []graph.Touched, marks []graph.TouchMark, err error) {
	err = s.listed(ctx, func(m graph.TouchMark, part []graph.Touched) (more bool) {
		all, marks = append(all, part...), append(marks, m)
		return len(all) < limit
	})
	return all, marks, err
}

// Listed implements graph.Grouper.
func (s *Store) Listed(ctx context.Context, most int) (l graph.Listing, err error) {
	err = s.listed(ctx, func(m graph.TouchMark, part []graph.Touched) (more bool) {
		l.Marks = append(l.Marks, m)
		l.Entries += len(part)
		for _, t := range part {
			if t.B != (evidence.Ref{}) {
				l.Pairs = append(l.Pairs, graph.RowKey(t))
			}
		}
		return l.Entries < most
	})
	slices.SortFunc(l.Pairs, graph.RowKey.Compare)
	l.Pairs = slices.Compact(l.Pairs)
	return l, err
}

// listed calls f with the parts of the list, oldest first, as long as f wants more.
func (s *Store) listed(ctx context.Context, f func(graph.TouchMark, []graph.Touched) (more bool)) error {
	return s.read(ctx, func(sn *snapshot) error {
		// What a larger number is given to later is not read yet.
		var upTo uint64
		if _, err := sn.get([]byte(keySequence), func(val []byte) (err error) {
			upTo, err = number(val)
			return err
		}); err != nil {
			return err
		}
		prefix := []byte{spaceMember, besideTouched}
		start := touchedKey(graph.TouchMark{Sequence: s.touchedFrom.Load()})
		first := true
		for it, err := range sn.from(prefix, start) {
			if err != nil {
				return err
			}
			m, ok := parseTouchedKey(it.Item().Key())
			if !ok {
				return unreadable("list of what was touched")
			}
			if first {
				// Records before the first are gone for good; see listings.
				s.touchedFrom.Store(m.Sequence)
			}
			first = false
			var part []graph.Touched
			err := sn.value(it, func(val []byte) (err error) {
				part, err = decodeTouched(val)
				return err
			})
			if err != nil {
				return err
			}
			if !f(m, part) {
				return nil
			}
		}
		if first {
			s.touchedFrom.Store(upTo)
		}
		return nil
	})
}

func encodeRegrouping(r graph.Regrouping) []byte {
	b := []byte{0}
	if r.Pending {
		b[0] |= 1
	}
	if r.Actors {
		b[0] |= 2
	}
	b = appendString(b, r.After.Tenant)
	b = appendString(b, r.After.Case)
	if r.Reviews {
		b[0] |= 4
		b = appendString(b, r.Other.Tenant)
		b = appendString(b, r.Other.Case)
	}
	return b
}

func decodeRegrouping(val []byte) (graph.Regrouping, error) {
	d := decoder{s: string(val)}
	bits := d.byte()
	r := graph.Regrouping{Pending: bits&1 != 0, Actors: bits&2 != 0, Reviews: bits&4 != 0}
	r.After = evidence.Ref{Tenant: d.str(), Case: d.str()}
	if r.Reviews {
		r.Other = d.ref()
	}
	if bits > 7 {
		d.fail()
	}
	return r, d.done("progress of a look at every case")
}

// Regrouping implements graph.Grouper.
func (s *Store) Regrouping(ctx context.Context) (r graph.Regrouping, err error) {
	err = s.read(ctx, func(sn *snapshot) error {
		_, err := sn.get([]byte(keyRegroup), func(val []byte) (err error) {
			r, err = decodeRegrouping(val)
			return err
		})
		return err
	})
	return r, err
}

// StartRegrouping implements graph.Grouper.
func (s *Store) StartRegrouping(ctx context.Context) error {
	return s.write(ctx, false, func(_ *writer, c *change) error {
		c.startRegrouping()
		return nil
	})
}

func (c *change) startRegrouping() {
	c.set([]byte(keyRegroup), encodeRegrouping(graph.Regrouping{Pending: true}))
	c.tell = true
}

// regroup applies what a change of the linker says of actors.
func (w *writer) regroup(c *change, g *graph.Grouping) error {
	for _, founder := range g.Gone {
		if err := c.removeActor(founder); err != nil {
			return err
		}
	}
	for i := range g.Actors {
		if err := c.putActor(&g.Actors[i]); err != nil {
			return err
		}
	}
	if err := c.keepEvents(w.now(), g.Events); err != nil {
		return err
	}
	for ref, f := range g.Fanouts {
		if err := c.setFanout(ref, f); err != nil {
			return err
		}
	}
	for _, t := range g.Touch {
		c.touch(t)
	}
	for _, m := range g.Looked {
		c.remove(touchedKey(m))
	}
	if g.Regrouping != nil {
		if !g.Regrouping.Pending {
			c.remove([]byte(keyRegroup))
		} else {
			c.set([]byte(keyRegroup), encodeRegrouping(*g.Regrouping))
		}
	}
	return nil
}
