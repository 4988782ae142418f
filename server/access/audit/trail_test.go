package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// signer returns one of several keys.
func signer(t testing.TB, nth byte) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner(bytes.Repeat([]byte{nth}, audit.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inMemory returns a store that ends with the test.
func inMemory(t testing.TB) *badger.Store {
	t.Helper()
	s, err := badger.Open(context.Background(), badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clock is a time that tests let pass.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(t testing.TB, s audit.Storage, o audit.Options) *audit.Trail {
	t.Helper()
	trail, err := audit.Open(t.Context(), s, signer(t, 1), o)
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

func record(t testing.TB, trail *audit.Trail, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := trail.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// entry is an entry about tenants.
func entry(method string, tenants ...string) audit.Entry {
	return audit.Entry{
		Key: "els_aaaaaaaaaaaa", Role: "analyst", Method: method, Code: audit.CodeOK,
		Counts:  map[string]uint64{"values": 1},
		Content: &audit.Content{Tenants: tenants, Values: []audit.Value{{Kind: "domain", Text: "evil-" + method + ".example"}}},
	}
}

// export returns the lines of a trail.
func export(t testing.TB, trail *audit.Trail) []byte {
	t.Helper()
	var out []byte
	for part, err := range trail.Export(t.Context(), time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part...)
	}
	return out
}

func verified(t testing.TB, trail *audit.Trail) audit.Report {
	t.Helper()
	r, err := audit.Verify(bytes.NewReader(export(t, trail)), trail.Public())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// methods returns what the wanted entries are of.
func methods(t testing.TB, trail *audit.Trail, f audit.Filter) (out []string) {
	t.Helper()
	for e, err := range trail.Entries(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Method)
	}
	return out
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// TestTrailGoesOn records, opens the trail again and goes on.
func TestTrailGoesOn(t *testing.T) {
	store, now := inMemory(t), newClock()
	var want []string
	for part := range 4 {
		trail := open(t, store.Trail(), audit.Options{Clock: now.now})
		for i := range 3 {
			now.pass(time.Second)
			name := fmt.Sprintf("S.M%d%d", part, i)
			record(t, trail, entry(name, "alder"))
			want = append(want, name)
		}
		r := verified(t, trail)
		same(t, "entries", []uint64{r.Entries, r.FirstEntry, r.LastEntry, r.Checkpoints}, []uint64{uint64(len(want)), 1, uint64(len(want)), uint64(part + 1)})
		same(t, "trail", methods(t, trail, audit.Filter{}), want)
	}
	if _, err := audit.Open(t.Context(), store.Trail(), signer(t, 2), audit.Options{}); !errors.As(err, new(*audit.KeyError)) {
		t.Errorf("a trail was gone on with another key: %v", err)
	}
	if begun, err := audit.Begun(t.Context(), store.Trail()); !begun || err != nil {
		t.Error(begun, err)
	}
	if begun, err := audit.Begun(t.Context(), inMemory(t).Trail()); begun || err != nil {
		t.Error(begun, err)
	}
}

// TestEmptyTrail exports nothing, and that is verified.
func TestEmptyTrail(t *testing.T) {
	r := verified(t, open(t, inMemory(t).Trail(), audit.Options{}))
	same(t, "entries", r.Entries, uint64(0))
}

// TestEntryComesBack stores an entry with everything that one may hold.
func TestEntryComesBack(t *testing.T) {
	now := newClock()
	trail := open(t, inMemory(t).Trail(), audit.Options{Clock: now.now})
	e := audit.Entry{
		Key: "els_aaaaaaaaaaaa", Role: "tenant", Method: "S.M", Code: audit.CodeOK, Counts: map[string]uint64{"links": 3, "values": 2},
		Content: &audit.Content{
			Request: "R1", Of: "alder", Tenants: []string{"birch", "alder", "birch"}, Subjects: []string{"model 9"}, Digest: trail.Digest("S.M", []byte("x")),
			Values:  []audit.Value{{Kind: "domain", Text: "<bücher>&.example\u2028\"\\"}, {Kind: "ip", Text: "a\nb\x00\xff"}},
			Refused: []audit.Refusal{{Key: "els_b", Method: "S.N", Reason: "ROLE", Calls: 7}, {Address: "192.0.2.0/32", Method: "S.N", Reason: "KEY_NEEDED", Calls: 1}},
		},
	}
	record(t, trail, e)
	var got *audit.Entry
	for e, err := range trail.Entries(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = e
	}
	e.Number, e.Time = 1, now.now()
	content := *e.Content
	content.Tenants = []string{"alder", "birch"}
	content.Values = []audit.Value{{Kind: "domain", Text: "<bücher>&.example?\"\\"}, {Kind: "ip", Text: "a?b??"}}
	e.Content = &content
	same(t, "entry", got, &e)
	verified(t, trail)
}

// TestBounds records more than an entry holds.
func TestBounds(t *testing.T) {
	trail := open(t, inMemory(t).Trail(), audit.Options{})
	c := &audit.Content{}
	for i := range 2 * audit.MaxTenants {
		c.Tenants = append(c.Tenants, fmt.Sprintf("tenant-%04d-%s", i, strings.Repeat("x", 50)))
		c.Subjects = append(c.Subjects, fmt.Sprint("model ", i))
		c.Values = append(c.Values, audit.Value{Kind: "hostname", Text: strings.Repeat("v", 5000)})
		c.Refused = append(c.Refused, audit.Refusal{Method: "S.M", Reason: "ROLE", Calls: uint64(i)})
	}
	for range 20 {
		record(t, trail, audit.Entry{Key: audit.KeyOpen, Method: "S.M", Code: audit.CodeOK, Content: c})
	}
	r := verified(t, trail)
	same(t, "entries", r.Entries, uint64(20))
	for e, err := range trail.Entries(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		same(t, "held", []int{len(e.Content.Tenants), len(e.Content.Values)}, []int{audit.MaxTenants, audit.MaxValues})
		if !e.Names("tenant-9999") {
			t.Error("an entry with more tenants than it names does not tell of one that it may name")
		}
	}
}

// TestFilter asks for some of the entries.
func TestFilter(t *testing.T) {
	store, now := inMemory(t), newClock()
	trail := open(t, store.Trail(), audit.Options{Clock: now.now})
	start := now.now()
	for i, tenant := range []string{"alder", "birch", "alder", "cedar"} {
		e := entry(fmt.Sprintf("S.M%d", i), tenant)
		if i == 3 {
			e.Key, e.Content.Of = "els_bbbbbbbbbbbb", "alder"
		}
		record(t, trail, e)
		if err := trail.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		now.pass(time.Hour)
	}
	trail.Refused(audit.Refusal{Key: "els_cccccccccccc", Method: "S.M1", Reason: "ROLE"})
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	for _, test := range []struct {
		name string
		f    audit.Filter
		want []string
	}{
		{"all", audit.Filter{}, []string{"S.M0", "S.M1", "S.M2", "S.M3"}},
		{"from", audit.Filter{From: at(1)}, []string{"S.M1", "S.M2", "S.M3"}},
		{"from later", audit.Filter{From: at(1).Add(time.Second)}, []string{"S.M2", "S.M3"}},
		{"to", audit.Filter{To: at(1)}, []string{"S.M0", "S.M1"}},
		{"hour", audit.Filter{From: at(2), To: at(2)}, []string{"S.M2"}},
		{"future", audit.Filter{From: at(100)}, nil},
		{"tenant", audit.Filter{Tenant: "alder"}, []string{"S.M0", "S.M2", "S.M3"}},
		{"key", audit.Filter{Key: "bbbbbbbbbbbb"}, []string{"S.M3"}},
		{"whole key", audit.Filter{Key: "els_bbbbbbbbbbbb"}, []string{"S.M3"}},
		{"method", audit.Filter{Method: "M1"}, []string{"S.M1"}},
		{"whole method", audit.Filter{Method: "S.M1"}, []string{"S.M1"}},
		{"part of a method", audit.Filter{Method: "1"}, nil},
		{"nobody", audit.Filter{Tenant: "elm"}, nil},
	} {
		same(t, test.name, methods(t, trail, test.f), test.want)
		var newest []string
		found, err := trail.Newest(t.Context(), test.f, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			newest = append(newest, e.Method)
		}
		same(t, "newest: "+test.name, newest, test.want[max(0, len(test.want)-2):])
	}
}

// TestNotesAreChained leaves notes with changes of a store, and reads them back.
func TestNotesAreChained(t *testing.T) {
	store := inMemory(t)
	trail := open(t, store.Trail(), audit.Options{})
	for i := range 600 {
		note := trail.Note(func() audit.Entry { return entry(fmt.Sprintf("S.M%d", i), "alder") })
		if err := store.Kept().Put(graph.WithNote(t.Context(), note), "key", fmt.Append(nil, i), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if !note.Left() {
			t.Fatal("the change left no note")
		}
	}
	// One that nobody can read is a line of its own and in nobody's way.
	bad := graph.NewNote(func() []byte { return []byte("not an entry") })
	if err := store.Kept().Put(graph.WithNote(t.Context(), bad), "key", []byte("x"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	got := methods(t, trail, audit.Filter{})
	if len(got) != 601 || got[0] != "S.M0" || got[599] != "S.M599" || got[600] != audit.MethodDamaged {
		t.Fatalf("%d entries: %v", len(got), got[max(0, len(got)-3):])
	}
	for e, err := range trail.Entries(t.Context(), audit.Filter{Tenant: "alder"}) {
		if err != nil || !e.Change {
			t.Fatal(e, err)
		}
	}
	if left, err := store.Trail().Notes(t.Context(), 10); len(left) > 0 || err != nil {
		t.Error(left, err)
	}
	same(t, "entries", verified(t, trail).Entries, uint64(601))
}

// failing is a storage that can be out of order.
type failing struct {
	audit.Storage
	mu  sync.Mutex
	err error
}

func (f *failing) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failing) Write(ctx context.Context, b graph.TrailBatch) error {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Storage.Write(ctx, b)
}

// pages is a storage of nothing but a map, for tests whose time is not real.
type pages struct {
	mu    sync.Mutex
	notes []graph.LeftNote
	head  []byte
	pages map[uint64][]byte
}

func (p *pages) Notes(_ context.Context, limit int) ([]graph.LeftNote, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notes[:min(limit, len(p.notes))]), nil
}

func (p *pages) Head(context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head, nil
}

func (p *pages) Page(_ context.Context, number uint64) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pages[number], nil
}

func (p *pages) Write(_ context.Context, b graph.TrailBatch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pages == nil {
		p.pages = make(map[uint64][]byte)
	}
	if b.Head != nil {
		p.head = b.Head
	}
	for _, page := range b.Put {
		p.pages[page.Number] = page.Data
	}
	for _, number := range b.Remove {
		delete(p.pages, number)
	}
	p.notes = slices.DeleteFunc(p.notes, func(n graph.LeftNote) bool { return slices.Contains(b.Taken, n.ID) })
	return nil
}

func (p *pages) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pages)
}

// running runs a trail until the test of a bubble ends it.
func running(t *testing.T, trail *audit.Trail) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		trail.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestWithinASecond holds the service to how long an answer may be told before it is
// on record.
func TestWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &pages{}
		trail := open(t, storage, audit.Options{})
		stop := running(t, trail)
		for range 5 {
			before := storage.count()
			record(t, trail, entry("S.M"))
			<-time.After(time.Second)
			if storage.count() != before+1 {
				t.Fatal("not on record within a second")
			}
		}
		// What is left at the end is recorded too, and then nothing is taken.
		record(t, trail, entry("S.Last"))
		stop()
		same(t, "pages", storage.count(), 6)
		if err := trail.Record(t.Context(), entry("S.Late")); !errors.Is(err, audit.ErrClosed) {
			t.Errorf("recorded on a trail that is over: %v", err)
		}
		same(t, "entries", verified(t, trail).Entries, uint64(6))
	})
}

// TestSync has Record wait until the entry is durable.
func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &failing{Storage: &pages{}}
		trail := open(t, storage, audit.Options{Sync: true})
		stop := running(t, trail)
		defer stop()
		for i := range 5 {
			began := time.Now()
			record(t, trail, entry("S.M"))
			if n := storage.Storage.(*pages).count(); n != i+1 {
				t.Fatalf("%d pages after %d entries", n, i+1)
			}
			if waited := time.Since(began); waited > 0 {
				t.Errorf("a lone entry waited %v for others", waited)
			}
		}
		broken := errors.New("the disk is full")
		storage.fail(broken)
		if err := trail.Record(t.Context(), entry("S.M")); !errors.Is(err, broken) {
			t.Errorf("an entry that is not stored: %v", err)
		}
		storage.fail(nil)
		<-time.After(2 * time.Second)
		// It is stored when that is possible again, though nobody was told what it says.
		same(t, "entries", verified(t, trail).Entries, uint64(6))
	})
}

