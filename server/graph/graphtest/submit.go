package graphtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, time.May, 1, 12, 0, 0, 123456789, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// pass moves the clock and returns the time in the store's resolution.
func (c *clock) pass() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(time.Minute)
	return c.t.Truncate(time.Microsecond)
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func testSubmit(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	c := holding("acme", "1", ip(1))

	created := clock.pass()
	receipt := must[graph.Receipt](t)(s.Submit(t.Context(), c, nil))
	meta := graph.Meta{Revision: 1, ContentHash: c.ContentHash(), CreateTime: created, UpdateTime: created}
	same(t, "first receipt", receipt, graph.Receipt{Outcome: graph.Created, Meta: meta})

	clock.pass()
	s.settle()
	receipt = must[graph.Receipt](t)(s.Submit(t.Context(), c, nil))
	same(t, "receipt of an unchanged case", receipt, graph.Receipt{Outcome: graph.Unchanged, Meta: meta})
	same(t, "marks left by an unchanged case", s.marks(), map[evidence.Value]graph.Mark{})

	changed := *c
	changed.Title = "Another title"
	updated := clock.pass()
	receipt = must[graph.Receipt](t)(s.Submit(t.Context(), &changed, nil))
	meta = graph.Meta{Revision: 2, ContentHash: changed.ContentHash(), CreateTime: created, UpdateTime: updated}
	same(t, "receipt of a changed case", receipt, graph.Receipt{Outcome: graph.Replaced, Meta: meta})
	s.view(func(sn graph.Snapshot) {
		same(t, "stored meta", must[graph.Meta](t)(sn.Meta(c.Ref)), meta)
		same(t, "stored case", must[*graph.StoredCase](t)(sn.Case(c.Ref)), &graph.StoredCase{Case: changed, Meta: meta})
	})
	if len(s.marks()) == 0 {
		t.Error("a new revision leaves no mark, so rows of the old one would stay")
	}
	s.check()
}

func testExpectedRevision(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	c := holding("acme", "1", ip(1))
	refused := func(c *evidence.Case, expected, current uint32) {
		t.Helper()
		_, err := s.Submit(t.Context(), c, &expected)
		wrong, ok := errors.AsType[*graph.RevisionError](err)
		if !ok {
			t.Fatalf("expected revision %d at %d: error %v", expected, current, err)
		}
		same(t, "error", *wrong, graph.RevisionError{Ref: c.Ref, Expected: expected, Current: current})
	}
	accepted := func(c *evidence.Case, expected uint32, outcome graph.Outcome) {
		t.Helper()
		if r := must[graph.Receipt](t)(s.Submit(t.Context(), c, &expected)); r.Outcome != outcome {
			t.Fatalf("expected revision %d: outcome %d", expected, r.Outcome)
		}
	}
	refused(c, 1, 0)
	s.view(func(sn graph.Snapshot) {
		if _, err := sn.Meta(c.Ref); !errors.Is(err, graph.ErrNotFound) {
			t.Errorf("a refused case is stored: %v", err)
		}
	})
	accepted(c, 0, graph.Created)
	refused(c, 0, 1)
	accepted(c, 1, graph.Unchanged)
	other := holding("acme", "1", ip(2))
	refused(other, 2, 1)
	accepted(other, 1, graph.Replaced)
	s.remove(c.Ref)
	refused(c, 2, 0)
	accepted(c, 0, graph.Created)
	s.check()
}

