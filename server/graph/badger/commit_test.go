package badger

import (
	"context"
	"errors"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// asWriter makes the test the writer of a store.
func asWriter(t *testing.T, s *Store) *writer {
	t.Helper()
	w, err := newWriter(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.closeIterators)
	return w
}

// take has w take a request, whose answer the channel gets.
func take(w *writer, apply func(*writer, *change) error) <-chan error {
	r := &request{ctx: context.Background(), apply: apply, done: make(chan error, 1)}
	w.take(r)
	return r.done
}

func submits(s *Store, c *evidence.Case, receipt *graph.Receipt) func(*writer, *change) error {
	return func(w *writer, ch *change) (err error) {
		*receipt, err = w.submit(ch, s.pack.packCase(c, c.ContentHash()), nil)
		return err
	}
}

func answered(done <-chan error) (bool, error) {
	select {
	case err := <-done:
		return true, err
	default:
		return false, nil
	}
}

// TestNextGroupStandsOnTheOneUnderWay applies a request while the group before it
// is committed. It sees that group, no reader sees either of them too early, and
// nobody is answered before what he relies on is durable.
func TestNextGroupStandsOnTheOneUnderWay(t *testing.T) {
	s := openMemory(t)
	w := asWriter(t, s)
	first, second := someCase("a", "1", address(1)), someCase("a", "1", address(1), address(2))
	var receipts [3]graph.Receipt
	one := take(w, submits(s, first, &receipts[0]))
	w.commit()
	two := take(w, submits(s, second, &receipts[1]))
	again := take(w, submits(s, second, &receipts[2]))
	if receipts[1].Revision != 2 || receipts[2].Outcome != graph.Unchanged {
		t.Errorf("on top of a commit under way: %+v", receipts)
	}
	revision := func() uint32 {
		var m graph.Meta
		err := s.View(t.Context(), func(sn graph.Snapshot) (err error) {
			if m, err = sn.Meta(first.Ref); errors.Is(err, graph.ErrNotFound) {
				err = nil
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return m.Revision
	}
	if n := revision(); n != 0 {
		t.Errorf("readers see revision %d before the commit is done", n)
	}
	w.done(<-w.committed)
	if ok, err := answered(one); !ok || err != nil || revision() != 1 {
		t.Errorf("after the first commit: answered %t, error %v, revision %d", ok, err, revision())
	}
	for _, done := range []<-chan error{two, again} {
		if ok, _ := answered(done); ok {
			t.Error("a request is answered before its commit")
		}
	}
	w.settle()
	for _, done := range []<-chan error{two, again} {
		if ok, err := answered(done); !ok || err != nil || revision() != 2 {
			t.Errorf("after the second commit: answered %t, error %v, revision %d", ok, err, revision())
		}
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}

// TestFailedCommitFailsWhatStandsOnIt: the second group is gone with the first.
func TestFailedCommitFailsWhatStandsOnIt(t *testing.T) {
	s := openMemory(t)
	w := asWriter(t, s)
	var receipt graph.Receipt
	bad := take(w, func(_ *writer, c *change) error {
		c.put("", write{val: present}) // Badger refuses an empty key
		return nil
	})
	w.commit()
	above := take(w, submits(s, someCase("a", "1", address(1)), &receipt))
	w.done(<-w.committed)
	later := take(w, submits(s, someCase("a", "2", address(1)), &receipt))
	for i, done := range []<-chan error{bad, above, later} {
		ok, err := answered(done)
		if _, broken := errors.AsType[*graph.BrokenError](err); !ok || !broken {
			t.Errorf("request %d: answered %t, error %v", i, ok, err)
		}
	}
	w.settle()
	if k := keys(t, s); len(k) != 1 {
		t.Errorf("besides the layout %q is stored", k)
	}
}

// TestRollback gives up a request that has written over another one's values.
func TestRollback(t *testing.T) {
	s := openMemory(t)
	w := asWriter(t, s)
	var receipt graph.Receipt
	kept := take(w, submits(s, someCase("a", "1", address(1), address(2)), &receipt))
	bytes, entries := w.group.bytes, w.group.entries()
	errGivenUp := errors.New("given up")
	gone := take(w, func(w *writer, c *change) error {
		if err := submits(s, someCase("a", "1", address(2), address(3)), &receipt)(w, c); err != nil {
			return err
		}
		if err := submits(s, someCase("b", "2", address(1), address(3)), &receipt)(w, c); err != nil {
			return err
		}
		return errGivenUp
	})
	if ok, err := answered(gone); !ok || !errors.Is(err, errGivenUp) {
		t.Errorf("answered %t, error %v", ok, err)
	}
	if w.group.bytes != bytes || w.group.entries() != entries {
		t.Errorf("%d bytes in %d entries, before %d in %d", w.group.bytes, w.group.entries(), bytes, entries)
	}
	w.settle()
	if ok, err := answered(kept); !ok || err != nil {
		t.Errorf("answered %t, error %v", ok, err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}
