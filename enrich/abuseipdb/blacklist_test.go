package abuseipdb_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
)

func read(t *testing.T, s string) *abuseipdb.Blacklist {
	t.Helper()
	b, err := abuseipdb.ReadBlacklist(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBlacklist(t *testing.T) {
	fake := abusetest.New(secret, 5)
	b, err := client(t, fake, new(enrich.Memory), nil).Blacklist(t.Context(), 90, 1000)
	if err != nil || b.Len() != 2 || b.Skipped() != 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	if got := fake.Calls()[0].Query; got != "confidenceMinimum=90&limit=1000" {
		t.Errorf("asked with %s", got)
	}
	var file bytes.Buffer
	if _, err := b.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	var l abuseipdb.Listing
	e, err := enrich.New(enrich.Config{Sources: []enrich.Source{&l}})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.One(t.Context(), enrich.Ask{}, ip(abusetest.Leased)); got.Answers[0].Status != enrich.NotLookedUp {
		t.Errorf("without a list: %+v", got.Answers)
	}
	if err := l.Replace(read(t, file.String())); err != nil {
		t.Fatal(err)
	}
	r := e.One(t.Context(), enrich.Ask{}, ip(abusetest.Leased))
	want := map[string]string{"scope": "public", "abuse_score": "61", "last_report": "2023-02-20T10:00:00Z"}
	if d := cmp.Diff(want, fields(r)); d != "" || r.Class.Name != enrich.ClassUnknown {
		t.Errorf("%s, %s", d, r.Class.Name)
	}
	for _, f := range r.Fields[1:] {
		if !f.DataDate.Equal(b.GeneratedAt()) {
			t.Errorf("%+v", f)
		}
	}
	if got := e.One(t.Context(), enrich.Ask{}, ip("20.9.0.0")).Answers[0]; got.Status != enrich.NoData {
		t.Errorf("not listed: %+v", got)
	}
}

func TestListingKeepsTheBetterList(t *testing.T) {
	list := func(date string, addrs ...string) *abuseipdb.Blacklist {
		var entries []string
		for _, a := range addrs {
			entries = append(entries, `{"ipAddress":"`+a+`","abuseConfidenceScore":100,"lastReportedAt":null}`)
		}
		return read(t, `{"meta":{"generatedAt":"`+date+`T00:00:00+00:00"},"data":[`+strings.Join(entries, ",")+`]}`)
	}
	var l abuseipdb.Listing
	four := list("2026-08-02", "20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.4")
	if err := l.Replace(four); err != nil {
		t.Fatal(err)
	}
	if err := l.Replace(list("2026-08-01", "20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.5")); err == nil {
		t.Error("an older list is taken")
	}
	if err := l.Replace(list("2026-08-03", "20.0.0.5")); err == nil {
		t.Error("a shrunken list is taken")
	}
	if got := l.Lookup(t.Context(), ip("20.0.0.4"), enrich.Interactive).Status; got != enrich.OK {
		t.Errorf("the last good list is gone: %s", got)
	}
	if err := l.Replace(list("2026-08-03", "20.0.0.5", "20.0.0.6", "20.0.0.5")); err != nil {
		t.Errorf("a newer list is refused: %v", err)
	}
}

func TestReadBlacklistRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"nothing": "", "a page": "<html>", "null": "null", "an array": "[]", "an empty object": "{}",
		"no date":      `{"data":[{"ipAddress":"20.0.0.1","abuseConfidenceScore":1}]}`,
		"no entries":   `{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00"},"data":[]}`,
		"only private": `{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00"},"data":[{"ipAddress":"10.0.0.1","abuseConfidenceScore":1}]}`,
		"cut":          `{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00"},"data":[{"ipAddress":"20.0.0.1","abuseConfidenceScore":1},`,
		"more behind":  `{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00"},"data":[{"ipAddress":"20.0.0.1","abuseConfidenceScore":1}]}{}`,
	} {
		if b, err := abuseipdb.ReadBlacklist(strings.NewReader(s)); err == nil {
			t.Errorf("%s: %d entries", name, b.Len())
		}
	}
	b := read(t, `{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00","x":1},"more":{"a":[1]},"data":[{"ipAddress":"20.0.0.1","abuseConfidenceScore":1},{"ipAddress":"10.0.0.1","abuseConfidenceScore":1},{"ipAddress":"x","abuseConfidenceScore":1},{"ipAddress":"20.0.0.2","abuseConfidenceScore":101}]}`)
	if b.Len() != 1 || b.Skipped() != 3 {
		t.Errorf("%d entries, %d skipped", b.Len(), b.Skipped())
	}
}
