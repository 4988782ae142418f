package graphtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// noted returns a context by which a change leaves a note.
func noted(ctx context.Context, text string) (context.Context, *graph.Note) {
	n := graph.NewNote(func() []byte { return []byte(text) })
	return graph.WithNote(ctx, n), n
}

// notes returns the notes that nobody has taken.
func (s *store) notes() (texts []string, ids []uint64) {
	s.Helper()
	left, err := s.Trail().Notes(s.Context(), 1<<20)
	if err != nil {
		s.Fatalf("notes: %v", err)
	}
	for _, n := range left {
		texts = append(texts, string(n.Data))
		ids = append(ids, n.ID)
	}
	return texts, ids
}

// testNotes leaves notes with changes, and none without.
func testNotes(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	k := s.Kept()
	for i, step := range []struct {
		name    string
		change  func(context.Context) error
		fails   error // that it has to fail with
		changes bool
	}{
		{"submit", func(ctx context.Context) error {
			_, err := s.Submit(ctx, holding("a", "1", ip(1)), nil)
			return err
		}, nil, true},
		{"submit it again", func(ctx context.Context) error {
			_, err := s.Submit(ctx, holding("a", "1", ip(1)), nil)
			return err
		}, nil, false},
		{"submit at another revision", func(ctx context.Context) error {
			_, err := s.Submit(ctx, holding("a", "1", ip(2)), new(uint32(7)))
			return err
		}, &graph.RevisionError{}, false},
		{"put", func(ctx context.Context) error { return k.Put(ctx, "key", []byte("x"), time.Time{}) }, nil, true},
		{"swap", func(ctx context.Context) error {
			_, err := k.Swap(ctx, "key", []byte("x"), []byte("y"))
			return err
		}, nil, true},
		{"swap what is not there", func(ctx context.Context) error {
			_, err := k.Swap(ctx, "key", []byte("x"), []byte("z"))
			return err
		}, nil, false},
		{"delete what is not there", func(ctx context.Context) error { return s.Delete(ctx, ref("a", "2")) }, graph.ErrNotFound, false},
		{"delete", func(ctx context.Context) error { return s.Delete(ctx, ref("a", "1")) }, nil, true},
	} {
		before, _ := s.notes()
		ctx, note := noted(t.Context(), step.name)
		err := step.change(ctx)
		revision := new(*graph.RevisionError)
		if _, ok := step.fails.(*graph.RevisionError); ok && !errors.As(err, revision) || !ok && !errors.Is(err, step.fails) {
			t.Fatalf("%s: %v", step.name, err)
		}
		want := before
		if step.changes {
			want = append(want, step.name)
		}
		got, _ := s.notes()
		same(t, fmt.Sprintf("notes after step %d, %s", i, step.name), got, want)
		if note.Left() != step.changes {
			t.Errorf("%s: the note says of itself that it was left: %v", step.name, note.Left())
		}
	}
	// A second change by one context leaves no second note, and one without a note none.
	ctx, _ := noted(t.Context(), "twice")
	for range 2 {
		if err := k.Put(ctx, "key", []byte("again"), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	s.submit(holding("b", "1", ip(1)))
	got, _ := s.notes()
	same(t, "notes", got, []string{"submit", "put", "swap", "delete", "twice"})
	// What is too large changes nothing.
	ctx, _ = noted(t.Context(), string(make([]byte, graph.MaxNote+1)))
	if err := k.Put(ctx, "key", []byte("large"), time.Time{}); !errors.As(err, new(*graph.KeptSizeError)) {
		t.Errorf("a note that is too large: %v", err)
	}
	if data, err := k.Get(t.Context(), "key"); string(data) != "again" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	s.check()
}

// testTrail writes pages and takes notes away.
func testTrail(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	trail := s.Trail()
	write := func(b graph.TrailBatch) {
		t.Helper()
		if err := trail.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(head string, pages map[uint64]string) {
		t.Helper()
		if got, err := trail.Head(t.Context()); string(got) != head || err != nil {
			t.Errorf("the head is %q, %v", got, err)
		}
		for n, want := range pages {
			if got, err := trail.Page(t.Context(), n); string(got) != want || (got == nil) != (want == "") || err != nil {
				t.Errorf("page %d has %d bytes, not %d: %v", n, len(got), len(want), err)
			}
		}
	}
	expect("", map[uint64]string{0: "", 1: ""})
	for i := range 5 {
		ctx, _ := noted(t.Context(), fmt.Sprint(i))
		if err := s.Kept().Put(ctx, "key", fmt.Append(nil, i), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	texts, ids := s.notes()
	same(t, "notes", texts, []string{"0", "1", "2", "3", "4"})
	large := string(bytes.Repeat([]byte("x"), graph.MaxPage))
	write(graph.TrailBatch{Head: []byte("h1"), Put: []graph.Page{{Number: 1, Data: []byte("one")}, {Number: 1 << 40, Data: []byte(large)}}, Taken: ids[:3]})
	expect("h1", map[uint64]string{1: "one", 2: "", 1 << 40: large})
	texts, _ = s.notes()
	same(t, "notes that are left", texts, []string{"3", "4"})
	if first, err := trail.Notes(t.Context(), 1); len(first) != 1 || err != nil {
		t.Errorf("%v, %v", first, err)
	}
	// Pages are replaced and go; the head stays as it is.
	write(graph.TrailBatch{Put: []graph.Page{{Number: 1, Data: []byte("ONE")}, {Number: 3, Data: []byte("three")}}, Remove: []uint64{1 << 40}})
	expect("h1", map[uint64]string{1: "ONE", 3: "three", 1 << 40: ""})
	for _, b := range []graph.TrailBatch{
		{Head: []byte("h2"), Put: []graph.Page{{Number: 4, Data: []byte(large + "x")}}},
		{Head: []byte("h2"), Put: []graph.Page{{Number: 4}}},
		{Head: make([]byte, graph.MaxNote+1)},
	} {
		if err := trail.Write(t.Context(), b); !errors.As(err, new(*graph.KeptSizeError)) {
			t.Errorf("a page that is empty or too large: %v", err)
		}
	}
	expect("h1", map[uint64]string{4: ""})
	// Cases know nothing of it.
	s.submit(holding("a", "1", ip(1)))
	s.remove(ref("a", "1"))
	expect("h1", map[uint64]string{1: "ONE", 3: "three"})
	s.check()
}

// operation is the note of an operation on a case of the process that is killed.
func operation(r evidence.Ref, n int) string { return fmt.Sprintf("%s %d", r, n) }

// compareNotes holds the notes that killed processes left to the operations that
// happened: each has its own, and there is no other.
func (s *store) compareNotes(done map[evidence.Ref]int) {
	s.Helper()
	left := make(map[string]int)
	texts, _ := s.notes()
	for _, text := range texts {
		left[text]++
	}
	for r, operations := range done {
		for n := 1; n <= operations; n++ {
			if left[operation(r, n)] != 1 {
				s.Errorf("operation %d on %s has left %d notes", n, r, left[operation(r, n)])
			}
			delete(left, operation(r, n))
		}
	}
	for text := range left {
		s.Errorf("a note of what did not happen: %s", text)
	}
}
