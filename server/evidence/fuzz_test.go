package evidence_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func FuzzParseValue(f *testing.F) {
	kinds := []evidence.Kind{"", "x_own", "nothing"}
	for _, info := range evidence.Kinds() {
		kinds = append(kinds, info.Kind)
	}
	for i, k := range kinds {
		f.Add(uint8(i), "")
		for _, info := range evidence.Kinds() {
			if k == info.Kind {
				f.Add(uint8(i), info.Example)
			}
		}
		for _, p := range pieces {
			f.Add(uint8(i), p)
		}
		f.Add(uint8(i), "\"Bob\" <bob[@]example[.]com>,")
		f.Add(uint8(i), "hxxps[:]//user@EXAMPLE｡com:443/a(b)?q#f")
		f.Add(uint8(i), "[::ffff:1.2.3.4%eth0]:65535")
		f.Add(uint8(i), "hmac1:k:abcdefghijklmnopqrstuvwxyz")
	}
	private := map[string]bool{}
	for _, info := range evidence.Kinds() {
		if info.Visibility != evidence.Private {
			continue
		}
		for _, raw := range []string{"", "\x00-", "\xff", strings.Repeat("x", 5<<10), "hmac1:", "!"} {
			if _, v := evidence.ParseValue(info.Kind, raw, options()); v != nil {
				private[v.Message] = true
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, raw string) {
		kind := kinds[int(n)%len(kinds)]
		got, v := evidence.ParseValue(kind, raw, options())
		visibility, _ := evidence.KindVisibility(kind)
		if v != nil {
			if visibility == evidence.Private && !private[v.Message] {
				t.Fatalf("a message of its own for %q: %s", raw, v.Message)
			}
			if !utf8.ValidString(v.Message) || strings.ContainsAny(v.Message, "\x00\n\r\x1b\u202e") {
				t.Fatalf("message %q", v.Message)
			}
			return
		}
		if visibility == evidence.Private && (!strings.HasPrefix(got.Text, "hmac1:") || got.Written != "" || got.Facts != nil) {
			t.Fatalf("%s %q gives %+q", kind, raw, got)
		}
		if got.Text == "" || len(got.Text) > evidence.MaxValueBytes || !utf8.ValidString(got.Text) || strings.ContainsAny(got.Text, "\x00\n") {
			t.Fatalf("%s %q gives %+q", kind, raw, got)
		}
		requireStable(t, kind, raw)
	})
}

func FuzzNormaliseRuleName(f *testing.F) {
	for _, p := range pieces {
		f.Add(p)
	}
	f.Add("\xf6ϔ")
	f.Add("Copy of [REDACTED // BANKING] (3F2504E0-4F89-11D3-9A0C-0305E82C3301) 12-3")
	f.Fuzz(func(t *testing.T, raw string) {
		got := evidence.NormaliseRuleName(raw)
		if again := evidence.NormaliseRuleName(got); again != got {
			t.Fatalf("%q gives %q, which gives %q", raw, got, again)
		}
		if got == "" && strings.TrimSpace(raw) != "" {
			t.Fatalf("nothing is left of %q", raw)
		}
		evidence.IsPlaceholder(got)
		for _, w := range evidence.RuleWords(raw) {
			if w == "" {
				t.Fatalf("%q has an empty word", raw)
			}
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"", "/", "a/b", "A/b", "a/b/c", "acme-7/2022:12_a.b#1", "a\x00/b", "\xff/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := evidence.ParseRef(s)
		if err != nil {
			if ref != (evidence.Ref{}) || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q: %v, %q", s, ref, err)
			}
			return
		}
		if ref.String() != s || evidence.CheckTenant(ref.Tenant) != nil {
			t.Fatalf("%q gives %v", s, ref)
		}
	})
}
