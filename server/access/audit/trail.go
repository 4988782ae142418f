package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Storage is what a trail needs of a store: a graph.Trail is one.
type Storage interface {
	Notes(ctx context.Context, limit int) ([]graph.LeftNote, error)
	Head(ctx context.Context) ([]byte, error)
	Page(ctx context.Context, number uint64) ([]byte, error)
	Write(ctx context.Context, b graph.TrailBatch) error
}

// Options say how a trail behaves. The zero value is useful.
type Options struct {
	// Sync makes Record wait until the entry is durable.
	Sync bool
	// Retention is how long entries are kept at least; 0: for ever.
	Retention time.Duration
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Log takes what goes wrong in the background; nil: nothing is logged.
	Log *slog.Logger
}

// Trail records entries. Create one with Open; Run has to follow for entries to
// become durable by themselves. It is safe for concurrent use.
type Trail struct {
	storage Storage
	signer  *Signer
	options Options
	clock   func() time.Time
	log     *slog.Logger
	refused refusals

	mu      sync.Mutex
	waiting []waiting
	bytes   int           // of what waits, about
	failed  error         // of the last flush
	closed  bool          // nobody flushes any more
	freed   chan struct{} // closed when waiting shrinks
	poke    chan struct{} // something waits
	hurry   chan struct{} // and not for long

	// rewriting is held by who changes pages that are written, and taken before
	// flushing, which is held by who adds pages.
	rewriting sync.Mutex
	flushing  sync.Mutex
	end       chain // guarded by flushing
}

// waiting is an entry that is not durable yet.
type waiting struct {
	Entry
	done  chan error // nil if nobody waits for it
	bytes int
}

// Bounds of what waits, and how long it does.
const (
	maxWaiting      = 8_192
	maxWaitingBytes = 16 << 20
	// gather is how long entries wait for others to share a page with: less than
	// the second that they may take.
	gather = 200 * time.Millisecond
	// hurryAbove is how many do not wait.
	hurryAbove = 1_024
	retryAfter = time.Second
	notesAtime = 256
)

// ErrClosed is returned by a trail that is over.
var ErrClosed = errors.New("the audit trail is closed")

// KeyError is returned by Open for a trail that was signed with another key.
type KeyError struct{ Stored, Given PublicKey }

func (e *KeyError) Error() string {
	return fmt.Sprintf("the audit trail of this store was signed with the key %s, and this one is %s: put that one back", e.Stored, e.Given)
}

// Open goes on with the trail of a store, or begins one.
func Open(ctx context.Context, storage Storage, signer *Signer, o Options) (*Trail, error) {
	t := &Trail{
		storage: storage, signer: signer, options: o, clock: o.Clock, log: o.Log, freed: make(chan struct{}),
		poke: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
	}
	if t.clock == nil {
		t.clock = time.Now
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	stored, err := storedChain(ctx, storage)
	if err != nil {
		return nil, err
	}
	t.end = newChain(signer.Public())
	if stored != nil {
		if stored.Key != signer.Public() {
			return nil, &KeyError{stored.Key, signer.Public()}
		}
		t.end = *stored
	}
	// A crash may have left notes.
	t.Wake()
	return t, nil
}

// Begun reports whether a store has a trail already, which only the key that it was
// begun with goes on with.
func Begun(ctx context.Context, storage Storage) (bool, error) {
	c, err := storedChain(ctx, storage)
	return c != nil, err
}

// storedChain returns where the trail of a store ends, nil if there is none.
func storedChain(ctx context.Context, storage Storage) (*chain, error) {
	raw, err := storage.Head(ctx)
	if err != nil || raw == nil {
		return nil, err
	}
	var c chain
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("the head of the audit trail is damaged: %w", err)
	}
	if c.Version > formatVersion {
		return nil, fmt.Errorf("the audit trail has version %d; this program writes %d", c.Version, formatVersion)
	}
	return &c, nil
}

// Public returns the key that the trail is verified with.
func (t *Trail) Public() PublicKey { return t.signer.Public() }

// Digest returns a keyed digest of a request.
func (t *Trail) Digest(method string, request []byte) string { return t.signer.Digest(method, request) }

// NewNote returns an entry for a change to leave (graph.WithNote). entry is called
// when the change is made.
func NewNote(clock func() time.Time, entry func() Entry) *graph.Note {
	return graph.NewNote(func() []byte {
		e := entry()
		e.Change, e.Time = true, clock()
		data, err := e.note()
		if err != nil {
			// It has nothing that JSON cannot hold; were it so, it would be damaged.
			return []byte("{}")
		}
		return data
	})
}

// Note is NewNote with the clock of the trail. Wake has to be called when the change
// may have been made.
func (t *Trail) Note(entry func() Entry) *graph.Note { return NewNote(t.clock, entry) }

