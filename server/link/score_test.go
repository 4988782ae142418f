package link

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// table is a corpus and a classifier in which everything is injected.
type table struct {
	size    uint32
	tenants map[evidence.Value]uint32 // 2 + d: the pair's own tenants count
	classes map[evidence.Value]Class
	trust   map[string]float64
}

func (c *table) Size() (uint32, error) { return c.size, nil }

func (c *table) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	t := max(2, c.tenants[v])
	return t, t, nil
}

// Representatives names strangers that share nothing but v, so that d is what
// was injected.
func (c *table) Representatives(v evidence.Value) ([]evidence.Ref, error) {
	refs := []evidence.Ref{{Tenant: "a", Case: "1"}, {Tenant: "b", Case: "1"}}
	for i := range max(2, c.tenants[v]) - 2 {
		refs = append(refs, evidence.Ref{Tenant: fmt.Sprintf("stranger-%d", i), Case: "1"})
	}
	return refs, nil
}

func (c *table) CasesOf(evidence.Value, string, int) (int, error) { return 1, nil }

func (c *table) Profile(ref evidence.Ref) (*evidence.Profile, error) {
	return &evidence.Profile{Ref: ref, Live: true}, nil
}

func (c *table) Trust(tenant string) (float64, error) {
	if t, ok := c.trust[tenant]; ok {
		return t, nil
	}
	return 1, nil
}

func (c *table) Class(v evidence.Value) Class { return c.classes[v] }
func (c *table) Version() string              { return "injected" }

func ip(s string) evidence.Value { return evidence.Value{Kind: evidence.KindIP, Text: s} }

func login(values ...evidence.Value) []evidence.Sighting {
	return sightings(evidence.RoleLoginSource, time.Time{}, values...)
}

// day is a date on which sightings are placed when gaps do not matter.
func day(n int) time.Time { return time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func sightings(role string, at time.Time, values ...evidence.Value) []evidence.Sighting {
	if at.IsZero() {
		at = day(0)
	}
	out := make([]evidence.Sighting, len(values))
	for i, v := range values {
		out[i] = evidence.Sighting{Value: v, Roles: []string{role}, First: at, Last: at, Techniques: []string{"T1114.003"}}
	}
	return out
}

// pair returns two cases without behaviour that hold the sightings.
func pair(a, b []evidence.Sighting) (x, y *evidence.Profile) {
	mk := func(tenant string, s []evidence.Sighting) *evidence.Profile {
		s = slices.Clone(s)
		slices.SortFunc(s, func(x, y evidence.Sighting) int { return x.Value.Compare(y.Value) })
		s = append(s, evidence.Derive(s)...)
		slices.SortFunc(s, func(x, y evidence.Sighting) int { return x.Value.Compare(y.Value) })
		return &evidence.Profile{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Live: true, Sightings: s}
	}
	return mk("a", a), mk("b", b)
}

func explain(t *testing.T, c *table, x, y *evidence.Profile) *Explanation {
	t.Helper()
	return explainBy(t, Version1(), c, x, y)
}

func explainBy(t *testing.T, m *Model, c *table, x, y *evidence.Profile) *Explanation {
	t.Helper()
	caps := Caps{CandidateTenants: 64, ExplainingTenants: 4, ExplainingCases: 256, ScoringTenants: 512}
	s, err := NewScorer(m, caps, c, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Explain(x, y)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, e)
	back, err := s.Explain(y, x)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, back); diff != "" {
		t.Errorf("asked the other way round (-a,b +b,a):\n%s", diff)
	}
	return e
}

