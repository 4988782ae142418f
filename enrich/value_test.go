package enrich_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

func TestValueIsTheNodeOfTheGraph(t *testing.T) {
	for in, want := range map[enrich.Value]string{
		{Kind: enrich.KindIP, Text: "::ffff:20.232.202.245"}: "20.232.202.245",
		{Kind: enrich.KindIP, Text: "fe80::1%eth0"}:          "fe80::1",
		{Kind: enrich.KindIP, Text: "2001:DB8::1"}:           "2001:db8::1",
		{Kind: enrich.KindCIDR, Text: "10.1.2.3/8"}:          "10.0.0.0/8",
		{Kind: enrich.KindCIDR, Text: "::ffff:10.1.2.3/104"}: "10.0.0.0/8",
		{Kind: enrich.KindCIDR, Text: "::ffff:0:0/90"}:       "::ffc0:0:0/90",
		{Kind: enrich.KindIP, Text: "no address"}:            "no address",
		{Kind: enrich.KindDomain, Text: "ioflood.com"}:       "ioflood.com",
	} {
		got := in.Normal()
		if got.Text != want || got.Kind != in.Kind || got.Normal() != got {
			t.Errorf("%v becomes %v, want %q", in, got, want)
		}
	}
	if got := enrich.AddressValue(netip.MustParseAddr("::ffff:1.2.3.4")); got.Text != "1.2.3.4" {
		t.Error(got)
	}
	if got := enrich.PrefixValue(netip.MustParsePrefix("1.2.3.4/24")); got.Text != "1.2.3.0/24" {
		t.Error(got)
	}
}

func TestScopes(t *testing.T) {
	scopes := enrich.NewScopes()
	for prefix, want := range map[string]string{
		"104.161.20.102/32": "public", "20.232.202.245/32": "public", "2606:4700::1/128": "public",
		"10.0.0.1/32": "private", "172.31.255.255/32": "private", "192.168.1.0/24": "private", "fd00::1/128": "private",
		"172.32.0.0/32": "public", "100.64.0.1/32": "shared", "100.128.0.0/32": "public",
		"127.0.0.1/32": "loopback", "::1/128": "loopback", "169.254.169.254/32": "link_local", "fe80::1/128": "link_local",
		"192.0.2.1/32": "documentation", "2001:db8::1/128": "documentation", "3fff::1/128": "documentation",
		"224.0.0.1/32": "multicast", "ff02::1/128": "multicast", "255.255.255.255/32": "reserved", "0.0.0.0/32": "reserved",
		"2002:0a00:0001::/128": "reserved", "2001:0:a00:1::/128": "reserved", "64:ff9b::a00:1/128": "reserved",
		"::ffff:10.0.0.1/128": "private", "::ffff:104.161.20.102/128": "public", "4000::/128": "reserved",
		// A network with a part that is not public is not public.
		"8.0.0.0/5": "private", "0.0.0.0/0": "private", "::/0": "loopback", "2000::/3": "documentation",
	} {
		if got := scopes.Of(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%s is %s, want %s", prefix, got, want)
		}
	}
	if scopes.Of(netip.Prefix{}) != "reserved" {
		t.Error("no prefix is public")
	}
}

func TestStatus(t *testing.T) {
	var zero enrich.Status
	if zero != enrich.NotLookedUp || zero.Answered() {
		t.Error("the zero status claims an answer")
	}
	for s := enrich.NotLookedUp; s <= enrich.Error; s++ {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back enrich.Status
		if err := json.Unmarshal(data, &back); err != nil || back != s {
			t.Errorf("%s came back as %s: %v", s, back, err)
		}
	}
	if _, err := enrich.Status(99).MarshalText(); err == nil {
		t.Error("an unknown status has a name")
	}
	if err := new(enrich.Status).UnmarshalText([]byte("clean")); err == nil {
		t.Error("clean is a status")
	}
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{
		"Input Output Flood LLC":        "Input Output Flood LLC",
		"a\x1b[31mred\x00\x07":          "a[31mred",
		"evil\u202egnp.exe\u2066\ufeff": "evilgnp.exe",
		"  one\r\n\ttwo\u2028three  ":   "one two three",
		"bad\xff\xfeutf8":               "badutf8",
		"zero\u200bwidth":               "zerowidth",
		"Müller & Söhne":                "Müller & Söhne",
		"":                              "",
		"\u0085\u00a0":                  "",
	} {
		if got := enrich.Sanitize(in, 100); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := enrich.Sanitize("äöü", 5); got != "äö" {
		t.Errorf("cut to %q", got)
	}
	if got := enrich.Sanitize("ab cd", 3); got != "ab" {
		t.Errorf("cut to %q", got)
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("a\x1b[31m\u202e\n b", 4)
	f.Add(strings.Repeat("ä ", 300), 256)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := enrich.Sanitize(s, limit)
		if len(got) > max(0, limit) || !utf8.ValidString(got) || strings.TrimSpace(got) != got {
			t.Fatalf("%q", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if again := enrich.Sanitize(got, limit); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}

func TestCaseTimeFactsStay(t *testing.T) {
	then := time.Date(2023, 2, 20, 0, 0, 0, 0, time.UTC)
	stated := enrich.Field{Name: enrich.FieldASN, Value: "53755", Source: "case", LookedUpAt: then, Status: enrich.OK}
	first := enrich.Record{Fields: []enrich.Field{{Name: enrich.FieldASN, Value: "1", Source: "mmdb", Status: enrich.OK}}}
	refreshed := enrich.Record{Fields: []enrich.Field{{Name: enrich.FieldASN, Value: "2", Source: "mmdb", Status: enrich.OK}}}
	stated.CaseTime = true
	for _, r := range []enrich.Record{first, refreshed} {
		got := r.WithCaseTime(stated)
		if d := cmp.Diff(append([]enrich.Field{stated}, r.Fields...), got.Fields); d != "" {
			t.Error(d)
		}
		if len(r.Fields) != 1 {
			t.Error("the record itself changed")
		}
	}
}
