// Package enrichtest is the suite that every enrich.Store passes whole.
//
// It must not know any database. It says what a Store promises by asking for it.
package enrichtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// Open opens the store in a folder. It is called again with the same folder after
// the store was closed, and then finds what was written.
type Open func(t *testing.T, dir string) (store enrich.Store, closeStore func() error)

// TestStore runs the suite.
func TestStore(t *testing.T, open Open) {
	t.Helper()
	fresh := func(t *testing.T) enrich.Store {
		t.Helper()
		s, closeStore := open(t, t.TempDir())
		t.Cleanup(func() {
			if err := closeStore(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	t.Run("absence", func(t *testing.T) { testAbsence(t, fresh(t)) })
	t.Run("put", func(t *testing.T) { testPut(t, fresh(t)) })
	t.Run("expiry", func(t *testing.T) { testExpiry(t, fresh(t)) })
	t.Run("swap", func(t *testing.T) { testSwap(t, fresh(t)) })
	t.Run("swap by many", func(t *testing.T) { testSwapMany(t, fresh(t)) })
	t.Run("scan", func(t *testing.T) { testScan(t, fresh(t)) })
	t.Run("context", func(t *testing.T) { testContext(t, fresh(t)) })
	t.Run("reopen", func(t *testing.T) { testReopen(t, open) })
}

func get(t *testing.T, s enrich.Store, key string) []byte {
	t.Helper()
	data, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return data
}

func put(t *testing.T, s enrich.Store, key, data string, expire time.Time) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(data), expire); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func swap(t *testing.T, s enrich.Store, key string, old []byte, data string) bool {
	t.Helper()
	ok, err := s.Swap(t.Context(), key, old, []byte(data))
	if err != nil {
		t.Fatalf("Swap(%q): %v", key, err)
	}
	return ok
}

// want compares data with its text; "" is absence.
func want(t *testing.T, s enrich.Store, key, text string) {
	t.Helper()
	data := get(t, s, key)
	if (data == nil) != (text == "") || string(data) != text {
		t.Errorf("%q holds %q, want %q", key, data, text)
	}
}

func testAbsence(t *testing.T, s enrich.Store) {
	want(t, s, "none", "")
	for item, err := range s.Scan(t.Context(), "") {
		t.Errorf("an empty store yields %q, %v", item.Key, err)
	}
}

func testPut(t *testing.T, s enrich.Store) {
	data := []byte("one")
	if err := s.Put(t.Context(), "a", data, time.Time{}); err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	want(t, s, "a", "one")
	get(t, s, "a")[0] = 'X'
	want(t, s, "a", "one")
	put(t, s, "a", "two", time.Time{})
	want(t, s, "a", "two")

	key := strings.Repeat("ä", 256)
	large := strings.Repeat("x", 64<<10)
	put(t, s, key, large, time.Now().Add(time.Hour))
	if !bytes.Equal(get(t, s, key), []byte(large)) {
		t.Error("64 KiB under a key of 512 bytes are not what was put")
	}
}

func testExpiry(t *testing.T, s enrich.Store) {
	put(t, s, "over", "x", time.Now().Add(-time.Minute))
	want(t, s, "over", "")
	put(t, s, "later", "x", time.Now().Add(time.Hour))
	want(t, s, "later", "x")
	put(t, s, "later", "y", time.Now().Add(-time.Minute))
	want(t, s, "later", "")
	for item, err := range s.Scan(t.Context(), "") {
		t.Errorf("what is over is yielded: %q, %v", item.Key, err)
	}
	if !swap(t, s, "later", nil, "z") {
		t.Error("what is over is in the way of Swap")
	}
	want(t, s, "later", "z")
	put(t, s, "later", "for ever", time.Time{})
	want(t, s, "later", "for ever")
}

func testSwap(t *testing.T, s enrich.Store) {
	if swap(t, s, "a", []byte("one"), "two") {
		t.Error("Swap took nothing for something")
	}
	want(t, s, "a", "")
	if !swap(t, s, "a", nil, "one") {
		t.Error("Swap did not take nothing for nothing")
	}
	if swap(t, s, "a", nil, "two") || swap(t, s, "a", []byte("on"), "two") || swap(t, s, "a", []byte("one "), "two") {
		t.Error("Swap wrote over what is not the old data")
	}
	want(t, s, "a", "one")
	if !swap(t, s, "a", []byte("one"), "two") {
		t.Error("Swap did not see the old data")
	}
	want(t, s, "a", "two")
	put(t, s, "a", "three", time.Now().Add(time.Hour))
	if swap(t, s, "a", []byte("two"), "four") || !swap(t, s, "a", []byte("three"), "four") {
		t.Error("Swap did not see a Put")
	}
	want(t, s, "a", "four")
}

// testSwapMany counts with Swap, as a ledger does: no step may be lost.
func testSwapMany(t *testing.T, s enrich.Store) {
	const askers, steps = 16, 20
	var wg sync.WaitGroup
	var taken atomic.Int64
	for range askers {
		wg.Go(func() {
			for n := 0; n < steps; {
				old, err := s.Get(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				ok, err := s.Swap(t.Context(), "n", old, fmt.Append(nil, number(old)+1))
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n++
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := number(get(t, s, "n")); got != askers*steps || taken.Load() != askers*steps {
		t.Errorf("%d of %d steps are there after %d swaps", got, askers*steps, taken.Load())
	}
}

func number(data []byte) int {
	n := 0
	for _, c := range data {
		n = 10*n + int(c-'0')
	}
	return n
}

func testScan(t *testing.T, s enrich.Store) {
	for _, key := range []string{"b/2", "a/1", "b/10", "b", "c/1", "b/1"} {
		put(t, s, key, "data of "+key, time.Time{})
	}
	var got []enrich.Item
	for item, err := range s.Scan(t.Context(), "b/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	want := []enrich.Item{
		{Key: "b/1", Data: []byte("data of b/1")},
		{Key: "b/10", Data: []byte("data of b/10")},
		{Key: "b/2", Data: []byte("data of b/2")},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for item, err := range s.Scan(t.Context(), "") {
		if err != nil || item.Key != "a/1" {
			t.Errorf("the first of all is %q, %v", item.Key, err)
		}
		break
	}
	// A reader may write what it reads: the book does.
	for item, err := range s.Scan(t.Context(), "b/") {
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, item.Key, "new", time.Time{})
	}
}

func testContext(t *testing.T, s enrich.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", []byte("x"), time.Time{}); err == nil {
		want(t, s, "a", "x")
	}
	if ok, err := s.Swap(ctx, "b", nil, []byte("x")); ok && err != nil {
		t.Errorf("Swap did and failed: %v", err)
	}
}

func testReopen(t *testing.T, open Open) {
	dir := t.TempDir()
	s, closeStore := open(t, dir)
	put(t, s, "kept", "x", time.Time{})
	put(t, s, "kept for now", "y", time.Now().Add(time.Hour))
	put(t, s, "gone", "z", time.Now().Add(-time.Hour))
	if !swap(t, s, "counted", nil, "1") {
		t.Fatal("Swap did nothing")
	}
	if err := closeStore(); err != nil {
		t.Fatal(err)
	}
	s, closeStore = open(t, dir)
	defer func() {
		if err := closeStore(); err != nil {
			t.Error(err)
		}
	}()
	want(t, s, "kept", "x")
	want(t, s, "kept for now", "y")
	want(t, s, "gone", "")
	want(t, s, "counted", "1")
	if swap(t, s, "counted", nil, "1") || !swap(t, s, "counted", []byte("1"), "2") {
		t.Error("Swap does not see what was written before")
	}
}
