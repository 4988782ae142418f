package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/testdata"
)

const taxiiType = "application/taxii+json;version=2.1"

// taxiiClient asks a server as clients of TAXII do.
type taxiiClient struct{ site }

// get expects an answer of TAXII.
func (c taxiiClient) get(t testing.TB, path string, into any) reply {
	t.Helper()
	r := c.ask(t, "GET", path, "", "Accept: "+taxiiType)
	if r.status != http.StatusOK || r.header.Get("Content-Type") != taxiiType || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: %d %v %s", path, r.status, r.header, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}

// refused expects an error as TAXII tells it.
func (c taxiiClient) refused(t testing.TB, method, path string, status int, header ...string) reply {
	t.Helper()
	r := c.ask(t, method, path, "", header...)
	var told struct {
		Title  string
		Status string `json:"http_status"`
	}
	if err := json.Unmarshal([]byte(r.body), &told); err != nil || r.status != status || told.Status != fmt.Sprint(status) || told.Title == "" ||
		r.header.Get("Content-Type") != taxiiType {
		t.Errorf("%s %s: %d %v %s, want %d", method, path, r.status, r.header, r.body, status)
	}
	return r
}

type taxiiCollection struct {
	ID, Alias, Title  string
	CanRead, CanWrite bool
	MediaTypes        []string `json:"media_types"`
}

// collections finds its way from discovery to the collections, by alias.
func (c taxiiClient) collections(t testing.TB) (root string, by map[string]taxiiCollection) {
	t.Helper()
	var found struct {
		Title, Default string
		Roots          []string `json:"api_roots"`
	}
	c.get(t, "/taxii2/", &found)
	if found.Title == "" || len(found.Roots) != 1 || found.Default != found.Roots[0] {
		t.Fatalf("discovery: %+v", found)
	}
	// Roots may be relative to where discovery is.
	base, _ := url.Parse("/taxii2/")
	at, err := base.Parse(found.Roots[0])
	if err != nil {
		t.Fatal(err)
	}
	var is struct {
		Title    string
		Versions []string
		Max      int64 `json:"max_content_length"`
	}
	c.get(t, at.Path, &is)
	if is.Title == "" || !slices.Equal(is.Versions, []string{taxiiType}) || is.Max <= 0 {
		t.Fatalf("the API root: %+v", is)
	}
	var list struct{ Collections []taxiiCollection }
	c.get(t, at.Path+"collections/", &list)
	by = make(map[string]taxiiCollection)
	for _, one := range list.Collections {
		by[one.Alias] = one
	}
	return at.Path, by
}

type taxiiEnvelope struct {
	More    bool
	Next    string
	Objects []json.RawMessage
}

// pages follows the pages of a resource the way clients do: after the first it asks
// with as many as that had as limit.
func (c taxiiClient) pages(t testing.TB, path, query string, limit int) (objects []json.RawMessage, last string) {
	t.Helper()
	next := ""
	for {
		q := url.Values{}
		if limit > 0 {
			q.Set("limit", fmt.Sprint(limit))
		}
		if next != "" {
			q.Set("next", next)
		}
		var page taxiiEnvelope
		r := c.get(t, path+"?"+query+"&"+q.Encode(), &page)
		if limit > 0 && len(page.Objects) > limit {
			t.Fatalf("%d objects, of %d at most", len(page.Objects), limit)
		}
		first := r.header.Get("X-TAXII-Date-Added-First")
		if (first == "") != (len(page.Objects) == 0) || first != "" && first < last {
			t.Fatalf("%s behind %s", first, last)
		}
		if len(page.Objects) > 0 {
			last = r.header.Get("X-TAXII-Date-Added-Last")
		}
		objects = append(objects, page.Objects...)
		if !page.More {
			return objects, last
		}
		if next = page.Next; next == "" {
			t.Fatal("more, and no next")
		}
		limit = len(page.Objects)
	}
}

// ids are the identifiers of objects, and manifest records.
func ids(t testing.TB, objects []json.RawMessage) []string {
	t.Helper()
	out := make([]string, len(objects))
	for i, o := range objects {
		var is struct{ ID string }
		if err := json.Unmarshal(o, &is); err != nil {
			t.Fatal(err)
		}
		out[i] = is.ID
	}
	return out
}

// validSTIX holds objects to the schema of bundles, which wants a grouping.
func validSTIX(t testing.TB, objects []json.RawMessage) {
	t.Helper()
	f, err := os.Open("export/stix/testdata/bundle.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bundle.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, o := range objects {
		parts = append(parts, string(o))
	}
	bundle, err := jsonschema.UnmarshalJSON(strings.NewReader(
		`{"type":"bundle","id":"bundle--5d079fa7-5e6e-5152-8076-8576300d607c","objects":[` + strings.Join(parts, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(bundle); err != nil {
		t.Error(err)
	}
}

// feeding is exporting with HTTP, and a lead's client of TAXII.
func feeding(t testing.TB) (*guarded, caller, taxiiClient) {
	t.Helper()
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	for _, id := range []string{"alder", "birch"} {
		g.tenant(t, elsewherev1.Tenant_builder{
			Id: id, TlpCeiling: "amber", Names: []string{"Grünholz Möbel GmbH"}, Domains: []string{"gruenholz.example"},
		}.Build())
	}
	c, secret := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build())
	for _, name := range []string{testdata.CaseOne, testdata.CaseTwo} {
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: published(t, name)}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	return g, c, taxiiClient{site{g.http, secret}}
}

func TestTAXII(t *testing.T) {
	_, _, c := feeding(t)
	root, by := c.collections(t)
	if len(by) != 8 {
		t.Fatalf("%d collections, want four of all cases and four of the actor", len(by))
	}
	amber := by["tlp-amber"]
	if amber.ID == "" || !slices.Equal(amber.MediaTypes, []string{"application/stix+json;version=2.1"}) {
		t.Errorf("%+v", amber)
	}
	objects := root + "collections/" + amber.ID + "/objects/"
	all, last := c.pages(t, objects, "", 1000)
	validSTIX(t, all)
	if text := fmt.Sprintf("%s", all); !strings.Contains(text, "104.161.20.102") || strings.Contains(text, "alder") || strings.Contains(text, "impersonated-email-account") ||
		strings.Contains(text, "AMBER+STRICT") || strings.Contains(text, `"grouping"`) {
		t.Errorf("%s", text)
	}
	want := ids(t, all)
	if sorted := slices.Sorted(slices.Values(want)); len(slices.Compact(sorted)) != len(want) {
		t.Error("objects are told twice")
	}
	for _, limit := range []int{0, 1, 2, 9, 10, 100} {
		got, _ := c.pages(t, objects, "", limit)
		if diff := cmp.Diff(want, ids(t, got)); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
		manifest, end := c.pages(t, root+"collections/tlp-amber/manifest/", "", limit)
		if diff := cmp.Diff(want, ids(t, manifest)); diff != "" || end != last {
			t.Errorf("manifest, limit %d: %s %s", limit, diff, end)
		}
	}
	indicators, _ := c.pages(t, objects, "match[type]=indicator", 2)
	if len(indicators) != 5 {
		t.Errorf("%d indicators", len(indicators))
	}
	one := ids(t, indicators)[0]
	var page taxiiEnvelope
	if c.get(t, objects+one+"/", &page); len(page.Objects) != 1 || string(page.Objects[0]) != string(indicators[0]) {
		t.Errorf("%s: %s", one, page.Objects)
	}
	var is struct{ Modified string }
	if err := json.Unmarshal(indicators[0], &is); err != nil {
		t.Fatal(err)
	}
	var versions struct{ Versions []string }
	if c.get(t, objects+one+"/versions/", &versions); len(versions.Versions) != 1 || !strings.HasPrefix(versions.Versions[0], strings.TrimSuffix(is.Modified, "Z")) {
		t.Errorf("versions %v, changed %s", versions, is.Modified)
	}
	for query, want := range map[string]int{
		"match[version]=" + is.Modified + "&match[id]=" + one: 1, "match[version]=2020-01-01T00:00:00Z": 0, "match[spec_version]=2.0": 0,
		"match[id]=" + strings.Join(ids(t, indicators), ","): 5, "added_after=" + last: 0, "match[version]=first&match[type]=identity": 1,
	} {
		if got, _ := c.pages(t, objects, query, 0); len(got) != want {
			t.Errorf("%s: %d objects, want %d", query, len(got), want)
		}
	}
	actor := ""
	for alias := range by {
		if strings.HasPrefix(alias, "act-") && strings.HasSuffix(alias, "-amber") {
			actor = alias
		}
	}
	of, _ := c.pages(t, root+"collections/"+actor+"/objects/", "", 0)
	validSTIX(t, of)
	if text := fmt.Sprintf("%s", of); !strings.Contains(text, `"type":"intrusion-set"`) || !strings.Contains(text, `"type":"opinion"`) {
		t.Errorf("%s", text)
	}
	byID, _ := c.pages(t, root+"collections/"+by[actor].ID+"/objects/", "", 0)
	if diff := cmp.Diff(ids(t, of), ids(t, byID)); diff != "" {
		t.Errorf("by id and by alias: %s", diff)
	}
}

// TestTAXIIRefuses: who may not, what is not there, and what is not TAXII.
func TestTAXIIRefuses(t *testing.T) {
	g, _, c := feeding(t)
	objects := "/taxii2/elsewhere/collections/tlp-amber/objects/"
	_, secret := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true}.Build())
	_, narrow := g.make(t, elsewherev1.Key_builder{Role: lead, Tenants: []string{"birch"}}.Build())
	_, own := c.collections(t)
	for name, test := range map[string]struct {
		key, method, path string
		status            int
		header            []string
	}{
		"no key":               {"", "GET", objects, 401, nil},
		"no key, discovery":    {"", "GET", "/taxii2/", 401, nil},
		"no key, no path":      {"", "GET", "/taxii2/elsewhere/status/1/", 401, nil},
		"another key":          {wrong(c.key), "GET", objects, 401, nil},
		"an analyst":           {secret, "GET", objects, 404, nil},
		"an analyst, one":      {secret, "GET", "/taxii2/elsewhere/collections/tlp-amber/", 404, nil},
		"of another key":       {narrow, "GET", "/taxii2/elsewhere/collections/" + own["tlp-amber"].ID + "/", 404, nil},
		"no such collection":   {c.key, "GET", "/taxii2/elsewhere/collections/tlp-clear/objects/", 404, nil},
		"no such actor":        {c.key, "GET", "/taxii2/elsewhere/collections/act-aaaaaaaaaa-amber/manifest/", 404, nil},
		"no such object":       {c.key, "GET", objects + "indicator--7bbd7ec8-5bd8-4a3b-a1c1-4ee2a3dd8c3d/", 404, nil},
		"another next":         {c.key, "GET", objects + "?next=abc", 400, nil},
		"another version":      {c.key, "GET", objects, 406, []string{"Accept: application/json"}},
		"adding":               {c.key, "POST", objects, 403, []string{"Content-Type: " + taxiiType}},
		"adding something":     {c.key, "POST", objects, 415, []string{"Content-Type: text/plain"}},
		"adding without a key": {"", "POST", objects, 401, []string{"Content-Type: " + taxiiType}},
		"adding as an analyst": {secret, "POST", objects, 404, []string{"Content-Type: " + taxiiType}},
		"deleting":             {c.key, "DELETE", objects + "x/", 403, nil},
		"from a page":          {c.key, "GET", objects, 403, []string{"Origin: https://evil.example"}},
		"the key in the query": {c.key, "GET", objects + "?key=" + c.key, 400, nil},
		"the key in a header":  {c.key, "GET", objects, 400, []string{"X-Key: " + c.key}},
	} {
		r := taxiiClient{site{g.http, test.key}}.refused(t, test.method, test.path, test.status, test.header...)
		if strings.Contains(r.body, c.key) {
			t.Errorf("%s: the key comes back: %s", name, r.body)
		}
		if challenge := r.header.Values("WWW-Authenticate"); (test.status == 401) != (len(challenge) == 2) {
			t.Errorf("%s: %v", name, challenge)
		}
	}
	var none struct{ Collections []taxiiCollection }
	if (taxiiClient{site{g.http, secret}}).get(t, "/taxii2/elsewhere/collections/", &none); len(none.Collections) > 0 {
		t.Errorf("an analyst has %v", none)
	}
	// As clients without bearers have it, and never as a name.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.http+objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n, set := range []func(){
		func() { req.SetBasicAuth("whoever", c.key) }, func() { req.SetBasicAuth(c.key, "") }, func() { req.SetBasicAuth("", "\n\x00ü") },
		func() { req.Header.Set("Authorization", "Token "+c.key) },
	} {
		set()
		want := http.StatusUnauthorized
		if n == 0 {
			want = http.StatusOK
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("by name and password, %d: %d, want %d", n, res.StatusCode, want)
		}
	}
	// More than is taken of a body is refused before it comes.
	conn := connect(t, g.http)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 99999999999\r\n\r\n", objects, taxiiType)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge || res.Header.Get("Content-Type") != taxiiType {
		t.Errorf("a large body: %s %v", res.Status, res.Header)
	}
	open := openREST(t)
	if _, by := (taxiiClient{open}).collections(t); len(by) != 4 {
		t.Errorf("without keys there are %d collections", len(by))
	}
}

