package badger

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// A mark stands in the record of its value, so that leaving one costs no write
// of its own. The values that a change has marked and that had no mark before
// are listed in queue records, in order of leaving.

// maxListed is the number of values in one queue record.
const maxListed = 256

// listing is a queue record.
type listing struct {
	left   time.Time
	values []string // keys
}

func (l listing) encode() []byte {
	b := binary.AppendVarint(nil, l.left.UnixMicro())
	b = binary.AppendUvarint(b, uint64(len(l.values)))
	for _, v := range l.values {
		b = appendString(b, v)
	}
	return b
}

func decodeListing(val []byte) (listing, error) {
	d := decoder{s: string(val)}
	l := listing{left: time.UnixMicro(d.varint()).UTC()}
	l.values = make([]string, d.count())
	for i := range l.values {
		l.values[i] = d.str()
	}
	return l, d.done("queue record")
}

// countListing reads only what Backlog asks for.
func countListing(val []byte) (left time.Time, n int, err error) {
	d := decoder{s: string(val)}
	left, n = time.UnixMicro(d.varint()).UTC(), d.count()
	if d.bad {
		return time.Time{}, 0, unreadable("queue record")
	}
	return left, n, nil
}

// leave puts a mark on the value of r, or leaves the one that is there anew.
// tenants is the number of tenants on the value before the change, of which r has
// the number after it.
func (w *writer) leave(c *change, n node, r *record, tenants uint32) error {
	sequence, err := c.next()
	if err != nil {
		return err
	}
	c.tell = true
	if m := r.mark; m != nil {
		m.version = sequence
		// Pairs may have been scored, for another value, where it turned.
		rose, fell := m.tenants < tenants, m.tenants > tenants
		m.again = m.again || rose && r.tenants < tenants || fell && r.tenants > tenants
		return nil
	}
	if k := len(c.lists); k == 0 || len(c.lists[k-1].values) == maxListed {
		c.lists = append(c.lists, listing{left: w.now()})
	}
	last := len(c.lists) - 1
	c.lists[last].values = append(c.lists[last].values, string(n.key))
	r.mark = &mark{version: sequence, tenants: tenants, sequence: sequence, part: uint32(last)}
	return nil
}

// writeLists stores the queue records of a request that has been applied.
func (c *change) writeLists() {
	for i, l := range c.lists {
		c.set(queueKey(c.sequence, uint32(i)), l.encode())
	}
	c.lists = nil
}

// settle takes away the marks that are still the ones that were read.
func (c *change) settle(done []graph.Mark) error {
	type place struct {
		sequence uint64
		part     uint32
	}
	gone := map[place]map[string]bool{}
	for _, m := range done {
		n := newNode(m.Value)
		r, err := c.record(n)
		if err != nil {
			return err
		}
		if r.mark == nil {
			continue
		}
		if r.mark.version != m.Version {
			switch {
			case r.mark.again || m.Scored > 0 && m.Scored == r.mark.tenants:
				continue
			case m.Scored > 0:
				r.mark.tenants = m.Scored
			default:
				r.mark.again = true
			}
			c.setRecord(n, &r)
			continue
		}
		at := place{r.mark.sequence, r.mark.part}
		if gone[at] == nil {
			gone[at] = map[string]bool{}
		}
		gone[at][string(n.key)] = true
		r.mark = nil
		c.setRecord(n, &r)
	}
	for at, keys := range gone {
		key := queueKey(at.sequence, at.part)
		val, err := c.get(key)
		if err != nil {
			return err
		}
		if val == nil {
			continue
		}
		l, err := decodeListing(val)
		if err != nil {
			return err
		}
		l.values = slices.DeleteFunc(l.values, func(v string) bool { return keys[v] })
		if len(l.values) == 0 {
			c.remove(key)
		} else {
			c.set(key, l.encode())
		}
	}
	return nil
}

// sweep is the stored progress of a look at every pair.
type sweep struct {
	graph.Sweep
	basis string
}

func (s sweep) encode() []byte {
	b := []byte{0}
	if s.Pending {
		b[0] = 1
	}
	b = binary.AppendUvarint(b, s.Version)
	b = appendString(b, s.basis)
	b = appendString(b, s.After.Tenant)
	return appendString(b, s.After.Case)
}

func decodeSweep(val []byte) (sweep, error) {
	d := decoder{s: string(val)}
	var s sweep
	s.Pending = d.byte() == 1
	s.Version = d.uvarint()
	s.basis = d.str()
	s.After = evidence.Ref{Tenant: d.str(), Case: d.str()}
	return s, d.done("sweep")
}

func (c *change) sweep() (sweep, error) {
	val, err := c.get([]byte(keySweep))
	if err != nil || val == nil {
		return sweep{}, err
	}
	return decodeSweep(val)
}

// restartSweep starts the sweep at the beginning, with a new basis if it is not
// nil.
func (c *change) restartSweep(basis *string) error {
	s, err := c.sweep()
	if err != nil {
		return err
	}
	var why sweepWhy
	val, err := c.get([]byte(keySweepWhy))
	if err == nil && val != nil {
		why, err = decodeSweepWhy(val)
	}
	if err != nil {
		return err
	}
	if basis == nil {
		why.corpus = true
	} else {
		if *basis != s.basis && why.from == "" {
			why.from = s.basis
		}
		s.basis = *basis
	}
	c.setNew([]byte(keySweepWhy), why.encode())
	version, err := c.next()
	if err != nil {
		return err
	}
	s.Sweep = graph.Sweep{Pending: true, Version: version}
	c.set([]byte(keySweep), s.encode())
	c.tell = true
	return nil
}
