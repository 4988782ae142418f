package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// line has callers wait one after the other and notes who is let in.
type line struct {
	*admission
	t     *testing.T
	mu    sync.Mutex
	in    []string
	leave map[string]func()
}

func (l *line) enter(ctx context.Context, caller, name string, observables int) {
	go func() {
		leave, err := l.admission.enter(ctx, caller, observables)
		if err != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.in = append(l.in, name)
		l.leave[name] = leave
	}()
	synctest.Wait()
}

func (l *line) gone(name string) {
	leave := l.leave[name]
	delete(l.leave, name)
	leave()
	synctest.Wait()
}

func newLine(t *testing.T) *line {
	return &line{admission: &admission{}, t: t, leave: make(map[string]func())}
}

// fill takes every place.
func (l *line) fill() {
	for i := range activeSubmits {
		l.enter(l.t.Context(), "before", fmt.Sprint("before ", i), 1)
	}
	if len(l.in) != activeSubmits {
		l.t.Fatalf("%d let in, %d places", len(l.in), activeSubmits)
	}
	l.in = nil
}

// want compares who was let in, in any order: two that are let in at once may
// note it in either.
func (l *line) want(names ...string) {
	l.t.Helper()
	slices.Sort(l.in)
	slices.Sort(names)
	if !slices.Equal(l.in, names) {
		l.t.Errorf("let in %q, want %q", l.in, names)
	}
}

func TestCallersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		l.fill()
		for i := range 3 {
			l.enter(t.Context(), "loud", fmt.Sprint("loud ", i), 1)
		}
		l.enter(t.Context(), "quiet", "quiet", 1)
		if waiting, active := l.depth(); waiting != 4 || active != activeSubmits {
			t.Errorf("%d wait and %d are at the store; want 4 and %d", waiting, active, activeSubmits)
		}
		for i, name := range []string{"loud 0", "quiet", "loud 1", "loud 2"} {
			l.want()
			l.gone(fmt.Sprint("before ", i))
			l.want(name)
			l.in = nil
		}
	})
}

func TestOneLargeCaseAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		l.enter(t.Context(), "a", "large", largeObservables)
		l.enter(t.Context(), "b", "large too", largeObservables)
		l.enter(t.Context(), "b", "behind it", 1)
		l.enter(t.Context(), "c", "small", 1)
		l.want("large", "small")
		l.gone("large")
		l.want("large", "small", "large too", "behind it")
	})
}

func TestWhoGivesUpLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		l.enter(t.Context(), "a", "large", largeObservables)
		ctx, cancel := context.WithCancel(t.Context())
		l.enter(ctx, "b", "gives up", largeObservables)
		l.enter(t.Context(), "b", "behind it", 1)
		l.want("large")
		cancel()
		synctest.Wait()
		l.want("large", "behind it")
		l.gone("large")
		l.gone("behind it")
		if l.active != 0 || l.waiting != 0 || l.large != 0 || len(l.callers) != 0 || len(l.turns) != 0 {
			t.Errorf("left behind: %+v", l.admission)
		}
	})
}

func TestFullLineTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		l.fill()
		for i := range waitingOfCaller {
			l.enter(t.Context(), "loud", fmt.Sprint("loud ", i), 1)
		}
		_, err := l.admission.enter(t.Context(), "loud", 1)
		if !errors.Is(err, errBusy) {
			t.Errorf("one more: %v", err)
		}
		told := status.Convert(toStatus(t.Context(), slog.New(slog.DiscardHandler), err))
		if told.Code() != codes.ResourceExhausted || len(told.Details()) != 1 {
			t.Fatalf("he is told %v", told)
		}
		if retry, ok := told.Details()[0].(*errdetails.RetryInfo); !ok || retry.GetRetryDelay().AsDuration() != busyRetry {
			t.Errorf("he may come back: %v", told.Details()[0])
		}
		ctx, cancel := context.WithCancel(t.Context())
		l.enter(ctx, "quiet", "quiet", 1)
		l.gone("before 0")
		l.gone("before 1")
		l.want("loud 0", "quiet")
		cancel()
		for len(l.leave) > 0 {
			for name := range l.leave {
				l.gone(name)
				break
			}
		}
		if l.waiting != 0 {
			t.Errorf("%d still wait", l.waiting)
		}
	})
}

// TestManyObservablesTurnAway bounds what waits by its size as well.
func TestManyObservablesTurnAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		l.enter(t.Context(), "a", "large", largeObservables)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 20 {
			l.enter(ctx, fmt.Sprint(i), fmt.Sprint("waits ", i), waitingObservables/20)
		}
		if _, err := l.admission.enter(t.Context(), "another", largeObservables); !errors.Is(err, errBusy) {
			t.Errorf("one more: %v", err)
		}
		l.want("large")
		l.gone("large")
		// One of them is at the store now, and there is room for another.
		l.enter(ctx, "another", "another", waitingObservables/20)
		if waiting, active := l.depth(); waiting != 20 || active != 1 {
			t.Errorf("%d wait, %d are at the store; want 20 and 1", waiting, active)
		}
		cancel()
		synctest.Wait()
		if l.waiting != 0 || l.observables != 0 {
			t.Errorf("%d still wait, with %d observables", l.waiting, l.observables)
		}
	})
}
