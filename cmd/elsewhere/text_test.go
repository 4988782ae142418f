package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func TestSafe(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain text", 0, "plain text"},
		{"Überweisung 日本 😀", 0, "Überweisung 日本 😀"},
		{"\x1b[31mred\x1b[0m", 0, `\x1b[31mred\x1b[0m`},
		{"two\nlines\r\tand a tab", 0, `two\x0alines\x0d\x09and a tab`},
		{"gnp.\u202eexe", 0, `gnp.\u202eexe`},
		{"\u2066a\u2069\u200f\u200b\ufeff\u2028", 0, `\u2066a\u2069\u200f\u200b\ufeff\u2028`},
		{"\u0085\u009b", 0, `\u0085\u009b`},
		{"\U000e0041", 0, `\U000e0041`},
		{"\u3164\u115f", 0, `\u3164\u115f`},
		{"a\xffb", 0, `a\xffb`},
		{"\ufffd", 0, "\ufffd"},
		{"e\u0301", 0, "e\u0301"},
		{"e\u0301\u0301\u0301", 0, "e\u0301\u0301" + `\u0301`},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abcde…"},
		{"日本日本", 6, "日本…"},
		{"abcd\x1b", 6, "abcd…"},
		{"", 6, ""},
	} {
		if got := safe(tt.in, tt.limit); got != tt.want {
			t.Errorf("safe(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b[2J\u202e日\u0301\u0301\u0301\xff", 4)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(1, min(limit, 1000))
		got := safe(s, limit)
		if !utf8.ValidString(got) || columnsOf(got) > limit {
			t.Fatalf("safe(%q, %d) = %q of %d columns", s, limit, got, columnsOf(got))
		}
		for _, r := range got {
			if r != ' ' && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("safe(%q, %d) holds %U", s, limit, r)
			}
		}
	})
}

