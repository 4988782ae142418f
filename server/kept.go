package server

import (
	"context"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// keptStore is the enrich.Store in the store of the graph.
type keptStore struct{ keeper graph.Keeper }

// Get implements enrich.Store.
func (s keptStore) Get(ctx context.Context, key string) ([]byte, error) {
	return s.keeper.Get(ctx, key)
}

// Put implements enrich.Store.
func (s keptStore) Put(ctx context.Context, key string, data []byte, expire time.Time) error {
	return s.keeper.Put(ctx, key, data, expire)
}

// Swap implements enrich.Store.
func (s keptStore) Swap(ctx context.Context, key string, old, data []byte) (bool, error) {
	return s.keeper.Swap(ctx, key, old, data)
}

// Scan implements enrich.Store.
func (s keptStore) Scan(ctx context.Context, prefix string) iter.Seq2[enrich.Item, error] {
	return func(yield func(enrich.Item, error) bool) {
		for entry, err := range s.keeper.Scan(ctx, prefix) {
			if !yield(enrich.Item{Key: entry.Key, Data: entry.Data}, err) {
				return
			}
		}
	}
}
