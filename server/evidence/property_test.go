package evidence_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// pieces are what values, good and bad, are put together from.
var pieces = []string{
	"1.2.3.4", "::1", "[::ffff:1.2.3.4]", "fe80::1%e", "/24", "/32", "/128", ":443", ":", "example", ".com", "[.]", "(dot)", "{at}", "[@]", `\.`, "co.uk",
	"bob", "@", "hxxp", "https://", "[://]", "/", "?", "#", "%41", "%", "<", ">", "->", "→", "(", ")", "[", "]", "{", "}", `"`, "'", ".", ",", ";", "-", "_",
	"。", "．", "ｅ", "／", "é", "e\u0301", "ß", "İ", "\u200d", "\u200b", "J\u030c", "ﬁ", "xn--", "xn--bcher-kva", "ς", " ", "\u00a0", "a", "Z", "0", "12",
	"copy of ", "[REDACTED]", "redacted", "⟨r⟩", "3F2504E0-4F89-11D3-9A0C-0305E82C3301", "smtp:", "mailto:", "AS", "+", "00", "sha1:", "Spam", "x",
}

func rawText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 8).Draw(t, "pieces"), "")
		}),
		rapid.String(),
	)
}

func anyKind() *rapid.Generator[evidence.Kind] {
	kinds := []evidence.Kind{"x_own"}
	for _, info := range evidence.Kinds() {
		kinds = append(kinds, info.Kind)
	}
	return rapid.SampledFrom(kinds)
}

// requireStable reads a value and what came out of it: reading that again, and
// its written form, must change nothing more.
func requireStable(t interface {
	Helper()
	Fatalf(string, ...any)
}, kind evidence.Kind, raw string,
) {
	t.Helper()
	first, v := evidence.ParseValue(kind, raw, options())
	if v != nil {
		return
	}
	again, v := evidence.ParseValue(first.Kind, first.Text, options())
	if v != nil || again.Value != first.Value {
		t.Fatalf("%s %q gives %+q, which gives %+q, %v", kind, raw, first.Value, again.Value, v)
	}
	if again.Facts != nil {
		t.Fatalf("%s %q gives %q, which has facts %v", kind, raw, first.Text, again.Facts)
	}
	if first.Written != "" {
		written, v := evidence.ParseValue(first.Kind, first.Written, options())
		if v != nil || !cmp.Equal(written, first) {
			t.Fatalf("%s %q gives %+q; as written %+q, %v", kind, raw, first, written, v)
		}
	}
}

func TestReadingIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requireStable(t, anyKind().Draw(t, "kind"), rawText().Draw(t, "raw"))
	})
}

func TestNormaliseRuleNameIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rawText().Draw(t, "raw")
		once := evidence.NormaliseRuleName(raw)
		if twice := evidence.NormaliseRuleName(once); twice != once {
			t.Fatalf("%q gives %q, which gives %q", raw, once, twice)
		}
	})
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.IntRange(0, 12), func(d int) time.Time {
		if d == 0 {
			return time.Time{}
		}
		return day(d).In(time.FixedZone("", d*600))
	})
}

// span draws two times in order, each of which may be unknown.
func span(t *rapid.T) (first, last time.Time) {
	first, last = anyTime().Draw(t, "first"), anyTime().Draw(t, "last")
	if !first.IsZero() && !last.IsZero() && last.Before(first) {
		return last, first
	}
	return first, last
}

func anyFacts() *rapid.Generator[[]evidence.Fact] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) evidence.Fact {
		return evidence.Fact{
			Name:       rapid.SampledFrom([]string{"port", "asn"}).Draw(t, "name"),
			Value:      rapid.SampledFrom([]string{"", "443", "a\nb"}).Draw(t, "value"),
			ObservedAt: anyTime().Draw(t, "observed"),
		}
	}), 0, 3)
}

// anyObservable draws from few values in many spellings, so that they meet.
func anyObservable() *rapid.Generator[evidence.Observable] {
	raws := []evidence.Value{
		{Kind: "ip", Text: "1.2.3.4:443"},
		{Kind: "CIDR", Text: "1[.]2[.]3[.]4/32"},
		{Kind: "cidr", Text: "1.2.3.4/24"},
		{Kind: "domain", Text: "Evil[.]com."},
		{Kind: "domain", Text: "mx.evil.com:25"},
		{Kind: "spoof_pair", Text: "evil.com>1.2.3.4"},
		{Kind: "spoof_pair", Text: "evil[.]com -> 1.2.3.99/24"},
		{Kind: "spoof_pair", Text: "Boss@evil.com>mx.evil.com"},
		{Kind: "spoof_pair", Text: "victim.com>evil.com"},
		{Kind: "email", Text: "boss@evil.com"},
		{Kind: "forward_to", Text: "smtp:boss@evil.com"},
		{Kind: "rule_name", Text: "Copy of Spam"},
		{Kind: "rule_name", Text: "SPAM 2"},
		{Kind: "account", Text: "Alex"},
		{Kind: "phone", Text: "+1 202 555 0143"},
		{Kind: "x_own", Text: " own "},
	}
	roles := []string{"login_source", "Spoofed", "sending_infrastructure", "forward_target", "mine", "referenced"}
	return rapid.Custom(func(t *rapid.T) evidence.Observable {
		o := evidence.Observable{
			Value: rapid.SampledFrom(raws).Draw(t, "value"),
			Roles: rapid.SliceOfN(rapid.SampledFrom(roles), 0, 3).Draw(t, "roles"),
			Count: rapid.SampledFrom([]uint32{0, 0, 1, 2, 1 << 31, 1<<32 - 1}).Draw(t, "count"),
			Facts: anyFacts().Draw(t, "facts"),
		}
		o.FirstSeen, o.LastSeen = span(t)
		return o
	})
}

