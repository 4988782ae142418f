package feeds_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// exits is a Tor list of n addresses.
func exits(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "185.220.%d.%d\n", i/256, i%256)
	}
	return b.String()
}

func open(t *testing.T) (*feeds.Folder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "feeds")
	f, err := feeds.Open(dir, feeds.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func update(t *testing.T, f *feeds.Folder, r feeds.Request) feeds.Result {
	t.Helper()
	results, err := f.Update(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	return results[0]
}

func want(t *testing.T, r feeds.Result, o feeds.Outcome, err error) {
	t.Helper()
	if r.Outcome != o || !errors.Is(r.Err, err) {
		t.Fatalf("%s: %v with error %v, want %v with %v", r.Name, r.Outcome, r.Err, o, err)
	}
}

// entries loads the folder and returns how many entries each feed has.
func entries(t *testing.T, f *feeds.Folder) map[string]int {
	t.Helper()
	c, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int)
	for _, feed := range c.Feeds {
		i := feed.Info()
		out[i.Name] = i.Entries
	}
	return out
}

func TestUpdateFromFile(t *testing.T) {
	f, dir := open(t)
	var told []feeds.Progress
	r := update(t, f, feeds.Request{
		From:     write(t, "torbulkexitlist", exits(1000)),
		Progress: func(p feeds.Progress) { told = append(told, p) },
	})
	want(t, r, feeds.Updated, nil)
	if len(told) == 0 || told[len(told)-1].Done != told[len(told)-1].Total || told[0].Name != "tor" {
		t.Errorf("progress %+v", told)
	}
	want(t, update(t, f, feeds.Request{From: write(t, "torbulkexitlist", exits(1000))}), feeds.Unchanged, nil)

	refused := map[string]struct {
		text string
		err  error
	}{
		"shrunken":  {exits(600), feeds.ErrShrunken},
		"truncated": {exits(1000)[:3000], netclass.ErrShort},
		"HTML":      {"\n<!DOCTYPE html><html>sign in</html>", netclass.ErrHTML},
		"garbage":   {strings.Repeat("no address\n", 2000), netclass.ErrGarbled},
		"empty":     {"", netclass.ErrEmpty},
		"too large": {strings.Repeat("# filler\n", 300_000), netclass.ErrTooLarge},
	}
	for name, tt := range refused {
		r := update(t, f, feeds.Request{From: write(t, "torbulkexitlist", tt.text)})
		if want(t, r, feeds.Refused, tt.err); r.Info.Entries != 1000 {
			t.Errorf("%s: %d entries are in use", name, r.Info.Entries)
		}
		if r := update(t, f, feeds.Request{From: write(t, "torbulkexitlist", tt.text), Force: true}); name != "shrunken" && r.Outcome != feeds.Refused {
			t.Errorf("%s is let in by force", name)
		} else if name == "shrunken" {
			want(t, r, feeds.Updated, nil)
			if _, err := f.Rollback("tor"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"tor": 1000}, entries(t, f)); diff != "" {
		t.Error(diff)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestUpdateFromFolder(t *testing.T) {
	from := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(from, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("tor/torbulkexitlist", exits(400))
	put("misp/vpn-ipv4/list.json", `{"name":"VPN","version":20260811,"type":"cidr","list":["104.161.16.0/20","5.6.7.8"]}`)
	put("misp/broken/list.json", `{"name":"x","type":"cidr","list":["1.2.3.4/24"`)
	put("egress.csv", "tenant,prefix\nacme,198.20.0.0/24,head office\n")
	put("README.md", "not a feed")
	put("bad.mmdb", "not a database")
	f, _ := open(t)
	results, err := f.Update(t.Context(), feeds.Request{From: from})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, r := range results {
		got[r.Name] = r.Outcome.String()
	}
	if diff := cmp.Diff(map[string]string{
		"tor": "updated", "misp-vpn-ipv4": "updated", "egress": "updated", "misp-broken": "refused", "mmdb-bad": "refused",
	}, got); diff != "" {
		t.Error(diff)
	}
	list, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[1].Name != "misp-vpn-ipv4" || list[1].Licence != "CC0-1.0" || list[1].Date != "2026-08-11" || list[1].Entries != 2 || list[1].Age <= 0 {
		t.Errorf("%+v", list)
	}
	c, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	table := netclass.New(netclass.Data{Feeds: c.Feeds})
	if c := table.Address(netip.MustParseAddr("198.20.0.9")); c.Name != netclass.TenantEgress {
		t.Errorf("%+v", c)
	}
	// Named feeds only.
	g, _ := open(t)
	if r := update(t, g, feeds.Request{From: from, Names: []string{"tor"}}); r.Name != "tor" {
		t.Errorf("%+v", r)
	}
	if r, err := g.Update(t.Context(), feeds.Request{From: from, Names: []string{"tor", "aws"}}); err == nil {
		t.Errorf("a feed that is not there: %+v", r)
	}
	if _, err := g.Update(t.Context(), feeds.Request{From: t.TempDir()}); err == nil {
		t.Error("an empty folder is no error")
	}
}

func TestRollbackAndDamage(t *testing.T) {
	f, dir := open(t)
	if _, err := f.Rollback("tor"); !errors.Is(err, feeds.ErrUnknown) {
		t.Errorf("%v", err)
	}
	want(t, update(t, f, feeds.Request{From: write(t, "torbulkexitlist", exits(500))}), feeds.Updated, nil)
	if _, err := f.Rollback("tor"); !errors.Is(err, feeds.ErrNoPrevious) {
		t.Errorf("%v", err)
	}
	want(t, update(t, f, feeds.Request{From: write(t, "torbulkexitlist", exits(501))}), feeds.Updated, nil)
	want(t, update(t, f, feeds.Request{From: write(t, "torbulkexitlist", exits(502))}), feeds.Updated, nil)
	if files, err := filepath.Glob(filepath.Join(dir, "tor.*")); err != nil || len(files) != 3 {
		t.Errorf("%v %v", files, err)
	}
	for _, n := range []int{501, 502, 501, 502} {
		if s, err := f.Rollback("tor"); err != nil || s.Entries != n {
			t.Fatalf("%+v %v", s, err)
		}
		if diff := cmp.Diff(map[string]int{"tor": n}, entries(t, f)); diff != "" {
			t.Error(diff)
		}
	}
	// Somebody writes over the current file: the one before is taken, and said.
	files, err := filepath.Glob(filepath.Join(dir, "tor.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(b), "\n") == 502 {
			if err := os.WriteFile(path, []byte(exits(400)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := f.Load()
	if err != nil || len(c.Feeds) != 1 || c.Feeds[0].Info().Entries != 501 || !errors.Is(c.Statuses[0].Err, feeds.ErrChanged) {
		t.Errorf("%+v %v", c.Statuses, err)
	}
	if v, err := f.Verify(); err != nil || !errors.Is(v[0].Err, feeds.ErrChanged) {
		t.Errorf("%+v %v", v, err)
	}
	// The same file again repairs it.
	want(t, update(t, f, feeds.Request{From: write(t, "torbulkexitlist", exits(502))}), feeds.Updated, nil)
	if v, err := f.Verify(); err != nil || v[0].Err != nil || v[0].Entries != 502 || !v[0].CanRollBack {
		t.Errorf("%+v %v", v, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tor.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := f.Load(); err != nil || len(c.Feeds) != 0 || c.Statuses[0].Err == nil {
		t.Errorf("%+v %v", c, err)
	}
}

func TestOlderIsRefused(t *testing.T) {
	f, _ := open(t)
	list := func(version string) string {
		return write(t, "list.json", `{"version":`+version+`,"type":"cidr","list":["5.6.7.8"]}`)
	}
	r := feeds.Request{Names: []string{"misp-vpn-ipv4"}, From: list("20260811")}
	want(t, update(t, f, r), feeds.Updated, nil)
	r.From = list("20260711")
	want(t, update(t, f, r), feeds.Refused, feeds.ErrOlder)
	r.Force = true
	want(t, update(t, f, r), feeds.Updated, nil)
}

func database(t *testing.T, built int64, org string) string {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", BuildEpoch: built, RecordSize: 24, Description: map[string]string{"en": "test"}})
	if err != nil {
		t.Fatal(err)
	}
	record := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(15169), "autonomous_system_organization": mmdbtype.String(org)}
	if err := w.Insert(&net.IPNet{IP: net.IPv4(8, 8, 8, 0).To4(), Mask: net.CIDRMask(24, 32)}, record); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return write(t, "GeoLite2-ASN.mmdb", b.String())
}

func TestDatabases(t *testing.T) {
	f, _ := open(t)
	const built = 1_780_000_000
	r := update(t, f, feeds.Request{From: database(t, built, "Google")})
	if want(t, r, feeds.Updated, nil); r.Name != "mmdb-GeoLite2-ASN" || r.Info.Date != "2026-05-28" {
		t.Errorf("%+v", r)
	}
	want(t, update(t, f, feeds.Request{From: database(t, built-1, "Older")}), feeds.Refused, mmdb.ErrOlder)
	want(t, update(t, f, feeds.Request{From: write(t, "GeoLite2-ASN.mmdb", "<html>")}), feeds.Refused, mmdb.ErrNotDatabase)
	want(t, update(t, f, feeds.Request{From: database(t, built+1, "Newer")}), feeds.Updated, nil)
	org := func() string {
		c, err := f.Load()
		if err != nil || len(c.Databases) != 1 {
			t.Fatal(c, err)
		}
		set := mmdb.New(mmdb.Options{Scratch: t.TempDir()}, c.Databases...)
		if s := set.Reload()[0]; s.Err != nil {
			t.Fatal(s.Err)
		}
		route, _ := set.View().Route(netip.MustParseAddr("8.8.8.8"))
		return route.Org
	}
	if got := org(); got != "Newer" {
		t.Errorf("%q is in use", got)
	}
	if _, err := f.Rollback("mmdb-GeoLite2-ASN"); err != nil || org() != "Google" {
		t.Errorf("%q after going back, %v", org(), err)
	}
	if v, err := f.Verify(); err != nil || len(v) != 1 || v[0].Err != nil {
		t.Errorf("%+v %v", v, err)
	}
}

func TestDownload(t *testing.T) {
	var body atomic.Value
	body.Store(exits(600))
	var status, asked, conditional atomic.Int64
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("If-None-Match") == `"v1"` {
			conditional.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Tue, 11 Aug 2026 10:00:00 GMT")
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(body.Load().(string))) // the client may have gone
	}))
	defer server.Close()
	f, dir := open(t)
	from := server.URL + "/torbulkexitlist?key=geheim"
	r := update(t, f, feeds.Request{From: from})
	if want(t, r, feeds.Updated, nil); r.Info.Date != "2026-08-11" {
		t.Errorf("%+v", r.Info)
	}
	want(t, update(t, f, feeds.Request{From: from}), feeds.Unchanged, nil)
	if conditional.Load() != 1 {
		t.Error("the second question was not conditional")
	}
	state, err := os.ReadFile(filepath.Join(dir, "tor.json"))
	if err != nil || strings.Contains(string(state), "geheim") {
		t.Errorf("the state holds the key: %s %v", state, err)
	}
	// A file that is not there any more is not "unchanged".
	files, err := filepath.Glob(filepath.Join(dir, "tor.????????????????"))
	if err != nil || len(files) != 1 || os.Remove(files[0]) != nil {
		t.Fatal(files, err)
	}
	want(t, update(t, f, feeds.Request{From: from}), feeds.Updated, nil)

	g, _ := open(t)
	for _, code := range []int64{401, 404, 429, 500} {
		status.Store(code)
		r := update(t, g, feeds.Request{From: from})
		if r.Outcome != feeds.Refused || !strings.Contains(r.Err.Error(), fmt.Sprint(code)) || strings.Contains(r.Err.Error(), "geheim") {
			t.Errorf("%d: %+v", code, r)
		}
	}
	status.Store(http.StatusOK)
	body.Store(strings.Repeat("#", 3<<20))
	want(t, update(t, g, feeds.Request{From: from}), feeds.Refused, netclass.ErrTooLarge)
	server.Close()
	if r := update(t, g, feeds.Request{From: from}); r.Outcome != feeds.Refused || strings.Contains(r.Err.Error(), "geheim") {
		t.Errorf("%+v", r)
	}
}

// A body that breaks off or never ends is refused, and the old version stays.
func TestBrokenDownloads(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "short") {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(exits(400))) // and no more
			return
		}
		_, _ = w.Write([]byte(exits(400)))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}))
	defer server.Close()
	defer close(release)
	f, err := feeds.Open(t.TempDir(), feeds.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for path, cause := range map[string]error{"/short": nil, "/slow": context.DeadlineExceeded} {
		r := update(t, f, feeds.Request{Names: []string{"tor"}, From: server.URL + path})
		if r.Outcome != feeds.Refused || r.Err == nil || cause != nil && !errors.Is(r.Err, cause) {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if got := entries(t, f); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestNames(t *testing.T) {
	f, _ := open(t)
	file := write(t, "something.txt", exits(400))
	for _, names := range [][]string{{"tor", "aws"}, {"../tor"}, {"misp-../../x"}, {"mmdb-../x"}, {"nothing"}, {""}} {
		if results, err := f.Update(t.Context(), feeds.Request{Names: names, From: file}); err == nil {
			t.Errorf("%q: %+v", names, results)
		}
	}
	if _, err := f.Update(t.Context(), feeds.Request{From: file}); err == nil {
		t.Error("a file of no known name is taken")
	}
	want(t, update(t, f, feeds.Request{Names: []string{"tor"}, From: file}), feeds.Updated, nil)
	if _, err := f.Rollback("../tor"); err == nil {
		t.Error("a path is taken for a name")
	}
	// Azure's address changes every week.
	if _, err := f.Update(t.Context(), feeds.Request{Names: []string{"azure"}}); err == nil {
		t.Error("Azure is fetched from nowhere")
	}
}
