package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prefixes makes n of them, written with a format.
func prefixes(n int, format string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, fmt.Sprintf("%d.%d.%d.0/24", 20+i/65536, i/256%256, i%256)))
	}
	return strings.Join(all, ",")
}

// publishers writes a folder as the publishers' files would be.
func publishers(t *testing.T) string {
	dir := t.TempDir()
	put(t, dir, "aws-ip-ranges.json", `{"createDate":"2025-07-24-20-23-14","prefixes":[`+prefixes(2000, `{"ip_prefix":%q,"region":"r","service":"EC2"}`)+`]}`)
	put(t, dir, "azure-ServiceTags_Public.json", `{"values":[{"name":"AzureCloud.eastus","properties":{"systemService":"","addressPrefixes":[`+prefixes(5000, "%q")+`]}}]}`)
	put(t, dir, "gcp-cloud.json", `{"creationTime":"2025-07-24T19:16:28","prefixes":[`+prefixes(200, `{"ipv4Prefix":%q,"scope":"s"}`)+`]}`)
	put(t, dir, "oracle-public_ip_ranges.json", `{"last_updated_timestamp":"2025-07-21T07:13","regions":[{"region":"r","cidrs":[`+prefixes(200, `{"cidr":%q,"tags":["OCI"]}`)+`]}]}`)
	put(t, dir, "digitalocean-geofeed.csv", strings.ReplaceAll(prefixes(200, "%s+NL+NL-NH+Amsterdam+1098\n"), ",", ""))
	put(t, dir, "linode-geofeed.txt", "# Last modified: 2025-07-24\n"+strings.ReplaceAll(prefixes(500, "%s+US+US-TX+Dallas+\n"), ",", ""))
	put(t, dir, "fastly.json", `{"addresses":[`+prefixes(10, "%q")+`]}`)
	put(t, dir, "datacenter-ASN.txt", numbers("AS%d # name\n"))
	put(t, dir, "bad-asn-list.csv", "ASN,Entity\n"+numbers("%d,\"name\"\n"))
	for _, name := range []string{"cloudflare", "zscaler", "icloud-private-relay"} {
		put(t, dir, name+"/list.json", `{"version":20260811,"type":"cidr","list":[`+prefixes(10, "%q")+`]}`)
	}
	for _, name := range []string{"disposable-email", "dynamic-dns", "url-shortener"} {
		put(t, dir, name+"/list.json", `{"version":20260811,"type":"hostname","list":["`+name+`.example"]}`)
	}
	put(t, dir, "npm/package.json", `{"version":"2.3.2026061719"}`)
	put(t, dir, "npm/asn-ipv4.csv", "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n104.161.0.0,104.161.255.255,53755,Input Output Flood LLC\n")
	put(t, dir, "npm/asn-ipv6.csv", "2001::,2001::ffff:ffff:ffff:ffff:ffff:ffff,6939,Teredo\n2001:200::,2001:200:1b9:ffff:ffff:ffff:ffff:ffff,2500,WIDE Project\n"+
		"2002::,2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff,1,6to4\n2a00::8,2a00::9,5,Part of a 64\n")
	return dir
}

func numbers(format string) string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, format, i+1)
	}
	return strings.ReplaceAll(b.String(), "+", ",")
}

func generated(t *testing.T, args ...string) (files [2][]byte, stdout, stderr string, code int) {
	t.Helper()
	out := t.TempDir()
	var o, e bytes.Buffer
	code = run(append([]string{"-o", out}, args...), &o, &e)
	for i, name := range []string{"asn.zst", "feeds.zst"} {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil && code == 0 {
			t.Fatal(err)
		}
		files[i] = b
	}
	return files, o.String(), e.String(), code
}

func TestGenerate(t *testing.T) {
	dir := publishers(t)
	for _, name := range []string{"digitalocean-geofeed.csv", "linode-geofeed.txt"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, strings.ReplaceAll(string(b), "+", ","))
	}
	args := []string{
		"-date", "azure=2025-07", "-date", "digitalocean=2025-07", "-date", "fastly=2025-07", "-date", "x4bnet-datacenter=2026-08",
		"-date", "bad-asn-list=2026-03", dir,
	}
	one, stdout, stderr, code := generated(t, args...)
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, line := range []string{"azure                  2025-07      5000 entries", "ip-location-db-asn     2026-06-17      3 entries  CC-BY-4.0"} {
		if !strings.Contains(stdout, line) {
			t.Errorf("%q is not in\n%s", line, stdout)
		}
	}
	two, _, _, _ := generated(t, args...)
	for i := range one {
		if len(one[i]) == 0 || !bytes.Equal(one[i], two[i]) {
			t.Errorf("file %d: %d and %d bytes, not the same", i, len(one[i]), len(two[i]))
		}
	}
	// A list without a date, or a missing one, is no starter data.
	if _, _, stderr, code := generated(t, dir); code != 1 || !strings.Contains(stderr, "azure states no date") {
		t.Errorf("%d %s", code, stderr)
	}
	if err := os.Remove(filepath.Join(dir, "fastly.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, stderr, code := generated(t, args...); code != 1 || !strings.Contains(stderr, "fastly") {
		t.Errorf("%d %s", code, stderr)
	}
	if _, _, _, code := generated(t, "-date", "x"); code != 2 {
		t.Errorf("%d", code)
	}
}
