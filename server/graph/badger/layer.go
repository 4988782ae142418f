package badger

import (
	"hash/maphash"

	dgraph "github.com/dgraph-io/badger/v4"
)

// layer is what a group of requests is going to write. While it is committed it
// does not change, and the next group is put together on top of it.
type layer struct {
	sets writes
	// records are the values' records, by value key. They are encoded once, when
	// the layer is committed, however often a group changes one.
	records map[string]recordWrite
	// placed finds the sightings that were set, by value and tenant: the last one
	// with the hash of sightingPrefix, each with the one before. Badger's
	// iterators see committed keys only.
	placed  map[uint64]int
	placing []placing
	// bytes is what all of it counts for in a Badger transaction, or more.
	bytes int64
	// tell says that the linker has something to do, logged that watchers have.
	tell, logged bool
	// waiting are the requests that the layer answers.
	waiting []*request
}

// writes are new values by key.
type writes map[string]write

// write is a new value; a nil val removes the key.
type write struct {
	val  []byte
	long bool // val is the number of parts, see longValue
	// expire is when Badger may drop the key, in Unix seconds; 0 is never.
	expire uint64
}

// recordWrite is a new record, which nobody changes any more.
type recordWrite struct {
	node
	*record
}

type placing struct {
	key    string
	before int // 1 more than the place in the list, 0 for none
}

func newLayer() *layer {
	return &layer{sets: writes{}, records: map[string]recordWrite{}, placed: map[uint64]int{}}
}

func (l *layer) empty() bool { return len(l.sets)+len(l.records) == 0 }

// cost is what a write counts for in a Badger transaction: its key, a version,
// two bytes of flags, and its value or the pointer to it, which has 12 bytes.
// Values shorter than inline count in full.
func cost(key string, w write, inline int) int64 {
	n := len(w.val)
	if n >= inline {
		n = 12
	}
	return int64(len(key) + n + 2 + 10)
}

// cost is at least what the record counts for.
func (w recordWrite) cost() int64 {
	n := int64(1 + len(w.key) + 12 + 106)
	if !w.exact {
		n += int64(len(w.Kind) + len(w.Text) + 8)
	}
	kept := int64(0)
	for i := range w.newest {
		s := &w.newest[i]
		kept += int64(len(s.Tenant) + len(s.Case) + 32)
		for _, r := range s.Roles {
			kept += int64(len(r) + 3)
		}
	}
	return n + min(kept, maxNewestBytes)
}

func (w recordWrite) entry() (key string, val write) {
	key = string(recordKey(w.key))
	if w.record.empty() {
		return key, write{}
	}
	return key, write{val: w.encode(w.Value, w.exact)}
}

// all returns every write of the layer.
func (l *layer) all() writes {
	all := make(writes, len(l.sets)+len(l.records))
	for k, w := range l.sets {
		all[k] = w
	}
	for _, r := range l.records {
		k, w := r.entry()
		all[k] = w
	}
	return all
}

// lookup returns the write to a key, if there is one, in a layer or those below.
func lookup(layers [2]*layer, key []byte) (write, bool) {
	for _, l := range layers {
		if l == nil {
			continue
		}
		if w, ok := l.sets[string(key)]; ok {
			return w, true
		}
	}
	return write{}, false
}

func (l *layer) place(seed maphash.Seed, prefix []byte, key string) {
	h := maphash.Bytes(seed, prefix)
	l.placing = append(l.placing, placing{key, l.placed[h]})
	l.placed[h] = len(l.placing)
}

// placedOn yields sightings that start with prefix, and perhaps others: some may
// have been removed again, and the requests of some may have been given up.
func (l *layer) placedOn(seed maphash.Seed, prefix []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for at := l.placed[maphash.Bytes(seed, prefix)]; at > 0; at = l.placing[at-1].before {
			if !yield(l.placing[at-1].key) {
				return
			}
		}
	}
}

// other reports whether a sighting other than the one of except exists among those
// that start with prefix. it iterates over committed sightings, from a key before which
// there is none but perhaps that of except; at is where it came upon another one, nil if
// it did not.
func (c *change) other(it *dgraph.Iterator, prefix, from, except []byte) (at []byte, found bool) {
	for _, l := range c.layers {
		if l == nil {
			continue
		}
		for k := range l.placedOn(c.seed, prefix) {
			if len(k) < len(prefix) || k[:len(prefix)] != string(prefix) || k == string(except) {
				continue
			}
			if w, ok := lookup(c.layers, []byte(k)); ok && w.val != nil {
				return nil, true
			}
		}
	}
	if from == nil {
		from = prefix
	}
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		key := it.Item().Key()
		if w, ok := lookup(c.layers, key); ok && w.val == nil {
			continue
		}
		if string(key) != string(except) {
			return it.Item().KeyCopy(nil), true
		}
	}
	return nil, false
}
