package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/watch"
)

// hubs is a hub on a store of its own, to which rows are written by hand.
type hubs struct {
	t     *testing.T
	store graph.Store
	hub   *watch.Hub
}

func newHub(t *testing.T) *hubs {
	t.Helper()
	return newHubAt(t, time.Now)
}

// newHubAt is newHub with a clock that the store does not share.
func newHubAt(t *testing.T, clock func() time.Time) *hubs {
	t.Helper()
	return newHubWith(t, watch.Options{Clock: clock})
}

func newHubWith(t *testing.T, o watch.Options) *hubs {
	t.Helper()
	store, err := badger.Open(t.Context(), badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := watch.Open(t.Context(), store, slog.New(slog.DiscardHandler), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hubs{t, store, hub}
}

// hear watches and returns what is heard from then on.
func (h *hubs) hear(tier link.Tier, since time.Duration) <-chan watch.Message {
	h.t.Helper()
	heard := make(chan watch.Message, 100)
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.hub.Watch(ctx, watch.Scope{Viewer: access.Open(), MinTier: tier}, watch.Start{Since: since}, func(m watch.Message) error {
			heard <- m
			return nil
		})
	}()
	h.t.Cleanup(func() {
		cancel()
		<-done
	})
	if m := <-heard; m.Event != nil {
		h.t.Fatalf("the first message is %+v", m.Event)
	}
	return heard
}

func (h *hubs) relink(b graph.RelinkBatch) {
	h.t.Helper()
	b.Tell = func(before, after *graph.Row) (graph.Cause, bool) { return graph.CauseReview, true }
	if err := h.store.Relink(h.t.Context(), b); err != nil {
		h.t.Fatal(err)
	}
}

func pairOf(a, b string) graph.RowKey {
	return graph.Pair(evidence.Ref{Tenant: a, Case: "1"}, evidence.Ref{Tenant: b, Case: "1"})
}

func rowOf(tier link.Tier, millibits int32, v graph.Verdict, held bool) graph.Row {
	return graph.Row{RowKey: pairOf("a", "b"), Score: graph.Score{Tier: uint8(tier), Millibits: millibits}, Verdict: v, Held: held}
}

// TestChanges says what a change of a row is to who hears of links from POSSIBLE on.
func TestChanges(t *testing.T) {
	none := graph.Row{}
	at := func(tier link.Tier) graph.Row { return rowOf(tier, 0, graph.Unreviewed, false) }
	for i, c := range []struct {
		before, after graph.Row
		want          watch.Change // 0: nothing
		previous      link.Tier
	}{
		{none, at(link.Possible), watch.New, 0},
		{none, at(link.Lead), 0, 0},
		{none, at(link.SharedGeneric), 0, 0},
		{none, rowOf(link.Strong, 0, graph.Unreviewed, true), watch.Held, 0},
		{none, rowOf(link.Lead, 0, graph.Confirmed, false), watch.New, 0},
		{none, rowOf(link.Strong, 0, graph.Refuted, false), 0, 0},
		{at(link.Lead), at(link.Strong), watch.New, link.Lead},
		{at(link.Possible), at(link.Strong), watch.Raised, link.Possible},
		{at(link.Strong), at(link.Possible), watch.Lowered, link.Strong},
		{at(link.Strong), at(link.Lead), watch.Lowered, link.Strong},
		{at(link.Lead), at(link.None), 0, 0},
		{at(link.Strong), at(link.None), watch.Removed, link.Strong},
		{at(link.Strong), none, watch.Removed, link.Strong},
		{rowOf(link.Strong, 5, 0, false), rowOf(link.Strong, 6, 0, false), watch.Raised, link.Strong},
		{rowOf(link.Strong, 5, 0, false), rowOf(link.Strong, 4, 0, false), watch.Lowered, link.Strong},
		{at(link.Strong), rowOf(link.Strong, 0, graph.Refuted, false), watch.Removed, link.Strong},
		{rowOf(link.Strong, 0, graph.Refuted, false), at(link.Strong), watch.Reviewed, 0},
		{at(link.Strong), rowOf(link.Strong, 0, graph.Confirmed, false), watch.Reviewed, link.Strong},
		{at(link.Lead), rowOf(link.Lead, 0, graph.Confirmed, false), watch.Reviewed, link.Lead},
		{rowOf(link.Strong, 0, graph.Confirmed, false), at(link.Strong), watch.Reviewed, link.Confirmed},
		{rowOf(link.Lead, 0, graph.Confirmed, false), at(link.Lead), watch.Lowered, link.Confirmed},
		{at(link.Strong), rowOf(link.Strong, 0, graph.Unreviewed, true), watch.Held, link.Strong},
		{rowOf(link.Strong, 0, graph.Unreviewed, true), at(link.Strong), watch.New, link.Strong},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			h := newHub(t)
			if c.before.Tier != 0 {
				if err := h.store.Relink(t.Context(), graph.RelinkBatch{Put: []graph.Row{c.before}}); err != nil {
					t.Fatal(err)
				}
			}
			heard := h.hear(link.Possible, 0)
			if c.after.Tier != 0 {
				h.relink(graph.RelinkBatch{Put: []graph.Row{c.after}})
			} else {
				h.relink(graph.RelinkBatch{Remove: []graph.RowKey{c.before.RowKey}})
			}
			// What follows says that nothing else comes.
			mark := rowOf(link.Strong, 0, 0, false)
			mark.RowKey = pairOf("y", "z")
			h.relink(graph.RelinkBatch{Put: []graph.Row{mark}})
			m := <-heard
			if c.want == 0 {
				if m.Event.A.Tenant != "y" {
					t.Fatalf("heard %+v", m.Event)
				}
				return
			}
			if m.Event.Change != c.want || m.Event.Previous != c.previous {
				t.Errorf("heard %d from tier %d, want %d from %d", m.Event.Change, m.Event.Previous, c.want, c.previous)
			}
			if (m.Event.Link == nil) != (c.want == watch.Removed) {
				t.Errorf("of the link is told %v", m.Event.Link)
			}
		})
	}
}