// TestTAXIIFollows: who comes back with the last time is told what came, changed and
// went, whatever the reason, and nothing else.
func TestTAXIIFollows(t *testing.T) {
	g, c, client := feeding(t)
	g.tenant(t, elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "amber", Names: []string{"Cedarwood Trading"}}.Build())
	path := "/taxii2/elsewhere/collections/tlp-green/objects/"
	last := "2020-01-01T00:00:00Z"
	news := func() string {
		t.Helper()
		got, end := client.pages(t, path, "match[type]=indicator&added_after="+last, 0)
		if end != "" {
			last = end
		}
		var lines []string
		for _, o := range got {
			var is struct {
				Name    string
				Revoked bool
			}
			if err := json.Unmarshal(o, &is); err != nil {
				t.Fatal(err)
			}
			mark := "+"
			if is.Revoked {
				mark = "-"
			}
			lines = append(lines, mark+is.Name)
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	submit := func(id, tlp string, o ...*elsewherev1.Observable) {
		t.Helper()
		of := newCase("cedar", id, o...)
		of.SetTlp(tlp)
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	update := func(tenant *elsewherev1.Tenant, paths ...string) {
		t.Helper()
		if _, err := g.admin.UpdateTenant(t.Context(), elsewherev1.UpdateTenantRequest_builder{Tenant: tenant, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	// What was revoked once is told as such beside what came back.
	submit("1", "green", obs("ip", "70.0.0.1", "login_source"), obs("domain", "evil-invoices.net", "sending_infrastructure"))
	for i, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"a ceiling", func() {}, ""},
		{"no ceiling", func() { update(elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "green"}.Build(), "tlp_ceiling") }, "+domain evil-invoices.net\n+ip 70.0.0.1"},
		{"nothing", func() {}, ""},
		{"a new case", func() {
			submit("2", "green", obs("ip", "70.0.0.1", "login_source"), obs("ip", "70.0.0.2", "login_source"))
		}, "+ip 70.0.0.1\n+ip 70.0.0.2"},
		{"the same case again", func() {
			submit("2", "green", obs("ip", "70.0.0.1", "login_source"), obs("ip", "70.0.0.2", "login_source"))
		}, ""},
		{"a case that may not leave", func() { submit("3", "amber", obs("ip", "70.0.0.3", "login_source")) }, ""},
		{"a stricter label", func() { submit("2", "amber", obs("ip", "70.0.0.2", "login_source")) }, "+ip 70.0.0.1\n-ip 70.0.0.2"},
		{"the case is gone", func() {
			if _, err := c.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "cedar/1"}.Build()); err != nil {
				t.Fatal(err)
			}
		}, "-domain evil-invoices.net\n-ip 70.0.0.1"},
		{"back, under another name", func() {
			submit("4", "green", obs("ip", "70.0.0.1", "login_source"), obs("domain", "moebel-und-mehr.net", "sending_infrastructure"))
		}, "+domain moebel-und-mehr.net\n+ip 70.0.0.1\n-ip 70.0.0.1"},
		{"a victim's after all", func() {
			update(elsewherev1.Tenant_builder{Id: "cedar", Domains: []string{"moebel-und-mehr.net"}}.Build(), "domains")
		}, ""},
		{"a ceiling again", func() { update(elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "amber"}.Build(), "tlp_ceiling") }, "-ip 70.0.0.1\n-ip 70.0.0.1"},
	} {
		step.do()
		if diff := cmp.Diff(step.want, news()); diff != "" {
			t.Errorf("step %d, %s: %s", i, step.what, diff)
		}
	}
	all, _ := client.pages(t, path, "", 0)
	validSTIX(t, all)
	if text := fmt.Sprintf("%s", all); strings.Contains(text, "moebel") {
		t.Errorf("a victim's name is told: %s", text)
	}
}

