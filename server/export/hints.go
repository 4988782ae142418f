package export

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export/victim"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Hints keeps keyed hashes of what names victims: names of people, their accounts,
// whatever a record of a tenant does not have. The texts are hashed on arrival and
// nowhere kept. It is safe for concurrent use.
type Hints struct {
	keeper  graph.Keeper
	keys    *Keys
	changes sync.Mutex
}

// NewHints returns the hints in a store.
func NewHints(keeper graph.Keeper, keys *Keys) *Hints { return &Hints{keeper: keeper, keys: keys} }

const (
	storedHints = "export/hint/"
	// hintShards is the number of entries that the hashes of a tenant are spread
	// over, by their first bits.
	hintShards = 16
	hashBytes  = 8
	// MaxHints is how many hashes a tenant may have: with room for an uneven spread,
	// what its entries hold.
	MaxHints = 100_000
)

// ErrTooManyHints is returned for more tokens than a tenant may have.
var ErrTooManyHints = errors.New("a tenant may have 100,000 hashes of victim tokens")

func hintShard(tenant string, n int) string { return fmt.Sprintf("%s%s/%x", storedHints, tenant, n) }

// Load returns the hashes of a tenant.
func (h *Hints) Load(ctx context.Context, tenant string) ([]uint64, error) {
	var out []uint64
	for n := range hintShards {
		shard, _, err := h.shard(ctx, tenant, n)
		if err != nil {
			return nil, err
		}
		out = append(out, shard...)
	}
	return out, nil
}

func (h *Hints) shard(ctx context.Context, tenant string, n int) ([]uint64, []byte, error) {
	data, err := h.keeper.Get(ctx, hintShard(tenant, n))
	if err != nil || len(data) == 0 {
		return nil, nil, err
	}
	out := make([]uint64, 0, len(data)/hashBytes)
	for at := 0; at+hashBytes <= len(data); at += hashBytes {
		out = append(out, binary.BigEndian.Uint64(data[at:]))
	}
	return out, data, nil
}

// Add keeps the hashes of hints for a tenant, durable when it returns, and returns
// how many are new and how many there are. Hints that are too short to name
// anybody are passed over. After an error some may be kept; to add them again is
// harmless.
func (h *Hints) Add(ctx context.Context, tenant string, hints []string) (added, total int, err error) {
	h.changes.Lock()
	defer h.changes.Unlock()
	var fresh [hintShards][]uint64
	for _, hint := range hints {
		for _, token := range victim.Tokens(hint) {
			hash := h.keys.TokenHash(token)
			n := hash >> 60
			fresh[n] = append(fresh[n], hash)
		}
	}
	var next [hintShards][]byte
	for n := range fresh {
		old, _, err := h.shard(ctx, tenant, n)
		if err != nil {
			return 0, 0, err
		}
		all := append(slices.Clone(old), fresh[n]...)
		slices.Sort(all)
		all = slices.Compact(all)
		added += len(all) - len(old)
		total += len(all)
		if len(all) > len(old) {
			for _, hash := range all {
				next[n] = binary.BigEndian.AppendUint64(next[n], hash)
			}
		}
		if len(next[n]) > graph.MaxKeptData {
			return 0, 0, ErrTooManyHints
		}
	}
	if total > MaxHints {
		return 0, 0, ErrTooManyHints
	}
	for n, data := range next {
		if data == nil {
			continue
		}
		if err := h.keeper.Put(ctx, hintShard(tenant, n), data, time.Time{}); err != nil {
			return 0, 0, err
		}
	}
	return added, total, nil
}
