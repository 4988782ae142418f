package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// queueLength is how many requests may wait for the writer before a caller
// waits for its place. Each may hold a case of evidence.MaxCaseBytes.
const queueLength = 128

// request is one change that the writer is asked for.
type request struct {
	ctx   context.Context
	apply func(*writer, *change) error
	// scans says that apply iterates over what earlier requests of the group may
	// have changed, so that they have to be committed first.
	scans bool
	done  chan error
}

// requests is the way to the writer. Nothing is sent after close, and what was
// sent before is answered.
type requests struct {
	mu     sync.RWMutex
	closed bool
	ch     chan *request
}

func (q *requests) send(r *request) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return graph.ErrClosed
	}
	select {
	case q.ch <- r:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// close reports whether it was the first.
func (q *requests) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	close(q.ch)
	return true
}

// write has the writer apply a change and waits until it is durable.
func (s *Store) write(ctx context.Context, scans bool, apply func(*writer, *change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{ctx: ctx, apply: apply, scans: scans, done: make(chan error, 1)}
	if err := s.requests.send(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is the one goroutine that changes the store. Requests that wait share
// a group: one Badger transaction, one sync. It reads what the group has
// changed so far on top of the committed state.
type writer struct {
	*Store
	// maxBytes and maxEntries are what fits one Badger transaction, in which
	// values shorter than inline count in full.
	maxBytes, maxEntries int64
	inline               int

	base    reader
	live    *dgraph.Iterator // over committed sightings, opened when needed
	held    *dgraph.Iterator // over withheld ones
	group   *change
	waiting []*request
	// broken is the error of the first commit that went wrong. What reached the
	// disk is then not known before the store is opened again, so nothing more
	// is written; readers keep the state before it.
	broken error
}

// newWriter finishes what a crash has interrupted and shows the state to
// readers.
func newWriter(s *Store) (*writer, error) {
	w := &writer{
		Store: s,
		// A margin, so that a small change in Badger's own accounting splits
		// groups differently instead of refusing them.
		maxBytes:   s.db.MaxBatchSize() * 9 / 10,
		maxEntries: s.db.MaxBatchCount() * 9 / 10,
		inline:     int(s.inline),
	}
	if err := w.replay(); err != nil {
		return nil, fmt.Errorf("finish an interrupted change: %w", err)
	}
	w.begin()
	return w, nil
}

// begin starts a group on the newest committed state and shows it to readers.
func (w *writer) begin() {
	w.closeIterators()
	w.base = reader{w.db.NewTransaction(false)}
	w.group = newChange(w.base, nil, w.inline)
	w.views.publish(w.base.txn)
}

// run answers requests until the queue is closed and empty.
func (w *writer) run() {
	defer w.closeIterators()
	for r := range w.requests.ch {
		w.take(r)
		// Applying takes longer than a waiting client needs to send, so the
		// group grows by itself; a lone request commits at once.
		for more := true; more; {
			select {
			case r, ok := <-w.requests.ch:
				if more = ok; ok {
					w.take(r)
				}
			default:
				more = false
			}
		}
		w.commit()
	}
}

// take applies a request and adds it to the group.
func (w *writer) take(r *request) {
	if err := r.ctx.Err(); err != nil {
		r.done <- err
		return
	}
	if r.scans && len(w.group.sets) > 0 {
		w.commit()
	}
	if w.broken != nil {
		r.done <- w.broken
		return
	}
	c := newChange(w.base, w.group, w.inline)
	if err := w.try(r, c); err != nil {
		r.done <- err
		return
	}
	if !w.fits(w.group, c) {
		w.commit()
		if w.broken != nil {
			r.done <- w.broken
			return
		}
	}
	w.group.absorb(c)
	w.waiting = append(w.waiting, r)
}

// errPanic is the error of a request that panicked.
var errPanic = errors.New("internal error: a change was given up")

// try applies one request. Whatever happens in it stays in it.
func (w *writer) try(r *request, c *change) (err error) {
	defer func() {
		// What was panicked with may hold a value of a case.
		if recover() != nil {
			w.log.LogAttrs(r.ctx, slog.LevelError, "panic while a change was applied",
				slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	if err := r.apply(w, c); err != nil {
		return err
	}
	c.writeLists()
	return nil
}

// fits reports whether both changes fit one Badger transaction.
func (w *writer) fits(x, y *change) bool {
	return x.bytes+y.bytes < w.maxBytes && int64(len(x.sets)+len(y.sets)) < w.maxEntries
}

// commit makes the group durable, shows it to readers and answers its requests.
func (w *writer) commit() {
	err := w.broken
	if err == nil && len(w.group.sets) > 0 {
		if w.fits(w.group, &change{}) {
			err = w.store(w.group.sets)
		} else {
			err = w.storeLarge(w.group.sets)
		}
		if err != nil {
			err = fmt.Errorf("commit: %w", err)
			w.broken = fmt.Errorf("the store takes no more changes until it is opened again: %w", err)
			w.log.LogAttrs(context.Background(), slog.LevelError, "commit", slog.Any("error", err))
			w.group = newChange(w.base, nil, w.inline)
		} else {
			tell := w.group.tell
			w.begin()
			if tell {
				w.signal()
			}
		}
	}
	for _, r := range w.waiting {
		r.done <- err
	}
	w.waiting = w.waiting[:0]
}

// store writes one Badger transaction and syncs it.
func (w *writer) store(sets writes) error {
	txn := w.db.NewTransaction(true)
	defer txn.Discard()
	for k, v := range sets {
		e := dgraph.NewEntry([]byte(k), v.val)
		if v.long {
			e = e.WithMeta(longMeta)
		}
		err := error(nil)
		if v.val == nil {
			err = txn.Delete(e.Key)
		} else {
			err = txn.SetEntry(e)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

// signal tells the linker that there is something to do.
func (s *Store) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// sightings returns the iterator over one of the two sighting spaces.
func (w *writer) sightings(space byte) *dgraph.Iterator {
	it := &w.live
	if space == spaceWithheld {
		it = &w.held
	}
	if *it == nil {
		*it = w.base.iterate([]byte{space})
	}
	return *it
}

func (w *writer) closeIterators() {
	for _, it := range []**dgraph.Iterator{&w.live, &w.held} {
		if *it != nil {
			(*it).Close()
			*it = nil
		}
	}
}
