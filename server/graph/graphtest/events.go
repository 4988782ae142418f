package graphtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// tellMost tells of all changes but those to a row whose Micros are 4.
func tellMost(before, after *graph.Row) (graph.Cause, bool) {
	switch {
	case after == nil:
		return graph.CauseReview, true
	case before == nil:
		return graph.CauseEvidence, after.Micros != 4
	}
	return graph.CauseModel, after.Micros != 4
}

// told is what tellMost should leave of one change.
func told(before, after *graph.Row, feeds string) []graph.LinkEvent {
	e := graph.LinkEvent{Before: before.Standing(), After: after.Standing(), Feeds: feeds}
	switch {
	case before == nil && after == nil:
		return nil
	case before != nil && after != nil && equalRows(before, after):
		return nil
	case before != nil:
		e.RowKey = before.RowKey
	default:
		e.RowKey = after.RowKey
	}
	cause, ok := tellMost(before, after)
	if !ok {
		return nil
	}
	e.Cause = cause
	return []graph.LinkEvent{e}
}

func equalRows(x, y *graph.Row) bool {
	return x.Score == y.Score && x.RevisionA == y.RevisionA && x.RevisionB == y.RevisionB &&
		x.Verdict == y.Verdict && x.Held == y.Held && slices.Equal(x.Shared, y.Shared)
}

// applied returns the rows after a batch, and what of it is told, in the order of
// the log.
func applied(rows map[graph.RowKey]graph.Row, b graph.RelinkBatch) []graph.LinkEvent {
	var all []graph.LinkEvent
	get := func(k graph.RowKey) *graph.Row {
		if r, ok := rows[k]; ok {
			return &r
		}
		return nil
	}
	for _, k := range b.Remove {
		all = append(all, told(get(k), nil, b.Feeds)...)
		delete(rows, k)
	}
	for _, r := range b.Put {
		all = append(all, told(get(r.RowKey), &r, b.Feeds)...)
		rows[r.RowKey] = r
	}
	slices.SortStableFunc(all, func(x, y graph.LinkEvent) int { return x.RowKey.Compare(y.RowKey) })
	return all
}

// bare is an event without what the log adds.
func bare(e graph.LinkEvent) graph.LinkEvent {
	e.Commit, e.Position = time.Time{}, ""
	return e
}

// compareEvents holds the log, read from every place, to what it should have.
func (s *store) compareEvents(want []graph.LinkEvent) {
	s.Helper()
	s.view(func(sn graph.Snapshot) {
		got := collect(s, sn.Events(""), everything)
		plain := make([]graph.LinkEvent, len(got))
		last := must[graph.EventPosition](s)(sn.LastEvent())
		for i, e := range got {
			plain[i] = bare(e)
			if i > 0 && (e.Position <= got[i-1].Position || e.Commit.Before(got[i-1].Commit)) {
				s.Errorf("event %d stands before event %d", i, i-1)
			}
			if e.Position > last {
				s.Errorf("event %d stands after the last", i)
			}
			if at := sn.EventsAt(e.Commit); at >= e.Position {
				s.Errorf("event %d stands before its time", i)
			}
			if at := sn.EventsAt(e.Commit.Add(time.Microsecond)); at < e.Position {
				s.Errorf("event %d stands after its time", i)
			}
		}
		same(s, "events", plain, append([]graph.LinkEvent{}, want...))
		for i := 0; i < len(got); i += 1 + len(got)/5 {
			rest := collect(s, sn.Events(got[i].Position), everything)
			same(s, fmt.Sprintf("events after %d", i), append([]graph.LinkEvent{}, rest...), append([]graph.LinkEvent{}, got[i+1:]...))
		}
		same(s, "events after the last", len(collect(s, sn.Events(last), everything)), 0)
	})
}

// testEvents logs events of each kind.
func testEvents(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	rows := map[graph.RowKey]graph.Row{}
	var log []graph.LinkEvent
	relink := func(b graph.RelinkBatch) {
		t.Helper()
		b.Tell, b.Feeds = tellMost, fmt.Sprint("feeds ", len(log))
		log = append(log, applied(rows, b)...)
		s.relink(b)
		s.compareEvents(log)
	}
	x, y, z := ref("a", "1"), ref("b", "1"), ref("c", longID(1))
	s.compareEvents(nil)
	start := must[graph.EventPosition](t)(lastEvent(s))
	relink(graph.RelinkBatch{Put: []graph.Row{row(y, z, 1, ip(1)), row(x, y, 2, ip(1)), row(x, z, 3, ip(1))}})
	same(t, "signal", len(s.Logged()), 1)
	<-s.Logged()
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 2, ip(1))}}) // as it is
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 4, ip(1))}}) // not told
	same(t, "signal", len(s.Logged()), 0)
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 5, ip(2))}, Remove: []graph.RowKey{graph.Pair(x, z), graph.Pair(x, ref("no", "such"))}})
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, z, 6)}})
	// One pair twice in one change, as two goroutines may find it.
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, z, 7), row(x, z, 8), row(x, z, 8)}})
	s.view(func(sn graph.Snapshot) {
		same(t, "events after the position of an empty log", len(collect(t, sn.Events(start), everything)), len(log))
	})

	// Nobody who is not told leaves an event, and no change that was refused.
	s.relink(graph.RelinkBatch{Put: []graph.Row{row(x, z, 9)}})
	rows[graph.Pair(x, z)] = row(x, z, 9)
	wrong := row(x, y, 1)
	wrong.A, wrong.B = wrong.B, wrong.A
	if err := s.Relink(t.Context(), graph.RelinkBatch{Put: []graph.Row{row(x, z, 10), wrong}, Tell: tellMost}); err == nil {
		t.Error("a row with its ends in the wrong order is stored")
	}
	s.compareEvents(log)

	// The clock goes back; the log does not.
	clock.set(clock.now().Add(-time.Hour))
	relink(graph.RelinkBatch{Put: []graph.Row{row(x, z, 11)}})

	// Many in one change.
	var many []graph.Row
	for i := range 3_000 {
		many = append(many, row(ref("m", fmt.Sprint(i)), ref("n", fmt.Sprint(i)), i%4))
	}
	relink(graph.RelinkBatch{Put: many})
	s.check()
}

