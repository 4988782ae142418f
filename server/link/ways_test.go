package link

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// city is a corpus of made-up cases with values of many kinds, indexed so that
// large ones are quick.
type city struct {
	size  uint32
	cases []*evidence.Profile // in order of Ref
	by    map[evidence.Ref]*evidence.Profile
	on    map[evidence.Value][]*evidence.Profile // live, in order of Ref
}

func (c *city) Size() (uint32, error) { return c.size, nil }

func (c *city) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	names := make(map[string]bool)
	for _, p := range c.on[v] {
		names[p.Tenant] = true
	}
	return uint32(len(names)), uint32(len(c.on[v])), nil
}

func (c *city) Representatives(v evidence.Value) (refs []evidence.Ref, err error) {
	on := slices.Clone(c.on[v])
	last := func(p *evidence.Profile) time.Time {
		i := slices.IndexFunc(p.Sightings, func(s evidence.Sighting) bool { return s.Value == v })
		return p.Sightings[i].Last
	}
	slices.SortStableFunc(on, func(x, y *evidence.Profile) int {
		if x.Tenant != y.Tenant {
			return x.Compare(y.Ref)
		}
		return last(y).Compare(last(x))
	})
	of := make(map[string]int)
	for _, p := range on {
		if of[p.Tenant]++; of[p.Tenant] <= maxRepresentatives {
			refs = append(refs, p.Ref)
		}
	}
	return refs, nil
}

func (c *city) CasesOf(v evidence.Value, tenant string, limit int) (n int, err error) {
	for _, p := range c.on[v] {
		if p.Tenant == tenant && n < limit {
			n++
		}
	}
	return n, nil
}

func (c *city) Profile(r evidence.Ref) (*evidence.Profile, error) { return c.by[r], nil }
func (c *city) Outline(r evidence.Ref) (*evidence.Profile, error) { return c.by[r], nil }

func (c *city) Overlap(r evidence.Ref, _ *evidence.Profile) (*evidence.Profile, error) {
	return c.by[r], nil
}

func (c *city) Trust(tenant string) (float64, error) {
	return []float64{1, 1, .3}[int(tenant[len(tenant)-1])%3], nil
}

func (c *city) Version() string { return "made up" }

func (c *city) Class(v evidence.Value) Class {
	sum := 0
	for _, b := range []byte(v.Text) {
		sum = sum*31 + int(b)
	}
	sum &= 1<<16 - 1
	if v.Kind == evidence.KindIP {
		names := []string{"", ClassHosting, ClassVPN, ClassUnknown, ClassM365Service, ClassTor, ClassMobile, "nonsense", ClassHosting}
		return Class{Name: names[sum%len(names)], Alpha: []float64{0, 0, 0, 2.5}[sum%4], ASN: uint32(sum % 3)}
	}
	names := []string{"", "", "", ClassFreemail, ClassService, ClassTopDomain, ClassDynamicDNS, ClassMailProvider, ClassBogon}
	return Class{Name: names[sum%len(names)]}
}

