package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// abuseKey must turn up nowhere.
const abuseKey = "2f7a19c3e8b04d56a1c9f0e4d3b27a68"

// asking returns how a server asks a fake for tenants with these ceilings.
func asking(t testing.TB, f *abusetest.Fake, c server.Ceilings) server.Enrichment {
	t.Helper()
	key, err := abuseipdb.NewKey(abuseKey)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	return server.Enrichment{AbuseIPDBKey: key, AbuseIPDBURL: web.URL + "/api/v2/", Ceilings: c}
}

var onlyAlder = server.Ceilings{Tenants: map[string]enrich.TLP{"alder": enrich.TLPGreen}}

// records asks what addresses are.
func (d *deployment) records(ctx context.Context, tenant string, addresses ...string) ([]*elsewherev1.Record, error) {
	var list []*elsewherev1.Observable
	for _, a := range addresses {
		list = append(list, obs("ip", a))
	}
	res, err := elsewherev1.NewEnrichmentServiceClient(d.conn).Enrich(ctx, elsewherev1.EnrichRequest_builder{
		Observables: list, Tenant: tenant,
	}.Build())
	return res.GetRecords(), err
}

func (d *deployment) record(t testing.TB, tenant, address string) *elsewherev1.Record {
	t.Helper()
	all, err := d.records(t.Context(), tenant, address)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	return all[0]
}

// fieldOf returns the first field of a name that a source filled.
func fieldOf(r *elsewherev1.Record, name string) *elsewherev1.RecordField {
	for _, f := range r.GetFields() {
		if f.GetName() == name && f.GetStatus() == elsewherev1.LookupStatus_LOOKUP_STATUS_OK {
			return f
		}
	}
	return nil
}

// abuseAnswer returns how AbuseIPDB answered, nil if it is no source.
func abuseAnswer(r *elsewherev1.Record) *elsewherev1.SourceAnswer {
	for _, a := range r.GetAnswers() {
		if a.GetSource() == "abuseipdb" {
			return a
		}
	}
	return nil
}

// TestRecordsFromStarterData is ENRICHMENT section 1 for the published addresses.
func TestRecordsFromStarterData(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for addr, want := range map[string]map[string]string{
		ioflood:             {"class": "hosting", "asn": "53755", "as_org": "Input Output Flood LLC"},
		azure:               {"class": "cloud_vm", "asn": "8075", "as_org": "Microsoft Corporation", "region": "eastus", "provider": "Microsoft"},
		"::ffff:" + azure:   {"class": "cloud_vm", "asn": "8075", "region": "eastus"},
		ipxo:                {"class": "unknown", "asn": "397423"},
		"40.107.22.84":      {"class": "m365_service"},
		"10.1.2.3":          {"class": "bogon"},
		"2603:1036::1":      {"class": "m365_service"},
		"104.28.100.10":     {"class": "privacy_relay"},
		"151.101.1.1":       {"class": "cdn"},
		"185.241.149[.]122": {"class": "unknown", "asn": "397423"},
	} {
		r := d.record(t, "alder", addr)
		if r.GetClass() != want["class"] {
			t.Errorf("%s is %s (%q), want %s", addr, r.GetClass(), r.GetClassReasons(), want["class"])
		}
		for name, value := range want {
			if name == "class" {
				continue
			}
			f := fieldOf(r, name)
			if f.GetValue() != value || f.GetSource() == "" || f.GetDataDate() == nil || f.GetLookedUpAt() == nil {
				t.Errorf("%s: %s is %v, want %s with source, date and time", addr, name, f, value)
			}
		}
		if abuseAnswer(r) != nil {
			t.Errorf("%s: AbuseIPDB is a source without a key", addr)
		}
	}
}

