package badger

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// change is what one request is going to write, and a way to read the state as
// it will then be. It goes right into the layer of its group, from which
// rollback takes it away again.
type change struct {
	base reader
	// layers are the group of the request and the group that is being committed,
	// if there is one.
	layers [2]*layer
	seed   maphash.Seed
	inline int
	undo   []undo
	// bytes is what this request has added to the layer.
	bytes int64
	// long is the number of parts of the long values that were read.
	long map[string]uint32
	// tell says that the linker has something to do, logged that watchers have.
	tell, logged bool
	// sequence numbers this request, 0 until it is asked for.
	sequence uint64
	// lists are the values that this request marks first.
	lists []listing
	// touched is what this request lists as to be looked at.
	touched map[graph.Touched]bool
	// scans says that all changes before this one are committed.
	scans bool
}

// undo is what a write has replaced in the layer.
type undo struct {
	key    string
	record bool // of two maps, that of the records
	had    bool
	set    write
	was    recordWrite
}

// longValue is the length from which a value is stored in parts of that length:
// Badger in memory refuses values of 1 MiB, and small ones make journals and
// transactions that are easy to cut. Who overwrites a value that may be long has
// to read it before, or its parts stay.
const longValue = 512 << 10

// rollback takes away all that the request has written.
func (c *change) rollback() {
	l := c.layers[0]
	for i := len(c.undo) - 1; i >= 0; i-- {
		switch u := c.undo[i]; {
		case u.record && u.had:
			l.records[u.key] = u.was
		case u.record:
			delete(l.records, u.key)
		case u.had:
			l.sets[u.key] = u.set
		default:
			delete(l.sets, u.key)
		}
	}
	l.bytes -= c.bytes
	c.undo, c.bytes = nil, 0
}

func (c *change) lookup(key []byte) (write, bool) { return lookup(c.layers, key) }

// get returns the value of a key, nil if there is none. It is for any key but
// those of records.
func (c *change) get(key []byte) (val []byte, err error) {
	w, ok := c.lookup(key)
	if !ok {
		parts := uint32(0)
		_, err = c.base.getLong(key, func(b []byte, n uint32) error {
			val, parts = append(make([]byte, 0, len(b)), b...), n
			return nil
		})
		if parts > 0 {
			if c.long == nil {
				c.long = make(map[string]uint32)
			}
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
	c.setNew(key, val)
}

// setNew is set for a key that has no value, or a short one.
func (c *change) setNew(key, val []byte) {
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
	c.put(string(key), write{val: binary.AppendUvarint(nil, uint64(parts)), long: true})
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
	l := c.layers[0]
	old, had := l.sets[key]
	c.undo = append(c.undo, undo{key: key, had: had, set: old})
	n := cost(key, w, c.inline)
	if had {
		n -= cost(key, old, c.inline)
	}
	l.sets[key] = w
	l.bytes += n
	c.bytes += n
}

func (c *change) setSighting(key []byte, prefix int, val []byte, replaces bool) {
	if replaces {
		c.set(key, val)
	} else {
		c.setNew(key, val)
	}
	c.layers[0].place(c.seed, key[:prefix], string(key))
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

// record returns what is known of a value, for the caller to change.
func (c *change) record(n node) (record, error) {
	for _, l := range c.layers {
		if l == nil {
			continue
		}
		if w, ok := l.records[string(n.key)]; ok {
			return w.clone(), nil
		}
	}
	r, _, err := c.base.record(n.key)
	return r.clone(), err
}

// setRecord stores what is known of a value, or removes it if that is nothing.
// The record is then no longer the caller's to change.
func (c *change) setRecord(n node, r *record) {
	l := c.layers[0]
	old, had := l.records[string(n.key)]
	c.undo = append(c.undo, undo{key: string(n.key), record: true, had: had, was: old})
	w := recordWrite{n, r}
	cost := w.cost()
	if had {
		cost -= old.cost()
	}
	l.records[string(n.key)] = w
	l.bytes += cost
	c.bytes += cost
}
