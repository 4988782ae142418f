package victim_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"html"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/export/victim"
)

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func tagOf(b []byte) uint32 {
	h := fnv.New32()
	h.Write(b)
	return h.Sum32()
}

func dictionary() *victim.Dictionary {
	d := victim.NewDictionary(hashOf, tagOf)
	d.AddIdentifier("alder")
	d.AddName("Grünholz Möbel GmbH")
	d.AddName("Oak")
	d.AddDomain("gruenholz.example")
	d.AddDomain("oakmail.onmicrosoft.com")
	d.AddNetwork(netip.MustParsePrefix("198.51.100.0/24"))
	d.AddNetwork(netip.MustParsePrefix("2001:db8:7::/48"))
	for _, hint := range []string{"Robin Quill", "r.lindqvist@gruenholz.example", "Ada", "6f1d2c3b-0a9e-4f87-b6a5-123456789abc"} {
		for _, token := range victim.Tokens(hint) {
			d.AddHashes([]victim.Hash{{Exact: hashOf(token), Tag: tagOf([]byte(token)), Tagged: true}})
		}
	}
	return d
}

func TestCheck(t *testing.T) {
	s := dictionary().Scanner()
	for text, want := range map[string]string{
		"":                                   "",
		"104.161.20.102":                     "",
		"continental-database.com":           "",
		"used to log in":                     "",
		"WarnAuditHigh-RiskPhishingPatterns": "",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": "",
		"alderney.example":                  "",
		"alder":                             victim.Names,
		"to ALDER's board":                  victim.Names,
		"GRÜNHOLZ-MÖBEL":                    victim.Names,
		"grunholz mobel gmbh":               victim.Names,
		"login.gruenholz.example.evil.test": victim.Names,
		"gruenholz-portal.test":             victim.Names,
		"soak":                              "",
		"oak invoices":                      victim.Names,
		"cloak":                             "",
		"oakmail":                           victim.Names,
		"oakmail7":                          victim.Names,
		"from 198.51.100.7":                 victim.OwnNetwork,
		"http://198.51.100.7:8080/x":        victim.OwnNetwork,
		"198.51.0.0/16":                     victim.OwnNetwork,
		"198.51.101.7":                      "",
		"2001:DB8:7::1":                     victim.OwnNetwork,
		"robin quill":                       victim.Names,
		"RobinQuill":                        victim.Names,
		"robin.quill7@mail.test":            victim.Names,
		"Robin and quill":                   "",
		"rlindqvist":                        victim.Names,
		"r.lindqvist@other.test":            victim.Names,
		"adapted":                           "",
		"ada@mail.test":                     victim.Names,
		"https://x.test/?q=gr%25C3%25BCnholz+moebel": "",
		"https://x.test/?q=gr%C3%BCnholz+m%C3%B6bel": victim.Names,
	} {
		if got := s.Check(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := s.Check(text); got != want {
			t.Errorf("%q, the second time: %q, want %q", text, got, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	d := victim.NewDictionary(nil, nil)
	d.AddIdentifier("alder")
	if !d.Empty() {
		t.Error("an identifier makes a dictionary")
	}
	d.AddNetwork(netip.MustParsePrefix("198.51.100.0/24"))
	if d.Empty() {
		t.Error("a network makes no dictionary")
	}
}

func utf16LE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func quotedPrintable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "=%02X", s[i])
	}
	return b.String()
}

// encodings are ways to write a text so that somebody reads it all the same.
var encodings = map[string]func(string) string{
	"upper":       strings.ToUpper,
	"percent":     url.QueryEscape,
	"percent all": func(s string) string { return strings.ReplaceAll(quotedPrintable(s), "=", "%") },
	"quoted":      quotedPrintable,
	"base64":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 url":  func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 +1":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x " + s + " z")) },
	"base64 +2":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x, " + s + "!z")) },
	"powershell":  func(s string) string { return base64.StdEncoding.EncodeToString(utf16LE("ping " + s)) },
	"hex":         func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hex spaced":  func(s string) string { return fmt.Sprintf("% X", s) },
	"html":        html.EscapeString,
	"html all": func(s string) string {
		var b strings.Builder
		for _, r := range s {
			fmt.Fprintf(&b, "&#x%x;", r)
		}
		return b.String()
	},
	"json": func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
		return b.String()
	},
	"invisible": func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
	"full width": func(s string) string {
		return strings.Map(func(r rune) rune {
			if '!' <= r && r <= '~' {
				return r - '!' + '！'
			}
			return r
		}, s)
	},
}

func encodingNames() []string {
	var names []string
	for name := range encodings {
		names = append(names, name)
	}
	return names
}

// TestEncodings finds terms in every encoding, and in encodings within others.
func TestEncodings(t *testing.T) {
	s := dictionary().Scanner()
	terms := []string{"gruenholz.example", "Grünholz Möbel", "robin.quill", "rlindqvist", "oakmail"}
	for name, encode := range encodings {
		for _, term := range terms {
			for _, text := range []string{encode(term), "see " + encode(term) + ", now", strings.ToLower(name) + "=" + encode(term)} {
				if s.Check(text) == "" {
					t.Errorf("%s: %q is let through", name, text)
				}
			}
		}
	}
	if ace, err := idna.ToASCII("grünholz.test"); err != nil || s.Check("www."+ace) != "" {
		// The name alone is "Grünholz Möbel"; punycode is tested with a whole one.
		t.Errorf("%q %v", ace, err)
	}
	d := victim.NewDictionary(nil, nil)
	d.AddDomain("grünholz.test")
	ace, _ := idna.ToASCII("grünholz.test")
	if d.Scanner().Check("https://www."+strings.ToUpper(ace)+"/x") == "" {
		t.Errorf("%q is let through", ace)
	}
}