// checkSums holds an explanation to SCORING.md C12 and C6.
func checkSums(t interface{ Errorf(string, ...any) }, e *Explanation) {
	total := e.Prior + e.Negative
	for _, f := range e.Families {
		raw := int32(0)
		for i, g := range f.Groups {
			used := int32(0)
			for _, v := range g.Values {
				used += v.Used
				if f.Name != Behaviour && (v.Weight < 0 || v.Used < 0) {
					t.Errorf("%s adds %d of %d", v.Text, v.Used, v.Weight)
				}
			}
			if used != g.Used {
				t.Errorf("values of %s add up to %d, the group says %d", g.ID, used, g.Used)
			}
			if f.Name != Behaviour && g.Rank != i+1 {
				t.Errorf("group %s at place %d has rank %d", g.ID, i+1, g.Rank)
			}
			raw += g.Used
		}
		if raw != f.Raw || f.Used != min(f.Raw, f.Cap) {
			t.Errorf("family %s: groups add up to %d, raw %d, cap %d, used %d", f.Name, raw, f.Raw, f.Cap, f.Used)
		}
		total += f.Used
	}
	if total != e.Total {
		t.Errorf("parts add up to %d, total is %d", total, e.Total)
	}
	if e.Micros > 995_000 {
		t.Errorf("likelihood %d millionths is above the ceiling", e.Micros)
	}
}

func near(t *testing.T, what string, got float64, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

const million = 1 << 20

// TestPublishedPair is SCORING.md B1.
func TestPublishedPair(t *testing.T) {
	leased, dedicated, azure := ip("185.241.149.122"), ip("104.161.20.102"), ip("20.232.202.245")
	known := map[evidence.Value]Class{
		leased:    {Name: ClassLeased},
		dedicated: {Name: ClassHosting, Alpha: 1.39},
		azure:     {Name: ClassCloudVM},
	}
	all := login(leased, dedicated, azure)
	names := []evidence.Value{
		{Kind: evidence.KindRuleName, Text: "block spoofing"},
		{Kind: evidence.KindRuleName, Text: "block phishing"},
		{Kind: evidence.KindRuleName, Text: "bypass spam filter"},
		{Kind: evidence.KindRuleName, Text: "display name spoofing"},
	}
	spoofed := evidence.Value{Kind: evidence.KindSpoofPair, Text: "impersonated-email-account.com>botasso.cl"}
	generous := slices.Concat(all, sightings(evidence.RoleCreated, time.Time{}, names...),
		sightings(evidence.RoleAllowListed, time.Time{}, spoofed))
	bec := func(p *evidence.Profile, from, to time.Time, techniques ...string) {
		p.Kind, p.First, p.Last, p.Techniques = "bec", from, to, techniques
		p.EvidenceFrom = time.Date(2022, 11, 22, 0, 0, 0, 0, time.UTC)
		slices.Sort(p.Techniques)
	}
	behave := func(x, y *evidence.Profile) {
		nine := []string{
			"T1078.004", "T1136.003", "T1098", "T1098.002", "T1098.003",
			"T1114.002", "T1114.003", "T1562.001", "T1070.008",
		}
		bec(x, time.Date(2022, 12, 2, 0, 0, 0, 0, time.UTC), time.Date(2023, 2, 22, 0, 0, 0, 0, time.UTC), nine...)
		seven := slices.DeleteFunc(slices.Clone(nine), func(s string) bool { return s == "T1136.003" || s == "T1098.003" })
		bec(y, time.Date(2022, 12, 5, 0, 0, 0, 0, time.UTC), time.Date(2023, 2, 23, 0, 0, 0, 0, time.UTC), seven...)
	}
	theme := func(p *evidence.Profile, name string) {
		p.Sightings = append(p.Sightings, sightings(evidence.RoleCreated, time.Time{}, evidence.Value{Kind: evidence.KindRuleName, Text: name})...)
		slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Value.Compare(y.Value) })
	}
	for _, tc := range []struct {
		name       string
		size       uint32
		a, b       []evidence.Sighting
		classes    map[evidence.Value]Class
		behave     bool
		themed     bool
		bits, p    float64
		infra      float64
		tier       Tier
		tolerance  float64
		pTolerance float64
	}{
		{name: "addresses only", size: 4096, a: all, b: all, classes: known, bits: 4.93, p: .963, infra: 16.93, tier: Strong},
		{name: "addresses only, N 1024", size: 10, a: all, b: all, classes: known, bits: 3.43, p: .911, tier: Probable},
		{name: "addresses only, N a million", size: million, a: all, b: all, classes: known, bits: 6, p: .980, tier: Strong},
		{name: "strict reading", size: 4096, a: all, b: all, classes: known, behave: true, themed: true, bits: 9.93, p: .994, tier: Strong},
		{name: "generous reading", size: 4096, a: generous, b: generous, classes: known, behave: true, bits: 25.93, p: .995, tier: Strong},
		{name: "as testdata, classes unknown", size: 10, a: all, b: all, behave: true, themed: true, bits: 7.41, p: .989, infra: 12.41, tier: Strong},
		{name: "as testdata, classes known", size: 10, a: all, b: all, classes: known, behave: true, themed: true, bits: 8.43, p: .992, tier: Strong},
		{name: "leased alone", size: 4096, a: login(leased), b: login(leased), classes: known, bits: -2, p: .199, tier: Lead},
		{name: "dedicated alone", size: 4096, a: login(dedicated), b: login(dedicated), classes: known, bits: -2.48, p: .152, tier: Lead},
		{name: "azure alone", size: 4096, a: login(azure), b: login(azure), classes: known, bits: -3.32, p: .0905, tier: Lead},
		{name: "azure alone, N a million", size: million, a: login(azure), b: login(azure), classes: known, bits: -3.32, p: .0905, tier: Lead},
		{
			name: "leased a year apart", size: 4096, a: login(leased), b: sightings(evidence.RoleLoginSource, day(365), leased),
			classes: known, bits: -5.02, p: .030, tier: None, tolerance: .1,
		},
		{
			name: "azure half a year apart", size: 4096, a: login(azure), b: sightings(evidence.RoleLoginSource, day(180), azure),
			classes: known, bits: -6.3, p: .012, tier: None, tolerance: .1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x, y := pair(tc.a, tc.b)
			if tc.behave {
				behave(x, y)
			}
			if tc.themed {
				theme(x, "copy of block spoofing")
				theme(y, "block phishing")
			}
			tolerance := tc.tolerance
			if tolerance == 0 {
				tolerance = .006
			}
			for _, m := range models() {
				e := explainBy(t, m, &table{size: tc.size, classes: tc.classes}, x, y)
				near(t, "bits", float64(e.Total)/1000, tc.bits, tolerance)
				near(t, "likelihood", e.Likelihood(), tc.p, .00051)
				if tc.infra != 0 {
					near(t, "infra", float64(e.Families[0].Used)/1000, tc.infra, .006)
				}
				if e.Tier != tc.tier {
					t.Errorf("tier %d, want %d", e.Tier, tc.tier)
				}
			}
		})
	}
}

