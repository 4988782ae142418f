package actor_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func mac(message []byte) [sha256.Size]byte {
	m := hmac.New(sha256.New, []byte(strings.Repeat("k", 32)))
	m.Write(message)
	return [sha256.Size]byte(m.Sum(nil))
}

func TestID(t *testing.T) {
	// Computed with another implementation of HMAC and base32.
	const want = "act-6ip4qkbdwg"
	if got := actor.ID(mac, evidence.Ref{Tenant: "acme", Case: "2026-17"}); got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	if got := actor.ID(mac, evidence.Ref{Tenant: "acme", Case: "2026-18"}); got == want {
		t.Error("two founders share an id")
	}
}

func TestSummarize(t *testing.T) {
	members := []actor.Member{
		{Ref: evidence.Ref{Tenant: "b", Case: "1"}, Active: actor.Span{First: 10, Last: 20, Known: true}, Techniques: []string{"T1566", "T1098", "T1566"}},
		{Ref: evidence.Ref{Tenant: "a", Case: "1"}, Techniques: []string{"T1098"}},
		{Ref: evidence.Ref{Tenant: "b", Case: "2"}, Active: actor.Span{First: -5, Last: 12, Known: true}, Techniques: []string{"T1114"}},
	}
	want := actor.Summary{
		Active:     actor.Span{First: -5, Last: 20, Known: true},
		Tenants:    []actor.Count{{Name: "a", Cases: 1}, {Name: "b", Cases: 2}},
		Techniques: []actor.Count{{Name: "T1098", Cases: 2}, {Name: "T1114", Cases: 1}, {Name: "T1566", Cases: 1}},
	}
	rapid.Check(t, func(t *rapid.T) {
		if d := cmp.Diff(want, actor.Summarize(rapid.Permutation(members).Draw(t, "members"))); d != "" {
			t.Fatalf("summary (-want +got):\n%s", d)
		}
	})
	if d := cmp.Diff([]string{"T1566", "T1098", "T1566"}, members[0].Techniques); d != "" {
		t.Errorf("what was given is changed: %s", d)
	}
	if got := actor.Summarize(nil); got.Active.Known || len(got.Tenants)+len(got.Techniques) > 0 {
		t.Errorf("of nobody: %+v", got)
	}
}