func lastEvent(s *store) (p graph.EventPosition, err error) {
	s.view(func(sn graph.Snapshot) { p, err = sn.LastEvent() })
	return p, err
}

// testEventsGo cuts and erases events.
func testEventsGo(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	rows := map[graph.RowKey]graph.Row{}
	var log []graph.LinkEvent
	for i := range 10_000 {
		if i%1_000 == 0 {
			clock.set(clock.now().Add(time.Hour))
		}
		if i%100 != 0 {
			continue
		}
		var put []graph.Row
		for k := range 100 {
			put = append(put, row(ref([]string{"a", "a-b", "ab"}[(i+k)%3], fmt.Sprint(i+k)), ref([]string{"b", "c"}[k%2], "1"), 1))
		}
		b := graph.RelinkBatch{Put: put, Tell: tellMost}
		log = append(log, applied(rows, b)...)
		s.relink(b)
	}
	s.compareEvents(log)
	var all []graph.LinkEvent
	s.view(func(sn graph.Snapshot) { all = collect(t, sn.Events(""), everything) })
	cut := all[6_000].Commit
	log = slices.DeleteFunc(slices.Clone(all), func(e graph.LinkEvent) bool { return e.Commit.Before(cut) })
	if len(log) == len(all) || len(log) == 0 {
		t.Fatalf("%d of %d events are to stay", len(log), len(all))
	}
	if err := s.CutEvents(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	plain := func(of []graph.LinkEvent) []graph.LinkEvent {
		out := make([]graph.LinkEvent, len(of))
		for i, e := range of {
			out[i] = bare(e)
		}
		return out
	}
	s.compareEvents(plain(log))
	last := must[graph.EventPosition](t)(lastEvent(s))

	pairs := map[graph.RowKey]bool{}
	log = slices.DeleteFunc(log, func(e graph.LinkEvent) bool {
		is := e.A.Tenant == "a" || e.B.Tenant == "a"
		if is {
			pairs[e.RowKey] = true
		}
		return is
	})
	for range 2 { // the second time there is nothing to do
		if err := s.EraseEvents(t.Context(), "a", true); err != nil {
			t.Fatal(err)
		}
		s.view(func(sn graph.Snapshot) {
			left := collect(t, sn.Events(""), everything)
			same(t, "events of others", plain(left[:len(log)]), plain(log))
			stones := map[graph.RowKey]bool{}
			for _, e := range left[len(log):] {
				same(t, "a tombstone", bare(e), graph.LinkEvent{RowKey: e.RowKey, Cause: graph.CauseErased})
				if e.Position <= last {
					t.Error("a tombstone stands where somebody may have read already")
				}
				stones[e.RowKey] = true
			}
			same(t, "tombstones", stones, pairs)
		})
	}
	if err := s.EraseEvents(t.Context(), "a", false); err != nil {
		t.Fatal(err)
	}
	s.compareEvents(plain(log))
	// What is logged next stands behind all that ever was.
	if err := s.CutEvents(t.Context(), clock.now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.compareEvents(nil)
	before := must[graph.EventPosition](t)(lastEvent(s))
	s.relink(graph.RelinkBatch{Remove: []graph.RowKey{slices.Collect(keysOf(rows))[0]}, Tell: tellMost})
	s.view(func(sn graph.Snapshot) {
		same(t, "events after a cut", len(collect(t, sn.Events(before), everything)), 1)
	})
	s.check()
}

func keysOf(rows map[graph.RowKey]graph.Row) func(func(graph.RowKey) bool) {
	return func(yield func(graph.RowKey) bool) {
		for k := range rows {
			if !yield(k) {
				return
			}
		}
	}
}

// testSweepWhy asks why a sweep was asked for.
func testSweepWhy(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	why := func(corpus bool, from string) {
		t.Helper()
		got := must[graph.Sweep](t)(s.Sweep(t.Context()))
		same(t, "why", fmt.Sprint(got.Corpus, " ", got.From), fmt.Sprint(corpus, " ", from))
	}
	start := func(basis string, force bool) {
		t.Helper()
		if err := s.StartSweep(t.Context(), basis, force); err != nil {
			t.Fatal(err)
		}
	}
	end := func() {
		t.Helper()
		now := must[graph.Sweep](t)(s.Sweep(t.Context()))
		now.After, now.Pending = ref("a", "1"), true
		s.relink(graph.RelinkBatch{Sweep: &now})
		now.After, now.Pending = evidence.Ref{}, false
		s.relink(graph.RelinkBatch{Sweep: &now})
	}
	start("one", false)
	why(false, "")
	end()
	start("two", false)
	start("three", false)
	why(false, "one")
	end()
	why(false, "")
	start("three", true)
	why(false, "")
	end()
	for i := range 1025 {
		s.submit(holding(fmt.Sprint("t", i%50), fmt.Sprint(i), ip(1)))
	}
	why(true, "")
	start("four", false)
	why(true, "three")
	end()
	why(false, "")
}
