package badger

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// snapshot implements graph.Snapshot on one view.
type snapshot struct {
	reader
	ctx    context.Context
	limits graph.Limits
	pack   *packer
	// open are the iterators of sequences under way.
	open []*dgraph.Iterator
	// spare is an iterator over all sightings that no sequence has now: to open one
	// takes longer than what most find with it.
	spare *dgraph.Iterator
	over  bool
	day   *dayMark // once it was asked for
}

// end closes what the reader has left open: a sequence that was pulled from and
// not stopped. A view cannot go while an iterator is open.
func (s *snapshot) end() {
	s.over = true
	for _, it := range s.open {
		it.Close()
	}
}

func (s *snapshot) Size() (uint32, error) {
	var size uint64
	_, err := s.get([]byte(keySize), func(val []byte) (err error) {
		size, err = number(val)
		return err
	})
	return uint32(size), err
}

func (s *snapshot) Case(ref evidence.Ref) (*graph.StoredCase, error) {
	c, err := s.Header(ref)
	if err != nil {
		return nil, err
	}
	_, err = s.get(refKey(spaceBody, ref), func(val []byte) (err error) {
		c.Findings, err = s.pack.findings(val)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s *snapshot) Meta(ref evidence.Ref) (graph.Meta, error) {
	m, err := s.meta(ref)
	if err == nil && m.Revision == 0 {
		err = graph.ErrNotFound
	}
	return m, err
}

func (s *snapshot) Profile(ref evidence.Ref) (*evidence.Profile, error) { return s.profile(ref, nil) }

func (s *snapshot) Cases(tenant string, after evidence.Ref) iter.Seq2[*graph.StoredCase, error] {
	return func(yield func(*graph.StoredCase, error) bool) {
		prefix := []byte{spaceHeader}
		if tenant != "" {
			prefix = tenantPrefix(spaceHeader, tenant)
		}
		start := prefix
		if after != (evidence.Ref{}) {
			start = latest(prefix, append(refKey(spaceHeader, after), 0))
		}
		for it, err := range s.from(prefix, start) {
			var c *graph.StoredCase
			if err == nil {
				ref, _ := parseRef(it.Item().Key()[1:])
				err = s.value(it, func(val []byte) error {
					h, err := decodeHeader(val)
					if err == nil {
						c, err = s.pack.stored(ref, h)
					}
					return err
				})
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// from iterates over a prefix from a key on. It ends with the first error.
func (s *snapshot) from(prefix, start []byte) iter.Seq2[*dgraph.Iterator, error] {
	return func(yield func(*dgraph.Iterator, error) bool) {
		if s.over {
			yield(nil, errOver)
			return
		}
		it, done := s.begin(prefix)
		defer done()
		for it.Seek(start); it.ValidForPrefix(prefix); it.Next() {
			err := s.ctx.Err()
			if !yield(it, err) || err != nil {
				return
			}
			if s.over {
				yield(nil, errOver)
				return
			}
		}
	}
}

// begin opens an iterator for a sequence, and returns what ends it. One for sightings
// may go on behind the prefix.
func (s *snapshot) begin(prefix []byte) (it *dgraph.Iterator, done func()) {
	if !bytes.HasPrefix(prefix, []byte{spacePosting}) {
		return s.keep(s.iterate(prefix))
	}
	if it, s.spare = s.spare, nil; it == nil {
		it = s.iterate([]byte{spacePosting})
		s.open = append(s.open, it)
	}
	return it, func() {
		switch {
		case s.over:
		case s.spare == nil:
			s.spare = it
		default:
			// One sequence was read inside another.
			s.drop(it)
		}
	}
}

// keep has an iterator end with the snapshot at the latest.
func (s *snapshot) keep(it *dgraph.Iterator) (kept *dgraph.Iterator, done func()) {
	s.open = append(s.open, it)
	return it, func() {
		if !s.over {
			s.drop(it)
		}
	}
}

func (s *snapshot) drop(it *dgraph.Iterator) {
	s.open = slices.DeleteFunc(s.open, func(o *dgraph.Iterator) bool { return o == it })
	it.Close()
}

// errOver is returned by a sequence that is read after its snapshot has ended.
var errOver = errors.New("the snapshot has ended")

func latest(x, y []byte) []byte {
	if bytes.Compare(x, y) > 0 {
		return x
	}
	return y
}

// at returns the value and the record that an iterator over records stands on.
func (s *snapshot) at(it *dgraph.Iterator) (v evidence.Value, r record, err error) {
	v, _, _, exact, ok := cutValueKey(it.Item().Key()[1:])
	if !ok {
		return v, r, unreadable("value key")
	}
	err = s.value(it, func(val []byte) error {
		var named evidence.Value
		r, named, err = decodeRecord(val)
		if !exact {
			v = named
		}
		return err
	})
	return v, r, err
}

// known returns the value with a key, and its record.
func (s *snapshot) known(key []byte) (evidence.Value, record, error) {
	r, named, err := s.record(key)
	if v, _, _, exact, _ := cutValueKey(key); exact {
		return v, r, err
	}
	return named, r, err
}

func (s *snapshot) Summary(v evidence.Value) (graph.Summary, error) {
	n := newNode(v)
	r, _, err := s.record(n.key)
	if err != nil {
		return graph.Summary{}, err
	}
	if err := s.complete(&r, n.key); err != nil {
		return graph.Summary{}, err
	}
	return r.summary(), nil
}

func (s *snapshot) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	n := newNode(v)
	if s.caches != nil {
		if k, ok := s.caches.records.get(string(n.key), s.view); ok {
			return k.tenants, k.cases, nil
		}
	}
	_, err = s.get(recordKey(n.key), func(val []byte) error {
		tenants, cases, err = decodeSpread(val)
		return err
	})
	return tenants, cases, err
}

func (s *snapshot) Sightings(v evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	return s.sightings(spacePosting, v, after)
}

func (s *snapshot) Withheld(v evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	return s.sightings(spaceWithheld, v, after)
}

func (s *snapshot) sightings(space byte, v evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	return func(yield func(graph.Sighting, error) bool) {
		for sg, err := range s.written(space, newNode(v).key, after) {
			if !yield(sg.Sighting, err) || err != nil {
				return
			}
		}
	}
}

// written is a sighting with the number of the request that wrote it.
type written struct {
	graph.Sighting
	by uint64
}

// written yields the sightings of a value after a place. The first error is the last
// element. It goes to the keys before it tells of an only sighting, which the record has:
// who may not be told of it should wait as long as for a value that nobody has.
func (s *snapshot) written(space byte, value []byte, after *graph.Position) iter.Seq2[written, error] {
	return func(yield func(written, error) bool) {
		if s.over {
			yield(written{}, errOver)
			return
		}
		prefix := append([]byte{space}, value...)
		start := prefix
		if after != nil {
			start = append(sightingKey(space, value, after.Ref, after.Last), 0)
		}
		var alone *written
		if space == spacePosting {
			k, err := s.recall(value, true)
			if err != nil {
				yield(written{}, err)
				return
			}
			if only := k.only(); only != nil && bytes.Compare(sightingKey(space, value, only.Ref, only.Last), start) >= 0 {
				alone = &written{*only, k.alone}
			}
		}
		it, done := s.begin(prefix)
		defer done()
		for it.Seek(start); alone != nil || it.ValidForPrefix(prefix); {
			err := s.ctx.Err()
			var one written
			hasKey := alone == nil
			switch {
			case err != nil:
			case hasKey:
				one.Sighting, one.by, err = s.sightingAt(it, len(prefix))
			default:
				one, alone = *alone, nil
			}
			if !yield(one, err) || err != nil {
				return
			}
			if s.over {
				yield(written{}, errOver)
				return
			}
			if hasKey {
				it.Next()
			}
		}
	}
}

// sightingAt returns the sighting that an iterator stands on, and the sequence
// of the change that wrote it. The place begins at that byte of the key.
func (r reader) sightingAt(it *dgraph.Iterator, place int) (s graph.Sighting, sequence uint64, err error) {
	at, ok := parsePlace(it.Item().Key()[place:])
	if !ok {
		return s, 0, unreadable("sighting key")
	}
	err = r.value(it, func(val []byte) error {
		s, sequence, err = decodePosting(at, val)
		return err
	})
	return s, sequence, err
}

// derive computes from the live sightings of a value, which all have keys, what a
// record keeps of them. Without firsts it looks at maxNewest sightings of each tenant only.
func (r reader) derive(value []byte, firsts bool) (record, error) {
	var full record
	prefix := append([]byte{spacePosting}, value...)
	it := r.iterate(prefix)
	defer it.Close()
	tenant, of := "", 0
	for it.Rewind(); it.Valid(); {
		s, _, err := r.sightingAt(it, len(prefix))
		if err != nil {
			return record{}, err
		}
		if s.Tenant != tenant {
			tenant, of = s.Tenant, 0
		}
		if of == maxNewest && !firsts {
			it.Seek(behind(sightingPrefix(spacePosting, value, tenant)))
			continue
		}
		full.add(s)
		of++
		it.Next()
	}
	return full, nil
}

// complete gives a record from derive what the stored one has lost.
func (r reader) complete(rec *record, value []byte) error {
	if rec.exactNewest() && rec.exactFirst() {
		return nil
	}
	full, err := r.derive(value, !rec.exactFirst())
	if err != nil {
		return err
	}
	rec.newest = full.newest
	if !rec.exactFirst() {
		rec.firsts = full.firsts
	}
	return nil
}

// casesBefore yields the live cases on a value whose sightings were written by
// the change with that sequence or before it.
func (s *snapshot) casesBefore(value []byte, sequence uint64) iter.Seq2[evidence.Ref, error] {
	return func(yield func(evidence.Ref, error) bool) {
		for sighting, err := range s.written(spacePosting, value, nil) {
			if err == nil && sighting.by > sequence {
				continue
			}
			if !yield(sighting.Ref, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) Representatives(v evidence.Value) ([]evidence.Ref, error) {
	n := newNode(v)
	r, _, err := s.record(n.key)
	if err != nil || int(r.tenants) > s.limits.CandidateTenants {
		return nil, err
	}
	if r.whole() {
		return s.representativesOf(r.newest), nil
	}
	// From tenant to tenant: a tenant may have any number of sightings.
	refs := make([]evidence.Ref, 0, int(r.tenants)*s.limits.RepresentativesPerTenant)
	prefix := append([]byte{spacePosting}, n.key...)
	it := s.iterate(prefix)
	defer it.Close()
	tenant, of := "", 0
	for it.Rewind(); it.Valid(); {
		at, ok := parsePlace(it.Item().Key()[len(prefix):])
		if !ok {
			return nil, unreadable("sighting key")
		}
		if at.Ref.Tenant != tenant {
			tenant, of = at.Ref.Tenant, 0
		}
		if of == s.limits.RepresentativesPerTenant {
			it.Seek(behind(sightingPrefix(spacePosting, n.key, tenant)))
			continue
		}
		refs = append(refs, at.Ref)
		of++
		it.Next()
	}
	return refs, nil
}

// representativesOf picks the representatives out of all sightings of a value.
func (s *snapshot) representativesOf(all []graph.Sighting) []evidence.Ref {
	all = slices.SortedFunc(slices.Values(all), comparePlaces)
	refs := make([]evidence.Ref, 0, len(all))
	of := 0
	for i, sg := range all {
		if i == 0 || sg.Tenant != all[i-1].Tenant {
			of = 0
		}
		if of++; of <= s.limits.RepresentativesPerTenant {
			refs = append(refs, sg.Ref)
		}
	}
	return refs
}
