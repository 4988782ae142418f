package actor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// clustering reads "ab cd": actors by their members, the first one the founder.
func clustering(s string) []actor.Actor {
	var out []actor.Actor
	for word := range strings.FieldsSeq(s) {
		a := actor.Actor{Founder: ref(word[:1])}
		for _, m := range strings.Split(word, "") {
			a.Members = append(a.Members, ref(m))
		}
		slices.SortFunc(a.Members, evidence.Ref.Compare)
		out = append(out, a)
	}
	slices.SortFunc(out, func(x, y actor.Actor) int { return x.Members[0].Compare(y.Members[0]) })
	return out
}

func describe(events []actor.Event) []string {
	verbs := map[actor.Change]string{
		actor.Created: "created", actor.Joined: "joined", actor.Merged: "merged", actor.Split: "split", actor.Renamed: "renamed",
	}
	var out []string
	for _, e := range events {
		line := verbs[e.Change] + " " + e.From.Tenant + ">" + e.To.Tenant + " "
		for _, m := range e.Members {
			line += m.Tenant
		}
		out = append(out, line)
	}
	return out
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", "", "", nil},
		{"the same", "abc de", "de abc", nil},
		{"created", "", "ab", []string{"created >a ab"}},
		{"joined", "ab", "abc", []string{"joined >a c"}},
		{"an older case joins", "ab", "cab", []string{"joined >c c", "renamed a>c "}},
		{"merged: the larger goes on", "ab cde", "abcde", []string{"merged a>a ab", "renamed c>a "}},
		{"of two as large the one of the founder", "ab cd", "cdab", []string{"merged a>c ab"}},
		{"split: the larger part goes on", "abcde", "ab cde", []string{"created >a ab", "split a>a ab", "renamed a>c "}},
		{"halves: the founder's goes on", "dabc", "ab dc", []string{"created >a ab", "split d>a ab"}},
		{"one leaves for none", "abc", "ab", []string{"split a> c"}},
		{"one leaves for another", "abc de", "ab cde", []string{"split a>c c", "renamed d>c "}},
		{"dissolved", "ab", "", []string{"split a> ab"}},
		{
			"an end in many places",
			"abcd ef gh ijk", "efab ghc ijkd",
			[]string{"merged a>e ab", "split a>g c", "split a>i d"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := describe(actor.Diff(clustering(tt.before), clustering(tt.after)))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
		})
	}
}

// Events tell all: from them and what was before follows what is now.
func TestDiffTellsAll(t *testing.T) {
	draw := func(t *rapid.T, label string) []actor.Actor {
		words := make([]string, 4)
		for _, c := range rapid.Permutation(strings.Split("abcdefghij", "")).Draw(t, label) {
			if i := rapid.IntRange(0, len(words)).Draw(t, "actor"); i < len(words) {
				words[i] += c
			}
		}
		return clustering(strings.Join(slices.DeleteFunc(words, func(w string) bool { return len(w) < 2 }), " "))
	}
	founders := func(actors []actor.Actor) map[evidence.Ref]evidence.Ref {
		out := map[evidence.Ref]evidence.Ref{}
		for _, a := range actors {
			for _, m := range a.Members {
				out[m] = a.Founder
			}
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		before, after := draw(t, "before"), draw(t, "after")
		events := actor.Diff(before, after)
		renamed := map[evidence.Ref]evidence.Ref{}
		for _, e := range events {
			if e.Change == actor.Renamed {
				renamed[e.From] = e.To
			}
		}
		now := founders(before)
		for m, f := range now {
			if to, ok := renamed[f]; ok {
				now[m] = to
			}
		}
		for _, e := range events {
			for _, m := range e.Members {
				if e.To == (evidence.Ref{}) {
					delete(now, m)
				} else {
					now[m] = e.To
				}
			}
		}
		if d := cmp.Diff(founders(after), now); d != "" {
			t.Fatalf("events %q lead elsewhere (-after +events):\n%s", describe(events), d)
		}
		slices.Reverse(before)
		slices.Reverse(after)
		if d := cmp.Diff(events, actor.Diff(before, after)); d != "" {
			t.Fatalf("in another order (-want +got):\n%s", d)
		}
	})
}
