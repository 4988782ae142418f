package badger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// found returns the files of a folder, with those in folders inside, that hold a
// text.
func found(t testing.TB, dir, text string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the store has removed it since
		}
		if bytes.Contains(data, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func purgeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Purge(t.Context(), func(uint64, uint64) {}); err != nil {
		t.Fatal(err)
	}
}

// drain takes all marks away, and the list of cases to be grouped, as the linker does.
func drain(t testing.TB, s *Store) {
	t.Helper()
	for {
		marks, err := s.Dirty(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		_, looked, err := s.Touched(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(marks) == 0 && len(looked) == 0 {
			return
		}
		if err := s.Relink(t.Context(), graph.RelinkBatch{Done: marks, Grouping: graph.Grouping{Looked: looked}}); err != nil {
			t.Fatal(err)
		}
	}
}

const canary = "canary7f3e"

// canaryCase has the canary wherever a case may have one; what is long enough
// goes to the value log.
func canaryCase(i int) *evidence.Case {
	c := someCase("gone", fmt.Sprintf("%s-%d", canary, i), address(i%7),
		evidence.Value{Kind: evidence.KindRuleName, Text: canary + fmt.Sprint(i)}, evidence.Value{Kind: evidence.KindRuleName, Text: canary})
	c.Title = canary
	c.Findings[0].Summary = strings.Repeat(canary+" ", i*40%900)
	c.Findings[0].Observables[0].Written = canary
	c.Findings[0].Observables[0].Roles = []string{canary}
	return c
}

// TestPurgeLeavesNothing deletes what has a canary, and purges: then it is in no
// file, neither while the store is open nor afterwards.
func TestPurgeLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	for round := range 3 {
		for i := range 60 {
			submit(t, s, canaryCase(i), someCase("kept", fmt.Sprint(round, "-", i), address(i%7), address(100+i)))
		}
		drain(t, s)
		if round == 1 {
			// Some of it is in tables then.
			mustClose(t, s)
			s = openDir(t, dir)
		}
		for i := range 60 {
			if err := s.Delete(t.Context(), canaryCase(i).Ref); err != nil {
				t.Fatal(err)
			}
		}
		drain(t, s)
		if len(found(t, dir, canary)) == 0 {
			t.Fatal("nothing is left of a deleted case: the test finds nothing")
		}
		before := keys(t, s)
		purgeStore(t, s)
		if names := found(t, dir, canary); len(names) > 0 {
			t.Errorf("round %d: the canary is in %q", round, names)
		}
		same := strings.Join(before, "\n") == strings.Join(keys(t, s), "\n")
		if !same {
			t.Errorf("round %d: other keys than before", round)
		}
		for _, line := range lines(t, s) {
			t.Error(line)
		}
	}
	mustClose(t, s)
	if names := found(t, dir, canary); len(names) > 0 {
		t.Errorf("after the end the canary is in %q", names)
	}
	// A version that knows of no folders inside refuses the store.
	stored, _, err := readSeal(dir)
	if err != nil || stored <= layout {
		t.Errorf("the seal of the store's folder says layout %d, %v", stored, err)
	}
	s = openDir(t, dir)
	defer mustClose(t, s)
	if got := len(lines(t, s)); got > 0 {
		t.Errorf("%d differences", got)
	}
	if n := storedCases(t, s); n != 180 {
		t.Errorf("%d cases", n)
	}
}

func storedCases(t testing.TB, s *Store) (n int) {
	t.Helper()
	err := s.View(t.Context(), func(sn graph.Snapshot) error {
		for _, err := range sn.Cases("", evidence.Ref{}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPurgeRefused has a purge refused or given up: nothing has changed then.
func TestPurgeRefused(t *testing.T) {
	dir := t.TempDir()
	var free atomic.Uint64
	free.Store(1 << 40)
	looks := atomic.Int64{}
	fallen := int64(-1) // the look from which on the disk is full, while it counts
	s, err := Open(t.Context(), Options{Dir: dir, Free: func(string) (uint64, error) {
		if n := looks.Add(1); fallen >= 0 && n > fallen {
			return 100 << 20, nil
		}
		return free.Load(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		c := someCase("a", fmt.Sprint(i), address(i))
		c.Findings[0].Summary = noise(300_000)
		submit(t, s, c)
	}
	size, err := folderSize(dir)
	if err != nil {
		t.Fatal(err)
	}
	whole := func(what string) {
		t.Helper()
		if n := storedCases(t, s); n != 300 {
			t.Errorf("%s: %d cases", what, n)
		}
		if _, err := os.Stat(filepath.Join(dir, "g000001")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the new folder is there: %v", what, err)
		}
		if _, err := os.Stat(filepath.Join(dir, currentName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the store has moved: %v", what, err)
		}
	}
	nothing := func(uint64, uint64) {}

	// Less is free than the store takes.
	free.Store(size)
	var full *graph.NoSpaceError
	if err := s.Purge(t.Context(), nothing); !errors.As(err, &full) {
		t.Errorf("on a small disk: %v", err)
	}
	whole("on a small disk")

	// The disk becomes full on the way. The looks so far are those of the beginning.
	free.Store(1 << 40)
	looks.Store(0)
	fallen = 3
	if err := s.Purge(t.Context(), nothing); !errors.As(err, &full) {
		t.Errorf("on a disk that becomes full: %v", err)
	}
	fallen = -1
	whole("on a disk that becomes full")

	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Purge(ctx, func(uint64, uint64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	whole("cancelled")

	memory := openMemory(t)
	if err := memory.Purge(t.Context(), nothing); !errors.Is(err, graph.ErrNoFiles) {
		t.Errorf("in memory: %v", err)
	}
	purgeStore(t, s)
	if n := storedCases(t, s); n != 300 {
		t.Errorf("after all: %d cases", n)
	}
	mustClose(t, s)
	if err := s.Purge(t.Context(), nothing); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestCurrentDamaged has the file that names the folder of the database damaged, and
// the folder missing: the store is refused, and not begun anew.
func TestCurrentDamaged(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	submit(t, s, someCase("a", "1", address(1)))
	purgeStore(t, s)
	mustClose(t, s)
	path := filepath.Join(dir, currentName)
	for _, text := range []string{"", "g1", "..", "g000001/..", "g000002\n", "g000001\nmore"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Options{Dir: dir})
		var damage *DamageError
		if !errors.As(err, &damage) {
			t.Errorf("%q in %s: %v", text, currentName, err)
		}
	}
	if err := os.WriteFile(path, []byte("g000001\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, dir)
	defer mustClose(t, s)
	if n := storedCases(t, s); n != 1 {
		t.Errorf("%d cases", n)
	}
}

// purgedDir tells the test binary to be the process that is killed while it purges a
// folder.
const purgedDir = "BADGER_TEST_PURGED_DIR"

// TestKilledWhilePurging kills a process while it purges its store and takes cases.
// What was acknowledged is there, and no file has what was deleted before a purge
// that ended.
func TestKilledWhilePurging(t *testing.T) {
	if dir := os.Getenv(purgedDir); dir != "" {
		purgeUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 25
	if testing.Short() {
		rounds = 6
	}
	stored, purged := 0, 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhilePurging$", "-test.v")
		cmd.Env = append(os.Environ(), purgedDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		// Some moment of the n-th purge.
		left, killed := 1+random.IntN(3), false
		wait := time.Duration(random.IntN(120)) * time.Millisecond
		var said string
		for in := bufio.NewScanner(out); in.Scan(); {
			n := 0
			switch {
			case in.Text() == "purging":
				if left--; left == 0 {
					killed = true
					time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
				}
			case in.Text() == "purged":
				purged++
			default:
				if _, err := fmt.Sscanf(in.Text(), "stored %d .", &n); err != nil {
					said += in.Text() + "\n"
				} else {
					stored = max(stored, n)
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() || !killed {
			t.Fatalf("round %d: the process ended by itself: %v\n%s", round, err, said)
		}
		s := openDir(t, dir)
		have := map[string]bool{}
		err = s.View(t.Context(), func(sn graph.Snapshot) error {
			for c, err := range sn.Cases("kept", evidence.Ref{}) {
				if err != nil {
					return err
				}
				have[c.Ref.Case] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= stored; i++ {
			if !have[fmt.Sprint(i)] {
				t.Errorf("round %d: case %d is lost", round, i)
			}
		}
		for _, line := range lines(t, s) {
			t.Error(line)
		}
		purgeStore(t, s)
		mustClose(t, s)
		if names := found(t, dir, canary); len(names) > 0 {
			t.Errorf("round %d: the canary is in %q", round, names)
		}
		folders, err := filepath.Glob(filepath.Join(dir, "g*"))
		if err != nil || len(folders) != 1 {
			t.Errorf("round %d: folders %q, %v", round, folders, err)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d purges ended, %d cases", purged, stored)
}

func purgeUntilKilled(t *testing.T, dir string) {
	s := openDir(t, dir)
	n := storedCases(t, s)
	for i := range 40 {
		submit(t, s, canaryCase(i))
	}
	for i := range 40 {
		if err := s.Delete(t.Context(), canaryCase(i).Ref); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, s)
	go func() {
		for {
			fmt.Println("purging")
			purgeStore(t, s)
			fmt.Println("purged")
		}
	}()
	for {
		n++
		c := someCase("kept", fmt.Sprint(n), address(n), address(1000+n%10))
		c.Findings[0].Summary = noise(n % 4000)
		submit(t, s, c)
		fmt.Printf("stored %d .\n", n)
	}
}
