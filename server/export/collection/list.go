package collection

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// entry is what is remembered of a unit: of a value with all its objects, or of one
// object that belongs to none, which has no kind and its id as text.
type entry struct {
	Kind    evidence.Kind `json:"k,omitempty"`
	Text    string        `json:"t"`
	Written string        `json:"w,omitempty"`
	// Sum tells one content from the next.
	Sum string `json:"s,omitempty"`
	// Added is when this content was offered first, in microseconds: no two of a
	// collection are equal.
	Added int64 `json:"a"`
	// Created and Modified are those of its objects, in milliseconds.
	Created  int64 `json:"c"`
	Modified int64 `json:"m"`
	// What has to be known to revoke it.
	Indicator bool            `json:"i,omitempty"`
	First     int64           `json:"f,omitempty"` // seconds; 0: unknown
	Last      int64           `json:"l,omitempty"`
	Object    json.RawMessage `json:"o,omitempty"`
	// Was says that it is context now, and that the indicator that it was is revoked.
	Was bool `json:"x,omitempty"`
	// Shared says that another value has its observable.
	Shared bool `json:"h,omitempty"`
	// Gone says that it was revoked. That is for ever: what comes back does so in
	// another round, under other identifiers.
	Gone  bool   `json:"g,omitempty"`
	Round uint32 `json:"n,omitempty"`
}

func (e *entry) value() evidence.Value { return evidence.Value{Kind: e.Kind, Text: e.Text} }

// list is where the entries of a collection are kept.
type list struct {
	keeper graph.Keeper
	id     export.UUID
	head   head
}

// head says which entries are the current ones.
type head struct {
	Generation uint32
	// Last is the newest time of an entry, in microseconds.
	Last int64
	// Written is when the entries were, in seconds.
	Written int64
}

const (
	keptPrefix = "collection/"
	// chunkBytes bounds a record of entries, below graph.MaxKeptData.
	chunkBytes = 60 << 10
	// keptFor is how long a collection is remembered that nobody asks for, and how long
	// what is gone is told.
	keptFor = 400 * 24 * time.Hour
	// renewedAfter is when unchanged entries are written again.
	renewedAfter = 100 * 24 * time.Hour
)

func (l *list) key() string { return keptPrefix + l.id.String() }

func (l *list) chunks(generation uint32) string {
	return fmt.Sprintf("%s/%08x/", l.key(), generation)
}

func openList(ctx context.Context, keeper graph.Keeper, id export.UUID) (*list, error) {
	l := &list{keeper: keeper, id: id}
	data, err := keeper.Get(ctx, l.key())
	if err != nil || data == nil {
		return l, err
	}
	if err := json.Unmarshal(data, &l.head); err != nil {
		return nil, fmt.Errorf("a collection: %w", err)
	}
	return l, nil
}

// entries yields what is remembered, in order of value.
func (l *list) entries(ctx context.Context) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		if l.head.Generation == 0 {
			return
		}
		for kept, err := range l.keeper.Scan(ctx, l.chunks(l.head.Generation)) {
			var chunk []entry
			if err == nil {
				err = json.Unmarshal(kept.Data, &chunk)
			}
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range chunk {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// replace keeps other entries in place of those that there are, all or none of them.
func (l *list) replace(ctx context.Context, entries iter.Seq2[entry, error], last int64, now time.Time) error {
	next := head{l.head.Generation + 1, last, now.Unix()}
	expire := now.Add(keptFor)
	// What a crash left behind under this number is not of this list.
	if err := l.forget(ctx, next.Generation); err != nil {
		return err
	}
	var chunk bytes.Buffer
	n := 0
	flush := func() error {
		if chunk.Len() == 0 {
			return nil
		}
		chunk.WriteByte(']')
		err := l.keeper.Put(ctx, l.chunks(next.Generation)+fmt.Sprintf("%08x", n), bytes.Clone(chunk.Bytes()), expire)
		n++
		chunk.Reset()
		return err
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		one, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if chunk.Len()+len(one) > chunkBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if chunk.Len() == 0 {
			chunk.WriteByte('[')
		} else {
			chunk.WriteByte(',')
		}
		chunk.Write(one)
	}
	if err := flush(); err != nil {
		return err
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := l.keeper.Put(ctx, l.key(), data, expire); err != nil {
		return err
	}
	old := l.head.Generation
	l.head = next
	return l.forget(ctx, old)
}

func (l *list) forget(ctx context.Context, generation uint32) error {
	var keys []string
	for kept, err := range l.keeper.Scan(ctx, l.chunks(generation)) {
		if err != nil {
			return err
		}
		keys = append(keys, kept.Key)
	}
	for _, k := range keys {
		// Expired since long.
		if err := l.keeper.Put(ctx, k, nil, time.Unix(1, 0)); err != nil {
			return err
		}
	}
	return nil
}
