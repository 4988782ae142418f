package evidence_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func fullCase() *evidence.Case {
	return &evidence.Case{
		Ref:   evidence.Ref{Tenant: "acme", Case: "C-1"},
		Title: "t", Kind: "bec", State: evidence.Closed, OpenedAt: day(1), ClosedAt: day(2),
		EvidenceFrom: day(3), EvidenceTo: day(4), TLP: evidence.TLPAmber, Source: "s",
		Labels: map[string]string{"a": "b", "c": "d"}, References: []string{"r", "q"},
		Findings: []evidence.Finding{
			{
				ID: "F1", Technique: "T1078", Operation: "o", Outcome: evidence.Failed, FirstSeen: day(5), LastSeen: day(6), Count: 1, Summary: "s",
				Facts: []evidence.Fact{{Name: "n", Value: "v", Source: "s", ObservedAt: day(7)}, {Name: "m"}},
				Observables: []evidence.Observable{
					{
						Value: evidence.Value{Kind: "rule_name", Text: "x"}, Written: "X", Roles: []string{"created", "referenced"},
						FirstSeen: day(8), LastSeen: day(9), Count: 2, Facts: []evidence.Fact{{Name: "n"}, {Name: "m"}},
					},
					value("ip", "1.1.1.1", "referenced"),
				},
			},
			{ID: "F2"},
		},
	}
}

