package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// usual are values as tools send them: nothing has to be undone.
var usual = []evidence.Value{
	{Kind: evidence.KindIP, Text: "70.12.3.200"},
	{Kind: evidence.KindDomain, Text: "drop7.example"},
	{Kind: evidence.KindHostname, Text: "mail.relay7.example"},
	{Kind: evidence.KindEmail, Text: "billing7@vendor.example"},
	{Kind: evidence.KindURL, Text: "https://login7.example/o/7f?id=1"},
	{Kind: evidence.KindRuleName, Text: "Invoices 7"},
	{Kind: evidence.KindUserAgent, Text: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"},
	{Kind: evidence.KindFileHash, Text: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
}

func BenchmarkParseValue(b *testing.B) {
	for _, v := range usual {
		for _, given := range []evidence.Kind{v.Kind, ""} {
			name := string(v.Kind)
			if given == "" {
				name += " guessed"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, invalid := evidence.ParseValue(given, v.Text, evidence.Options{}); invalid != nil {
						b.Fatal(invalid)
					}
				}
			})
		}
	}
}

// BenchmarkCase is what a submit of 20 observables does with the case.
func BenchmarkCase(b *testing.B) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := evidence.Draft{Ref: evidence.Ref{Tenant: "t", Case: "1"}, Kind: "bec", Title: "Mailbox compromise", OpenedAt: at}
	for i := range 4 {
		f := evidence.Finding{ID: fmt.Sprint(i), Technique: "T1114.003", Operation: "New-InboxRule", FirstSeen: at, LastSeen: at}
		for j := range 5 {
			f.Observables = append(f.Observables, evidence.Observable{
				Value: usual[(5*i+j)%len(usual)], Roles: []string{evidence.RoleReferenced}, FirstSeen: at, LastSeen: at,
			})
		}
		d.Findings = append(d.Findings, f)
	}
	o := evidence.Options{Now: at}
	c, _, err := evidence.Parse(d, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := evidence.Parse(d, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.ContentHash()
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Profile()
		}
	})
}