// TestBackPressure fills what may wait: nothing is lost, and who comes waits or is
// told why.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &failing{Storage: &pages{}}
		broken := errors.New("the disk is full")
		storage.fail(broken)
		trail := open(t, storage, audit.Options{})
		// Nobody runs it yet: it takes what it may hold, then others wait.
		taken := 0
		for ; taken < 1<<20; taken++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := trail.Record(ctx, entry("S.M"))
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if taken < 1_000 || taken > 100_000 {
			t.Fatalf("%d entries may wait", taken)
		}
		stop := running(t, trail)
		<-time.After(time.Second)
		if err := trail.Record(t.Context(), entry("S.M")); !errors.Is(err, broken) {
			t.Errorf("an entry for which there is no room: %v", err)
		}
		storage.fail(nil)
		<-time.After(2 * time.Second)
		record(t, trail, entry("S.M"))
		stop()
		same(t, "entries", verified(t, trail).Entries, uint64(taken+1))
	})
}

// TestRefused counts an attack: a minute of it is one entry, whatever the number of
// addresses that it comes from.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &pages{}
		trail := open(t, storage, audit.Options{})
		stop := running(t, trail)
		for i := range 50_000 {
			trail.Refused(audit.Refusal{Address: fmt.Sprintf("10.0.%d.%d/32", i>>8&255, i&255), Method: "S.M", Reason: "KEY_NEEDED"})
		}
		for range 500 {
			trail.Refused(audit.Refusal{Key: "els_aaaaaaaaaaaa", Method: "S.M", Reason: "ROLE", Calls: 99})
		}
		<-time.After(61 * time.Second)
		trail.Refused(audit.Refusal{Key: "els_aaaaaaaaaaaa", Method: "S.M", Reason: "ROLE"})
		stop()
		var calls []uint64
		for e, err := range trail.Entries(t.Context(), audit.Filter{Method: audit.MethodRefused}) {
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, e.Counts["calls"])
			if len(e.Content.Refused) > 100 {
				t.Errorf("%d rows", len(e.Content.Refused))
			}
		}
		same(t, "calls", calls, []uint64{50_500, 1})
		size := 0
		for _, page := range storage.pages {
			size += len(page)
		}
		if size > 40<<10 {
			t.Errorf("a minute of refused calls takes %d bytes", size)
		}
		verified(t, trail)
	})
}

