package badger

import (
	"bytes"
	"context"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// historiesTogether is how many events one change of ForgetEvents replaces.
const historiesTogether = 1_000

// ForgetEvents implements graph.Anchors. Each change is whole, and what is left after
// an interruption is found by the next call.
func (s *Store) ForgetEvents(ctx context.Context, tenant string) error {
	for after := []byte{spaceEvent}; after != nil; {
		changed := writes{}
		var err error
		if after, err = s.eventsNaming(ctx, tenant, after, changed); err != nil {
			return err
		}
		if len(changed) == 0 {
			continue
		}
		err = s.write(ctx, false, func(_ *writer, c *change) error {
			for key, w := range changed {
				// Read before it is overwritten, see longValue.
				val, err := c.get([]byte(key))
				if err != nil {
					return err
				}
				if val == nil {
					// It was dropped meanwhile.
					continue
				}
				if w.val != nil {
					c.set([]byte(key), w.val)
					continue
				}
				c.remove([]byte(key))
				if err := c.uncount([]byte(key)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.forgetSizes(ctx, tenant)
}

// uncount takes an event from the size of its history.
func (c *change) uncount(event []byte) error {
	founder, ok := parseRef(event[1 : len(event)-len(lastPlace)-1])
	if !ok {
		return unreadable("event of an actor")
	}
	key := historyKey(founder)
	val, err := c.get(key)
	if err != nil || val == nil {
		return err
	}
	size, err := decodeHistorySize(val)
	if err == nil && size.Kept > 0 {
		size.Kept--
		c.set(key, size.encode())
	}
	return err
}

// forgetSizes removes the sizes of histories under a tenant's cases, which are empty.
func (s *Store) forgetSizes(ctx context.Context, tenant string) error {
	for {
		var keys [][]byte
		err := s.read(ctx, func(sn *snapshot) error {
			prefix := historyPrefix(tenant)
			for it, err := range sn.from(prefix, prefix) {
				if err != nil {
					return err
				}
				if keys = append(keys, it.Item().KeyCopy(nil)); len(keys) == historiesTogether {
					return nil
				}
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.write(ctx, false, func(_ *writer, c *change) error {
			for _, key := range keys {
				c.remove(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// eventsNaming gathers the events after a key that name a tenant, as they are without
// it, and returns the key to go on after, nil at the end.
func (s *Store) eventsNaming(ctx context.Context, tenant string, after []byte, changed writes) (last []byte, err error) {
	err = s.read(ctx, func(sn *snapshot) error {
		for it, err := range sn.from([]byte{spaceEvent}, append(slices.Clip(after), 0)) {
			if err != nil {
				return err
			}
			key := it.Item().Key()
			under := bytes.HasPrefix(key, tenantPrefix(spaceEvent, tenant))
			err := sn.value(it, func(val []byte) error {
				e, err := decodeEvent(val)
				if err == nil && (under || withoutTenant(&e, tenant)) {
					w := write{}
					if !under && e.Change != 0 {
						w.val = encodeEvent(&e)
					}
					changed[string(key)] = w
				}
				return err
			})
			if err != nil {
				return err
			}
			if len(changed) == historiesTogether {
				last = bytes.Clone(key)
				return nil
			}
		}
		return nil
	})
	return last, err
}

// withoutTenant takes a tenant's cases out of an event and reports whether there were
// any. The change of one that says nothing without them becomes 0.
func withoutTenant(e *graph.ActorEvent, tenant string) bool {
	own := func(r evidence.Ref) bool { return r.Tenant == tenant }
	if own(e.From) || own(e.To) {
		e.Change = 0
		return true
	}
	n := len(e.Members)
	e.Members = slices.DeleteFunc(e.Members, own)
	if len(e.Members) == 0 && e.Change != graph.ActorNamed {
		e.Change = 0
	}
	return len(e.Members) < n
}