func anyDraft() *rapid.Generator[evidence.Draft] {
	finding := rapid.Custom(func(t *rapid.T) evidence.Finding {
		f := evidence.Finding{
			ID:          rapid.SampledFrom([]string{"", "F1"}).Draw(t, "id"),
			Technique:   rapid.SampledFrom([]string{"", "t1078.004", "T1098"}).Draw(t, "technique"),
			Outcome:     evidence.Outcome(rapid.IntRange(0, 3).Draw(t, "outcome")),
			Count:       rapid.Uint32().Draw(t, "count"),
			Facts:       anyFacts().Draw(t, "facts"),
			Observables: rapid.SliceOfN(anyObservable(), 0, 6).Draw(t, "observables"),
		}
		f.FirstSeen, f.LastSeen = span(t)
		return f
	})
	return rapid.Custom(func(t *rapid.T) evidence.Draft {
		d := evidence.Draft{
			Ref:        evidence.Ref{Tenant: "acme", Case: "C-1"},
			Kind:       rapid.SampledFrom([]string{"", "BEC"}).Draw(t, "kind"),
			State:      evidence.State(rapid.IntRange(0, 3).Draw(t, "state")),
			TLP:        rapid.SampledFrom([]evidence.TLP{"", "white", "TLP:RED"}).Draw(t, "tlp"),
			Restricted: rapid.Bool().Draw(t, "restricted"),
			Labels:     rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom([]string{"", "v"}), 0, 2).Draw(t, "labels"),
			References: rapid.SliceOfN(rapid.SampledFrom([]string{"r", "s"}), 0, 3).Draw(t, "references"),
			Findings:   rapid.SliceOfN(finding, 0, 4).Draw(t, "findings"),
		}
		d.OpenedAt, d.ClosedAt = span(t)
		d.EvidenceFrom, d.EvidenceTo = span(t)
		return d
	})
}

func parseDrawn(t *rapid.T, d evidence.Draft) *evidence.Case {
	c, _, err := evidence.Parse(d, parseOptions())
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

func TestParsedCaseParsesToItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := parseDrawn(t, anyDraft().Draw(t, "draft"))
		again := parseDrawn(t, evidence.Draft(*c))
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("(-once +twice):\n%s", diff)
		}
		if again.ContentHash() != c.ContentHash() {
			t.Fatalf("another hash")
		}
	})
}

func TestOrderOfSubmissionDoesNotCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDraft().Draw(t, "draft")
		c := parseDrawn(t, d)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffle(rng, d.Findings)
		shuffle(rng, d.References)
		for i := range d.Findings {
			f := &d.Findings[i]
			shuffle(rng, f.Facts)
			shuffle(rng, f.Observables)
			for j := range f.Observables {
				shuffle(rng, f.Observables[j].Roles)
				shuffle(rng, f.Observables[j].Facts)
			}
		}
		shuffled := parseDrawn(t, d)
		if shuffled.ContentHash() != c.ContentHash() {
			t.Fatalf("another hash:\n%s", cmp.Diff(c, shuffled))
		}
		if diff := cmp.Diff(c.Profile(), shuffled.Profile()); diff != "" {
			t.Fatalf("another profile:\n%s", diff)
		}
	})
}

func shuffle[T any](rng *rand.Rand, s []T) {
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// A parsed case holds what every other package relies on.
func TestParsedObservablesAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := parseDrawn(t, anyDraft().Draw(t, "draft"))
		for _, f := range c.Findings {
			type spelling struct {
				evidence.Value
				written string
			}
			seen := make(map[spelling]bool)
			for _, o := range f.Observables {
				if s := (spelling{o.Value, o.Written}); seen[s] {
					t.Fatalf("%v stands twice", s)
				} else {
					seen[s] = true
				}
				if len(o.Roles) == 0 {
					t.Fatalf("%v has no role", o.Value)
				}
				for i := 1; i < len(o.Roles); i++ {
					if o.Roles[i-1] >= o.Roles[i] {
						t.Fatalf("%v has roles %v", o.Value, o.Roles)
					}
				}
				if (o.Written != "") != (o.Kind == evidence.KindRuleName) {
					t.Fatalf("%v written %q", o.Value, o.Written)
				}
				if !o.FirstSeen.IsZero() && !o.LastSeen.IsZero() && o.LastSeen.Before(o.FirstSeen) {
					t.Fatalf("%v from %v to %v", o.Value, o.FirstSeen, o.LastSeen)
				}
			}
		}
	})
}
