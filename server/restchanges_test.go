package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// change is one call of TestRESTChangesAsGRPC. In its messages $NAME stands for what an
// earlier call was answered with.
type change struct {
	who    string // whose key
	method string
	in     string // messages, in JSON, one a line
	save   string // NAME pattern: what is remembered of the answer
}

// changes are all that the service lets change, each once at least.
func changes(t testing.TB) []change {
	t.Helper()
	caseOf := func(ref, more string) string {
		tenant, id, _ := strings.Cut(ref, "/")
		return fmt.Sprintf(`{"tenant":%q,"id":%q,%s`, tenant, id, more+restCase[1:])
	}
	line := func(m proto.Message) string {
		raw, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	published, err := protojson.Marshal(published(t, testdata.CaseOne))
	if err != nil {
		t.Fatal(err)
	}
	var judged []string
	batch := ""
	for n := range 20 {
		for i, kind := range []string{"name", "login"} {
			observable := fmt.Sprintf(`{"kind":"domain","value":"attacker-%d.com"}`, n)
			if kind == "login" {
				observable = fmt.Sprintf(`{"kind":"ip","value":"45.83.%d.7","roles":["login_source"]}`, n+1)
			}
			for side, tenant := range []string{"alder", "birch"} {
				batch += fmt.Sprintf(`{"index":%d,"submit":{"case":{"tenant":%q,"id":"%s%d","findings":[{"observables":[%s]}]},"noLinks":true}}`+"\n", 4*n+2*i+side, tenant, kind, n, observable)
			}
			judged = append(judged, fmt.Sprintf(`{"a":"alder/%s%d","b":"birch/%[1]s%[2]d","same":%t}`, kind, n, kind == "name" && n != 7))
		}
	}
	const selection = `"selection":{"caseRef":"alder/2023-0117","tlp":"clear","acceptEmptyDictionary":true}`
	return []change{
		{"admin", "AdminService/CreateTenant", `{"tenant":{"id":"alder","displayName":"Alder"}}`, ""},
		{"admin", "AdminService/CreateTenant", `{"tenant":{"id":"birch"}}`, ""},
		{"admin", "AdminService/CreateTenant", `{"tenant":{"id":"cedar"}}`, ""},
		{"admin", "AdminService/CreateTenant", `{"tenant":{"id":"reports-sophos"}}`, ""},
		{"admin", "AdminService/UpdateTenant", `{"tenant":{"id":"birch","displayName":"Birch","trust":0.5},"updateMask":"displayName,trust"}`, ""},
		{"lead", "CaseService/TenantHints", `{"tenant":"alder","tokens":["Robin Quill","Alder Inc"]}`, ""},
		{"lead", "CaseService/SubmitCase", `{"case":` + caseOf("alder/1", "") + `,"expectedRevision":0}`, ""},
		{"lead", "CaseService/SubmitCase", `{"case":` + caseOf("birch/7:x#1", "") + `}`, ""},
		{"lead", "CaseService/SubmitCase", `{"case":` + caseOf("birch/7:x#1", `"title":"again",`) + `,"expectedRevision":1}`, `actor "actorId":"([^"]+)"`},
		{"lead", "CaseService/SubmitCase", `{"case":` + string(published) + `,"noLinks":true}`, ""},
		{"lead", "CaseService/SubmitCases", batch, ""},
		{"lead", "CorrelationService/ReviewLink", `{"a":"birch/7:x#1","b":"alder/1","action":"REVIEW_ACTION_CONFIRM","reason":"one login"}`, ""},
		{"lead", "CorrelationService/UpdateActor", `{"actor":{"id":"$actor","name":"Copper Heron"},"updateMask":"name"}`, ""},
		{"lead", "ExportService/Publish", `{"target":"feed","selection":{"caseRef":"alder/2023-0117","tlp":"green","acceptEmptyDictionary":true},"dryRun":true}`, ""},
		{"lead", "ExportService/Publish", `{"target":"feed","selection":{"caseRef":"alder/2023-0117","tlp":"green","acceptEmptyDictionary":true}}`, ""},
		{"second", "ExportService/ApproveExport", `{` + selection + `}`, `approval "approval":"([^"]+)"`},
		{"lead", "ExportService/Export", `{"format":"EXPORT_FORMAT_CSV",` + strings.Replace(selection, "}", `,"approval":"$approval"}`, 1) + `}`, ""},
		{"lead", "ExportService/Import", line(elsewherev1.ImportRequest_builder{Header: elsewherev1.ImportHeader_builder{Publisher: "sophos", Tlp: "clear"}.Build()}.Build()) + "\n" +
			line(elsewherev1.ImportRequest_builder{Data: []byte(publicReport[:20])}.Build()) + "\n" + line(elsewherev1.ImportRequest_builder{Data: []byte(publicReport[20:])}.Build()), ""},
		{"admin", "ModelService/ProposeModel", `{"judged":[` + strings.Join(judged, ",") + `],"note":"a test"}`, `version "version":([0-9]+)`},
		{"admin", "ModelService/ApplyModel", `{"version":$version}`, ""},
		{"admin", "ModelService/RollbackModel", `{}`, ""},
		{"admin", "AdminService/CreateKey", `{"key":{"role":"ROLE_ANALYST","tenants":["alder"],"name":"for a test"}}`, `key "id":"([^"]+)"`},
		{"admin", "AdminService/RotateKey", `{"key":"$key","overlap":"60s"}`, `rotated "id":"([^"]+)"`},
		{"admin", "AdminService/RevokeKey", `{"key":"$rotated"}`, ""},
		{"admin", "AdminService/CreateWebhook", `{"webhook":{"url":"https://127.0.0.1:9/hook","tenants":["alder"],"minTier":"TIER_CONFIRMED"}}`, `webhook "id":"([^"]+)"`},
		{"admin", "AdminService/RetryDeadLetters", `{"webhook":"$webhook"}`, ""},
		{"admin", "AdminService/DeleteWebhook", `{"id":"$webhook"}`, ""},
		{"lead", "CaseService/DeleteCase", `{"caseRef":"birch/7:x#1"}`, ""},
		// It waits until all links are made, which what follows counts.
		{"lead", "CorrelationService/ListLinks", `{"tenant":"birch"}`, ""},
		{"admin", "AdminService/EraseTenant", `{"tenant":"cedar"}`, ""},
		{"admin", "AdminService/EraseTenant", `{"tenant":"birch","purge":true}`, ""},
	}
}

// changing is a service with two leads, who ask over gRPC or over REST.
type changing struct {
	conns map[string]grpc.ClientConnInterface
	saved map[string]string
	lines []string // the answers to the last call, of REST as they came
	form  jsonform.Writer
}

// newChanging serves and returns who asks; over says by what.
func newChanging(t testing.TB, over func(addr, http, key string) grpc.ClientConnInterface) *changing {
	t.Helper()
	g := guard(t, server.Config{
		DataDir: t.TempDir(), HTTPAddr: "127.0.0.1:0", PublishConfig: gitTarget(t, bareRepository(t), "green"),
		Enrichment: server.Enrichment{Ceilings: server.Ceilings{Default: "clear"}}, Webhooks: server.Webhooks{AllowPrivate: true},
	})
	w := &changing{conns: make(map[string]grpc.ClientConnInterface), saved: make(map[string]string)}
	for who, key := range map[string]*elsewherev1.Key{
		"admin": elsewherev1.Key_builder{Role: admin}.Build(), "lead": elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build(), "second": elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build(),
	} {
		_, secret := g.make(t, key)
		w.conns[who] = over(g.addr, g.http, secret)
	}
	return w
}

// call makes a change and returns the answers as lines.
func (w *changing) call(ctx context.Context, c change) ([]string, error) {
	service, name, _ := strings.Cut(c.method, "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("elsewhere.v1." + service + "." + name))
	if err != nil {
		return nil, err
	}
	method := d.(protoreflect.MethodDescriptor)
	message := func(d protoreflect.MessageDescriptor) proto.Message {
		m, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			return nil
		}
		return m.New().Interface()
	}
	text := os.Expand(c.in, func(name string) string { return w.saved[name] })
	var in []proto.Message
	for line := range strings.Lines(text) {
		m := message(method.Input())
		if err := protojson.Unmarshal([]byte(line), m); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		in = append(in, m)
	}
	out, err := called(ctx, w.conns[c.who], method, in, func() proto.Message { return message(method.Output()) })
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, m := range out {
		line, err := w.form.Append(nil, m)
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(line))
	}
	if variable, pattern, ok := strings.Cut(c.save, " "); ok {
		found := regexp.MustCompile(pattern).FindStringSubmatch(strings.Join(lines, "\n"))
		if found == nil {
			return nil, fmt.Errorf("no %s in %s", pattern, lines)
		}
		w.saved[variable] = found[1]
	}
	return lines, nil
}