// The hash is stored with every case: a change of it makes every case look
// changed, so it must be on purpose.
func TestContentHashIsStable(t *testing.T) {
	sum := fullCase().ContentHash()
	const want = "97786accaefb579aa0a84ee64da652e1a54731c740bd787221ef28fa13dd83f7"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestContentHashIgnoresOrder(t *testing.T) {
	want := fullCase().ContentHash()
	c := fullCase()
	swap := func(i, j *evidence.Finding) { *i, *j = *j, *i }
	swap(&c.Findings[0], &c.Findings[1])
	f := &c.Findings[1]
	f.Facts[0], f.Facts[1] = f.Facts[1], f.Facts[0]
	f.Observables[0], f.Observables[1] = f.Observables[1], f.Observables[0]
	o := &f.Observables[1]
	o.Roles[0], o.Roles[1] = o.Roles[1], o.Roles[0]
	o.Facts[0], o.Facts[1] = o.Facts[1], o.Facts[0]
	c.References[0], c.References[1] = c.References[1], c.References[0]
	o.FirstSeen = o.FirstSeen.In(time.FixedZone("", 3600))
	if c.ContentHash() != want {
		t.Error("another hash")
	}
}

func TestContentHashCountsEveryField(t *testing.T) {
	finding := func(f func(*evidence.Finding)) func(*evidence.Case) {
		return func(c *evidence.Case) { f(&c.Findings[0]) }
	}
	observable := func(f func(*evidence.Observable)) func(*evidence.Case) {
		return func(c *evidence.Case) { f(&c.Findings[0].Observables[0]) }
	}
	fact := func(f func(*evidence.Fact)) func(*evidence.Case) {
		return func(c *evidence.Case) { f(&c.Findings[0].Facts[0]) }
	}
	changes := map[string]func(*evidence.Case){
		"nothing":                func(*evidence.Case) {},
		"tenant":                 func(c *evidence.Case) { c.Tenant = "acm" },
		"id":                     func(c *evidence.Case) { c.Case = "C-2" },
		"tenant and id":          func(c *evidence.Case) { c.Tenant, c.Case = "acm", "eC-1" },
		"title":                  func(c *evidence.Case) { c.Title = "" },
		"kind":                   func(c *evidence.Case) { c.Kind = "" },
		"state":                  func(c *evidence.Case) { c.State = evidence.Open },
		"opened_at":              func(c *evidence.Case) { c.OpenedAt = time.Time{} },
		"opened_at nanosecond":   func(c *evidence.Case) { c.OpenedAt = c.OpenedAt.Add(1) },
		"closed_at":              func(c *evidence.Case) { c.ClosedAt = day(20) },
		"evidence_from":          func(c *evidence.Case) { c.EvidenceFrom = day(20) },
		"evidence_to":            func(c *evidence.Case) { c.EvidenceTo = day(20) },
		"tlp":                    func(c *evidence.Case) { c.TLP = evidence.TLPRed },
		"restricted":             func(c *evidence.Case) { c.Restricted = true },
		"source":                 func(c *evidence.Case) { c.Source = "" },
		"label":                  func(c *evidence.Case) { c.Labels["a"] = "" },
		"label key":              func(c *evidence.Case) { delete(c.Labels, "a") },
		"labels swapped":         func(c *evidence.Case) { c.Labels["a"], c.Labels["c"] = "d", "b" },
		"reference":              func(c *evidence.Case) { c.References[0] = "x" },
		"reference more":         func(c *evidence.Case) { c.References = append(c.References, "r") },
		"finding less":           func(c *evidence.Case) { c.Findings = c.Findings[:1] },
		"finding twice":          func(c *evidence.Case) { c.Findings = append(c.Findings, c.Findings[1]) },
		"finding id":             finding(func(f *evidence.Finding) { f.ID = "" }),
		"technique":              finding(func(f *evidence.Finding) { f.Technique = "" }),
		"operation":              finding(func(f *evidence.Finding) { f.Operation = "" }),
		"technique to operation": finding(func(f *evidence.Finding) { f.Technique, f.Operation = "T107", "8o" }),
		"outcome":                finding(func(f *evidence.Finding) { f.Outcome = 0 }),
		"finding first_seen":     finding(func(f *evidence.Finding) { f.FirstSeen = day(4) }),
		"finding last_seen":      finding(func(f *evidence.Finding) { f.LastSeen = day(7) }),
		"finding time moved":     finding(func(f *evidence.Finding) { f.FirstSeen, f.LastSeen = time.Time{}, f.FirstSeen }),
		"finding count":          finding(func(f *evidence.Finding) { f.Count = 300 }),
		"summary":                finding(func(f *evidence.Finding) { f.Summary = "" }),
		"fact less":              finding(func(f *evidence.Finding) { f.Facts = f.Facts[:1] }),
		"fact name":              fact(func(f *evidence.Fact) { f.Name = "" }),
		"fact value":             fact(func(f *evidence.Fact) { f.Value = "" }),
		"fact source":            fact(func(f *evidence.Fact) { f.Source = "" }),
		"fact time":              fact(func(f *evidence.Fact) { f.ObservedAt = day(8) }),
		"observable less":        finding(func(f *evidence.Finding) { f.Observables = f.Observables[:1] }),
		"observable moved": func(c *evidence.Case) {
			c.Findings[1].Observables = c.Findings[0].Observables[1:]
			c.Findings[0].Observables = c.Findings[0].Observables[:1]
		},
		"observable kind":       observable(func(o *evidence.Observable) { o.Kind = "x_n" }),
		"value":                 observable(func(o *evidence.Observable) { o.Text = "y" }),
		"written":               observable(func(o *evidence.Observable) { o.Written = "" }),
		"role":                  observable(func(o *evidence.Observable) { o.Roles[0] = "spoofed" }),
		"observable first_seen": observable(func(o *evidence.Observable) { o.FirstSeen = day(7) }),
		"observable last_seen":  observable(func(o *evidence.Observable) { o.LastSeen = day(10) }),
		"observable count":      observable(func(o *evidence.Observable) { o.Count = 3 }),
		"observable fact":       observable(func(o *evidence.Observable) { o.Facts[0].Name = "k" }),
	}
	seen := make(map[[32]byte]string)
	for name, change := range changes {
		c := fullCase()
		change(c)
		sum := c.ContentHash()
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[sum] = name
	}
}
