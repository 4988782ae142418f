package graphtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// epoch is a day that times in tests count from.
func epoch() time.Time { return time.Date(2022, time.November, 22, 9, 30, 0, 0, time.UTC) }

func day(n int) time.Time { return epoch().AddDate(0, 0, n) }

func ref(tenant, id string) evidence.Ref { return evidence.Ref{Tenant: tenant, Case: id} }

func ip(n int) evidence.Value {
	return evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("185.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
}

// seen is an observable in one role from one day to another.
func seen(v evidence.Value, first, last int) evidence.Observable {
	return evidence.Observable{
		Value: v, Roles: []string{evidence.RoleLoginSource}, FirstSeen: day(first), LastSeen: day(last), Count: 1,
	}
}

// undated is an observable without a time.
func undated(v evidence.Value) evidence.Observable {
	return evidence.Observable{Value: v, Roles: []string{evidence.RoleReferenced}, Count: 2}
}

// newCase is an open case with one finding that has no times of its own.
func newCase(tenant, id string, observables ...evidence.Observable) *evidence.Case {
	return &evidence.Case{
		Ref:   ref(tenant, id),
		Title: "Mailbox compromise " + id,
		Kind:  "bec",
		State: evidence.Open,
		TLP:   evidence.TLPAmber,
		Findings: []evidence.Finding{{
			ID: "f1", Technique: "T1078.004", Operation: "UserLoggedIn", Outcome: evidence.Succeeded,
			Count: 1, Observables: observables,
		}},
	}
}

// holding is a case that holds values, all seen on one day.
func holding(tenant, id string, values ...evidence.Value) *evidence.Case {
	c := newCase(tenant, id)
	for _, v := range values {
		c.Findings[0].Observables = append(c.Findings[0].Observables, seen(v, 1, 2))
	}
	return c
}

// longID is a case id of the greatest length that begins like others.
func longID(n int) string {
	id := fmt.Sprintf("%d", n)
	return strings.Repeat("incident-management:", 7)[:128-len(id)-2] + "--" + id
}

// oddValues are values of every kind, and such that a store could take one for
// another: prefixes of each other, with bytes that end things, long ones that
// differ at the end only, and texts that are not in their kind's normal form.
func oddValues() []evidence.Value {
	long := strings.Repeat("a-very-long-label", 20)
	values := []evidence.Value{
		{Kind: evidence.KindIP, Text: "1.2.3.4"},
		{Kind: evidence.KindIP, Text: "::ffff:1.2.3.4"},
		{Kind: evidence.KindIP, Text: "2001:db8::1"},
		{Kind: evidence.KindIP, Text: "2001:DB8::1"},
		{Kind: evidence.KindIP, Text: "no address"},
		{Kind: evidence.KindIP, Text: ""},
		{Kind: evidence.KindCIDR, Text: "1.2.3.0/24"},
		{Kind: evidence.KindCIDR, Text: "1.2.3.0/25"},
		{Kind: evidence.KindCIDR, Text: "1.2.3.4/24"},
		{Kind: evidence.KindCIDR, Text: "0.0.0.0/0"},
		{Kind: evidence.KindCIDR, Text: "::/0"},
		{Kind: evidence.KindCIDR, Text: "::ffff:1.2.3.0/120"},
		{Kind: evidence.KindCIDR, Text: "2001:db8::/32"},
		{Kind: evidence.KindDomain, Text: "example.com"},
		{Kind: evidence.KindHostname, Text: "example.com"},
		{Kind: evidence.KindHostname, Text: "www.example.com"},
		{Kind: evidence.KindDomain, Text: "example.co"},
		{Kind: evidence.KindDomain, Text: "com"},
		{Kind: evidence.KindDomain, Text: ""},
		{Kind: evidence.KindDomain, Text: "."},
		{Kind: evidence.KindDomain, Text: "a..b"},
		{Kind: evidence.KindDomain, Text: "two words.com"},
		{Kind: evidence.KindDomain, Text: "example.com\x00"},
		{Kind: evidence.KindDomain, Text: "example.com\x01"},
		{Kind: evidence.KindDomain, Text: long + ".com"},
		{Kind: evidence.KindHostname, Text: long + ".com"},
		{Kind: evidence.KindHostname, Text: "x" + long + ".com"},
		{Kind: evidence.KindHostname, Text: long + ".com.example"},
		{Kind: evidence.KindURL, Text: "https://example.com/" + long},
		{Kind: evidence.KindURL, Text: "https://example.com/" + long + "?"},
		{Kind: evidence.KindURL, Text: "https://example.com/"},
		{Kind: evidence.KindRuleName, Text: "."},
		{Kind: evidence.KindRuleName, Text: ".."},
		{Kind: evidence.KindRuleName, Text: "..\x00"},
		{Kind: evidence.KindRuleName, Text: "\x00"},
		{Kind: evidence.KindRuleName, Text: "\x03"},
		{Kind: evidence.KindRuleName, Text: "спам"},
		{Kind: evidence.KindRuleName, Text: strings.Repeat("я", 20)},
		{Kind: evidence.KindRuleName, Text: strings.Repeat("я", 21)},
		{Kind: evidence.KindRuleName, Text: strings.Repeat("x", 40)},
		{Kind: evidence.KindRuleName, Text: strings.Repeat("x", 41)},
		{Kind: evidence.KindRuleWords, Text: strings.Repeat("x", evidence.MaxValueBytes)},
		{Kind: "x_badge", Text: "4711"},
		{Kind: "x_badge2", Text: "4711"},
		{Kind: "x_badge", Text: "24711"},
		{Kind: "x_" + evidence.Kind(long), Text: "1"},
		{Kind: "x_" + evidence.Kind(long) + "2", Text: "1"},
	}
	for _, k := range []evidence.Kind{
		evidence.KindASN, evidence.KindFileHash, evidence.KindJA4, evidence.KindUserAgent, evidence.KindAppID,
		evidence.KindPortProfile, evidence.KindEmail, evidence.KindSpoofPair, evidence.KindForwardTo,
		evidence.KindAccountPattern, evidence.KindPhone, evidence.KindAccount, evidence.KindBankAccount, evidence.KindSession,
	} {
		values = append(values,
			evidence.Value{Kind: k, Text: "example"}, evidence.Value{Kind: k, Text: "example2"}, evidence.Value{Kind: k, Text: long})
	}
	return values
}
