package enrich_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/enrich"
)

func TestDecide(t *testing.T) {
	day := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	sets := func(class, source string) enrich.Claim {
		return enrich.Claim{Class: class, Source: source, Entry: "e", DataDate: day}
	}
	backs := enrich.Claim{Effect: enrich.Backs, Class: enrich.ClassHosting, Source: "abuse"}
	grades := enrich.Claim{Effect: enrich.Grades, Class: enrich.ClassVPN, Grade: .25, Source: "list", Entry: "104.161.16.0/20"}
	double := enrich.Claim{Effect: enrich.Multiplies, Factor: 2, Source: "abuse", Entry: "many"}
	for name, c := range map[string]struct {
		claims []enrich.Claim
		want   enrich.Class
	}{
		"nothing": {nil, enrich.Class{Name: "unknown"}},
		"precedence": {
			[]enrich.Claim{sets("hosting", "asn"), sets("leased", "abuse"), sets("cloud_vm", "azure")},
			enrich.Class{Name: "cloud_vm", Reasons: []string{"azure 2026-08-01: e", "abuse 2026-08-01: e", "asn 2026-08-01: e"}},
		},
		"a backing claim gives way to any that sets": {
			[]enrich.Claim{backs, sets("business", "asn")},
			enrich.Class{Name: "business", Reasons: []string{"asn 2026-08-01: e", "abuse (only backs the class)"}},
		},
		"and counts alone": {
			[]enrich.Claim{backs},
			enrich.Class{Name: "hosting", Reasons: []string{"abuse (only backs the class)"}},
		},
		"a list never sets a class": {
			[]enrich.Claim{grades, double},
			enrich.Class{
				Name: "unknown", Grades: []enrich.Claim{grades}, Factor: 2,
				Reasons: []string{"list: 104.161.16.0/20 (grades towards vpn, 0.25)", "abuse: many (alpha times 2)"},
			},
		},
		"said twice counts once": {
			[]enrich.Claim{sets("tor", "list"), sets("tor", "list")},
			enrich.Class{Name: "tor", Reasons: []string{"list 2026-08-01: e"}},
		},
		"a class of our own comes after the known": {
			[]enrich.Claim{sets("x_own", "ours"), sets("hosting", "asn")},
			enrich.Class{Name: "hosting", Reasons: []string{"asn 2026-08-01: e", "ours 2026-08-01: e"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, enrich.Decide(c.claims...)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecideDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := rapid.SliceOfN(drawClaim(), 0, 6).Draw(t, "claims")
		before := enrich.Decide(claims...)
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		after := enrich.Decide(claims...)
		if d := cmp.Diff(before, after); d != "" {
			t.Error(d)
		}
		if enrich.Changed(before, after) {
			t.Error("the order changed the class")
		}
	})
}

func drawClaim() *rapid.Generator[enrich.Claim] {
	return rapid.Custom(func(t *rapid.T) enrich.Claim {
		return enrich.Claim{
			Effect: rapid.SampledFrom([]enrich.Effect{enrich.Sets, enrich.Backs, enrich.Grades, enrich.Multiplies}).Draw(t, "effect"),
			Class:  rapid.SampledFrom([]string{"", "unknown", "hosting", "vpn", "tor", "x_own"}).Draw(t, "class"),
			Grade:  rapid.SampledFrom([]float64{0, .25, 1}).Draw(t, "grade"),
			Factor: rapid.SampledFrom([]float64{1, 2}).Draw(t, "factor"),
			Source: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source"),
			Entry:  rapid.SampledFrom([]string{"", "e"}).Draw(t, "entry"),
		}
	})
}

func TestChanged(t *testing.T) {
	vpn := enrich.Claim{Effect: enrich.Grades, Class: "vpn", Grade: .25, Source: "a", DataDate: time.Unix(1, 0)}
	other := vpn
	other.Source, other.DataDate = "b", time.Unix(2, 0)
	far := vpn
	far.Grade = 1
	for name, c := range map[string]struct {
		a, b enrich.Class
		want bool
	}{
		"unset is unknown":   {enrich.Class{}, enrich.Class{Name: "unknown"}, false},
		"reasons alone":      {enrich.Class{Name: "tor", Reasons: []string{"a"}}, enrich.Class{Name: "tor"}, false},
		"no factor is one":   {enrich.Class{}, enrich.Class{Factor: 1}, false},
		"the source alone":   {enrich.Class{Grades: []enrich.Claim{vpn}}, enrich.Class{Grades: []enrich.Claim{other}}, false},
		"said by two":        {enrich.Class{Grades: []enrich.Claim{vpn}}, enrich.Class{Grades: []enrich.Claim{vpn, other}}, false},
		"the name":           {enrich.Class{Name: "tor"}, enrich.Class{Name: "vpn"}, true},
		"the factor":         {enrich.Class{}, enrich.Class{Factor: 2}, true},
		"the grade":          {enrich.Class{Grades: []enrich.Claim{vpn}}, enrich.Class{Grades: []enrich.Claim{far}}, true},
		"a grade that ended": {enrich.Class{Grades: []enrich.Claim{vpn}}, enrich.Class{}, true},
	} {
		if got := enrich.Changed(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := enrich.Changed(c.b, c.a); got != c.want {
			t.Errorf("%s, the other way: %v", name, got)
		}
	}
}
