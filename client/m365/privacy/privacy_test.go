package privacy_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
	"github.com/elsewhere-project/elsewhere/client/m365/privacy"
)

func vocabulary() *privacy.Vocabulary {
	v := privacy.NewVocabulary(lexicon.New(), func(d string) bool { return d == "gmail.com" })
	v.Organisation("larchwood.onmicrosoft.com")
	v.Organisation("Larchwood Joinery Ltd")
	v.User("Jane.Doerfler@Larchwood.example")
	v.User("security@larchwood.example")
	v.User("someone.else@gmail.com")
	v.Domain("abc.example")
	v.ID("8c2f0d3e-51c4-4f62-9b59-3f1d0f7e1a55")
	return v
}

func TestGuard(t *testing.T) {
	g := vocabulary().Guard()
	for _, tt := range []struct {
		text        string
		text_, name string // whether Text and Value refuse
	}{
		{"larchwood.example", "no", "no"},
		{"LARCHWOOD", "no", "no"},
		{"billing@larchwood-invoices.example", "no", "no"},
		{"l a r c h w o o d", "no", "no"},
		{"”larchwood” „x“", "no", "no"},
		{"doowhcral", "no", "no"},
		{"jane.doerfler@mailbox.example", "no", "no"},
		{"doerfler_jane@mailbox.example", "no", "no"},
		{"for Doerfler only", "no", "yes"},
		{"jane@mailbox.example", "no", "yes"},
		{"abc", "no", "no"},
		{"abcdef", "yes", "yes"},
		{"security alert", "yes", "yes"},
		{"collect@gmail.com", "yes", "yes"},
		{"someone.else@mail.example", "no", "no"},
		{"8C2F0D3E51C44F629B593F1D0F7E1A55", "no", "no"},
		{"Block Spoofing", "yes", "yes"},
		{"WarnAuditHigh-RiskPhishingPatterns", "yes", "yes"},
		{"104.161.20.102", "yes", "yes"},
		{"iad3a.emailsrvr.com", "yes", "yes"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "yes", "yes"},
	} {
		may := func(reason string) string {
			if reason == "" {
				return "yes"
			}
			return "no"
		}
		if got := may(g.Text(tt.text)); got != tt.text_ {
			t.Errorf("text %q may leave: %s, want %s", tt.text, got, tt.text_)
		}
		if got := may(g.Value(tt.text)); got != tt.name {
			t.Errorf("value %q may leave: %s, want %s", tt.text, got, tt.name)
		}
	}
}

func TestNamesOfRules(t *testing.T) {
	g := vocabulary().Guard()
	for name, want := range map[string]string{
		"Block Spoofing":                    "Block Spoofing",
		"redirect Larchwood email to DC":    "redirect [REDACTED] email to DC",
		"Doerfler Jane Compromise":          "[REDACTED] Compromise",
		"from boss@bank.example stop":       "from [REDACTED] stop",
		"Deutsche Bank transfer":            "[REDACTED] Bank transfer",
		"hsbc payments":                     "[REDACTED] payments",
		"DE44 500105175407324931 transfer":  "DE44 [REDACTED] transfer",
		"larchwood":                         "",
		".":                                 ".",
		"Bypass SPAM Filter":                "Bypass SPAM Filter",
		"[REDACTED // BANKING]":             "[REDACTED // BANKING]",
		"larch wood payments":               "",
		"bGFyY2h3b29kLmV4YW1wbGU= payments": "[REDACTED] payments",
	} {
		got, reason := g.Name(name)
		if reason != "" {
			got = ""
		}
		if got != want {
			t.Errorf("%q leaves as %q (%s), want %q", name, got, reason, want)
		}
	}
}

