package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/rest/openapi"
)

// described is an operation of the description.
type described struct {
	method, path string
	places       []string // in the path
	query        []string
	body         bool
}

// operations are those of the description, in order.
func operations(t testing.TB) []described {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody json.RawMessage
		}
	}
	if err := json.Unmarshal(openapi.Description(), &doc); err != nil {
		t.Fatal(err)
	}
	var all []described
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			o := doc.Paths[path][method]
			d := described{method: strings.ToUpper(method), path: path, body: o.RequestBody != nil}
			for _, p := range o.Parameters {
				if p.In == "path" {
					d.places = append(d.places, p.Name)
				} else {
					d.query = append(d.query, p.Name)
				}
			}
			all = append(all, d)
		}
	}
	if len(all) < 45 {
		t.Fatalf("only %d operations", len(all))
	}
	return all
}

// bad is a request that nothing may take.
type bad struct {
	what, method, path, body string
	header                   []string
	// field is one that has to be named, "" for any.
	field string
}

// filled is a path with values that are well formed, but for one place.
func (d described) filled(place, value string) string {
	path := d.path
	for _, p := range d.places {
		v := "nothing"
		if p == "version" {
			v = "99"
		}
		if p == place {
			v = value
		}
		path = strings.Replace(path, "{"+p+"}", v, 1)
	}
	return path
}

// badOnes are requests for an operation of which none may succeed.
func (d described) badOnes() []bad {
	var all []bad
	add := func(what, path, body, field string, header ...string) {
		if d.body && body == "" {
			body = "{}"
		}
		all = append(all, bad{what, d.method, path, body, header, field})
	}
	for _, p := range d.places {
		for _, v := range []string{"%ff", "a%C3", "%00", "%0A", "%20", "!!", "%F0%9F%92%A9", "..%2F..", "-", strings.Repeat("a", 5_000)} {
			add("in the path "+v[:min(len(v), 20)], d.filled(p, v), "", "")
		}
		all[len(all)-10].field, all[len(all)-9].field = "the path", "the path"
		if p == "version" {
			add("in the path 4294967296", d.filled(p, "4294967296"), "", "")
		}
	}
	path := d.filled("", "")
	ask := path + "?"
	if d.path == "/v1/links:watch" {
		ask += "cursor=x&"
	}
	if !d.body || len(d.query) > 0 {
		for _, q := range d.query {
			for _, v := range []string{"%ff", "a%ED%A0%80"} {
				add("in the query "+v, ask+q+"="+v, "", snake(q))
			}
			if strings.HasSuffix(q, "ageToken") || q == "cursor" {
				for _, v := range []string{"x", "%00", "AAAA", url.QueryEscape("🙈"), strings.Repeat("A", 5_000), strings.Repeat("_", 43)} {
					add("a token", path+"?"+q+"="+v, "", "")
				}
			}
			if strings.HasSuffix(q, "ageSize") || q == "newest" || q == "expectedRevision" {
				for _, v := range []string{"-1", "4294967296", "1e99", "0x", "%20", "many"} {
					add("a size "+v, ask+q+"="+v, "", "")
				}
			}
		}
	}
	add("an unknown parameter", ask+"no_such=1", "", "no_such")
	add("a parameter that is no text", ask+"%ff%fe=1", "", "")
	add("no query", ask+"%zz=1", "", "")
	if d.body {
		for what, body := range map[string]string{
			"cut off": `{"a":`, "no JSON": "\x00\x01\x02", "a list": "[]", "text": `"x"`, "a number": "7", "unknown": `{"noSuchField":1}`,
			"a name that is no text": "{\"a\xff\":1}", "half a character": `{"a\ud800":1}`, "two": "{}{}", "two names": `{"a":1,"a":2}`,
			"deep": strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000), "deep lists": strings.Repeat("[", 50_000),
			"a mark": "\ufeff{}", "a comment": "{} // x",
		} {
			if d.path == "/v1/cases:batch" && (what == "two" || what == "a comment") {
				// The first of them is answered.
				continue
			}
			add("the body "+what, path, body, "")
		}
		add("no type", path, "{}", "", "Content-Type: ")
		add("a form", path, "a=b", "", "Content-Type: application/x-www-form-urlencoded")
		add("compressed", path, "{}", "", "Content-Encoding: zstd")
	}
	add("a condition", ask+"no_such=1", "", "", "If-Match: \xff")
	for _, h := range []string{
		"X-Request-Id: \xff\xfe", "X-Request-Id: " + strings.Repeat("x", 5_000), "Traceparent: \xc3", "Grpc-Timeout: \xff", "Grpc-Timeout: 0n", "Accept: \xff/\xff",
		"X-Forwarded-For: \xff", "Grpc-Metadata-Elsewhere-Peer-Bin: %", "Last-Event-ID: \xff", "Te: trailers", "Connection: upgrade",
	} {
		add(fmt.Sprintf("the header %.30q", h), ask+"no_such=1", "", "", h)
	}
	return all
}

