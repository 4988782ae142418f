package ledger_test

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/ledger"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// open returns a ledger in a store in memory.
func open(t testing.TB) *ledger.Ledger {
	t.Helper()
	store, err := badger.Open(t.Context(), badger.Options{Memory: true, Counted: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledger.New(store.Kept())
}

// now is the time of the first publication.
func now() time.Time { return time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC) }

func items(list ...export.Item) iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		for _, i := range list {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func ip(text string) export.Item {
	return export.Item{Value: evidence.Value{Kind: evidence.KindIP, Text: text}, Written: text, Indicator: true}
}

// told is what a target was told: values, withdrawn ones with a minus.
func told(t testing.TB, seq iter.Seq2[export.Item, error]) (out []string) {
	t.Helper()
	for i, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		mark := ""
		if i.Withdrawn {
			mark = "-"
		}
		out = append(out, mark+i.Value.Text)
	}
	return out
}

// sendAt publishes items at a time and returns what the target was told.
func sendAt(t testing.TB, l *ledger.Ledger, at time.Time, list ...export.Item) []string {
	t.Helper()
	ctx := t.Context()
	had, err := l.Get(ctx, "feed", "bundle")
	if err != nil {
		t.Fatal(err)
	}
	note := ledger.Publication{Target: "feed", Bundle: "bundle", Begun: at}
	if had != nil {
		note = *had
		note.Begun = at
		note.Keep(had)
	}
	note.Revision++
	merged := ledger.Merge(items(list...), l.Values(ctx, had), at)
	if err := l.Begin(ctx, &note); err != nil {
		t.Fatal(err)
	}
	// Afterwards the list of before is gone, and with it what was merged.
	out := told(t, merged)
	note.Done = at
	if err := l.Finish(ctx, &note, merged, l.Values(ctx, had)); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsGoneIsWithdrawn(t *testing.T) {
	l := open(t)
	for i, step := range []struct {
		send []export.Item
		want []string
	}{
		{[]export.Item{ip("1"), ip("2")}, []string{"1", "2"}},
		{[]export.Item{ip("2"), ip("3")}, []string{"-1", "2", "3"}},
		{nil, []string{"-1", "-2", "-3"}},
		{[]export.Item{ip("0"), ip("2")}, []string{"0", "-1", "2", "-3"}},
	} {
		if d := cmp.Diff(step.want, sendAt(t, l, now().Add(time.Duration(i)*time.Hour), step.send...)); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
	p, err := l.Get(t.Context(), "feed", "bundle")
	if err != nil || p.Revision != 4 || len(p.Past) != 3 || p.Past[0].Revision != 3 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestWhatExpiresIsWithdrawn(t *testing.T) {
	l := open(t)
	soon, past := ip("1"), ip("2")
	soon.ValidUntil, past.ValidUntil = now().Add(24*time.Hour), now().Add(-24*time.Hour)
	// What was over before it was sent at all was sent as history.
	for day, want := range [][]string{{"1", "2"}, {"1", "2"}, {"-1", "2"}, {"-1", "2"}} {
		if d := cmp.Diff(want, sendAt(t, l, now().Add(time.Duration(day)*24*time.Hour), soon, past)); d != "" {
			t.Errorf("day %d (-want +got):\n%s", day, d)
		}
	}
	soon.ValidUntil = now().Add(240 * time.Hour)
	if d := cmp.Diff([]string{"1", "2"}, sendAt(t, l, now().Add(96*time.Hour), soon, past)); d != "" {
		t.Errorf("seen again (-want +got):\n%s", d)
	}
}

// TestLedgerAgainstSets sends drawn sets one after the other: the target is told of
// every value of now, and of every earlier one that it is gone.
func TestLedgerAgainstSets(t *testing.T) {
	l := open(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		ctx := t.Context()
		target := fmt.Sprint("feed-", runs)
		ever := map[string]bool{}
		note := &ledger.Publication{Target: target, Bundle: "bundle"}
		for step := range 4 {
			set := rapid.SliceOfDistinct(rapid.StringMatching(`[0-9]{1,3}`), rapid.ID).Draw(rt, "values")
			slices.Sort(set)
			var list []export.Item
			for _, text := range set {
				list = append(list, ip(text))
			}
			had, err := l.Get(ctx, target, "bundle")
			if err != nil {
				rt.Fatal(err)
			}
			if had != nil {
				note = had
			}
			note.Begun = now().Add(time.Duration(step) * time.Hour)
			got := map[string]bool{}
			merged := ledger.Merge(items(list...), l.Values(ctx, had), note.Begun)
			var last string
			for i, err := range merged {
				if err != nil {
					rt.Fatal(err)
				}
				if i.Value.Text <= last {
					rt.Fatalf("%s after %s", i.Value.Text, last)
				}
				last = i.Value.Text
				got[i.Value.Text] = !i.Withdrawn
			}
			want := map[string]bool{}
			for text := range ever {
				want[text] = false
			}
			for _, text := range set {
				want[text], ever[text] = true, true
			}
			if d := cmp.Diff(want, got); d != "" {
				rt.Fatalf("(-want +got):\n%s", d)
			}
			if err := l.Finish(ctx, note, merged, l.Values(ctx, had)); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func TestManyValues(t *testing.T) {
	l := open(t)
	var list []export.Item
	for i := range 20_000 {
		list = append(list, ip(fmt.Sprintf("10.%05d", i)))
	}
	sendAt(t, l, now(), list...)
	if got := sendAt(t, l, now().Add(time.Hour), list[1:]...); len(got) != len(list) || got[0] != "-10.00000" {
		t.Errorf("%d values, first %s", len(got), got[0])
	}
}

func TestDisorderIsAnError(t *testing.T) {
	var err error
	for _, e := range ledger.Merge(items(ip("2"), ip("1")), func(func(ledger.Sent, error) bool) {}, now()) {
		err = e
	}
	if err == nil {
		t.Error("items out of order are merged")
	}
}

func TestListAndKnows(t *testing.T) {
	l := open(t)
	ctx := t.Context()
	uuid := export.NewUUID(export.Namespace(), "event").String()
	for _, target := range []string{"b", "a", "c"} {
		p := &ledger.Publication{Target: target, Bundle: "x", Event: uuid}
		if err := l.Begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := l.Finish(ctx, p, items(), l.Values(ctx, nil)); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for p, err := range l.List(ctx, "", "a/x") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Target)
	}
	if d := cmp.Diff([]string{"b", "c"}, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for id, want := range map[string]bool{uuid: true, "nonsense": false, export.Namespace().String(): false} {
		if ok, err := l.Knows(ctx, id); ok != want || err != nil {
			t.Errorf("%s: %v, %v", id, ok, err)
		}
	}
	sum := sha256.Sum256([]byte("a file"))
	if err := l.Remember(ctx, sum, "bundle", time.Now()); err != nil {
		t.Fatal(err)
	}
	if bundle, err := l.Remembered(ctx, sum); bundle != "bundle" || err != nil {
		t.Errorf("%q, %v", bundle, err)
	}
	if bundle, err := l.Remembered(ctx, sha256.Sum256(nil)); bundle != "" || err != nil {
		t.Errorf("%q, %v", bundle, err)
	}
}
