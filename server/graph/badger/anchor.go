package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func encodeAnchor(a *graph.Anchor) []byte {
	b := binary.AppendVarint(nil, a.Time.UnixMicro())
	b = appendString(b, a.Name)
	b = appendString(b, a.Note)
	b = appendString(b, a.Author)
	b = binary.AppendUvarint(b, uint64(len(a.Aliases)))
	for _, alias := range a.Aliases {
		b = appendString(b, alias)
	}
	return b
}

func decodeAnchor(ref evidence.Ref, val []byte) (graph.Anchor, error) {
	d := decoder{s: string(val)}
	a := graph.Anchor{Ref: ref, Time: time.UnixMicro(d.varint()).UTC(), Name: d.str(), Note: d.str(), Author: d.str()}
	for range d.count() {
		if a.Aliases = append(a.Aliases, d.str()); d.bad {
			break
		}
	}
	return a, d.done("name")
}

// Anchor implements graph.Anchors.
func (s *Store) Anchor(ctx context.Context, a graph.Anchor, was []graph.Anchor, e graph.ActorEvent) error {
	if err := s.room.admit(ctx); err != nil {
		return err
	}
	// What is in the way has to be committed, so that who reads again sees it.
	return s.write(ctx, true, func(w *writer, c *change) error {
		m, err := c.meta(a.Ref)
		if err != nil {
			return err
		}
		if m.Revision == 0 {
			return graph.ErrNotFound
		}
		if err := c.unhook(a.Ref, was); err != nil {
			return err
		}
		if key := refKey(spaceAnchor, a.Ref); a.Name == "" && a.Note == "" && len(a.Aliases) == 0 {
			c.remove(key)
		} else {
			c.set(key, encodeAnchor(&a))
		}
		if e.Change == 0 {
			return nil
		}
		return c.keepEvents(w.now(), []graph.ActorEvent{e})
	})
}

// unhook holds that what hangs on cases is what hung there, and takes it from those
// that it does not go to.
func (c *change) unhook(to evidence.Ref, was []graph.Anchor) error {
	for i := range was {
		key := refKey(spaceAnchor, was[i].Ref)
		val, err := c.get(key)
		if err != nil {
			return err
		}
		var hung []byte
		if !was[i].Time.IsZero() {
			hung = encodeAnchor(&was[i])
		}
		if !bytes.Equal(val, hung) {
			return graph.ErrAnchorChanged
		}
		if val != nil && was[i].Ref != to {
			c.remove(key)
		}
	}
	return nil
}

func (s *snapshot) AnchorOf(ref evidence.Ref) (a graph.Anchor, err error) {
	a.Ref = ref
	_, err = s.get(refKey(spaceAnchor, ref), func(val []byte) (err error) {
		a, err = decodeAnchor(ref, val)
		return err
	})
	return a, err
}
