package badger

import (
	"context"
	"encoding/binary"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// trail is the record of what was done. A note has the number of the request that
// left it, so notes are in the order of changes.
type trail struct{ store *Store }

// Trail implements graph.Store.
func (s *Store) Trail() graph.Trail { return trail{s} }

// The parts of the space.
const (
	trailHead = 'h'
	trailNote = 'n'
	trailPage = 'p'
)

func trailKey(part byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceTrail, part}, number)
}

// leave adds the note of a request to its change.
func (c *change) leave(note []byte) error {
	n, err := c.next()
	if err == nil {
		c.put(string(trailKey(trailNote, n)), write{val: note})
	}
	return err
}

// Notes implements graph.Trail.
func (t trail) Notes(ctx context.Context, limit int) (notes []graph.LeftNote, err error) {
	err = t.store.read(ctx, func(sn *snapshot) error {
		prefix := []byte{spaceTrail, trailNote}
		// Notes before the first one are gone for good, since numbers grow, but Badger
		// has to step over what is left of them; the next call starts behind.
		for it, err := range sn.from(prefix, trailKey(trailNote, t.store.notedFrom.Load())) {
			if err != nil {
				return err
			}
			if len(notes) == limit {
				return nil
			}
			key := it.Item().Key()
			if len(key) != len(prefix)+8 {
				return unreadable("note")
			}
			note := graph.LeftNote{ID: binary.BigEndian.Uint64(key[len(prefix):])}
			if len(notes) == 0 {
				t.store.notedFrom.Store(note.ID)
			}
			err := sn.value(it, func(val []byte) error {
				note.Data = append([]byte{}, val...)
				return nil
			})
			if err != nil {
				return err
			}
			notes = append(notes, note)
		}
		return nil
	})
	return notes, err
}

// Head implements graph.Trail.
func (t trail) Head(ctx context.Context) ([]byte, error) {
	return t.get(ctx, []byte{spaceTrail, trailHead})
}

// Page implements graph.Trail.
func (t trail) Page(ctx context.Context, number uint64) ([]byte, error) {
	return t.get(ctx, trailKey(trailPage, number))
}

func (t trail) get(ctx context.Context, key []byte) (data []byte, err error) {
	err = t.store.read(ctx, func(sn *snapshot) error {
		_, err := sn.get(key, func(val []byte) error {
			data = append([]byte{}, val...)
			return nil
		})
		return err
	})
	return data, err
}

// Write implements graph.Trail.
func (t trail) Write(ctx context.Context, b graph.TrailBatch) error {
	writes := writes{}
	if b.Head != nil {
		if err := fitsTrail(b.Head, graph.MaxNote); err != nil {
			return err
		}
		writes[string([]byte{spaceTrail, trailHead})] = write{val: append([]byte{}, b.Head...)}
	}
	for _, p := range b.Put {
		if err := fitsTrail(p.Data, graph.MaxPage); err != nil {
			return err
		}
		writes[string(trailKey(trailPage, p.Number))] = write{val: append([]byte{}, p.Data...)}
	}
	for _, number := range b.Remove {
		writes[string(trailKey(trailPage, number))] = write{}
	}
	for _, id := range b.Taken {
		writes[string(trailKey(trailNote, id))] = write{}
	}
	return t.store.write(ctx, false, func(_ *writer, c *change) error {
		for key, w := range writes {
			c.put(key, w)
		}
		return nil
	})
}

// fitsTrail returns an error for what is too large, or empty, which no key holds.
func fitsTrail(data []byte, limit int) error {
	if len(data) == 0 || len(data) > limit {
		return &graph.KeptSizeError{Data: len(data)}
	}
	return nil
}
