package starter

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// drawRows makes sorted ranges that do not overlap, of numbers up to limit.
func drawRows(t *rapid.T, limit uint64, networks int) []Row {
	bounds := rapid.SliceOfN(rapid.OneOf(
		rapid.Uint64Range(0, limit), rapid.Uint64Range(0, min(limit, 40)), rapid.Uint64Range(limit-40, limit),
	), 0, 24).Draw(t, "bounds")
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	var rows []Row
	for i := 0; i+1 < len(bounds); i += 2 {
		rows = append(rows, Row{bounds[i], bounds[i+1], rapid.IntRange(0, networks-1).Draw(t, "network")})
	}
	return rows
}

func TestRoutesAreThoseOfTheRows(t *testing.T) {
	networks := []Network{{1, "One"}, {4_294_967_295, "Last"}, {3, ""}, {1, "Another One"}}
	rapid.Check(t, func(t *rapid.T) {
		rows := Rows{
			Info: netclass.Info{Name: "n", Digest: "d"}, Networks: networks,
			V4: drawRows(t, 1<<32-1, len(networks)), V6: drawRows(t, 1<<64-1, len(networks)),
		}
		plain, err := rows.encode()
		if err != nil {
			t.Fatal(err)
		}
		a, err := parseASNs(plain)
		if err != nil {
			t.Fatal(err)
		}
		check := func(addr netip.Addr, n uint64, rows []Row, width int) {
			var want netclass.Route
			i := slices.IndexFunc(rows, func(r Row) bool { return r.First <= n && n <= r.Last })
			if i >= 0 {
				network := networks[rows[i].Network]
				want = netclass.Route{ASN: network.ASN, Org: network.Org}
			}
			got, ok := a.Route(addr)
			if ok != (i >= 0) || got.ASN != want.ASN || got.Org != want.Org {
				t.Fatalf("%s is %+v (%v), want %+v", addr, got, ok, want)
			}
			if !ok {
				return
			}
			first, last := ends(got.Prefix, width)
			if !got.Prefix.Contains(addr) || first < rows[i].First || last > rows[i].Last {
				t.Fatalf("%s lies in %s of %+v", addr, got.Prefix, rows[i])
			}
			if got.Prefix.Bits() > 0 {
				wider, err := addr.Prefix(got.Prefix.Bits() - 1)
				if err != nil {
					t.Fatal(err)
				}
				if first, last := ends(wider, width); first >= rows[i].First && last <= rows[i].Last {
					t.Fatalf("%s lies in the wider %s", addr, wider)
				}
			}
		}
		for _, n := range edges(rows.V4) {
			b := binary.BigEndian.AppendUint32(nil, uint32(n))
			addr, _ := netip.AddrFromSlice(b)
			check(addr, n&(1<<32-1), rows.V4, 32)
		}
		for _, n := range edges(rows.V6) {
			b := append(binary.BigEndian.AppendUint64(nil, n), 0, 0, 0, 0, 0, 0, 0, 9)
			addr, _ := netip.AddrFromSlice(b)
			if !addr.Is4In6() {
				check(addr, n, rows.V6, 64)
			}
		}
	})
}

// edges are the numbers at, just below and just above the ends of all rows.
func edges(rows []Row) []uint64 {
	out := []uint64{0, 1<<64 - 1}
	for _, r := range rows {
		out = append(out, r.First-1, r.First, r.First+1, r.Last-1, r.Last, r.Last+1)
	}
	return out
}

// ends returns the first and the last number of a prefix.
func ends(p netip.Prefix, width int) (first, last uint64) {
	b := p.Masked().Addr().AsSlice()
	if width == 32 {
		first = uint64(binary.BigEndian.Uint32(b))
	} else {
		first = binary.BigEndian.Uint64(b)
	}
	free := width - p.Bits()
	if free == 64 {
		return first, 1<<64 - 1
	}
	return first, first | (1<<free - 1)
}

func TestDamagedFiles(t *testing.T) {
	for _, file := range [][]byte{asnFile, feedsFile} {
		for _, damaged := range [][]byte{nil, file[:len(file)/2], bytes.Repeat([]byte{7}, 100)} {
			if a, err := decodeASNs(damaged); err == nil {
				t.Errorf("%d bytes make %+v", len(damaged), a.Info())
			}
			if f, err := decodeFeeds(damaged); err == nil {
				t.Errorf("%d bytes make %d lists", len(damaged), len(f))
			}
		}
	}
}

func TestFeedsRoundTrip(t *testing.T) {
	b := netclass.NewBuilder(netclass.Info{Name: "x", Title: "X", Date: "2026-08", Licence: "MIT", Attribution: "somebody"}, true)
	b.Range(netip.MustParsePrefix("20.232.0.0/16"), netclass.Entry{Class: netclass.CloudVM, Tag: "Azure", Region: "eastus"})
	b.Range(netip.MustParsePrefix("20.232.0.0/16"), netclass.Entry{Class: netclass.CDN, Tag: "Two words", Service: "S"})
	b.Range(netip.MustParsePrefix("2600:1f00::/24"), netclass.Entry{Class: netclass.CloudVM, Tag: "Azure", Region: "eastus"})
	b.ASN(53755, netclass.Entry{Class: netclass.Hosting})
	b.Name("duckdns.org", netclass.Entry{Class: netclass.DynamicDNS})
	f, err := b.Build("")
	if err != nil {
		t.Fatal(err)
	}
	file, err := EncodeFeeds([]*netclass.Feed{f, f})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeFeeds(file)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d feeds, %v", len(got), err)
	}
	type contents struct {
		Info   netclass.Info
		Grades bool
		Ranges map[string][]netclass.Entry
		ASNs   map[uint32]netclass.Entry
		Names  map[string]netclass.Entry
	}
	of := func(f *netclass.Feed) contents {
		c := contents{f.Info(), f.Grades(), map[string][]netclass.Entry{}, map[uint32]netclass.Entry{}, map[string]netclass.Entry{}}
		for p, e := range f.Ranges() {
			c.Ranges[p.String()] = e
		}
		for n, e := range f.ASNs() {
			c.ASNs[n] = e
		}
		for n, e := range f.Names() {
			c.Names[n] = e
		}
		return c
	}
	for _, g := range got {
		if diff := cmp.Diff(of(f), of(g)); diff != "" {
			t.Error(diff)
		}
	}
}

// The embedded files are ours, but a damaged program must say so instead of
// ending in a panic.
func FuzzDecode(f *testing.F) {
	rows := Rows{Networks: []Network{{53755, "Input Output Flood LLC"}}, V4: []Row{{1, 5, 0}}, V6: []Row{{1 << 61, 1<<61 + 9, 0}}}
	plain, err := rows.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte("f\t{\"Info\":{\"Name\":\"x\"}}\ne\tvpn\t\t\t\nr\t1.2.3.0/24\t0\na\t7\t0\nn\ta.b\t0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseASNs(b); err == nil {
			for _, s := range []string{"0.0.0.0", "0.0.0.3", "255.255.255.255", "::", "2000::1", "ffff::1"} {
				a.Route(netip.MustParseAddr(s))
			}
		}
		if feeds, err := parseFeeds(b); err == nil {
			netclass.New(netclass.Data{Feeds: feeds}).Address(netip.MustParseAddr("1.2.3.4"))
		}
	})
}
