package local_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

func database(t *testing.T, kind string, record mmdbtype.Map) string {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, BuildEpoch: 1_780_000_000, RecordSize: 24, Description: map[string]string{"en": "made for a test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Insert(&net.IPNet{IP: net.IPv4(104, 161, 20, 0).To4(), Mask: net.CIDRMask(24, 32)}, record); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func address(s string) enrich.Value { return enrich.AddressValue(netip.MustParseAddr(s)) }

// record returns the fields of a value, and the class that all sources decide.
func record(t *testing.T, d *local.Data, v enrich.Value) (map[string]string, enrich.Class) {
	t.Helper()
	fields := make(map[string]string)
	var claims []enrich.Claim
	for _, s := range d.Sources() {
		a := s.Lookup(t.Context(), v, enrich.Interactive)
		claims = append(claims, a.Claims...)
		for _, f := range a.Fields {
			if f.Source == "" || f.Status != enrich.OK {
				t.Errorf("%+v", f)
			}
			if f.Name != enrich.FieldAttribution {
				fields[f.Name] += f.Value
			}
		}
	}
	return fields, enrich.Decide(claims...)
}

func TestFirstRun(t *testing.T) {
	d, report, err := local.Open(local.Options{})
	if err != nil || !report.Changed || len(report.Feeds)+len(report.Databases) != 0 {
		t.Fatal(report, err)
	}
	for a, want := range map[string]map[string]string{
		"104.161.20.102":  {"asn": "53755", "as_org": "Input Output Flood LLC", "prefix": "104.161.16.0/20", "class": netclass.Hosting},
		"20.232.202.245":  {"asn": "8075", "as_org": "Microsoft Corporation", "prefix": "20.192.0.0/10", "provider": "Microsoft", "region": "eastus", "class": netclass.CloudVM},
		"185.241.149.122": {"asn": "397423", "as_org": "Tier.Net Technologies LLC", "prefix": "185.241.149.0/24", "class": netclass.Unknown},
	} {
		got, class := record(t, d, address(a))
		got["class"] = class.Name
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a, diff)
		}
		if _, mapped := record(t, d, enrich.Value{Kind: enrich.KindIP, Text: "::ffff:" + a}); mapped.Name != class.Name {
			t.Errorf("%s is %s in IPv6", a, mapped.Name)
		}
	}
	if c := d.Table().Version(); c != func() string {
		other, _, err := local.Open(local.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return other.Table().Version()
	}() {
		t.Errorf("equal data have another version than %s", c)
	}
}

func TestOperatorsDataComeFirst(t *testing.T) {
	dir := t.TempDir()
	folder, err := feeds.Open(filepath.Join(dir, "feeds"), feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	asns := write(t, filepath.Join(dir, "asn.mmdb"), database(t, "GeoLite2-ASN", mmdbtype.Map{
		"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String("Operator's Own"),
	}))
	d, report, err := local.Open(local.Options{Folder: folder, Databases: []string{asns}, Scratch: t.TempDir()})
	if err != nil || len(report.Databases) != 1 || report.Databases[0].Err != nil {
		t.Fatal(report, err)
	}
	const host = "104.161.20.102"
	if got, class := record(t, d, address(host)); got["asn"] != "64500" || got["as_org"] != "Operator's Own" || class.Name != netclass.Unknown {
		t.Errorf("%v %+v", got, class)
	}
	if got, _ := record(t, d, address("8.8.8.8")); got["asn"] != "15169" {
		t.Errorf("what the operator's database does not know: %v", got)
	}
	if lists := d.Lists(); lists[0].Title != "GeoLite2-ASN" || lists[1].Licence != "CC-BY-4.0" {
		t.Errorf("%+v", lists[:2])
	}

	same, err := d.Reload()
	if err != nil || same.Changed {
		t.Errorf("nothing changed: %+v %v", same, err)
	}
	update := func(path string) {
		t.Helper()
		results, err := folder.Update(t.Context(), feeds.Request{From: path})
		if err != nil || len(results) != 1 || results[0].Outcome != feeds.Updated {
			t.Fatal(results, err)
		}
	}
	reload := func() {
		t.Helper()
		before := d.Table()
		r, err := d.Reload()
		if err != nil || !r.Changed || d.Table().Version() == before.Version() {
			t.Fatalf("%+v %v", r, err)
		}
	}
	update(write(t, filepath.Join(dir, "vpn-ipv4", "list.json"), `{"version":20260811,"type":"cidr","list":["104.161.16.0/20"]}`))
	reload()
	if c := d.Table().Address(netip.MustParseAddr(host)); len(c.Grades) != 1 || c.Grades[0].Grade() != .25 {
		t.Errorf("%+v", c)
	}
	update(write(t, filepath.Join(dir, "GeoIP2-Anonymous-IP.mmdb"), database(t, "GeoIP2-Anonymous-IP", mmdbtype.Map{"is_anonymous_vpn": mmdbtype.Bool(true)})))
	reload()
	if got, class := record(t, d, address(host)); class.Name != netclass.VPN || got["anonymity"] != "vpn" {
		t.Errorf("%v %+v", got, class)
	}
	// A broken file keeps the last good one, and says so.
	write(t, asns, "<html>")
	r, err := d.Reload()
	if err != nil || r.Changed || r.Databases[0].Err == nil {
		t.Errorf("%+v %v", r, err)
	}
	if got, _ := record(t, d, address(host)); got["asn"] != "64500" {
		t.Errorf("%v", got)
	}
}

// All snapshots of published lists at once, where a folder of them is at hand;
// without one, lists that say the same of the published addresses.
func TestEveryList(t *testing.T) {
	from := os.Getenv("ELSEWHERE_FEEDS_TEST_DATA")
	if from == "" {
		from = t.TempDir()
		list := func(ranges ...string) string {
			return fmt.Sprintf(`{"version":20260811,"type":"cidr","list":["%s"]}`, strings.Join(ranges, `","`))
		}
		write(t, filepath.Join(from, "vpn-ipv4", "list.json"), list("104.161.16.0/20", "20.192.0.0/10", "52.96.0.0/12"))
		write(t, filepath.Join(from, "microsoft-azure", "list.json"), list("20.232.0.0/13"))
		write(t, filepath.Join(from, "github", "list.json"), list("20.232.0.0/16"))
		write(t, filepath.Join(from, "microsoft-office365-ip", "list.json"), list("52.96.0.0/12", "40.107.0.0/16"))
	}
	folder, err := feeds.Open(filepath.Join(t.TempDir(), "feeds"), feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Update(t.Context(), feeds.Request{From: from}); err != nil {
		t.Fatal(err)
	}
	d, report, err := local.Open(local.Options{Folder: folder, Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Feeds {
		if f.Err != nil {
			t.Errorf("%s: %v", f.Name, f.Err)
		}
	}
	type answer struct {
		Class string
		// Graded is each list that grades above 0, and how far.
		Graded map[string]float64
	}
	for a, want := range map[string]answer{
		"104.161.20.102":  {netclass.Hosting, map[string]float64{"misp-vpn-ipv4": .25}},
		"20.232.202.245":  {netclass.CloudVM, map[string]float64{}},
		"185.241.149.122": {netclass.Unknown, map[string]float64{}},
		"52.96.1.1":       {netclass.M365Service, map[string]float64{}},
		"40.107.22.84":    {netclass.M365Service, map[string]float64{}},
	} {
		c := d.Table().Address(netip.MustParseAddr(a))
		got := answer{c.Name, map[string]float64{}}
		for _, g := range c.Grades {
			if g.Grade() > 0 {
				got.Graded[g.List.Name] = g.Grade()
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a, diff)
		}
		for _, g := range c.Grades {
			if !strings.Contains(strings.Join(c.Reasons, "\n"), g.List.Title) {
				t.Errorf("%s: the reasons do not name %s: %q", a, g.List.Title, c.Reasons)
			}
		}
	}
}

// TestDamagedListIsNotForgotten damages the list of a tenant's own addresses: who
// has read it keeps it, and who starts without it knows that one is missing.
func TestDamagedListIsNotForgotten(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "feeds")
	folder, err := feeds.Open(kept, feeds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(dir, "egress.csv"), "alder,45.0.1.0/24\n")
	if _, err := folder.Update(t.Context(), feeds.Request{From: path}); err != nil {
		t.Fatal(err)
	}
	d, _, err := local.Open(local.Options{Folder: folder, Scratch: dir})
	if err != nil {
		t.Fatal(err)
	}
	if class := d.Table().Of(address("45.0.1.7")).Name; class != "tenant_egress" || d.Unreadable() {
		t.Fatalf("class %s, unreadable %v", class, d.Unreadable())
	}
	write(t, filepath.Join(kept, "egress.json"), "{")
	report, err := d.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if class := d.Table().Of(address("45.0.1.7")).Name; class != "tenant_egress" || d.Unreadable() || report.Feeds[0].Err == nil {
		t.Errorf("after the damage: class %s, unreadable %v, %v", class, d.Unreadable(), report.Feeds)
	}
	blind, _, err := local.Open(local.Options{Folder: folder, Scratch: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !blind.Unreadable() {
		t.Error("a list that cannot be read is not missed")
	}
}
