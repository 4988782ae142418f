package badger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
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
	// note is left together with the change; noted says that there was one.
	note  []byte
	noted bool
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

// Waiting returns how many changes wait for the writer.
func (s *Store) Waiting() int { return len(s.requests.ch) }

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

// writeCase is write for a change of a case: it scans if the case was reviewed.
func (s *Store) writeCase(ctx context.Context, apply func(*writer, *change) error) error {
	err := s.write(ctx, false, apply)
	if errors.Is(err, errScans) {
		err = s.write(ctx, true, apply)
	}
	return err
}

// write has the writer apply a change and waits until it is durable.
func (s *Store) write(ctx context.Context, scans bool, apply func(*writer, *change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.room.admitLinker(ctx); err != nil {
		return err
	}
	note, left := graph.NoteOf(ctx)
	if len(note) > graph.MaxNote {
		return &graph.KeptSizeError{Data: len(note)}
	}
	r := &request{ctx: ctx, apply: apply, scans: scans, note: note, done: make(chan error, 1)}
	if err := s.requests.send(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		if err == nil && r.noted {
			left()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is the one goroutine that changes the store. Requests that wait share
// a layer: one Badger transaction, one sync. While a layer is committed, the next
// one grows on top of it, which no reader sees before it is committed too.
type writer struct {
	*Store
	// maxBytes and maxEntries are what fits one Badger transaction, in which
	// values shorter than inline count in full.
	maxBytes, maxEntries int64
	inline               int
	seed                 maphash.Seed

	base  reader
	live  *dgraph.Iterator // over committed sightings, opened when needed
	held  *dgraph.Iterator // over withheld ones
	group *layer           // grows
	below *layer           // is being committed, or nil
	// present are sighting prefixes that some live sighting has, as far as they
	// were asked for lately: asking again costs no search.
	present map[string]bool
	// others are, of sighting prefixes, the first key with a live sighting at which a
	// search ended. Where many cases of a tenant go one after the other, the next
	// search would pass all that went before.
	others map[string][]byte
	// day is the last day that has a mark.
	day uint64
	// committed receives what became of below.
	committed chan error
	// broken is the error of the first commit that went wrong. What reached the
	// disk is then not known before the store is opened again, so nothing more
	// is written; readers keep the state before it.
	broken error
}

// maxPresent bounds writer.present and writer.others: about 4 MiB each.
const maxPresent = 32 << 10

// newWriter finishes what a crash has interrupted and shows the state to
// readers.
func newWriter(s *Store) (*writer, error) {
	w := &writer{
		Store: s,
		// A margin, so that a small change in Badger's own accounting splits
		// groups differently instead of refusing them.
		maxBytes:   s.db().MaxBatchSize() * 9 / 10,
		maxEntries: s.db().MaxBatchCount() * 9 / 10,
		inline:     int(s.inline),
		seed:       maphash.MakeSeed(),
		group:      newLayer(),
		present:    make(map[string]bool),
		others:     make(map[string][]byte),
		committed:  make(chan error, 1),
	}
	if err := w.replay(); err != nil {
		return nil, fmt.Errorf("finish an interrupted change: %w", err)
	}
	w.show(nil)
	return w, nil
}

// show makes the newest committed state the base of what follows and lets
// readers see it.
//
// The caches learn first what has changed: from then on nobody adds to them who
// reads the state before.
func (w *writer) show(changed *layer) {
	w.closeIterators()
	db := w.db()
	w.base = reader{db.NewTransaction(false), w.caches, w.base.view + 1}
	w.caches.publish(w.base.view, changed)
	w.views.publish(w.base, db)
}

// run answers requests until the queue is closed and empty.
func (w *writer) run() {
	defer w.closeIterators()
	requests := w.requests.ch
	for requests != nil || w.below != nil || len(w.group.waiting) > 0 {
		if w.below == nil && len(w.group.waiting) > 0 {
			// What waits already shares the commit; a lone request commits at once.
			select {
			case r, ok := <-requests:
				if ok {
					w.take(r)
				} else {
					requests = nil
				}
				if ok && !w.full() {
					continue
				}
			default:
			}
			w.commit()
			continue
		}
		next := requests
		if w.full() {
			next = nil
		}
		select {
		case r, ok := <-next:
			if ok {
				w.take(r)
			} else {
				requests = nil
			}
		case err := <-w.committed:
			w.done(err)
		}
	}
}

// full reports whether the group should take no more: one more request of an
// ordinary size has to fit a Badger transaction.
func (w *writer) full() bool {
	return w.group.bytes > w.maxBytes/2 || w.group.entries() > w.maxEntries/2
}

// take applies a request and adds it to the group.
func (w *writer) take(r *request) {
	if err := r.ctx.Err(); err != nil {
		r.done <- err
		return
	}
	if r.scans {
		w.settle()
	}
	if w.broken != nil {
		r.done <- w.broken
		return
	}
	c := &change{base: w.base, layers: [2]*layer{w.group, w.below}, seed: w.seed, inline: w.inline, scans: r.scans}
	if err := w.try(r, c); err != nil {
		c.rollback()
		clear(w.present)
		clear(w.others)
		r.done <- err
		return
	}
	w.group.tell = w.group.tell || c.tell
	w.group.logged = w.group.logged || c.logged
	w.group.waiting = append(w.group.waiting, r)
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
	if err := c.writeTouched(); err != nil {
		return err
	}
	// Who changes nothing leaves none.
	if r.noted = len(r.note) > 0 && len(c.undo) > 0; r.noted {
		return c.leave(r.note)
	}
	return nil
}

// signal tells somebody that there is something to do.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
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
