package badger

import (
	"context"
	"iter"
	"slices"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Dirty implements graph.Queue. The marks come in the order in which their
// values were first marked.
func (s *Store) Dirty(ctx context.Context, limit int) ([]graph.Mark, error) {
	var marks []graph.Mark
	if limit <= 0 {
		return nil, ctx.Err()
	}
	err := s.read(ctx, func(sn *snapshot) error {
		for it, err := range s.listings(sn) {
			if err != nil {
				return err
			}
			var l listing
			err := sn.value(it, func(val []byte) (err error) {
				l, err = decodeListing(val)
				return err
			})
			if err != nil {
				return err
			}
			for _, key := range l.values[:min(len(l.values), limit-len(marks))] {
				v, r, err := sn.known([]byte(key))
				if err != nil {
					return err
				}
				if r.mark != nil {
					marks = append(marks, graph.Mark{
						Value: v, Expand: r.mark.expand != 0, Tenants: r.mark.tenants, Version: r.mark.version, Again: r.mark.again,
					})
				}
			}
			if len(marks) == limit {
				return nil
			}
		}
		return nil
	})
	return marks, err
}

// listings iterates over the queue records. Records before the first one are
// gone for good, since sequences grow, but Badger has to step over what is left
// of them; the next call starts behind.
func (s *Store) listings(sn *snapshot) iter.Seq2[*dgraph.Iterator, error] {
	return func(yield func(*dgraph.Iterator, error) bool) {
		empty := true
		for it, err := range sn.from([]byte{spaceQueue}, queueKey(s.queued.Load(), 0)) {
			if empty && err == nil {
				if sequence, _, ok := parseQueueKey(it.Item().Key()); ok {
					s.queued.Store(sequence)
				}
			}
			empty = false
			if !yield(it, err) {
				return
			}
		}
		if !empty {
			return
		}
		// Nothing is queued: what comes next has a larger sequence than any so far.
		_, err := sn.get([]byte(keySequence), func(val []byte) error {
			n, err := number(val)
			if err == nil {
				s.queued.Store(n)
			}
			return err
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// Changed implements graph.Queue.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Backlog implements graph.Queue.
func (s *Store) Backlog(ctx context.Context, limit int) (n int, oldest time.Time, err error) {
	err = s.read(ctx, func(sn *snapshot) error {
		for it, err := range s.listings(sn) {
			if err != nil {
				return err
			}
			err := sn.value(it, func(val []byte) error {
				left, k, err := countListing(val)
				if oldest.IsZero() {
					oldest = left
				}
				n += k
				return err
			})
			if err != nil || n >= limit {
				return err
			}
		}
		return nil
	})
	return min(n, limit), oldest, err
}

// Relink implements graph.Queue. It is one change, however large.
func (s *Store) Relink(ctx context.Context, b graph.RelinkBatch) error {
	return s.write(ctx, true, func(w *writer, c *change) error {
		t := &telling{tell: b.Tell, feeds: b.Feeds}
		for _, key := range b.Remove {
			if err := c.removeRow(key, t); err != nil {
				return err
			}
		}
		for _, r := range b.Put {
			if err := c.putRow(r, t); err != nil {
				return err
			}
		}
		if err := w.logEvents(c, t.events); err != nil {
			return err
		}
		if err := c.settle(b.Done); err != nil {
			return err
		}
		if err := w.refresh(c, b.Done); err != nil {
			return err
		}
		if err := w.regroup(c, &b.Grouping); err != nil {
			return err
		}
		if b.Sweep == nil {
			return nil
		}
		sw, err := c.sweep()
		if err != nil || sw.Version != b.Sweep.Version {
			return err
		}
		sw.Sweep = *b.Sweep
		if !sw.Pending {
			c.remove([]byte(keySweepWhy))
		}
		c.set([]byte(keySweep), sw.encode())
		return nil
	})
}

// maxRefreshed bounds the sightings that one Relink reads to complete records.
// What is left incomplete is answered from the sightings.
const maxRefreshed = 200_000

// refresh completes what removals have shortened in the records of values that
// the linker is done with.
func (w *writer) refresh(c *change, done []graph.Mark) error {
	left := maxRefreshed
	for _, m := range done {
		n := newNode(m.Value)
		r, err := c.record(n)
		if err != nil {
			return err
		}
		if r.exactFirst() && (r.exactNewest() || r.crowded()) || int(r.cases) > left {
			continue
		}
		left -= int(r.cases)
		if err := w.base.complete(&r, n.key); err != nil {
			return err
		}
		c.setRecord(n, &r)
	}
	return nil
}

// expandBatch is how many values one change of Expand marks.
const expandBatch = 4096

// Expand implements graph.Queue. The cases that matter are those that were on
// the value when its spread changed last. Cases that have come since have marked
// all their values themselves.
func (s *Store) Expand(ctx context.Context, m graph.Mark) error {
	n := newNode(m.Value)
	var since uint64
	values := map[string]node{}
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		// The writer may still be at it when ctx ends here.
		batch := values
		values = map[string]node{}
		return s.write(ctx, false, func(w *writer, c *change) error {
			for _, v := range batch {
				if err := w.leaveAgain(c, v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := s.read(ctx, func(sn *snapshot) error {
		r, _, err := sn.record(n.key)
		if err != nil || r.mark == nil || r.mark.expand == 0 {
			return err
		}
		since = r.mark.expand
		fewest := uint32(3)
		if r.mark.touched {
			fewest = 2
		}
		for ref, err := range sn.casesBefore(n.key, since) {
			if err != nil {
				return err
			}
			p, err := sn.Profile(ref)
			if err != nil {
				return err
			}
			for _, other := range p.Sightings {
				if other.Value == m.Value {
					continue
				}
				v := newNode(other.Value)
				if tenants, _, err := sn.Spread(other.Value); err != nil {
					return err
				} else if tenants < fewest {
					continue
				}
				values[string(v.key)] = v
				if len(values) == expandBatch {
					if err := flush(); err != nil {
						return err
					}
				}
			}
		}
		return flush()
	})
	if err != nil || since == 0 {
		return err
	}
	return s.write(ctx, false, func(_ *writer, c *change) error {
		r, err := c.record(n)
		// The power may have changed again.
		if err != nil || r.mark == nil || r.mark.expand != since {
			return err
		}
		r.mark.expand, r.mark.touched = 0, false
		c.setRecord(n, &r)
		return nil
	})
}

// leaveAgain leaves a plain mark on a value, unless no live case holds it any
// more: then the change that took it away has left one.
func (w *writer) leaveAgain(c *change, n node) error {
	r, err := c.record(n)
	if err != nil || r.cases == 0 {
		return err
	}
	if err := w.leave(c, n, &r, r.tenants); err != nil {
		return err
	}
	c.setRecord(n, &r)
	return nil
}

// Touch implements graph.Queue.
func (s *Store) Touch(ctx context.Context, values []evidence.Value) error {
	values = slices.Clone(values)
	return s.write(ctx, false, func(w *writer, c *change) error {
		for _, v := range values {
			n := newNode(v)
			r, err := c.record(n)
			if err != nil {
				return err
			}
			if r.cases == 0 {
				continue
			}
			if err := w.leave(c, n, &r, r.tenants); err != nil {
				return err
			}
			// The spread says nothing about what is to be done.
			r.mark.again, r.mark.touched = true, true
			r.mark.expand = r.mark.version
			c.setRecord(n, &r)
		}
		return nil
	})
}

// Sweep implements graph.Queue.
func (s *Store) Sweep(ctx context.Context) (graph.Sweep, error) {
	var sw sweep
	err := s.read(ctx, func(sn *snapshot) error {
		_, err := sn.get([]byte(keySweep), func(val []byte) (err error) {
			sw, err = decodeSweep(val)
			return err
		})
		if err != nil {
			return err
		}
		_, err = sn.get([]byte(keySweepWhy), func(val []byte) error {
			why, err := decodeSweepWhy(val)
			sw.Corpus, sw.From = why.corpus, why.from
			return err
		})
		return err
	})
	return sw.Sweep, err
}

// StartSweep implements graph.Queue.
func (s *Store) StartSweep(ctx context.Context, basis string, force bool) error {
	return s.write(ctx, false, func(_ *writer, c *change) error {
		sw, err := c.sweep()
		if err != nil || sw.basis == basis && !force {
			return err
		}
		return c.restartSweep(&basis)
	})
}
