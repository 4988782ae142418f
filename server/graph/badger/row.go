package badger

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// encodeRow writes what a row's key does not hold.
func encodeRow(r graph.Row) []byte {
	b := binary.AppendVarint(make([]byte, 0, 64), int64(r.Millibits))
	b = binary.AppendUvarint(b, uint64(r.Micros))
	b = append(b, r.Tier)
	b = binary.AppendUvarint(b, uint64(r.SharedCount))
	b = binary.AppendUvarint(b, uint64(r.ModelVersion))
	b = binary.AppendUvarint(b, uint64(r.RevisionA))
	b = binary.AppendUvarint(b, uint64(r.RevisionB))
	b = binary.AppendUvarint(b, uint64(len(r.Shared)))
	for _, v := range r.Shared {
		b = appendValue(b, v)
	}
	if state := byte(r.Verdict) | heldBit(r.Held); state != 0 {
		b = append(b, state)
	}
	return b
}

// A row that people or an alarm have said something of ends with a byte: its
// verdict, and whether it is held. Others, and those of layout 2, have none.
const (
	verdictMask = 3
	heldMask    = 4
)

func heldBit(is bool) byte {
	if is {
		return heldMask
	}
	return 0
}

func decodeRow(key graph.RowKey, val []byte) (graph.Row, error) {
	d := decoder{s: string(val)}
	r := graph.Row{RowKey: key}
	r.Millibits = int32(d.varint())
	r.Micros = d.uint32()
	r.Tier = d.byte()
	r.SharedCount = d.uint32()
	r.ModelVersion = d.uint32()
	r.RevisionA, r.RevisionB = d.uint32(), d.uint32()
	if n := d.count(); n > 0 {
		r.Shared = make([]evidence.Value, n)
		for i := range r.Shared {
			r.Shared[i] = d.value()
		}
	}
	r.Verdict, r.Held = d.rowState()
	return r, d.done("link row")
}

// rowState reads the last byte of a row, if it is there.
func (d *decoder) rowState() (v graph.Verdict, held bool) {
	if d.s == "" {
		return graph.Unreviewed, false
	}
	state := d.byte()
	v, held = graph.Verdict(state&verdictMask), state&heldMask != 0
	if state == 0 || state > verdictMask|heldMask || v > graph.Refuted {
		d.fail()
	}
	return v, held
}

// decodeLink reads of a row what a Network keeps.
func decodeLink(val []byte) (l graph.Link, err error) {
	d := decoder{s: string(val)}
	l.Millibits = int32(d.varint())
	d.uint32() // likelihood
	l.Tier = d.byte()
	for range 4 { // number of values, versions of the model and of both cases
		d.uint32()
	}
	for range d.count() {
		d.value()
	}
	l.Verdict, l.Held = d.rowState()
	return l, d.done("link row")
}

// touchRow lists the ends of a row that comes, changes or goes, if it can matter to
// what is said of its cases: not below the tiers that are listed.
func (c *change) touchRow(r graph.Row) {
	if r.Tier >= graph.ListedTier || r.Verdict != graph.Unreviewed {
		c.touch(graph.Touched{A: r.A})
		c.touch(graph.Touched{A: r.B})
	}
}

// errOrder is returned for a row that would not be found again.
var errOrder = errors.New("the ends of a link row are in the wrong order")

// putRow stores a row under both ends and under the values it shares.
func (c *change) putRow(r graph.Row, t *telling) error {
	if r.A.Compare(r.B) >= 0 {
		return errOrder
	}
	key, val := rowKey(r.A, r.B), encodeRow(r)
	before, err := c.get(key)
	if err != nil || bytes.Equal(before, val) {
		return err
	}
	c.touchRow(r)
	keep := make(map[evidence.Value]bool, len(r.Shared))
	for _, v := range r.Shared {
		keep[v] = true
	}
	var was *graph.Row
	if before != nil {
		old, err := decodeRow(r.RowKey, before)
		if err != nil {
			return err
		}
		was = &old
		c.touchRow(old)
		for _, v := range old.Shared {
			if !keep[v] {
				c.remove(sharedKey(newNode(v).key, r.RowKey))
			}
			delete(keep, v)
		}
	}
	for v := range keep {
		c.set(sharedKey(newNode(v).key, r.RowKey), present)
	}
	c.set(key, val)
	c.set(rowKey(r.B, r.A), present)
	t.row(r.RowKey, was, &r)
	return nil
}

// removeRow removes all that putRow has stored.
func (c *change) removeRow(key graph.RowKey, t *telling) error {
	val, err := c.get(rowKey(key.A, key.B))
	if err != nil || val == nil {
		return err
	}
	old, err := decodeRow(key, val)
	if err != nil {
		return err
	}
	c.touchRow(old)
	for _, v := range old.Shared {
		c.remove(sharedKey(newNode(v).key, key))
	}
	c.remove(rowKey(key.A, key.B))
	c.remove(rowKey(key.B, key.A))
	t.row(key, &old, nil)
	return nil
}