// TestPastIsCut lets time pass: what is older than the retention goes, in whole
// groups, and what is left is verified.
func TestPastIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		storage := &pages{}
		trail := open(t, storage, audit.Options{Retention: 10 * day})
		stop := running(t, trail)
		for i := range 30 {
			record(t, trail, entry(fmt.Sprintf("S.M%d", i)))
			<-time.After(day)
		}
		stop()
		got := methods(t, trail, audit.Filter{})
		kept := 0
		for _, m := range got {
			if m != audit.MethodRetention {
				kept++
			}
		}
		if kept < 10 || kept > 12 || got[0] == "S.M0" {
			t.Errorf("%d entries are kept: %v", kept, got)
		}
		r := verified(t, trail)
		if r.FirstEntry == 1 || r.LastEntry-r.FirstEntry+1 != r.Entries {
			t.Errorf("%+v", r)
		}
		// The trail goes on from what is left.
		again := open(t, storage, audit.Options{})
		record(t, again, entry("S.Again"))
		same(t, "last entry", verified(t, again).LastEntry, r.LastEntry+1)
	})
}

// FuzzNote chains notes of any content: none is in the way of the trail.
func FuzzNote(f *testing.F) {
	e := entry("S.M", "alder")
	note := audit.NewNote(time.Now, func() audit.Entry { return e })
	data, _ := graph.NoteOf(graph.WithNote(f.Context(), note))
	f.Add(data)
	f.Add([]byte("{}"))
	f.Add([]byte(`{"time":"2026-01-01T00:00:00.000000Z","key":"<\u2028\ud800","counts":{"b":1,"a":0,"":2},"content":{"values":[{"kind":"\u0000"}],"refused":[{"calls":1}]}}`))
	f.Add([]byte(`{"time":"9999-12-31T23:59:59.999999Z","content":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		storage := &pages{notes: []graph.LeftNote{{ID: 1, Data: data}, {ID: 2, Data: data}}}
		trail := open(t, storage, audit.Options{})
		record(t, trail, e)
		if r := verified(t, trail); r.Entries != 3 {
			t.Errorf("%d entries", r.Entries)
		}
		if found := methods(t, trail, audit.Filter{}); len(found) != 3 {
			t.Errorf("%d entries are read back", len(found))
		}
	})
}
