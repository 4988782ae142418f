package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// keeper is the space of entries that belong to nobody's case. They go through
// the writer like everything else: Swap sees what waits before it, and an entry
// costs no sync of its own.
type keeper struct{ store *Store }

// Kept implements graph.Store.
func (s *Store) Kept() graph.Keeper { return keeper{s} }

func keptKey(key string) []byte { return append([]byte{spaceKept}, key...) }

// encodeKept writes an entry. The time stands in the entry as well as in Badger's
// own field, which a change that goes through the journal loses.
func encodeKept(data []byte, expire time.Time) []byte {
	over := int64(0)
	if !expire.IsZero() {
		over = expire.Unix()
	}
	return append(binary.AppendVarint(make([]byte, 0, binary.MaxVarintLen64+len(data)), over), data...)
}

// decodeKept returns a copy of the data of an entry, nil if its time is over.
func decodeKept(val []byte, now time.Time) ([]byte, error) {
	over, n := binary.Varint(val)
	if n <= 0 {
		return nil, unreadable("kept entry")
	}
	if over != 0 && now.Unix() >= over {
		return nil, nil
	}
	return append([]byte{}, val[n:]...), nil
}

// Get implements graph.Keeper.
func (k keeper) Get(ctx context.Context, key string) (data []byte, err error) {
	err = k.store.read(ctx, func(sn *snapshot) error {
		_, err := sn.get(keptKey(key), func(val []byte) (err error) {
			data, err = decodeKept(val, k.store.now())
			return err
		})
		return err
	})
	return data, err
}

// Put implements graph.Keeper.
func (k keeper) Put(ctx context.Context, key string, data []byte, expire time.Time) error {
	if err := fitsKept(key, data); err != nil {
		return err
	}
	w := write{val: encodeKept(data, expire)}
	if !expire.IsZero() {
		left := expire.Unix() - k.store.now().Unix()
		if left <= 0 {
			w = write{}
		} else {
			// Badger has no clock but the system's.
			w.expire = uint64(time.Now().Unix() + left + 1)
		}
	}
	return k.store.write(ctx, false, func(_ *writer, c *change) error {
		c.put(string(keptKey(key)), w)
		return nil
	})
}

// Swap implements graph.Keeper.
func (k keeper) Swap(ctx context.Context, key string, old, data []byte) (bool, error) {
	if err := fitsKept(key, data); err != nil {
		return false, err
	}
	old, w := bytes.Clone(old), write{val: encodeKept(data, time.Time{})}
	did := make(chan bool, 1)
	err := k.store.write(ctx, false, func(_ *writer, c *change) error {
		val, err := c.get(keptKey(key))
		if err != nil {
			return err
		}
		var now []byte
		if val != nil {
			if now, err = decodeKept(val, k.store.now()); err != nil {
				return err
			}
		}
		same := (now == nil) == (old == nil) && bytes.Equal(now, old)
		if same {
			c.put(string(keptKey(key)), w)
		}
		did <- same
		return nil
	})
	if err != nil {
		return false, err
	}
	return <-did, nil
}

// Scan implements graph.Keeper.
func (k keeper) Scan(ctx context.Context, prefix string) iter.Seq2[graph.Kept, error] {
	return func(yield func(graph.Kept, error) bool) {
		err := k.store.read(ctx, func(sn *snapshot) error {
			start := keptKey(prefix)
			for it, err := range sn.from(start, start) {
				if err != nil {
					return err
				}
				entry := graph.Kept{Key: string(it.Item().Key()[1:])}
				err := sn.value(it, func(val []byte) (err error) {
					entry.Data, err = decodeKept(val, k.store.now())
					return err
				})
				if err != nil {
					return err
				}
				if entry.Data != nil && !yield(entry, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(graph.Kept{}, err)
		}
	}
}

func fitsKept(key string, data []byte) error {
	if len(key) == 0 || len(key) > graph.MaxKeptKey || len(data) > graph.MaxKeptData {
		return &graph.KeptSizeError{Key: len(key), Data: len(data)}
	}
	return nil
}
