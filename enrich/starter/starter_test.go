package starter_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

func load(tb testing.TB) *starter.Data {
	tb.Helper()
	d, err := starter.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func table(tb testing.TB) *netclass.Table {
	d := load(tb)
	return netclass.New(netclass.Data{Feeds: d.Feeds, Routes: []netclass.Router{d.ASNs}})
}

// The three addresses of the published case, with no account and no network.
func TestPublishedAddresses(t *testing.T) {
	lists := table(t)
	type answer struct {
		Class, Org, Region string
		ASN                uint32
	}
	for addr, want := range map[string]answer{
		"104.161.20.102":        {netclass.Hosting, "Input Output Flood LLC", "", 53755},
		"20.232.202.245":        {netclass.CloudVM, "Microsoft Corporation", "eastus", 8075},
		"::ffff:20.232.202.245": {netclass.CloudVM, "Microsoft Corporation", "eastus", 8075},
		"185.241.149.122":       {netclass.Unknown, "", "", 397423},
	} {
		c := lists.Address(netip.MustParseAddr(addr))
		got := answer{c.Name, c.Route.Org, c.Region, c.Route.ASN}
		if want.Org == "" {
			got.Org = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", addr, diff)
		}
		if (c.Name == netclass.Unknown) != (len(c.Reasons) == 0) {
			t.Errorf("%s is %s for %q", addr, c.Name, c.Reasons)
		}
		if !c.Route.Prefix.Contains(netip.MustParseAddr(addr).Unmap()) {
			t.Errorf("%s is announced in %s", addr, c.Route.Prefix)
		}
		for _, m := range c.Matches {
			if m.Class == netclass.M365Service || m.Class == netclass.Leased {
				t.Errorf("%s is said to be %s by %s", addr, m.Class, m.List.Name)
			}
		}
		t.Logf("%s: %s AS%d %s %s %q", addr, c.Name, c.Route.ASN, c.Route.Org, c.Route.Prefix, c.Reasons)
	}
}

// Who asked a reputation service or the registry may know better.
func TestLeasedWhenOthersSaySo(t *testing.T) {
	lists := table(t)
	registry := netclass.Match{
		List: &netclass.Info{Name: "abuseipdb", Title: "AbuseIPDB"}, Class: netclass.Leased, Entry: "ipxo.com",
	}
	c := lists.Address(netip.MustParseAddr("185.241.149.122"), registry)
	if c.Name != netclass.Leased || len(c.Reasons) != 1 || c.Reasons[0] != "AbuseIPDB: ipxo.com" {
		t.Errorf("%s %q", c.Name, c.Reasons)
	}
	// A rented machine in Azure stays one, whoever leases the space.
	if c := lists.Address(netip.MustParseAddr("20.232.202.245"), registry); c.Name != netclass.CloudVM {
		t.Errorf("Azure is %s", c.Name)
	}
}

func TestClasses(t *testing.T) {
	lists := table(t)
	for addr, want := range map[string]string{
		"40.107.22.84":    netclass.M365Service,
		"52.96.1.1":       netclass.M365Service,
		"10.0.0.1":        netclass.Bogon,
		"151.101.1.1":     netclass.CDN, // Fastly
		"104.16.1.1":      netclass.CDN, // Cloudflare
		"3.5.140.1":       netclass.CloudVM,
		"34.35.1.1":       netclass.CloudVM,
		"129.80.1.1":      netclass.CloudVM,
		"104.28.100.10":   netclass.PrivacyRelay,
		"104.129.192.1":   netclass.CorporateProxy,
		"2600:3c00::1":    netclass.CloudVM, // Linode
		"2001:4860::8888": netclass.CloudVM, // Google's network
		"193.0.6.139":     netclass.Unknown, // RIPE NCC
	} {
		if c := lists.Address(netip.MustParseAddr(addr)); c.Name != want {
			t.Errorf("%s is %s (%q), want %s", addr, c.Name, c.Reasons, want)
		}
	}
	for name, want := range map[string]string{
		"gmail.com":            netclass.Freemail,
		"x.duckdns.org":        netclass.DynamicDNS,
		"0-mail.com":           netclass.Disposable,
		"1url.com":             netclass.URLShortener,
		"bit.ly":               netclass.URLShortener,
		"botasso.cl":           netclass.Unknown,
		"x0-mail.com":          netclass.Unknown,
		"elsewhere.example":    netclass.Unknown,
		"attacker.github.io":   netclass.Unknown,
		"ioflood.com":          netclass.Unknown,
		"some.onmicrosoft.com": netclass.Unknown,
	} {
		if c := lists.Name(name); c.Name != want {
			t.Errorf("%s is %s (%q), want %s", name, c.Name, c.Reasons, want)
		}
	}
}

// Every list says whose it is, under what terms, and of what day.
func TestListsAreAttributed(t *testing.T) {
	lists := load(t).Lists()
	if len(lists) < 10 {
		t.Fatalf("only %d lists", len(lists))
	}
	seen := make(map[string]bool)
	for _, l := range lists {
		if l.Title == "" || l.Licence == "" || l.Attribution == "" || l.Time().IsZero() || l.Entries == 0 || len(l.Digest) != 64 {
			t.Errorf("%+v lacks something", l)
		}
		if seen[l.Name] {
			t.Errorf("%s is there twice", l.Name)
		}
		seen[l.Name] = true
	}
	if asn := lists[0]; asn.Licence != "CC-BY-4.0" || !strings.Contains(asn.Attribution, "RouteViews") ||
		!strings.Contains(asn.Attribution, "DB-IP") || !strings.Contains(asn.Attribution, "NRO") {
		t.Errorf("the table of networks is %+v", asn)
	}
}

// The data must not make the process fat. How long it takes is BenchmarkLoad's.
func TestLoadIsLean(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	d := load(t)
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("loaded in %v, holds %.1f MB, allocated %.1f MB", took, float64(held)/1e6, float64(after.TotalAlloc-before.TotalAlloc)/1e6)
	if held > 40e6 {
		t.Errorf("holds %d bytes", held)
	}
	runtime.KeepAlive(d)
}

func randomAddrs(n int) []netip.Addr {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]netip.Addr, n)
	for i := range out {
		if i%8 == 7 {
			// The routed part of IPv6 is 2000::/3.
			var b [16]byte
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			b[0] = 0x20 | b[0]&0x0f
			out[i] = netip.AddrFrom16(b)
			continue
		}
		n := r.Uint32()
		out[i] = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return out
}

// ASN and class of a million random addresses.
func BenchmarkAddress(b *testing.B) {
	lists := table(b)
	addrs := randomAddrs(1_000_000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(addrs)); pb.Next(); i = (i + 1) % len(addrs) {
			lists.Address(addrs[i])
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "addresses/s")
}

func BenchmarkRoute(b *testing.B) {
	asns := load(b).ASNs
	addrs := randomAddrs(1_000_000)
	i := 0
	for b.Loop() {
		asns.Route(addrs[i%len(addrs)])
		i++
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}