// Wake says that changes may have left notes.
func (t *Trail) Wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// Record takes an entry, which is durable within a second, or with Options.Sync when
// Record returns. Where too many wait it waits too; an error means that the entry may
// be lost and what it tells of must not be.
func (t *Trail) Record(ctx context.Context, e Entry) error {
	e.Time = t.clock()
	e.tidy()
	w := waiting{Entry: e}
	if t.options.Sync {
		w.done = make(chan error, 1)
	}
	if err := t.queue(ctx, w); err != nil || w.done == nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queue adds an entry when there is room.
func (t *Trail) queue(ctx context.Context, w waiting) error {
	w.bytes = w.weight()
	for {
		t.mu.Lock()
		switch {
		case t.closed:
			t.mu.Unlock()
			return ErrClosed
		case len(t.waiting) < maxWaiting && t.bytes < maxWaitingBytes:
			t.waiting = append(t.waiting, w)
			t.bytes += w.bytes
			soon := len(t.waiting) >= hurryAbove || w.done != nil
			t.mu.Unlock()
			t.Wake()
			if soon {
				t.hasten()
			}
			return nil
		case t.failed != nil:
			defer t.mu.Unlock()
			return fmt.Errorf("audit trail: %w", t.failed)
		}
		freed := t.freed
		t.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *Trail) hasten() {
	select {
	case t.hurry <- struct{}{}:
	default:
	}
}

// Run makes entries durable until ctx ends, and once more then.
func (t *Trail) Run(ctx context.Context) {
	minutes := time.NewTicker(time.Minute)
	defer minutes.Stop()
	last := context.WithoutCancel(ctx)
	t.cut(ctx)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			t.finish(last)
			return
		case <-minutes.C:
			t.countRefused(ctx)
			if n%60 == 0 {
				t.cut(ctx)
			}
		case <-t.poke:
			select {
			case <-t.hurry:
			case <-ctx.Done():
			case <-time.After(gather):
			}
		}
		if err := t.Flush(last); err != nil {
			t.log.ErrorContext(ctx, "audit entries are not stored yet", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
			t.Wake()
		}
	}
}

// finish makes the last entries durable; afterwards none are taken.
func (t *Trail) finish(ctx context.Context) {
	t.countRefused(ctx)
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	if err := t.Flush(ctx); err != nil {
		t.log.ErrorContext(ctx, "the last audit entries are not stored", "error", err)
	}
	t.flushing.Lock()
	defer t.flushing.Unlock()
	// Whoever keeps the log can tell whether the end of the trail was cut off.
	t.log.InfoContext(ctx, "audit trail", "entries", t.end.Entries, "checkpoint", t.end.Last, "hash", t.end.Hash)
}

// cut drops what is older than the retention.
func (t *Trail) cut(ctx context.Context) {
	if t.options.Retention <= 0 {
		return
	}
	for {
		gone, err := t.Cut(ctx, t.clock().Add(-t.options.Retention))
		if err != nil && ctx.Err() == nil {
			t.log.WarnContext(ctx, "old audit entries are not removed yet", "error", err)
		}
		if err != nil || gone == 0 {
			return
		}
	}
}

// Flush makes all entries durable that were recorded before, and all notes.
func (t *Trail) Flush(ctx context.Context) error {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	return t.flush(ctx)
}

func (t *Trail) flush(ctx context.Context) error {
	for {
		t.mu.Lock()
		queued := slices.Clone(t.waiting)
		t.mu.Unlock()
		notes, err := t.storage.Notes(ctx, notesAtime)
		if err != nil {
			return t.done(queued, err)
		}
		if len(notes)+len(queued) == 0 {
			return t.done(nil, nil)
		}
		if err := t.done(queued, t.write(ctx, notes, queued)); err != nil {
			return err
		}
		if len(notes) < notesAtime {
			return nil
		}
	}
}

// write chains entries and notes, oldest first, in one change of the store.
func (t *Trail) write(ctx context.Context, notes []graph.LeftNote, queued []waiting) error {
	var batch graph.TrailBatch
	entries := make([]Entry, 0, len(notes)+len(queued))
	for _, n := range notes {
		e, err := readNote(n.Data)
		if err != nil {
			e = Entry{Time: t.clock(), Key: KeySystem, Method: MethodDamaged, Code: CodeOK, Content: &Content{}}
		}
		entries = append(entries, e)
		batch.Taken = append(batch.Taken, n.ID)
	}
	for _, w := range queued {
		entries = append(entries, w.Entry)
	}
	slices.SortStableFunc(entries, byTime)
	return t.append(ctx, batch, entries)
}

// append chains entries and writes them with the rest of a batch.
func (t *Trail) append(ctx context.Context, batch graph.TrailBatch, entries []Entry) error {
	end := t.end
	for len(entries) > 0 {
		lines, next, n, err := end.seal(t.signer, entries, t.clock())
		if err != nil {
			return err
		}
		batch.Put = append(batch.Put, graph.Page{Number: next.Last, Data: lines})
		end, entries = next, entries[n:]
	}
	head, err := json.Marshal(end)
	if err != nil {
		return err
	}
	batch.Head = head
	if err := t.storage.Write(ctx, batch); err != nil {
		return err
	}
	t.end = end
	return nil
}

// done takes entries that are durable away, or keeps them after an error, and tells
// who waits for them.
func (t *Trail) done(queued []waiting, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
	for i := range queued {
		if done := queued[i].done; done != nil {
			done <- err
			// He is told once, though the entry may be tried again.
			if err != nil {
				t.waiting[i].done = nil
			}
		}
	}
	if err == nil {
		t.waiting = slices.Delete(t.waiting, 0, len(queued))
		for i := range queued {
			t.bytes -= queued[i].bytes
		}
	}
	close(t.freed)
	t.freed = make(chan struct{})
	return err
}
