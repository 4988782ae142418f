package server_test

import (
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestLookupsAhead asks about the addresses of new cases of tenants that permit
// it, and about nothing of any other case.
func TestLookupsAhead(t *testing.T) {
	f := abusetest.New(abuseKey, 1000)
	c := server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Enrichment: asking(t, f, onlyAlder)}
	c.LookupAhead = true
	d := start(t, c)
	d.submit(t, newCase("birch", "1", obs("ip", azure), obs("ip", ipxo)))
	secret := newCase("alder", "secret", obs("ip", "61.5.5.1"))
	secret.SetRestricted(true)
	d.submit(t, secret)
	red := newCase("alder", "red", obs("ip", "61.5.5.2"))
	red.SetTlp("red")
	d.submit(t, red)
	unlabelled := newCase("alder", "unlabelled", obs("ip", "61.5.5.3"))
	d.submit(t, unlabelled)
	green := newCase("alder", "1", obs("ip", ipxo), obs("ip", "52.96.1.1"), obs("ip", "10.1.1.1"))
	green.SetTlp("green")
	d.submit(t, green)
	eventually(t, func() bool { return len(f.Calls()) > 0 })
	// What has been asked shows in the score without anybody asking.
	eventually(t, func() bool { return shared(t, d.explain(t, "alder/1", "birch/1"), ipxo).GetClass() == "leased" })
	if calls := f.Calls(); len(calls) != 1 || calls[0].Query != "ipAddress="+ipxo+"&maxAgeInDays=90" {
		t.Errorf("sent: %+v", calls)
	}
	if page := d.metricsPage(t); !strings.Contains(page, `elsewhere_enrich_lookups_total{source="abuseipdb",status="ok"} 1`) {
		t.Errorf("metrics:\n%s", page)
	}
}