func testDelete(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	if err := s.Delete(t.Context(), ref("acme", "1")); !errors.Is(err, graph.ErrNotFound) {
		t.Fatalf("deleting nothing: %v", err)
	}
	m := &Model{}
	for _, c := range []*evidence.Case{
		holding("acme", "1", ip(1), ip(2)), holding("acme", "2", ip(2)), holding("globex", "1", ip(2), ip(3)),
	} {
		s.submit(c)
		m.Submit(c)
	}
	values, tenants := []evidence.Value{ip(1), ip(2), ip(3)}, []string{"acme", "globex"}
	for _, gone := range []evidence.Ref{ref("acme", "1"), ref("globex", "1"), ref("acme", "2")} {
		s.remove(gone)
		m.Delete(gone)
		s.compare(m, values, tenants)
		s.view(func(sn graph.Snapshot) {
			for what, err := range map[string]error{
				"case":    second(sn.Case(gone)),
				"meta":    second(sn.Meta(gone)),
				"profile": second(sn.Profile(gone)),
			} {
				if !errors.Is(err, graph.ErrNotFound) {
					t.Errorf("%s of a deleted case: %v", what, err)
				}
			}
		})
		if err := s.Delete(t.Context(), gone); !errors.Is(err, graph.ErrNotFound) {
			t.Errorf("deleting twice: %v", err)
		}
	}
	s.check()
	c := holding("acme", "1", ip(1))
	if r := must[graph.Receipt](t)(s.Submit(t.Context(), c, nil)); r.Outcome != graph.Created || r.Revision != 1 {
		t.Errorf("a deleted case comes back as revision %d, outcome %d", r.Revision, r.Outcome)
	}
}

func second[T any](_ T, err error) error { return err }

func testCases(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	refs := []evidence.Ref{
		ref("a", "1"), ref("a", "10"), ref("a", "1:1"), ref("a", "2"), ref("a", "a"),
		ref("a-b", "1"), ref("ab", "1"), ref("b", "0"),
	}
	for i := range refs {
		r := refs[(i*5)%len(refs)] // in no order
		s.submit(holding(r.Tenant, r.Case, ip(i)))
	}
	s.view(func(sn graph.Snapshot) {
		list := func(tenant string, after evidence.Ref, limit int) []evidence.Ref {
			var got []evidence.Ref
			for _, c := range collect(t, sn.Cases(tenant, after), limit) {
				if len(c.Findings) > 0 {
					t.Errorf("%s is listed with its findings", c.Ref)
				}
				if c.Revision != 1 || c.Title == "" {
					t.Errorf("%s is listed without what it is", c.Ref)
				}
				got = append(got, c.Ref)
			}
			return got
		}
		same(t, "all cases", list("", evidence.Ref{}, everything), refs)
		same(t, "cases of a", list("a", evidence.Ref{}, everything), refs[:5])
		same(t, "cases of nobody", list("c", evidence.Ref{}, everything), []evidence.Ref{})
		same(t, "first three", list("", evidence.Ref{}, 3), refs[:3])
		same(t, "after the third", list("", refs[2], everything), refs[3:])
		same(t, "after the third of a", list("a", refs[2], everything), refs[3:5])
		same(t, "after the last of a", list("a", refs[4], everything), []evidence.Ref{})
		same(t, "after one that is gone", list("", ref("a", "3"), everything), refs[4:])
		same(t, "of b after one of a", list("b", refs[0], everything), refs[7:])
		same(t, "of a after one of b", list("a", refs[7], everything), []evidence.Ref{})
	})
}

// testBody stores a case with everything a case can have.
func testBody(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	when := epoch().Add(123456 * time.Microsecond)
	c := &evidence.Case{
		Ref: ref("acme", "A.b_c:d#e-1"), Title: "Ünïcode <title> & more", Kind: "bec", State: evidence.Closed,
		OpenedAt: when, ClosedAt: when.Add(time.Hour), EvidenceFrom: when.Add(-time.Hour), EvidenceTo: when,
		TLP: evidence.TLPGreen, Source: "m365",
		Labels:     map[string]string{"queue": "l2", "": "empty"},
		References: []string{"https://example.com/1", "ticket 2"},
		Findings: []evidence.Finding{{}, {
			ID: "f", Technique: "T1114.003", Operation: "New-InboxRule", Outcome: evidence.Failed,
			FirstSeen: when, LastSeen: when.Add(time.Minute), Count: 3, Summary: "line one\nline two",
			Facts: []evidence.Fact{{Name: "port", Value: "3389", Source: "scan", ObservedAt: when}},
			Observables: []evidence.Observable{
				{
					Value: evidence.Value{Kind: evidence.KindRuleName, Text: "spam"}, Written: "Spam ",
					Roles: []string{"created", "custom role"}, FirstSeen: when, LastSeen: when, Count: 1 << 31,
					Facts: []evidence.Fact{{Name: "action", Value: "delete", Source: "rule"}},
				},
				{Value: evidence.Value{Kind: evidence.KindRuleName, Text: "spam"}, Written: "SPAM", Roles: []string{"created"}},
				{Value: ip(1), Roles: []string{evidence.RoleAllowListed, evidence.RoleLoginSource}},
			},
		}},
	}
	m := &Model{}
	m.Submit(c)
	s.submit(c)
	s.compare(m, []evidence.Value{ip(1), {Kind: evidence.KindRuleName, Text: "spam"}}, []string{"acme"})
	s.check()
}

