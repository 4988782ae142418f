package mmdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

const epoch = 1_780_000_000 // 2026-05-28

type rows map[string]mmdbtype.Map

func build(tb testing.TB, kind string, built int64, records rows) []byte {
	tb.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, BuildEpoch: built, RecordSize: 24, IncludeReservedNetworks: true,
		Description: map[string]string{"en": "made for a test"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	for prefix, record := range records {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.Insert(network, record); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// put replaces a file as a well-behaved updater does.
func put(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

func asnRecord(n int, org string) mmdbtype.Map {
	return mmdbtype.Map{
		"autonomous_system_number": mmdbtype.Uint32(n), "autonomous_system_organization": mmdbtype.String(org),
	}
}

// asnDatabase has n networks and the resolver that is a canary.
func asnDatabase(tb testing.TB, built int64, n int) []byte {
	records := rows{"8.8.8.0/24": asnRecord(15169, "Google LLC"), "2001:db8:77::/48": asnRecord(64512, "Six")}
	for i := range n {
		records[fmt.Sprintf("203.%d.%d.0/24", i/256, i%256)] = asnRecord(100_000+i, fmt.Sprintf("Network %d of %d", i, built))
	}
	return build(tb, "GeoLite2-ASN", built, records)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestVendors(t *testing.T) {
	text := func(s string) mmdbtype.String { return mmdbtype.String(s) }
	dir := t.TempDir()
	files := map[string][]byte{
		"asn": build(t, "DBIP-ASN-Lite (compat=GeoLite2-ASN)", epoch, rows{"203.0.113.0/24": asnRecord(53755, "Input Output Flood LLC")}),
		"city": build(t, "GeoLite2-City", epoch, rows{"203.0.113.0/24": {
			"country":      mmdbtype.Map{"iso_code": text("US")},
			"subdivisions": mmdbtype.Slice{mmdbtype.Map{"names": mmdbtype.Map{"en": text("Arizona")}}},
			"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": text("Phoenix")}},
		}}),
		"anonymous": build(t, "GeoIP2-Anonymous-IP", epoch, rows{
			"203.0.113.1/32": {"is_anonymous": mmdbtype.Bool(true), "is_tor_exit_node": mmdbtype.Bool(true), "is_hosting_provider": mmdbtype.Bool(true)},
			"203.0.113.2/32": {"is_residential_proxy": mmdbtype.Bool(true)},
			"8.8.4.0/24":     {"is_hosting_provider": mmdbtype.Bool(true)},
		}),
		"isp": build(t, "GeoIP2-ISP", epoch, rows{"203.0.113.3/32": {
			"isp": text("Some Carrier"), "organization": text("Carrier\x07 Org"), "mobile_country_code": text("310"), "mobile_network_code": text("004"),
			"autonomous_system_number": mmdbtype.Uint32(64500),
		}}),
		"ipinfo": build(t, "ipinfo privacy_extended.mmdb", epoch, rows{"203.0.113.4/32": {
			"vpn": text("true"), "relay": mmdbtype.Bool(false), "service": text("SomeVPN"), "asn": text("AS64501"), "as_name": text("Vee"), "country": text("DE"),
		}}),
		"resproxy": build(t, "ipinfo resproxy.mmdb", epoch, rows{"203.0.113.5/32": {"last_seen": text("2026-05-01")}}),
		"broken":   []byte("<!DOCTYPE html><html><body>Too many requests</body></html>"),
	}
	var paths []string
	for _, name := range []string{"asn", "city", "anonymous", "isp", "ipinfo", "resproxy", "broken", "missing"} {
		path := filepath.Join(dir, name+".mmdb")
		paths = append(paths, path)
		if b, ok := files[name]; ok {
			put(t, path, b)
		}
	}
	set := mmdb.New(mmdb.Options{Scratch: t.TempDir()}, paths...)
	states := set.Reload()
	for i, s := range states {
		if bad := i >= 6; bad != (s.Err != nil) || bad != (s.Info.Name == "") {
			t.Errorf("%s: %+v", filepath.Base(s.Path), s)
		}
	}
	if err := states[6].Err; !errors.Is(err, mmdb.ErrNotDatabase) {
		t.Errorf("HTML is %v", err)
	}
	view := set.View()
	type answer struct {
		ASN                          uint32
		Country, City, Class, Second string
	}
	for address, want := range map[string]answer{
		"203.0.113.1":        {53755, "US", "Phoenix", netclass.Tor, netclass.Hosting},
		"::ffff:203.0.113.1": {53755, "US", "Phoenix", netclass.Tor, netclass.Hosting},
		"203.0.113.2":        {53755, "US", "Phoenix", netclass.ResidentialProxy, ""},
		"203.0.113.3":        {53755, "US", "Phoenix", netclass.Mobile, ""}, // the ASN database comes first
		"203.0.113.4":        {53755, "US", "Phoenix", netclass.VPN, ""},
		"203.0.113.5":        {53755, "US", "Phoenix", netclass.ResidentialProxy, ""},
		"198.51.100.1":       {},
		"2001:db8::1":        {},
	} {
		r, err := view.Lookup(addr(address))
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
		got := answer{ASN: r.Route.ASN, Country: r.Place.Country, City: r.Place.City}
		marks := view.Marks(nil, addr(address).Unmap())
		if len(marks) > 0 {
			got.Class = marks[0].Class
		}
		if len(marks) > 1 {
			got.Second = marks[1].Class
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
	r, _ := view.Lookup(addr("203.0.113.3"))
	if r.User.Organization != "Carrier Org" || r.User.List.Title != "GeoIP2-ISP" || r.User.List.Date != "2026-05-28" {
		t.Errorf("user %+v of %+v", r.User, r.User.List)
	}
	if len(view.Lists()) != 6 {
		t.Errorf("%d lists", len(view.Lists()))
	}
	// The table of classes takes the flags into account, and shows whose they are.
	table := netclass.New(netclass.Data{Routes: []netclass.Router{view}, Marks: []netclass.Marker{view}})
	c := table.Address(addr("8.8.4.4"))
	if c.Name != netclass.Hosting || len(c.Reasons) != 1 || c.Reasons[0] != "GeoIP2-Anonymous-IP 2026-05-28: 8.8.4.0/24 (hosting)" {
		t.Errorf("%s %q", c.Name, c.Reasons)
	}
	if without := netclass.New(netclass.Data{}); without.Version() == table.Version() {
		t.Error("the databases do not show in the version")
	}
}

func TestRefusedFilesKeepTheLastGoodOne(t *testing.T) {
	good := asnDatabase(t, epoch, 500)
	flipped := bytes.Clone(good)
	data := bytes.Index(flipped, make([]byte, 16)) // the separator before the data
	for i := data + 40; i < data+4000; i++ {
		flipped[i] = 0xff
	}
	nodes := bytes.Clone(good)
	i := bytes.LastIndex(nodes, []byte("node_count")) + len("node_count")
	nodes[i+2]++ // a little more than there are
	bad := map[string]struct {
		file []byte
		want error
	}{
		"truncated":      {good[:len(good)/2], mmdb.ErrNotDatabase},
		"no tail":        {good[:len(good)-20], nil},
		"HTML":           {[]byte("<html>login</html>"), mmdb.ErrNotDatabase},
		"empty":          {nil, mmdb.ErrNotDatabase},
		"older":          {asnDatabase(t, epoch-86400, 500), mmdb.ErrOlder},
		"shrunken":       {asnDatabase(t, epoch+86400, 50), mmdb.ErrShrunken},
		"another kind":   {build(t, "GeoLite2-City", epoch+1, rows{"8.8.8.0/24": {"city": mmdbtype.Map{}}}), mmdb.ErrOtherKind},
		"broken records": {flipped, mmdb.ErrBroken},
		"node count":     {nodes, nil},
		"no canary": {build(t, "GeoLite2-ASN", epoch+1, func() rows {
			r := rows{}
			for i := range 500 {
				r[fmt.Sprintf("198.%d.%d.0/24", i/256, i%256)] = asnRecord(i+1, "x")
			}
			return r
		}()), mmdb.ErrForgetful},
	}
	// A folder of MaxMind's own broken files can be tried on top.
	if dir := os.Getenv("ELSEWHERE_MAXMIND_TEST_DATA"); dir != "" {
		broken := 0
		for _, pattern := range []string{"*Broken*.mmdb", "*broken*.mmdb", "*Invalid*.mmdb"} {
			paths, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range paths {
				b, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				bad[filepath.Base(p)] = struct {
					file []byte
					want error
				}{b, nil}
				if _, err := mmdb.Check(p, "", mmdb.Options{}); err == nil {
					t.Errorf("%s passes as good", p)
				}
				broken++
			}
		}
		if broken < 3 {
			t.Errorf("%s holds %d broken files", dir, broken)
		}
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "asn.mmdb")
			put(t, path, good)
			set := mmdb.New(mmdb.Options{Scratch: t.TempDir()}, path)
			if s := set.Reload()[0]; s.Err != nil || s.Info.Entries == 0 {
				t.Fatalf("the good file: %+v", s)
			}
			version := set.View().Version()
			put(t, path, tt.file)
			s := set.Reload()[0]
			if s.Err == nil || tt.want != nil && !errors.Is(s.Err, tt.want) {
				t.Errorf("refused with %v, want %v", s.Err, tt.want)
			}
			if s.Err != nil && (!strings.Contains(s.Err.Error(), "asn.mmdb") || len(s.Err.Error()) > 300) {
				t.Errorf("%q", s.Err)
			}
			if set.View().Version() != version {
				t.Error("the view changed")
			}
			if r, ok := set.View().Route(addr("8.8.8.8")); !ok || r.ASN != 15169 {
				t.Errorf("%+v %v", r, ok)
			}
			// A good file is taken again after a bad one.
			put(t, path, asnDatabase(t, epoch+5, 500))
			if s := set.Reload()[0]; s.Err != nil || s.Built.Unix() != epoch+5 {
				t.Errorf("the next good file: %+v", s)
			}
			// Gone is not forgotten.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if s := set.Reload()[0]; s.Err == nil || s.Info.Name == "" {
				t.Errorf("the removed file: %+v", s)
			}
		})
	}
}

// An updater that writes over the file in place must not take the readers down.
func TestTruncatedInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	put(t, path, asnDatabase(t, epoch, 2000))
	set := mmdb.New(mmdb.Options{Scratch: t.TempDir()}, path)
	set.Reload()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		a := addr(fmt.Sprintf("203.%d.%d.9", i/256, i%256))
		if r, ok := set.View().Route(a); !ok || int(r.ASN) != 100_000+i {
			t.Fatalf("%s: %+v", a, r)
		}
	}
}

