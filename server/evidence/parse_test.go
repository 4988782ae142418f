package evidence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func day(d int) time.Time { return time.Date(2022, 12, d, 10, 0, 0, 0, time.UTC) }

func now() time.Time { return day(31) }

func parseOptions() evidence.Options { return evidence.Options{Now: now(), Private: hashed} }

// value makes a raw observable.
func value(kind evidence.Kind, text string, roles ...string) evidence.Observable {
	return evidence.Observable{Value: evidence.Value{Kind: kind, Text: text}, Roles: roles}
}

func draft(observables ...evidence.Observable) evidence.Draft {
	return evidence.Draft{
		Ref:      evidence.Ref{Tenant: "acme", Case: "C-1"},
		Findings: []evidence.Finding{{Observables: observables}},
	}
}

func mustParse(t *testing.T, d evidence.Draft) *evidence.Case {
	t.Helper()
	c, left, err := evidence.Parse(d, parseOptions())
	if err != nil || left != nil {
		t.Fatalf("Parse: %v, left out %v", err, left)
	}
	return c
}

func TestParse(t *testing.T) {
	cest := time.FixedZone("CEST", 2*60*60)
	got := mustParse(t, evidence.Draft{
		Ref:   evidence.Ref{Tenant: "acme", Case: "C-1"},
		Title: "mailbox", Kind: " BEC ", State: 0, TLP: "TLP:White", Restricted: true, Source: "hunt",
		OpenedAt: day(3).In(cest), EvidenceFrom: day(1), EvidenceTo: day(1),
		Labels:     map[string]string{"team": "blue"},
		References: []string{"https://example.com/1"},
		Findings: []evidence.Finding{
			{
				ID: "F1", Technique: "t1078.004", Operation: "UserLoggedIn", Outcome: evidence.Succeeded,
				FirstSeen: day(2), LastSeen: day(4), Count: 9, Summary: "two\nlines\tand a tab",
				Facts: []evidence.Fact{{Name: "n", Value: "v\n", Source: "s", ObservedAt: day(2).In(cest)}},
				Observables: []evidence.Observable{
					{
						Value: evidence.Value{Kind: "IP", Text: "104[.]161[.]20[.]102:443"},
						Roles: []string{"Login_Source", " allow_listed", "login_source"},
						Count: 2, FirstSeen: day(2).In(cest),
						Facts: []evidence.Fact{{Name: "port", Value: "443"}, {Name: "asn", Value: "53755"}},
					},
					value("rule_name", "Copy of Block Spoofing"),
					value("rule_name", "Block Spoofing", "own_role"),
					value("email", "Drop@Evil[.]com", "forward_target"),
					value("phone", "+1 202 555 0143"),
				},
			},
			{},
		},
	})
	want := &evidence.Case{
		Ref:   evidence.Ref{Tenant: "acme", Case: "C-1"},
		Title: "mailbox", Kind: "bec", State: evidence.Open, TLP: evidence.TLPClear, Restricted: true, Source: "hunt",
		OpenedAt: day(3), EvidenceFrom: day(1), EvidenceTo: day(1),
		Labels:     map[string]string{"team": "blue"},
		References: []string{"https://example.com/1"},
		Findings: []evidence.Finding{
			{
				ID: "F1", Technique: "T1078.004", Operation: "UserLoggedIn", Outcome: evidence.Succeeded,
				FirstSeen: day(2), LastSeen: day(4), Count: 9, Summary: "two\nlines\tand a tab",
				Facts: []evidence.Fact{{Name: "n", Value: "v\n", Source: "s", ObservedAt: day(2)}},
				Observables: []evidence.Observable{
					{
						Value: evidence.Value{Kind: "ip", Text: "104.161.20.102"},
						Roles: []string{"allow_listed", "login_source"},
						Count: 2, FirstSeen: day(2),
						Facts: []evidence.Fact{{Name: "port", Value: "443"}, {Name: "asn", Value: "53755"}},
					},
					{
						Value:   evidence.Value{Kind: "rule_name", Text: "block spoofing"},
						Written: "Copy of Block Spoofing", Roles: []string{"referenced"},
					},
					{
						Value:   evidence.Value{Kind: "rule_name", Text: "block spoofing"},
						Written: "Block Spoofing", Roles: []string{"own_role"},
					},
					value("forward_to", "drop@evil.com", "forward_target"),
					value("phone", hashed("phone", "+12025550143"), "referenced"),
				},
			},
			{},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Findings[0].Facts[0].ObservedAt.Location() != time.UTC {
		t.Error("times are not UTC")
	}
}

func TestParseDefaults(t *testing.T) {
	got := mustParse(t, evidence.Draft{Ref: evidence.Ref{Tenant: "a", Case: "b"}})
	want := &evidence.Case{Ref: evidence.Ref{Tenant: "a", Case: "b"}, State: evidence.Open, TLP: evidence.TLPAmberStrict}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTLP(t *testing.T) {
	for sent, want := range map[evidence.TLP]evidence.TLP{
		"": "amber+strict", "RED": "red", "tlp:amber+strict": "amber+strict", "TLP: Amber": "amber", "green": "green", "clear": "clear",
	} {
		d := draft()
		d.TLP = sent
		if got := mustParse(t, d); got.TLP != want {
			t.Errorf("%q read as %q, want %q", sent, got.TLP, want)
		}
	}
}

func TestDuplicatesMerge(t *testing.T) {
	a := value("ip", "1.1.1[.]1:443", "login_source")
	a.FirstSeen, a.LastSeen, a.Count = day(3), day(4), 1<<32-2
	a.Facts = []evidence.Fact{{Name: "asn", Value: "13335"}}
	b := value("cidr", "1.1.1.1/32", "allow_listed")
	b.FirstSeen, b.LastSeen, b.Count = day(1), day(3), 7
	b.Facts = []evidence.Fact{{Name: "asn", Value: "13335"}, {Name: "port", Value: "80"}}
	got := mustParse(t, draft(a, value("domain", "example.com"), b, value("ip", "1.1.1.1"))).Findings[0].Observables
	want := []evidence.Observable{
		{
			Value: evidence.Value{Kind: "ip", Text: "1.1.1.1"}, Roles: []string{"allow_listed", "login_source"},
			FirstSeen: day(1), LastSeen: day(4), Count: 1<<32 - 1,
			Facts: []evidence.Fact{{Name: "asn", Value: "13335"}, {Name: "port", Value: "443"}, {Name: "port", Value: "80"}},
		},
		value("domain", "example.com", "referenced"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDuplicateSpansMeet(t *testing.T) {
	began, ended := value("ip", "1.1.1.1"), value("ip", "1.1.1.1")
	began.FirstSeen, ended.LastSeen = day(9), day(5)
	got := mustParse(t, draft(began, ended)).Findings[0].Observables[0]
	if !got.FirstSeen.Equal(day(5)) || !got.LastSeen.Equal(day(9)) {
		t.Errorf("%v to %v", got.FirstSeen, got.LastSeen)
	}
}

func TestSpoofPairParts(t *testing.T) {
	sent := value("domain", "MX.evil.com")
	sent.FirstSeen, sent.LastSeen, sent.Count = day(9), day(9), 2
	first := value("spoof_pair", "boss@victim.com>mx.evil.com", "allow_listed")
	first.FirstSeen, first.LastSeen, first.Count = day(2), day(3), 5
	second := value("spoof_pair", "victim.com -> 192.0.2.9/24")
	second.FirstSeen = day(4)
	third := value("spoof_pair", "victim.com->192.0.2.9/32")
	third.Count = 3
	d := draft(first, second, sent, third)
	d.Findings = append(d.Findings, evidence.Finding{Observables: []evidence.Observable{value("domain", "victim.com")}})
	c := mustParse(t, d)

	with := func(o evidence.Observable, first, last time.Time, count uint32) evidence.Observable {
		o.FirstSeen, o.LastSeen, o.Count = first, last, count
		return o
	}
	want := []evidence.Observable{
		with(value("spoof_pair", "boss@victim.com>mx.evil.com", "allow_listed"), day(2), day(3), 5),
		with(value("email", "boss@victim.com", "spoofed"), day(2), day(3), 5),
		with(value("spoof_pair", "victim.com>192.0.2.0/24", "referenced"), day(4), time.Time{}, 0),
		with(value("domain", "victim.com", "spoofed"), day(4), time.Time{}, 3),
		with(value("cidr", "192.0.2.0/24", "sending_infrastructure"), day(4), time.Time{}, 0),
		with(value("hostname", "mx.evil.com", "sending_infrastructure"), day(2), day(9), 2),
		with(value("spoof_pair", "victim.com>192.0.2.9", "referenced"), time.Time{}, time.Time{}, 3),
		with(value("ip", "192.0.2.9", "sending_infrastructure"), time.Time{}, time.Time{}, 3),
	}
	if diff := cmp.Diff(want, c.Findings[0].Observables); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]evidence.Observable{value("domain", "victim.com", "referenced")}, c.Findings[1].Observables); diff != "" {
		t.Errorf("other finding (-want +got):\n%s", diff)
	}
}

// badDraft has one violation of every field, and the paths of all of them.
func badDraft() (evidence.Draft, []string) {
	d := evidence.Draft{
		Title: "a\nb", Kind: "9", State: 4, TLP: "purple", Source: strings.Repeat("s", 1025),
		OpenedAt: day(3), ClosedAt: day(2), EvidenceFrom: time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC), EvidenceTo: now().Add(25 * time.Hour),
		Labels:     map[string]string{"": "x", "b\"\n": "x", "a": "\x00"},
		References: []string{"ok", "", strings.Repeat("r", 4<<10+1)},
		Findings: []evidence.Finding{
			{ID: "fine"},
			{
				ID: "\x7f", Technique: "T107", Operation: "\xff", Outcome: 4, FirstSeen: day(3), LastSeen: day(2), Summary: "a\rb",
				Facts: []evidence.Fact{{Name: "ok"}, {Value: "\x00", Source: "\n", ObservedAt: time.Unix(0, 0)}},
				Observables: []evidence.Observable{
					value("ip", "1.1.1.1"),
					value("mutex", "x"),
					value("", "x"),
					{
						Value: evidence.Value{Kind: "ip", Text: "x"}, Roles: []string{"ok", "not ok"},
						FirstSeen: now().Add(48 * time.Hour), LastSeen: day(1),
						Facts: []evidence.Fact{{Name: strings.Repeat("n", 1025), Value: strings.Repeat("v", 4<<10+1)}},
					},
				},
			},
		},
	}
	return d, []string{
		"tenant REQUIRED",
		"id REQUIRED",
		"title CONTROL_CHARACTER",
		"kind MALFORMED",
		"state OUT_OF_RANGE",
		"closed_at END_BEFORE_START",
		"evidence_from TIME_OUT_OF_RANGE",
		"evidence_to TIME_OUT_OF_RANGE",
		"tlp TLP_UNKNOWN",
		"source TOO_LONG",
		`labels[""] REQUIRED`,
		`labels["a"] CONTROL_CHARACTER`,
		`labels["b\"\n"] CONTROL_CHARACTER`,
		"references[1] REQUIRED",
		"references[2] TOO_LONG",
		"findings[1].id CONTROL_CHARACTER",
		"findings[1].technique MALFORMED",
		"findings[1].operation NOT_UTF8",
		"findings[1].outcome OUT_OF_RANGE",
		"findings[1].last_seen END_BEFORE_START",
		"findings[1].summary CONTROL_CHARACTER",
		"findings[1].facts[1].name REQUIRED",
		"findings[1].facts[1].value CONTROL_CHARACTER",
		"findings[1].facts[1].source CONTROL_CHARACTER",
		"findings[1].facts[1].observed_at TIME_OUT_OF_RANGE",
		"findings[1].observables[1].kind KIND_UNKNOWN",
		"findings[1].observables[2].kind REQUIRED",
		"findings[1].observables[3].value MALFORMED",
		"findings[1].observables[3].roles[1] MALFORMED",
		"findings[1].observables[3].first_seen TIME_OUT_OF_RANGE",
		"findings[1].observables[3].facts[0].name TOO_LONG",
		"findings[1].observables[3].facts[0].value TOO_LONG",
	}
}

func places(violations []evidence.Violation) []string {
	var got []string
	for _, v := range violations {
		got = append(got, v.Path+" "+v.Reason)
	}
	return got
}

func violations(t *testing.T, err error) *evidence.InvalidError {
	t.Helper()
	invalid, ok := errors.AsType[*evidence.InvalidError](err)
	if !ok {
		t.Fatalf("%v is no *InvalidError", err)
	}
	return invalid
}

func TestEveryViolationAtOnce(t *testing.T) {
	d, want := badDraft()
	c, left, err := evidence.Parse(d, parseOptions())
	if c != nil || left != nil {
		t.Errorf("got a case")
	}
	invalid := violations(t, err)
	if diff := cmp.Diff(want, places(invalid.Violations)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if invalid.Total != len(want) {
		t.Errorf("total %d, want %d", invalid.Total, len(want))
	}
	for _, v := range invalid.Violations {
		if v.Message == "" {
			t.Errorf("%s has no message", v.Path)
		}
	}
}

func TestViolationsAreCounted(t *testing.T) {
	_, _, err := evidence.Parse(draft(slices.Repeat([]evidence.Observable{value("ip", "x")}, 250)...), parseOptions())
	invalid := violations(t, err)
	if len(invalid.Violations) != 100 || invalid.Total != 250 {
		t.Errorf("%d of %d", len(invalid.Violations), invalid.Total)
	}
}

func TestPartialRejectsWhatIsOutsideFindings(t *testing.T) {
	d, all := badDraft()
	o := parseOptions()
	o.Partial = true
	_, _, err := evidence.Parse(d, o)
	if diff := cmp.Diff(all[:15], places(violations(t, err).Violations)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPartialLeavesOut(t *testing.T) {
	bad, all := badDraft()
	d := evidence.Draft{Ref: evidence.Ref{Tenant: "acme", Case: "C-1"}, Findings: bad.Findings}
	good := value("ip", "1.1.1.1", "not ok", "login_source")
	good.Facts = []evidence.Fact{{Name: ""}, {Name: "asn", Value: "13335"}}
	late := value("ip", "1.1.1.2")
	late.FirstSeen, late.LastSeen = day(3), day(2)
	d.Findings = append(d.Findings, evidence.Finding{
		ID: "F3", Facts: []evidence.Fact{{Name: "\x00"}},
		Observables: []evidence.Observable{good, value("ip", "x", "not ok"), late},
	})
	o := parseOptions()
	o.Partial = true
	c, left, err := evidence.Parse(d, o)
	if err != nil {
		t.Fatal(err)
	}
	// A finding that goes whole says so behind what is wrong with it.
	wantLeft := append(slices.Clone(all[15:21]), "findings[1] LEFT_OUT",
		"findings[2].facts[0].name CONTROL_CHARACTER",
		"findings[2].observables[0].roles[0] MALFORMED",
		"findings[2].observables[0].facts[0].name REQUIRED",
		"findings[2].observables[1].value MALFORMED",
		"findings[2].observables[2].last_seen END_BEFORE_START",
		"findings[2].observables[2] LEFT_OUT",
	)
	if diff := cmp.Diff(wantLeft, places(left)); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	kept := value("ip", "1.1.1.1", "login_source")
	kept.Facts = []evidence.Fact{{Name: "asn", Value: "13335"}}
	want := []evidence.Finding{{ID: "fine"}, {ID: "F3", Observables: []evidence.Observable{kept}}}
	if diff := cmp.Diff(want, c.Findings); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	observables := func(n int, text string) []evidence.Observable {
		list := make([]evidence.Observable, n)
		for i := range list {
			list[i] = value("x_n", fmt.Sprintf("%s%d", text, i))
		}
		return list
	}
	finding := func(list []evidence.Observable) evidence.Finding { return evidence.Finding{Observables: list} }
	withFindings := func(list ...evidence.Finding) evidence.Draft {
		d := draft()
		d.Findings = list
		return d
	}
	crowd := func(o evidence.Observable) evidence.Draft {
		return draft(slices.Repeat([]evidence.Observable{o}, 11)...)
	}
	manyFacts := value("ip", "1.1.1.1")
	manyFacts.Facts = slices.Repeat([]evidence.Fact{{Name: "n"}}, 10_000)
	manyLabels := draft()
	manyLabels.Labels = make(map[string]string)
	for i := range 101 {
		manyLabels.Labels[fmt.Sprint(i)] = "\x00"
	}
	manyReferences := draft()
	manyReferences.References = make([]string, 1001)

	tests := []struct {
		name string
		d    evidence.Draft
		want []string // nil: accepted
	}{
		{"10,000 observables", withFindings(finding(observables(5_000, "a")), finding(observables(5_000, "b"))), nil},
		{"10,001 observables", draft(observables(10_001, "")...), []string{"findings[0].observables TOO_MANY"}},
		{"10,001 bad observables", draft(observables(10_001, "\x00")...), []string{"findings[0].observables TOO_MANY"}},
		{"10,001 observables in two findings", withFindings(finding(observables(5_000, "a")), finding(observables(5_001, "b"))), []string{"findings[1].observables TOO_MANY"}},
		{"1,000 findings", withFindings(make([]evidence.Finding, 1_000)...), nil},
		{"1,001 findings", withFindings(make([]evidence.Finding, 1_001)...), []string{"findings TOO_MANY"}},
		{"10 MB", draft(observables(2_700, strings.Repeat("x", 4<<10-10))...), []string{"findings TOO_LARGE"}},
		{"value of 4 KiB", draft(value("x_n", strings.Repeat("x", 4<<10))), nil},
		{"value of 5 KiB", draft(value("x_n", strings.Repeat("x", 5<<10))), []string{"findings[0].observables[0].value TOO_LONG"}},
		{"110,000 facts", crowd(manyFacts), []string{"findings TOO_MANY"}},
		{"110,000 roles", crowd(value("ip", "1.1.1.1", make([]string, 10_000)...)), []string{"findings TOO_MANY"}},
		{"101 labels", manyLabels, []string{"labels TOO_MANY"}},
		{"1,001 references", manyReferences, []string{"references TOO_MANY"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, partial := range []bool{false, true} {
				o := parseOptions()
				o.Partial = partial
				_, _, err := evidence.Parse(tt.d, o)
				switch {
				case tt.want == nil:
					if err != nil {
						t.Errorf("partial %v: %v", partial, err)
					}
				case partial && tt.name == "value of 5 KiB":
				default:
					if diff := cmp.Diff(tt.want, places(violations(t, err).Violations)); diff != "" {
						t.Errorf("partial %v (-want +got):\n%s", partial, diff)
					}
				}
			}
		})
	}
}

// The parts of pairs come on top of the limit, and the case that they make can
// be submitted again.
func TestLargestCaseOfPairs(t *testing.T) {
	var pairs []evidence.Observable
	for i := range evidence.MaxObservables {
		pairs = append(pairs, value("spoof_pair", fmt.Sprintf("v%d.com>e%d.com", i, i)))
	}
	c := mustParse(t, draft(pairs...))
	if n := len(c.Findings[0].Observables); n != 30_000 {
		t.Errorf("%d observables", n)
	}
	if again := mustParse(t, evidence.Draft(*c)); again.ContentHash() != c.ContentHash() {
		t.Error("another hash")
	}
}

func TestParseLeavesTheDraftAlone(t *testing.T) {
	fresh := func() evidence.Draft {
		d := draft(value("ip", "1.1.1[.]1", "b", "A", "b"), value("ip", "1.1.1.1", "a"))
		d.Findings[0].Facts = []evidence.Fact{{Name: "z"}, {Name: "z"}, {Name: "a"}}
		d.Labels, d.References = map[string]string{"k": "v"}, []string{"r"}
		return d
	}
	d := fresh()
	c := mustParse(t, d)
	c.Labels["k"], c.References[0] = "changed", "changed"
	c.Findings[0].Observables[0].Roles[0] = "changed"
	c.Findings[0].Facts[0].Name = "changed"
	if diff := cmp.Diff(fresh(), d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoViolationHoldsPrivateValues(t *testing.T) {
	const secret = "zq-secret"
	o := evidence.Observable{Roles: []string{secret + " role"}, Facts: []evidence.Fact{{Value: secret + "\x00"}}}
	var list []evidence.Observable
	for _, k := range []evidence.Kind{"phone", "account", "bank_account", "session"} {
		for _, text := range []string{secret + "\x00", secret + "\xff", secret + strings.Repeat(secret, 500), "hmac1:" + secret, secret + secret + secret + secret + "!"} {
			o.Value = evidence.Value{Kind: k, Text: text}
			list = append(list, o)
		}
	}
	_, _, err := evidence.Parse(draft(list...), evidence.Options{})
	invalid := violations(t, err)
	if invalid.Total < 3*len(list) {
		t.Errorf("only %d violations", invalid.Total)
	}
	if s := fmt.Sprintf("%v %+v", err, invalid.Violations); strings.Contains(s, "zq") || strings.Contains(s, "secret") {
		t.Errorf("%s", s)
	}
}

func BenchmarkParseLargestCase(b *testing.B) {
	forms := []evidence.Value{
		{Kind: "ip", Text: "104[.]161[.]%d[.]%d:443"},
		{Kind: "hostname", Text: "mail%d.evil%d[.]com"},
		{Kind: "url", Text: "hxxps://evil%d[.]com/%d?x"},
		{Kind: "rule_name", Text: "Copy of Block Spoofing %d %d x"},
		{Kind: "user_agent", Text: "Mozilla/%d.0  %d"},
	}
	var list []evidence.Observable
	for i := range evidence.MaxObservables {
		form := forms[i%len(forms)]
		list = append(list, value(form.Kind, fmt.Sprintf(form.Text, i/250, i%250), "login_source"))
	}
	d := draft(list...)
	for b.Loop() {
		c, _, err := evidence.Parse(d, parseOptions())
		if err != nil {
			b.Fatal(err)
		}
		c.ContentHash()
		c.Profile()
	}
}
