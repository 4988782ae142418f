package badger

import (
	"context"
	"iter"
	"math/bits"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Submit implements graph.Writer.
func (s *Store) Submit(ctx context.Context, c *evidence.Case, expected *uint32) (graph.Receipt, error) {
	hash := c.ContentHash()
	// Most of what is submitted again is unchanged: that needs no writer.
	var receipt graph.Receipt
	err := s.read(ctx, func(sn *snapshot) error {
		m, err := sn.meta(c.Ref)
		if err != nil {
			return err
		}
		receipt, err = decide(c.Ref, m, hash, expected)
		return err
	})
	if err != nil || receipt.Outcome == graph.Unchanged {
		return receipt, err
	}
	if err := s.room.admit(ctx); err != nil {
		return graph.Receipt{}, err
	}
	packed := s.pack.packCase(c, hash)
	// The writer may still be at it when ctx ends here, so it must not write to
	// a variable that this call returns.
	answer := make(chan graph.Receipt, 1)
	err = s.writeCase(ctx, func(w *writer, ch *change) error {
		receipt, err := w.submit(ch, packed, expected)
		if err == nil {
			answer <- receipt
		}
		return err
	})
	if err != nil {
		return graph.Receipt{}, err
	}
	return <-answer, nil
}

// decide says what a submit does to the case that is stored as m, whose revision
// is 0 if there is none.
func decide(ref evidence.Ref, m graph.Meta, hash [32]byte, expected *uint32) (graph.Receipt, error) {
	if expected != nil && *expected != m.Revision {
		return graph.Receipt{}, &graph.RevisionError{Ref: ref, Expected: *expected, Current: m.Revision}
	}
	switch {
	case m.Revision == 0:
		return graph.Receipt{Outcome: graph.Created}, nil
	case m.ContentHash == hash:
		return graph.Receipt{Outcome: graph.Unchanged, Meta: m}, nil
	}
	return graph.Receipt{Outcome: graph.Replaced}, nil
}

func (w *writer) submit(c *change, p *packedCase, expected *uint32) (graph.Receipt, error) {
	before, err := c.meta(p.ref)
	if err != nil {
		return graph.Receipt{}, err
	}
	receipt, err := decide(p.ref, before, p.hash, expected)
	if err != nil || receipt.Outcome == graph.Unchanged {
		return receipt, err
	}
	now := w.now().UTC().Truncate(time.Microsecond)
	receipt.Meta = graph.Meta{Revision: before.Revision + 1, ContentHash: p.hash, CreateTime: now, UpdateTime: now}
	old := &evidence.Profile{Ref: p.ref, Dismissed: true}
	if receipt.Outcome == graph.Replaced {
		receipt.CreateTime = before.CreateTime
		// A clock that was set back must not have a case change before it was made.
		if now.Before(receipt.CreateTime) {
			receipt.UpdateTime = receipt.CreateTime
		}
		if old, err = c.profile(p.ref); err != nil {
			return graph.Receipt{}, err
		}
		// Read before they are overwritten, see longValue.
		if _, err := c.get(refKey(spaceBody, p.ref)); err != nil {
			return graph.Receipt{}, err
		}
		// Its times, and whether it is live, decide about its actor.
		c.touch(graph.Touched{A: p.ref})
		if err := c.touchReviewed(p.ref); err != nil {
			return graph.Receipt{}, err
		}
	}
	if err := w.relate(c, old, p.profile); err != nil {
		return graph.Receipt{}, err
	}
	c.set(refKey(spaceHeader, p.ref), header{receipt.Meta, p.head}.encode())
	c.set(refKey(spaceBody, p.ref), p.findings)
	c.set(refKey(spaceProfile, p.ref), p.encoded)
	return receipt, nil
}

// Delete implements graph.Writer.
func (s *Store) Delete(ctx context.Context, ref evidence.Ref) error {
	if err := s.room.admit(ctx); err != nil {
		return err
	}
	return s.writeCase(ctx, func(w *writer, c *change) error {
		m, err := c.meta(ref)
		if err != nil {
			return err
		}
		if m.Revision == 0 {
			return graph.ErrNotFound
		}
		old, err := c.profile(ref)
		if err != nil {
			return err
		}
		if _, err := c.get(refKey(spaceBody, ref)); err != nil {
			return err
		}
		if err := w.relate(c, old, &evidence.Profile{Ref: ref, Dismissed: true}); err != nil {
			return err
		}
		for _, space := range []byte{spaceHeader, spaceBody, spaceProfile} {
			c.remove(refKey(space, ref))
		}
		c.touch(graph.Touched{A: ref})
		return c.forget(ref)
	})
}

func (c *change) meta(ref evidence.Ref) (graph.Meta, error) {
	val, err := c.get(refKey(spaceHeader, ref))
	if err != nil || val == nil {
		return graph.Meta{}, err
	}
	h, err := decodeHeader(val)
	return h.Meta, err
}

func (c *change) profile(ref evidence.Ref) (*evidence.Profile, error) {
	val, err := c.get(refKey(spaceProfile, ref))
	if err != nil {
		return nil, err
	}
	return decodeProfile(ref, val)
}

// relate replaces what one profile of a case adds to the values by what another
// does: sightings, counts, marks, size. A dismissed profile adds nothing.
func (w *writer) relate(c *change, old, now *evidence.Profile) error {
	for v, t := range turns(old, now) {
		if err := w.relateValue(c, v, t); err != nil {
			return err
		}
	}
	if err := w.markDay(c); err != nil {
		return err
	}
	if old.Live == now.Live || !w.counted(now.Tenant) {
		return nil
	}
	size, err := c.number(keySize)
	if err != nil {
		return err
	}
	before := size
	if now.Live {
		size++
	} else {
		size--
	}
	c.setNumber(keySize, size)
	if rounded(before) == rounded(size) {
		return nil
	}
	return c.restartSweep(nil)
}

// rounded is the binary logarithm of N: scores change only with it.
func rounded(size uint64) int { return bits.Len64(max(size, 1024) - 1) }

// turn is what a change of a case does to one value: the sightings before and
// after it, nil where there is none.
type turn struct {
	ref        evidence.Ref
	live, held [2]*evidence.Sighting
	// scores says that the case is live before or after. Else no score changes,
	// and a mark would only tell of a case that nobody may know of.
	scores bool
}

// turns yields every value of either profile, in order.
func turns(old, now *evidence.Profile) iter.Seq2[evidence.Value, turn] {
	return func(yield func(evidence.Value, turn) bool) {
		x, y := old.Sightings, now.Sightings
		for len(x) > 0 || len(y) > 0 {
			order := 0
			switch {
			case len(x) == 0:
				order = 1
			case len(y) == 0:
				order = -1
			default:
				order = x[0].Compare(y[0].Value)
			}
			t := turn{ref: now.Ref, scores: old.Live || now.Live}
			var v evidence.Value
			if order <= 0 {
				v = x[0].Value
				t.put(0, old, &x[0])
				x = x[1:]
			}
			if order >= 0 {
				v = y[0].Value
				t.put(1, now, &y[0])
				y = y[1:]
			}
			if !yield(v, t) {
				return
			}
		}
	}
}

func (t *turn) put(side int, of *evidence.Profile, s *evidence.Sighting) {
	switch {
	case of.Live:
		t.live[side] = s
	case !of.Dismissed:
		t.held[side] = s
	}
}

func (w *writer) relateValue(c *change, v evidence.Value, t turn) error {
	n := newNode(v)
	r, err := c.record(n)
	if err != nil {
		return err
	}
	tenants, cases := r.tenants, r.cases
	sequence, err := c.next()
	if err != nil {
		return err
	}

	if only := r.only(); only != nil && only.Ref != t.ref && (t.live[0] != nil || t.live[1] != nil) {
		key := sightingKey(spacePosting, n.key, only.Ref, only.Last)
		c.setSighting(key, len(sightingPrefix(spacePosting, n.key, only.Tenant)), encodePosting(r.alone, *only), false)
		r.alone = 0
	}
	counted := false
	if s := t.live[0]; s != nil {
		// Asked before the record forgets the case.
		alone := t.live[1] == nil && !w.tenantHasOther(c, n, &r, t.ref, s, false)
		delete(w.present, string(sightingPrefix(spacePosting, n.key, t.ref.Tenant)))
		r.remove(sighting(t.ref, *s))
		if alone {
			r.tenants--
		}
		counted = true
	}
	if s := t.live[1]; s != nil {
		if t.live[0] == nil && !w.tenantHasOther(c, n, &r, t.ref, s, true) {
			r.tenants++
		}
		delete(w.others, string(sightingPrefix(spacePosting, n.key, t.ref.Tenant)))
		r.add(sighting(t.ref, *s))
		counted = true
	}
	if t.held[0] != nil {
		r.withheld--
		counted = true
	}
	if t.held[1] != nil {
		r.withheld++
		counted = true
	}
	if err := c.moveLive(n, &r, t.ref, sequence, t.live); err != nil {
		return err
	}
	if err := c.moveSighting(spaceWithheld, n, t.ref, sequence, t.held); err != nil {
		return err
	}
	if t.scores {
		reaches := w.limits.Reaches(tenants, cases, r.tenants, r.cases)
		// A mark that was read before has to be seen to have been left anew.
		if reaches || r.mark != nil || t.live[0] != nil || w.limits.Pairs(tenants, r.tenants) {
			if err := w.leave(c, n, &r, tenants); err != nil {
				return err
			}
		}
		if reaches {
			r.mark.expand = sequence
			r.mark.touched = r.mark.touched || w.limits.WeighsAgain(tenants, r.tenants)
		}
	} else if !counted {
		return nil
	}
	c.setRecord(n, &r)
	return nil
}

// tenantHasOther reports whether the tenant of ref has another live case on the
// value. It is asked before a sighting of ref comes or goes.
func (w *writer) tenantHasOther(c *change, n node, r *record, ref evidence.Ref, s *evidence.Sighting, comes bool) bool {
	if slices.ContainsFunc(r.newest, func(o graph.Sighting) bool { return o.Tenant == ref.Tenant && o.Case != ref.Case }) {
		return true
	}
	if r.whole() {
		return false
	}
	prefix := sightingPrefix(spacePosting, n.key, ref.Tenant)
	if comes && w.present[string(prefix)] {
		return true
	}
	at, other := c.other(w.sightings(spacePosting), prefix, w.others[string(prefix)], sightingKey(spacePosting, n.key, ref, s.Last))
	if at != nil && !comes {
		if len(w.others) == maxPresent {
			clear(w.others)
		}
		// The sighting of ref, which may stand before it, goes now.
		w.others[string(prefix)] = at
	}
	if comes {
		if len(w.present) == maxPresent {
			clear(w.present)
		}
		w.present[string(prefix)] = true
	}
	return other
}

// moveLive replaces the live sighting of a case, where r counts the new one already:
// in the record as long as it is the only one.
func (c *change) moveLive(n node, r *record, ref evidence.Ref, sequence uint64, side [2]*evidence.Sighting) error {
	if side[0] == nil && side[1] == nil {
		return nil
	}
	inRecord := r.alone > 0
	switch {
	case inRecord && stays(side):
		return nil
	case side[1] != nil && (inRecord || side[0] == nil) && r.holds():
		r.alone = sequence
		return nil
	case inRecord:
		r.alone, side[0] = 0, nil
	}
	return c.moveSighting(spacePosting, n, ref, sequence, side)
}

// stays reports whether two sightings of a case on a value are stored alike.
func stays(side [2]*evidence.Sighting) bool {
	old, now := side[0], side[1]
	return old != nil && now != nil && seconds(old.First) == seconds(now.First) && seconds(old.Last) == seconds(now.Last) &&
		old.Count == now.Count && slices.Equal(old.Roles, now.Roles)
}

// moveSighting replaces the sighting of a case in one of the two spaces.
func (c *change) moveSighting(space byte, n node, ref evidence.Ref, sequence uint64, side [2]*evidence.Sighting) error {
	if stays(side) {
		return nil
	}
	old, now := side[0], side[1]
	if old != nil {
		key := sightingKey(space, n.key, ref, old.Last)
		// Only roles make a sighting long. Read before it is removed, see
		// longValue.
		if len(old.Roles) > len(knownRoles) {
			if _, err := c.get(key); err != nil {
				return err
			}
		}
		c.remove(key)
	}
	if now != nil {
		key := sightingKey(space, n.key, ref, now.Last)
		prefix := len(sightingPrefix(space, n.key, ref.Tenant))
		c.setSighting(key, prefix, encodePosting(sequence, sighting(ref, *now)), old != nil)
	}
	return nil
}
