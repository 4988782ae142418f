package linker

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// crew divides work on one state of the store among goroutines, each of which has a
// snapshot of its own.
type crew struct {
	ctx     context.Context
	log     *slog.Logger
	own     graph.Snapshot // of who leads
	helpers int
	jobs    chan *job
}

// together calls f with a crew of that many goroutines.
func (l *Linker) together(ctx context.Context, workers int, f func(*crew) error) error {
	c := &crew{ctx: ctx, log: l.log, helpers: workers - 1, jobs: make(chan *job)}
	var arrived atomic.Int64
	return l.store.Views(ctx, workers, func(s graph.Snapshot) error {
		if arrived.Add(1) > 1 {
			for j := range c.jobs {
				j.work(s)
				j.helping.Done()
			}
			return nil
		}
		defer close(c.jobs)
		c.own = s
		return c.contained(func() error { return f(c) })
	})
}

// contained makes an error of a panic, which would end the process from here. What was
// panicked with may hold a value of a case.
func (c *crew) contained(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			c.log.ErrorContext(c.ctx, "panic while linking", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return f()
}

// job is f for the numbers before n, some of them at a time.
type job struct {
	crew    *crew
	n, step int
	f       func(s graph.Snapshot, from, to int) error
	next    atomic.Int64
	failed  atomic.Pointer[error]
	helping sync.WaitGroup
}

// each has f called for all numbers before n, step of them at a time.
func (c *crew) each(n, step int, f func(s graph.Snapshot, from, to int) error) error {
	j := &job{crew: c, n: n, step: step, f: f}
	j.helping.Add(c.helpers)
	for range c.helpers {
		c.jobs <- j
	}
	j.work(c.own)
	j.helping.Wait()
	if err := j.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (j *job) work(s graph.Snapshot) {
	for j.failed.Load() == nil {
		from := int(j.next.Add(int64(j.step))) - j.step
		if from >= j.n {
			return
		}
		err := j.crew.contained(func() error {
			if err := j.crew.ctx.Err(); err != nil {
				return err
			}
			return j.f(s, from, min(from+j.step, j.n))
		})
		if err != nil {
			j.failed.Store(&err)
		}
	}
}
