package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/web"
)

// site serves the page over something that answers 418.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	page, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(page.Over(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })))
	t.Cleanup(s.Close)
	return s
}

// get asks for a path; headers are "Name: value".
func get(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// assets are the files that the index names.
func assets(index string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(index, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestPageIsServedUnderItsPolicy(t *testing.T) {
	s := site(t)
	res, index := get(t, "GET", s.URL+"/")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("/: %s %v", res.Status, res.Header)
	}
	found := assets(index)
	if len(found) < 2 {
		t.Fatalf("the index names the files %q", found)
	}
	for _, inline := range []string{"<style", "style=", " onclick", "javascript:"} {
		if strings.Contains(index, inline) {
			t.Errorf("the index has %s", inline)
		}
	}
	if n := strings.Count(index, "<script"); n != 1 || !strings.Contains(index, `<script type="module" crossorigin src="/assets/`) {
		t.Errorf("%d scripts in the index", n)
	}
	for _, path := range append(found, "/", "/icon.svg") {
		for _, method := range []string{"GET", "HEAD"} {
			res, body := get(t, method, s.URL+path)
			if res.StatusCode != http.StatusOK || (method == "HEAD") != (body == "") {
				t.Errorf("%s %s: %s, %d bytes", method, path, res.Status, len(body))
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": web.Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s %s: %s is %q", method, path, name, got)
				}
			}
			if cache := res.Header.Get("Cache-Control"); strings.HasPrefix(path, "/assets/") != strings.Contains(cache, "immutable") {
				t.Errorf("%s: kept as %q", path, cache)
			}
		}
	}
	if res, _ := get(t, "POST", s.URL+"/"); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", res.Status)
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/../web.go", "/dist/index.html", "/index.html", "//", "/assets"} {
		if res, _ := get(t, "GET", s.URL+path); res.StatusCode != http.StatusTeapot {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

func TestPageIsPackedAndAskedForOnce(t *testing.T) {
	s := site(t)
	_, index := get(t, "GET", s.URL+"/")
	path := assets(index)[0]
	_, plain := get(t, "GET", s.URL+path)
	for header, packed := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0, br": false, "br": false, "identity": false,
	} {
		res, body := get(t, "GET", s.URL+path, "Accept-Encoding: "+header)
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("%s: packed %t", header, got)
			continue
		}
		if packed {
			r, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		if body != plain {
			t.Errorf("%s: another file", header)
		}
		again, body := get(t, "GET", s.URL+path, "Accept-Encoding: "+header, "If-None-Match: "+res.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: asked again: %s", header, again.Status)
		}
	}
}
