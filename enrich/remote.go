package enrich

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// ask returns what a third party says about v: what is kept, or what it answers
// now if the gate lets it be asked.
func (e *Enricher) ask(ctx context.Context, ask Ask, budget *atomic.Int64, s source, v Value) Answer {
	refusal, err := e.gate.Permit(ctx, Disclosure{Tenant: ask.Tenant, TLP: ask.TLP, Service: s.about.Name, Value: v})
	switch {
	case err != nil:
		return s.about.without(NotLookedUp, "whether the tenant permits it is not known")
	case refusal != "" && !ask.Kept:
		return s.about.without(NotLookedUp, Sanitize(refusal, maxText))
	}
	kept, ok, err := e.cache.get(ctx, s.about, v)
	switch {
	case err != nil && ctx.Err() != nil:
		return s.about.without(NotLookedUp, "the time for answers was over")
	case err != nil:
		// Without its memory the enricher would ask the same again and again.
		return s.about.without(Error, "kept answers cannot be read")
	case ok:
		if kept.Stale && refusal == "" && budget.Add(-1) >= 0 {
			e.flights.refresh(flightKey(s, v), func() Answer { return e.lookup(s, v, Background) })
		}
		return kept
	case refusal != "":
		return s.about.without(NotLookedUp, Sanitize(refusal, maxText))
	case ctx.Err() != nil:
		return s.about.without(NotLookedUp, "the time for answers was over")
	case budget.Add(-1) < 0:
		return s.about.without(NotLookedUp, "one call looks up no more values than this")
	}
	ans, ok := e.flights.ask(ctx, flightKey(s, v), ask.Purpose, func() Answer { return e.lookup(s, v, ask.Purpose) })
	if !ok {
		return s.about.without(Error, "no answer in time")
	}
	return ans
}

func flightKey(s source, v Value) string { return storeKey("flight", s.about.Name, v) }

// lookup asks a third party and keeps its answer. It runs in a flight.
func (e *Enricher) lookup(s source, v Value, purpose Purpose) Answer {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-e.base.Done():
		return s.about.without(NotLookedUp, "the enricher is closing")
	}
	ctx, cancel := context.WithTimeout(e.base, s.about.Timeout)
	defer cancel()
	// Another flight may have ended between the asker's look at the store and
	// this one.
	if kept, ok, err := e.cache.get(ctx, s.about, v); err == nil && ok && !kept.Stale {
		return kept
	}
	ans := s.look(ctx, v, purpose)
	if !ans.Status.Answered() {
		return ans
	}
	// The answer is paid for: it is kept even when the time for asking is over.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	kept, err := e.book.learn(ctx, v, s.about.Name, ans.Claims)
	if err != nil {
		e.log.LogAttrs(ctx, slog.LevelWarn, "class not kept or not passed on", slog.String("source", s.about.Name), slog.Any("error", err))
	}
	// An answer whose class was lost must be asked for again.
	if !kept {
		return ans
	}
	if err := e.cache.put(ctx, s.about, v, ans); err != nil {
		e.log.LogAttrs(ctx, slog.LevelWarn, "answer not kept", slog.String("source", s.about.Name), slog.Any("error", err))
	}
	return ans
}
