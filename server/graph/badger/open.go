// Package badger keeps the graph in a folder, or in memory, with Badger: the
// store of one machine.
//
// It knows Badger and the layout of keys and records; it must not know how
// links are weighed, who may see what, or the wire schema.
//
// One goroutine writes. Requests that wait for it share one transaction and one
// sync, so many clients cost few syncs and a lone one waits for nobody. Since
// nobody else writes, it can keep exact counts for each value in one record.
// A change that is larger than a transaction of Badger goes through a journal
// and is one change all the same. Readers share a view of the last committed
// state and never wait for a commit.
package badger

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// layout is the version of keys and records that this package reads and writes.
const layout = 4

// Memory that a store takes: Badger keeps at most bufferCount+1 write buffers
// and touches each page of one only once it is written to; a full one has a
// third more for what a transaction may add. Tables are not compressed and are
// read through the page cache, with their indices, so there is neither a block
// cache nor one for indices. Options.CacheBytes come on top.
const (
	bufferBytes = 16 << 20
	bufferCount = 2
	// valueThreshold is the length from which a value goes to the value log, so
	// that compaction does not move it: profiles and bodies, but no record of a value.
	valueThreshold = maxNewestBytes + 128
	// memoryThreshold is the longest value that Badger takes in memory.
	memoryThreshold = 1 << 20
	valueLogBytes   = 64 << 20
	// baseLevelBytes is the size of the first sorted level at least. Most keys are
	// random, so each table that is merged into a level meets all of it: a level
	// fewer saves more than a large first one costs. Of a million cases of 20
	// observables, 89 kB are written for each with these sizes; 128 with a first
	// level of 64 MiB, five tables merged together and 1 KiB in place of
	// valueThreshold.
	baseLevelBytes = 640 << 20
	// unsortedTables are merged into it together. Where there are twice as many,
	// writers wait for that.
	unsortedTables = 12
)

// Options say where a store is and how it behaves. Either Dir or Memory is set.
type Options struct {
	// Dir is the store's folder. It is made if it is not there.
	Dir string
	// Memory keeps the store in memory; it is gone after Close.
	Memory bool
	// Limits are the caps of the model; zero fields mean the model's own.
	Limits graph.Limits
	// Counted reports whether live cases of a tenant count in Size. The answer
	// never changes for a tenant that has cases; nil: all count but those of
	// tenants whose ids begin with reports-.
	Counted func(tenant string) bool
	// Clock gives create, update and mark times; nil: time.Now.
	Clock func() time.Time
	// Logger takes what happens in the background; nil: nothing is logged.
	Logger *slog.Logger
	// CacheBytes bounds what is kept decoded of profiles and values, in bytes by
	// estimate; 0: DefaultCacheBytes.
	CacheBytes int64
	// Reserve is the room on the disk, in bytes, below which no cases are taken;
	// 0: DefaultReserve. The linker goes on down to half of it, and the store
	// opens down to a quarter.
	Reserve uint64
	// Free returns the bytes that are free on the disk of a folder; nil: ask the
	// operating system.
	Free func(dir string) (uint64, error)
	// Encryption is how files are encrypted; not at all by default.
	Encryption Encryption
}

// ErrInUse is returned by Open for a folder that another process has open.
var ErrInUse = errors.New("the folder is open in another process")

// LayoutError is returned by Open for a store that a newer version of this
// program has written.
type LayoutError struct {
	Stored, Known uint32
}

func (e *LayoutError) Error() string {
	return fmt.Sprintf("the store has layout %d; this version reads layouts up to %d", e.Stored, e.Known)
}

// errForeign is returned for a Badger database that somebody else has made.
var errForeign = errors.New("the folder holds a database that is no Elsewhere store")

// Store is a graph in Badger. It implements graph.Store.
type Store struct {
	engine  atomic.Pointer[engine]
	options Options
	room    *space
	inline  int64
	limits  graph.Limits
	counted func(tenant string) bool
	now     func() time.Time
	log     *slog.Logger
	pack    *packer

	views    views
	caches   *caches
	requests requests
	changed  chan struct{}
	logged   chan struct{}
	// queued is a sequence before which no queue record is left.
	queued atomic.Uint64
	// touchedFrom is one before which nothing is listed as touched.
	touchedFrom atomic.Uint64
	// notedFrom is a number before which no note is left.
	notedFrom atomic.Uint64
	// gaveUp is why the writer takes no more changes, nil while it does.
	gaveUp atomic.Pointer[graph.BrokenError]
	// written is closed when the writer is done, collected when the collector is.
	written, collected chan struct{}
	stop               context.CancelFunc
	closed             chan struct{}
	closeErr           error
	// purging is held by who moves values or the whole database.
	purging sync.Mutex
	// over ends what runs in the background.
	over context.Context
}

