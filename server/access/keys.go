package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Store is what keys and tenants need of the store: small entries that are as
// durable as cases are.
type Store interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, expire time.Time) error
	Scan(ctx context.Context, prefix string) iter.Seq2[graph.Kept, error]
}

// Where records stand in the store.
const (
	storedKeys    = "access/key/"
	storedUses    = "access/used/"
	storedTenants = "access/tenant/"
)

// recordVersion is that of the records of keys and tenants.
const recordVersion = 1

// RecordVersionError is returned for a record that a newer version of this
// program has written.
type RecordVersionError struct{ Stored int }

func (e *RecordVersionError) Error() string {
	return fmt.Sprintf("a key or a tenant is stored in version %d; this program reads up to %d", e.Stored, recordVersion)
}

// keyRecord is a key as it is stored.
type keyRecord struct {
	Version int `json:"v"`
	Key
	Digest []byte
	// Before is the digest before the last rotation.
	Before []byte `json:",omitempty"`
}

// Keys are the API keys of a deployment. Create one with OpenKeys; it is safe for
// concurrent use.
type Keys struct {
	store   Store
	rules   *Rules
	log     *slog.Logger
	clock   func() time.Time
	guard   *guard
	changes sync.Mutex // held by who writes

	mu   sync.RWMutex
	byID map[string]*held
	// open ends with the first key: what began without one does too.
	open *tie
}

// OpenKeys reads the keys of a store. clock is time.Now when nil.
func OpenKeys(ctx context.Context, store Store, rules *Rules, log *slog.Logger, clock func() time.Time) (*Keys, error) {
	if clock == nil {
		clock = time.Now
	}
	k := &Keys{store: store, rules: rules, log: log, clock: clock, guard: newGuard(), byID: make(map[string]*held), open: newTie()}
	for entry, err := range store.Scan(ctx, storedKeys) {
		if err != nil {
			return nil, err
		}
		var r keyRecord
		if err := readRecord(entry.Data, &r); err != nil {
			return nil, err
		}
		if len(r.Digest) != len(digest{}) {
			return nil, fmt.Errorf("key %s is stored without a secret", r.Prefix())
		}
		k.byID[r.ID] = k.hold(r)
	}
	for entry, err := range store.Scan(ctx, storedUses) {
		if err != nil {
			return nil, err
		}
		h := k.byID[strings.TrimPrefix(entry.Key, storedUses)]
		if h != nil && len(entry.Data) == 8 {
			h.used.Store(int64(binary.BigEndian.Uint64(entry.Data)))
			h.usedWritten = h.used.Load()
		}
	}
	return k, nil
}

// readRecord reads a stored record that has its version in the field v.
func readRecord(data []byte, into any) error {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("a stored key or tenant is damaged: %w", err)
	}
	if head.Version > recordVersion {
		return &RecordVersionError{head.Version}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("a stored key or tenant is damaged: %w", err)
	}
	return nil
}

// Errors of who changes keys.
var (
	// ErrNoKey is returned for a key that does not exist.
	ErrNoKey = errors.New("no such key")
	// ErrFirstKey is returned for a first key that is no admin's: nobody could
	// make the second.
	ErrFirstKey = errors.New("the first key has to be an admin's")
	// ErrLastAdmin is returned when the last key of an admin would go.
	ErrLastAdmin = errors.New("it is the last admin key; make another first")
	// ErrKeyEnded is returned for a change of a key that was revoked or has expired.
	ErrKeyEnded = errors.New("the key was revoked or has expired")
)

// Any reports whether there has ever been a key: from then on none is needed for
// nothing.
func (k *Keys) Any() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.byID) > 0
}

// Open returns, as long as there has never been a key, a context that ends with the
// first one, with ErrEnded as cause.
func (k *Keys) Open() (until context.Context, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.open.ctx, len(k.byID) == 0
}

// admins counts the admin keys that are taken, but for one.
func (k *Keys) admins(but string) (n int) {
	now := k.clock()
	for id, h := range k.byID {
		if id != but && h.record.Role == RoleAdmin && !h.record.Ended(now) {
			n++
		}
	}
	return n
}

// Create makes a key like the one given and returns it with its secret, once it is
// durable.
func (k *Keys) Create(ctx context.Context, like Key) (Key, Secret, error) {
	k.changes.Lock()
	defer k.changes.Unlock()
	now := k.clock().UTC().Truncate(time.Second)
	key := Key{
		ID: newID(), Name: like.Name, Role: like.Role, Tenants: slices.Clone(like.Tenants), AllTenants: like.AllTenants,
		Restricted: like.Restricted, Addresses: slices.Clone(like.Addresses), Limits: like.Limits,
		Expires: like.Expires, Created: now, Revision: 1,
	}
	if err := key.check(now, k.rules.Tenants); err != nil {
		return Key{}, Secret{}, err
	}
	if key.Role != RoleAdmin && !k.Any() {
		return Key{}, Secret{}, ErrFirstKey
	}
	secret, d := newSecret(key.ID)
	h, err := k.write(ctx, keyRecord{Key: key, Digest: d[:]})
	if err != nil {
		return Key{}, Secret{}, err
	}
	return h.key(), secret, nil
}

