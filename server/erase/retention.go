package erase

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Retention deletes cases that a tenant wants kept for a number of days only. A case
// is kept from its last change on or, where it was closed later than that, from then;
// whether it is open makes no difference.
//
// What is deleted is gone, so the clock is not simply believed: see heldFor.
type Retention struct {
	Keeper Keeper
	// Cases reads and deletes.
	Cases Cases
	// Tenants returns the tenants whose cases are kept for some days, with the days.
	Tenants func() map[string]uint32
	Clock   func() time.Time // nil: time.Now
	Log     *slog.Logger
}

const (
	// retentionEvery is how often cases are looked at, and retainedAtOnce how many are
	// deleted in one look: what is left waits for the next.
	retentionEvery = time.Hour
	retainedAtOnce = 100_000
	// leap is how far the clock may be ahead of when it was looked at last.
	leap = 48 * time.Hour
	// heldFor is how long a clock that is further ahead has to be, while the service
	// runs, before it is believed: a weekend and a day, in which somebody may notice
	// and set it right. A service that was stopped for longer than a leap waits as
	// long.
	heldFor = 72 * time.Hour
)

// clockKey is where is kept what time it was when cases were looked at last.
const clockKey = "retention/clock"

// seenClock is what is kept of the clock.
type seenClock struct {
	// Last is the latest time that was believed.
	Last time.Time `json:"last"`
	// Held is how long a clock that is ahead has been watched, in seconds.
	Held int64 `json:"held_seconds,omitempty"`
}

// Run looks at cases now and then until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	ticks := time.NewTicker(retentionEvery)
	defer ticks.Stop()
	for watched := time.Duration(0); ; watched = retentionEvery {
		if n, err := r.Look(ctx, watched); err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "cases are kept longer than their tenants want", "error", err)
		} else if n > 0 {
			r.Log.InfoContext(ctx, "cases were deleted because they had been kept as long as their tenants want", "cases", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// Look deletes the cases that are due, and returns how many those were. watched is
// how long the service has run since the last look.
func (r *Retention) Look(ctx context.Context, watched time.Duration) (int, error) {
	now := time.Now
	if r.Clock != nil {
		now = r.Clock
	}
	at, err := r.believed(ctx, now(), watched)
	if err != nil || at.IsZero() {
		return 0, err
	}
	deleted := 0
	for tenant, days := range r.Tenants() {
		if days == 0 {
			continue
		}
		n, err := r.tenant(ctx, tenant, at.AddDate(0, 0, -int(days)), retainedAtOnce-deleted)
		deleted += n
		if err != nil || deleted >= retainedAtOnce {
			return deleted, err
		}
	}
	return deleted, nil
}

// tenant deletes at most limit cases of a tenant that are older than a time.
func (r *Retention) tenant(ctx context.Context, tenant string, before time.Time, limit int) (deleted int, err error) {
	for at := (evidence.Ref{}); deleted < limit; {
		var due []evidence.Ref
		last := evidence.Ref{}
		err := r.Cases.Store.View(ctx, func(s graph.Snapshot) error {
			n := 0
			for c, err := range s.Cases(tenant, at) {
				if err != nil {
					return err
				}
				last = c.Ref
				kept := c.UpdateTime
				if c.ClosedAt.After(kept) {
					kept = c.ClosedAt
				}
				if kept.Before(before) {
					due = append(due, c.Ref)
				}
				if n++; n == casesTogether || deleted+len(due) == limit {
					break
				}
			}
			return nil
		})
		if err != nil {
			return deleted, err
		}
		if err := r.Cases.delete(ctx, due); err != nil {
			return deleted, err
		}
		deleted += len(due)
		if last == (evidence.Ref{}) {
			break
		}
		at = last
	}
	return deleted, nil
}

// believed returns the time by which cases are deleted, the zero time for not now.
func (r *Retention) believed(ctx context.Context, now time.Time, watched time.Duration) (time.Time, error) {
	seen, err := r.seen(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if seen.Last.IsZero() {
		// The first look: the newest change is when the clock was right for sure.
		if seen.Last, err = r.newest(ctx); err != nil {
			return time.Time{}, err
		}
		if seen.Last.IsZero() {
			seen.Last = now
		}
	}
	switch ahead := now.Sub(seen.Last); {
	case ahead <= 0:
		// Set back: what was due then is due still, and nothing more.
		seen.Held = 0
		return seen.Last, r.keep(ctx, seen)
	case ahead > leap && time.Duration(seen.Held)*time.Second+watched < heldFor:
		seen.Held += int64(watched / time.Second)
		r.Log.WarnContext(ctx, "no case is deleted for its age: the clock is far ahead of when it was looked at last; if it is right nothing is to be done",
			"last", seen.Last.UTC().Format(time.RFC3339), "now", now.UTC().Format(time.RFC3339),
			"believed_after_hours", int((heldFor-time.Duration(seen.Held)*time.Second)/time.Hour))
		return time.Time{}, r.keep(ctx, seen)
	}
	return now, r.keep(ctx, seenClock{Last: now})
}

func (r *Retention) seen(ctx context.Context) (c seenClock, err error) {
	data, err := r.Keeper.Get(ctx, clockKey)
	if err != nil || data == nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("the clock that is kept: %w", err)
	}
	return c, nil
}

func (r *Retention) keep(ctx context.Context, c seenClock) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return r.Keeper.Put(ctx, clockKey, data, time.Time{})
}

// newest returns when the newest change of a case was, zero if there is no case.
func (r *Retention) newest(ctx context.Context) (newest time.Time, err error) {
	err = r.Cases.Store.View(ctx, func(s graph.Snapshot) error {
		for c, err := range s.Cases("", evidence.Ref{}) {
			if err != nil {
				return err
			}
			if c.UpdateTime.After(newest) {
				newest = c.UpdateTime
			}
		}
		return nil
	})
	return newest, err
}