// many returns n values of which the first are given.
func many(n int, first ...evidence.Value) []evidence.Value {
	for i := len(first); i < n; i++ {
		first = append(first, ip(fmt.Sprintf("60.%d.%d.1", i/250, i%250)))
	}
	return first
}

// TestBoundaryCases is SCORING.md B2. Rows 7 and 8 inject what the model does
// not collect yet.
func TestBoundaryCases(t *testing.T) {
	exchange, vpn := ip("40.107.1.1"), ip("5.5.5.5")
	dedicated := func() (out []evidence.Value) {
		for i := range 8 {
			out = append(out, ip(fmt.Sprintf("70.%d.1.1", i)))
		}
		return out
	}()
	hosting := make(map[evidence.Value]Class)
	for _, v := range dedicated {
		hosting[v] = Class{Name: ClassHosting}
	}
	classes := map[evidence.Value]Class{exchange: {Name: ClassM365Service}, vpn: {Name: ClassVPN}}
	rule := func(name string) []evidence.Sighting {
		return sightings(evidence.RoleCreated, time.Time{}, evidence.Value{Kind: evidence.KindRuleName, Text: name})
	}
	forward := sightings(evidence.RoleForwardTarget, time.Time{}, evidence.Value{Kind: evidence.KindForwardTo, Text: "collect@example.com"})
	for _, tc := range []struct {
		name    string
		size    uint32
		a, b    []evidence.Sighting
		classes map[evidence.Value]Class
		tenants map[evidence.Value]uint32
		trust   float64
		bits, p float64
		tier    Tier
	}{
		{name: "1 exchange online", size: 4096, a: login(exchange), b: login(exchange), bits: -12, p: .0002, tier: SharedGeneric},
		{name: "1 exchange online, a million", size: million, a: login(exchange), b: login(exchange), bits: -20, p: 1e-6, tier: SharedGeneric},
		{name: "2 vpn exit", size: 4096, a: login(vpn), b: login(vpn), tenants: map[evidence.Value]uint32{vpn: 5}, bits: -8.37, p: .003, tier: SharedGeneric},
		{name: "2 vpn exit, a million", size: million, a: login(vpn), b: login(vpn), tenants: map[evidence.Value]uint32{vpn: 302}, bits: -16, p: 1.5e-5, tier: SharedGeneric},
		{name: "3 rule spam", size: 4096, a: rule("spam"), b: rule("spam"), bits: -11.42, p: .0004, tier: None},
		{name: "3b rule dot", size: 4096, a: rule("."), b: rule("."), bits: -10.42, p: .0007, tier: None},
		{name: "5a poisoned case, one address", size: 4096, a: login(dedicated[0]), b: login(many(10_000, dedicated[0])...), bits: -12, p: .0002, tier: None},
		{name: "5a, a million", size: million, a: login(dedicated[0]), b: login(many(10_000, dedicated[0])...), bits: -13.2, p: 1e-4, tier: None},
		{name: "5b poisoned case knows eight", size: 4096, a: login(dedicated...), b: login(many(10_000, dedicated...)...), classes: hosting, bits: -10.6, p: .0007, tier: None},
		{name: "5b, a million", size: million, a: login(dedicated...), b: login(many(10_000, dedicated...)...), classes: hosting, bits: -2.6, p: .14, tier: Lead},
		{name: "5b, a million, trust .1", size: million, a: login(dedicated...), b: login(many(10_000, dedicated...)...), classes: hosting, trust: .1, bits: -9.2, p: .0017, tier: None},
		{name: "5c 512 values", size: 4096, a: login(dedicated...), b: login(many(512, dedicated...)...), bits: -5.84, p: .017, tier: None},
		{name: "5c, a million", size: million, a: login(dedicated...), b: login(many(512, dedicated...)...), bits: -2, p: .20, tier: Lead},
		{name: "6 forward address", size: 4096, a: forward, b: forward, bits: 2, p: .80, tier: Probable},
		{name: "6, a million", size: million, a: forward, b: forward, bits: 2, p: .80, tier: Probable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x, y := pair(tc.a, tc.b)
			if tc.classes == nil {
				tc.classes = classes
			}
			c := &table{size: tc.size, classes: tc.classes, tenants: tc.tenants, trust: map[string]float64{}}
			if tc.trust > 0 {
				c.trust["b"] = tc.trust
			}
			for _, m := range models() {
				e := explainBy(t, m, c, x, y)
				near(t, "bits", float64(e.Total)/1000, tc.bits, .051)
				near(t, "likelihood", e.Likelihood(), tc.p, max(.0051, tc.p*.06))
				if e.Tier != tc.tier {
					t.Errorf("tier %d, want %d", e.Tier, tc.tier)
				}
			}
		})
	}
	t.Run("4 common techniques", func(t *testing.T) {
		x, y := pair(nil, nil)
		for _, p := range []*evidence.Profile{x, y} {
			p.Kind, p.Techniques = "bec", []string{"T1078.004", "T1114.002", "T1114.003"}
		}
		e := explain(t, &table{size: 4096}, x, y)
		near(t, "bits", float64(e.Total)/1000, -12, 0)
		if e.Tier != None {
			t.Errorf("tier %d", e.Tier)
		}
	})
	inject := func(n uint32, parts ...part) (bits, likelihood float64) {
		m := Version1()
		prior := log2Millibits(1 / float64(n))
		total, micros := tallied(m, prior, parts).total(m, prior, 0)
		return float64(total) / 1000, float64(micros) / 1e6
	}
	content := func(n uint32) part {
		r := &row{family: Tooling, m: .3, alpha: .3, halfLife: 365, length: 4}
		return part{family: familyOf(Tooling), group: rulesGroup, weight: weigh(r, r.alpha, 0, 1, 0, n, 1, 1, 0)}
	}
	exit := func(n uint32) part {
		r := Version1().addresses[ClassVPN]
		return part{family: familyOf(Infra), group: "AS1", weight: weigh(r, r.alpha, 0, 1, 0, n, 1, 1, 0)}
	}
	for _, tc := range []struct {
		n       uint32
		bits, p float64
	}{{4096, 3.77, .927}, {million, 4, .936}} {
		bits, p := inject(tc.n, content(tc.n), exit(tc.n))
		near(t, "7 rule content and a vpn exit, bits", bits, tc.bits, .006)
		near(t, "7 rule content and a vpn exit, likelihood", p, tc.p, .0006)
	}
	for _, tc := range []struct {
		n    uint32
		bits float64
	}{{4096, -9}, {million, -17}} {
		r := &row{family: Infra, m: .5, alpha: 1, halfLife: 180, cap: 3000, length: 4}
		bits, _ := inject(tc.n, part{family: familyOf(Infra), group: "AS1", weight: weigh(r, r.alpha, 0, 1, 0, tc.n, 1, 1, 0)})
		near(t, "8 same AS, bits", bits, tc.bits, .001)
	}
}

