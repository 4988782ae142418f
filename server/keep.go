package server

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

// keepAgain is how long the service goes on without what panicked in the background.
const keepAgain = time.Second

// keep runs what is to run until ctx ends, again after a panic: a file that is read
// in the background may hold what nobody thought of.
func keep(ctx context.Context, log *slog.Logger, run func(context.Context)) {
	for panicked(ctx, log, run) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(keepAgain):
		}
	}
}

// panicked runs and reports whether that ended in a panic. What it panicked with may
// hold a value, so only the place is logged.
func panicked(ctx context.Context, log *slog.Logger, run func(context.Context)) (yes bool) {
	defer func() {
		if recover() != nil {
			log.ErrorContext(ctx, "panic in the background", "stack", string(debug.Stack()))
			yes = true
		}
	}()
	run(ctx)
	return false
}