// TestSpacesOfQueries: "20 67 …" as a part of a query, found by TestNestedEncodings.
func TestSpacesOfQueries(t *testing.T) {
	text := "20+67+72+75+65+6E+68+6F+6C+7A+2E+65+78+61+6D+70+6C+65+20"
	if dictionary().Scanner().Check(text) == "" {
		t.Errorf("%q is let through", text)
	}
}

func TestNestedEncodings(t *testing.T) {
	names := encodingNames()
	// In a map there is no order, and rapid draws by number.
	slices.Sort(names)
	s := dictionary().Scanner()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"gruenholz.example", "robin.quill", "oakmail"}).Draw(t, "term")
		text = rapid.StringMatching(`[a-z ]{0,8} `).Draw(t, "before") + text + rapid.StringMatching(` [a-z ]{0,8}`).Draw(t, "after")
		for range rapid.IntRange(1, 3).Draw(t, "layers") {
			name := rapid.SampledFrom(names).Draw(t, "encoding")
			if name == "upper" && strings.ContainsAny(text, "=") {
				continue // what is in base64 is gone when upper-cased
			}
			if name == "upper" || name == "invisible" || name == "full width" {
				continue // decoders do not read through these, nor do people
			}
			text = encodings[name](text)
		}
		if s.Check(text) == "" {
			t.Fatalf("%q is let through", text)
		}
	})
}

func TestTokens(t *testing.T) {
	for hint, want := range map[string]string{
		"":                       "[]",
		"Li":                     "[]",
		"Ada":                    "[ada]",
		"Robin Quill":            "[robinquill]",
		"r.quill@oak.example":    "[rquilloakexample rquill oakexample]",
		"info@oak.example":       "[infooakexample oakexample]",
		"lindqvist@oak.example":  "[lindqvistoakexample lindqvist oakexample]",
		"a b c d e f g":          "[]",
		"x@y@z":                  "[xyz]",
		strings.Repeat("a", 300): "[]",
		"Ärzte-Haus":             "[arztehaus]",
	} {
		if got := fmt.Sprint(victim.Tokens(hint)); got != want {
			t.Errorf("%q: %s, want %s", hint, got, want)
		}
	}
}

// TestTags: a tag only saves work. With tags, with some and with none, all is found that
// is found by hashes alone.
func TestTags(t *testing.T) {
	hints := []string{"Robin Quill", "r.lindqvist@gruenholz.example", "Ada", "6f1d2c3b-0a9e-4f87-b6a5-123456789abc", "Zoë", "a b c"}
	of := func(tagged func(n int) bool) *victim.Scanner {
		d := victim.NewDictionary(hashOf, tagOf)
		for n, hint := range hints {
			for _, token := range victim.Tokens(hint) {
				h := victim.Hash{Exact: hashOf(token)}
				if tagged(n) {
					h.Tag, h.Tagged = tagOf([]byte(token)), true
				}
				d.AddHashes([]victim.Hash{h})
			}
		}
		return d.Scanner()
	}
	all, some, none := of(func(int) bool { return true }), of(func(n int) bool { return n%2 == 0 }), of(func(int) bool { return false })
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(hints), rapid.StringMatching(`[a-z0-9 .@-]{0,12}`)), 1, 5).Draw(t, "parts")
		text := strings.Join(parts, rapid.SampledFrom([]string{" ", ".", "", "@"}).Draw(t, "between"))
		want := none.Check(text)
		if want != "" {
			found++
		}
		if a, s := all.Check(text), some.Check(text); a != want || s != want {
			t.Fatalf("%q: with tags %q, with some %q, with none %q", text, a, s, want)
		}
	})
	if found == 0 {
		t.Error("nothing was ever found")
	}
}

func FuzzCheck(f *testing.F) {
	for name, encode := range encodings {
		f.Add(encode("gruenholz.example") + name)
	}
	f.Add("%%%=%u\\u{110000}&#x;xn--xn--\x00\xff")
	f.Add(strings.Repeat("YWFhYWFhYWFhYWFh", 40))
	d := dictionary()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		first := d.Scanner().Check(text)
		if again := d.Scanner().Check(text); again != first {
			t.Errorf("%q, then %q", first, again)
		}
		if d.Scanner().Check(text+" gruenholz.example") == "" {
			t.Errorf("a name behind %q is let through", text)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for name, tagged := range map[string]bool{"tags": true, "no tags": false} {
		b.Run(name, func(b *testing.B) { benchmarkCheck(b, tagged) })
	}
}

func benchmarkCheck(b *testing.B, tagged bool) {
	d := dictionary()
	d.AddHashes([]victim.Hash{{Exact: 1, Tagged: tagged}})
	s := d.Scanner()
	values := make([]string, 1<<14)
	for i := range values {
		values[i] = fmt.Sprintf("host-%d.billing-portal%d.example", i*7919%10007, i)
	}
	for i := 0; b.Loop(); i++ {
		if why := s.Check(values[i%len(values)]); why != "" {
			b.Fatal(why)
		}
	}
}
