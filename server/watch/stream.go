package watch

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Start says where a watcher begins: at a cursor, so long ago, or now.
type Start struct {
	Cursor *Cursor
	Since  time.Duration
}

// Message is an event, or a checkpoint where Event is nil.
type Message struct {
	*Event
	// Cursor is where to go on after the message.
	Cursor Cursor
}

// Errors that end a watching.
var (
	// ErrTooOld is returned for a start before which events are no longer kept.
	ErrTooOld = errors.New("events are kept for 30 days: list the links anew, then watch without a cursor")
	// ErrStopped is returned when the service stops.
	ErrStopped = errors.New("the service stops: go on from the last cursor")
)

// SlowError is returned to who is too far behind.
type SlowError struct{ Last Cursor }

func (e *SlowError) Error() string {
	return "too far behind: more than 1,000 events wait; go on from the last cursor"
}

// Watch sends events and checkpoints until ctx ends, sending fails or the watcher is
// too far behind, and returns why. The first message is a checkpoint. Events come at
// least once; those of one pair in the order in which they happened. send is called
// by one goroutine, which an end of ctx does not wait for.
func (h *Hub) Watch(ctx context.Context, s Scope, from Start, send func(Message) error) error {
	at, err := h.start(ctx, from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watching{Hub: h, scope: s, send: send, at: at, end: cancel}
	done := make(chan error, 1)
	go func() { done <- w.run(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
		letGo(done)
	case <-h.stopped:
		err = ErrStopped
		cancel(err)
		letGo(done)
	}
	if errors.Is(err, errSlow) {
		return &SlowError{w.last()}
	}
	return err
}

// letGo waits for who sends, unless he is held up by somebody who does not read.
func letGo(done <-chan error) {
	select {
	case <-done:
	case <-time.After(sendWithin):
	}
}

// start returns the place to begin at.
func (h *Hub) start(ctx context.Context, from Start) (Cursor, error) {
	now := h.options.Clock()
	if from.Since > Kept || from.Since < 0 {
		return Cursor{}, ErrTooOld
	}
	if from.Cursor != nil {
		if now.Sub(from.Cursor.AsOf) > Kept {
			return Cursor{}, ErrTooOld
		}
		return *from.Cursor, nil
	}
	at := Cursor{AsOf: now.Add(-from.Since)}
	err := h.store.View(ctx, func(snap graph.Snapshot) (err error) {
		if at.Position, err = snap.LastEvent(); err == nil && from.Since > 0 {
			// Not beyond what there is: an event that is being logged has an earlier
			// time, and nobody who joins may lead the others past it.
			at.Position = min(at.Position, snap.EventsAt(at.AsOf))
		}
		return err
	})
	return at, err
}

// errSlow ends the watching of who is too far behind.
var errSlow = errors.New("too far behind")

// watching is one run of Watch.
type watching struct {
	*Hub
	scope Scope
	send  func(Message) error
	end   context.CancelCauseFunc
	// at is how far the log was read.
	at Cursor

	mu   sync.Mutex
	sent Cursor
}

// last is the cursor of the last message that was sent.
func (w *watching) last() Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

func (w *watching) run(ctx context.Context) (err error) {
	// A panic would end the process from here. It may hold a ref.
	defer func() {
		if recover() != nil {
			w.log.ErrorContext(ctx, "panic while a watcher was told", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	checkpoint := time.NewTicker(w.options.Checkpoint)
	defer checkpoint.Stop()
	if err := w.checkpoint(); err != nil {
		return err
	}
	if err := w.catchUp(ctx, "", checkpoint.C); err != nil {
		return err
	}
	me, at := w.join(w.scope, w.at.Position)
	defer w.leave(me)
	// Nobody who is slow is waited for, not even where he does not read at all.
	defer context.AfterFunc(ctx, func() { w.leave(me) })()
	go func() {
		select {
		case <-me.lost:
			w.end(errSlow)
		case <-ctx.Done():
		}
	}()
	if err := w.catchUp(ctx, at, checkpoint.C); err != nil {
		return err
	}
	return w.live(ctx, me, checkpoint.C)
}

// catchUp sends what the log holds up to a place; "" is its end.
func (w *watching) catchUp(ctx context.Context, to graph.EventPosition, checkpoint <-chan time.Time) error {
	for to == "" || w.at.Position < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		events, err := w.read(ctx, w.at.Position)
		if err != nil {
			return err
		}
		for i := range events {
			if to != "" && events[i].Position > to {
				return nil
			}
			w.at.Position, w.at.AsOf = events[i].Position, events[i].Commit
			if e, ok := w.scope.event(&events[i]); ok {
				if err := w.tell(&e); err != nil {
					return err
				}
			}
			select {
			case <-checkpoint:
				if err := w.checkpoint(); err != nil {
					return err
				}
			default:
			}
		}
		if len(events) < readTogether {
			return nil
		}
	}
	return nil
}

// live sends what is handed out.
func (w *watching) live(ctx context.Context, me *watcher, checkpoint <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-me.events:
			w.took(me)
			if err := w.handed(&e); err != nil {
				return err
			}
		case <-checkpoint:
			// Asked first: what was handed out up to there is in the buffer by now.
			place := w.place()
			select {
			case <-me.lost:
				return errSlow
			case <-ctx.Done():
				return ctx.Err()
			default:
			}
			for more := true; more; {
				select {
				case e := <-me.events:
					w.took(me)
					if err := w.handed(&e); err != nil {
						return err
					}
				default:
					more = false
				}
			}
			w.at.Position, w.at.AsOf = max(w.at.Position, place), w.options.Clock()
			if err := w.checkpoint(); err != nil {
				return err
			}
		}
	}
}

// handed sends an event that was handed out, unless it was read before.
func (w *watching) handed(e *Event) error {
	if e.Position <= w.at.Position {
		return nil
	}
	w.at.Position, w.at.AsOf = e.Position, e.Commit
	return w.tell(e)
}

func (w *watching) tell(e *Event) error { return w.pass(Message{Event: e, Cursor: w.at}) }

func (w *watching) checkpoint() error { return w.pass(Message{Cursor: w.at}) }

func (w *watching) pass(m Message) error {
	m.Cursor.Made = w.options.Clock()
	if err := w.send(m); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = m.Cursor
	return nil
}
