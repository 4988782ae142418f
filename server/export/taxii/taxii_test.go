package taxii_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/export/taxii"
)

// source has one collection with two objects, and notes what it was asked.
type source struct {
	by    taxii.Caller
	asked taxii.Query
	err   error
}

const (
	collectionID = "0d3aa60a-ebbe-56c4-acb5-284eb7e85ff6"
	objectID     = "indicator--7bbd7ec8-5bd8-4a3b-a1c1-4ee2a3dd8c3d"
)

func (s *source) Known(_ context.Context, by taxii.Caller) error {
	s.by = by
	return s.err
}

func (s *source) Collections(_ context.Context, by taxii.Caller) ([]taxii.Collection, error) {
	s.by = by
	return []taxii.Collection{{ID: collectionID, Alias: "tlp-green", Title: "TLP:GREEN", Description: "some"}}, s.err
}

func (s *source) Collection(ctx context.Context, by taxii.Caller, name string) (taxii.Collection, error) {
	all, err := s.Collections(ctx, by)
	if err == nil && name != all[0].ID && name != all[0].Alias {
		err = &taxii.Error{Status: http.StatusNotFound, Title: "Not found", Code: "NOT_FOUND"}
	}
	return all[0], err
}

func at(second int) time.Time {
	return time.Date(2026, 11, 22, 10, 0, second, 123_456_000, time.UTC)
}

func (s *source) Objects(ctx context.Context, by taxii.Caller, name string, q taxii.Query) (taxii.Page, error) {
	s.asked = q
	if _, err := s.Collection(ctx, by, name); err != nil {
		return taxii.Page{}, err
	}
	if len(q.IDs) == 1 && q.IDs[0] != objectID || len(q.Types) > 0 && q.Types[0] == "grouping" {
		return taxii.Page{}, nil
	}
	return taxii.Page{Next: "more", Objects: []taxii.Object{
		{ID: objectID, Version: at(0), Added: at(1), JSON: `{"id":"` + objectID + `"}`}, {ID: "x", Version: at(0), Added: at(2), JSON: `{"id":"x"}`},
	}}, nil
}

func ask(t testing.TB, s taxii.Source, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://taxii.example", nil)
	if u, err := url.Parse(path); err == nil {
		r.URL = u
	} else {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	taxii.Handler(s, taxii.Options{Title: "Here", BodyBytes: 1 << 20}).ServeHTTP(w, r)
	return w
}

const below = "/taxii2/elsewhere/collections/"

func TestResources(t *testing.T) {
	for path, want := range map[string]string{
		"/taxii2/": `{"title":"Here","description":"What was learned in investigations, without who it was done to.","default":"/taxii2/elsewhere/","api_roots":["/taxii2/elsewhere/"]}`,
		"/taxii2/elsewhere/": `{"title":"Here","description":"A collection for each label, and for each actor and label: what your key may hand on under it.",` +
			`"versions":["application/taxii+json;version=2.1"],"max_content_length":1048576}`,
		below: `{"collections":[{"id":"` + collectionID + `","title":"TLP:GREEN","description":"some","alias":"tlp-green","can_read":true,"can_write":false,"media_types":["application/stix+json;version=2.1"]}]}`,
		below + "tlp-green/": `{"id":"` + collectionID + `","title":"TLP:GREEN","description":"some","alias":"tlp-green","can_read":true,"can_write":false,` +
			`"media_types":["application/stix+json;version=2.1"]}`,
		below + "tlp-green/objects/":                      `{"more":true,"next":"more","objects":[{"id":"` + objectID + `"},{"id":"x"}]}`,
		below + "tlp-green/objects":                       `{"more":true,"next":"more","objects":[{"id":"` + objectID + `"},{"id":"x"}]}`,
		below + "tlp-green/objects/" + objectID + "/":     `{"more":true,"next":"more","objects":[{"id":"` + objectID + `"},{"id":"x"}]}`,
		below + "tlp-green/objects/?match[type]=grouping": `{"more":false}`,
		below + "tlp-green/manifest/": `{"more":true,"next":"more","objects":[` +
			`{"id":"` + objectID + `","date_added":"2026-11-22T10:00:01.123456Z","version":"2026-11-22T10:00:00.123456Z","media_type":"application/stix+json;version=2.1"},` +
			`{"id":"x","date_added":"2026-11-22T10:00:02.123456Z","version":"2026-11-22T10:00:00.123456Z","media_type":"application/stix+json;version=2.1"}]}`,
		below + "tlp-green/objects/" + objectID + "/versions/": `{"more":true,"next":"more","versions":["2026-11-22T10:00:00.123456Z","2026-11-22T10:00:00.123456Z"]}`,
	} {
		w := ask(t, &source{}, "GET", path, "Accept: application/taxii+json;version=2.1")
		if diff := cmp.Diff(want+"\n", w.Body.String()); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%s: %d %s", path, w.Code, diff)
		}
		if got := w.Header().Get("Content-Type"); got != taxii.MediaType {
			t.Errorf("%s is %s", path, got)
		}
		dated := strings.Contains(want, `"more":true`)
		first, last := w.Header().Get("X-TAXII-Date-Added-First"), w.Header().Get("X-TAXII-Date-Added-Last")
		if dated != (first == "2026-11-22T10:00:01.123456Z" && last == "2026-11-22T10:00:02.123456Z") || !dated && first+last != "" {
			t.Errorf("%s was added from %s to %s", path, first, last)
		}
	}
}

