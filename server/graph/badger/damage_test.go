package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// folder is what files a folder holds.
type folder map[string][]byte

func readFolder(t *testing.T, dir string) folder {
	t.Helper()
	all := folder{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		all[e.Name()], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// write lays the files into a new folder. What is empty at the end stays a hole.
func (f folder) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range f {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, b[:used(b)], 0o600), os.Truncate(path, int64(len(b)))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newest returns the last file with an extension.
func (f folder) newest(extension string) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(n string) bool { return filepath.Ext(n) != extension })
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// used returns the length of a file without the empty part at its end. Logs are
// many megabytes of it: blocks are compared as a whole first.
func used(b []byte) int {
	n := len(b)
	var empty [4096]byte
	for n >= len(empty) && bytes.Equal(b[n-len(empty):n], empty[:]) {
		n -= len(empty)
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return n
}

const damagedCases = 30

func damagedCase(i int) *evidence.Case {
	c := someCase(fmt.Sprintf("t%d", i%3), fmt.Sprint(i), address(i), address(1000))
	c.Findings[0].Summary = noise(2000 + i)
	return c
}

// stopped returns the files of a store with damagedCases cases, and one more, that
// was closed or killed.
func stopped(t *testing.T, closed bool) folder {
	t.Helper()
	dir := t.TempDir()
	s := openDir(t, dir)
	for i := range damagedCases {
		submit(t, s, damagedCase(i))
	}
	submit(t, s, damagedCase(damagedCases))
	if !closed {
		// What a kill leaves is what the kernel has now.
		f := readFolder(t, dir)
		mustClose(t, s)
		return f
	}
	mustClose(t, s)
	return readFolder(t, dir)
}

// outcome says what became of a damaged store: it is refused with an error that
// names the file, or holds the first damagedCases cases, or some of them are gone.
func outcome(t *testing.T, f folder, file string) (refused bool, cases int) {
	t.Helper()
	dir := f.write(t)
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		damage, ok := errors.AsType[*DamageError](err)
		if !ok || filepath.Base(damage.File) != file || !strings.Contains(err.Error(), "backup") {
			t.Errorf("damage in %s is refused with %v", file, err)
		}
		return true, 0
	}
	defer mustClose(t, s)
	for i := range damagedCases + 1 {
		want := damagedCase(i)
		err := s.View(t.Context(), func(sn graph.Snapshot) error {
			got, err := sn.Case(want.Ref)
			if err != nil {
				return err
			}
			if got.Case.ContentHash() != want.ContentHash() {
				t.Errorf("%s is another case", want.Ref)
			}
			return nil
		})
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", want.Ref, err)
		}
		cases++
	}
	for _, line := range lines(t, s) {
		t.Error(line)
	}
	return false, cases
}

// spoil returns a copy of f with one file cut at a byte, or with that byte and
// some after it changed.
func (f folder) spoil(name string, at int, cut bool) folder {
	c := maps.Clone(f)
	b := slices.Clone(f[name])
	if cut {
		b = b[:at]
	} else {
		for i := at; i < min(at+16, used(b)); i++ {
			b[i] ^= 0x5a
		}
	}
	c[name] = b
	return c
}

// places are bytes of a file: its ends and some between.
func places(r *rand.Rand, from, to int) []int {
	if testing.Short() {
		return []int{from + r.IntN(to-from), to - 1}
	}
	all := []int{from, from + 1, to - 1}
	for range 8 {
		all = append(all, from+r.IntN(to-from))
	}
	return all
}

// TestDamagedClosedStore damages every kind of file that a closed store has. All
// of it is refused: the seal knows what was there.
func TestDamagedClosedStore(t *testing.T) {
	f := stopped(t, true)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, name := range []string{dgraph.ManifestFilename, dgraph.KeyRegistryFileName, f.newest(valueExtension), f.newest(tableExtension)} {
		for _, at := range places(r, 0, used(f[name])) {
			if refused, n := outcome(t, f.spoil(name, at, true), name); !refused {
				t.Errorf("%s cut at byte %d of %d opens with %d cases", name, at, len(f[name]), n)
			}
			if name == f.newest(tableExtension) {
				continue // Badger checks its index, its length is sealed
			}
			if name == f.newest(valueExtension) && at < logHeader {
				continue // an id and a nonce that mean nothing without encryption
			}
			if refused, n := outcome(t, f.spoil(name, at, false), name); !refused {
				t.Errorf("%s damaged at byte %d of %d opens with %d cases", name, at, len(f[name]), n)
			}
		}
		gone := maps.Clone(f)
		delete(gone, name)
		if refused, _ := outcome(t, gone, name); !refused {
			t.Errorf("a store without %s opens", name)
		}
	}
	if refused, n := outcome(t, f, ""); refused || n != damagedCases+1 {
		t.Errorf("whole: refused %v, %d cases", refused, n)
	}
}

