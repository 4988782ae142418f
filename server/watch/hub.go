// Package watch tells those who watch how links change, each what he may know.
//
// It knows the log of events, the tiers of links and who may see a link
// (server/access); it must not know the wire, nor how a link is weighed. One
// goroutine reads the log and hands each event to all who watch, so that a thousand
// of them cost the store what one costs. Nobody waits for a slow one: who is too far
// behind is told where he stood and let go.
//
// What a watcher may not see causes no message: besides the events that he may see
// there are only checkpoints, by the clock.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Store is what watching needs of a backend.
type Store interface {
	graph.Reader
	graph.Events
}

const (
	// DefaultCheckpoint is how often a watcher is told where he stands.
	DefaultCheckpoint = 15 * time.Second
	// bufferEvents is how far a watcher may be behind.
	bufferEvents = 1_000
	// readTogether is how many events are read from one snapshot.
	readTogether = 500
	// cutEvery is how often events are cut, cutLate how much later than Kept, so
	// that none goes while a cursor before it is still taken.
	cutEvery = time.Hour
	cutLate  = time.Hour
	// defaultRoom is how long events wait for watchers that have no room for them. A
	// change of the model may move more links at once than a buffer holds, and who
	// reads on gets them all; who does not costs the others this once.
	defaultRoom = 200 * time.Millisecond
	// sendWithin is how long the end of a watching waits for a message on its way.
	sendWithin = 500 * time.Millisecond
	// retryAfter is how long reading rests after an error of the store.
	retryAfter = time.Second
)

// Options are what a test may change. Zero fields mean the defaults.
type Options struct {
	Checkpoint time.Duration
	Clock      func() time.Time // nil: time.Now
	// Room is how long events wait for watchers that have no room for them.
	Room time.Duration
}

// Hub hands events out. Create it with Open and start Run once.
type Hub struct {
	store   Store
	log     *slog.Logger
	options Options
	// stopped is closed when no more is handed out.
	stopped chan struct{}
	stop    sync.Once
	// joined receives when somebody began to watch.
	joined chan struct{}
	// room receives when a watcher has room again.
	room chan struct{}
	// news is closed, and made anew, when something was logged.
	news chan struct{}

	mu sync.Mutex
	// at is the place up to which everything was handed out.
	at       graph.EventPosition
	watchers map[*watcher]bool
}

// watcher is somebody who has read up to Hub.at.
type watcher struct {
	Scope
	// from is a place up to which he has read for himself.
	from   graph.EventPosition
	events chan Event
	// lost is closed when an event did not fit.
	lost chan struct{}
}

// Open returns a hub that hands out what is logged from now on.
func Open(ctx context.Context, store Store, log *slog.Logger, o Options) (*Hub, error) {
	if o.Checkpoint == 0 {
		o.Checkpoint = DefaultCheckpoint
	}
	if o.Room == 0 {
		o.Room = defaultRoom
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	h := &Hub{store: store, log: log, options: o, stopped: make(chan struct{}), joined: make(chan struct{}, 1), room: make(chan struct{}, 1), news: make(chan struct{}), watchers: make(map[*watcher]bool)}
	err := store.View(ctx, func(s graph.Snapshot) (err error) {
		h.at, err = s.LastEvent()
		return err
	})
	return h, err
}

// Run hands out events until ctx ends, and cuts those that are too old. An error of
// the store is logged and tried again.
func (h *Hub) Run(ctx context.Context) {
	defer h.Stop()
	cut := time.NewTicker(cutEvery)
	defer cut.Stop()
	h.cut(ctx)
	for {
		var retry <-chan time.Time
		if err := h.guarded(ctx); err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "events wait to be handed out", "error", err)
			retry = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-h.store.Logged():
			h.announce()
		case <-h.joined:
		case <-retry:
		case <-cut.C:
			h.cut(ctx)
		}
	}
}

