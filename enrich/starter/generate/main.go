// Command generate writes the starter data that are embedded in the program
// from the publishers' files. It knows which of them go in and under what terms;
// it reads nothing but the folders it is given, and writes the same bytes for
// the same files.
//
// The folders hold, anywhere below them: the range files of AWS, Azure (Service
// Tags), GCP, Oracle, DigitalOcean, Linode and Fastly; datacenter-ASN.txt of
// X4BNet/lists_vpn; bad-asn-list.csv of brianhama/bad-asn-list; the folders
// cloudflare, disposable-email, dynamic-dns, icloud-private-relay, url-shortener
// and zscaler of MISP/misp-warninglists; asn-ipv4.csv, asn-ipv6.csv and
// package.json of the npm package @ip-location-db/asn. The dates of those that
// state none are given by hand:
//
//	go run ./enrich/starter/generate -o enrich/starter/data \
//	    -date azure=2025-07 -date digitalocean=2025-07 -date fastly=2025-07 \
//	    -date x4bnet-datacenter=2026-08 -date bad-asn-list=2026-03 \
//	    -date misp-dynamic-dns=2026-08 -date misp-url-shortener=2026-08 \
//	    FOLDER...
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "enrich/starter/data", "folder to write to")
	dates := make(map[string]string)
	flags.Func("date", "NAME=YYYY-MM[-DD] of a list that states no date", func(s string) error {
		name, date, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("not NAME=DATE")
		}
		dates[name] = date
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := generate(stdout, *out, flags.Args(), dates); err != nil {
		fmt.Fprintln(stderr, "generate:", err)
		return 1
	}
	return 0
}

func generate(stdout io.Writer, out string, folders []string, dates map[string]string) error {
	files, err := find(folders)
	if err != nil {
		return err
	}
	feeds, err := readFeeds(files, dates)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		i := f.Info()
		fmt.Fprintf(stdout, "%-22s %-10s %6d entries  %s\n", i.Name, i.Date, i.Entries, i.Licence)
	}
	packed, err := starter.EncodeFeeds(feeds)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "feeds.zst"), packed, 0o644); err != nil {
		return err
	}
	rows, err := readNetworks(files)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%-22s %-10s %6d entries  %s\n", rows.Info.Name, rows.Info.Date, rows.Info.Entries, rows.Info.Licence)
	packed, err = starter.EncodeASNs(rows)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "asn.zst"), packed, 0o644)
}

// find returns the files of all folders, in order.
func find(folders []string) ([]string, error) {
	var files []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return files, nil
}

// wanted are the lists that go in, in the order of the file.
func wanted() []string {
	return []string{
		"aws", "azure", "gcp", "oracle", "digitalocean", "linode", "fastly", "cloudflare", "zscaler", "icloud-relay",
		"x4bnet-datacenter", "bad-asn-list", "misp-disposable-email", "misp-url-shortener", "misp-dynamic-dns",
	}
}

// ofOwners are the warninglists that repeat what the owner of the ranges
// publishes, and so say whose they are instead of grading.
func ofOwners(name string) (netclass.Spec, bool) {
	own := func(name, title, owner, class string) (netclass.Spec, bool) {
		return netclass.Spec{
			Info: netclass.Info{
				Name: name, Title: title, Licence: "CC0-1.0",
				Attribution: owner + ", through MISP/misp-warninglists",
			},
			Format: netclass.FormatMISP, Class: class, MinEntries: 10, MaxBytes: 8 << 20,
		}, true
	}
	switch name {
	case "misp-cloudflare":
		return own("cloudflare", "Cloudflare ranges", "Cloudflare", netclass.CDN)
	case "misp-zscaler":
		return own("zscaler", "Zscaler ranges", "Zscaler", netclass.CorporateProxy)
	case "misp-icloud-private-relay":
		return own("icloud-relay", "iCloud Private Relay egress", "Apple", netclass.PrivacyRelay)
	}
	return netclass.Spec{}, false
}

func readFeeds(files []string, dates map[string]string) ([]*netclass.Feed, error) {
	found := make(map[string]*netclass.Feed)
	for _, path := range files {
		feed, err := readFeed(path, dates)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if feed != nil {
			found[feed.Info().Name] = feed
		}
	}
	var feeds []*netclass.Feed
	for _, name := range wanted() {
		f, ok := found[name]
		if !ok {
			return nil, fmt.Errorf("no file of %s", name)
		}
		if i := f.Info(); i.Time().IsZero() {
			return nil, fmt.Errorf("%s states no date: give one with -date", name)
		}
		feeds = append(feeds, f)
	}
	return feeds, nil
}

func readFeed(path string, dates map[string]string) (*netclass.Feed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 4096)
	head, _ := in.Peek(4096)
	spec, ok := netclass.Recognise(filepath.ToSlash(path), head)
	if !ok {
		return nil, nil
	}
	if owned, ok := ofOwners(spec.Name); ok {
		spec = owned
	}
	if !slices.Contains(wanted(), spec.Name) {
		return nil, nil
	}
	spec.Date = dates[spec.Name]
	return netclass.Parse(spec, in)
}