func (c *table) Outline(ref evidence.Ref) (*evidence.Profile, error) { return c.Profile(ref) }

func (c *table) Overlap(ref evidence.Ref, _ *evidence.Profile) (*evidence.Profile, error) {
	return c.Profile(ref)
}

// TestReadings holds readings of values that worked examples do not have.
func TestReadings(t *testing.T) {
	value := func(kind evidence.Kind, text string) evidence.Value { return evidence.Value{Kind: kind, Text: text} }
	classes := map[evidence.Value]Class{
		value(evidence.KindURL, "https://login.microsoftonline.com/common"): {Name: ClassService},
		value(evidence.KindURL, "http://192.168.1.1/admin"):                 {Name: ClassBogon},
		value(evidence.KindEmail, "no-reply@microsoft.com"):                 {Name: ClassService},
		value(evidence.KindEmail, "somebody@gmail.com"):                     {Name: ClassFreemail},
		value(evidence.KindForwardTo, "gmail.com"):                          {Name: ClassFreemail},
		value(evidence.KindSpoofPair, "brand.example>emailsrvr.com"):        {Name: ClassMailProvider},
		value(evidence.KindCIDR, "40.92.0.0/15"):                            {Name: ClassM365Service},
	}
	created := func(v ...evidence.Value) []evidence.Sighting {
		return sightings(evidence.RoleCreated, time.Time{}, v...)
	}
	spoofed := func(v ...evidence.Value) []evidence.Sighting {
		return sightings(evidence.RoleSpoofed, time.Time{}, v...)
	}
	name := func(text string) evidence.Value { return value(evidence.KindRuleName, text) }
	other := func(n int) (out []evidence.Sighting) {
		for i := range n {
			out = append(out, created(value(evidence.KindAccount, fmt.Sprint(i)))...)
		}
		return out
	}
	five := login(ip("70.1.1.1"), ip("70.2.1.1"), ip("70.3.1.1"), ip("70.4.1.1"), ip("70.5.1.1"))
	for _, tc := range []struct {
		what string
		a, b []evidence.Sighting
		bits float64 // without the prior
		tier Tier
	}{
		{"url on a service", created(value(evidence.KindURL, "https://login.microsoftonline.com/common")), nil, 3, SharedGeneric},
		{"url on a private address", created(value(evidence.KindURL, "http://192.168.1.1/admin")), nil, 0, SharedGeneric},
		{"url", created(value(evidence.KindURL, "https://evil.example/a")), nil, 11, Possible},
		{"address of a service", created(value(evidence.KindEmail, "no-reply@microsoft.com")), nil, 0, SharedGeneric},
		{"address at freemail", created(value(evidence.KindEmail, "somebody@gmail.com")), nil, 12, Probable},
		{"spoofed address", spoofed(value(evidence.KindEmail, "ceo@brand.example")), nil, 6.09, Lead},
		{"spoofed domain", spoofed(value(evidence.KindDomain, "brand.example")), nil, 6.09, Lead},
		{"brand here, sender there", spoofed(value(evidence.KindDomain, "brand.example")), created(value(evidence.KindDomain, "brand.example")), 6.09, Lead},
		{"forward domain at freemail", created(value(evidence.KindForwardTo, "gmail.com")), nil, 0, SharedGeneric},
		{"forward domain", created(value(evidence.KindForwardTo, "collect.example")), nil, 6.68, Lead},
		{"spoof pair", created(value(evidence.KindSpoofPair, "brand.example>evil.example")), nil, 10, Possible},
		{"spoof pair by a mail provider", created(value(evidence.KindSpoofPair, "brand.example>emailsrvr.com")), nil, 6.09, Lead},
		{"range of a service", created(value(evidence.KindCIDR, "40.92.0.0/15")), nil, 0, SharedGeneric},
		{"redaction and a common name", created(name("⟨R⟩ inbox")), nil, 2.58, None},
		{"redaction and two letters", created(name("⟨R⟩ re")), nil, 2.58, None},
		{"redaction alone", created(name("⟨R⟩")), nil, 0, None},
		{"theme", created(name("block spoofing")), created(name("display name spoofing")), 2, None},
		{"theme and a dot", created(name("block spoofing"), name(".")), created(name("display name spoofing"), name(".")), 2.79, None},
		{"five addresses", five, nil, 13.74, Probable},
		{"five addresses and many accounts", append(other(80), five...), five, 13.74, Probable},
	} {
		if tc.b == nil {
			tc.b = tc.a
		}
		x, y := pair(tc.a, tc.b)
		e := explain(t, &table{size: 10, classes: classes}, x, y)
		near(t, tc.what, float64(e.Total)/1000+10, tc.bits, .01)
		if e.Tier != tc.tier {
			t.Errorf("%s: tier %d, want %d", tc.what, e.Tier, tc.tier)
		}
	}
	// Only what is a part of the pair is counted there.
	both := created(value(evidence.KindSpoofPair, "brand.example>evil.example"), value(evidence.KindDomain, "evil.example"),
		name("evil.example"), value(evidence.KindForwardTo, "evil.example"))
	x, y := pair(both, both)
	e := explain(t, &table{size: 10}, x, y)
	if len(e.Generic) != 1 || e.Generic[0].Kind != evidence.KindDomain {
		t.Errorf("counted elsewhere: %v", e.Generic)
	}
	// Addresses listed for reference do not dilute the ones that were used.
	var listed []evidence.Value
	for i := range 30 {
		listed = append(listed, ip(fmt.Sprintf("80.%d.1.1", i)))
	}
	x, y = pair(login(ip("70.1.1.1")), slices.Concat(login(ip("70.1.1.1")), sightings(evidence.RoleReferenced, time.Time{}, listed...)))
	near(t, "with addresses for reference", float64(explain(t, &table{size: 10}, x, y).Total)/1000, -2.907, .001)
	// An old sighting says so.
	x, y = pair(login(ip("70.1.1.1")), sightings(evidence.RoleLoginSource, day(6939), ip("70.1.1.1")))
	e = explain(t, &table{size: 10}, x, y)
	if len(e.Generic) != 1 || e.Generic[0].Reason != "6939 days between the sightings leave nothing" {
		t.Errorf("19 years apart: %v", e.Generic)
	}
}
