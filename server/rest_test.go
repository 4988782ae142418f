package server_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/rest/openapi"
)

// site is the HTTP side of a deployment with a key; "" is none.
type site struct{ addr, key string }

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends one request. Of header each is "Name: value".
func (s site) ask(t testing.TB, method, path, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	// What is compressed is to be seen as it is.
	res, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(got)}
}

// trouble is what is read of a problem.
type trouble struct {
	Type, Title, Detail, Reason, RequestID string
	Status, ErrorsTotal, RetryAfterSeconds int
	CurrentRevision                        *uint32
	Errors                                 []struct{ Path, Reason, Message string }
}

// problem expects a problem of a status and a reason.
func (r reply) problem(t testing.TB, what string, status int, reason string) trouble {
	t.Helper()
	var p trouble
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Errorf("%s: %d %q: %v", what, r.status, r.body, err)
	}
	if r.status != status || p.Status != status || p.Reason != reason || p.Type != "urn:elsewhere:error:"+reason ||
		p.Title != http.StatusText(status) || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d %s %s, want %d %s", what, r.status, r.header.Get("Content-Type"), r.body, status, reason)
	}
	return p
}

// ok expects an answer of a status and returns it.
func (r reply) ok(t testing.TB, what string, status int) string {
	t.Helper()
	if r.status != status {
		t.Errorf("%s: %d %s, want %d", what, r.status, r.body, status)
	}
	return r.body
}

// wrong returns another key of the same id.
func wrong(key string) string {
	swap := map[bool]string{true: "b", false: "a"}
	return key[:20] + swap[key[20] == 'a'] + key[21:]
}

const restCase = `{"kind":"bec","findings":[{"technique":"T1114.003","observables":[` +
	`{"kind":"ip","value":"104.161.20.102","roles":["login_source"]},{"kind":"forward_to","value":"x@evil-invoices.net","roles":["forward_target"]}]}]}`

