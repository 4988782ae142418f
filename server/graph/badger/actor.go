package badger

import (
	"encoding/binary"
	"iter"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func appendRefs(b []byte, refs []evidence.Ref) []byte {
	b = binary.AppendUvarint(b, uint64(len(refs)))
	for _, r := range refs {
		b = appendString(b, r.Tenant)
		b = appendString(b, r.Case)
	}
	return b
}

func (d *decoder) ref() evidence.Ref { return evidence.Ref{Tenant: d.str(), Case: d.str()} }

func (d *decoder) refs() []evidence.Ref {
	n := d.count()
	if n == 0 {
		return nil
	}
	refs := make([]evidence.Ref, 0, min(n, maxAhead))
	for range n {
		if refs = append(refs, d.ref()); d.bad {
			return nil
		}
	}
	return refs
}

func encodeActor(a *graph.Actor) []byte {
	b := binary.AppendVarint(nil, int64(a.Threshold))
	b = appendRefs(b, a.Members)
	for _, id := range a.IDs {
		b = appendString(b, id)
	}
	return b
}

func decodeActor(founder evidence.Ref, val []byte) (*graph.Actor, error) {
	d := decoder{s: string(val)}
	a := &graph.Actor{Founder: founder, Threshold: int32(d.varint()), Members: d.refs()}
	for range a.Members {
		if a.IDs = append(a.IDs, d.str()); d.bad {
			break
		}
	}
	return a, d.done("actor")
}

func (c *change) actor(founder evidence.Ref) (*graph.Actor, error) {
	val, err := c.get(refKey(spaceActor, founder))
	if err != nil || val == nil {
		return nil, err
	}
	return decodeActor(founder, val)
}

// removeActor removes an actor, and what says of its members that they are in it.
func (c *change) removeActor(founder evidence.Ref) error {
	a, err := c.actor(founder)
	if err != nil || a == nil {
		return err
	}
	for i, m := range a.Members {
		key := refKey(spaceMember, m)
		val, err := c.get(key)
		if err != nil {
			return err
		}
		if val == nil {
			continue
		}
		d := decoder{s: string(val)}
		if d.ref() == founder {
			c.remove(key)
			c.remove(idKey(a.IDs[i]))
		}
	}
	c.remove(refKey(spaceActor, founder))
	return nil
}

func (c *change) putActor(a *graph.Actor) error {
	if err := c.removeActor(a.Founder); err != nil {
		return err
	}
	c.set(refKey(spaceActor, a.Founder), encodeActor(a))
	for i, m := range a.Members {
		c.set(refKey(spaceMember, m), appendString(appendString(nil, a.Founder.Tenant), a.Founder.Case))
		c.set(idKey(a.IDs[i]), appendString(appendString(nil, m.Tenant), m.Case))
	}
	return nil
}

// Bits of a fan-out.
const (
	fanoutAlarm = 1
	fanoutWide  = 2
)

func encodeFanout(f graph.Fanout) []byte {
	b := binary.AppendVarint(nil, int64(f.Day))
	b = binary.AppendUvarint(b, uint64(f.Made))
	bits := byte(0)
	if f.Alarm {
		bits |= fanoutAlarm
	}
	if f.Wide {
		bits |= fanoutWide
	}
	return append(b, bits)
}

func decodeFanout(val []byte) (graph.Fanout, error) {
	d := decoder{s: string(val)}
	f := graph.Fanout{Day: int32(d.varint()), Made: d.uint32()}
	bits := d.byte()
	f.Alarm, f.Wide = bits&fanoutAlarm != 0, bits&fanoutWide != 0
	if bits > fanoutAlarm|fanoutWide {
		d.fail()
	}
	return f, d.done("fan-out")
}

// setFanout replaces the fan-out of a case and its place in the tallies.
func (c *change) setFanout(ref evidence.Ref, f graph.Fanout) error {
	key := fanoutKey(ref)
	val, err := c.get(key)
	if err != nil {
		return err
	}
	if val != nil {
		old, err := decodeFanout(val)
		if err != nil {
			return err
		}
		if old.Made > 0 && (old.Day != f.Day || f.Made == 0) {
			c.remove(append(tallyPrefix(ref.Tenant, old.Day), ref.Case...))
		}
	}
	if f.Made > 0 {
		c.set(append(tallyPrefix(ref.Tenant, f.Day), ref.Case...), binary.AppendUvarint(nil, uint64(f.Made)))
	}
	switch {
	case f != (graph.Fanout{}):
		c.set(key, encodeFanout(f))
	case val != nil:
		c.remove(key)
	}
	return nil
}

func (s *snapshot) ActorOf(ref evidence.Ref) (a *graph.Actor, err error) {
	var founder evidence.Ref
	ok, err := s.get(refKey(spaceMember, ref), func(val []byte) error {
		d := decoder{s: string(val)}
		founder = d.ref()
		return d.done("member of an actor")
	})
	if err != nil || !ok {
		return nil, err
	}
	ok, err = s.get(refKey(spaceActor, founder), func(val []byte) (err error) {
		a, err = decodeActor(founder, val)
		return err
	})
	if err == nil && !ok {
		err = unreadable("actor")
	}
	return a, err
}

func (s *snapshot) ActorCase(id string) (ref evidence.Ref, ok bool, err error) {
	if len(id) > graph.MaxKeptKey {
		return ref, false, nil
	}
	ok, err = s.get(idKey(id), func(val []byte) error {
		d := decoder{s: string(val)}
		ref = d.ref()
		return d.done("id of an actor")
	})
	return ref, ok, err
}

func (s *snapshot) ActorsAfter(after evidence.Ref) iter.Seq2[*graph.Actor, error] {
	return func(yield func(*graph.Actor, error) bool) {
		// Behind the ids.
		start := []byte{spaceActor, besideID + 1}
		if after != (evidence.Ref{}) {
			start = append(refKey(spaceActor, after), 0)
		}
		for it, err := range s.from([]byte{spaceActor}, start) {
			var a *graph.Actor
			if err == nil {
				founder, ok := parseRef(it.Item().Key()[1:])
				err = s.value(it, func(val []byte) (err error) {
					a, err = decodeActor(founder, val)
					return err
				})
				if err == nil && !ok {
					err = unreadable("actor")
				}
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) FanoutOf(ref evidence.Ref) (f graph.Fanout, err error) {
	_, err = s.get(fanoutKey(ref), func(val []byte) (err error) {
		f, err = decodeFanout(val)
		return err
	})
	return f, err
}

func (s *snapshot) Fanouts() iter.Seq2[graph.CaseFanout, error] {
	return func(yield func(graph.CaseFanout, error) bool) {
		prefix := []byte{spaceMember, besideFanout}
		for it, err := range s.from(prefix, prefix) {
			var f graph.CaseFanout
			ok := true
			if err == nil {
				f.Ref, ok = parseRef(it.Item().Key()[len(prefix):])
				err = s.value(it, func(val []byte) (err error) {
					f.Fanout, err = decodeFanout(val)
					return err
				})
			}
			if err == nil && !ok {
				err = unreadable("fan-out")
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) Tallies(tenant string, day int32) iter.Seq2[graph.Tally, error] {
	return func(yield func(graph.Tally, error) bool) {
		prefix := tallyPrefix(tenant, day)
		for it, err := range s.from(prefix, prefix) {
			t := graph.Tally{Ref: evidence.Ref{Tenant: tenant}}
			if err == nil {
				t.Case = string(it.Item().Key()[len(prefix):])
				err = s.value(it, func(val []byte) error {
					d := decoder{s: string(val)}
					t.Made = d.uint32()
					return d.done("fan-out")
				})
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) Header(ref evidence.Ref) (c *graph.StoredCase, err error) {
	ok, err := s.get(refKey(spaceHeader, ref), func(val []byte) error {
		h, err := decodeHeader(val)
		if err == nil {
			c, err = s.pack.stored(ref, h)
		}
		return err
	})
	if err == nil && !ok {
		err = graph.ErrNotFound
	}
	return c, err
}

func (s *snapshot) RowsOfCase(ref evidence.Ref) iter.Seq2[graph.Row, error] {
	return func(yield func(graph.Row, error) bool) {
		prefix := pairsOf(spaceRow, ref)
		for it, err := range s.from(prefix, prefix) {
			var row graph.Row
			if err == nil {
				row, err = s.rowAt(it)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}
