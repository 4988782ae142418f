package badger

import (
	"context"
	"fmt"
	"log/slog"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// commit begins to make the group durable and starts the next one on top of it.
// There is one commit at a time.
func (w *writer) commit() {
	l := w.group
	w.below, w.group = l, newLayer()
	if w.broken != nil || l.empty() {
		// Requests that found nothing to write have seen the layer before, which
		// is durable by now.
		w.committed <- w.broken
		return
	}
	go func() { w.committed <- w.persist(l) }()
}

// settle waits until all that was taken is committed.
func (w *writer) settle() {
	if w.below != nil {
		w.done(<-w.committed)
	}
	if !w.group.empty() || len(w.group.waiting) > 0 {
		w.commit()
		w.done(<-w.committed)
	}
}

// done shows what was committed to readers and answers its requests. Where the
// commit went wrong, the requests on top of it go wrong too.
func (w *writer) done(err error) {
	l := w.below
	w.below = nil
	switch {
	case err != nil && w.broken == nil:
		w.giveUp(fmt.Errorf("commit: %w", err))
		above := w.group
		w.group = newLayer()
		above.answer(w.broken)
	case err == nil && !l.empty():
		w.show(l)
		if l.tell {
			signal(w.changed)
		}
		if l.logged {
			signal(w.logged)
		}
	}
	l.answer(w.broken)
}

// giveUp takes no more changes until the store is opened again.
func (w *writer) giveUp(err error) {
	broken := &graph.BrokenError{Err: err}
	w.broken = broken
	w.gaveUp.Store(broken)
	w.log.LogAttrs(context.Background(), slog.LevelError, "a change could not be written: restart the service", slog.Any("error", err))
}

func (l *layer) answer(err error) {
	for _, r := range l.waiting {
		r.done <- err
	}
}

// persist makes a layer durable, as a whole or not at all.
func (w *writer) persist(l *layer) error {
	if !w.fits(l) {
		return w.storeLarge(l.all())
	}
	txn := w.db().NewTransaction(true)
	defer txn.Discard()
	for k, v := range l.sets {
		if err := put(txn, k, v); err != nil {
			return err
		}
	}
	for _, r := range l.records {
		k, v := r.entry()
		if err := put(txn, k, v); err != nil {
			return err
		}
	}
	return txn.Commit()
}

func (l *layer) entries() int64 { return int64(len(l.sets) + len(l.records)) }

// fits reports whether a layer fits one Badger transaction.
func (w *writer) fits(l *layer) bool { return l.bytes < w.maxBytes && l.entries() < w.maxEntries }

// store writes one Badger transaction and syncs it.
func (w *writer) store(sets writes) error {
	txn := w.db().NewTransaction(true)
	defer txn.Discard()
	for k, v := range sets {
		if err := put(txn, k, v); err != nil {
			return err
		}
	}
	return txn.Commit()
}

func put(txn *dgraph.Txn, key string, w write) error {
	e := dgraph.NewEntry([]byte(key), w.val)
	if w.val == nil {
		return txn.Delete(e.Key)
	}
	if w.long {
		e = e.WithMeta(longMeta)
	}
	e.ExpiresAt = w.expire
	return txn.SetEntry(e)
}
