package watch

import (
	"context"
)

// Begin returns the cursor of now.
func (h *Hub) Begin(ctx context.Context) (Cursor, error) { return h.start(ctx, Start{}) }

// Read returns what somebody hears of the next part of the log after a cursor, and
// the cursor after it. more says that the part does not end with the log. Unlike Watch
// it holds nothing ready for who reads, so he may take as long as events are kept.
func (h *Hub) Read(ctx context.Context, s Scope, from Cursor) (events []Heard, to Cursor, more bool, err error) {
	now := h.options.Clock()
	if now.Sub(from.AsOf) > Kept {
		return nil, from, false, ErrTooOld
	}
	part, err := h.read(ctx, from.Position)
	if err != nil {
		return nil, from, false, err
	}
	to = from
	for i := range part {
		to = Cursor{Position: part[i].Position, AsOf: part[i].Commit, Made: now}
		if e, ok := s.event(&part[i]); ok {
			events = append(events, Heard{e, to})
		}
	}
	if more = len(part) == readTogether; !more {
		// Read before the log was, so nothing that it does not hold is older.
		to.AsOf, to.Made = now, now
	}
	return events, to, more, nil
}

// Heard is an event with the cursor after it.
type Heard struct {
	Event
	Cursor Cursor
}

// News returns a channel that is closed when something is logged after the call.
func (h *Hub) News() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.news
}

// announce tells who waits for News.
func (h *Hub) announce() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.news)
	h.news = make(chan struct{})
}