// openREST is a service without keys.
func openREST(t testing.TB) site {
	return site{addr: start(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"}).http}
}

func TestRESTFromSubmitToDelete(t *testing.T) {
	s := openREST(t)
	first := s.ask(t, "PUT", "/v1/cases/alder/2023%2D7%3Aa.b%23c", restCase, "If-None-Match: *")
	first.ok(t, "a new case", http.StatusCreated)
	if got := first.header.Get("ETag"); got != `"1"` || first.header.Get("X-Request-Id") == "" {
		t.Errorf("header of a new case: %v", first.header)
	}
	body := s.ask(t, "POST", "/v1/cases", `{"case":{"tenant":"birch","id":"1",`+restCase[1:]+`}`).ok(t, "another", http.StatusCreated)
	if !strings.Contains(body, `"a":"alder/2023-7:a.b#c","b":"birch/1"`) {
		t.Errorf("submitting answers %s", body)
	}
	got := s.ask(t, "GET", "/v1/cases/alder/2023-7:a.b%23c", "")
	if got.ok(t, "GetCase", http.StatusOK); got.header.Get("ETag") != `"1"` || !strings.Contains(got.body, `"id":"2023-7:a.b#c"`) {
		t.Errorf("the case: %v %s", got.header, got.body)
	}
	for what, c := range map[string]struct{ method, path, body, want string }{
		"seen":          {"POST", "/v1/seen", `{"observables":[{"value":"104.161.20.102"}]}`, `"tenants":{"min":2,"max":2}`},
		"sightings":     {"GET", "/v1/sightings?observable.kind=ip&observable.value=104.161.20.102", "", `"tenant":"birch","case":"1"`},
		"links":         {"GET", "/v1/cases/alder/2023-7:a.b%23c/links", "", `"b":"birch/1"`},
		"tenant's":      {"GET", "/v1/tenants/alder/links?min_tier=TIER_STRONG&pageSize=1", "", `"b":"birch/1"`},
		"why":           {"GET", "/v1/links/alder/2023-7:a.b%23c/birch/1", "", `"families":[`},
		"reviewing":     {"POST", "/v1/links/alder/2023-7:a.b%23c/birch/1/review", `{"action":"REVIEW_ACTION_CONFIRM","reason":"one login"}`, `"history":[{`},
		"actors":        {"GET", "/v1/actors", "", `"members":["alder/2023-7:a.b#c","birch/1"]`},
		"cases":         {"GET", "/v1/cases?page_size=1", "", `"nextPageToken":"`},
		"of a tenant":   {"GET", "/v1/tenants/birch/cases", "", `"tenant":"birch"`},
		"enrich":        {"POST", "/v1/enrich", `{"observables":[{"value":"104.161.20.102"}],"localOnly":true}`, `"records":[{`},
		"feeds":         {"GET", "/v1/feeds", "", `"feeds":[`},
		"models":        {"GET", "/v1/models", "", `"models":[`},
		"hints":         {"POST", "/v1/tenants/alder/hints", `{"tokens":["Robin Quill"]}`, `"added":1,"total":1`},
		"tenants":       {"GET", "/v1/tenants", "", `"id":"alder"`},
		"keys":          {"GET", "/v1/keys", "", `"keys":[]`},
		"a tenant":      {"PATCH", "/v1/tenants/birch", `{"tenant":{"displayName":"Birch"},"updateMask":"displayName"}`, `"displayName":"Birch"`},
		"audit":         {"GET", "/v1/audit?newest=1", "", `"entries":[`},
		"a validation":  {"POST", "/v1/cases", `{"case":{"tenant":"birch","id":"9"},"validateOnly":true}`, `"caseRef":"birch/9"`},
		"the reference": {"GET", "/v1/docs", "", "<h1>Elsewhere: REST</h1>"},
		"its style":     {"GET", "/v1/docs/page.css", "", "font"},
		"for programs":  {"GET", "/v1/openapi.json", "", `"openapi": "3.`},
	} {
		status := http.StatusOK
		if body := s.ask(t, c.method, c.path, c.body).ok(t, what, status); !strings.Contains(body, c.want) {
			t.Errorf("%s: no %s in %s", what, c.want, body)
		}
	}
	s.ask(t, "DELETE", "/v1/cases/birch/1", "").ok(t, "deleting", http.StatusOK)
	s.ask(t, "GET", "/v1/cases/birch/1", "").problem(t, "what was deleted", http.StatusNotFound, "NOT_FOUND")
	s.ask(t, "DELETE", "/v1/cases/birch/1", "").problem(t, "once more", http.StatusNotFound, "NOT_FOUND")
	s.ask(t, "DELETE", "/v1/cases/birch/1?allow_missing=true", "").ok(t, "though it is not there", http.StatusOK)
}

func TestRESTExports(t *testing.T) {
	s := openREST(t)
	s.ask(t, "PUT", "/v1/cases/alder/1", restCase).ok(t, "a case", http.StatusCreated)
	const path = "/v1/cases/alder/1/export?format=EXPORT_FORMAT_CSV&selection.tlp=red"
	file := s.ask(t, "GET", path, "", "Accept: application/octet-stream")
	if file.ok(t, "a file", http.StatusOK); !strings.HasPrefix(file.body, "\ufeffIndicator_type,Data,Note\r\n") || file.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("the file: %s %q", file.header.Get("Content-Type"), file.body)
	}
	for what, lines := range map[string]string{
		"by path": s.ask(t, "GET", path, "").ok(t, "lines", http.StatusOK),
		"by body": s.ask(t, "POST", "/v1/exports", `{"selection":{"caseRef":"alder/1","tlp":"red"},"format":"EXPORT_FORMAT_CSV"}`).ok(t, "lines", http.StatusOK),
	} {
		var whole []byte
		summaries := 0
		for line := range strings.Lines(lines) {
			var part struct {
				Data    []byte
				Summary *struct{ TLP string }
			}
			if err := json.Unmarshal([]byte(line), &part); err != nil {
				t.Fatal(err)
			}
			whole = append(whole, part.Data...)
			if part.Summary != nil && part.Summary.TLP == "tlp:red" {
				summaries++
			}
		}
		if string(whole) != file.body || summaries != 1 {
			t.Errorf("%s: %d summaries and %q", what, summaries, whole)
		}
	}
	for what, accept := range map[string]string{"lines": "*/*", "a file": "application/octet-stream", "events": "text/event-stream"} {
		strict := s.ask(t, "GET", "/v1/cases/alder/1/export?format=EXPORT_FORMAT_CSV&selection.tlp=clear", "", "Accept: "+accept)
		strict.problem(t, "too strict for "+what, http.StatusConflict, "LABEL")
		s.ask(t, "GET", "/v1/cases/alder/7/export?format=EXPORT_FORMAT_CSV&selection.tlp=red", "", "Accept: "+accept).
			problem(t, "no such case for "+what, http.StatusNotFound, "NOT_FOUND")
	}
}

func TestRESTConditions(t *testing.T) {
	s := openREST(t)
	put := func(header ...string) reply { return s.ask(t, "PUT", "/v1/cases/alder/1", restCase, header...) }
	changed := strings.Replace(restCase, "bec", "phish", 1)
	if p := put(`If-Match: "1"`).problem(t, "no case to match", http.StatusPreconditionFailed, "REVISION_MISMATCH"); p.CurrentRevision == nil || *p.CurrentRevision != 0 {
		t.Errorf("tells revision %v", p.CurrentRevision)
	}
	put("If-None-Match: *").ok(t, "the first", http.StatusCreated)
	if p := put("If-None-Match: *").problem(t, "it is there", http.StatusPreconditionFailed, "REVISION_MISMATCH"); p.CurrentRevision == nil || *p.CurrentRevision != 1 || p.RequestID == "" {
		t.Errorf("tells %+v", p)
	}
	second := s.ask(t, "PUT", "/v1/cases/alder/1", changed, `If-Match: "1"`)
	if second.ok(t, "the next", http.StatusOK); second.header.Get("ETag") != `"2"` {
		t.Errorf("ETag %s", second.header.Get("ETag"))
	}
	put(`If-Match: "1"`).problem(t, "an old one", http.StatusPreconditionFailed, "REVISION_MISMATCH")
	s.ask(t, "POST", "/v1/cases", `{"case":{"tenant":"alder","id":"1"},"expectedRevision":1}`).problem(t, "in the body", http.StatusConflict, "REVISION_MISMATCH")
	for _, c := range [][]string{{"If-Match: 1"}, {"If-Match: *"}, {`If-Match: "0"`}, {`If-Match: "x"`}, {`If-None-Match: "1"`}, {`If-Match: "2"`, "If-None-Match: *"}} {
		put(c...).problem(t, fmt.Sprint(c), http.StatusBadRequest, "CONDITION_INVALID")
	}
	s.ask(t, "DELETE", "/v1/cases/alder/1", "", `If-Match: "2"`).problem(t, "a condition that nobody keeps", http.StatusBadRequest, "CONDITION_INVALID")
	s.ask(t, "GET", "/v1/cases/alder/1", "").ok(t, "it was not deleted", http.StatusOK)
}

func TestRESTRefusesWhatIsMalformed(t *testing.T) {
	s := openREST(t)
	type field struct{ Path, Reason string }
	for what, c := range map[string]struct {
		method, path, body, reason string
		fields                     []field
	}{
		"no JSON":                 {"POST", "/v1/seen", `{"observables":`, "JSON_SYNTAX", nil},
		"two objects":             {"POST", "/v1/seen", `{}{}`, "JSON_SYNTAX", nil},
		"unknown fields":          {"POST", "/v1/seen", `{"observables":[{"value":"x","knid":"ip"}],"more":1}`, "INVALID", []field{{"observables[0].knid", "FIELD_UNKNOWN"}, {"more", "FIELD_UNKNOWN"}}},
		"a bad type":              {"POST", "/v1/cases", `{"case":{"tenant":"a","id":1}}`, "INVALID", []field{{"case.id", "TYPE_WRONG"}}},
		"bad values":              {"PUT", "/v1/cases/alder/1", `{"tlp":"pink","findings":[{"observables":[{"kind":"ip","value":"1.2.3"}]}]}`, "INVALID", []field{{"tlp", "TLP_UNKNOWN"}, {"findings[0].observables[0].value", "MALFORMED"}}},
		"a misspelt query":        {"GET", "/v1/cases?page_sise=1", "", "INVALID", []field{{"page_sise", "FIELD_UNKNOWN"}}},
		"a query of a POST":       {"POST", "/v1/seen?include_records=true", `{"observables":[]}`, "INVALID", []field{{"include_records", "FIELD_UNKNOWN"}}},
		"a bad number":            {"GET", "/v1/cases?page_size=many", "", "INVALID", []field{{"page_size", "TYPE_WRONG"}}},
		"no number at all":        {"GET", "/v1/models/last", "", "PATH_INVALID", []field{{"version", "TYPE_WRONG"}}},
		"what stands in the path": {"GET", "/v1/tenants/alder/cases?tenant=birch", "", "INVALID", []field{{"tenant", "FIELD_UNKNOWN"}}},
		"twice":                   {"GET", "/v1/cases?page_size=1&pageSize=2", "", "INVALID", []field{{"page_size", "FIELD_TWICE"}}},
		"no text":                 {"GET", "/v1/cases/alder/%ff", "", "PATH_INVALID", []field{{"case_ref", "NOT_UTF8"}}},
		"a bad token":             {"GET", "/v1/cases?page_token=x", "", "INVALID", []field{{"page_token", "TOKEN_INVALID"}}},
	} {
		p := s.ask(t, c.method, c.path, c.body).problem(t, what, http.StatusBadRequest, c.reason)
		var got []field
		for _, e := range p.Errors {
			got = append(got, field{e.Path, e.Reason})
		}
		if d := cmp.Diff(c.fields, got); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	s.ask(t, "POST", "/v1/cases", strings.Repeat("{", 100)).problem(t, "braces", http.StatusBadRequest, "JSON_SYNTAX")
	s.ask(t, "POST", "/v1/seen", `{}`, "Content-Type: text/plain").problem(t, "a form", http.StatusUnsupportedMediaType, "CONTENT_TYPE")
	s.ask(t, "POST", "/v1/seen", `{}`, "Content-Encoding: gzip").problem(t, "a compressed body", http.StatusUnsupportedMediaType, "ENCODING")
	s.ask(t, "GET", "/v1/nothing", "").problem(t, "a path", http.StatusNotFound, "ROUTE_UNKNOWN")
	s.ask(t, "DELETE", "/v1/seen", "").problem(t, "a method", http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
	s.ask(t, "POST", "/v1/seen", `{"observables":[{"value":"`+strings.Repeat("x", server.MessageBytes)+`"}]}`, "Expect: 100-continue").
		problem(t, "33 MB", http.StatusRequestEntityTooLarge, "TOO_LARGE")
	s.ask(t, "GET", "/v1/cases?page_token=els_", "").problem(t, "what only begins as a key", http.StatusBadRequest, "INVALID")
}

func TestRESTBatch(t *testing.T) {
	s := openREST(t)
	line := func(i int, id string) string {
		return fmt.Sprintf(`{"index":%d,"submit":{"case":{"tenant":"alder","id":%q,%s}}`+"\n", i, id, strings.TrimSuffix(restCase[1:], "}")+"}")
	}
	lines := func(body string) []string { return strings.Split(strings.TrimSuffix(body, "\n"), "\n") }
	const kind = "Content-Type: application/x-ndjson"
	good := s.ask(t, "POST", "/v1/cases:batch", line(1, "1")+line(2, "no such/id")+line(3, "3"), kind)
	good.ok(t, "a batch", http.StatusOK)
	if got := lines(good.body); len(got) != 3 || !strings.Contains(good.body, `"index":"2","status":{"code":3,`) || !strings.Contains(good.body, `"caseRef":"alder/3"`) {
		t.Errorf("answers %s", good.body)
	}
	broken := s.ask(t, "POST", "/v1/cases:batch", line(1, "1")+"{broken\n"+line(3, "4"), kind)
	broken.ok(t, "a broken batch", http.StatusOK)
	got := lines(broken.body)
	if len(got) != 2 || !strings.Contains(got[0], `"index":"1"`) || !strings.HasPrefix(got[1], `{"error":{"type":"urn:elsewhere:error:JSON_SYNTAX"`) {
		t.Errorf("answers %s", broken.body)
	}
	s.ask(t, "GET", "/v1/cases/alder/4", "").problem(t, "what comes after", http.StatusNotFound, "NOT_FOUND")
	s.ask(t, "POST", "/v1/cases:batch", "{broken\n", kind).problem(t, "nothing but a broken line", http.StatusBadRequest, "JSON_SYNTAX")
	s.ask(t, "POST", "/v1/cases:batch", `{"index":1,"submit":{"kase":{}}}`, kind).problem(t, "an unknown field", http.StatusBadRequest, "INVALID")
}

func TestRESTCompressesAnswers(t *testing.T) {
	s := openREST(t)
	ask := func(encoding string) reply {
		return s.ask(t, "GET", "/v1/feeds", "", "Accept-Encoding: "+encoding)
	}
	plain := ask("identity").ok(t, "plain", http.StatusOK)
	for encoding, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		got := ask(encoding)
		r, err := open(strings.NewReader(got.body))
		if err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != plain || got.header.Get("Content-Encoding") != encoding || len(got.body) >= len(plain) {
			t.Errorf("%s: %d bytes as %s for %d: %v", encoding, len(got.body), got.header.Get("Content-Encoding"), len(plain), err)
		}
	}
}

func TestRESTAsksForKeys(t *testing.T) {
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	g.tenants(t, "alder", "birch")
	_, lead := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build())
	_, own := g.make(t, elsewherev1.Key_builder{Role: analyst, Tenants: []string{"alder"}}.Build())
	_, slow := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, CallsPerSecond: 0.01, Burst: 1}.Build())
	all := site{g.http, lead}
	all.ask(t, "PUT", "/v1/cases/birch/1", restCase).ok(t, "a lead", http.StatusCreated)
	for what, key := range map[string]string{"no key": "", "a wrong key": wrong(lead)} {
		for _, path := range []string{"/v1/cases", "/v1/cases/birch/1", "/v1/audit", "/v1/cases/birch/1/export?format=EXPORT_FORMAT_CSV"} {
			got := site{g.http, key}.ask(t, "GET", path, "")
			got.problem(t, what+" "+path, http.StatusUnauthorized, "KEY_NEEDED")
			if got.header.Get("WWW-Authenticate") != `Bearer realm="elsewhere"` {
				t.Errorf("%s %s: %v", what, path, got.header)
			}
		}
	}
	forbidden := site{g.http, own}.ask(t, "GET", "/v1/cases/birch/1", "")
	absent := site{g.http, own}.ask(t, "GET", "/v1/cases/birch/2", "")
	p, q := forbidden.problem(t, "another's case", http.StatusNotFound, "NOT_FOUND"), absent.problem(t, "no case", http.StatusNotFound, "NOT_FOUND")
	p.RequestID, q.RequestID = "", ""
	if d := cmp.Diff(q, p); d != "" {
		t.Errorf("the two differ: %s", d)
	}
	site{g.http, own}.ask(t, "GET", "/v1/keys", "").problem(t, "another's role", http.StatusForbidden, "ROLE")
	site{g.http, slow}.ask(t, "GET", "/v1/cases", "").ok(t, "the first call", http.StatusOK)
	fast := site{g.http, slow}.ask(t, "GET", "/v1/cases", "")
	if p := fast.problem(t, "the second", http.StatusTooManyRequests, "RESOURCE_EXHAUSTED"); p.RetryAfterSeconds < 1 || fast.header.Get("Retry-After") != fmt.Sprint(p.RetryAfterSeconds) {
		t.Errorf("when to come again: %v %+v", fast.header, p)
	}
	for what, r := range map[string]reply{
		"in the query":      site{g.http, ""}.ask(t, "GET", "/v1/cases?key="+lead, ""),
		"in the path":       site{g.http, ""}.ask(t, "GET", "/v1/cases/alder/"+lead, ""),
		"escaped":           site{g.http, ""}.ask(t, "GET", "/v1/cases/alder/els%5F"+lead[4:], ""),
		"in another header": all.ask(t, "GET", "/v1/cases", "", "X-Api-Key: "+lead),
	} {
		r.problem(t, what, http.StatusBadRequest, "KEY_MISPLACED")
	}
	all.ask(t, "GET", "/healthz", "").ok(t, "a key where none is needed", http.StatusBadRequest)
	site{g.http, ""}.ask(t, "GET", "/v1/openapi.json", "").ok(t, "the schema without a key", http.StatusOK)
	if !strings.Contains(g.scrape(t), `code="PermissionDenied",method="/elsewhere.v1.AdminService/ListKeys"`) {
		t.Error("calls over REST are not counted")
	}
}