// encodings are ways in which a string gets by a comparison.
func encodings() map[string]func(string) string {
	utf16Bytes := func(s string, big bool) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return string(b)
	}
	each := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, r := range s {
				fmt.Fprintf(&b, format, r)
			}
			return b.String()
		}
	}
	eachByte := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, format, s[i])
			}
			return b.String()
		}
	}
	return map[string]func(string) string{
		"case":             strings.ToUpper,
		"percent":          eachByte("%%%02x"),
		"query":            url.QueryEscape,
		"percent u":        each("%%u%04x"),
		"quoted printable": eachByte("=%02X"),
		"json":             each(`\u%04x`),
		"json twice":       each(`\\u%04X`),
		"quoted":           strconv.QuoteToASCII,
		"html":             each("&#x%x;"),
		"html decimal":     each("&#%d;"),
		"base64":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64url":        func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"base64 utf16":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte(utf16Bytes(s, false))) },
		"base32":           func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
		"hex":              func(s string) string { return hex.EncodeToString([]byte(s)) },
		"utf16le":          func(s string) string { return utf16Bytes(s, false) },
		"utf16be":          func(s string) string { return utf16Bytes(s, true) },
		"dots":             func(s string) string { return strings.Join(strings.Split(s, ""), ".") },
		"soft hyphens":     func(s string) string { return strings.Join(strings.Split(s, ""), "\u00ad") },
		"full width": func(s string) string {
			return strings.Map(func(r rune) rune {
				if r > ' ' && r < 0x7f {
					return r + 0xfee0
				}
				return r
			}, s)
		},
		"accents": func(s string) string { return strings.ReplaceAll(s, "a", "á") },
		"reversed": func(s string) string {
			out := ""
			for _, c := range s {
				out = string(c) + out
			}
			return out
		},
		"punycode": func(s string) string {
			t, err := idna.Punycode.ToASCII("ü" + s)
			if err != nil {
				return s
			}
			return t
		},
		"quotes": func(s string) string { return "”" + s + "“:‟" },
	}
}

// No string of the tenant passes, in any encoding, in two of them, or among
// other text.
func TestNothingOfTheTenantPassesInAnyEncoding(t *testing.T) {
	g := vocabulary().Guard()
	secrets := []string{
		"larchwood", "larchwood.example", "jane.doerfler@larchwood.example", "Larchwood Joinery Ltd",
		"8c2f0d3e-51c4-4f62-9b59-3f1d0f7e1a55", "larchwood.onmicrosoft.com", "jane.doerfler",
	}
	all := encodings()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SampledFrom(secrets).Draw(t, "secret")
		first := rapid.SampledFrom(names).Draw(t, "first")
		second := rapid.SampledFrom(append(names, "none")).Draw(t, "second")
		if first == "punycode" && strings.ContainsAny(secret, "@ ") || strings.Contains(secret, "-") && first == "punycode" {
			return
		}
		text := all[first](secret)
		switch second {
		case "none":
		case "punycode", "accents", "case", "reversed", "dots":
			// They change the text of another encoding, which then says nothing.
		default:
			text = all[second](text)
		}
		text = rapid.SampledFrom([]string{"", "x ", "https://host.example/?q=", `{"a":"`}).Draw(t, "before") + text +
			rapid.SampledFrom([]string{"", " y", "&z=1", `"}`}).Draw(t, "after")
		if g.Value(text) == "" {
			t.Fatalf("%q passes as %q (%s, %s)", secret, text, first, second)
		}
	})
}

func TestAVocabularyThatIsNotCompleteLetsNothingPass(t *testing.T) {
	v := vocabulary()
	for i := range 1<<20 + 1 {
		v.ID("object-number-" + strconv.Itoa(i))
	}
	g := v.Guard()
	if g.Complete() || g.Text("Block Spoofing") != privacy.ReasonIncomplete {
		t.Errorf("complete %v, reason %q", g.Complete(), g.Text("Block Spoofing"))
	}
}

func FuzzGuard(f *testing.F) {
	g := vocabulary().Guard()
	for _, s := range []string{"", "larchwood", "\xff%6c%", "xn--", `\u00`, "+AGw-", "bGFyY2h3b29k", strings.Repeat("YWFh", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if g.Text(s+" larchwood.example ") == "" {
			t.Errorf("%q hides the tenant", s)
		}
		if name, reason := g.Name(s); reason == "" && g.Text(name) != "" && g.Text(strings.ReplaceAll(name, privacy.Redacted, " ")) != "" {
			t.Errorf("%q leaves as %q", s, name)
		}
	})
}