// write stores a record and puts it in use.
func (k *Keys) write(ctx context.Context, r keyRecord) (*held, error) {
	r.Version = recordVersion
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	audit.Mention(ctx, r.Prefix(), r.Tenants...)
	if err := k.store.Put(ctx, storedKeys+r.ID, data, time.Time{}); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.byID[r.ID]
	if h == nil {
		h = k.hold(r)
		k.byID[r.ID] = h
		k.open.cut()
		return h, nil
	}
	h.exchange(r, k.clock())
	return h, nil
}

// find returns a key by its id or its prefix.
func (k *Keys) find(name string) (*held, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if h := k.byID[strings.TrimPrefix(name, keyPrefix)]; h != nil {
		return h, nil
	}
	return nil, ErrNoKey
}

// Of returns the key that a viewer came with; ok is false for one without.
func (k *Keys) Of(v Viewer) (key Key, ok bool) {
	id, keyed := strings.CutPrefix(v.name, viewerPrefix)
	if !keyed {
		return Key{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	h := k.byID[id]
	if h == nil {
		return Key{}, false
	}
	return h.key(), true
}

// Taken counts the keys that are taken now.
func (k *Keys) Taken() (n int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := k.clock()
	for _, h := range k.byID {
		if !h.record.Ended(now) {
			n++
		}
	}
	return n
}

// Revoke ends a key and everything that was opened with it. To revoke it again
// changes nothing.
func (k *Keys) Revoke(ctx context.Context, name string) (Key, error) {
	k.changes.Lock()
	defer k.changes.Unlock()
	h, err := k.find(name)
	if err != nil {
		return Key{}, err
	}
	r := h.stored()
	if !r.Revoked.IsZero() {
		return h.key(), nil
	}
	k.mu.RLock()
	last := r.Role == RoleAdmin && !r.Ended(k.clock()) && k.admins(r.ID) == 0
	k.mu.RUnlock()
	if last {
		return Key{}, ErrLastAdmin
	}
	r.Revoked = k.clock().UTC().Truncate(time.Second)
	r.Before, r.OverlapUntil = nil, time.Time{}
	r.Revision++
	if h, err = k.write(ctx, r); err != nil {
		return Key{}, err
	}
	return h.key(), nil
}

// Rotate gives a key a new secret. The old one, and what was opened with it, ends
// after the overlap: at once if that is 0.
func (k *Keys) Rotate(ctx context.Context, name string, overlap time.Duration) (Key, Secret, error) {
	if overlap < 0 || overlap > maxOverlap {
		return Key{}, Secret{}, fault("overlap", "OUT_OF_RANGE", "0 to 30 days")
	}
	k.changes.Lock()
	defer k.changes.Unlock()
	h, err := k.find(name)
	if err != nil {
		return Key{}, Secret{}, err
	}
	r := h.stored()
	now := k.clock()
	if r.Ended(now) {
		return Key{}, Secret{}, ErrKeyEnded
	}
	secret, d := newSecret(r.ID)
	r.Before, r.OverlapUntil = nil, time.Time{}
	if overlap > 0 {
		r.Before, r.OverlapUntil = r.Digest, now.Add(overlap).UTC()
	}
	r.Digest, r.Rotated = d[:], now.UTC().Truncate(time.Second)
	r.Revision++
	if h, err = k.write(ctx, r); err != nil {
		return Key{}, Secret{}, err
	}
	return h.key(), secret, nil
}

// List returns the keys after an id, in order of id, at most limit.
func (k *Keys) List(after string, ended bool, limit int) []Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := k.clock()
	var all []Key
	for id, h := range k.byID {
		if id > after && (ended || !h.record.Ended(now)) {
			all = append(all, h.key())
		}
	}
	slices.SortFunc(all, func(x, y Key) int { return cmp.Compare(x.ID, y.ID) })
	return all[:min(len(all), limit)]
}

// useEvery is how exact Key.LastUsed is, and how seldom it is written.
const useEvery = time.Minute

// Run writes when keys were used, now and then, until ctx ends, and once more then.
func (k *Keys) Run(ctx context.Context) {
	ticks := time.NewTicker(useEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			k.writeUses(context.WithoutCancel(ctx))
			return
		case <-ticks.C:
			k.writeUses(ctx)
		}
	}
}

func (k *Keys) writeUses(ctx context.Context) {
	k.mu.RLock()
	used := make(map[string]*held)
	for id, h := range k.byID {
		if h.used.Load() > h.usedWritten {
			used[id] = h
		}
	}
	k.mu.RUnlock()
	for id, h := range used {
		at := h.used.Load()
		if err := k.store.Put(ctx, storedUses+id, binary.BigEndian.AppendUint64(nil, uint64(at)), time.Time{}); err != nil {
			k.log.WarnContext(ctx, "when keys were used is not written", "error", err)
			return
		}
		h.usedWritten = at
	}
}

// Close ends everything that was opened with a key.
func (k *Keys) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open.cut()
	for _, h := range k.byID {
		h.end()
	}
}

// same reports whether a secret is the one of a digest, in a time that tells
// nothing.
func same(d digest, stored []byte) bool {
	return subtle.ConstantTimeCompare(d[:], stored) == 1
}

// allows reports whether an address is among prefixes.
func allows(prefixes []netip.Prefix, a netip.Addr) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
