package session_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365/session"
)

var (
	noon   = time.Date(2023, 1, 10, 12, 30, 0, 0, time.UTC)
	office = netip.MustParseAddr("192.0.2.10")
	other  = netip.MustParseAddr("198.51.100.7")
	third  = netip.MustParseAddr("2001:db8::1")
)

func strs(list []netip.Addr) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

func TestAnEventWithoutAnAddressTakesThatOfTheSignIn(t *testing.T) {
	b := session.New()
	b.Visit("jane@larch.example", office, "", noon.Add(-20*time.Hour))
	b.Visit("jane@larch.example", other, "s1", noon.Add(-2*time.Hour))
	b.Visit("joe@larch.example", third, "s2", noon)
	for _, tt := range []struct {
		user string
		at   time.Time
		want []string
	}{
		{"jane@larch.example", noon, []string{"198.51.100.7"}},
		{"jane@larch.example", noon.Add(-8 * time.Hour), []string{"192.0.2.10"}},
		{"jane@larch.example", noon.Add(-20 * time.Hour), []string{"192.0.2.10"}},
		{"jane@larch.example", noon.Add(-22 * time.Hour), []string{}},
		{"jane@larch.example", noon.Add(11 * time.Hour), []string{}},
		{"joe@larch.example", noon.Add(time.Hour), []string{"2001:db8::1"}},
		{"nobody@larch.example", noon, []string{}},
	} {
		if diff := cmp.Diff(tt.want, strs(b.At(tt.user, tt.at))); diff != "" {
			t.Errorf("%s at %v (-want +got):\n%s", tt.user, tt.at, diff)
		}
	}
	if diff := cmp.Diff([]string{"198.51.100.7"}, strs(b.Session("s1"))); diff != "" {
		t.Error(diff)
	}
	b.Visit("jane@larch.example", office, "", noon.Add(-time.Hour))
	if got := strs(b.At("jane@larch.example", noon)); len(got) != 2 {
		t.Errorf("after a second sign-in %q, want both", got)
	}
}

func TestEgress(t *testing.T) {
	b := session.New()
	for _, u := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		b.Visit(u, office, "", noon)
	}
	for _, u := range []string{"a", "b", "c"} {
		b.Visit(u, other, "", noon)
	}
	if !b.Egress(office) || b.Egress(other) || b.Egress(third) {
		t.Errorf("office %v, three of eight %v, nobody %v", b.Egress(office), b.Egress(other), b.Egress(third))
	}
}

func TestRoaming(t *testing.T) {
	visits := []func(*session.Book){
		func(b *session.Book) { b.Visit("jane", office, "s1", noon) },
		func(b *session.Book) { b.Visit("jane", office.Next(), "s1", noon) },
		func(b *session.Book) { b.Visit("jane", office, "s2", noon.Add(time.Hour)) },
		func(b *session.Book) { b.Visit("jane", other, "s2", noon.Add(-time.Hour)) },
		func(b *session.Book) { b.Visit("joe", third, "", noon) },
	}
	for range 20 {
		rand.Shuffle(len(visits), func(i, j int) { visits[i], visits[j] = visits[j], visits[i] })
		b := session.New()
		for _, v := range visits {
			v(b)
		}
		var got []string
		for r := range b.Roaming() {
			got = append(got, r.Session+" "+r.Addresses[0].String()+" "+r.Addresses[1].String()+" "+r.First.Format("15:04")+" "+r.Last.Format("15:04"))
		}
		if diff := cmp.Diff([]string{"s2 192.0.2.10 198.51.100.7 11:30 13:30"}, got); diff != "" {
			t.Fatal(diff)
		}
	}
}