// TestRESTRouteForEveryRPC asks for every operation of the description, without a
// key, and expects one for every RPC of the schema.
func TestRESTRouteForEveryRPC(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(openapi.Description(), &doc); err != nil {
		t.Fatal(err)
	}
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	described := make(map[string]bool)
	for path, item := range doc.Paths {
		for method, op := range item {
			// CaseService_SubmitCase, and with a number where there are several paths.
			described[strings.TrimRight(strings.Replace(op.OperationID, "_", "/", 1), "0123456789")] = true
			body := ""
			if method != "get" && method != "delete" {
				body = "{}"
			}
			got := site{g.http, ""}.ask(t, strings.ToUpper(method), strings.NewReplacer("{version}", "1", "{", "", "}", "").Replace(path), body)
			got.problem(t, method+" "+path, http.StatusUnauthorized, "KEY_NEEDED")
		}
	}
	rpcs := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("elsewhere.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				rpcs++
				if name := string(s.Name()) + "/" + string(s.Methods().Get(j).Name()); !described[name] {
					t.Errorf("%s has no route in proto/rest.yaml", name)
				}
			}
		}
		return true
	})
	if rpcs < 30 {
		t.Errorf("only %d RPCs", rpcs)
	}
}

func TestRESTAndPagesOfOtherSites(t *testing.T) {
	const soc, other = "https://soc.example", "https://other.example"
	closed := openREST(t)
	listed := site{addr: start(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", RESTOrigins: []string{soc}}).http}
	const path = "/v1/cases"
	for what, c := range map[string]struct {
		s      site
		header string
	}{
		"any page, by default":    {closed, "Origin: " + soc},
		"another page":            {listed, "Origin: " + other},
		"without an origin":       {closed, "Sec-Fetch-Site: cross-site"},
		"of another port":         {closed, "Sec-Fetch-Site: same-site"},
		"of a page without one":   {listed, "Origin: null"},
		"of a name that leads us": {closed, "Origin: http://evil.example"},
	} {
		got := c.s.ask(t, "GET", path, "", c.header)
		got.problem(t, what, http.StatusForbidden, "ORIGIN")
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", what, got.header)
		}
	}
	got := listed.ask(t, "GET", path, "", "Origin: "+soc, "Sec-Fetch-Site: cross-site")
	if got.ok(t, "a listed page", http.StatusOK); got.header.Get("Access-Control-Allow-Origin") != soc || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
		t.Errorf("a listed page: %v", got.header)
	}
	asked := listed.ask(t, "OPTIONS", path, "", "Origin: "+soc, "Access-Control-Request-Method: PUT")
	if asked.ok(t, "a question before", http.StatusNoContent); !strings.Contains(asked.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("a question before: %v", asked.header)
	}
	if got := closed.ask(t, "OPTIONS", path, "", "Origin: "+soc, "Access-Control-Request-Method: PUT"); got.status != http.StatusForbidden {
		t.Errorf("a question of any page: %d", got.status)
	}
	closed.ask(t, "GET", path, "", "Origin: http://"+closed.addr, "Sec-Fetch-Site: same-origin").ok(t, "a page of ours", http.StatusOK)
	if got := closed.ask(t, "GET", path, "", "Host: evil.example"); got.status != http.StatusMisdirectedRequest {
		t.Errorf("a name that leads to loopback: %d", got.status)
	}
	for _, bad := range []string{"soc.example", "https://soc.example/", "*", "null", "https://", "ftp://soc.example", "https://a@b"} {
		if s, err := server.Open(t.Context(), server.Config{Memory: true, GRPCAddr: "127.0.0.1:0", RESTOrigins: []string{bad}}); err == nil {
			t.Errorf("takes the origin %q at %s", bad, s.Addr())
		}
	}
}

