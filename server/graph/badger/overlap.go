package badger

import (
	"encoding/binary"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Outline implements graph.Snapshot.
func (s *snapshot) Outline(ref evidence.Ref) (*evidence.Profile, error) {
	return s.part(ref, func(*profileReader) error { return nil })
}

// Overlap implements graph.Snapshot.
func (s *snapshot) Overlap(ref evidence.Ref, with *evidence.Profile) (*evidence.Profile, error) {
	return s.part(ref, func(r *profileReader) error { return r.overlap(with) })
}

// part reads a profile, of an indexed one only the sightings that read adds.
func (s *snapshot) part(ref evidence.Ref, read func(*profileReader) error) (*evidence.Profile, error) {
	return s.profile(ref, func(r *profileReader) (*evidence.Profile, error) {
		r.profile.Counts = r.counts
		return r.profile, read(r)
	})
}

// overlap reads the sightings whose values with has too, and those of mail-rule
// names, in order.
func (r *profileReader) overlap(with *evidence.Profile) error {
	names := evidence.Value{Kind: evidence.KindRuleName}
	next, namesDone := 0, false
	take := func(i int) error {
		s, err := r.sightingAt(i)
		if err == nil {
			r.profile.Sightings = append(r.profile.Sightings, s)
		}
		next = i + 1
		return err
	}
	takeNames := func() error {
		namesDone = true
		i, err := r.search(names, next)
		if err != nil {
			return err
		}
		for ; i < r.n; i++ {
			v, err := r.valueAt(i)
			if err != nil || v.Kind != evidence.KindRuleName {
				return err
			}
			if err := take(i); err != nil {
				return err
			}
		}
		return nil
	}
	for k := range with.Sightings {
		v := with.Sightings[k].Value
		if !namesDone && v.Compare(names) > 0 {
			if err := takeNames(); err != nil {
				return err
			}
		}
		if v.Kind == evidence.KindRuleName {
			continue
		}
		i, err := r.search(v, next)
		if err != nil {
			return err
		}
		if i == r.n {
			break
		}
		found, err := r.valueAt(i)
		if err != nil {
			return err
		}
		if found == v {
			if err := take(i); err != nil {
				return err
			}
		}
	}
	if namesDone {
		return nil
	}
	return takeNames()
}

// search returns the index, at or after from, of the first sighting not before
// v.
func (r *profileReader) search(v evidence.Value, from int) (int, error) {
	lo, hi := from, r.n
	for lo < hi {
		mid := (lo + hi) / 2
		found, err := r.valueAt(mid)
		if err != nil {
			return 0, err
		}
		if found.Compare(v) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}

// at returns a decoder on the sighting with an index.
func (r *profileReader) at(i int) (*decoder, error) {
	place := binary.LittleEndian.Uint32([]byte(r.places[4*i : 4*i+4]))
	if int64(place) > int64(len(r.d.s)) {
		return nil, unreadable("profile")
	}
	return &decoder{s: r.d.s[place:]}, nil
}

func (r *profileReader) valueAt(i int) (evidence.Value, error) {
	d, err := r.at(i)
	if err != nil {
		return evidence.Value{}, err
	}
	v := d.value()
	if d.bad {
		return evidence.Value{}, unreadable("profile")
	}
	return v, nil
}

func (r *profileReader) sightingAt(i int) (evidence.Sighting, error) {
	d, err := r.at(i)
	if err != nil {
		return evidence.Sighting{}, err
	}
	s := r.sighting(d)
	if d.bad {
		return evidence.Sighting{}, unreadable("profile")
	}
	return s, nil
}