// called calls a method of any kind.
func called(ctx context.Context, conn grpc.ClientConnInterface, d protoreflect.MethodDescriptor, in []proto.Message, answer func() proto.Message) (out []proto.Message, err error) {
	name := "/" + string(d.Parent().FullName()) + "/" + string(d.Name())
	if !d.IsStreamingClient() && !d.IsStreamingServer() {
		m := answer()
		return []proto.Message{m}, conn.Invoke(ctx, name, in[0], m)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: d.IsStreamingClient(), ServerStreams: d.IsStreamingServer()}, name)
	if err != nil {
		return nil, err
	}
	for _, m := range in {
		if err := stream.SendMsg(m); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	for {
		m := answer()
		if err := stream.RecvMsg(m); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if out = append(out, m); !d.IsStreamingServer() {
			return out, nil
		}
	}
}

// differing is what no two services have in common: secrets, ids, the time of day, what
// is signed, and counts of what goes on beside a call: a link has an event for each step
// of the linker that changes it.
var differing = regexp.MustCompile(strings.Join([]string{
	`els_[A-Za-z0-9_]+`, `whs_[a-z2-7]+`, `wh_[a-z2-7]{12}`, `approval_[A-Za-z0-9_.-]+`, `act-[a-z2-7]{10}`, `key [a-z2-7]{12}`, `"[a-z2-7]{12}"`,
	`20[2-9][4-9]-\d\d-\d\dT[0-9:.]+Z`, `"[0-9a-f]{16}"`, `"[0-9a-f]{40,64}"`, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	`"document":"[^"]+"`, `"(contents of audit entries|events of links)","count":"\d+"`, `"pairsCompared":\d+`,
}, "|"))

