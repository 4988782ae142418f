package link

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// models are all that are part of the program.
func models() []*Model { return builtIns() }

// TestAlike is the table of worked examples of what version 2 adds, at N = 4,096
// (a prior of -12). A row of m .3 and alpha a gives log2(.3*4096/a): 10.26 bits for
// a = 1 and 12 for a = .3.
func TestAlike(t *testing.T) {
	const n = 4096
	value := func(kind evidence.Kind, text string) evidence.Value { return evidence.Value{Kind: kind, Text: text} }
	created := func(kind evidence.Kind, texts ...string) (out []evidence.Sighting) {
		for _, text := range texts {
			out = append(out, sightings(evidence.RoleCreated, time.Time{}, value(kind, text))...)
		}
		return out
	}
	name := func(texts ...string) []evidence.Sighting { return created(evidence.KindRuleName, texts...) }
	words := func(texts ...string) []evidence.Sighting { return created(evidence.KindRuleWords, texts...) }
	host := func(texts ...string) []evidence.Sighting { return created(evidence.KindHostname, texts...) }
	logins := func(texts ...string) (out []evidence.Sighting) {
		for _, text := range texts {
			out = append(out, login(ip(text))...)
		}
		return out
	}
	many := func(n int) (out []evidence.Sighting) {
		for i := range n {
			out = append(out, logins(fmt.Sprintf("70.1.%d.1", i))...)
		}
		return out
	}
	spoofed := func(text string) []evidence.Sighting {
		return sightings(evidence.RoleSpoofed, time.Time{}, value(evidence.KindDomain, text))
	}
	mobile := Class{Name: ClassMobile}
	for _, tc := range []struct {
		name    string
		a, b    []evidence.Sighting
		classes map[evidence.Value]Class
		bits    float64
		p       float64
		tier    Tier
		reason  string // of the one piece of evidence
	}{
		// .8 of 10.26 is 8.21; all names together 6.
		{"the same words", name("archive to invoice"), name("invoice - to archive"), nil, -6, .0153, None, `the same words as "invoice - to archive"`},
		// .5 of log2(.3*4096/2) = 9.26, since the injected corpus has every value in two
		// tenants, of which one is not the pair's; 14 of 19 runs of three.
		{"nearly the same letters", name("invoice to archive"), name("invoices to archive"), nil, -7.368, .0060, None, "14 of 19 runs"},
		// 12 of 22 runs are fewer than .7.
		{"other letters", name("invoice to archive"), name("invoicing archive"), nil, -12, .0002, None, ""},
		// Two words of the lexicon: .8 of log2(.3/.01), and no theme.
		{"the same words of security", name("block spoofing"), name("spoofing: block"), nil, -8.07, .0037, None, "the same words"},
		// Names of which one is common to many: .5 of log2(.3/.2), and the theme.
		{"nearly spam", name("spam"), name("spams"), nil, -12, .0002, None, ""},
		// What was redacted is not alike.
		{"redacted", name("⟨R⟩ to archive"), name("archive to ⟨R⟩"), nil, -12, .0002, None, ""},
		// An exact match is no match with a second name as well: 10.26 capped to 6.
		{"each name once", name("archive to invoice"), name("archive to invoice", "invoice to archive"), nil, -6, .0153, None, ""},
		// 12, and tooling never above 50 %.
		{"the same keywords", words("alpha beta gamma"), words("alpha beta gamma"), nil, 0, .4975, Possible, ""},
		{"nearly the same keywords", words("alpha beta gamma delta"), words("alpha beta gamma"), nil, 0, .4975, Possible, `nearly the same keywords as "alpha beta gamma": 3 of 4`},
		{"the same but for ordinary keywords", words("alpha beta invoice"), words("alpha beta payment"), nil, 0, .4975, Possible, "2 of 2"},
		// Both look for something, and not for the same.
		{"other keywords", words("alpha beta gamma"), words("eta theta zeta"), nil, -12.5, .0002, None, ""},
		{"ordinary keywords only", words("invoice payment"), words("invoice payment"), nil, -12, .0002, None, ""},
		{"one keyword", words("alpha invoice"), words("alpha invoice"), nil, -12, .0002, None, ""},
		// 12 and 6, of which the lesser halves; capped to 12.
		{"keywords and a name", append(words("alpha beta gamma"), name("archive to invoice")...), append(words("alpha beta gamma"), name("archive to invoice")...), nil, 0, .4975, Possible, ""},
		// log2(.2*4096/3) = 8.09, capped to 4.
		{"one domain", host("a.evil.example"), host("b.evil.example"), nil, -8, .0039, None, "a.evil.example and b.evil.example are under one domain"},
		{"one suffix of a hoster", host("a.github.io"), host("b.github.io"), nil, -12, .0002, None, ""},
		{
			"one domain of dynamic names", host("a.evil.example"), host("b.evil.example"),
			map[evidence.Value]Class{value(evidence.KindHostname, "b.evil.example"): {Name: ClassDynamicDNS}},
			-12, .0002, None, "",
		},
		{
			"a name that was only spoofed", host("a.brand.example"),
			sightings(evidence.RoleSpoofed, time.Time{}, value(evidence.KindHostname, "b.brand.example")), nil, -12, .0002, None, "",
		},
		// The same host counts 13 bits, and its domain not once more.
		{"the same host and another", host("a.evil.example"), host("a.evil.example", "b.evil.example"), nil, 1, .6633, Possible, ""},
		// log2(.3/.05) and log2(.3/.01), however few have the very one; 10.26 for one of
		// no common nature.
		{"a user agent of a library", created(evidence.KindUserAgent, "python-requests/2.31.0"), created(evidence.KindUserAgent, "python-requests/2.31.0"), nil, -9.415, .0015, None, ""},
		{"a user agent of a browser", created(evidence.KindUserAgent, "Mozilla/5.0 (X11)"), created(evidence.KindUserAgent, "Mozilla/5.0 (X11)"), nil, -7.093, .0072, None, ""},
		{"a user agent of somebody", created(evidence.KindUserAgent, "sender/1"), created(evidence.KindUserAgent, "sender/1"), nil, -1.737, .2296, Lead, ""},
		// 13 + 6.5 + 4.5 of three families' worth, and together no more than 10: the
		// case lists 65 addresses.
		{
			"names in a case that is a list", append(append(many(65), host("a.one.example", "b.two.example")...), spoofed("three.example")...),
			append(host("a.one.example", "b.two.example"), spoofed("three.example")...), nil, -2, .199, Lead, "",
		},
		// log2(.3*4096) = 10.26, capped to 3.
		{"one network", logins("70.1.1.1"), logins("70.1.1.9"), nil, -9, .0019, None, "70.1.1.1 and 70.1.1.9 are different addresses of one network"},
		{"one network of version 6", logins("2001:db8:1:2::1"), logins("2001:db8:1:9::1"), nil, -9, .0019, None, "one network"},
		{"an address in a network of the other", logins("70.1.1.1"), sightings(evidence.RoleAllowListed, time.Time{}, value(evidence.KindCIDR, "70.1.1.0/24")), nil, -9, .0019, None, "one network"},
		{"an address in a wide network of the other", logins("70.1.1.1"), sightings(evidence.RoleAllowListed, time.Time{}, value(evidence.KindCIDR, "70.1.0.0/16")), nil, -12, .0002, None, ""},
		{"one network of a carrier", logins("70.1.1.1"), logins("70.1.1.9"), map[evidence.Value]Class{ip("70.1.1.9"): mobile}, -12, .0002, None, ""},
		// Three pairs in one network are one.
		{"one network, often", logins("70.1.1.1", "70.1.1.2"), logins("70.1.1.9", "70.1.1.8"), nil, -9, .0019, None, "70.1.1.1 and 70.1.1.8"},
		// The same address counts log2(.2*4096/1.5) = 9.09, and its network not once more.
		{"the same address and another", logins("70.1.1.1"), logins("70.1.1.1", "70.1.1.9"), nil, -2.907, .1171, Lead, ""},
		{"three addresses, none in common", logins("70.1.1.1", "70.2.1.1", "70.3.1.1"), logins("70.4.1.1", "70.5.1.1", "70.6.1.1"), nil, -12.5, .0002, None, ""},
		{"two addresses, none in common", logins("70.1.1.1", "70.2.1.1"), logins("70.4.1.1", "70.5.1.1", "70.6.1.1"), nil, -12, .0002, None, ""},
		{
			"three addresses, one of a carrier", logins("70.1.1.1", "70.2.1.1", "70.3.1.1"), logins("70.4.1.1", "70.5.1.1", "70.6.1.1"),
			map[evidence.Value]Class{ip("70.3.1.1"): mobile},
			-12, .0002, None, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x, y := pair(tc.a, tc.b)
			e := explainBy(t, Version2(), &table{size: n, classes: tc.classes}, x, y)
			near(t, "bits", float64(e.Total)/1000, tc.bits, .006)
			near(t, "likelihood", e.Likelihood(), tc.p, .00006)
			if e.Tier != tc.tier {
				t.Errorf("tier %d, want %d", e.Tier, tc.tier)
			}
			var reasons []string
			for _, f := range e.Families {
				for _, g := range f.Groups {
					for _, v := range g.Values {
						reasons = append(reasons, v.Reasons...)
					}
				}
			}
			if all := strings.Join(reasons, "\n"); !strings.Contains(all, tc.reason) || tc.reason == "" && strings.Contains(all, " as \"") {
				t.Errorf("reasons %q, want one with %q", all, tc.reason)
			}
			if v1 := explain(t, &table{size: n, classes: tc.classes}, x, y); v1.Negative != 0 || strings.Contains(fmt.Sprint(v1), "nearly") {
				t.Errorf("version 1: %+v", v1)
			}
		})
	}
}