func buildCity(r *rand.Rand) *city {
	c := &city{
		size: []uint32{10, 5_000, 900_000}[r.IntN(3)],
		by:   make(map[evidence.Ref]*evidence.Profile), on: make(map[evidence.Value][]*evidence.Profile),
	}
	var pool []evidence.Value
	add := func(kind evidence.Kind, format string, args ...any) {
		pool = append(pool, evidence.Value{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	for _, name := range []string{
		".", "spam", "block spoofing", "display name spoofing", "security alert", "mine", "⟨R⟩", "⟨R⟩ inbox",
		"spoofing block", "block spoofings", "security alerts", "invoice to archive", "archive to invoice", "invoices to archive",
	} {
		add(evidence.KindRuleName, "%s", name)
	}
	for _, words := range []string{
		"alpha beta gamma", "alpha beta", "alpha beta gamma delta", "alpha beta gamma delta epsilon", "beta gamma invoice payment",
		"invoice payment", "invoice alpha", "epsilon eta theta zeta", "epsilon eta iota theta zeta",
	} {
		add(evidence.KindRuleWords, "%s", words)
	}
	add(evidence.KindUserAgent, "python-requests/2.31.0")
	add(evidence.KindUserAgent, "Mozilla/5.0 (X11)")
	for i := range 20 {
		add(evidence.KindIP, "71.1.%d.%d", i%6, i)
		add(evidence.KindHostname, "n%d.near%d.example", i, i%6)
	}
	for i := range 40 {
		add(evidence.KindIP, "70.%d.%d.%d", i%7, i%5, i)
		add(evidence.KindDomain, "d%d.example", i)
		add(evidence.KindHostname, "h%d.d%d.example", i, i%9)
	}
	for i := range 10 {
		add(evidence.KindEmail, "a%d@d%d.example", i, i%4)
		add(evidence.KindForwardTo, "f%d@d%d.example", i, i%4)
		add(evidence.KindForwardTo, "d%d.example", i)
		add(evidence.KindURL, "https://h%d.d%d.example/x%d", i, i%4, i)
		add(evidence.KindSpoofPair, "d%d.example>70.%d.%d.%d", i, i%7, i%5, i)
		add(evidence.KindUserAgent, "agent %d", i)
		add(evidence.KindFileHash, "%064d", i)
		add(evidence.KindAccount, "account %d", i)
		add(evidence.KindCIDR, "70.%d.0.0/16", i)
	}
	roles := []string{
		evidence.RoleLoginSource, evidence.RoleAllowListed, evidence.RoleSendingInfrastructure, evidence.RoleSpoofed,
		evidence.RoleCreated, evidence.RoleReferenced, "another",
	}
	day := func() time.Time { return time.Date(2022, 1, 1, 5, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(500)) }
	n := 6 + r.IntN(70)
	for i := range n {
		p := &evidence.Profile{
			Ref:  evidence.Ref{Tenant: fmt.Sprintf("t%d", r.IntN(1+n/2)), Case: fmt.Sprint(i)},
			Kind: []string{"bec", "bec", "other"}[r.IntN(3)], Live: r.IntN(12) > 0,
		}
		p.Dismissed = !p.Live && r.IntN(2) == 0
		if r.IntN(5) > 0 {
			p.First = day()
			p.Last = p.First.AddDate(0, 0, r.IntN(60))
			p.EvidenceFrom = p.First.Add(-time.Duration(r.IntN(80)) * time.Hour)
		}
		for _, technique := range []string{"T1078.004", "T1098", "T1098.002", "T1114.003", "T1136.003", "T1562.001", "T1999"} {
			if r.IntN(2) == 0 {
				p.Techniques = append(p.Techniques, technique)
			}
		}
		values := make(map[evidence.Value]bool)
		for range 1 + r.IntN(20) {
			values[pool[int(float64(len(pool))*r.Float64()*r.Float64())]] = true
		}
		if r.IntN(10) == 0 {
			for k := range 70 {
				values[evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("99.1.%d.%d", k, i)}] = true
			}
		}
		for v := range values {
			s := evidence.Sighting{Value: v, Roles: []string{roles[r.IntN(len(roles))]}}
			if r.IntN(4) > 0 {
				s.First = day()
				s.Last = s.First.AddDate(0, 0, r.IntN(30))
			}
			if v.Kind == evidence.KindRuleName && r.IntN(2) == 0 {
				s.Written = []string{[]string{"Block Spoofing", "Mine", "Spam", "Security Alert Filter"}[r.IntN(4)]}
			}
			p.Sightings = append(p.Sightings, s)
		}
		slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Compare(y.Value) })
		p.Sightings = append(p.Sightings, evidence.Derive(p.Sightings)...)
		slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Compare(y.Value) })
		c.cases = append(c.cases, p)
	}
	slices.SortFunc(c.cases, func(x, y *evidence.Profile) int { return x.Compare(y.Ref) })
	for _, p := range c.cases {
		c.by[p.Ref] = p
		for _, s := range p.Sightings {
			if p.Live {
				c.on[s.Value] = append(c.on[s.Value], p)
			}
		}
	}
	return c
}