// TestRESTSlowBody lets a body stop half way: the request ends, and no more.
func TestRESTSlowBody(t *testing.T) {
	limits := server.Limits{}
	limits.CallWithin = 2 * time.Second
	d := start(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Limits: limits})
	conn, err := net.Dial("tcp", d.http)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/seen HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"observables\":[")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply{res.StatusCode, res.Header, string(text)}.problem(t, "half a body", http.StatusRequestTimeout, "BODY_SLOW")
	site{addr: d.http}.ask(t, "GET", "/v1/cases", "").ok(t, "the next", http.StatusOK)
}

// TestRESTAnswersWhileCasesCome reads the answer to a case before the next is sent,
// and goes on beyond the time that one body may take.
func TestRESTAnswersWhileCasesCome(t *testing.T) {
	for within := 400 * time.Millisecond; ; within *= 4 {
		slowest, err := caseByCase(t, within)
		if err == nil {
			return
		}
		// On a busy machine it may be the test that did not send in time.
		if slowest < within/2 || within > time.Minute {
			t.Fatal(err)
		}
	}
}

// caseByCase sends cases one by one, each after the answer to the one before, for longer
// than a body may take. slowest is the longest time that passed between two of them.
func caseByCase(t *testing.T, within time.Duration) (slowest time.Duration, err error) {
	t.Helper()
	limits := server.Limits{}
	limits.CallWithin = within
	d := start(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Limits: limits})
	r, w := io.Pipe()
	defer w.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+d.http+"/v1/cases:batch", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	began := time.Now()
	go func() { fmt.Fprintln(w, `{"index":1,"submit":{"case":{"tenant":"a","id":"1"}}}`) }()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Since(began), err
	}
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	sent := began
	for i := 1; ; i++ {
		if !in.Scan() || !bytes.Contains(in.Bytes(), fmt.Appendf(nil, `"index":"%d"`, i)) {
			return max(slowest, time.Since(sent)), fmt.Errorf("after %s: %q, %v", time.Since(began), in.Text(), in.Err())
		}
		if time.Since(began) > 2*within {
			return slowest, nil
		}
		<-time.After(within / 8)
		fmt.Fprintf(w, `{"index":%d,"submit":{"case":{"tenant":"a","id":"1"}}}`+"\n", i+1)
		slowest, sent = max(slowest, time.Since(sent)), time.Now()
	}
}