func (h *Hub) cut(ctx context.Context) {
	if err := h.store.CutEvents(ctx, h.options.Clock().Add(-Kept-cutLate)); err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "old events are not cut yet", "error", err)
	}
}

// Stop ends every watching with ErrStopped.
func (h *Hub) Stop() { h.stop.Do(func() { close(h.stopped) }) }

// errPanic is the error of a reading that panicked.
var errPanic = errors.New("panic while events were handed out")

// guarded is handOut without panics. What was panicked with may hold a ref, so only
// the place is logged.
func (h *Hub) guarded(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			h.log.ErrorContext(ctx, "panic while events were handed out", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return h.handOut(ctx)
}

// handOut reads the log to its end, if anybody watches.
func (h *Hub) handOut(ctx context.Context) error {
	for {
		h.mu.Lock()
		at, idle := h.at, len(h.watchers) == 0
		h.mu.Unlock()
		if idle {
			return nil
		}
		events, err := h.read(ctx, at)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := h.waitForRoom(ctx); err != nil {
			return err
		}
		h.offer(events)
	}
}

// waitForRoom waits until every watcher has room for what is read at once, within
// bounds.
func (h *Hub) waitForRoom(ctx context.Context) error {
	over := time.NewTimer(h.options.Room)
	defer over.Stop()
	for h.crowded() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-h.room:
		}
	}
	return nil
}

func (h *Hub) crowded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if len(w.events) > bufferEvents-readTogether {
			return true
		}
	}
	return false
}

// took is called when a watcher has taken an event.
func (h *Hub) took(w *watcher) {
	if len(w.events) == bufferEvents-readTogether {
		select {
		case h.room <- struct{}{}:
		default:
		}
	}
}

// offer gives events to those who watch.
func (h *Hub) offer(events []logged) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range events {
		for w := range h.watchers {
			e, ok := w.event(&events[i])
			if !ok || e.Position <= w.from {
				continue
			}
			select {
			case w.events <- e:
			default:
				close(w.lost)
				delete(h.watchers, w)
			}
		}
	}
	h.at = max(h.at, events[len(events)-1].Position)
}

// join adds somebody who has read the log up to a place, and returns the place from
// which on he is handed what comes.
func (h *Hub) join(s Scope, from graph.EventPosition) (w *watcher, at graph.EventPosition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) == 0 {
		h.at = max(h.at, from)
	}
	w = &watcher{Scope: s, from: from, events: make(chan Event, bufferEvents), lost: make(chan struct{})}
	h.watchers[w] = true
	// What was logged since he read may have been nobody's to hand out.
	select {
	case h.joined <- struct{}{}:
	default:
	}
	return w, h.at
}

func (h *Hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// place is the place up to which everything was handed out.
func (h *Hub) place() graph.EventPosition {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// read returns the next events of the log after a place, with what is read of their
// cases.
func (h *Hub) read(ctx context.Context, after graph.EventPosition) (events []logged, err error) {
	err = h.store.View(ctx, func(s graph.Snapshot) error {
		for e, err := range s.Events(after) {
			if err != nil {
				return err
			}
			l := logged{LinkEvent: e}
			if linker.Shown(e.After) {
				if err := l.look(s); err != nil {
					return err
				}
			}
			if events = append(events, l); len(events) == readTogether {
				return nil
			}
		}
		return nil
	})
	return events, err
}

// look reads what is left of the pair of an event. A case that was deleted or withheld
// a moment ago has its rows until the linker has followed; so the row decides, and not
// the case: only where it is gone the log tells that it went.
func (l *logged) look(s graph.Snapshot) error {
	has, err := s.HasRow(l.RowKey)
	if err != nil || !has {
		l.stale = true
		return err
	}
	for _, ref := range []evidence.Ref{l.A, l.B} {
		m, err := s.Meta(ref)
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return err
		}
		if m.CreateTime.After(l.firstLinked) {
			l.firstLinked = m.CreateTime
		}
	}
	return nil
}