// TestTAXIIForgetsNames: what turns out to name a victim is told no more, also as revoked
// and when nothing of the tenant is in the collection any more.
func TestTAXIIForgetsNames(t *testing.T) {
	g, c, client := feeding(t)
	g.tenant(t, elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "green", Names: []string{"Cedarwood Trading"}}.Build())
	told := func() string {
		t.Helper()
		all, _ := client.pages(t, "/taxii2/elsewhere/collections/tlp-green/objects/", "", 0)
		return fmt.Sprintf("%s", all)
	}
	of := newCase("cedar", "1", obs("domain", "moebel-und-mehr.net", "sending_infrastructure"))
	of.SetTlp("green")
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
		t.Fatal(err)
	}
	if text := told(); !strings.Contains(text, "moebel-und-mehr") {
		t.Fatalf("nothing is told: %s", text)
	}
	if _, err := c.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "cedar/1"}.Build()); err != nil {
		t.Fatal(err)
	}
	if text := told(); !strings.Contains(text, "moebel-und-mehr") || !strings.Contains(text, `"revoked":true`) {
		t.Fatalf("what is gone is not revoked: %s", text)
	}
	if _, err := g.admin.UpdateTenant(t.Context(), elsewherev1.UpdateTenantRequest_builder{
		Tenant: elsewherev1.Tenant_builder{Id: "cedar", Domains: []string{"moebel-und-mehr.net"}}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"domains"}},
	}.Build()); err != nil {
		t.Fatal(err)
	}
	if text := told(); strings.Contains(text, "moebel") {
		t.Errorf("a victim's name is told: %s", text)
	}
}

