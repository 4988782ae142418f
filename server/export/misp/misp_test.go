package misp_test

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// day is a time in 2023.
func day(d int) time.Time { return time.Date(2023, 1, d, 0, 0, 0, 0, time.UTC) }

func item(kind evidence.Kind, text string) export.Item {
	return export.Item{
		Value: evidence.Value{Kind: kind, Text: text}, Written: text, Indicator: true, Roles: []string{"login_source"},
		Class: "hosting", First: day(2), Last: day(20), ValidUntil: day(25), Cases: []string{"c-4kq", "c-9zw"},
		Note: "used to log in", Techniques: []string{"T1078.004"},
	}
}

// asContext turns an item into context.
func asContext(i export.Item, reason string) export.Item {
	i.Indicator, i.Reason = false, reason
	return i
}

func withdrawn(i export.Item) export.Item {
	i.Withdrawn = true
	return i
}

func sequence(items []export.Item) iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// bundle returns a bundle of one scope with these items.
func bundle(items ...export.Item) *export.Bundle {
	slices.SortFunc(items, func(a, b export.Item) int { return a.Value.Compare(b.Value) })
	space := export.Namespace()
	return &export.Bundle{
		Scope: "case:4kq", ID: export.NewUUID(space, "test bundle"), Title: "Mailbox compromise", TLP: "tlp:amber",
		Created: day(2), Modified: day(20), Model: 2, Feeds: "feeds 1",
		Producer: export.Producer{Name: "Example CERT", ID: export.NewUUID(space, "producer")},
		Links:    []export.Relation{{A: "c-4kq", B: "c-9zw", Likelihood: .93, Tier: "strong", Model: 2}},
		Techniques: []export.Technique{
			{ID: "T1078.004", Name: "Cloud Accounts"},
			{ID: "T1114.003", Name: "Email Forwarding Rule"},
		},
		Items: sequence(items),
	}
}

// everything is an item of every kind that may be in a bundle.
func everything() []export.Item {
	address := item(evidence.KindIP, "104.161.20.102")
	address.ASN = 53755
	address.Facts = []export.Fact{
		{Name: "open_port", Value: "21"},
		{Name: "open_port", Value: "3389"},
		{Name: "abuse_confidence", Value: "100"},
		{Name: "country", Value: "US"},
		{Name: "as_name", Value: "Input Output Flood LLC"},
	}
	return []export.Item{
		address, item(evidence.KindIP, "2001:db8::1"), item(evidence.KindCIDR, "198.51.100.0/24"),
		asContext(item(evidence.KindASN, "AS53755"), "a network has many users"),
		item(evidence.KindDomain, "botasso.cl"),
		asContext(item(evidence.KindHostname, "smtp83.iad3a.emailsrvr.com"), "host of a mail provider"),
		item(evidence.KindURL, "https://botasso.cl/x"), item(evidence.KindEmail, "a@botasso.cl"),
		item(evidence.KindForwardTo, "drop@botasso.cl"), item(evidence.KindForwardTo, "botasso.cl"),
		item(evidence.KindFileHash, "d41d8cd98f00b204e9800998ecf8427e"),
		item(evidence.KindFileHash, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
		item(evidence.KindFileHash, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
		item(evidence.KindUserAgent, "python-requests/2.31.0"), item(evidence.KindJA4, "t13d1516h2_8daaf6152771_b186095e22b6"),
		item(evidence.KindAppID, "00000003-0000-0000-c000-000000000000"), item(evidence.KindPortProfile, "21,135"),
		item(evidence.KindSpoofPair, "spoofed.example>198.51.100.7"), item(evidence.KindSpoofPair, "spoofed.example>botasso.cl"),
		item(evidence.KindSpoofPair, "spoofed.example>mail.botasso.cl"),
		item(evidence.KindRuleName, "copy of invoices"), asContext(item(evidence.KindRuleName, "rss"), "generic"),
		item(evidence.KindRuleWords, "invoice payment"), item(evidence.KindAccountPattern, "helpdesk-<digits>"),
		item("x_own", "something"),
	}
}

func sorted(t testing.TB, list []string) []string {
	t.Helper()
	return slices.Sorted(slices.Values(list))
}