func TestErrors(t *testing.T) {
	post := "Content-Type: application/taxii+json;version=2.1"
	for name, test := range map[string]struct {
		method, path string
		header       []string
		status       int
		code         string
	}{
		"no such root":            {"GET", "/taxii2/other/", nil, 404, "NOT_FOUND"},
		"no such path":            {"GET", "/taxii2/elsewhere/channels/", nil, 404, "NOT_FOUND"},
		"a status":                {"GET", "/taxii2/elsewhere/status/1/", nil, 404, "NOT_FOUND"},
		"no such collection":      {"GET", below + "x/objects/", nil, 404, "NOT_FOUND"},
		"no such object":          {"GET", below + "tlp-green/objects/indicator--00000000-0000-4000-8000-000000000000/", nil, 404, "NOT_FOUND"},
		"no object at all":        {"GET", below + "tlp-green/objects/hello/", nil, 404, "NOT_FOUND"},
		"deep":                    {"GET", below + "tlp-green/objects/" + objectID + "/versions/1/", nil, 404, "NOT_FOUND"},
		"another type":            {"GET", "/taxii2/", []string{"Accept: application/json"}, 406, "ACCEPT"},
		"another version":         {"GET", "/taxii2/", []string{"Accept: application/taxii+json;version=2.0"}, 406, "ACCEPT"},
		"the old protocol":        {"GET", "/taxii2/", []string{"Accept: application/vnd.oasis.taxii+json; version=2.0"}, 406, "ACCEPT"},
		"ours, refused":           {"GET", "/taxii2/", []string{"Accept: application/taxii+json;q=0"}, 406, "ACCEPT"},
		"adding":                  {"POST", below + "tlp-green/objects/", []string{post}, 403, "READ_ONLY"},
		"adding to another":       {"POST", below + "x/objects/", []string{post}, 404, "NOT_FOUND"},
		"adding JSON":             {"POST", below + "tlp-green/objects/", []string{"Content-Type: application/json"}, 415, "CONTENT_TYPE"},
		"adding what is not said": {"POST", below + "tlp-green/objects/", nil, 415, "CONTENT_TYPE"},
		"deleting":                {"DELETE", below + "tlp-green/objects/" + objectID + "/", nil, 403, "READ_ONLY"},
		"putting":                 {"PUT", below + "tlp-green/objects/", nil, 405, "METHOD_NOT_ALLOWED"},
		"posting elsewhere":       {"POST", "/taxii2/", nil, 405, "METHOD_NOT_ALLOWED"},
		"deleting a manifest":     {"DELETE", below + "tlp-green/manifest/", nil, 405, "METHOD_NOT_ALLOWED"},
		"limit 0":                 {"GET", below + "tlp-green/objects/?limit=0", nil, 400, "PARAMETER_INVALID"},
		"limit -1":                {"GET", below + "tlp-green/manifest/?limit=-1", nil, 400, "PARAMETER_INVALID"},
		"limit ten":               {"GET", below + "tlp-green/objects/?limit=ten", nil, 400, "PARAMETER_INVALID"},
		"a day":                   {"GET", below + "tlp-green/objects/?added_after=2026-11-22", nil, 400, "PARAMETER_INVALID"},
		"a field":                 {"GET", below + "tlp-green/objects/?match[name]=x", nil, 400, "PARAMETER_INVALID"},
		"a field of another":      {"GET", below + "tlp-green/objects/" + objectID + "/versions/?match[version]=last", nil, 400, "PARAMETER_INVALID"},
		"an id":                   {"GET", below + "tlp-green/objects/?match[id]=x", nil, 400, "PARAMETER_INVALID"},
		"half a field":            {"GET", below + "tlp-green/objects/?match[id=x", nil, 400, "PARAMETER_INVALID"},
		"twice":                   {"GET", below + "tlp-green/objects/?limit=1&limit=2", nil, 400, "PARAMETER_INVALID"},
		"too many":                {"GET", below + "tlp-green/objects/?match[type]=" + strings.Repeat("x,", 100) + "x", nil, 400, "PARAMETER_INVALID"},
		"a broken query":          {"GET", below + "tlp-green/objects/?limit=%zz", nil, 400, "PARAMETER_INVALID"},
		"a version":               {"GET", below + "tlp-green/objects/?match[version]=newest", nil, 400, "PARAMETER_INVALID"},
		"a version of STIX":       {"GET", below + "tlp-green/objects/?match[spec_version]=two", nil, 400, "PARAMETER_INVALID"},
	} {
		w := ask(t, &source{}, test.method, test.path, test.header...)
		var told struct {
			Title, Description string
			Code               string `json:"error_code"`
			Status             string `json:"http_status"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
			t.Errorf("%s: %v %s", name, err, w.Body)
		}
		if w.Code != test.status || told.Code != test.code || told.Title == "" || told.Status != strconv.Itoa(test.status) ||
			w.Header().Get("Content-Type") != taxii.MediaType {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if (test.status == http.StatusMethodNotAllowed) != (w.Header().Get("Allow") != "") {
			t.Errorf("%s: Allow is %q", name, w.Header().Get("Allow"))
		}
	}
	for err, want := range map[error]int{
		errors.New("broken"): http.StatusInternalServerError,
		&taxii.Error{Status: http.StatusUnauthorized, Title: "no key"}:                     http.StatusUnauthorized,
		&taxii.Error{Status: http.StatusTooManyRequests, Title: "too many", RetryAfter: 7}: http.StatusTooManyRequests,
	} {
		for _, path := range []string{"/taxii2/", "/taxii2/elsewhere/", "/taxii2/elsewhere/status/1/", below, below + "tlp-green/", below + "tlp-green/manifest/"} {
			w := ask(t, &source{err: err}, "GET", path)
			if w.Code != want || strings.Contains(w.Body.String(), "broken") || (want == 401) != (len(w.Header()["Www-Authenticate"]) == 2) ||
				(want == 429) != (w.Header().Get("Retry-After") == "7") {
				t.Errorf("%s: %v: %d %v %s", path, err, w.Code, w.Header(), w.Body)
			}
		}
	}
}

func TestCaller(t *testing.T) {
	for name, test := range map[string]struct{ header, want string }{
		"none":    {"", ""},
		"bearer":  {"Authorization: Bearer key", "Bearer key"},
		"basic":   {"Authorization: Basic a2ltOmtleQ==", "Bearer key"},
		"no name": {"Authorization: Basic OmtleQ==", "Bearer key"},
		// A name is none, and what is no header stays as it is.
		"key as name": {"Authorization: Basic a2V5Og==", "Bearer "},
		"broken":      {"Authorization: Basic ???", "Basic ???"},
		"token":       {"Authorization: Token key", "Token key"},
	} {
		s := &source{}
		ask(t, s, "GET", "/taxii2/", test.header, "X-Request-Id: seven")
		if s.by.Authorization != test.want || s.by.RequestID != "seven" {
			t.Errorf("%s: %+v, want %q", name, s.by, test.want)
		}
	}
}

func TestQuery(t *testing.T) {
	for raw, want := range map[string]taxii.Query{
		"":                                 {Limit: 100},
		"limit=7&next=abc&x=y":             {Limit: 7, Next: "abc"},
		"limit=99999999999":                {Limit: taxii.MaxLimit},
		"added_after=2026-11-22T10:00:00Z": {Limit: 100, AddedAfter: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)},
		"added_after=2026-11-22T10:00:00.123456789Z":           {Limit: 100, AddedAfter: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)},
		"added_after=2026-11-22T11:00:00.5%2B01:00":            {Limit: 100, AddedAfter: time.Date(2026, 11, 22, 10, 0, 0, 500000000, time.UTC)},
		"added_after=2026-11-22T11:00:00+01:00":                {Limit: 100, AddedAfter: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)},
		"match[type]=indicator,note&match%5Bid%5D=" + objectID: {Limit: 100, Types: []string{"indicator", "note"}, IDs: []string{objectID}},
		"match[version]=first,2026-11-22T10:00:00.120Z":        {Limit: 100, Versions: []string{"first", "2026-11-22T10:00:00.12Z"}},
		"match[spec_version]=2.0,2.1":                          {Limit: 100, SpecVersions: []string{"2.0", "2.1"}},
	} {
		s := &source{}
		if w := ask(t, s, "GET", below+"tlp-green/objects/?"+raw); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", raw, w.Code, w.Body)
		}
		if diff := cmp.Diff(want, s.asked); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

// FuzzRequest: whatever is asked, what comes back is TAXII, and what reaches the source
// is bounded.
func FuzzRequest(f *testing.F) {
	for _, query := range []string{
		"limit=7&next=abc", "added_after=2026-11-22T10:00:00.123456Z", "added_after=2026-11-22T11:00:00+01:00", "match[type]=indicator,note",
		"match[id]=" + objectID, "match[version]=all,first,last,2026-11-22T10:00:00Z", "match[spec_version]=2.1", "match[=&limit=1&limit=2", "%zz",
		"added_after=0000-01-01T00:00:00-23:59", "limit=18446744073709551616", "next=" + strings.Repeat("a", 600),
	} {
		f.Add("GET", "/taxii2/elsewhere/collections/tlp-green/objects/", query, "application/taxii+json;version=2.1")
	}
	f.Add("POST", "/taxii2/elsewhere/collections/tlp-green/objects/", "", "*/*;q=0.1, text/html")
	f.Add("DELETE", "/taxii2//elsewhere/../x", "", "application/*;q=nan")
	f.Fuzz(func(t *testing.T, method, path, query, accept string) {
		r := httptest.NewRequest("GET", "http://taxii.example/", nil)
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s := &source{}
		taxii.Handler(s, taxii.Options{BodyBytes: 1}).ServeHTTP(w, r)
		var told any
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Header().Get("Content-Type") != taxii.MediaType {
			t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
		}
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		q := s.asked
		for _, list := range [][]string{q.IDs, q.Types, q.Versions, q.SpecVersions} {
			if len(list) > taxii.MaxWanted {
				t.Errorf("%d are wanted", len(list))
			}
		}
		if q.Limit < 0 || q.Limit > taxii.MaxLimit || len(q.Next) > 512 || q.AddedAfter.Year() > 9999 || q.AddedAfter.Year() < 1 {
			t.Errorf("%+v", q)
		}
	})
}
