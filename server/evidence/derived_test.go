package evidence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// TestDerivedIsPinned: stores hold these values, so another outcome is another layout.
func TestDerivedIsPinned(t *testing.T) {
	p := mustParse(t, evidence.Draft{
		Ref: evidence.Ref{Tenant: "acme", Case: "1"},
		Findings: []evidence.Finding{
			{FirstSeen: day(1), LastSeen: day(2), Observables: []evidence.Observable{value("rule_name", "Block Spoofing", "created")}},
			{FirstSeen: day(4), LastSeen: day(5), Observables: []evidence.Observable{
				value("rule_name", "spoofing -- block!", "allow_listed"), value("rule_name", "Spam"), value("rule_words", "beta invoice alpha"),
			}},
		},
	}).Profile()
	var got []string
	for _, s := range p.Sightings {
		if s.Kind.Derived() {
			got = append(got, fmt.Sprintf("%s %s %s %v", s.Kind, s.Text, strings.Join(s.Roles, "+"), s.First.Equal(day(1)) && s.Last.Equal(day(5))))
		}
	}
	want := []string{
		"rule_band 0ef55d1d677f820eb4 referenced false",
		"rule_band 0f211c6a07ef874f24 referenced false",
		"rule_tokens gKk8kwgkoPxTK7Pm allow_listed+created true",
	}
	if diff := cmp.Diff(want, got[max(0, len(got)-3):]); diff != "" {
		t.Errorf("derived (-want +got):\n%s", diff)
	}
	if len(got) != evidence.RuleBands+1 {
		t.Errorf("%d derived values", len(got))
	}
	if !slices.IsSortedFunc(p.Sightings, func(a, b evidence.Sighting) int { return a.Compare(b.Value) }) {
		t.Error("not in order")
	}
}

// TestDerivedStaysInside: nobody can submit, search for or list a derived value.
func TestDerivedStaysInside(t *testing.T) {
	for _, k := range []evidence.Kind{evidence.KindRuleBand, evidence.KindRuleTokens} {
		if !k.Derived() {
			t.Errorf("%s is not derived", k)
		}
		if _, violation := evidence.ParseValue(k, "0011", evidence.Options{}); violation == nil {
			t.Errorf("a %s can be asked for", k)
		}
		if _, ok := evidence.KindVisibility(k); ok {
			t.Errorf("%s has a visibility", k)
		}
		if slices.ContainsFunc(evidence.Kinds(), func(i evidence.KindInfo) bool { return i.Kind == k }) {
			t.Errorf("%s is in the registry", k)
		}
	}
	for _, i := range evidence.Kinds() {
		if i.Kind.Derived() {
			t.Errorf("%s is derived", i.Kind)
		}
	}
}

func TestRuleTokens(t *testing.T) {
	name := func(text string, written ...string) *evidence.Sighting {
		return &evidence.Sighting{Value: evidence.Value{Kind: evidence.KindRuleName, Text: text}, Written: written}
	}
	base, ok := evidence.RuleTokens(name("block spoofing", "Block Spoofing"))
	if !ok {
		t.Fatal("no words")
	}
	for _, same := range []*evidence.Sighting{
		name("spoofing block"), name("block - spoofing!"), name("block block spoofing"), name("blockspoofing", "blockspoofing", "BlockSpoofing"),
	} {
		if got, _ := evidence.RuleTokens(same); got != base {
			t.Errorf("%q has other words", same.Text)
		}
	}
	for _, other := range []*evidence.Sighting{name("block"), name("..."), name("block spoof"), name("⟨R⟩ block spoofing"), name("blockspoofing")} {
		if got, _ := evidence.RuleTokens(other); got == base {
			t.Errorf("%q has the same words", other.Text)
		}
	}
}

// TestBands holds the chance that two sets have a band in common to what MinHash
// promises, and that equal sets have all of them.
func TestBands(t *testing.T) {
	set := func(from, to int, salt string) string {
		var words []string
		for i := from; i < to; i++ {
			words = append(words, fmt.Sprintf("w%s%d", salt, i))
		}
		return strings.Join(words, " ")
	}
	share := func(both int) float64 { // of sets of 12 words each
		met := 0
		for i := range 2000 {
			salt := fmt.Sprint("s", i, "x")
			x, _ := evidence.ReadRuleContent(set(0, 12, salt))
			y, _ := evidence.ReadRuleContent(set(12-both, 24-both, salt))
			n, all := x.Overlap(&y)
			if n != both || all != 24-both {
				t.Fatalf("%d of %d words in common, want %d of %d", n, all, both, 24-both)
			}
			for b := range x.Bands {
				if x.Bands[b] == y.Bands[b] {
					met++
					break
				}
			}
		}
		return float64(met) / 2000
	}
	for both, want := range map[int]float64{12: 1, 10: .9998, 9: .893, 4: .025, 0: 0} {
		if got := share(both); got < want-.015 || got > want+.015 {
			t.Errorf("%d of %d words in common: a band with the chance %.3f, want %.3f", both, 24-both, got, want)
		}
	}
}

// TestDeriveIsBounded draws huge cases.
func TestDeriveIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names, contents := rapid.IntRange(0, 200).Draw(t, "names"), rapid.IntRange(0, 200).Draw(t, "contents")
		var sightings []evidence.Sighting
		for i := range names {
			sightings = append(sightings, evidence.Sighting{Value: evidence.Value{Kind: evidence.KindRuleName, Text: fmt.Sprintf("a%c b%c", 'a'+i%26, 'a'+i/26)}, Roles: []string{"created"}})
		}
		for i := range contents {
			sightings = append(sightings, evidence.Sighting{Value: evidence.Value{Kind: evidence.KindRuleWords, Text: fmt.Sprint("alpha beta w", i)}, Roles: []string{"created"}})
		}
		slices.SortFunc(sightings, func(a, b evidence.Sighting) int { return a.Compare(b.Value) })
		derived := evidence.Derive(sightings)
		if len(derived) > evidence.MaxAlikeNames+evidence.MaxAlikeContents*evidence.RuleBands {
			t.Errorf("%d derived values of %d names and %d contents", len(derived), names, contents)
		}
		// Doing it again changes nothing.
		all := append(slices.Clone(sightings), derived...)
		slices.SortFunc(all, func(a, b evidence.Sighting) int { return a.Compare(b.Value) })
		if diff := cmp.Diff(derived, evidence.Derive(all)); diff != "" {
			t.Errorf("derived again (-once +twice):\n%s", diff)
		}
	})
}