var _ graph.Store = (*Store)(nil)

// Open opens a store, which has to be closed. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, o Options) (*Store, error) {
	switch {
	case o.Memory && o.Dir != "":
		return nil, errors.New("a store is in memory or in a folder, not both")
	case !o.Memory && o.Dir == "":
		return nil, errors.New("no folder given")
	case o.Memory && o.Encryption.on():
		return nil, errors.New("a store in memory has no files to encrypt")
	}
	if err := o.Encryption.check(); err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := o.Clock
	if now == nil {
		now = time.Now
	}
	counted := o.Counted
	if counted == nil {
		counted = func(tenant string) bool { return !strings.HasPrefix(tenant, "reports-") }
	}
	room := newSpace(o, now, log)
	e, err := openCurrent(o, room, log)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options:   o,
		room:      room,
		inline:    e.Opts().ValueThreshold,
		limits:    o.Limits.OrDefaults(),
		counted:   counted,
		caches:    newCaches(cmp.Or(o.CacheBytes, DefaultCacheBytes)),
		now:       now,
		log:       log,
		requests:  requests{ch: make(chan *request, queueLength)},
		changed:   make(chan struct{}, 1),
		logged:    make(chan struct{}, 1),
		written:   make(chan struct{}),
		collected: make(chan struct{}),
		closed:    make(chan struct{}),
	}
	s.engine.Store(e)
	stored, err := s.start()
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := s.migrate(ctx, stored); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the store to layout %d: %w", layout, err), s.Close())
	}
	return s, nil
}

// start returns the layout that it finds and starts what runs in the background.
func (s *Store) start() (stored uint64, err error) {
	if stored, err = s.checkLayout(); err != nil {
		return 0, err
	}
	if s.pack, err = newPacker(); err != nil {
		return 0, err
	}
	w, err := newWriter(s)
	if err != nil {
		s.pack.close()
		return 0, err
	}
	go func() {
		defer close(s.written)
		w.run()
	}()
	s.over, s.stop = context.WithCancel(context.Background())
	go func() {
		defer close(s.collected)
		s.collect(s.over)
	}()
	return stored, nil
}

// db is the database of now. Another one takes its place when the store is purged.
func (s *Store) db() *engine { return s.engine.Load() }

func engineOptions(dir string, o Options, log *slog.Logger) dgraph.Options {
	opt := dgraph.DefaultOptions(dir).
		WithInMemory(o.Memory).
		WithLogger(engineLog{log}).
		WithSyncWrites(!o.Memory).
		WithMemTableSize(bufferBytes).
		WithNumMemtables(bufferCount).
		WithNumCompactors(2).
		WithBaseLevelSize(baseLevelBytes).
		WithNumLevelZeroTables(unsortedTables).
		WithNumLevelZeroTablesStall(2 * unsortedTables).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogBytes).
		// There is one writer.
		WithDetectConflicts(false).
		// DiskSize is one of the metrics.
		WithMetricsEnabled(true)
	if o.Memory {
		opt = opt.WithValueThreshold(memoryThreshold)
	}
	return o.Encryption.apply(opt)
}

// checkLayout makes a new database a store, refuses what is none and returns the
// layout of what is there.
func (s *Store) checkLayout() (stored uint64, err error) {
	txn := s.db().NewTransaction(false)
	defer txn.Discard()
	r := reader{txn: txn}
	ok, err := r.get([]byte(keyLayout), func(val []byte) (err error) {
		stored, err = number(val)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case ok && stored > layout:
		return 0, &LayoutError{Stored: uint32(stored), Known: layout}
	case ok:
		return stored, nil
	}
	it := r.iterate(nil)
	it.Rewind()
	empty := !it.Valid()
	it.Close()
	if !empty {
		return 0, errForeign
	}
	return layout, s.db().Update(func(txn *dgraph.Txn) error {
		return txn.Set([]byte(keyLayout), binary.AppendUvarint(nil, layout))
	})
}

// Close implements graph.Store. Requests that were accepted are carried out
// first; it waits for readers, so it must not be called inside View.
func (s *Store) Close() error {
	if !s.requests.close() {
		<-s.closed
		return s.closeErr
	}
	defer close(s.closed)
	<-s.written
	s.stop()
	<-s.collected
	// A purge under way gives up, or is waiting for readers as this is.
	s.purging.Lock()
	defer s.purging.Unlock()
	s.views.close()
	s.pack.close()
	s.closeErr = s.closeEngine(s.db())
	return s.closeErr
}
