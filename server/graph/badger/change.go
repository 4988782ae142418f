package badger

import (
	"encoding/binary"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// change is what a request, or a group of requests, is going to write, and a
// way to read the state as it will then be. A request fills its own change, so
// that one that ends in an error leaves nothing behind.
type change struct {
	base  reader
	below *change // the group before this request; nil for a group
	sets  writes
	// sightings lists the sighting keys that were set, by what sightingPrefix
	// returns for them. Badger's iterators see committed keys only.
	sightings map[string][]string
	// long is the number of parts of the long values that were read.
	long map[string]uint32
	// bytes is what sets count for in a Badger transaction, which counts values
	// shorter than inline in full.
	bytes  int64
	inline int
	// tell says that the linker has something to do.
	tell bool
	// sequence numbers this request, 0 until it is asked for.
	sequence uint64
	// lists are the values that this request marks first.
	lists []listing
}

// writes are new values by key.
type writes map[string]write

// write is a new value; a nil val removes the key.
type write struct {
	val  []byte
	long bool // val is the number of parts, see longValue
}

// longValue is the length from which a value is stored in parts of that length:
// Badger in memory refuses values of 1 MiB, and small ones make journals and
// transactions that are easy to cut. Who overwrites a value that may be long has
// to read it before, or its parts stay.
const longValue = 512 << 10

func newChange(base reader, below *change, inline int) *change {
	return &change{
		base: base, below: below, inline: inline,
		sets: writes{}, sightings: map[string][]string{}, long: map[string]uint32{},
	}
}

// lookup returns the write to a key, if there is one.
func (c *change) lookup(key []byte) (write, bool) {
	for l := c; l != nil; l = l.below {
		if w, ok := l.sets[string(key)]; ok {
			return w, true
		}
	}
	return write{}, false
}

// get returns the value of a key, nil if there is none.
func (c *change) get(key []byte) (val []byte, err error) {
	w, ok := c.lookup(key)
	if !ok {
		parts := uint32(0)
		_, err = c.base.getLong(key, func(b []byte, n uint32) error {
			val, parts = append(make([]byte, 0, len(b)), b...), n
			return nil
		})
		if parts > 0 {
			c.long[string(key)] = parts
		}
		return val, err
	}
	if !w.long {
		return w.val, nil
	}
	parts, err := partCount(w.val)
	for i := range parts {
		part, ok := c.lookup(partKey(key, i))
		if !ok {
			return nil, unreadable("long value")
		}
		val = append(val, part.val...)
	}
	return val, err
}

// set gives a key a value, which must not be empty.
func (c *change) set(key, val []byte) {
	c.removeParts(key)
	if len(val) < longValue {
		c.put(string(key), write{val: val})
		return
	}
	parts := uint32(0)
	for len(val) > 0 {
		n := min(len(val), longValue)
		c.put(string(partKey(key, parts)), write{val: val[:n]})
		val = val[n:]
		parts++
	}
	c.put(string(key), write{binary.AppendUvarint(nil, uint64(parts)), true})
}

func (c *change) remove(key []byte) {
	c.removeParts(key)
	c.put(string(key), write{})
}

func (c *change) removeParts(key []byte) {
	parts := uint32(0)
	if w, ok := c.lookup(key); ok {
		if w.long {
			parts, _ = partCount(w.val)
		}
	} else {
		parts = c.long[string(key)]
	}
	for i := range parts {
		c.put(string(partKey(key, i)), write{})
	}
}

func partKey(key []byte, part uint32) []byte {
	k := append([]byte{spacePart}, key...)
	return binary.BigEndian.AppendUint32(k, part)
}

func partCount(val []byte) (uint32, error) {
	d := decoder{s: string(val)}
	n := d.uint32()
	return n, d.done("long value")
}

func (c *change) put(key string, w write) {
	if old, ok := c.sets[key]; ok {
		c.bytes -= cost(key, old, c.inline)
	}
	c.sets[key] = w
	c.bytes += cost(key, w, c.inline)
}

// cost is what a write counts for in a Badger transaction: its key, a version,
// two bytes of flags, and its value or the pointer to it.
func cost(key string, w write, inline int) int64 {
	n := len(w.val)
	if n >= inline {
		n = 12
	}
	return int64(len(key) + n + 2 + 10)
}

func (c *change) setSighting(key []byte, prefix int, val []byte) {
	c.set(key, val)
	k := string(key)
	c.sightings[k[:prefix]] = append(c.sightings[k[:prefix]], k)
}

// hasOther reports whether a sighting other than the one of except exists among
// those that start with prefix. it iterates over committed sightings.
func (c *change) hasOther(it *dgraph.Iterator, prefix, except []byte) bool {
	for l := c; l != nil; l = l.below {
		for _, k := range l.sightings[string(prefix)] {
			if w, _ := c.lookup([]byte(k)); w.val != nil && k != string(except) {
				return true
			}
		}
	}
	for it.Seek(prefix); it.ValidForPrefix(prefix); it.Next() {
		key := it.Item().Key()
		if w, ok := c.lookup(key); ok && w.val == nil {
			continue
		}
		if string(key) != string(except) {
			return true
		}
	}
	return false
}

// absorb adds the change of a request to its group.
func (c *change) absorb(r *change) {
	for k, w := range r.sets {
		c.put(k, w)
	}
	for p, keys := range r.sightings {
		c.sightings[p] = append(c.sightings[p], keys...)
	}
	c.tell = c.tell || r.tell
}

func (c *change) number(key string) (uint64, error) {
	val, err := c.get([]byte(key))
	if err != nil || val == nil {
		return 0, err
	}
	return number(val)
}

func (c *change) setNumber(key string, n uint64) {
	c.put(key, write{val: binary.AppendUvarint(nil, n)})
}

// next returns the number of this request: larger than that of every request
// before it, and the same however often it is asked for.
func (c *change) next() (uint64, error) {
	if c.sequence == 0 {
		n, err := c.number(keySequence)
		if err != nil {
			return 0, err
		}
		c.sequence = n + 1
		c.setNumber(keySequence, c.sequence)
	}
	return c.sequence, nil
}

// node is a value with its key.
type node struct {
	evidence.Value
	key   []byte
	exact bool // key holds all of the value
}

func newNode(v evidence.Value) node {
	key, exact := appendValueKey(make([]byte, 0, 1+maxPlain+1), v)
	return node{v, key, exact}
}

func (c *change) record(n node) (record, error) {
	val, err := c.get(recordKey(n.key))
	if err != nil || val == nil {
		return record{}, err
	}
	r, _, err := decodeRecord(val)
	return r, err
}

// setRecord stores what is known of a value, or removes it if that is nothing.
func (c *change) setRecord(n node, r *record) {
	if r.empty() {
		c.remove(recordKey(n.key))
		return
	}
	c.set(recordKey(n.key), r.encode(n.Value, n.exact))
}
