package badger

import (
	"context"
	"errors"
	"sync"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// reader reads one committed state. It is safe for concurrent use: a read-only
// transaction of Badger only looks things up.
type reader struct {
	txn *dgraph.Txn
	// caches are those of the store, or nil; view is the number of the state.
	caches *caches
	view   uint64
}

// get calls f with the value of a key, unless there is none. The value is valid
// inside f only.
func (r reader) get(key []byte, f func(val []byte) error) (bool, error) {
	return r.getLong(key, func(val []byte, _ uint32) error { return f(val) })
}

// getLong is get for who has to know how many parts a value is stored in.
func (r reader) getLong(key []byte, f func(val []byte, parts uint32) error) (bool, error) {
	// Collecting a value-log file moves its values and removes it. A value that
	// was looked up before and is read after comes back empty, without an error,
	// and is found at its new place the next time.
	for range 3 {
		item, err := r.txn.Get(key)
		if errors.Is(err, dgraph.ErrKeyNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		gone := false
		err = item.Value(func(val []byte) error {
			if gone = len(val) == 0; gone {
				return nil
			}
			return r.whole(item, val, f)
		})
		if !gone {
			return true, err
		}
	}
	return false, unreadable("value")
}

// longMeta marks a value that holds the number of its parts.
const longMeta = 1

// whole calls f with the value of an item, put together from its parts.
func (r reader) whole(item *dgraph.Item, val []byte, f func(val []byte, parts uint32) error) error {
	if item.UserMeta() != longMeta {
		return f(val, 0)
	}
	parts, err := partCount(val)
	if err != nil {
		return err
	}
	var long []byte
	for i := range parts {
		ok, err := r.get(partKey(item.Key(), i), func(part []byte) error {
			long = append(long, part...)
			return nil
		})
		if err != nil {
			return err
		}
		if !ok {
			return unreadable("long value")
		}
	}
	return f(long, parts)
}

// value calls f with the value an iterator stands on.
func (r reader) value(it *dgraph.Iterator, f func(val []byte) error) error {
	item := it.Item()
	return item.Value(func(val []byte) error {
		return r.whole(item, val, func(val []byte, _ uint32) error { return f(val) })
	})
}

// iterate returns an iterator over a prefix; the caller closes it.
func (r reader) iterate(prefix []byte) *dgraph.Iterator {
	return r.txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix})
}

// meta returns the stored version of a case; revision 0 if there is none.
func (r reader) meta(ref evidence.Ref) (m graph.Meta, err error) {
	_, err = r.get(refKey(spaceHeader, ref), func(val []byte) error {
		h, err := decodeHeader(val)
		m = h.Meta
		return err
	})
	return m, err
}

// profile returns the profile of a case, which others may share. With part it may
// be one that part makes of a profile with an index.
func (r reader) profile(ref evidence.Ref, part func(*profileReader) (*evidence.Profile, error)) (p *evidence.Profile, err error) {
	if r.caches != nil {
		p, ok := r.caches.profiles.get(ref, r.view)
		if ok && (part == nil || len(p.Sightings) <= graph.OutlineAbove) {
			return p, nil
		}
	}
	ok, err := r.get(refKey(spaceProfile, ref), func(val []byte) error {
		pr, err := readProfile(ref, val)
		if err != nil {
			return err
		}
		if part != nil && pr.counts != nil {
			p, err = part(pr)
			return err
		}
		if p, err = pr.whole(); err == nil && r.caches != nil {
			r.caches.profiles.add(ref, r.view, p, profileBytes(p, len(val)))
		}
		return err
	})
	if err == nil && !ok {
		err = graph.ErrNotFound
	}
	return p, err
}

// record returns what is known of the value with that key, the zero record if
// nothing is, and the value where the key does not hold it. Others may share the
// record.
func (r reader) record(value []byte) (rec record, named evidence.Value, err error) {
	k, err := r.remembered(value)
	return k.record, k.named, err
}

// remembered is record with who has the value, if somebody has asked for that.
func (r reader) remembered(value []byte) (knownRecord, error) { return r.recall(value, false) }

// recall is remembered. Where misses matter it is kept too that there is no record: for
// who asks again that takes as long as if others, of whom he is not told, had the value.
func (r reader) recall(value []byte, misses bool) (k knownRecord, err error) {
	var key string
	if r.caches != nil {
		key = string(value)
		if k, ok := r.caches.records.get(key, r.view); ok {
			return k, nil
		}
	}
	ok, err := r.get(recordKey(value), func(val []byte) error {
		k.record, k.named, err = decodeRecord(val)
		return err
	})
	if (ok || misses) && err == nil && r.caches != nil {
		r.caches.records.add(key, r.view, k, k.size(key))
	}
	return k, err
}

// number reads one of the singletons that are numbers.
func number(val []byte) (uint64, error) {
	d := decoder{s: string(val)}
	n := d.uvarint()
	return n, d.done("number")
}

// view is the committed state that readers share. Sharing it instead of opening
// one for each reader keeps readers from waiting for a commit under way, and
// lets the writer publish a change that takes several commits at once.
type view struct {
	reader
	of   *engine
	refs int
}

// views hands out the newest view.
type views struct {
	mu     sync.Mutex
	cur    *view
	closed bool
}

func (vs *views) acquire() (*view, error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.closed {
		return nil, graph.ErrClosed
	}
	vs.cur.refs++
	vs.cur.of.readers.Add(1)
	return vs.cur, nil
}

func (vs *views) release(v *view) {
	vs.mu.Lock()
	vs.drop(v)
	vs.mu.Unlock()
	v.of.readers.Done()
}

func (vs *views) drop(v *view) {
	if v.refs--; v.refs == 0 {
		v.txn.Discard()
	}
}

// publish makes r the view that readers get from now on.
func (vs *views) publish(r reader, of *engine) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.cur != nil {
		vs.drop(vs.cur)
	}
	vs.cur = &view{r, of, 1}
}

// close waits for the readers. No reader can follow.
func (vs *views) close() {
	vs.mu.Lock()
	vs.closed = true
	last := vs.cur.of
	vs.mu.Unlock()
	last.readers.Wait()
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.drop(vs.cur)
	vs.cur = nil
}

// read calls f with a snapshot of the newest committed state.
func (s *Store) read(ctx context.Context, f func(*snapshot) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() {
		// Badger without a write buffer, because it could not make the next one,
		// panics on every read.
		if broken := s.gaveUp.Load(); broken != nil && recover() != nil {
			err = broken
		}
	}()
	v, err := s.views.acquire()
	if err != nil {
		return err
	}
	sn := &snapshot{reader: v.reader, ctx: ctx, limits: s.limits, pack: s.pack}
	defer func() {
		sn.end()
		s.views.release(v)
	}()
	return f(sn)
}

// View implements graph.Reader.
func (s *Store) View(ctx context.Context, f func(graph.Snapshot) error) error {
	return s.read(ctx, func(sn *snapshot) error { return f(sn) })
}