// TestTornTail cuts and damages the logs of a killed store. In its last commit
// that is what a crash leaves, and the store opens with all before it. Before its
// last commit it is refused where later commits still stand.
func TestTornTail(t *testing.T) {
	f := stopped(t, false)
	wal := f.newest(walExtension)
	end := used(f[wal])
	// Where the last commit begins: a copy without it is as long.
	last, at := logHeader, logHeader
	for at < end {
		record, ok := readRecord(f[wal][at:], int64(at), logCipher{})
		if !ok {
			t.Fatalf("no record at byte %d", at)
		}
		at += record.length
		if record.meta&endsTxn != 0 && at < end-4 {
			last = at
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, at := range places(r, last, end) {
		for _, cut := range []bool{true, false} {
			if refused, n := outcome(t, f.spoil(wal, at, cut), wal); refused || n < damagedCases {
				t.Errorf("last commit, byte %d, cut %v: refused %v, %d cases", at, cut, refused, n)
			}
		}
	}
	for _, at := range places(r, logHeader, last-200) {
		if refused, n := outcome(t, f.spoil(wal, at, false), wal); !refused {
			t.Errorf("damaged at byte %d before the last commit at %d, it opens with %d cases", at, last, n)
		}
	}
	value := f.newest(valueExtension)
	for _, at := range places(r, logHeader, used(f[value])*8/10) {
		if refused, n := outcome(t, f.spoil(value, at, false), value); !refused {
			t.Errorf("%s damaged at byte %d opens with %d cases", value, at, n)
		}
	}
	for _, name := range []string{wal, value} {
		empty := maps.Clone(f)
		next := "00009" + filepath.Ext(name)
		if filepath.Ext(name) == valueExtension {
			next = "000009" + filepath.Ext(name)
		}
		empty[next] = nil
		if refused, n := outcome(t, empty, next); refused || n != damagedCases+1 {
			t.Errorf("with an empty %s: refused %v, %d cases", next, refused, n)
		}
	}
	// What Badger was about to remove when it was killed.
	for _, name := range []string{"00000.mem", "000000.vlog"} {
		if _, ok := f[name]; ok {
			t.Fatalf("%s is in use", name)
		}
		removed := maps.Clone(f)
		removed[name] = nil
		if refused, n := outcome(t, removed, name); refused || n != damagedCases+1 {
			t.Errorf("with an empty %s: refused %v, %d cases", name, refused, n)
		}
	}
	// One that lost its bytes while an earlier one has them was not removed.
	lost := maps.Clone(f)
	lost["00000.mem"], lost["00009.mem"], lost[wal] = f[wal], f[wal], nil
	if refused, n := outcome(t, lost, wal); !refused {
		t.Errorf("with an empty %s between others it opens with %d cases", wal, n)
	}
}

// TestNewerLayoutIsLeftAlone holds that a store of a newer version is not touched.
func TestNewerLayoutIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	submit(t, s, someCase("a", "1", address(1)))
	mustClose(t, s)
	if err := seal(dir, layout+1); err != nil {
		t.Fatal(err)
	}
	before := readFolder(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	if newer, ok := errors.AsType[*LayoutError](err); !ok || newer.Stored != layout+1 {
		t.Errorf("error %v", err)
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(readFolder(t, dir)))); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	for name, b := range readFolder(t, dir) {
		if string(b) != string(before[name]) {
			t.Errorf("%s has changed", name)
		}
	}
}

// TestRoomForMerges asks for more room where tables are large, because they are written
// anew before they are removed.
func TestRoomForMerges(t *testing.T) {
	dir := t.TempDir()
	free, now := uint64(0), time.Unix(1_000, 0)
	s := newSpace(Options{Dir: dir, Free: func(string) (uint64, error) { return free, nil }},
		func() time.Time { return now }, slog.New(slog.DiscardHandler))
	const mib = 1 << 20
	for _, step := range []struct{ tables, more int64 }{{0, 0}, {200, 0}, {256, 0}, {300, 44}, {1_000, 744}, {50_000, 1_088}, {100, 0}} {
		// Tables lie in folders of the store; other files take no part.
		for name, size := range map[string]int64{"000001.sst": step.tables, "000001.vlog": 9_000} {
			path := filepath.Join(dir, "2", name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600), os.Truncate(path, size*mib)); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(tablesEvery)
		for _, who := range []struct {
			what string
			need func() uint64
			of   int64
		}{{"cases", s.forCases, 1024}, {"the linker", s.forLinker, 512}, {"the engine", s.forEngine, 256}} {
			want := uint64(who.of+step.more) * mib
			if got := who.need(); got != want {
				t.Errorf("%d MiB of tables: %s need %d MiB, not %d", step.tables, who.what, got/mib, want/mib)
			}
			free = want - 1
			if full, ok := errors.AsType[*graph.NoSpaceError](s.check(who.need())); !ok || full.Needed != want {
				t.Errorf("%d MiB of tables and a byte too few free for %s: %v", step.tables, who.what, full)
			}
		}
	}
}

// TestRoom makes room scarce and plenty under an open store.
func TestRoom(t *testing.T) {
	free := uint64(1 << 40)
	asked := 0
	o := Options{Dir: t.TempDir(), Reserve: 800, Free: func(string) (uint64, error) {
		asked++
		return free, nil
	}}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	submit(t, s, someCase("a", "1", address(1)), someCase("b", "1", address(1)))
	marks, err := s.Dirty(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		free          uint64
		cases, linker bool
	}{
		{1000, true, true},
		{799, false, true},
		{850, false, true}, // a margin, once it was short
		{399, false, false},
		{400, false, true},
		{900, true, true},
		{800, true, true},
	} {
		free = step.free
		_, err := s.Submit(t.Context(), someCase("c", fmt.Sprint(step), address(1)), nil)
		full, refused := errors.AsType[*graph.NoSpaceError](err)
		if refused == step.cases || refused && full.Free != free {
			t.Errorf("%d free: a case: %v", free, err)
		}
		err = s.Relink(t.Context(), graph.RelinkBatch{Done: marks})
		if _, refused := errors.AsType[*graph.NoSpaceError](err); refused == step.linker {
			t.Errorf("%d free: links: %v", free, err)
		}
	}
	if asked == 0 {
		t.Error("nobody asked")
	}
	mustClose(t, s)
}