func TestNumbers(t *testing.T) {
	for p, want := range map[float64]string{
		0: "<.001", .0004: "<.001", .0005: ".001", .05: ".050", .989192: ".989", .9946: ".995", .995: ".995", 1: "1.000",
	} {
		if got := likelihood(p); got != want {
			t.Errorf("likelihood(%v) = %s, want %s", p, got, want)
		}
	}
	for m, want := range map[int32]string{
		0: "0.00", 4: "0.00", -4: "0.00", 5: "+0.01", -5: "-0.01", 7412: "+7.41", 12407: "+12.41", -10000: "-10.00",
		-1 << 31: "-2147483.65",
	} {
		if got := bits(m); got != want {
			t.Errorf("bits(%d) = %s, want %s", m, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", .2: ".2", .075: ".075", 1.5: "1.5", 200: "200", .0004: "<.001"} {
		if got := number(f); got != want {
			t.Errorf("number(%v) = %s, want %s", f, got, want)
		}
	}
	for n, want := range map[uint32]string{0: "0", 999: "999", 1024: "1,024", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	at := func(day int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2023, 1, day, 23, 59, 0, 0, time.UTC))
	}
	for _, tt := range []struct {
		first, last *timestamppb.Timestamp
		want        string
	}{
		{nil, nil, "no date"},
		{at(1), at(1), "2023-01-01"},
		{at(1), at(2), "2023-01-01 .. 2023-01-02"},
		{nil, at(2), "? .. 2023-01-02"},
		{&timestamppb.Timestamp{Nanos: -1}, nil, "no date"},
	} {
		if got := span(tt.first, tt.last); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	for want, r := range map[string]elsewherev1.CountRange_builder{
		"1 tenant":           {Min: 1, Max: proto.Uint32(1)},
		"0 tenants":          {Min: 0, Max: proto.Uint32(0)},
		"3 to 9 tenants":     {Min: 3, Max: proto.Uint32(9)},
		"10 or more tenants": {Min: 10},
	} {
		if got := countRange(r.Build(), "tenant", "tenants"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	got := table([]string{">n", "name", ""}, [][]string{{"1", "日本", "x"}, {"10", "ab", ""}})
	if d := cmp.Diff(" n  name\n 1  日本  x\n10  ab\n", got); d != "" {
		t.Error(d)
	}
}

func TestFold(t *testing.T) {
	word := strings.Repeat("w", 30)
	got := wrap("    ", []string{word, word, word, strings.Repeat("x", 150), word + " " + word + " " + word + " " + word})
	want := []string{
		"    " + word + " · " + word + " · " + word,
		"    " + strings.Repeat("x", 96),
		"    " + strings.Repeat("x", 54),
		"    " + word + " " + word + " " + word,
		"    " + word,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
	}
	if got := version(info); !strings.HasPrefix(got, "elsewhere v1.2.3 commit abc (modified) go1.") {
		t.Errorf("got %s", got)
	}
	if got := version(nil); !strings.HasPrefix(got, "elsewhere (unknown) go1.") {
		t.Errorf("got %s", got)
	}
}

func TestColourIsForTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(file) || isTerminal(&bytes.Buffer{}) {
		t.Error("a file or a buffer passes for a terminal")
	}
	if tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer tty.Close()
		if !isTerminal(tty) {
			t.Error("a terminal does not pass for one")
		}
	}
	e := explanation("")
	plain, coloured := waterfall(e, nil, style{}), waterfall(e, nil, style{colour: true})
	if strings.Contains(plain, "\x1b") || !strings.Contains(coloured, "\x1b[1m") {
		t.Errorf("plain %q\ncoloured %q", plain, coloured)
	}
	if d := cmp.Diff(plain, regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(coloured, "")); d != "" {
		t.Errorf("colour changes the text: %s", d)
	}
}

// explanation has everything that a waterfall can show; suffix is appended to
// all names.
func explanation(suffix string) *elsewherev1.Explanation {
	value := func(kind, value string, weight, used int32, reasons ...string) *elsewherev1.SharedValue {
		return elsewherev1.SharedValue_builder{
			Kind: kind, Value: value + suffix, RolesA: []string{"login_source"}, RolesB: []string{"login_source", "allow_listed"},
			Class: "vpn" + suffix, ClassReasons: []string{"list of exits" + suffix, "another list" + suffix},
			M: .1, Alpha: 30, Background: .01, Trust: .5, UnexplainedTenants: 5, GapDays: 12,
			WeightMillibits: weight, UsedMillibits: used, Reasons: reasons,
		}.Build()
	}
	return elsewherev1.Explanation_builder{
		A: "alder/1" + suffix, B: "birch/2" + suffix, ModelVersion: 3, CorpusN: 4096,
		PriorMillibits: -12000, NegativeMillibits: -500, TotalMillibits: 6000, Likelihood: .98, Tier: elsewherev1.Tier_TIER_PROBABLE,
		Families: []*elsewherev1.Family{
			elsewherev1.Family_builder{
				Name: "infra", RawMillibits: 21000, CapMillibits: 18000, UsedMillibits: 18000,
				Groups: []*elsewherev1.Group{
					elsewherev1.Group_builder{Id: "192.0.2.0/24" + suffix, Rank: 1, UsedMillibits: 14500, Values: []*elsewherev1.SharedValue{
						value("ip", "192.0.2.1", 14000, 14000), value("ip", "192.0.2.2", 9000, 500),
					}}.Build(),
					elsewherev1.Group_builder{Id: "x", Rank: 2, UsedMillibits: 6500, Values: []*elsewherev1.SharedValue{
						value("url", "https://example.net/"+strings.Repeat("long/", 30), 13000, 6500, "no date: 90 days assumed"+suffix),
					}}.Build(),
				},
			}.Build(),
			elsewherev1.Family_builder{
				Name: "behaviour", RawMillibits: 500, CapMillibits: 3000, UsedMillibits: 500,
				Groups: []*elsewherev1.Group{elsewherev1.Group_builder{Id: "attack", Rank: 1, UsedMillibits: 500, Values: []*elsewherev1.SharedValue{
					elsewherev1.SharedValue_builder{
						Kind: "attack", Value: "2 in common", TechniquesA: []string{"T1078", "T1098"}, TechniquesB: []string{"T1078", "T1114"},
						Trust: 1, WeightMillibits: 500, UsedMillibits: 500,
					}.Build(),
				}}.Build()},
			}.Build(),
		},
		SharedGeneric: []*elsewherev1.SharedGeneric{elsewherev1.SharedGeneric_builder{
			Kind: "domain", Value: "gmail.com" + suffix, Reason: "everybody's: freemail" + suffix,
		}.Build()},
		Counterfactuals: []*elsewherev1.Counterfactual{elsewherev1.Counterfactual_builder{
			Without: "192.0.2.0/24" + suffix, Likelihood: .02,
		}.Build()},
		Notes: []string{"everything in common lies in initial access: it could be a common access broker" + suffix},
	}.Build()
}

func TestWaterfall(t *testing.T) {
	want := `likelihood of same actor (model 3, uncalibrated): .980 — probable
A  alder/1
B  birch/2

                                                      weight    used
prior  one in 4,096 cases                                     -12.00  ████████████████│
infra                                                         +18.00
  ip 192.0.2.1                                        +14.00  +14.00  ██████████████████▌
    A login_source · B login_source, allow_listed · class vpn (list of exits; another list) · m .1
    α 30 · d 5 · f .01 · trust .5 · gap 12 days
  ip 192.0.2.2                                         +9.00   +0.50                  │ ▐▌
    A login_source · B login_source, allow_listed · class vpn (list of exits; another list) · m .1
    α 30 · d 5 · f .01 · trust .5 · gap 12 days · counts less: one of several in 192.0.2.0/24
  url https://example.net/long/long/long/long/long…   +13.00   +6.50                  │  ▐████████
    https://example.net/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/…
    A login_source · B login_source, allow_listed · class vpn (list of exits; another list) · m .1
    α 30 · d 5 · f .01 · trust .5 · gap 12 days · no date: 90 days assumed
    counts 1/2: rank 2 in infra
  capped: all of infra counts +18.00 at most                   -3.00                  │       ████
behaviour                                                      +0.50
  attack 2 in common                                   +0.50   +0.50                  │       ▌
    both T1078 · only A T1098 · only B T1114
negative evidence                                              -0.50                  │       ▌
total  likelihood .980                                         +6.00                  ████████

in common, but adds nothing
  domain gmail.com: everybody's: freemail

without 192.0.2.0/24:  .020

note: everything in common lies in initial access: it could be a common access broker
`
	if d := cmp.Diff(want, waterfall(explanation(""), nil, style{})); d != "" {
		t.Error(d)
	}
}

func TestWaterfallHostile(t *testing.T) {
	got := waterfall(explanation("\x1b[2J\u202e\n"+strings.Repeat("x", 5000)), nil, style{})
	for _, r := range got {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("holds %U", r)
		}
	}
	for i, line := range strings.Split(got, "\n") {
		if n := columnsOf(line); n > lineWidth && !strings.HasPrefix(line, "A  ") && !strings.HasPrefix(line, "B  ") {
			t.Errorf("line %d has %d columns: %s", i+1, n, line)
		}
	}
	if n := strings.Count(got, "\n"); n > 100 {
		t.Errorf("%d lines", n)
	}
}

// TestWaterfallAddsUp reads the bars back: each begins where the one before
// ended, so the last ends where the total does.
func TestWaterfallAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scaleOf(elsewherev1.Explanation_builder{PriorMillibits: -10000, TotalMillibits: 8000}.Build())
		from := rapid.Int32Range(-10000, 8000).Draw(t, "from")
		to := rapid.Int32Range(-10000, 8000).Draw(t, "to")
		bar := s.draw(from, to)
		if n := columnsOf(bar); n > barColumns {
			t.Fatalf("%d columns", n)
		}
		halves := 2*strings.Count(bar, "█") + strings.Count(bar, "▌") + strings.Count(bar, "▐")
		want := float64(max(to-from, from-to)) * s.per
		if diff := float64(halves) - want; diff < -1.01 || diff > 1.51 {
			t.Fatalf("%d to %d has %d half columns, want %.1f", from, to, halves, want)
		}
		if to != from && halves == 0 {
			t.Fatal("a bar that is not seen")
		}
	})
}

func TestWhyNot(t *testing.T) {
	generic := func(n int) (out []*elsewherev1.SharedGeneric) {
		for i := range n {
			out = append(out, elsewherev1.SharedGeneric_builder{Value: string(rune('a' + i))}.Build())
		}
		return out
	}
	for want, e := range map[string]elsewherev1.Explanation_builder{
		"no link: nothing in common that says anything":                                             {PriorMillibits: -10000, TotalMillibits: -10000},
		"no link: in common is only what adds nothing: a, b":                                        {PriorMillibits: -10000, TotalMillibits: -9000, SharedGeneric: generic(2)},
		"no link: in common is only what adds nothing: a, b, c, 2 more":                             {SharedGeneric: generic(5)},
		"no link: no value in common, and +1.50 bits of evidence do not outweigh a prior of -10.00": {PriorMillibits: -10000, TotalMillibits: -8500},
		"no link, whatever the evidence":                                                            {PriorMillibits: -10000, TotalMillibits: 5000, Likelihood: .9},
	} {
		if got := whyNot(e.Build()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