// TestPublishedCaseWithAbuseIPDB: 7 and 25 reports, domains ioflood.com and
// ipxo.com.
func TestPublishedCaseWithAbuseIPDB(t *testing.T) {
	for _, tc := range []struct {
		name    string
		lists   bool
		alpha   float64
		weights []float64
	}{
		// 9.00 + 8.00/2 + 6.68/4 = 14.67 bits of addresses: +9.67 in all, .994.
		{"starter data", false, .5, []float64{bitsOf(.25, .5), bitsOf(.25, 1), bitsOf(.2, 2)}},
		// 8.00 + 7.52/2 + 6.68/4 = 13.43: +8.43 in all, .992 (SCORING A11).
		{"every list", true, graded(), []float64{bitsOf(.25, 1), bitsOf(.25, graded()), bitsOf(.2, 2)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := abusetest.New(abuseKey, 1000)
			dir := t.TempDir()
			c := server.Config{DataDir: dir, Enrichment: asking(t, f, onlyAlder)}
			if tc.lists {
				c.FeedsDir = allLists(t)
			}
			d := start(t, c)
			d.submitFiles(t, testdata.CaseOne, testdata.CaseTwo)
			before := d.explain(t, testdata.RefOne, testdata.RefTwo)

			r := d.record(t, "alder", ipxo)
			if r.GetClass() != "leased" || fieldOf(r, "reports").GetValue() != "25" || fieldOf(r, "domain").GetValue() != "ipxo.com" {
				t.Errorf("%s", prototext.Format(r))
			}
			r = d.record(t, "alder", ioflood)
			if r.GetClass() != "hosting" || fieldOf(r, "reports").GetValue() != "7" || fieldOf(r, "domain").GetValue() != "ioflood.com" {
				t.Errorf("%s", prototext.Format(r))
			}
			if r = d.record(t, "alder", azure); r.GetClass() != "cloud_vm" {
				t.Errorf("%s is %s", azure, r.GetClass())
			}

			e := d.explain(t, testdata.RefOne, testdata.RefTwo)
			expectClass(t, e, ipxo, "leased", 1, "ipxo.com")
			expectClass(t, e, ioflood, "hosting", tc.alpha, "AS53755")
			expectClass(t, e, azure, "cloud_vm", 2, "AzureCloud.eastus")
			expect(t, e, tc.weights...)
			if e.GetLikelihood() < .99 || e.GetLikelihood() <= before.GetLikelihood() {
				t.Errorf("likelihood %f, before the answers %f", e.GetLikelihood(), before.GetLikelihood())
			}
			d.storedLinkIs(t, e)

			// What was learnt stays, and nobody is asked again for it.
			calls := len(f.Calls())
			if err := d.stop(); err != nil {
				t.Fatal(err)
			}
			d = start(t, c)
			d.storedLinkIs(t, e)
			if r := d.record(t, "alder", ipxo); r.GetClass() != "leased" || fieldOf(r, "reports").GetValue() != "25" {
				t.Errorf("after a restart: %s", prototext.Format(r))
			}
			if got := len(f.Calls()); got != calls || len(f.Leaks()) > 0 {
				t.Errorf("%d calls, after a restart %d; leaks %q", calls, got, f.Leaks())
			}
		})
	}
}

// storedLinkIs waits for the stored link of the published cases to be what an
// explanation says.
func (d *deployment) storedLinkIs(t testing.TB, e *elsewherev1.Explanation) {
	t.Helper()
	d.settle(t)
	res, err := d.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("birch")}.Build())
	if err != nil || len(res.GetLinks()) != 1 || res.GetLinks()[0].GetTotalMillibits() != e.GetTotalMillibits() {
		t.Errorf("stored links %v, %v; the explanation says %d", res.GetLinks(), err, e.GetTotalMillibits())
	}
}

