package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// shelf is a store of small entries that may fail.
type shelf struct {
	mu      sync.Mutex
	entries map[string][]byte
	writes  int
	err     error
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[key], s.err
}

func (s *shelf) Put(_ context.Context, key string, data []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.entries == nil {
		s.entries = make(map[string][]byte)
	}
	s.entries[key] = data
	s.writes++
	return nil
}

func (s *shelf) Scan(_ context.Context, prefix string) iter.Seq2[graph.Kept, error] {
	return func(yield func(graph.Kept, error) bool) {
		s.mu.Lock()
		entries := maps.Clone(s.entries)
		s.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if strings.HasPrefix(key, prefix) && !yield(graph.Kept{Key: key, Data: entries[key]}, nil) {
				return
			}
		}
	}
}

// office is keys and tenants on a shelf, with a clock.
type office struct {
	shelf   *shelf
	now     time.Time
	keys    *access.Keys
	tenants *access.Tenants
}

func openOffice(t *testing.T, s *shelf) *office {
	t.Helper()
	o := &office{shelf: s, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	clock := func() time.Time { return o.now }
	log := slog.New(slog.DiscardHandler)
	var err error
	if o.tenants, err = access.OpenTenants(t.Context(), s, log, clock); err != nil {
		t.Fatal(err)
	}
	if o.keys, err = access.OpenKeys(t.Context(), s, access.NewRules(o.tenants, false, false, clock), log, clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.keys.Close)
	return o
}

func (o *office) admin(t *testing.T) (access.Key, string) {
	t.Helper()
	key, secret, err := o.keys.Create(t.Context(), access.Key{Role: access.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	return key, secret.Reveal()
}

func (o *office) comes(secret string) error {
	s, err := o.keys.Authenticate("Bearer "+secret, netip.MustParseAddr("192.0.2.1"))
	if err == nil && s.Viewer.Role() == 0 {
		return errors.New("a key without a role")
	}
	return err
}

func TestKeysEnd(t *testing.T) {
	o := openOffice(t, &shelf{})
	key, secret := o.admin(t)
	short, shortSecret, err := o.keys.Create(t.Context(), access.Key{Role: access.RoleLead, AllTenants: true, Expires: o.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(time.Hour - time.Second)
	if err := o.comes(shortSecret.Reveal()); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	o.now = o.now.Add(time.Second)
	if err := o.comes(shortSecret.Reveal()); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("when it expires: %v", err)
	}
	if _, _, err := o.keys.Rotate(t.Context(), short.ID, 0); !errors.Is(err, access.ErrKeyEnded) {
		t.Errorf("rotated afterwards: %v", err)
	}
	if _, err := o.keys.Revoke(t.Context(), key.ID); !errors.Is(err, access.ErrLastAdmin) {
		t.Errorf("the last admin goes: %v", err)
	}
	_, fresh, err := o.keys.Rotate(t.Context(), key.Prefix(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if o.comes(secret) != nil || o.comes(fresh.Reveal()) != nil {
		t.Error("within the overlap not both secrets are taken")
	}
	o.now = o.now.Add(time.Hour)
	if err := o.comes(secret); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("after the overlap: %v", err)
	}
	if err := o.comes(fresh.Reveal()); err != nil {
		t.Errorf("the new secret after the overlap: %v", err)
	}
	if _, err := o.keys.Revoke(t.Context(), "els_aaaaaaaaaaaa"); !errors.Is(err, access.ErrNoKey) {
		t.Errorf("an unknown key: %v", err)
	}
	// The keys of a store that is opened again are the same.
	again := openOffice(t, o.shelf)
	again.now = o.now
	if err := again.comes(fresh.Reveal()); err != nil {
		t.Errorf("opened again: %v", err)
	}
	if err := again.comes(secret); err == nil {
		t.Error("opened again the old secret is taken")
	}
}

func TestNoKeyIsToldThatIsNotStored(t *testing.T) {
	o := openOffice(t, &shelf{err: errors.New("full")})
	if _, secret, err := o.keys.Create(t.Context(), access.Key{Role: access.RoleAdmin}); err == nil || secret.Reveal() != "" || o.keys.Any() {
		t.Errorf("a key that could not be stored is in use: %v", err)
	}
}

func TestStoredKeysHoldNoSecret(t *testing.T) {
	o := openOffice(t, &shelf{})
	_, secret := o.admin(t)
	for key, data := range o.shelf.entries {
		if strings.Contains(string(data), secret[17:]) {
			t.Errorf("%s holds the secret", key)
		}
	}
	// A newer version's record is not read as one of ours.
	for key, data := range o.shelf.entries {
		var record map[string]any
		if err := json.Unmarshal(data, &record); err != nil {
			t.Fatal(err)
		}
		record["v"] = 2
		o.shelf.entries[key], _ = json.Marshal(record)
	}
	_, err := access.OpenKeys(t.Context(), o.shelf, access.NewRules(o.tenants, false, false, nil), slog.New(slog.DiscardHandler), nil)
	if _, ok := errors.AsType[*access.RecordVersionError](err); !ok {
		t.Errorf("a newer record: %v", err)
	}
}

func TestLastUseIsWrittenLazily(t *testing.T) {
	o := openOffice(t, &shelf{})
	_, secret := o.admin(t)
	before := o.shelf.writes
	for range 1_000 {
		if err := o.comes(secret); err != nil {
			t.Fatal(err)
		}
		o.now = o.now.Add(10 * time.Millisecond)
	}
	if o.shelf.writes != before {
		t.Errorf("%d writes for 1,000 calls", o.shelf.writes-before)
	}
	if used := o.keys.List("", false, 1)[0].LastUsed; o.now.Sub(used) > time.Minute {
		t.Errorf("used at %v, it is %v", used, o.now)
	}
	// A service that stops writes it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.keys.Run(ctx)
	if again := openOffice(t, o.shelf).keys.List("", false, 1)[0]; again.LastUsed.IsZero() {
		t.Error("when the key was used is lost")
	}
}

func TestGuessing(t *testing.T) {
	o := openOffice(t, &shelf{})
	_, secret := o.admin(t)
	wrong := secret[:17] + strings.Repeat("a", 52)
	try := func(from, secret string) string {
		_, err := o.keys.Authenticate("Bearer "+secret, netip.MustParseAddr(from))
		if busy, ok := errors.AsType[*access.BusyError](err); ok {
			if busy.Retry <= 0 || busy.Retry > time.Minute {
				t.Errorf("come back after %v", busy.Retry)
			}
			return "busy"
		}
		return fmt.Sprint(err == nil)
	}
	counts := make(map[string]int)
	for i := range 200 {
		// Addresses of one site are one.
		counts[try(fmt.Sprintf("2001:db8::%x", i), wrong)]++
	}
	if counts["false"] != 20 || counts["busy"] != 180 {
		t.Errorf("of 200 guesses: %v", counts)
	}
	if got := try("2001:db8::1", secret); got != "busy" {
		t.Errorf("a right key of somebody who guessed: %s", got)
	}
	if got := try("192.0.2.7", secret); got != "true" {
		t.Errorf("a right key from elsewhere: %s", got)
	}
	o.now = o.now.Add(6 * time.Second)
	if got := try("2001:db8::1", secret); got != "true" {
		t.Errorf("after a while: %s", got)
	}
}

func FuzzKeys(f *testing.F) {
	for _, s := range []string{
		"", "els_", "els_aaaaaaaaaaaa_" + strings.Repeat("a", 52), "els_els_aaaaaaaaaaaa_" + strings.Repeat("a", 52),
		"els_aaaaaaaaaaaa_" + strings.Repeat("1", 52), "x els_aaaaaaaaaaaa_" + strings.Repeat("z", 53),
	} {
		f.Add(s)
	}
	s := &shelf{}
	tenants, err := access.OpenTenants(f.Context(), s, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := access.OpenKeys(f.Context(), s, access.NewRules(tenants, false, false, nil), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		f.Fatal(err)
	}
	_, secret, err := keys.Create(f.Context(), access.Key{Role: access.RoleAdmin})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := keys.Authenticate("Bearer "+text, netip.Addr{}); err == nil && text != secret.Reveal() {
			t.Errorf("%q comes in", text)
		}
		if !access.HoldsKey(text + secret.Reveal() + text) {
			t.Errorf("the key is not found between %q", text)
		}
		if access.HoldsKey(text) && !strings.Contains(text, "els_") {
			t.Errorf("%q holds a key", text)
		}
	})
}
