package badger

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
)

func encryptedWith(dir string, key []byte) Options {
	return Options{Dir: dir, Encryption: Encryption{Key: key}}
}

func openWith(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill stores cases with a canary and more, in tables as well as in logs, and leaves
// the store closed.
func fill(t testing.TB, o Options) {
	t.Helper()
	for round := range 2 {
		s := openWith(t, o)
		for i := range 50 {
			submit(t, s, canaryCase(round*50+i))
		}
		drain(t, s)
		mustClose(t, s)
	}
}

func whole(t testing.TB, o Options) {
	t.Helper()
	s := openWith(t, o)
	defer mustClose(t, s)
	if n := storedCases(t, s); n != 100 {
		t.Errorf("%d cases", n)
	}
	for _, line := range lines(t, s) {
		t.Error(line)
	}
}

// TestEncrypted looks for a canary in the files of an encrypted store, which a plain
// one has.
func TestEncrypted(t *testing.T) {
	plain := t.TempDir()
	fill(t, Options{Dir: plain})
	if len(found(t, plain, canary)) == 0 {
		t.Fatal("a plain store has no canary: the test finds nothing")
	}
	for _, size := range []int{16, 24, 32} {
		dir, key := t.TempDir(), bytes.Repeat([]byte{byte(size)}, size)
		fill(t, encryptedWith(dir, key))
		whole(t, encryptedWith(dir, key))
		s := openWith(t, encryptedWith(dir, key))
		submit(t, s, canaryCase(99))
		if names := found(t, dir, canary); len(names) > 0 {
			t.Errorf("key of %d bytes: the canary is in %q", size, names)
		}
		purgeStore(t, s)
		if names := found(t, dir, canary); len(names) > 0 {
			t.Errorf("key of %d bytes: after a purge the canary is in %q", size, names)
		}
		mustClose(t, s)
		whole(t, encryptedWith(dir, key))
		if names := found(t, dir, string(key)); len(names) > 0 {
			t.Errorf("the key is in %q", names)
		}
	}
}

// TestEncryptedOtherwise opens stores with what is not their key. They are refused
// and stay as they are.
func TestEncryptedOtherwise(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	plain, dir := t.TempDir(), t.TempDir()
	fill(t, Options{Dir: plain})
	fill(t, encryptedWith(dir, key))
	for _, c := range []struct {
		name string
		o    Options
		want error
	}{
		{"plain with a key", encryptedWith(plain, key), ErrNotEncrypted},
		{"encrypted without a key", Options{Dir: dir}, ErrEncrypted},
		{"another key", encryptedWith(dir, other), ErrWrongKey},
		{"the beginning of the key", encryptedWith(dir, key[:16]), ErrWrongKey},
	} {
		before := readFolder(t, c.o.Dir)
		if _, err := Open(t.Context(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		for name, data := range before {
			if now := readFolder(t, c.o.Dir)[name]; !bytes.Equal(now, data) {
				t.Errorf("%s: %s has changed", c.name, name)
			}
		}
	}
	for _, size := range []int{1, 15, 31, 33, 64} {
		if _, err := Open(t.Context(), encryptedWith(t.TempDir(), make([]byte, size))); err == nil {
			t.Errorf("a key of %d bytes is taken", size)
		}
	}
	if _, err := Open(t.Context(), Options{Memory: true, Encryption: Encryption{Key: key}}); err == nil {
		t.Error("a store in memory takes a key")
	}
	whole(t, Options{Dir: plain})
	whole(t, encryptedWith(dir, key))
}

// TestRekey changes the master key, takes it away and gives one again.
func TestRekey(t *testing.T) {
	a, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	dir := t.TempDir()
	fill(t, encryptedWith(dir, a))
	now := encryptedWith(dir, a)
	for _, next := range [][]byte{b, a, nil, nil, a, b} {
		if err := Rekey(t.Context(), now, next); err != nil {
			t.Fatal(err)
		}
		now.Encryption.Key = next
		whole(t, now)
		if got := len(found(t, dir, canary)) > 0; got != (next == nil) {
			t.Errorf("with a key of %d bytes there is a canary: %v", len(next), got)
		}
	}
	if err := Rekey(t.Context(), encryptedWith(dir, a), nil); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := Rekey(t.Context(), now, make([]byte, 5)); err == nil {
		t.Error("a new key of 5 bytes is taken")
	}
	s := openWith(t, now)
	defer mustClose(t, s)
	if err := Rekey(t.Context(), now, a); !errors.Is(err, ErrInUse) {
		t.Errorf("while the store is open: %v", err)
	}
}

// TestDataKeysRotate has every file written with a data key of its own.
func TestDataKeysRotate(t *testing.T) {
	dir := t.TempDir()
	o := encryptedWith(dir, bytes.Repeat([]byte{1}, 32))
	o.Encryption.Rotation = time.Nanosecond
	fill(t, o)
	whole(t, o)
	registry, err := dgraph.OpenKeyRegistry(dgraph.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: o.Encryption.Key})
	if err != nil {
		t.Fatal(err)
	}
	if k, err := registry.DataKey(3); err != nil || k == nil {
		t.Errorf("the third data key: %v", err)
	}
	o.Encryption.Rotation = -1
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("data keys rotate backwards")
	}
}

// TestEncryptedTail cuts the logs of an encrypted store that was killed at every kind
// of place: what a crash leaves is opened, and what is damaged before a later commit
// is found, as in a plain store.
func TestEncryptedTail(t *testing.T) {
	dir := t.TempDir()
	o := encryptedWith(dir, bytes.Repeat([]byte{7}, 32))
	s := openWith(t, o)
	for i := range damagedCases {
		submit(t, s, damagedCase(i))
	}
	f := readFolder(t, dir) // as a killed one leaves it
	mustClose(t, s)
	keys, err := openDataKeys(f.write(t), o.Encryption.Key)
	if err != nil || keys == nil {
		t.Fatalf("%v, %v", keys, err)
	}
	wal := f.newest(walExtension)
	c, err := keys.cipherOf(bytes.NewReader(f[wal]), int64(len(f[wal])))
	if err != nil {
		t.Fatal(err)
	}
	end := used(f[wal])
	var commits []int // where they end
	last := uint64(0)
	for at := logHeader; at < end; {
		r, ok := readRecord(f[wal][at:], int64(at), c)
		if !ok {
			t.Fatalf("no record at byte %d", at)
		}
		if r.version < last || r.version > last+1 && last > 0 {
			t.Fatalf("version %d follows %d", r.version, last)
		}
		last = r.version
		at += r.length
		if r.meta&endsTxn != 0 {
			commits = append(commits, at)
		}
	}
	if len(commits) < damagedCases {
		t.Fatalf("%d commits", len(commits))
	}
	for i, c := range []struct {
		name string
		at   int
		want bool // opens
	}{
		{"in the last commit", commits[len(commits)-2] + 30, true},
		{"in an early one", commits[3] + 30, false},
	} {
		torn := folder{}
		for name, data := range f {
			torn[name] = bytes.Clone(data)
		}
		torn[wal][c.at] ^= 0x55
		again := encryptedWith(torn.write(t), o.Encryption.Key)
		s, err := Open(context.WithoutCancel(t.Context()), again)
		var damage *DamageError
		switch {
		case c.want && err != nil, !c.want && !errors.As(err, &damage):
			t.Errorf("%d, damaged %s: %v", i, c.name, err)
		case err == nil:
			mustClose(t, s)
		}
	}
}

// TestKeyRegistryCut has the registry of data keys cut short.
func TestKeyRegistryCut(t *testing.T) {
	dir := t.TempDir()
	o := encryptedWith(dir, bytes.Repeat([]byte{7}, 32))
	s := openWith(t, o)
	submit(t, s, canaryCase(1))
	f := readFolder(t, dir)
	mustClose(t, s)
	for _, n := range []int{0, 10, 27} {
		torn := f.write(t)
		if err := os.Truncate(filepath.Join(torn, dgraph.KeyRegistryFileName), int64(n)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), encryptedWith(torn, o.Encryption.Key))
		var damage *DamageError
		if !errors.As(err, &damage) {
			t.Errorf("cut at byte %d: %v", n, err)
		}
	}
}