// TestRESTChangesAsGRPC makes every change that the service knows on one service over
// gRPC and on another over REST: both answer the same, REST in the bytes of the one JSON
// form. Where a change has several routes each is taken.
func TestRESTChangesAsGRPC(t *testing.T) {
	byGRPC := newChanging(t, func(addr, _, key string) grpc.ClientConnInterface { return with(t, addr, key).conn })
	var rest *changing
	used := make(map[string]bool)
	conns := make(map[string]*restConn)
	rest = newChanging(t, func(_, http, key string) grpc.ClientConnInterface {
		c := newRESTConn(t, site{http, key})
		conns[key] = c
		return c
	})
	ops := operations(t)
	for _, c := range conns {
		c.asked = func(r *http.Request) { used[operationOf(t, ops, r)] = true }
		c.answered = func(line []byte) { rest.lines = append(rest.lines, string(bytes.TrimSuffix(line, []byte("\n")))) }
	}
	for i, c := range changes(t) {
		what := fmt.Sprintf("%d %s %.200s", i, c.method, c.in)
		want, err := byGRPC.call(t.Context(), c)
		if err != nil {
			t.Fatalf("%s over gRPC: %v", what, err)
		}
		rest.lines = nil
		// A case is put where it belongs, every second time.
		for _, conn := range conns {
			slices.Reverse(conn.routes["/elsewhere.v1.CaseService/SubmitCase"])
		}
		got, err := rest.call(t.Context(), c)
		if err != nil {
			t.Fatalf("%s over REST: %v", what, err)
		}
		if d := cmp.Diff(got, rest.lines); d != "" {
			t.Errorf("%s: REST does not write the one form: %s", what, d)
		}
		if d := cmp.Diff(alike(want), alike(got)); d != "" {
			t.Errorf("%s: gRPC answers - and REST +: %s", what, d)
		}
	}
	for _, op := range ops {
		reads := []string{"/v1/seen", "/v1/enrich"}
		if name := op.method + " " + op.path; op.method != http.MethodGet && !slices.Contains(reads, op.path) && !used[name] {
			t.Errorf("%s changes something and was not tried", name)
		}
	}
}

// alike returns what two services answer alike. How far a call has come is told while it
// lasts, and how often depends on the machine.
func alike(lines []string) []string {
	var out []string
	for _, line := range lines {
		if strings.HasPrefix(line, `{"progress":`) {
			continue
		}
		out = append(out, differing.ReplaceAllString(line, "…"))
	}
	slices.Sort(out)
	return out
}

