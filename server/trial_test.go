package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// trialCases makes cases that share few values, some dated, some not live.
func trialCases(t *testing.T, n int) []*evidence.Case {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 5))
	var out []*evidence.Case
	for i := range n {
		d := evidence.Draft{Ref: evidence.Ref{Tenant: fmt.Sprintf("t%d", i%(n/2)), Case: fmt.Sprint(i)}, State: evidence.Closed, Kind: "bec"}
		f := evidence.Finding{Technique: fmt.Sprintf("T10%d", 70+random.IntN(9))}
		if i%3 > 0 {
			f.FirstSeen = time.Date(2025, time.March, 1+random.IntN(200), 0, 0, 0, 0, time.UTC)
			f.LastSeen = f.FirstSeen
		}
		for range 1 + random.IntN(6) {
			v := evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("91.%d.7.%d", random.IntN(3), random.IntN(9))}
			if random.IntN(3) == 0 {
				v = evidence.Value{Kind: evidence.KindDomain, Text: fmt.Sprintf("name-%d.com", random.IntN(25))}
			}
			f.Observables = append(f.Observables, evidence.Observable{Value: v, Roles: []string{evidence.RoleLoginSource}})
		}
		switch i {
		case 3:
			d.State = evidence.Dismissed
		case 4:
			d.Restricted = true
		}
		d.Findings = []evidence.Finding{f}
		c, _, err := evidence.Parse(d, evidence.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// checkTrial holds the stored links against the score of every pair, and returns
// how many of them reach a tier.
func checkTrial(t *testing.T, trial *server.Trial, cases []*evidence.Case) (linked int) {
	t.Helper()
	stored, err := trial.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows []link.Outcome
	for _, row := range stored {
		rows = append(rows, row.Outcome)
	}
	var want []link.Outcome
	err = trial.View(t.Context(), 1, func(v *server.TrialView) error {
		for i, a := range cases {
			for _, b := range cases[i+1:] {
				o, err := v.Score(b.Ref, a.Ref)
				if err != nil {
					return err
				}
				e, err := v.Explain(a.Ref, b.Ref)
				if err != nil {
					return err
				}
				if o.Millibits != e.Total || o.Micros != e.Micros || o.Tier != e.Tier {
					t.Errorf("%v is explained as %d, %v", o, e.Total, e.Tier)
				}
				if o.Kept, err = v.Kept(a.Ref, b.Ref); err != nil {
					return err
				}
				if o.Kept && a.Tenant != b.Tenant {
					want = append(want, o)
					if o.Tier >= link.Lead {
						linked++
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(x, y link.Outcome) int {
		if c := x.A.Compare(y.A); c != 0 {
			return c
		}
		return x.B.Compare(y.B)
	})
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("stored links are not what the score gives (-scored +stored):\n%s", diff)
	}
	return linked
}

// TestTrial compares what the linker stores with what the score says, after a
// sweep, after cases that came later, and under another model.
func TestTrial(t *testing.T) {
	cases := trialCases(t, 60)
	trial, err := server.NewTrial(t.Context(), link.Version1(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trial.Close(); err != nil {
			t.Error(err)
		}
	})
	settle := func() {
		t.Helper()
		if err := trial.Settle(t.Context(), func(int, int) {}); err != nil {
			t.Fatal(err)
		}
	}
	stored := make(chan int, len(cases))
	for _, part := range [][]*evidence.Case{cases[:40], cases[40:]} {
		if err := trial.Submit(t.Context(), part, func(done int) { stored <- done }); err != nil {
			t.Fatal(err)
		}
		settle()
		if linked := checkTrial(t, trial, cases[:len(stored)]); linked == 0 {
			t.Error("no pair reaches a tier")
		}
	}
	if len(stored) != len(cases) {
		t.Errorf("told of %d cases, want %d", len(stored), len(cases))
	}
	before, err := trial.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	other, err := link.Version1().Without("unexplained")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := server.OpenLists(server.Enrichment{})
	if err != nil {
		t.Fatal(err)
	}
	view := func(f func(*server.TrialView) error) {
		t.Helper()
		if err := trial.View(t.Context(), 2, f); err != nil {
			t.Fatal(err)
		}
	}
	var under []link.Outcome
	err = trial.View(t.Context(), 1, func(v *server.TrialView) error {
		w, err := v.Under(other, lists.Classes(other))
		if err != nil {
			return err
		}
		for _, row := range before {
			o, err := w.Score(row.A, row.B)
			if err != nil {
				return err
			}
			under = append(under, o)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	trial.Use(other, lists.Classes(other))
	view(func(v *server.TrialView) error {
		for i, row := range before {
			o, err := v.Score(row.A, row.B)
			if err != nil {
				return err
			}
			if o != under[i] {
				t.Errorf("%v under the other model, %v with it in use", under[i], o)
			}
		}
		return nil
	})
	settle()
	checkTrial(t, trial, cases)
	after, err := trial.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(before, after) {
		t.Error("another model stored the same links")
	}
}

// TestTrialContainsPanics ends a view that panics with an error.
func TestTrialContainsPanics(t *testing.T) {
	trial, err := server.NewTrial(t.Context(), link.Version1(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer trial.Close()
	err = trial.View(t.Context(), 2, func(v *server.TrialView) error {
		var none []int
		_ = none[len(none)]
		return nil
	})
	if err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := trial.Submit(ctx, trialCases(t, 4), func(int) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("submit without time: %v", err)
	}
}
