package badger

import (
	"encoding/binary"
	"strings"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// sightingKeys counts the keys of live sightings in the store, and those that stand in
// records.
func sightingKeys(t testing.TB, s *Store) (keys, inRecords int) {
	t.Helper()
	err := s.read(t.Context(), func(sn *snapshot) error {
		for _, err := range sn.from([]byte{spacePosting}, []byte{spacePosting}) {
			if err != nil {
				return err
			}
			keys++
		}
		for it, err := range sn.from([]byte{spaceValue}, []byte{spaceValue}) {
			if err != nil {
				return err
			}
			_, r, err := sn.at(it)
			if err != nil {
				return err
			}
			if r.only() != nil {
				inRecords++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, inRecords
}

// TestOnlySightings follows the only sighting of a value into its record and out of it.
func TestOnlySightings(t *testing.T) {
	s := openMemory(t)
	want := func(what string, keys, inRecords int) {
		t.Helper()
		if k, in := sightingKeys(t, s); k != keys || in != inRecords {
			t.Errorf("%s: %d keys of sightings and %d in records, want %d and %d", what, k, in, keys, inRecords)
		}
		for _, line := range lines(t, s) {
			t.Errorf("%s: check: %s", what, line)
		}
	}
	one := someCase("a", "1", address(1), address(2))
	submit(t, s, one)
	want("one case", 0, 2)
	again := someCase("a", "1", address(1), address(2))
	again.Findings[0].Observables[0].Count = 7
	submit(t, s, again)
	want("changed", 0, 2)
	again.Findings[0].Observables[0].Roles = []string{strings.Repeat("r", maxNewestBytes)}
	submit(t, s, again)
	want("too long for a record", 1, 1)
	submit(t, s, one)
	want("short again", 1, 1)
	submit(t, s, someCase("b", "1", address(1), address(2)))
	want("two cases", 4, 0)
	if err := s.Delete(t.Context(), one.Ref); err != nil {
		t.Fatal(err)
	}
	want("one of two is left", 2, 0)
	held := someCase("b", "1", address(1), address(2))
	held.Restricted = true
	submit(t, s, held)
	want("restricted", 0, 0)
	submit(t, s, someCase("c", "1", address(1)))
	want("beside a restricted case", 0, 1)
	if err := s.Delete(t.Context(), held.Ref); err != nil {
		t.Fatal(err)
	}
	want("alone again", 0, 1)
	if err := s.Delete(t.Context(), evidence.Ref{Tenant: "c", Case: "1"}); err != nil {
		t.Fatal(err)
	}
	want("nothing", 0, 0)
}

// TestMigrateSightings opens a store of layout 3, in which every sighting has a key.
func TestMigrateSightings(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	submit(t, s, someCase("a", "1", address(1), address(2), address(3)), someCase("b", "1", address(2)))
	err := s.write(t.Context(), true, func(_ *writer, c *change) error {
		for _, v := range []evidence.Value{address(1), address(3)} {
			n := newNode(v)
			r, err := c.record(n)
			if err != nil {
				return err
			}
			only := r.only()
			c.set(sightingKey(spacePosting, n.key, only.Ref, only.Last), encodePosting(r.alone, *only))
			r.alone = 0
			c.setRecord(n, &r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	raw(t, dir, func(txn *dgraph.Txn) error { return txn.Set([]byte(keyLayout), binary.AppendUvarint(nil, 3)) })

	s = openDir(t, dir)
	defer mustClose(t, s)
	if stored, err := s.checkLayout(); err != nil || stored != layout {
		t.Errorf("layout %d, %v", stored, err)
	}
	if keys, in := sightingKeys(t, s); keys != 4 || in != 0 {
		t.Errorf("%d keys and %d in records, want 4 and none", keys, in)
	}
	submit(t, s, someCase("c", "1", address(1), address(4)), someCase("a", "1", address(2), address(3)))
	if keys, in := sightingKeys(t, s); keys != 4 || in != 1 {
		t.Errorf("afterwards %d keys and %d in records, want 4 and 1", keys, in)
	}
	for _, line := range lines(t, s) {
		t.Error(line)
	}
	err = s.View(t.Context(), func(sn graph.Snapshot) error {
		for i, want := range []uint32{1, 2, 1, 1} {
			if _, cases, err := sn.Spread(address(i + 1)); err != nil || cases != want {
				t.Errorf("value %d is in %d cases, %v, want %d", i+1, cases, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