// TestNearIsNoGroup holds that what is near makes no link strong: it is no second
// group of evidence.
func TestNearIsNoGroup(t *testing.T) {
	forward := sightings(evidence.RoleForwardTarget, time.Time{}, evidence.Value{Kind: evidence.KindForwardTo, Text: "collect@example.com"},
		evidence.Value{Kind: evidence.KindForwardTo, Text: "more@example.com"})
	x, y := pair(append(login(ip("70.1.1.1")), forward...), append(login(ip("70.1.1.2")), forward...))
	for _, p := range []*evidence.Profile{x, y} {
		p.First, p.Last = day(0), day(1)
	}
	e := explainBy(t, Version2(), &table{size: 10}, x, y)
	if e.Micros < 950_000 || e.Tier != Probable {
		t.Errorf("%d millionths, tier %d", e.Micros, e.Tier)
	}
}

// TestAlikeAndOthers is SCORING.md C5 and C8 for what is alike: the case of a further
// tenant never raises a score, however it is alike to the cases of the pair. (A second
// case of one tenant may: it can explain the first, as in version 1.)
func TestAlikeAndOthers(t *testing.T) {
	names := []string{"archive to invoice", "invoice to archive", "invoices to archive", "invoice to archives", "block spoofing", "spoofing: block", "mine"}
	words := []string{"alpha beta gamma", "alpha beta gamma delta", "alpha beta gamma delta epsilon", "eta theta zeta", "eta iota theta zeta"}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{table: table{size: 4096, classes: make(map[evidence.Value]Class)}}
		w.caps = Caps{CandidateTenants: 6, ExplainingTenants: 2, ExplainingCases: 12, ScoringTenants: 8}
		draw := func(tenant string, i int) *evidence.Profile {
			p := &evidence.Profile{Live: true, Ref: evidence.Ref{Tenant: tenant, Case: fmt.Sprint(i)}}
			add := func(kind evidence.Kind, from []string, most int) {
				for _, text := range rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, most, rapid.ID).Draw(t, string(kind)) {
					p.Sightings = append(p.Sightings, sightings(evidence.RoleLoginSource, time.Time{}, evidence.Value{Kind: kind, Text: text})...)
				}
			}
			add(evidence.KindRuleName, names, 3)
			add(evidence.KindRuleWords, words, 2)
			add(evidence.KindIP, []string{"70.1.1.1", "70.1.1.2", "70.2.1.1", "70.2.1.2", "70.3.1.1", "70.4.1.1"}, 4)
			slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Compare(y.Value) })
			p.Sightings = append(p.Sightings, evidence.Derive(p.Sightings)...)
			slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Compare(y.Value) })
			return p
		}
		a, b := draw("a", 0), draw("b", 0)
		w.cases = []*evidence.Profile{a, b}
		score := func() *Explanation {
			s, err := NewScorer(Version2(), w.caps, w, w, nil)
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.Explain(a, b)
			if err != nil {
				t.Fatal(err)
			}
			checkSums(t, e)
			return e
		}
		before := score()
		for i := range rapid.IntRange(1, 10).Draw(t, "others") {
			w.cases = append(w.cases, draw(fmt.Sprint("t", i), i))
			after := score()
			if after.Total > before.Total {
				t.Fatalf("a case of a third tenant raises %d to %d", before.Total, after.Total)
			}
			before = after
		}
	})
}

