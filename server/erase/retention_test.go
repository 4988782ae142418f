package erase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/erase"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// clocked is a store whose clock stands until it is set.
type clocked struct {
	*badger.Store
	now time.Time
}

func newClocked(t *testing.T) *clocked {
	t.Helper()
	c := &clocked{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	s, err := badger.Open(t.Context(), badger.Options{Memory: true, Clock: func() time.Time { return c.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Store = s
	return c
}

func someCase(tenant, id string, texts ...string) *evidence.Case {
	c := &evidence.Case{
		Ref: evidence.Ref{Tenant: tenant, Case: id}, State: evidence.Open, TLP: evidence.TLPAmber, Findings: []evidence.Finding{{ID: "f"}},
	}
	for _, text := range texts {
		c.Findings[0].Observables = append(c.Findings[0].Observables, evidence.Observable{Value: evidence.Value{Kind: evidence.KindIP, Text: text}})
	}
	return c
}

func (c *clocked) submit(t *testing.T, cases ...*evidence.Case) {
	t.Helper()
	for _, k := range cases {
		if _, err := c.Submit(t.Context(), k, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *clocked) refs(t *testing.T) (refs []string) {
	t.Helper()
	err := c.View(t.Context(), func(s graph.Snapshot) error {
		for k, err := range s.Cases("", evidence.Ref{}) {
			if err != nil {
				return err
			}
			refs = append(refs, k.Ref.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

func (c *clocked) retention(days map[string]uint32) *erase.Retention {
	return &erase.Retention{
		Keeper: c.Kept(), Cases: erase.Cases{Store: c, Deleter: erase.NewGate(c)},
		Tenants: func() map[string]uint32 { return days }, Clock: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler),
	}
}

// look looks every hour for some days and returns what is left.
func (c *clocked) look(t *testing.T, r *erase.Retention, days int) []string {
	t.Helper()
	for range 24 * days {
		c.now = c.now.Add(time.Hour)
		if _, err := r.Look(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	return c.refs(t)
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRetention(t *testing.T) {
	c := newClocked(t)
	r := c.retention(map[string]uint32{"a": 30, "b": 10, "forever": 0})
	closed := someCase("a", "closed", "70.0.0.2")
	closed.State, closed.ClosedAt = evidence.Closed, c.now.Add(12*time.Hour)
	old := someCase("a", "closed-long-ago", "70.0.0.2")
	old.State, old.ClosedAt = evidence.Closed, c.now.AddDate(-3, 0, 0)
	c.submit(t, someCase("a", "1", "70.0.0.1"), someCase("a", "2", "70.0.0.1"), closed, old,
		someCase("b", "1", "70.0.0.1"), someCase("forever", "1", "70.0.0.1"), someCase("other", "1"))
	want(t, "at once", c.look(t, r, 0), "a/1", "a/2", "a/closed", "a/closed-long-ago", "b/1", "forever/1", "other/1")
	want(t, "after 10 days", c.look(t, r, 10), "a/1", "a/2", "a/closed", "a/closed-long-ago", "b/1", "forever/1", "other/1")
	c.submit(t, someCase("a", "2", "70.0.0.9")) // changed: kept from now on
	want(t, "after 11 days", c.look(t, r, 1), "a/1", "a/2", "a/closed", "a/closed-long-ago", "forever/1", "other/1")
	want(t, "after 30 days", c.look(t, r, 19), "a/1", "a/2", "a/closed", "a/closed-long-ago", "forever/1", "other/1")
	c.now = c.now.Add(-13 * time.Hour)
	want(t, "after 30 days and half a day", c.look(t, r, 1), "a/2", "a/closed", "forever/1", "other/1")
	want(t, "after 32 days", c.look(t, r, 1), "a/2", "forever/1", "other/1")
	want(t, "after 42 days", c.look(t, r, 10), "forever/1", "other/1")
	for line, err := range c.Check(t.Context()) {
		t.Error(line, err)
	}
}

// TestRetentionClock moves the clock: nothing is deleted because it is wrong for a
// while.
func TestRetentionClock(t *testing.T) {
	c := newClocked(t)
	days := map[string]uint32{"a": 30}
	c.submit(t, someCase("a", "1"))
	c.look(t, c.retention(days), 2)

	right := c.now
	for _, wrong := range []time.Duration{49 * time.Hour, 40 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		c.now = right.Add(wrong)
		want(t, fmt.Sprintf("%v ahead for two days", wrong), c.look(t, c.retention(days), 2), "a/1")
		// Another process: how long the clock was watched is remembered, and is
		// forgotten when it is right again.
		c.now = right
		c.look(t, c.retention(days), 0)
		if _, err := c.retention(days).Look(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	// Set back: nothing new is due.
	c.now = right.AddDate(-1, 0, 0)
	want(t, "a year back", c.look(t, c.retention(days), 1), "a/1")

	// A clock that stays ahead is believed after a while: the service was stopped.
	c.now = right.AddDate(0, 2, 0)
	if got := c.look(t, c.retention(days), 2); len(got) != 1 {
		t.Errorf("after two days: %q", got)
	}
	want(t, "after more than three days", c.look(t, c.retention(days), 2))

	// An older version has kept no clock: the newest change is believed.
	fresh := newClocked(t)
	fresh.submit(t, someCase("a", "1"))
	fresh.now = fresh.now.AddDate(1, 0, 0)
	want(t, "the first look, a year later", fresh.look(t, fresh.retention(days), 1), "a/1")
}

// TestGate deletes cases of which traces go by case, with errors on the way.
func TestGate(t *testing.T) {
	c := newClocked(t)
	c.submit(t, someCase("a", "1"), someCase("a", "2"))
	trace := &caseTrace{}
	g := erase.NewGate(c, trace)
	broken := errors.New("broken")
	trace.err = broken
	if err := g.Delete(t.Context(), evidence.Ref{Tenant: "a", Case: "1"}); !errors.Is(err, broken) {
		t.Errorf("with a trace that stays: %v", err)
	}
	want(t, "after an error", c.refs(t), "a/1", "a/2")
	trace.err, trace.told = nil, nil
	if err := g.Delete(t.Context(), evidence.Ref{Tenant: "a", Case: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := g.Delete(t.Context(), evidence.Ref{Tenant: "a", Case: "1"}); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	want(t, "told", trace.told, "after a/1", "before a/1", "before a/1")
}

type caseTrace struct {
	told []string
	err  error
}

func (c *caseTrace) Name() string                                         { return "test" }
func (c *caseTrace) Count(context.Context, string) ([]erase.Tally, error) { return nil, nil }
func (c *caseTrace) Erase(context.Context, string, func(uint64)) error    { return nil }
func (c *caseTrace) Before(_ context.Context, r evidence.Ref) error {
	c.told = append(c.told, "before "+r.String())
	return c.err
}

func (c *caseTrace) After(_ context.Context, r evidence.Ref) error {
	c.told = append(c.told, "after "+r.String())
	return nil
}

// remembered is what is kept about values.
type remembered struct {
	mu     sync.Mutex
	values map[string]bool
}

func (r *remembered) Any(context.Context) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.values) > 0, nil
}

func (r *remembered) Forget(_ context.Context, values []evidence.Value) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		delete(r.values, v.Text)
	}
	return nil
}

// TestAnswers deletes cases one by one, and all of a tenant: what stands in no case any
// more is forgotten, and nothing else.
func TestAnswers(t *testing.T) {
	c := newClocked(t)
	held := someCase("b", "held", "70.0.0.6")
	held.Restricted = true
	dismissed := someCase("a", "dismissed", "70.0.0.8")
	dismissed.State = evidence.Dismissed
	c.submit(t, someCase("a", "1", "70.0.0.1", "70.0.0.2", "70.0.0.3"), someCase("a", "2", "70.0.0.2", "70.0.0.6"),
		someCase("a-b", "1", "70.0.0.3"), held, dismissed)
	known := &remembered{values: map[string]bool{}}
	for i := range 10 {
		known.values[fmt.Sprintf("70.0.0.%d", i)] = true
	}
	left := func() (texts []string) {
		for text := range known.values {
			texts = append(texts, text)
		}
		return texts
	}
	answers := &erase.Answers{Store: c, Known: known}
	g := erase.NewGate(c, answers)
	answers.Erasing = g.Closed
	remove := func(tenant, id string) {
		t.Helper()
		if err := g.Delete(t.Context(), evidence.Ref{Tenant: tenant, Case: id}); err != nil {
			t.Fatal(err)
		}
	}
	remove("a", "1")
	want(t, "without a/1", left(), "70.0.0.0", "70.0.0.2", "70.0.0.3", "70.0.0.4", "70.0.0.5", "70.0.0.6", "70.0.0.7", "70.0.0.8", "70.0.0.9")
	remove("a", "2")
	want(t, "without a/2", left(), "70.0.0.0", "70.0.0.3", "70.0.0.4", "70.0.0.5", "70.0.0.6", "70.0.0.7", "70.0.0.8", "70.0.0.9")
	remove("b", "held")
	want(t, "without b/held", left(), "70.0.0.0", "70.0.0.3", "70.0.0.4", "70.0.0.5", "70.0.0.7", "70.0.0.8", "70.0.0.9")

	// All of a tenant at once, with values that its cases have in common.
	for i := range 50 {
		c.submit(t, someCase("all", fmt.Sprint(i), "70.0.0.4", "70.0.0.5", "70.0.0.3"))
	}
	cases := erase.Cases{Store: c, Deleter: g}
	if err := cases.Erase(t.Context(), "all", func(uint64) {}); err != nil {
		t.Fatal(err)
	}
	want(t, "without the tenant", left(), "70.0.0.0", "70.0.0.3", "70.0.0.7", "70.0.0.8", "70.0.0.9")
}