// TestTAXIIHoldsBack: what names a victim stays, is told to nobody by text, and ends
// nothing else.
func TestTAXIIHoldsBack(t *testing.T) {
	_, c, client := feeding(t)
	other := newCase("alder", "other", obs("ip", "70.0.0.2", "login_source"))
	other.SetTlp("amber")
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: other}.Build()); err != nil {
		t.Fatal(err)
	}
	for where, canary := range canaries {
		for form, encode := range canaryForms {
			of := newCase("alder", "canary", obs("ip", "70.0.0.1", "login_source"))
			of.SetTlp("amber")
			canary.plant(of, encode("Grünholz Möbel"))
			if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
				t.Fatal(err)
			}
			all, _ := client.pages(t, "/taxii2/elsewhere/collections/tlp-amber/objects/", "", 0)
			text := strings.ToLower(fmt.Sprintf("%s", all))
			if !strings.Contains(text, "70.0.0.2") || strings.Contains(text, strings.ToLower(encode("Grünholz Möbel"))) {
				t.Errorf("%s, %s: %s", where, form, text)
			}
			res, err := c.ListCollectionObjects(t.Context(), elsewherev1.ListCollectionObjectsRequest_builder{Collection: "tlp-amber"}.Build())
			if err != nil {
				t.Fatal(err)
			}
			held := res.GetHeldBack()
			if (canary.field != "") != (len(held) == 1) || res.GetCounts().GetHeldBack() != uint32(len(held)) ||
				len(held) == 1 && !strings.HasSuffix(held[0].GetField(), canary.field) {
				t.Errorf("%s, %s: held back %v, want %q", where, form, held, canary.field)
			}
		}
	}
}

