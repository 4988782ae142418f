package badger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// TestSightingsBeforeADay submits over some days and asks what was there before
// each.
func TestSightingsBeforeADay(t *testing.T) {
	now := time.Date(2024, 5, 6, 23, 59, 0, 0, time.UTC)
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
	before := func(want string) {
		t.Helper()
		var got []string
		err := s.View(t.Context(), func(sn graph.Snapshot) error {
			for sg, err := range sn.SightingsBefore(address(1), now, nil) {
				if err != nil {
					return err
				}
				got = append(got, sg.Ref.String())
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%v: before this day %q, want %q: %v", now, got, want, err)
		}
	}
	before("")
	submit(t, s, someCase("a", "1", address(1)))
	before("")
	now = now.Add(2 * time.Minute)
	before("a/1")
	submit(t, s, someCase("b", "1", address(1)))
	before("a/1")
	mustClose(t, s)
	s = reopen()
	// Another day of the same process, and a change of a case that says nothing new
	// of the value.
	now = now.Add(24 * time.Hour)
	before("a/1 b/1")
	submit(t, s, someCase("a", "1", address(1), address(2)))
	before("a/1 b/1")
	// One of which the value is new.
	submit(t, s, someCase("c", "1", address(2)))
	now = now.Add(24 * time.Hour)
	submit(t, s, someCase("c", "1", address(2), address(1)))
	before("a/1 b/1")
	now = now.Add(24 * time.Hour)
	before("a/1 b/1 c/1")
	// A clock that was set back shows too little, not too much.
	now = now.Add(-48 * time.Hour)
	before("a/1 b/1")
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}

// TestCountedTenants counts the cases of the tenants that a deployment names.
func TestCountedTenants(t *testing.T) {
	s, err := Open(t.Context(), Options{Memory: true, Counted: func(tenant string) bool { return tenant != "trial" }})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	for i, tenant := range []string{"a", "trial", "b", "trial", "reports-x"} {
		submit(t, s, someCase(tenant, fmt.Sprint(i), address(1)))
	}
	err = s.Delete(t.Context(), evidence.Ref{Tenant: "trial", Case: "1"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(sn graph.Snapshot) error {
		if n, err := sn.Size(); n != 3 || err != nil {
			t.Errorf("size %d: %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if l := lines(t, s); len(l) > 0 {
		t.Error(l)
	}
}