// TestNothingLeavesWithoutACeiling: a key alone discloses nothing, a tenant's
// ceiling only what that tenant asks, and some values never leave.
func TestNothingLeavesWithoutACeiling(t *testing.T) {
	f := abusetest.New(abuseKey, 1000)
	c := server.Config{Memory: true, Enrichment: asking(t, f, onlyAlder)}
	// The places from which birch's own people work are not alder's to ask about.
	c.FeedsDir = folderOf(t, "egress.csv", "birch,193.0.6.0/24\n")
	d := start(t, c)
	d.submitFiles(t, testdata.CaseOne, testdata.CaseTwo)
	d.explain(t, testdata.RefOne, testdata.RefTwo)
	if _, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{
		Observables: []*elsewherev1.Observable{obs("ip", ipxo)}, IncludeRecords: true,
	}.Build()); err != nil {
		t.Error(err)
	}
	for _, tenant := range []string{"", "birch", "nobody"} {
		a := abuseAnswer(d.record(t, tenant, ipxo))
		if a.GetStatus() != elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP || !strings.Contains(a.GetDetail(), "ceiling") {
			t.Errorf("for %q: %v", tenant, a)
		}
	}
	for _, addr := range []string{"10.0.0.1", "40.107.22.84", "100.64.0.1", "192.0.2.1", "::1", "2603:1036::1", "193.0.6.139"} {
		if a := abuseAnswer(d.record(t, "alder", addr)); a.GetStatus() != elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP {
			t.Errorf("%s: %v", addr, a)
		}
	}
	red, err := elsewherev1.NewEnrichmentServiceClient(d.conn).Enrich(t.Context(), elsewherev1.EnrichRequest_builder{
		Observables: []*elsewherev1.Observable{obs("ip", ipxo)}, Tenant: "alder", Tlp: "red",
	}.Build())
	if err != nil || abuseAnswer(red.GetRecords()[0]).GetStatus() != elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP {
		t.Errorf("tlp:red: %v, %v", red, err)
	}
	if calls := f.Calls(); len(calls) > 0 {
		t.Fatalf("sent: %v", calls)
	}
	d.record(t, "alder", ipxo)
	if calls := f.Calls(); len(calls) != 1 || strings.Contains(calls[0].Query, "alder") {
		t.Errorf("sent with a ceiling: %v", calls)
	}
}