// TestTAXIIOnRecord: every page is on the trail, with who asked and whose cases it is
// of, and so is who was refused.
func TestTAXIIOnRecord(t *testing.T) {
	g, c, client := feeding(t)
	client.ask(t, "GET", "/taxii2/elsewhere/collections/tlp-amber/objects/?limit=5", "", "X-Request-Id: a-page").ok(t, "a page", http.StatusOK)
	entries, _, _ := trailOf(t, g.admin, &elsewherev1.AuditTrailRequest{})
	_, told := ofRequest(entries, "a-page")
	if len(told) != 1 || told[0].GetMethod() != "ExportService.ListCollectionObjects" || told[0].GetKey() != c.key.GetPrefix() ||
		!slices.Equal(told[0].GetTenants(), []string{"alder", "birch"}) {
		t.Fatalf("%v", told)
	}
}

// TestTAXIILimits: a key asks no more by TAXII than it may.
func TestTAXIILimits(t *testing.T) {
	g, _, _ := feeding(t)
	_, secret := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true, CallsPerSecond: 0.01, Burst: 1}.Build())
	slow := taxiiClient{site{g.http, secret}}
	slow.get(t, "/taxii2/", &struct{}{})
	if r := slow.refused(t, "GET", "/taxii2/", http.StatusTooManyRequests); r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	}
	if access.HoldsKey("/taxii2/") {
		t.Error("the path looks like a key")
	}
}
