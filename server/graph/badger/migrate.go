package badger

import (
	"bytes"
	"context"
	"log/slog"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// casesPerStep is how many cases one change of a migration brings up to date.
const casesPerStep = 256

// migrate brings a store of an older layout to this one. It may be interrupted at any
// point: the next opening goes on.
//
// Layout 2 has, beside the values of its case, derived ones in each profile, with
// sightings as of any value. They follow from the profile alone. Layout 3 has actors.
// In layout 4 the only live sighting of a value stands in its record; those of older
// layouts keep their keys until others come.
func (s *Store) migrate(ctx context.Context, stored uint64) error {
	if stored >= layout {
		return nil
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "bringing the store to a newer layout", slog.Uint64("from", stored), slog.Int("to", layout))
	changed := 0
	if stored < 2 {
		var err error
		if changed, err = s.deriveAll(ctx); err != nil {
			return err
		}
	}
	err := s.write(ctx, false, func(_ *writer, c *change) error {
		if stored < 3 {
			c.startRegrouping()
		}
		c.setNumber(keyLayout, layout)
		return nil
	})
	if err == nil {
		s.log.LogAttrs(ctx, slog.LevelInfo, "the store has a newer layout", slog.Int("layout", layout), slog.Int("changed cases", changed))
	}
	return err
}

// deriveAll brings profiles to layout 2 and returns how many it has changed.
func (s *Store) deriveAll(ctx context.Context) (changed int, err error) {
	after := []byte{spaceProfile}
	for {
		refs, last, err := s.underived(ctx, after)
		if err != nil {
			return changed, err
		}
		err = s.write(ctx, false, func(w *writer, c *change) error {
			for _, ref := range refs {
				if err := w.derive(c, ref); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return changed, err
		}
		changed += len(refs)
		if last == nil {
			return changed, nil
		}
		after = last
	}
}

// underived returns some cases after a key whose profile lacks derived values, and
// the key to go on after, nil at the end.
func (s *Store) underived(ctx context.Context, after []byte) (refs []evidence.Ref, last []byte, err error) {
	err = s.read(ctx, func(sn *snapshot) error {
		for it, err := range sn.from([]byte{spaceProfile}, append(slices.Clip(after), 0)) {
			if err != nil {
				return err
			}
			key := it.Item().Key()
			if len(refs) == casesPerStep {
				return nil
			}
			last = bytes.Clone(key)
			ref, ok := parseRef(key[1:])
			if !ok {
				return unreadable("profile")
			}
			err := sn.value(it, func(val []byte) error {
				p, err := decodeProfile(ref, val)
				if err == nil && len(missing(p)) > 0 {
					refs = append(refs, ref)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		last = nil
		return nil
	})
	return refs, last, err
}

// missing returns the derived sightings that a profile should have and lacks.
func missing(p *evidence.Profile) []evidence.Sighting {
	return slices.DeleteFunc(evidence.Derive(p.Sightings), func(s evidence.Sighting) bool {
		_, found := slices.BinarySearchFunc(p.Sightings, s.Value, func(o evidence.Sighting, v evidence.Value) int { return o.Compare(v) })
		return found
	})
}

// derive adds to a case what its profile lacks.
func (w *writer) derive(c *change, ref evidence.Ref) error {
	p, err := c.profile(ref)
	if err != nil {
		return err
	}
	without := evidence.Profile{Ref: ref, Live: p.Live, Dismissed: p.Dismissed}
	with := without
	with.Sightings = missing(p)
	if err := w.relate(c, &without, &with); err != nil {
		return err
	}
	p.Sightings = append(p.Sightings, with.Sightings...)
	slices.SortFunc(p.Sightings, func(a, b evidence.Sighting) int { return a.Compare(b.Value) })
	c.set(refKey(spaceProfile, ref), encodeProfile(p))
	return nil
}
