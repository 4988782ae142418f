package export

import (
	"cmp"
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
	storedHints = "export/tagged-hint/"
	// hintShards is the number of entries that the hashes of a tenant are spread
	// over, by their first bits.
	hintShards = 32
	hashBytes  = 8
	tagBytes   = 4
	// MaxHints is how many hashes a tenant may have: with room for an uneven spread,
	// what its entries hold.
	MaxHints = 100_000
)

// Hashes stored before there were tags.
const (
	untaggedHints  = "export/hint/"
	untaggedShards = 16
)

// ErrTooManyHints is returned for more tokens than a tenant may have.
var ErrTooManyHints = errors.New("a tenant may have 100,000 hashes of victim tokens")

func hintShard(tenant string, n int) string {
	return fmt.Sprintf("%s%s/%02x", storedHints, tenant, n)
}

// hintKeys are all entries of a tenant.
func hintKeys(tenant string) []string {
	var out []string
	for n := range hintShards {
		out = append(out, hintShard(tenant, n))
	}
	for n := range untaggedShards {
		out = append(out, fmt.Sprintf("%s%s/%x", untaggedHints, tenant, n))
	}
	return out
}

// Remove drops the hashes of a tenant.
func (h *Hints) Remove(ctx context.Context, tenant string) error {
	h.changes.Lock()
	defer h.changes.Unlock()
	for _, key := range hintKeys(tenant) {
		if err := h.keeper.Put(ctx, key, nil, time.Unix(1, 0)); err != nil {
			return err
		}
	}
	return nil
}

// Load returns the hashes of a tenant, each once.
func (h *Hints) Load(ctx context.Context, tenant string) ([]victim.Hash, error) {
	var out []victim.Hash
	tagged := make(map[uint64]bool)
	for i, key := range hintKeys(tenant) {
		data, err := h.keeper.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if i < hintShards {
			for _, hash := range readHints(data) {
				tagged[hash.Exact] = true
				out = append(out, hash)
			}
			continue
		}
		for at := 0; at+hashBytes <= len(data); at += hashBytes {
			if exact := binary.BigEndian.Uint64(data[at:]); !tagged[exact] {
				out = append(out, victim.Hash{Exact: exact})
			}
		}
	}
	return out, nil
}

func readHints(data []byte) []victim.Hash {
	const size = hashBytes + tagBytes
	out := make([]victim.Hash, 0, len(data)/size)
	for at := 0; at+size <= len(data); at += size {
		out = append(out, victim.Hash{
			Exact: binary.BigEndian.Uint64(data[at:]), Tag: binary.BigEndian.Uint32(data[at+hashBytes:]), Tagged: true,
		})
	}
	return out
}

// Add keeps the hashes of hints for a tenant, durable when it returns, and returns
// how many are new and how many there are. Hints that are too short to name
// anybody are passed over. After an error some may be kept; to add them again is
// harmless.
func (h *Hints) Add(ctx context.Context, tenant string, hints []string) (added, total int, err error) {
	h.changes.Lock()
	defer h.changes.Unlock()
	tag := h.keys.tokenTagger()
	var fresh [hintShards][]victim.Hash
	for _, hint := range hints {
		for _, token := range victim.Tokens(hint) {
			hash := victim.Hash{Exact: h.keys.TokenHash(token), Tag: tag([]byte(token)), Tagged: true}
			n := hash.Exact >> 59
			fresh[n] = append(fresh[n], hash)
		}
	}
	known, err := h.Load(ctx, tenant)
	if err != nil {
		return 0, 0, err
	}
	// What is there without a tag gets one, and is not new.
	before := make(map[uint64]bool, len(known))
	for _, hash := range known {
		before[hash.Exact] = true
	}
	total = len(before)
	var next [hintShards][]byte
	for n := range fresh {
		data, err := h.keeper.Get(ctx, hintShard(tenant, n))
		if err != nil {
			return 0, 0, err
		}
		old := readHints(data)
		all := append(slices.Clone(old), fresh[n]...)
		slices.SortFunc(all, func(x, y victim.Hash) int { return cmp.Compare(x.Exact, y.Exact) })
		all = slices.CompactFunc(all, func(x, y victim.Hash) bool { return x.Exact == y.Exact })
		if len(all) == len(old) {
			continue
		}
		for _, hash := range all {
			if !before[hash.Exact] {
				before[hash.Exact] = true
				added, total = added+1, total+1
			}
			next[n] = binary.BigEndian.AppendUint64(next[n], hash.Exact)
			next[n] = binary.BigEndian.AppendUint32(next[n], hash.Tag)
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
