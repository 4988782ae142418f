package badger

import (
	"context"
	"fmt"
	"log/slog"
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
// as there is a quarter.
func (s *space) forLinker() uint64 { return s.reserve / 2 }
func (s *space) forEngine() uint64 { return s.reserve / 4 }

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
	needed := s.reserve
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