// TestErased follows what becomes of the events of a tenant that is erased.
func TestErased(t *testing.T) {
	h := newHub(t)
	live := h.hear(link.Strong, 0)
	row, other := rowOf(link.Strong, 7, 0, false), rowOf(link.Strong, 8, 0, false)
	other.RowKey = pairOf("b", "c")
	h.relink(graph.RelinkBatch{Put: []graph.Row{row, other}})
	<-live
	<-live
	h.relink(graph.RelinkBatch{Remove: []graph.RowKey{row.RowKey}})
	if m := <-live; m.Event.Change != watch.Removed || m.Event.Previous != link.Strong {
		t.Errorf("heard %+v", m.Event)
	}
	if err := h.store.EraseEvents(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	stone := (<-live).Event
	if stone.Change != watch.Removed || stone.Cause != graph.CauseErased || stone.RowKey != row.RowKey || stone.Previous != 0 || stone.Link != nil {
		t.Errorf("of an erased tenant is told %+v", stone)
	}
	late := h.hear(link.Strong, time.Hour)
	if e := (<-late).Event; e.RowKey != other.RowKey || e.Link.Millibits != 8 {
		t.Errorf("heard %+v", e)
	}
	if e := (<-late).Event; e.ID != stone.ID {
		t.Errorf("heard %+v", e)
	}
}

// flood logs that many events of one pair, a few to a change.
func (h *hubs) flood(n int) {
	h.t.Helper()
	for i := range n {
		h.relink(graph.RelinkBatch{Put: []graph.Row{rowOf(link.Strong, int32(i), 0, false)}})
	}
}

// TestSlowIsWaitedFor: who reads on gets all there is, as long as events wait for him.
func TestSlowIsWaitedFor(t *testing.T) {
	h := newHubWith(t, watch.Options{Room: 24 * time.Hour, Checkpoint: 24 * time.Hour})
	heard := h.hear(link.Strong, 0)
	const events = 3_000
	h.flood(events)
	for i := range events {
		if m := <-heard; m.Event == nil || m.Event.Link.Millibits != int32(i) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
}

// TestSlowIsLetGo: who does not read is told where he stood, at once where events do not
// wait, and goes on from there.
func TestSlowIsLetGo(t *testing.T) {
	h := newHubWith(t, watch.Options{Room: time.Nanosecond, Checkpoint: 24 * time.Hour})
	scope := watch.Scope{Viewer: access.Open(), MinTier: link.Strong}
	reads, began, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var heard atomic.Int32 // whoever is let go may still be at the first
	go func() {
		ended <- h.hub.Watch(t.Context(), scope, watch.Start{}, func(m watch.Message) error {
			if m.Event == nil {
				close(began)
				return nil
			}
			heard.Add(1)
			<-reads
			return nil
		})
	}()
	<-began
	const events = 3_000
	h.flood(events)
	err := <-ended
	close(reads)
	slow, ok := errors.AsType[*watch.SlowError](err)
	if !ok {
		t.Fatal(err)
	}
	if n := heard.Load(); n > 1 {
		t.Fatalf("who does not read heard of %d events", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	next := int32(0)
	err = h.hub.Watch(ctx, scope, watch.Start{Cursor: &slow.Last}, func(m watch.Message) error {
		if m.Event == nil {
			return nil
		}
		if m.Event.Link.Millibits != next {
			t.Errorf("heard of event %d, want %d", m.Event.Link.Millibits, next)
		}
		if next++; next == events {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSinceBeyondTheLog begins at a time after that of the next event, as a clock that
// was put right allows, or an event on its way. Nobody misses the event.
func TestSinceBeyondTheLog(t *testing.T) {
	h := newHubAt(t, func() time.Time { return time.Now().Add(time.Hour) })
	first := h.hear(link.Strong, time.Second)
	h.relink(graph.RelinkBatch{Put: []graph.Row{rowOf(link.Strong, 7, 0, false)}})
	second := h.hear(link.Strong, 0)
	h.relink(graph.RelinkBatch{Remove: []graph.RowKey{pairOf("a", "b")}})
	for _, heard := range []<-chan watch.Message{first, second} {
		for {
			var m watch.Message
			select {
			case m = <-heard:
			case <-time.After(time.Minute):
				t.Fatal("an event was missed")
			}
			if m.Event != nil && m.Event.Change == watch.Removed {
				break
			}
		}
	}
}

func TestCursorsAreParsedOrRefused(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_000_001).UTC()
	c := watch.Cursor{Position: "123456789012", AsOf: now, Made: now.Add(time.Second)}
	got, err := watch.ParseCursor(c.Bytes())
	if err != nil || got != c {
		t.Errorf("%+v reads as %+v: %v", c, got, err)
	}
	for _, b := range [][]byte{nil, c.Bytes()[:16], append([]byte{9}, c.Bytes()[1:]...)} {
		if _, err := watch.ParseCursor(b); err == nil {
			t.Errorf("%x is taken for a cursor", b)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(watch.Cursor{Position: "123456789012", AsOf: time.Unix(1, 0), Made: time.Unix(2, 0)}.Bytes())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := watch.ParseCursor(b); err == nil && string(c.Bytes()) != string(b) {
			t.Errorf("%x is written as %x", b, c.Bytes())
		}
	})
}