// TestRESTWatches reads changes of links as lines and as events, and goes on behind
// the last event as a browser does.
func TestRESTWatches(t *testing.T) {
	d := start(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	s := site{addr: d.http}
	watch := func(path string, header ...string) (*bufio.Scanner, func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return bufio.NewScanner(res.Body), func() { cancel(); res.Body.Close() }
	}
	until := func(in *bufio.Scanner, part string) string {
		t.Helper()
		for in.Scan() {
			if strings.Contains(in.Text(), part) {
				return in.Text()
			}
		}
		t.Fatalf("no %s: %v", part, in.Err())
		return ""
	}
	const events = "Accept: text/event-stream"
	in, end := watch("/v1/links:watch", events)
	until(in, `data: {"checkpoint":`)
	s.ask(t, "PUT", "/v1/cases/alder/1", restCase).ok(t, "a case", http.StatusCreated)
	s.ask(t, "PUT", "/v1/cases/birch/1", restCase).ok(t, "another", http.StatusCreated)
	id := until(in, "id: ")
	for line := until(in, "data: "); !strings.Contains(line, `"b":"birch/1"`); line = until(in, "data: ") {
		id = until(in, "id: ")
	}
	end()
	s.ask(t, "PUT", "/v1/cases/cedar/1", restCase).ok(t, "a third", http.StatusCreated)
	again, end := watch("/v1/links:watch?since=3600s", events, "Last-Event-ID: "+strings.TrimPrefix(id, "id: "))
	defer end()
	for seen := 0; seen < 2; {
		if line := until(again, "data: "); strings.Contains(line, `"event":`) {
			seen++
			if !strings.Contains(line, "cedar/1") {
				t.Errorf("after the last event: %s", line)
			}
		}
	}
	lines, end := watch("/v1/links:watch?since=3600s")
	defer end()
	until(lines, `"a":"alder/1","b":"birch/1"`)
	s.ask(t, "GET", "/v1/links:watch?cursor=nonsense", "").problem(t, "a bad cursor", http.StatusBadRequest, "INVALID")
	s.ask(t, "GET", "/v1/links:watch", "", events, "Last-Event-ID: nonsense").problem(t, "a bad last event", http.StatusBadRequest, "INVALID")
}

// TestRESTBeyondLoopback serves the HTTP side where others reach it: with TLS and keys,
// without metrics and profiles.
func TestRESTBeyondLoopback(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "tls", 1)
	secured := server.Access{TLS: server.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}}
	const everywhere = "0.0.0.0:0"
	for what, c := range map[string]server.Config{
		"without TLS":  {Memory: true, GRPCAddr: "127.0.0.1:0", HTTPAddr: everywhere, Access: server.Access{Init: true}},
		"without keys": {Memory: true, GRPCAddr: "127.0.0.1:0", HTTPAddr: everywhere, Access: secured},
	} {
		if s, err := server.Open(t.Context(), c); err == nil {
			t.Errorf("%s it listens on %s", what, s.URL())
		}
	}
	g := guard(t, server.Config{Memory: true, GRPCAddr: "0.0.0.0:0", HTTPAddr: everywhere, Access: secured})
	_, port, err := net.SplitHostPort(g.http)
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"h2", "http/1.1"} {
		c := &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: protocol == "h2",
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}},
		}}
		defer c.CloseIdleConnections()
		for path, want := range map[string]int{
			"/": 200, "/icon.svg": 200, "/healthz": 200, "/readyz": 200, "/metrics": 404, "/debug/pprof/": 404, "/assets/none.js": 404, "/v1/docs": 200, "/v1/cases": 401, "/v1/audit": 401,
		} {
			res, err := c.Get("https://127.0.0.1:" + port + path)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want || res.TLS.NegotiatedProtocol != protocol || res.TLS.Version != tls.VersionTLS13 {
				t.Errorf("%s of %s: %d by %s", path, protocol, res.StatusCode, res.TLS.NegotiatedProtocol)
			}
		}
	}
	res, err := http.Get("http://127.0.0.1:" + port + "/healthz")
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("in the clear: %s", res.Status)
		}
	}
}

// TestRESTNamesRequests: each answer says what the log calls it, by the caller's own name
// where that can stand in a log.
func TestRESTNamesRequests(t *testing.T) {
	s := openREST(t)
	for _, path := range []string{"/v1/cases", "/v1/cases/alder/1", "/v1/nothing", "/v1/cases?page_sise=1", "/v1/openapi.json", "/v1/cases/alder/1/export"} {
		for given, want := range map[string]string{"": "", "mine-7": "mine-7", "not mine": "", strings.Repeat("x", 65): "", "\xff": ""} {
			got := s.ask(t, "GET", path, "", "X-Request-Id: "+given).header.Values("X-Request-Id")
			if len(got) != 1 || got[0] == "" || want != "" && got[0] != want || want == "" && got[0] == given {
				t.Errorf("%s named %q is called %q", path, given, got)
			}
		}
	}
}
