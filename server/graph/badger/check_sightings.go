package badger

import (
	"bytes"
	"errors"
	"reflect"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// eachAsked calls f with the sightings that a case asks for.
func (k *checker) eachAsked(p *evidence.Profile, f func(byte, evidence.Value, graph.Sighting) error) error {
	space := byte(spacePosting)
	switch {
	case p.Dismissed:
		return nil
	case !p.Live:
		space = spaceWithheld
	}
	for _, s := range p.Sightings {
		if err := f(space, s.Value, sighting(p.Ref, s)); err != nil {
			return err
		}
	}
	return nil
}

// sightings compares one by one, both ways, where the sums are not equal.
func (k *checker) sightings() error {
	if k.asked == k.stored {
		return nil
	}
	for it, err := range k.from([]byte{spaceHeader}, []byte{spaceHeader}) {
		if err != nil {
			return err
		}
		ref, _ := parseRef(it.Item().Key()[1:])
		c, err := k.Case(ref)
		if err != nil {
			continue // has a line already
		}
		if err := k.eachAsked(c.Profile(), k.oneSighting); err != nil {
			return err
		}
	}
	for _, space := range []byte{spacePosting, spaceWithheld} {
		for it, err := range k.from([]byte{space}, []byte{space}) {
			if err != nil {
				return err
			}
			if err := k.isAsked(space, bytes.Clone(it.Item().Key())); err != nil {
				return err
			}
		}
	}
	for it, err := range k.from([]byte{spaceValue}, []byte{spaceValue}) {
		if err != nil {
			return err
		}
		_, r, err := k.at(it)
		if err != nil {
			continue // has a line already
		}
		only := r.only()
		if only == nil {
			continue
		}
		if err := k.isAsked(spacePosting, sightingKey(spacePosting, it.Item().Key()[1:], only.Ref, only.Last)); err != nil {
			return err
		}
	}
	return nil
}

// isAsked reports a sighting key that its case does not ask for.
func (k *checker) isAsked(space byte, key []byte) error {
	_, value, place, _, ok := cutValueKey(key[1:])
	at, isPlace := parsePlace(place)
	if !ok || !isPlace {
		return k.line("sighting %x: no sighting key", key)
	}
	p, err := k.Profile(at.Ref)
	if errors.Is(err, graph.ErrNotFound) {
		return k.line("sighting %x: no case %s", key, at.Ref)
	}
	if err != nil {
		return err
	}
	if !p.Dismissed && p.Live == (space == spacePosting) {
		for _, s := range p.Sightings {
			if n := newNode(s.Value); bytes.Equal(n.key, value) && seconds(s.Last) == seconds(at.Last) {
				return nil
			}
		}
	}
	return k.line("sighting %x: case %s has none there", key, at.Ref)
}

func (k *checker) oneSighting(space byte, v evidence.Value, want graph.Sighting) error {
	got, ok, err := k.stands(space, newNode(v).key, want)
	switch {
	case err != nil:
		return k.line("case %s: sighting of %s %q: %v", want.Ref, v.Kind, v.Text, err)
	case !ok:
		return k.line("case %s: no sighting of %s %q", want.Ref, v.Kind, v.Text)
	case !reflect.DeepEqual(got, want):
		return k.line("case %s: the sighting of %s %q is not that of the case", want.Ref, v.Kind, v.Text)
	}
	return nil
}

// stands returns the sighting of the case of another one at its place.
func (k *checker) stands(space byte, value []byte, at graph.Sighting) (got graph.Sighting, ok bool, err error) {
	if space == spacePosting {
		// An unreadable record has a line already.
		r, _, _ := k.record(value)
		if only := r.only(); only != nil && only.Ref == at.Ref {
			return *only, true, nil
		}
	}
	ok, err = k.get(sightingKey(space, value, at.Ref, at.Last), func(val []byte) (err error) {
		got, _, err = decodePosting(graph.Position{Ref: at.Ref, Last: at.Last}, val)
		return err
	})
	return got, ok, err
}
