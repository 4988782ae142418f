package graph

import (
	"context"
	"iter"
	"time"
)

// Keeper keeps small entries beside the graph, in a space of their own: no case,
// value or link depends on one. They are as durable as cases are.
//
// Keys are 1 to MaxKeptKey bytes, data up to MaxKeptData. Slices that go in or
// come out belong to the caller. It is safe for concurrent use.
type Keeper interface {
	// Get returns the data under a key; nil if there is none or its time is over.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put writes data until expire, for ever if expire is zero. Expiry is exact to
	// a second; where it has passed already the entry is removed.
	Put(ctx context.Context, key string, data []byte, expire time.Time) error
	// Swap writes data, for ever, if what is there equals old (nil: nothing is
	// there), and reports whether it did.
	Swap(ctx context.Context, key string, old, data []byte) (bool, error)
	// Scan yields the entries whose key has the prefix, in bytewise order of keys,
	// of the state at its beginning. An error is the last element.
	Scan(ctx context.Context, prefix string) iter.Seq2[Kept, error]
}

// Kept is an entry of a Keeper.
type Kept struct {
	Key  string
	Data []byte
}

// Bounds of an entry, in bytes.
const (
	MaxKeptKey  = 512
	MaxKeptData = 64 << 10
)

// KeptSizeError is returned for an entry that is too large.
type KeptSizeError struct{ Key, Data int }

func (e *KeptSizeError) Error() string { return "an entry is too large to be kept" }
