package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"reflect"
	"slices"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Check implements graph.Store. It reads the store once, front to back, and
// keeps nothing but counts and sums, so its memory does not grow with the store.
func (s *Store) Check(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.read(ctx, func(sn *snapshot) error {
			// What is stored, not what is remembered of it.
			sn.caches = nil
			k := &checker{snapshot: sn, yield: yield, counted: s.counted, seed: maphash.MakeSeed()}
			for _, part := range []func() error{k.cases, k.values, k.sightings, k.marks, k.size} {
				if err := part(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield("", err)
		}
	}
}

// errEnough ends a check whose reader wants no more lines.
var errEnough = errors.New("the reader has stopped")

type checker struct {
	*snapshot
	yield   func(string, error) bool
	counted func(tenant string) bool

	customers uint64 // live cases that count in Size
	seed      maphash.Seed
	// asked are the sightings that the cases ask for, stored those that are
	// there; marked are the marks in records, listed those in the queue. Equal
	// sums mean the same elements, in whatever order they come.
	asked, stored, marked, listed sum
}

// sum is a number of elements and the sum of their hashes.
type sum struct {
	n      int
	hashes uint64
}

func (k *checker) add(to *sum, element []byte) {
	to.n++
	to.hashes += maphash.Bytes(k.seed, element)
}

func (k *checker) addSighting(to *sum, space byte, value []byte, s graph.Sighting) {
	k.add(to, append(sightingKey(space, value, s.Ref, s.Last), encodePosting(0, s)...))
}

func (k *checker) addMark(to *sum, value string, sequence uint64, part uint32) {
	k.add(to, append(queueKey(sequence, part), value...))
}

func (k *checker) line(format string, args ...any) error {
	if !k.yield(fmt.Sprintf(format, args...), nil) {
		return errEnough
	}
	return nil
}

// cases compares every case with what is derived from it alone.
func (k *checker) cases() error {
	count := 0
	for it, err := range k.from([]byte{spaceHeader}, []byte{spaceHeader}) {
		if err != nil {
			return err
		}
		count++
		ref, ok := parseRef(it.Item().Key()[1:])
		if !ok {
			return unreadable("case key")
		}
		if err := k.oneCase(ref); err != nil {
			return err
		}
	}
	for _, space := range []byte{spaceBody, spaceProfile} {
		n := 0
		for _, err := range k.from([]byte{space}, []byte{space}) {
			if err != nil {
				return err
			}
			n++
		}
		if n != count {
			if err := k.line("%d cases, but %d %q records", count, n, space); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *checker) oneCase(ref evidence.Ref) error {
	c, err := k.Case(ref)
	if err != nil {
		return k.line("case %s: %v", ref, err)
	}
	if c.Case.ContentHash() != c.Meta.ContentHash {
		if err := k.line("case %s: the content does not have the stored hash", ref); err != nil {
			return err
		}
	}
	want := c.Profile()
	ok, err := k.get(refKey(spaceProfile, ref), func(val []byte) error {
		if bytes.Equal(val, encodeProfile(want)) {
			return nil
		}
		return k.line("case %s: the profile is not that of the case", ref)
	})
	if err != nil {
		return err
	}
	if !ok {
		if err := k.line("case %s: no profile", ref); err != nil {
			return err
		}
	}
	if want.Live && k.counted(ref.Tenant) {
		k.customers++
	}
	return k.eachAsked(want, func(space byte, v evidence.Value, s graph.Sighting) error {
		k.addSighting(&k.asked, space, newNode(v).key, s)
		return nil
	})
}

// values compares the record of every value with its sightings. Records and
// sightings are in one order.
func (k *checker) values() error {
	live, held := k.walk(spacePosting), k.walk(spaceWithheld)
	defer live.it.Close()
	defer held.it.Close()
	for it, err := range k.from([]byte{spaceValue}, []byte{spaceValue}) {
		if err != nil {
			return err
		}
		key := bytes.Clone(it.Item().Key()[1:])
		v, r, err := k.at(it)
		if err != nil {
			if err := k.line("value record %x: %v", key, err); err != nil {
				return err
			}
			continue
		}
		if !bytes.Equal(newNode(v).key, key) {
			if err := k.line("%s %q: its record has another key", v.Kind, v.Text); err != nil {
				return err
			}
		}
		if r.mark != nil {
			k.addMark(&k.marked, string(key), r.mark.sequence, r.mark.part)
		}
		if err := k.oneValue(v, key, r, live, held); err != nil {
			return err
		}
	}
	for _, w := range []*walk{live, held} {
		if err := k.orphans(w, nil); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) oneValue(v evidence.Value, key []byte, r record, live, held *walk) error {
	if err := k.orphans(live, key); err != nil {
		return err
	}
	if err := k.orphans(held, key); err != nil {
		return err
	}
	var want record
	tenant := ""
	count := func(s graph.Sighting) {
		if s.Tenant != tenant {
			tenant = s.Tenant
			want.tenants++
		}
		want.add(s)
	}
	if only := r.only(); only != nil {
		k.addSighting(&k.stored, live.space, key, *only)
		count(*only)
	}
	err := k.each(live, key, count)
	if err != nil {
		return err
	}
	err = k.each(held, key, func(graph.Sighting) { want.withheld++ })
	if err != nil {
		return err
	}
	differ := func(what string, stored, derived any) error {
		return k.line("%s %q: the record has %s %v, the sightings %v", v.Kind, v.Text, what, stored, derived)
	}
	switch {
	case r.tenants != want.tenants:
		return differ("tenants", r.tenants, want.tenants)
	case r.cases != want.cases:
		return differ("cases", r.cases, want.cases)
	case r.withheld != want.withheld:
		return differ("withheld cases", r.withheld, want.withheld)
	case r.dated != want.dated:
		return differ("dated cases", r.dated, want.dated)
	case len(r.firsts) > len(want.firsts) || !slices.Equal(r.firsts, want.firsts[:len(r.firsts)]):
		return differ("first times", r.firsts, want.firsts)
	case len(r.newest) > len(want.newest) || !sameSightings(r.newest, want.newest[:len(r.newest)]):
		return differ("newest sightings", r.newest, want.newest)
	case r.empty():
		return k.line("%s %q: an empty record", v.Kind, v.Text)
	}
	return nil
}

func sameSightings(x, y []graph.Sighting) bool {
	return slices.EqualFunc(x, y, func(x, y graph.Sighting) bool { return reflect.DeepEqual(x, y) })
}

// walk goes once through a sighting space.
type walk struct {
	space byte
	it    *dgraph.Iterator
}

func (k *checker) walk(space byte) *walk {
	w := &walk{space, k.iterate([]byte{space})}
	w.it.Rewind()
	return w
}

// each calls f with the sightings of the value with that key, where w stands.
func (k *checker) each(w *walk, key []byte, f func(graph.Sighting)) error {
	for ; w.it.Valid() && bytes.HasPrefix(w.it.Item().Key()[1:], key); w.it.Next() {
		s, _, err := k.sightingAt(w.it, 1+len(key))
		if err == nil {
			k.addSighting(&k.stored, w.space, key, s)
			f(s)
			continue
		}
		if err := k.line("sighting %x: %v", w.it.Item().Key(), err); err != nil {
			return err
		}
	}
	return nil
}

// orphans names the sightings before a value key, or all that are left: their
// values have no record.
func (k *checker) orphans(w *walk, before []byte) error {
	for ; w.it.Valid(); w.it.Next() {
		rest := w.it.Item().Key()[1:]
		if before != nil && bytes.Compare(rest, before) >= 0 {
			return nil
		}
		if err := k.line("sighting %x: its value has no record", rest); err != nil {
			return err
		}
	}
	return nil
}

// marks compares the marks in records with the queue, one by one where the sums
// are not equal.
func (k *checker) marks() error {
	err := k.eachListed(func(value string, sequence uint64, part uint32) error {
		k.addMark(&k.listed, value, sequence, part)
		return nil
	})
	if err != nil || k.listed == k.marked {
		return err
	}
	err = k.eachListed(func(value string, sequence uint64, part uint32) error {
		v, r, err := k.known([]byte(value))
		if err == nil && r.mark != nil && r.mark.sequence == sequence && r.mark.part == part {
			return nil
		}
		return k.line("%s %q: listed in queue record %d.%d, but not marked so", v.Kind, v.Text, sequence, part)
	})
	if err != nil {
		return err
	}
	return k.line("%d values are marked, %d are listed", k.marked.n, k.listed.n)
}

// eachListed calls f with every value in the queue and where it stands.
func (k *checker) eachListed(f func(value string, sequence uint64, part uint32) error) error {
	for it, err := range k.from([]byte{spaceQueue}, []byte{spaceQueue}) {
		if err != nil {
			return err
		}
		sequence, part, ok := parseQueueKey(it.Item().Key())
		if !ok {
			return unreadable("queue key")
		}
		var l listing
		err := k.value(it, func(val []byte) (err error) {
			l, err = decodeListing(val)
			return err
		})
		if err != nil {
			return err
		}
		for _, v := range l.values {
			if err := f(v, sequence, part); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *checker) size() error {
	size, err := k.Size()
	if err == nil && uint64(size) != k.customers {
		err = k.line("the size is %d, but %d live cases count", size, k.customers)
	}
	return err
}