func testSize(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	size := func(want uint32) {
		t.Helper()
		s.view(func(sn graph.Snapshot) {
			if got := must[uint32](t)(sn.Size()); got != want {
				t.Errorf("size %d, not %d", got, want)
			}
		})
	}
	size(0)
	s.submit(holding("acme", "1", ip(1)), holding("acme", "2"), holding("reports-vendor", "1", ip(1)))
	size(2)
	restricted := holding("acme", "1", ip(1))
	restricted.Restricted = true
	s.submit(restricted)
	size(1)
	s.submit(holding("acme", "1", ip(2)))
	size(2)
	s.remove(ref("reports-vendor", "1"))
	size(2)
	s.remove(ref("acme", "2"))
	size(1)
	s.check()
}

func testConcurrent(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	const workers, rounds, cases = 8, 40, 6
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				id := fmt.Sprint(i % cases)
				tenant := fmt.Sprintf("t%d", i%3)
				c := holding(tenant, id, ip(w), ip(i), ip(0))
				if _, err := s.Submit(t.Context(), c, nil); err != nil {
					t.Error(err)
					return
				}
				// Acknowledged means visible, though another worker may have
				// changed it again.
				err := s.View(t.Context(), func(sn graph.Snapshot) error {
					_, err := sn.Meta(c.Ref)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.check()
	m := &Model{}
	s.view(func(sn graph.Snapshot) {
		for _, c := range collect(t, sn.Cases("", evidence.Ref{}), everything) {
			m.Submit(&must[*graph.StoredCase](t)(sn.Case(c.Ref)).Case)
		}
	})
	if len(m.Cases()) != cases {
		t.Errorf("%d cases, not %d", len(m.Cases()), cases)
	}
	s.compare(m, []evidence.Value{ip(0), ip(1), ip(7), ip(39)}, []string{"t0", "t1", "t2"})
}

// testCompareAndSwap counts with expected revisions: no change may be lost.
func testCompareAndSwap(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	s.submit(holding("acme", "1", ip(0)))
	const workers, each = 6, 15
	var wg sync.WaitGroup
	var done atomic.Uint32
	for w := range workers {
		wg.Go(func() {
			for i := 0; i < each; {
				var at uint32
				err := s.View(t.Context(), func(sn graph.Snapshot) error {
					meta, err := sn.Meta(ref("acme", "1"))
					at = meta.Revision
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				c := holding("acme", "1", ip(w*1000+i))
				c.Title = fmt.Sprintf("%d %d", w, i)
				r, err := s.Submit(t.Context(), c, &at)
				if _, lost := errors.AsType[*graph.RevisionError](err); lost {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if r.Revision != at+1 {
					t.Errorf("revision %d after %d", r.Revision, at)
				}
				done.Add(1)
				i++
			}
		})
	}
	wg.Wait()
	s.view(func(sn graph.Snapshot) {
		if meta := must[graph.Meta](t)(sn.Meta(ref("acme", "1"))); meta.Revision != 1+done.Load() {
			t.Errorf("revision %d after %d changes", meta.Revision, done.Load())
		}
	})
	s.check()
}

func testContext(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	s.submit(holding("acme", "1", ip(1)), holding("acme", "2", ip(1)))
	s.settle()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]error{
		"Submit":  second(s.Submit(over, holding("acme", "3", ip(2)), nil)),
		"Delete":  s.Delete(over, ref("acme", "1")),
		"View":    s.View(over, func(graph.Snapshot) error { return nil }),
		"Relink":  s.Relink(over, graph.RelinkBatch{}),
		"Dirty":   second(s.Dirty(over, 1)),
		"Expand":  s.Expand(over, graph.Mark{Value: ip(1)}),
		"Sweep":   s.StartSweep(over, "basis", true),
		"Scan":    s.Scan(over, 2, graph.Scan{}),
		"Submit2": second(s.Submit(over, holding("acme", "1", ip(2)), nil)),
	}
	for name, err := range calls {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that is over: %v", name, err)
		}
	}
	m := &Model{}
	m.Submit(holding("acme", "1", ip(1)))
	m.Submit(holding("acme", "2", ip(1)))
	s.compare(m, []evidence.Value{ip(1), ip(2)}, []string{"acme"})

	// A sequence notices that its context ends.
	during, cancel := context.WithCancel(t.Context())
	err := s.View(during, func(sn graph.Snapshot) error {
		for _, err := range sn.Sightings(ip(1), nil) {
			if err != nil {
				return err
			}
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a sequence ends with %v", err)
	}
}

func testView(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	s.submit(holding("acme", "1", ip(1)))
	before := &Model{}
	before.Submit(holding("acme", "1", ip(1)))
	s.view(func(sn graph.Snapshot) {
		s.submit(holding("acme", "1", ip(2)), holding("globex", "1", ip(1)))
		s.remove(ref("acme", "1"))
		same(t, "size in an older snapshot", must[uint32](t)(sn.Size()), before.Size())
		for _, v := range []evidence.Value{ip(1), ip(2)} {
			compareValue(t, sn, before, v)
		}
		same(t, "case in an older snapshot", must[*graph.StoredCase](t)(sn.Case(ref("acme", "1"))).Case, *holding("acme", "1", ip(1)))
		// A view inside a view is newer.
		s.view(func(newer graph.Snapshot) {
			if _, err := newer.Meta(ref("acme", "1")); !errors.Is(err, graph.ErrNotFound) {
				t.Errorf("an acknowledged delete is not seen: %v", err)
			}
		})
	})
	boom := errors.New("boom")
	if err := s.View(t.Context(), func(graph.Snapshot) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("View returns %v", err)
	}
}

func testClosed(t *testing.T, open Opener) {
	s := open(t, Config{})
	ctx := t.Context()
	if _, err := s.Submit(ctx, holding("acme", "1", ip(1)), nil); err != nil {
		t.Fatal(err)
	}
	// Readers and writers under way while the store is closed.
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := s.Submit(ctx, holding("acme", fmt.Sprintf("%d-%d", w, i), ip(i)), nil)
				if err == nil {
					err = s.View(ctx, func(sn graph.Snapshot) error { return second(sn.Summary(ip(1))) })
				}
				if err != nil {
					if !errors.Is(err, graph.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	var checked error
	for _, err := range s.Check(ctx) {
		checked = err
	}
	for name, err := range map[string]error{
		"Submit":     second(s.Submit(ctx, holding("acme", "2", ip(1)), nil)),
		"Delete":     s.Delete(ctx, ref("acme", "1")),
		"View":       s.View(ctx, func(graph.Snapshot) error { return nil }),
		"Dirty":      second(s.Dirty(ctx, 1)),
		"Relink":     s.Relink(ctx, graph.RelinkBatch{}),
		"Expand":     s.Expand(ctx, graph.Mark{Value: ip(1)}),
		"Sweep":      second(s.Sweep(ctx)),
		"Scan":       s.Scan(ctx, 1, graph.Scan{}),
		"StartSweep": s.StartSweep(ctx, "basis", false),
		"Check":      checked,
	} {
		if !errors.Is(err, graph.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
