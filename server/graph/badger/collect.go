package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
)

const (
	// collectEvery is how often the value log is looked at for what has been
	// replaced or deleted, maxCollected how many of its files one look rewrites.
	collectEvery = 5 * time.Minute
	maxCollected = 4
	// garbageShare is the share of a file that has to be garbage.
	garbageShare = 0.5
)

// collect gives the space of old bodies back, until ctx ends.
func (s *Store) collect(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.collectOnce(ctx)
		}
	}
}

// collectOnce returns the number of files that it has rewritten. What is kept of a
// file is written elsewhere before the file goes.
func (s *Store) collectOnce(ctx context.Context) int {
	// What is being copied into another folder is not moved as well.
	if s.room.check(s.room.forEngine()) != nil || !s.purging.TryLock() {
		return 0
	}
	defer s.purging.Unlock()
	for n := range maxCollected {
		err := s.db().RunValueLogGC(garbageShare)
		if err != nil {
			if !errors.Is(err, dgraph.ErrNoRewrite) && !errors.Is(err, dgraph.ErrGCInMemoryMode) {
				s.log.LogAttrs(ctx, slog.LevelWarn, "collect the value log", slog.Any("error", err))
			}
			return n
		}
		if ctx.Err() != nil {
			return n + 1
		}
	}
	return maxCollected
}

// engineLog passes on what Badger has to say. What it calls information is of
// interest only to somebody who is looking for something.
type engineLog struct{ *slog.Logger }

func (l engineLog) Errorf(format string, args ...any)   { l.print(slog.LevelError, format, args) }
func (l engineLog) Warningf(format string, args ...any) { l.print(slog.LevelWarn, format, args) }
func (l engineLog) Infof(format string, args ...any)    { l.print(slog.LevelDebug, format, args) }
func (l engineLog) Debugf(string, ...any)               {}

func (l engineLog) print(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if l.Enabled(ctx, level) {
		l.LogAttrs(ctx, level, "badger", slog.String("message", fmt.Sprintf(format, args...)))
	}
}
