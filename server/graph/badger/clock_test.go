package badger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// TestClockJumps submits while the clock jumps: far ahead, back, before the epoch.
// Times are shown and decide nothing: no case, mark, order or cursor depends on
// them.
func TestClockJumps(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 1000, time.UTC)
	dir := t.TempDir()
	reopen := func() *Store {
		s, err := Open(t.Context(), Options{Dir: dir, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := reopen()
	defer func() { mustClose(t, s) }()
	created := map[string]time.Time{}
	var marks uint64
	for i, jump := range []time.Duration{0, 100 * 365 * 24 * time.Hour, -150 * 365 * 24 * time.Hour, time.Hour, -2 * time.Hour, 50 * 365 * 24 * time.Hour} {
		now = now.Add(jump)
		id := fmt.Sprintf("%02d", i)
		created[id] = now
		submit(t, s, someCase("a", id, address(1), address(100+i)))
		// The first case changes each time; it was created when the clock was right.
		changed := someCase("a", "00", address(1), address(200+i))
		submit(t, s, changed)
		err := s.View(t.Context(), func(sn graph.Snapshot) error {
			m, err := sn.Meta(changed.Ref)
			if err != nil {
				return err
			}
			if want := created["00"]; !m.CreateTime.Equal(want) || m.UpdateTime.Before(m.CreateTime) || int(m.Revision) != i+2 {
				t.Errorf("after jump %d: revision %d of %v, created %v, updated %v", i, m.Revision, m.CreateTime, want, m.UpdateTime)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.Dirty(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.Value == address(1) {
				if m.Version <= marks {
					t.Errorf("after jump %d the mark has version %d, before it had %d", i, m.Version, marks)
				}
				marks = m.Version
			}
		}
		if n, _, err := s.Backlog(t.Context(), 1000); err != nil || n != len(all) {
			t.Errorf("after jump %d: a backlog of %d marks, %d listed: %v", i, n, len(all), err)
		}
		if i%2 == 1 {
			mustClose(t, s)
			s = reopen()
		}
	}
	err := s.View(t.Context(), func(sn graph.Snapshot) error {
		// A cursor from before a jump goes on after it.
		var got []string
		for after := (evidence.Ref{}); ; {
			var next *graph.StoredCase
			for c, err := range sn.Cases("", after) {
				if err != nil {
					return err
				}
				next = c
				break
			}
			if next == nil {
				break
			}
			got, after = append(got, next.Ref.Case), next.Ref
		}
		if fmt.Sprint(got) != "[00 01 02 03 04 05]" {
			t.Errorf("cases %v", got)
		}
		sum, err := sn.Summary(address(1))
		if err != nil || sum.Cases != 6 {
			t.Errorf("summary %+v: %v", sum, err)
		}
		return err
	})
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		t.Fatal(err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}