// TestRulesAreMonotone holds that more or heavier evidence of mail rules never lowers
// what it adds, but for what rounding takes.
func TestRulesAreMonotone(t *testing.T) {
	m := Version2()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(i int) part {
			kind := rapid.SampledFrom([]evidence.Kind{evidence.KindRuleName, evidence.KindRuleWords}).Draw(t, "kind")
			return part{
				family: familyOf(Tooling), group: rulesGroup, weight: rapid.Int32Range(1, 12_000).Draw(t, "weight"),
				value: evidence.Value{Kind: kind, Text: fmt.Sprint(i)},
			}
		}
		var parts []part
		for i := range rapid.IntRange(1, 8).Draw(t, "parts") {
			parts = append(parts, draw(i))
		}
		const prior = -30_000 // no cap of the family
		used := func(parts []part) int32 { return tallied(m, prior, parts).sums[familyOf(Tooling)].used }
		before := used(parts)
		heavier := slices.Clone(parts)
		heavier[rapid.IntRange(0, len(parts)-1).Draw(t, "which")].weight += rapid.Int32Range(0, 9000).Draw(t, "more")
		slack := int32(2 * len(parts))
		if after := used(heavier); after < before-slack {
			t.Errorf("heavier evidence lowers %d to %d", before, after)
		}
		if after := used(append(parts, draw(len(parts)))); after < before-slack {
			t.Errorf("more evidence lowers %d to %d", before, after)
		}
	})
}