func TestReloadUnderLoad(t *testing.T) {
	const reloads = 200
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	scratch := t.TempDir()
	put(t, path, asnDatabase(t, epoch, 300))
	set := mmdb.New(mmdb.Options{Scratch: scratch}, path)
	set.Reload()
	files := [2][]byte{asnDatabase(t, epoch, 300), asnDatabase(t, epoch, 301)}

	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				a := addr(fmt.Sprintf("203.0.%d.1", i%256))
				if r, err := set.View().Lookup(a); err != nil || int(r.Route.ASN) != 100_000+i%256 {
					t.Errorf("%s: %+v, %v", a, r.Route, err)
					return
				}
			}
		})
	}
	settle := func() (heap uint64, mapped int) {
		for range 5 {
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, mappings(t)
	}
	for i := range 20 {
		put(t, path, files[i%2])
		set.Reload()
	}
	heap, mapped := settle()
	for i := range reloads {
		put(t, path, files[i%2])
		if s := set.Reload()[0]; s.Err != nil {
			t.Fatalf("reload %d: %v", i, s.Err)
		}
	}
	close(stop)
	readers.Wait()
	heap2, mapped2 := settle()
	t.Logf("heap %d to %d bytes, mappings %d to %d", heap, heap2, mapped, mapped2)
	if heap2 > heap+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes", heap, heap2)
	}
	if mapped2 > mapped+10 {
		t.Errorf("%d files were mapped, now %d", mapped, mapped2)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// mappings counts the databases that the process has mapped.
func mappings(t *testing.T) int {
	maps, err := os.ReadFile("/proc/self/maps")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte("mmdb-"))
}

// A database from outside must never end the process, whatever passes.
func FuzzLoad(f *testing.F) {
	good := build(f, "GeoLite2-ASN", epoch, rows{"8.8.8.0/24": asnRecord(15169, "Google LLC")})
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("<html>"))
	f.Add(build(f, "ipinfo x.mmdb", epoch, rows{"8.8.8.0/24": {"asn": mmdbtype.String("AS1"), "country": mmdbtype.Map{}}}))
	scratch := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.mmdb")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		set := mmdb.New(mmdb.Options{Scratch: scratch}, path)
		s := set.Reload()[0]
		if (s.Err == nil) != (s.Info.Name != "") {
			t.Fatalf("%+v", s)
		}
		for _, a := range []string{"8.8.8.8", "203.0.113.1", "2001:db8::1"} {
			set.View().Marks(nil, addr(a))
			set.View().Route(addr(a))
		}
	})
}
