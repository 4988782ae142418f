package server_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestListsChangeWhileServing brings a list to a running service: links follow,
// and go back when the list does.
func TestListsChangeWhileServing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "feeds")
	log := new(syncBuffer)
	d := start(t, server.Config{
		Memory: true, HTTPAddr: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(log, nil)),
		Enrichment: server.Enrichment{FeedsDir: dir, FeedsEvery: 5 * time.Millisecond},
	})
	const tor = "185.220.101.7"
	for _, tenant := range []string{"alder", "birch"} {
		d.submit(t, newCase(tenant, "1", obs("ip", tor)))
	}
	total := func() int32 {
		t.Helper()
		return d.explain(t, "alder/1", "birch/1").GetTotalMillibits()
	}
	before := total()
	folder, err := feeds.Open(dir, feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "torbulkexitlist")
	var addresses strings.Builder
	for _, p := range fill(600) {
		addresses.WriteString(strings.TrimSuffix(p, "0/24") + "7\n")
	}
	if err := os.WriteFile(list, []byte(addresses.String()+tor+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	results, err := folder.Update(t.Context(), feeds.Request{From: list, Names: []string{"tor"}})
	if err != nil || len(results) != 1 || results[0].Outcome != feeds.Updated {
		t.Fatalf("%+v, %v", results, err)
	}
	eventually(t, func() bool { return total() != before })
	if got := total(); got >= before {
		t.Errorf("%d millibits as a Tor exit, %d before", got, before)
	}
	// .1*1024/200 is below 1: an exit of Tor weighs nothing here.
	generic := d.explain(t, "alder/1", "birch/1").GetSharedGeneric()
	if len(generic) != 1 || generic[0].GetClass() != "tor" {
		t.Errorf("generic: %v", generic)
	}
	d.settle(t)
	if page := d.metricsPage(t); !strings.Contains(page, `elsewhere_feed_entries{feed="tor"} 601`) ||
		!strings.Contains(page, "elsewhere_feed_age_seconds{feed=") || !strings.Contains(page, "elsewhere_enrich_book_values 0") {
		t.Errorf("metrics:\n%s", page)
	}
	if err := os.Remove(filepath.Join(dir, "tor.json")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return total() == before })

	// A feed that cannot be read is named in the log, once.
	// As a whole: an empty file would be another fault.
	damaged := filepath.Join(t.TempDir(), "tor.json")
	if err := errors.Join(os.WriteFile(damaged, []byte("{"), 0o600), os.Rename(damaged, filepath.Join(dir, "tor.json"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(log.String(), "name=tor") })
	if got := total(); got != before {
		t.Errorf("%d millibits with a damaged feed, %d before", got, before)
	}
	if n := strings.Count(log.String(), "name=tor"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	over := time.After(time.Minute)
	for !holds() {
		select {
		case <-over:
			t.Fatal("it never came")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (d *deployment) metricsPage(t testing.TB) string {
	t.Helper()
	res, err := http.Get("http://" + d.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestShield holds that what is everybody's or a tenant's own is never sent, a
// network as soon as a part of it is.
func TestShield(t *testing.T) {
	dir := t.TempDir()
	folder, err := feeds.Open(filepath.Join(dir, "feeds"), feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	egress := filepath.Join(dir, "egress.csv")
	if err := os.WriteFile(egress, []byte("alder,61.5.5.77/32\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if results, err := folder.Update(t.Context(), feeds.Request{From: egress, Names: []string{"egress"}}); err != nil || results[0].Outcome != feeds.Updated {
		t.Fatalf("%+v, %v", results, err)
	}
	data, _, err := local.Open(local.Options{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	s := server.Shield(data.Table)
	for _, test := range []struct {
		kind enrich.Kind
		text string
		sent bool
	}{
		{enrich.KindIP, ioflood, true},
		{enrich.KindIP, azure, true},
		{enrich.KindIP, "::ffff:" + ioflood, true},
		{enrich.KindCIDR, "104.161.20.0/24", true},
		{enrich.KindIP, "52.96.1.1", false},
		{enrich.KindIP, "::ffff:52.96.1.1", false},
		{enrich.KindCIDR, "52.96.1.0/24", false},
		{enrich.KindIP, "10.1.1.1", false},
		{enrich.KindIP, "61.5.5.77", false},
		{enrich.KindIP, "61.5.5.78", true},
		{enrich.KindCIDR, "61.5.5.0/24", false},
		{enrich.KindCIDR, "61.5.6.0/24", true},
		{enrich.KindCIDR, "104.161.16.0/20", false}, // too wide to tell
		{enrich.KindIP, "x.example", false},
		{enrich.KindDomain, "attacker.example", true},
	} {
		why := s.Shielded(enrich.Value{Kind: test.kind, Text: test.text})
		if (why == "") != test.sent {
			t.Errorf("%s %s: %q", test.kind, test.text, why)
		}
		if strings.Contains(why, "alder") || strings.Contains(why, test.text) {
			t.Errorf("%s %s: the reason says too much: %q", test.kind, test.text, why)
		}
	}
}