// TestWaysAgree holds every quicker way to a score to what Explain says of each
// pair: alone, as a candidate from a tier on, by a value, as a stored pair, and in
// a world of all cases.
func TestWaysAgree(t *testing.T) {
	all, err := Version2().With(1000, []Change{{Name: "near.autonomous_system.m", Value: .5}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{Version1(), all} {
		t.Run(fmt.Sprint("version ", m.version), func(t *testing.T) { waysAgree(t, m) })
	}
}

func waysAgree(t *testing.T, m *Model) {
	kept, reached := 0, 0
	how := make(map[string]int) // reasons of evidence that is alike, and of what opposes
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := buildCity(r)
		caps := Caps{CandidateTenants: 64, ExplainingTenants: 4, ExplainingCases: 256, ScoringTenants: 512}
		if seed%2 == 0 {
			caps = Caps{CandidateTenants: 8, ExplainingTenants: 2, ExplainingCases: 12, ScoringTenants: 14}
		}
		// A corpus answers nil for a value in too many tenants.
		corpus := &capped{c, caps.CandidateTenants}
		s, err := NewScorer(m, caps, corpus, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWorld(m, caps, maxRepresentatives, c, c.size)
		for v := range c.on {
			if tenants, cases, _ := c.Spread(v); tenants >= 2 {
				w.AddValue(v, tenants, cases)
			} else if tenants == 1 {
				w.AddAlone(v)
			}
		}
		for i, p := range c.cases {
			if p.Live {
				trust, _ := c.Trust(p.Tenant)
				w.AddCase(p, uint32(i), trust)
			}
		}
		if err := w.Seal(2); err != nil {
			t.Fatal(err)
		}

		from := []Tier{Lead, Possible, Probable, Strong}[seed%4]
		stored := make(map[[2]evidence.Ref]Outcome) // the pairs to keep
		for i, a := range c.cases {
			candidates := make(map[evidence.Ref]Outcome)
			for o, err := range s.Candidates(a, true, from, func(evidence.Ref) bool { return true }) {
				if err != nil {
					t.Fatal(err)
				}
				other := o.A
				if other == a.Ref {
					other = o.B
				}
				candidates[other] = o
			}
			reached += len(candidates)
			for k, b := range c.cases {
				if a == b {
					continue
				}
				e, err := s.Explain(a, b)
				if err != nil {
					t.Fatal(err)
				}
				checkSums(t, e)
				countAlike(how, e)
				want := Outcome{
					A: e.A, B: e.B, Millibits: e.Total, Micros: e.Micros, Tier: e.Tier,
					SharedCount: e.SharedCount, ModelVersion: e.ModelVersion,
				}
				got, err := s.Score(b, a)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d, %s and %s (-explained +scored):\n%s", seed, a.Ref, b.Ref, diff)
				}
				o, found := candidates[b.Ref]
				if proposes := c.proposes(m, corpus, a, b, false); found != (proposes && !a.Dismissed && e.Tier >= from) {
					t.Fatalf("seed %d, %s and %s, tier %d, proposed %v: a candidate from tier %d: %v", seed, a.Ref, b.Ref, e.Tier, proposes, from, found)
				}
				if found {
					if diff := cmp.Diff(want, o); diff != "" {
						t.Fatalf("seed %d, %s and %s (-explained +candidate):\n%s", seed, a.Ref, b.Ref, diff)
					}
				}
				if k < i || !a.Live || !b.Live || a.Tenant == b.Tenant {
					continue
				}
				want.Kept = c.proposes(m, corpus, a, b, true) && (e.Tier >= Lead || c.weighable(m, caps, a, b) >= 2)
				got, err = s.Stored(b.Ref, a.Ref)
				if err != nil {
					t.Fatal(err)
				}
				if got.Kept != want.Kept {
					t.Fatalf("seed %d, %s and %s: kept %v, want %v", seed, a.Ref, b.Ref, got.Kept, want.Kept)
				}
				if want.Kept {
					kept++
					stored[[2]evidence.Ref{want.A, want.B}] = want
				}
			}
		}
		byValue := make(map[[2]evidence.Ref]Outcome)
		for v := range c.on {
			for o, err := range s.Pairs(v, nil) {
				if err != nil {
					t.Fatal(err)
				}
				if o.Kept {
					byValue[[2]evidence.Ref{o.A, o.B}] = o
				}
			}
		}
		if diff := cmp.Diff(stored, byValue); diff != "" {
			t.Fatalf("seed %d (-one by one +by value):\n%s", seed, diff)
		}
		inWorld := make(map[[2]evidence.Ref]Outcome)
		scorer := w.Scorer()
		for i := range w.Cases() {
			for o, err := range scorer.PairsOf(i) {
				if err != nil {
					t.Fatal(err)
				}
				key := [2]evidence.Ref{o.A, o.B}
				if _, twice := inWorld[key]; twice {
					t.Errorf("seed %d: %v comes twice", seed, key)
				}
				inWorld[key] = o
			}
		}
		if diff := cmp.Diff(stored, inWorld); diff != "" {
			t.Fatalf("seed %d (-one by one +world):\n%s", seed, diff)
		}
	}
	if kept < 300 || reached < 300 {
		t.Errorf("%d pairs kept, %d candidates: too few to tell", kept, reached)
	}
	for _, reason := range []string{"the same words as", "nearly the same letters", "nearly the same keywords", "one network", "one autonomous system", "one domain", "negative"} {
		if want := m.version > 1; (how[reason] > 20) != want {
			t.Errorf("%d times %q", how[reason], reason)
		}
	}
}

// countAlike counts the kinds of evidence that version 1 does not have.
func countAlike(how map[string]int, e *Explanation) {
	if e.Negative < 0 {
		how["negative"]++
	}
	for _, f := range e.Families {
		for _, g := range f.Groups {
			for _, v := range g.Values {
				for _, r := range v.Reasons {
					for _, part := range []string{"the same words as", "nearly the same letters", "nearly the same keywords", "one network", "one autonomous system", "one domain"} {
						if strings.Contains(r, part) {
							how[part]++
						}
					}
				}
			}
		}
	}
}

// capped leaves out representatives as a Corpus does.
type capped struct {
	*city
	tenants int
}

func (c *capped) Representatives(v evidence.Value) ([]evidence.Ref, error) {
	if tenants, _, _ := c.Spread(v); int(tenants) > c.tenants {
		return nil, nil
	}
	return c.city.Representatives(v)
}

// proposes reports whether a common value proposes b for a; with both, whether
// both stand for their tenants on it.
func (c *city) proposes(m *Model, corpus *capped, a, b *evidence.Profile, both bool) bool {
	return slices.ContainsFunc(a.Sightings, func(s evidence.Sighting) bool {
		if m.mute(s.Value, c.Class(s.Value)) {
			return false
		}
		refs, _ := corpus.Representatives(s.Value)
		return slices.Contains(refs, b.Ref) && (!both || slices.Contains(refs, a.Ref))
	})
}

// weighable counts the common values that may weigh something, and the mail rules
// that are alike: those with the same words as one value, others as two.
func (c *city) weighable(m *Model, caps Caps, a, b *evidence.Profile) (n int) {
	has := func(p *evidence.Profile, v evidence.Value) bool {
		return slices.ContainsFunc(p.Sightings, func(o evidence.Sighting) bool { return o.Value == v })
	}
	few := func(v evidence.Value) bool {
		tenants, _, _ := c.Spread(v)
		return int(tenants) <= caps.ScoringTenants
	}
	for _, s := range a.Sightings {
		if !s.Kind.Derived() && has(b, s.Value) && !m.weightless(s.Value, c.Class(s.Value)) && few(s.Value) {
			n++
		}
	}
	if m.version == 1 || isBulk(m, a) || isBulk(m, b) {
		return n
	}
	for _, kind := range []evidence.Kind{evidence.KindRuleName, evidence.KindRuleWords} {
		own := func(p, o *evidence.Profile) (out []*evidence.Sighting) {
			for i := range p.Sightings {
				if s := &p.Sightings[i]; s.Kind == kind && !has(o, s.Value) {
					out = append(out, s)
				}
			}
			return out
		}
		x, y := own(a, b), own(b, a)
		for {
			best, at, counts := -1.0, [2]int{}, 0
			for i := range x {
				for k := range y {
					if x[i] == nil || y[k] == nil {
						continue
					}
					rank, as := 0.0, 0
					if kind == evidence.KindRuleName {
						rank, as = namesAlike(x[i], y[k])
						if tokens, _ := evidence.RuleTokens(x[i]); as == 1 && !few(tokens) {
							as = 0
						}
					} else if rank = wordsAlike(x[i].Text, y[k].Text); rank >= .6 && sharesBand(x[i], y[k]) {
						as = 2
					} else {
						rank = 0
					}
					// Whatever else is equal, the smaller texts come first.
					if rank > 0 && (rank > best || rank == best && order(x[i], y[k]) < order(x[at[0]], y[at[1]])) {
						best, at, counts = rank, [2]int{i, k}, as
					}
				}
			}
			if best < 0 {
				break
			}
			x[at[0]], y[at[1]] = nil, nil
			n += counts
		}
	}
	return n
}

func order(x, y *evidence.Sighting) string {
	return min(x.Text, y.Text) + "\x00" + max(x.Text, y.Text)
}

func isBulk(m *Model, p *evidence.Profile) bool {
	n := make(map[evidence.Kind]int)
	for _, s := range p.Sightings {
		n[s.Kind]++
	}
	for k, n := range n {
		if n > m.bulkValues && m.carries(k) {
			return true
		}
	}
	return false
}

// namesAlike returns how alike two names of mail rules are, 0 if not, and as how many
// values that counts.
func namesAlike(x, y *evidence.Sighting) (rank float64, counts int) {
	if strings.Contains(x.Text+y.Text, "⟨R⟩") {
		return 0, 0
	}
	one, ok := evidence.RuleTokens(x)
	two, _ := evidence.RuleTokens(y)
	if ok && one == two {
		return 2, 1
	}
	set := func(s string) map[string]bool {
		runes, out := []rune(s), make(map[string]bool)
		for i := 3; i <= len(runes); i++ {
			out[string(runes[i-3:i])] = true
		}
		return out
	}
	if j := jaccard(set(x.Text), set(y.Text)); j >= .7 {
		return j, 2
	}
	return 0, 0
}

func wordsAlike(x, y string) float64 {
	set := func(s string) map[string]bool {
		out := make(map[string]bool)
		for w := range strings.FieldsSeq(s) {
			if w != "invoice" && w != "payment" {
				out[w] = true
			}
		}
		return out
	}
	return jaccard(set(x), set(y))
}

func sharesBand(x, y *evidence.Sighting) bool {
	one, ok := evidence.ReadRuleContent(x.Text)
	two, also := evidence.ReadRuleContent(y.Text)
	for i := range one.Bands {
		if ok && also && one.Bands[i] == two.Bands[i] {
			return true
		}
	}
	return false
}

func jaccard(x, y map[string]bool) float64 {
	both := 0
	for w := range x {
		if y[w] {
			both++
		}
	}
	if len(x)+len(y) == 0 {
		return 0
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

// TestBulkIsNotBounded has a case whose many values of a kind are capped: were
// they weighed as if nobody else had them, they would push out an address that
// counts, and the candidate would seem to be below its tier.
func TestBulkIsNotBounded(t *testing.T) {
	c := &city{size: 10, by: make(map[evidence.Ref]*evidence.Profile), on: make(map[evidence.Value][]*evidence.Profile)}
	add := func(tenant string, values ...evidence.Value) *evidence.Profile {
		p := &evidence.Profile{Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Live: true}
		slices.SortFunc(values, evidence.Value.Compare)
		p.Sightings = sightings(evidence.RoleReferenced, time.Time{}, values...)
		c.cases, c.by[p.Ref] = append(c.cases, p), p
		for _, v := range values {
			c.on[v] = append(c.on[v], p)
		}
		return p
	}
	domain := func(i int) evidence.Value {
		return evidence.Value{Kind: evidence.KindDomain, Text: fmt.Sprintf("bulk-%d.example", i)}
	}
	var many []evidence.Value
	for i := range 65 {
		many = append(many, domain(i))
	}
	a := add("t0", append(slices.Clone(many), ip("70.0.0.1"))...)
	b := add("t1", domain(0), domain(1), ip("70.0.0.1"))
	for i := range 9 {
		add(fmt.Sprintf("u%d", i), domain(0), domain(1))
	}
	caps := Caps{CandidateTenants: 64, ExplainingTenants: 4, ExplainingCases: 256, ScoringTenants: 512}
	s, err := NewScorer(Version1(), caps, c, &table{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Score(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []Tier{Lead, Possible, Probable, Strong} {
		found := false
		for o, err := range s.Candidates(a, false, from, func(r evidence.Ref) bool { return r == b.Ref }) {
			if err != nil {
				t.Fatal(err)
			}
			found = o.Millibits == want.Millibits
		}
		if found != (want.Tier >= from) {
			t.Errorf("tier %d at %d millibits: a candidate from tier %d: %v", want.Tier, want.Millibits, from, found)
		}
	}
}