// folderOf returns a folder of feeds with one list.
func folderOf(t testing.TB, name, content string) string {
	t.Helper()
	file, dir := filepath.Join(t.TempDir(), name), t.TempDir()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := feeds.Open(dir, feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := folder.Update(t.Context(), feeds.Request{From: file})
	if err != nil || results[0].Outcome != feeds.Updated {
		t.Fatal(results, err)
	}
	return dir
}

// TestAbuseIPDBFaults: no sleep, no crash, no wrong "clean", no key in sight.
func TestAbuseIPDBFaults(t *testing.T) {
	const (
		ok    = elsewherev1.LookupStatus_LOOKUP_STATUS_OK
		quota = elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA
		fail  = elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR
	)
	for _, tc := range []struct {
		name  string
		fault abusetest.Fault
		want  elsewherev1.LookupStatus
		class string
	}{
		{"429 with Retry-After 29241", abusetest.TooMany, quota, "unknown"},
		{"429 as a page", abusetest.TooManyHTML, quota, "unknown"},
		{"isWhitelisted null", abusetest.WhitelistNull, ok, "unknown"},
		// A fixed line is what the service says where the lists are silent.
		{"10,000 reports", abusetest.ManyReports, ok, "residential_dynamic"},
		{"slow body", abusetest.SlowBody, fail, "unknown"},
		{"hang", abusetest.Hang, fail, "unknown"},
		{"endless body", abusetest.EndlessBody, fail, "unknown"},
		{"401", abusetest.Unauthorized, fail, "unknown"},
		{"500", abusetest.ServerError, fail, "unknown"},
		{"garbage", abusetest.Body("\x00\xff<<garbage {"), fail, "unknown"},
		{"null", abusetest.Body(`{"data":null}`), fail, "unknown"},
		{"half an answer", abusetest.Truncated, fail, "unknown"},
		{"a redirect", abusetest.Redirect("http://192.0.2.1/"), fail, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := abusetest.New(abuseKey, 1000)
			f.Fail(-1, tc.fault)
			log := &syncBuffer{}
			d := start(t, server.Config{
				Memory: true, Enrichment: asking(t, f, onlyAlder),
				Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			d.submitFiles(t, testdata.CaseOne, testdata.CaseTwo)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			all, err := d.records(ctx, "alder", ipxo)
			if err != nil || len(all) != 1 {
				t.Fatalf("%d records, %v", len(all), status.Convert(err))
			}
			r := all[0]
			a := abuseAnswer(r)
			if a.GetStatus() != tc.want || a.GetStatus() != ok && a.GetDetail() == "" {
				t.Errorf("AbuseIPDB: %v, want %v with a reason", a, tc.want)
			}
			if tc.want == quota && a.GetRetryAt() == nil {
				t.Error("nobody says when asking again makes sense")
			}
			if w := fieldOf(r, "whitelisted"); w != nil && tc.name != "10,000 reports" {
				t.Errorf("whitelisted: %v", w)
			}
			if reports := fieldOf(r, "reports"); (reports != nil) != (tc.want == ok) {
				t.Errorf("reports: %v", reports)
			}
			if r.GetClass() != tc.class || fieldOf(r, "asn").GetValue() != "397423" {
				t.Errorf("class %s, AS %s: what is known here has to stay", r.GetClass(), fieldOf(r, "asn").GetValue())
			}
			if e := d.explain(t, testdata.RefOne, testdata.RefTwo); shared(t, e, ipxo).GetClass() != tc.class ||
				e.GetTier() != elsewherev1.Tier_TIER_STRONG {
				t.Errorf("class %s, tier %v", shared(t, e, ipxo).GetClass(), e.GetTier())
			}
			if err := d.stop(); err != nil {
				t.Error(err)
			}
			text := prototext.Format(r)
			for where, what := range map[string]string{"log": log.String(), "answer": text} {
				if strings.Contains(what, abuseKey) || strings.ContainsAny(what, "\x1b\u202e") {
					t.Errorf("the %s shows the key or drives a terminal: %s", where, what)
				}
			}
			if strings.Contains(log.String(), ipxo) || strings.Contains(log.String(), "panic") {
				t.Errorf("log: %s", log.String())
			}
			if leaks := f.Leaks(); len(leaks) > 0 {
				t.Errorf("the key went to %q", leaks)
			}
		})
	}
}

// TestQuotaHoldsThroughTheServer: 64 parallel askers and a restart.
func TestQuotaHoldsThroughTheServer(t *testing.T) {
	const askers, calls = 64, 20
	f := abusetest.New(abuseKey, calls)
	c := server.Config{DataDir: t.TempDir(), Enrichment: asking(t, f, server.Ceilings{Default: enrich.TLPGreen})}
	refused := 0
	for round := range 2 {
		d := start(t, c)
		var all sync.WaitGroup
		var mu sync.Mutex
		for n := range askers {
			all.Go(func() {
				r, err := d.records(t.Context(), "alder", fmt.Sprintf("193.%d.0.%d", round, n+1))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				switch s := abuseAnswer(r[0]).GetStatus(); s {
				case elsewherev1.LookupStatus_LOOKUP_STATUS_OK:
				case elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA:
					refused++
				default:
					t.Errorf("status %v", s)
				}
			})
		}
		all.Wait()
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if f.Exceeded() > 0 || len(f.Calls()) > calls || len(f.Calls()) == 0 {
		t.Errorf("%d calls of %d, %d too many", len(f.Calls()), calls, f.Exceeded())
	}
	if refused != 2*askers-len(f.Calls()) {
		t.Errorf("%d refused of %d askers with %d calls", refused, 2*askers, len(f.Calls()))
	}
}