// operationOf finds the operation of a request.
func operationOf(t testing.TB, ops []described, r *http.Request) string {
	t.Helper()
	best := ""
	for _, op := range ops {
		pattern := "^" + regexp.MustCompile(`\\\{[A-Za-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(op.path), "[^/]+") + "$"
		if op.method == r.Method && regexp.MustCompile(pattern).MatchString(r.URL.EscapedPath()) && (best == "" || !strings.Contains(op.path, "{")) {
			best = op.method + " " + op.path
		}
	}
	if best == "" {
		t.Errorf("%s %s is not described", r.Method, r.URL)
	}
	return best
}

// TestRESTImportsFiles imports files as they are, with what is said of them in the query.
func TestRESTImportsFiles(t *testing.T) {
	s := openREST(t)
	var want string
	{
		conn := newRESTConn(t, openREST(t))
		conn.answered = func(line []byte) { want = string(line) + "\n" }
		if _, err := imported(t.Context(), caller{ExportServiceClient: elsewherev1.NewExportServiceClient(conn)},
			elsewherev1.ImportHeader_builder{Publisher: "sophos", Tlp: "clear", CaseId: "2023-06-30", References: []string{"https://a.example/1", "https://a.example/2"}}.Build(), publicReport); err != nil {
			t.Fatal(err)
		}
	}
	const query = "/v1/imports?publisher=sophos&tlp=clear&case_id=2023-06-30&references=https://a.example/1&references=https://a.example/2"
	if got := s.ask(t, "POST", query, publicReport, "Content-Type: text/csv; charset=utf-8").ok(t, "a table", http.StatusOK); got != want {
		t.Errorf("a table: %s, by messages %s", got, want)
	}
	s.ask(t, "POST", query, publicReport, "Content-Type: text/csv").ok(t, "the same again", http.StatusOK)
	if got := s.ask(t, "GET", "/v1/cases/reports-sophos/2023-06-30", ""); !strings.Contains(got.body, `"references":["https://a.example/1","https://a.example/2"]`) || got.header.Get("ETag") != `"1"` {
		t.Errorf("the case: %v %s", got.header, got.body)
	}
	const event = `{"Event":{"uuid":"59b5c870-0000-4000-8000-000000000001","info":"A report","Attribute":[{"type":"ip-src","value":"104.161.20.102"}]}}`
	const bundle = `{"type":"bundle","id":"bundle--59b5c870-0000-4000-8000-000000000002","objects":[{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '104.161.20.102']"}]}`
	for _, c := range []struct{ kind, text, want string }{
		{"application/json", event, `"format":"misp","values":1,`},
		{"application/stix+json", bundle, `"format":"stix","values":1,`},
		{"application/octet-stream", strings.Repeat(" ", 600_000) + bundle, `"format":"stix","values":1,`},
	} {
		if got := s.ask(t, "POST", "/v1/imports?publisher=cert&validateOnly=true", c.text, "Content-Type: "+c.kind).ok(t, c.kind, http.StatusOK); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.kind, got)
		}
	}
	const csv = "Content-Type: text/csv"
	bad := s.ask(t, "POST", "/v1/imports?publisher=x", "type,data,note\ndomain,evil.example,x\nip,1.2.3,x\n", csv).problem(t, "a bad line", http.StatusBadRequest, "INVALID")
	if len(bad.Errors) != 1 || bad.Errors[0].Path != "line 3" || bad.Errors[0].Reason != "MALFORMED" {
		t.Errorf("a bad line: %+v", bad)
	}
	for what, c := range map[string]struct{ query, field, reason string }{
		"a misspelt word": {"publisher=x&tpl=clear", "tpl", "FIELD_UNKNOWN"}, "no boolean": {"publisher=x&validate_only=perhaps", "validate_only", "TYPE_WRONG"},
		"no text": {"publisher=%ff", "publisher", "NOT_UTF8"}, "twice": {"publisher=x&publisher=y", "publisher", "FIELD_TWICE"}, "nobody": {"tlp=clear", "header.publisher", "MALFORMED"},
	} {
		if p := s.ask(t, "POST", "/v1/imports?"+c.query, publicReport, csv).problem(t, what, http.StatusBadRequest, "INVALID"); len(p.Errors) != 1 || p.Errors[0].Path != c.field || p.Errors[0].Reason != c.reason {
			t.Errorf("%s: %+v", what, p)
		}
	}
	s.ask(t, "POST", "/v1/imports?publisher=x", publicReport, "Content-Type: text/plain").problem(t, "what a form may send", http.StatusUnsupportedMediaType, "CONTENT_TYPE")
	s.ask(t, "POST", "/v1/imports", publicReport, csv).problem(t, "nobody's", http.StatusUnsupportedMediaType, "CONTENT_TYPE")
	s.ask(t, "POST", "/v1/cases?publisher=x", publicReport, csv).problem(t, "elsewhere", http.StatusUnsupportedMediaType, "CONTENT_TYPE")
	s.ask(t, "POST", "/v1/imports?publisher=x", strings.Repeat("x", 64<<20+1), csv, "Expect: 100-continue").problem(t, "64 MiB and a byte", http.StatusRequestEntityTooLarge, "TOO_LARGE")
	s.ask(t, "GET", "/v1/cases/reports-x/1", "").problem(t, "nothing is stored", http.StatusNotFound, "NOT_FOUND")
}