func TestWithout(t *testing.T) {
	for _, feature := range Features() {
		for _, m := range models() {
			less, err := m.Without(feature)
			if err != nil {
				t.Fatal(err)
			}
			if less.Version() != m.Version() {
				t.Errorf("without %s: version %d", feature, less.Version())
			}
		}
	}
	if _, err := Version2().Without("nonsense"); err == nil {
		t.Error("nonsense can be left out")
	}
	// Each part matters to some pair of a city.
	c := newCities()
	whole := c.scores(t, Version2())
	for _, feature := range Features() {
		m, err := Version2().Without(feature)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(whole, c.scores(t, m)) {
			t.Errorf("no score differs without %s", feature)
		}
	}
	if !slices.Equal(whole, c.scores(t, Version2())) {
		t.Error("leaving parts out has changed the model itself")
	}
}

// cities are made-up cases.
type cities []*city

func newCities() (out cities) {
	for seed := range uint64(6) {
		out = append(out, buildCity(rand.New(rand.NewPCG(seed, 1))))
	}
	return out
}

// scores are those of all pairs, in order.
func (all cities) scores(t *testing.T, m *Model) (out []int32) {
	t.Helper()
	for _, c := range all {
		s, err := NewScorer(m, Caps{8, 2, 12, 14}, &capped{c, 8}, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range c.cases {
			for _, b := range c.cases[i+1:] {
				o, err := s.Score(a, b)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, o.Millibits)
			}
		}
	}
	return out
}