// snake is a name as the schema has it.
func snake(name string) string {
	return strings.ToLower(regexp.MustCompile("([A-Z])").ReplaceAllString(name, "_$1"))
}

// TestRESTSweep asks for every path with every method in ways that nobody may, for every
// role: the answer is a problem and never a fault of the service.
func TestRESTSweep(t *testing.T) {
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	g.tenants(t, "alder", "birch")
	keys := map[string]string{"nobody": ""}
	for role, key := range map[string]*elsewherev1.Key{
		"an admin":    elsewherev1.Key_builder{Role: admin}.Build(),
		"a lead":      elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build(),
		"an analyst":  elsewherev1.Key_builder{Role: analyst, Tenants: []string{"alder"}}.Build(),
		"a tenant":    elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{"alder"}}.Build(),
		"a submitter": elsewherev1.Key_builder{Role: submitter, Tenants: []string{"alder"}}.Build(),
	} {
		_, keys[role] = g.make(t, key)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	asked := 0
	for _, d := range operations(t) {
		for _, b := range d.badOnes() {
			for _, role := range slices.Sorted(maps.Keys(keys)) {
				what := fmt.Sprintf("%s: %s %.80s: %s", role, b.method, b.path, b.what)
				asked++
				status, body, kind := b.ask(t, client, g.http, keys[role])
				var p trouble
				err := json.Unmarshal(body, &p)
				if status < 400 || status > 499 || kind != "application/problem+json" || err != nil || p.Status != status || p.Reason == "" || p.RequestID == "" || p.Type != "urn:elsewhere:error:"+p.Reason {
					t.Errorf("%s: %d %s %.300s", what, status, kind, body)
					continue
				}
				if b.field == "the path" && (p.Reason != "PATH_INVALID" || len(p.Errors) != 1 || p.Errors[0].Reason != "NOT_UTF8") {
					t.Errorf("%s names no field: %s", what, body)
				} else if b.field != "" && b.field != "the path" && !slices.ContainsFunc(p.Errors, func(e struct{ Path, Reason, Message string }) bool { return e.Path == b.field }) {
					t.Errorf("%s does not name %s: %s", what, b.field, body)
				}
			}
		}
	}
	t.Logf("%d requests", asked)
	// None of it has changed anything, nor ended the service.
	for what, path := range map[string]string{`"cases":[]`: "/v1/cases", `"models":[`: "/v1/models", `"webhooks":[]`: "/v1/webhooks"} {
		key := keys["a lead"]
		if path == "/v1/webhooks" {
			key = keys["an admin"]
		}
		if body := (site{g.http, key}).ask(t, "GET", path, "").ok(t, path, http.StatusOK); !strings.Contains(body, what) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// ask sends the request as it is.
func (b bad) ask(t testing.TB, client *http.Client, addr, key string) (status int, body []byte, kind string) {
	t.Helper()
	path, query, _ := strings.Cut(b.path, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	req := (&http.Request{
		Method: b.method, URL: &url.URL{Scheme: "http", Host: addr, Path: plain, RawPath: path, RawQuery: query},
		Header: http.Header{}, Body: http.NoBody,
	}).WithContext(t.Context())
	if b.body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(b.body)), int64(len(b.body))
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range b.header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", b.method, b.path, err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body, res.Header.Get("Content-Type")
}
