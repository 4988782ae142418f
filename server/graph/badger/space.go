package badger

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Badger writes through memory maps of files with holes. Where the disk has no
// block left for a hole, the operating system ends the process, and all its
// answers with it. So changes are refused before the disk is full, while there
// is room for what Badger does by itself: emptying its buffers and merging
// tables.

// DefaultReserve is the room on the disk, in bytes, below which a store takes no
// cases: two buffers and the merge of what they become, several times over.
const DefaultReserve = 1 << 30

// A merge writes its tables anew before it removes them.
const (
	// mergeCovered is what a merge may take of a reserve of the default size.
	mergeCovered = DefaultReserve / 4
	// mostMerged bounds what one takes: the first level, which may be larger than it
	// should be for a while, with all tables that writers do not have to wait for.
	mostMerged = 3*baseLevelBytes/2 + 2*unsortedTables*bufferBytes
	// tablesEvery is how often the tables are measured.
	tablesEvery = 10 * time.Second
)

// sayAgainAfter is how often a full disk is logged while changes are refused.
const sayAgainAfter = time.Minute

// space knows the room on the disk of a store.
type space struct {
	dir     string
	reserve uint64
	free    func(dir string) (uint64, error) // nil in memory
	now     func() time.Time
	log     *slog.Logger

	mu    sync.Mutex
	short bool
	said  time.Time
	// tables are the bytes of all tables when they were measured.
	tables   uint64
	measured time.Time
}

func newSpace(o Options, now func() time.Time, log *slog.Logger) *space {
	s := &space{dir: o.Dir, reserve: o.Reserve, free: o.Free, now: now, log: log}
	if s.reserve == 0 {
		s.reserve = DefaultReserve
	}
	if o.Memory {
		s.free = nil
	} else if s.free == nil {
		s.free = freeBytes
	}
	return s
}

// The room that is needed: whoever brings new cases is refused first, the linker
// may still finish what it has begun, and a service may start and stop as long
// as there is a quarter. Each needs the room for a merge besides.
func (s *space) forCases() uint64  { return s.reserve + s.forMerge() }
func (s *space) forLinker() uint64 { return s.reserve/2 + s.forMerge() }
func (s *space) forEngine() uint64 { return s.reserve/4 + s.forMerge() }

// forMerge is what the largest merge may take beyond the reserve.
func (s *space) forMerge() uint64 {
	if s.free == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.measured.IsZero() || now.Sub(s.measured) >= tablesEvery || now.Before(s.measured) {
		s.tables, s.measured = tableBytes(s.dir), now
	}
	return max(min(s.tables, mostMerged), mergeCovered) - mergeCovered
}

// tableBytes returns the length of all tables in a folder. Those that go meanwhile, or
// cannot be read, are left out: the database tells why.
func tableBytes(dir string) (sum uint64) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".sst" {
			if info, err := e.Info(); err == nil {
				sum += uint64(info.Size())
			}
		}
		return nil
	})
	return sum
}

// check returns a *graph.NoSpaceError if less than needed bytes are free.
func (s *space) check(needed uint64) error {
	if s.free == nil {
		return nil
	}
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("room on the disk: %w", err)
	}
	if free < needed {
		return &graph.NoSpaceError{Free: free, Needed: needed}
	}
	return nil
}

// admit is check for new cases and deletions, and tells the log when they begin
// to be refused and when they are taken again.
func (s *space) admit(ctx context.Context) error {
	if s.free == nil {
		return nil
	}
	needed := s.forCases()
	if s.isShort() {
		// Merges give and take room; without a margin every one would be a change
		// of mind.
		needed += s.reserve / 8
	}
	if err := s.check(needed); err != nil {
		return s.refuse(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.short {
		s.short = false
		s.log.LogAttrs(ctx, slog.LevelWarn, "the disk has room again: changes are taken", slog.String("dir", s.dir))
	}
	return nil
}

// admitLinker is check for what the linker writes.
func (s *space) admitLinker(ctx context.Context) error {
	if err := s.check(s.forLinker()); err != nil {
		return s.refuse(ctx, err)
	}
	return nil
}

func (s *space) isShort() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.short
}

// refuse tells the log why changes are refused, now and then, and returns err.
func (s *space) refuse(ctx context.Context, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.short || now.Sub(s.said) >= sayAgainAfter || now.Before(s.said) {
		s.short, s.said = true, now
		s.log.LogAttrs(ctx, slog.LevelError, "changes are refused, reads go on: free room on the disk",
			slog.String("dir", s.dir), slog.Any("error", err))
	}
	return err
}
