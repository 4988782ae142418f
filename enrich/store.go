package enrich

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Store keeps answers, the book of classes and the ledgers of quotas. Package
// enrichtest holds the suite that every implementation passes.
//
// Keys are 1 to 512 bytes of UTF-8, data up to 64 KiB. Slices that go in or come
// out belong to the caller. Many goroutines call it at once. An error says
// nothing about whether a write happened.
type Store interface {
	// Get returns the data under a key; nil if there is none or its time is over.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put writes data under a key until expire, for ever if expire is zero. It
	// returns when a crash can no longer lose the write. Expiry is exact to a
	// second; data whose time is over already is as good as deleted.
	Put(ctx context.Context, key string, data []byte, expire time.Time) error
	// Swap writes data under a key, for ever, if what is there now equals old
	// (nil: nothing is there), and reports whether it did. It is atomic with
	// every other Put and Swap, and as durable as Put.
	Swap(ctx context.Context, key string, old, data []byte) (bool, error)
	// Scan yields what has a key with the prefix, in bytewise order of keys. After
	// an error it ends.
	Scan(ctx context.Context, prefix string) iter.Seq2[Item, error]
}

// Item is a key with its data.
type Item struct {
	Key  string
	Data []byte
}

// Memory is a Store without a disk. Its zero value is empty and ready; it must
// not be copied.
type Memory struct {
	mu    sync.Mutex
	items map[string]memoryItem
}

type memoryItem struct {
	data   []byte
	expire time.Time
}

func (m *Memory) live(key string) []byte {
	i, ok := m.items[key]
	if !ok || (!i.expire.IsZero() && !time.Now().Before(i.expire)) {
		delete(m.items, key)
		return nil
	}
	return i.data
}

func (m *Memory) put(key string, data []byte, expire time.Time) {
	if m.items == nil {
		m.items = make(map[string]memoryItem)
	}
	m.items[key] = memoryItem{append([]byte{}, data...), expire}
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.live(key)), ctx.Err()
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key string, data []byte, expire time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, data, expire)
	return nil
}

// Swap implements Store.
func (m *Memory) Swap(ctx context.Context, key string, old, data []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.live(key)
	if (now == nil) != (old == nil) || !bytes.Equal(now, old) {
		return false, nil
	}
	m.put(key, data, time.Time{})
	return true, nil
}

// Scan implements Store.
func (m *Memory) Scan(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		m.mu.Lock()
		keys := slices.Sorted(maps.Keys(m.items))
		m.mu.Unlock()
		for _, key := range keys {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			data, err := m.Get(ctx, key)
			if err != nil {
				yield(Item{}, err)
				return
			}
			if data != nil && !yield(Item{key, data}, nil) {
				return
			}
		}
	}
}
