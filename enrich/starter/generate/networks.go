package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

// readNetworks reads the IP-to-ASN tables.
func readNetworks(files []string) (starter.Rows, error) {
	folder := ""
	for _, path := range files {
		if filepath.Base(path) == "asn-ipv4.csv" {
			folder = filepath.Dir(path)
		}
	}
	if folder == "" {
		return starter.Rows{}, errors.New("no asn-ipv4.csv")
	}
	version, err := packageVersion(filepath.Join(folder, "package.json"))
	if err != nil {
		return starter.Rows{}, err
	}
	date, err := versionDate(version)
	if err != nil {
		return starter.Rows{}, err
	}
	n := &networks{index: make(map[starter.Network]int)}
	hash := sha256.New()
	for _, name := range []string{"asn-ipv4.csv", "asn-ipv6.csv"} {
		if err := n.read(filepath.Join(folder, name), hash); err != nil {
			return starter.Rows{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	n.rows.Info = netclass.Info{
		Name: "ip-location-db-asn", Title: "IP to ASN (ip-location-db " + version + ")", Licence: "CC-BY-4.0",
		Attribution: "RouteViews, NRO and DB-IP (IP Geolocation by DB-IP, https://db-ip.com), through sapics/ip-location-db",
		URL:         "https://www.npmjs.com/package/@ip-location-db/asn", Date: date,
		Digest: hex.EncodeToString(hash.Sum(nil)), Entries: len(n.rows.V4) + len(n.rows.V6),
	}
	return n.rows, nil
}

func packageVersion(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var p struct {
		Version string `json:"version"`
	}
	err = json.Unmarshal(b, &p)
	return p.Version, err
}

// versionDate takes the day off a version such as 2.3.2026061719.
func versionDate(version string) (string, error) {
	stamp := version[strings.LastIndexByte(version, '.')+1:]
	day, err := time.Parse("20060102", stamp[:min(8, len(stamp))])
	if err != nil {
		return "", fmt.Errorf("version %q names no day", version)
	}
	return day.Format(time.DateOnly), nil
}

type networks struct {
	rows  starter.Rows
	index map[starter.Network]int
}

// read adds the rows "first,last,asn,name" of a file.
func (n *networks) read(path string, hash io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := csv.NewReader(io.TeeReader(f, hash))
	lines.FieldsPerRecord, lines.ReuseRecord = 4, true
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := n.add(fields); err != nil {
			return err
		}
	}
	for _, rows := range []*[]starter.Row{&n.rows.V4, &n.rows.V6} {
		slices.SortFunc(*rows, func(a, b starter.Row) int {
			if a.First < b.First {
				return -1
			}
			return 1
		})
		// Of rows that overlap the later, which is the narrower in this table,
		// would need cutting; there are none but by a publisher's mistake.
		last := uint64(0)
		*rows = slices.DeleteFunc(*rows, func(r starter.Row) bool {
			if last > 0 && r.First <= last {
				return true
			}
			last = r.Last
			return false
		})
	}
	return nil
}

func (n *networks) add(fields []string) error {
	first, err := netip.ParseAddr(fields[0])
	if err != nil {
		return err
	}
	last, err := netip.ParseAddr(fields[1])
	if err != nil {
		return err
	}
	asn, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return err
	}
	if asn == 0 || last.Less(first) || aliased(first) {
		return nil
	}
	row := starter.Row{First: number(first), Last: number(last)}
	if first.Is6() {
		// The table knows /64s: parts of one are left out.
		if low(first) != 0 {
			row.First++
		}
		if low(last) != 1<<64-1 {
			row.Last--
		}
		if row.First > row.Last {
			return nil
		}
	}
	network := starter.Network{ASN: uint32(asn), Org: strings.TrimSpace(strings.ToValidUTF8(fields[3], ""))}
	i, ok := n.index[network]
	if !ok {
		i = len(n.rows.Networks)
		n.index[network] = i
		n.rows.Networks = append(n.rows.Networks, network)
	}
	row.Network = i
	if first.Is4() {
		n.rows.V4 = append(n.rows.V4, row)
	} else {
		n.rows.V6 = append(n.rows.V6, row)
	}
	return nil
}

// aliased reports whether an address stands for an IPv4 address (Teredo, 6to4).
func aliased(a netip.Addr) bool {
	return netip.MustParsePrefix("2001::/32").Contains(a) || netip.MustParsePrefix("2002::/16").Contains(a)
}

func number(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8])
}

func low(a netip.Addr) uint64 {
	b := a.As16()
	return binary.BigEndian.Uint64(b[8:])
}
