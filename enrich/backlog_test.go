package enrich_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// run starts a backlog until the test ends.
func run(t *testing.T, b *enrich.Backlog) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestBacklogAsksFirstWhatChangesMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(_ context.Context, _ enrich.Value, p enrich.Purpose) enrich.Answer {
			if p != enrich.Background {
				t.Error("not in the background")
			}
			return reports("0")
		})
		b := enrich.NewBacklog(build(t, nil, s), 4)
		b.Offer(enrich.Ask{}, ip("20.0.0.1"), 1)
		b.Offer(enrich.Ask{}, ip("20.0.0.2"), 5)
		b.Offer(enrich.Ask{}, ip("20.0.0.3"), 2)
		b.Offer(enrich.Ask{}, ip("20.0.0.4"), 2)
		b.Offer(enrich.Ask{}, ip("20.0.0.5"), math.NaN()) // full: dropped
		b.Offer(enrich.Ask{}, ip("::ffff:20.0.0.4"), 3)   // the same value, more important
		b.Offer(enrich.Ask{}, ip("20.0.0.2"), 0)          // no less important for it
		b.Offer(enrich.Ask{}, ip("20.0.0.6"), 4)          // drops the first
		if b.Len() != 4 {
			t.Errorf("%d wait", b.Len())
		}
		run(t, b)
		synctest.Wait()
		if d := cmp.Diff([]string{"20.0.0.2", "20.0.0.6", "20.0.0.4", "20.0.0.3"}, s.seen()); d != "" {
			t.Error(d)
		}
		b.Offer(enrich.Ask{}, ip("20.0.0.7"), 0)
		synctest.Wait()
		if s.count() != 5 || b.Len() != 0 {
			t.Errorf("%d look-ups, %d wait", s.count(), b.Len())
		}
	})
}

func TestBacklogRestsForTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
			if time.Since(start) < 29241*time.Second {
				return enrich.Answer{Status: enrich.Quota, RetryAt: start.Add(29241 * time.Second)}
			}
			return reports("0")
		})
		b := enrich.NewBacklog(build(t, nil, s), 10)
		b.Offer(enrich.Ask{}, ip("20.0.0.1"), 1)
		b.Offer(enrich.Ask{}, ip("20.0.0.2"), 2)
		run(t, b)
		after(t.Context(), 29240*time.Second)
		if s.count() != 1 || b.Len() != 2 {
			t.Errorf("%d look-ups, %d wait", s.count(), b.Len())
		}
		after(t.Context(), 2*time.Second)
		if d := cmp.Diff([]string{"20.0.0.2", "20.0.0.2", "20.0.0.1"}, s.seen()); d != "" {
			t.Error(d)
		}
	})
}

func TestBacklogDoesNotRepeatFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
			return enrich.Answer{Status: enrich.Error}
		})
		b := enrich.NewBacklog(build(t, nil, s), 10)
		run(t, b)
		b.Offer(enrich.Ask{}, ip("20.0.0.1"), 1)
		after(t.Context(), time.Hour)
		if s.count() != 1 || b.Len() != 0 {
			t.Errorf("%d look-ups, %d wait", s.count(), b.Len())
		}
	})
}
