package badger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openMemory(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func someCase(tenant, id string, values ...evidence.Value) *evidence.Case {
	c := &evidence.Case{
		Ref: evidence.Ref{Tenant: tenant, Case: id}, State: evidence.Open, TLP: evidence.TLPAmber,
		Findings: []evidence.Finding{{ID: "f"}},
	}
	for _, v := range values {
		c.Findings[0].Observables = append(c.Findings[0].Observables, evidence.Observable{
			Value: v, Roles: []string{evidence.RoleLoginSource},
			FirstSeen: time.Date(2023, 1, 2, 3, 4, 5, 0, time.UTC), LastSeen: time.Date(2023, 2, 3, 4, 5, 6, 0, time.UTC),
		})
	}
	return c
}

func address(n int) evidence.Value {
	return evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("20.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
}

func submit(t testing.TB, s *Store, cases ...*evidence.Case) {
	t.Helper()
	for _, c := range cases {
		if _, err := s.Submit(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func lines(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	for line, err := range s.Check(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

// keys returns every key of the store.
func keys(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	err := s.read(t.Context(), func(sn *snapshot) error {
		for it, err := range sn.from(nil, nil) {
			if err != nil {
				return err
			}
			all = append(all, string(it.Item().Key()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{"nothing": {}, "both": {Dir: t.TempDir(), Memory: true}} {
		if s, err := Open(t.Context(), o); err == nil {
			mustClose(t, s)
			t.Errorf("%s: no error", name)
		}
	}

	t.Run("newer layout", func(t *testing.T) {
		dir := t.TempDir()
		mustClose(t, openDir(t, dir))
		raw(t, dir, func(txn *dgraph.Txn) error { return txn.Set([]byte(keyLayout), []byte{layout + 1}) })
		_, err := Open(t.Context(), Options{Dir: dir})
		newer, ok := errors.AsType[*LayoutError](err)
		if !ok || *newer != (LayoutError{Stored: layout + 1, Known: layout}) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("foreign database", func(t *testing.T) {
		dir := t.TempDir()
		raw(t, dir, func(txn *dgraph.Txn) error { return txn.Set([]byte("somebody"), []byte("else's")) })
		if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, errForeign) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Open(ctx, Options{Memory: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// raw writes to a store's folder behind its back.
func raw(t *testing.T, dir string, f func(*dgraph.Txn) error) {
	t.Helper()
	db, err := dgraph.Open(dgraph.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// inUseDir tells the test binary to try a folder that another process has open.
const inUseDir = "BADGER_TEST_IN_USE_DIR"

func TestOpenInUse(t *testing.T) {
	if dir := os.Getenv(inUseDir); dir != "" {
		s, err := Open(t.Context(), Options{Dir: dir})
		if err == nil {
			mustClose(t, s)
			t.Fatal("the folder is open twice")
		}
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("error %v", err)
		}
		return
	}
	dir := t.TempDir()
	defer mustClose(t, openDir(t, dir))
	cmd := exec.Command(os.Args[0], "-test.run=^TestOpenInUse$")
	cmd.Env = append(os.Environ(), inUseDir+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The process that was refused has not harmed the one that holds the folder.
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("error %v", err)
	}
}

func TestFolderIsSyncedOnCommit(t *testing.T) {
	s := openDir(t, t.TempDir())
	defer mustClose(t, s)
	if !s.db().Opts().SyncWrites {
		t.Error("a commit does not sync")
	}
}

func TestDiskSize(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	submit(t, s, someCase("a", "1", address(1)))
	mustClose(t, s)
	s = openDir(t, dir)
	defer mustClose(t, s)
	if lsm, valueLog := s.DiskSize(); lsm == 0 || valueLog == 0 {
		t.Errorf("a store with a case takes %d and %d bytes", lsm, valueLog)
	}
}

// TestDeleteLeavesNothing looks behind the answers: a store whose cases and
// marks are gone holds no more keys than one that never had a case.
func TestDeleteLeavesNothing(t *testing.T) {
	s := openMemory(t)
	long := someCase("b", "long", address(1))
	long.References = []string{noise(2 * longValue)}
	long.Findings[0].Summary = noise(3 * longValue)
	for i := range 100_000 {
		// Roles beyond what a small sighting holds.
		long.Findings[0].Observables[0].Roles = append(long.Findings[0].Observables[0].Roles, fmt.Sprintf("role-%06d", i))
	}
	other := someCase("a", "1", evidence.Value{Kind: evidence.KindURL, Text: strings.Repeat("u", 4000)})
	restricted := someCase("a", "2", address(1), address(2))
	restricted.Restricted = true
	submit(t, s, long, other, restricted, someCase("reports-x", "1", address(1)))
	row := graph.Row{RowKey: graph.Pair(long.Ref, other.Ref), Shared: []evidence.Value{address(1)}}
	if err := s.Relink(t.Context(), graph.RelinkBatch{Put: []graph.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Fatal(l)
	}
	// What people said of it, and what the linker has found.
	for _, v := range []graph.Verdict{graph.Confirmed, graph.Unreviewed, graph.Refuted} {
		if err := s.Judge(t.Context(), graph.Review{RowKey: row.RowKey, Verdict: v, Reason: "because"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Anchor(t.Context(), graph.Anchor{Ref: long.Ref, Name: "Quiet Otter"}, nil, graph.ActorEvent{}); err != nil {
		t.Fatal(err)
	}
	found := graph.Grouping{
		Actors:  []graph.Actor{{Founder: long.Ref, Members: []evidence.Ref{other.Ref, long.Ref}, IDs: []string{"act-1", "act-2"}}},
		Fanouts: map[evidence.Ref]graph.Fanout{long.Ref: {Day: 3, Made: 4, Alarm: true}},
	}
	if err := s.Relink(t.Context(), graph.RelinkBatch{Grouping: found}); err != nil {
		t.Fatal(err)
	}
	// Replaced by something short, and back, before it goes.
	submit(t, s, someCase("b", "long", address(3)), long)
	for _, r := range []evidence.Ref{long.Ref, other.Ref, restricted.Ref, {Tenant: "reports-x", Case: "1"}} {
		if err := s.Delete(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	marks, err := s.Dirty(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	lost := graph.RelinkBatch{Remove: []graph.RowKey{row.RowKey}, Done: marks}
	lost.Gone, lost.Fanouts = []evidence.Ref{long.Ref}, map[evidence.Ref]graph.Fanout{long.Ref: {}}
	if err := s.Relink(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	_, looked, err := s.Touched(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Relink(t.Context(), graph.RelinkBatch{Grouping: graph.Grouping{Looked: looked}}); err != nil {
		t.Fatal(err)
	}
	want := []string{keyDay, keyLayout, keySequence, keySize}
	if diff := gocmp.Diff(want, keys(t, s)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// noise is text that does not compress well.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[r.IntN(64)]
	}
	return string(b)
}

// busy has the writer wait inside a request until the returned function is
// called, which returns what became of that request.
func busy(t *testing.T, s *Store) (release func() error) {
	t.Helper()
	started, stop := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.write(context.Background(), false, func(*writer, *change) error {
			close(started)
			<-stop
			return nil
		})
	}()
	<-started
	return func() error {
		close(stop)
		return <-done
	}
}

// awaitQueued returns once that many requests wait for the busy writer.
func awaitQueued(s *Store, n int) {
	for len(s.requests.ch) < n {
		runtime.Gosched()
	}
}

// TestWaitingRequestsShareACommit queues requests behind a busy writer.
func TestWaitingRequestsShareACommit(t *testing.T) {
	s := openMemory(t)
	release := busy(t, s)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { submit(t, s, someCase("a", fmt.Sprint(i), address(i), address(0))) })
	}
	awaitQueued(s, 20)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	versions := map[uint64]int{}
	err := s.read(t.Context(), func(sn *snapshot) error {
		for it, err := range sn.from([]byte{spaceHeader}, []byte{spaceHeader}) {
			if err != nil {
				return err
			}
			versions[it.Item().Version()]++
		}
		return nil
	})
	if err != nil || len(versions) != 1 {
		t.Errorf("20 waiting requests took commits %v: %v", versions, err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}

func TestRequestThatIsOverIsNotStarted(t *testing.T) {
	s := openMemory(t)
	release := busy(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	started := false
	over := make(chan error, 1)
	go func() {
		over <- s.write(ctx, false, func(_ *writer, c *change) error {
			started = true
			return nil
		})
	}()
	awaitQueued(s, 1)
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	submit(t, s, someCase("a", "1")) // behind it
	if started {
		t.Error("a request was started after its context had ended")
	}
}

func TestCloseCarriesOutWhatWasAccepted(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	release := busy(t, s)
	results := make(chan error, 10)
	for i := range cap(results) {
		go func() {
			_, err := s.Submit(context.Background(), someCase("a", fmt.Sprint(i), address(i)), nil)
			results <- err
		}()
	}
	awaitQueued(s, cap(results))
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	if err := release(); err != nil {
		t.Error(err)
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	s = openDir(t, dir)
	defer mustClose(t, s)
	err := s.View(t.Context(), func(sn graph.Snapshot) error {
		n, err := sn.Size()
		if n != 10 {
			t.Errorf("%d cases", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPanicStaysInItsRequest(t *testing.T) {
	s := openMemory(t)
	release := busy(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { submit(t, s, someCase("a", "before", address(1))) })
	awaitQueued(s, 1)
	failed := make(chan error, 1)
	go func() {
		failed <- s.write(context.Background(), false, func(_ *writer, c *change) error {
			c.set(refKey(spaceHeader, evidence.Ref{Tenant: "a", Case: "half"}), present)
			panic("in the middle")
		})
	}()
	awaitQueued(s, 2)
	wg.Go(func() { submit(t, s, someCase("a", "after", address(1))) })
	awaitQueued(s, 3)
	if err := release(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := <-failed; err == nil {
		t.Error("a request that panics succeeds")
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
	if n := slices.IndexFunc(keys(t, s), func(k string) bool { return strings.HasSuffix(k, "half") }); n >= 0 {
		t.Error("a part of the request that panicked is stored")
	}
}

// TestBrokenStoreWritesNoMore lets a commit go wrong: readers keep the state
// before, and nothing is written on top of what nobody knows.
func TestBrokenStoreWritesNoMore(t *testing.T) {
	s, err := Open(t.Context(), Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, s, someCase("a", "1", address(1)))
	sets := func(_ *writer, c *change) error {
		c.put("", write{val: present}) // Badger refuses an empty key
		return nil
	}
	if err := s.write(t.Context(), false, sets); !errors.Is(err, dgraph.ErrEmptyKey) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Submit(t.Context(), someCase("a", "2", address(1)), nil); !errors.Is(err, dgraph.ErrEmptyKey) {
		t.Errorf("a broken store takes changes: %v", err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestJournal interrupts a change that is larger than a transaction at every
// step. It either happens as a whole or not at all.
func TestJournal(t *testing.T) {
	large := func() writes {
		sets := writes{}
		for i := range 100_000 {
			sets[fmt.Sprintf("zset %d", i)] = write{val: fmt.Appendf(nil, "value %d", i)}
		}
		sets["zlong"] = write{val: []byte{7}, long: true}
		sets["zold"] = write{}
		return sets
	}
	for _, parts := range []int{0, 1} {
		dir := t.TempDir()
		s := openDir(t, dir)
		// No other goroutine writes: the test is the writer.
		w := &writer{Store: s, maxBytes: s.db().MaxBatchSize() * 9 / 10, maxEntries: s.db().MaxBatchCount() * 9 / 10, inline: int(s.inline)}
		if err := w.store(writes{"zold": {val: present}}); err != nil {
			t.Fatal(err)
		}
		sets := large()
		if w.fits(&layer{sets: sets}) {
			t.Fatal("the change fits a transaction")
		}
		if err := w.store(journalOf(sets)); err != nil {
			t.Fatal(err)
		}
		some := writes{}
		for k, v := range sets {
			if len(some) < parts*15_000 {
				some[k] = v
			}
		}
		if err := w.store(some); err != nil {
			t.Fatal(err)
		}
		// The process dies here.
		mustClose(t, s)

		s = openDir(t, dir)
		got := 0
		for _, k := range keys(t, s) {
			if k[0] == spaceJournal {
				t.Errorf("a journal record is left")
			}
			if k == "zold" {
				t.Error("what the change removes is still there")
			}
			if strings.HasPrefix(k, "zset ") {
				got++
			}
		}
		if got != 100_000 {
			t.Errorf("%d of 100,000 writes after %d parts", got, parts)
		}
		err := s.read(t.Context(), func(sn *snapshot) error {
			item, err := sn.txn.Get([]byte("zlong"))
			if err == nil && item.UserMeta() != longMeta {
				t.Error("a long value is not marked as one")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		mustClose(t, s)
	}
}

// TestCollect gives the space of old bodies back while they are read.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	const cases = 160
	body := func(i, version int) *evidence.Case {
		c := someCase("a", fmt.Sprint(i), address(i))
		c.Findings[0].Summary = noise(500_000 + i*10 + version)
		return c
	}
	for i := range cases {
		submit(t, s, body(i, 0))
	}
	for i := range cases {
		if i%3 != 0 {
			submit(t, s, body(i, 1))
		}
	}
	// Each start leaves a table, and several make Badger compact them, which is
	// how it finds out what is garbage.
	for i := range unsortedTables + 1 {
		mustClose(t, s)
		s = openDir(t, dir)
		submit(t, s, someCase("b", fmt.Sprint(i), address(i)))
	}
	defer func() { mustClose(t, s) }()
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			for i := r; ctx.Err() == nil; i++ {
				at := i * 3 % cases / 3 * 3
				err := s.View(context.Background(), func(sn graph.Snapshot) error {
					c, err := sn.Case(evidence.Ref{Tenant: "a", Case: fmt.Sprint(at)})
					if err == nil && len(c.Findings[0].Summary) != 500_000+at*10 {
						t.Errorf("case %d is another one", at)
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for start := time.Now(); s.collectOnce(ctx) == 0; <-again.C {
		if time.Since(start) > time.Minute {
			t.Error("nothing was collected")
			break
		}
	}
	cancel()
	readers.Wait()
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}

// TestAbandonedSequence pulls from a sequence and does not stop it.
func TestAbandonedSequence(t *testing.T) {
	s := openMemory(t)
	submit(t, s, someCase("a", "1", address(1)), someCase("a", "2", address(1)), someCase("a", "3", address(1)))
	var next func() (graph.Sighting, error, bool)
	var stop func()
	err := s.View(t.Context(), func(sn graph.Snapshot) error {
		next, stop = iter.Pull2(sn.Sightings(address(1), nil))
		_, err, _ := next()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The view can go.
	submit(t, s, someCase("a", "4", address(1)))
	if _, err, ok := next(); !ok || !errors.Is(err, errOver) {
		t.Errorf("after its snapshot a sequence yields error %v", err)
	}
	stop()
}
