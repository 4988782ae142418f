package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// trailOf reads the audit trail as an administrator does.
func trailOf(t testing.TB, c elsewherev1.AdminServiceClient, req *elsewherev1.AuditTrailRequest) (entries []*elsewherev1.AuditEntry, lines []byte, key audit.PublicKey) {
	t.Helper()
	stream, err := c.AuditTrail(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return entries, lines, key
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.GetPublicKey() != "" {
			key = audit.PublicKey(m.GetPublicKey())
		}
		entries, lines = append(entries, m.GetEntries()...), append(lines, m.GetLines()...)
	}
}

// verifiedTrail exports the trail, verifies it and returns its entries.
func verifiedTrail(t testing.TB, c elsewherev1.AdminServiceClient) ([]*elsewherev1.AuditEntry, []byte) {
	t.Helper()
	_, lines, key := trailOf(t, c, elsewherev1.AuditTrailRequest_builder{Lines: true}.Build())
	if _, err := audit.Verify(bytes.NewReader(lines), key); err != nil {
		t.Fatal(err)
	}
	entries, _, _ := trailOf(t, c, &elsewherev1.AuditTrailRequest{})
	for i, e := range entries {
		if e.GetNumber() != uint64(i+1) {
			t.Fatalf("entry %d stands at place %d", e.GetNumber(), i+1)
		}
	}
	return entries, lines
}

// named gives a request a name of its own, by which its entries are found.
func named(ctx context.Context, name string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-request-id", name)
}

// ofRequest returns what is on record of a request: its changes, and what it was told.
func ofRequest(entries []*elsewherev1.AuditEntry, name string) (changes, told []*elsewherev1.AuditEntry) {
	for _, e := range entries {
		switch {
		case e.GetRequestId() != name:
		case e.GetChange():
			changes = append(changes, e)
		default:
			told = append(told, e)
		}
	}
	return changes, told
}

// TestChangesAreOnRecord changes everything that can be changed. Each change leaves
// one entry, whoever made it, and what changes nothing leaves none of a change.
func TestChangesAreOnRecord(t *testing.T) {
	g := guard(t, server.Config{DataDir: t.TempDir()})
	g.tenants(t, "alder", "birch")
	a := g.key(t, analyst, "alder", "birch")
	keyed := a.key.GetPrefix()
	models := elsewherev1.NewModelServiceClient(g.admin.conn)
	c := newCase("alder", "1", obs("ip", "70.0.0.1"))
	var made *elsewherev1.Key
	for i, step := range []struct {
		name     string
		do       func(context.Context) error
		method   string
		changes  bool
		tenants  []string
		subjects int
	}{
		{"submit", func(ctx context.Context) error {
			_, err := a.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
			return err
		}, "CaseService.SubmitCase", true, []string{"alder"}, 0},
		{"submit it again", func(ctx context.Context) error {
			_, err := a.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
			return err
		}, "CaseService.SubmitCase", false, nil, 0},
		{"try a submit", func(ctx context.Context) error {
			_, err := a.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: newCase("alder", "2"), ValidateOnly: true}.Build())
			return err
		}, "CaseService.SubmitCase", false, nil, 0},
		{"stream", func(ctx context.Context) error {
			_, err := stream(ctx, a, []*elsewherev1.Case{newCase("birch", "1", obs("ip", "70.0.0.2"))})
			return err
		}, "CaseService.SubmitCases", true, []string{"birch"}, 0},
		{"delete", func(ctx context.Context) error {
			_, err := a.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: "alder/1"}.Build())
			return err
		}, "CaseService.DeleteCase", true, []string{"alder"}, 0},
		{"delete what is gone", func(ctx context.Context) error {
			_, err := a.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: "alder/1", AllowMissing: true}.Build())
			return err
		}, "CaseService.DeleteCase", false, nil, 0},
		{"make a tenant", func(ctx context.Context) error {
			_, err := g.admin.CreateTenant(ctx, elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{Id: "cedar", Aliases: []string{"cedar-old"}}.Build()}.Build())
			return err
		}, "AdminService.CreateTenant", true, []string{"cedar"}, 0},
		{"change a tenant", func(ctx context.Context) error {
			_, err := g.admin.UpdateTenant(ctx, elsewherev1.UpdateTenantRequest_builder{
				Tenant: elsewherev1.Tenant_builder{Id: "cedar-old", Trust: new(.5)}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"trust"}},
			}.Build())
			return err
		}, "AdminService.UpdateTenant", true, []string{"cedar"}, 0},
		{"make a key", func(ctx context.Context) error {
			res, err := g.admin.CreateKey(ctx, elsewherev1.CreateKeyRequest_builder{Key: elsewherev1.Key_builder{Role: submitter, Tenants: []string{"cedar-old"}}.Build()}.Build())
			made = res.GetKey()
			return err
		}, "AdminService.CreateKey", true, []string{"cedar"}, 1},
		{"rotate it", func(ctx context.Context) error {
			_, err := g.admin.RotateKey(ctx, elsewherev1.RotateKeyRequest_builder{Key: made.GetId()}.Build())
			return err
		}, "AdminService.RotateKey", true, []string{"cedar"}, 1},
		{"revoke it", func(ctx context.Context) error {
			_, err := g.admin.RevokeKey(ctx, elsewherev1.RevokeKeyRequest_builder{Key: made.GetId()}.Build())
			return err
		}, "AdminService.RevokeKey", true, []string{"cedar"}, 1},
		{"apply a model", func(ctx context.Context) error {
			_, err := models.ApplyModel(ctx, elsewherev1.ApplyModelRequest_builder{Version: 1}.Build())
			return err
		}, "ModelService.ApplyModel", true, nil, 1},
		{"apply it again", func(ctx context.Context) error {
			_, err := models.ApplyModel(ctx, elsewherev1.ApplyModelRequest_builder{Version: 1}.Build())
			return err
		}, "ModelService.ApplyModel", false, nil, 0},
		{"take it back", func(ctx context.Context) error {
			_, err := models.RollbackModel(ctx, &elsewherev1.RollbackModelRequest{})
			return err
		}, "ModelService.RollbackModel", true, nil, 1},
	} {
		request := fmt.Sprint("step-", i)
		if err := step.do(named(t.Context(), request)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		entries, _ := verifiedTrail(t, g.admin)
		changes, told := ofRequest(entries, request)
		if !step.changes {
			if len(changes) > 0 || len(told) != 1 || told[0].GetMethod() != step.method {
				t.Errorf("%s: %v %v", step.name, changes, told)
			}
			continue
		}
		if len(changes) != 1 || len(told) > 0 {
			t.Errorf("%s: %v %v", step.name, changes, told)
			continue
		}
		e := changes[0]
		who := keyed
		if !strings.HasPrefix(e.GetMethod(), "CaseService.") {
			who = entries[0].GetSubjects()[0]
		}
		if e.GetMethod() != step.method || e.GetKey() != who || e.GetCode() != "OK" || len(e.GetRequestDigest()) != 32 ||
			!slices.Equal(e.GetTenants(), step.tenants) || len(e.GetSubjects()) != step.subjects {
			t.Errorf("%s: %v", step.name, e)
		}
	}
	entries, _ := verifiedTrail(t, g.admin)
	if e := entries[0]; e.GetKey() != "host" || e.GetMethod() != "serve --init" || !e.GetChange() {
		t.Errorf("the first key is not on record: %v", e)
	}
}

// TestModelsAreOnRecord proposes a model.
func TestModelsAreOnRecord(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	d.propose(t, d.reviewed(t), false)
	entries, _ := verifiedTrail(t, elsewherev1.NewAdminServiceClient(d.conn))
	if !slices.ContainsFunc(entries, func(e *elsewherev1.AuditEntry) bool {
		return e.GetChange() && e.GetKey() == "open" && e.GetMethod() == "ModelService.ProposeModel" && len(e.GetSubjects()) == 1 && len(e.GetTenants()) == 80
	}) {
		t.Error("no entry says that a model was proposed")
	}
}

// TestAnswersAreOnRecord asks for everything that tells of cases: who was told of
// whom is on record, and what is in their answers of nobody is not.
func TestAnswersAreOnRecord(t *testing.T) {
	g := guard(t, server.Config{DataDir: t.TempDir(), Access: server.Access{DiscloseAtOnce: true}})
	g.tenants(t, "alder", "birch", "cedar", "dogwood", "elm")
	w := g.key(t, lead)
	values := []*elsewherev1.Observable{
		obs("ip", "70.0.0.1"), obs("domain", "evil-invoices.net"), obs("email", "billing@evil-invoices.net"),
		obs("rule_name", "Invoices of Jane"), obs("phone", "+15551234567"),
	}
	for _, tenant := range []string{"alder", "birch", "cedar", "dogwood", "elm"} {
		if _, err := w.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, "1", values...), NoLinks: true}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	a, own := g.key(t, analyst, "alder", "birch"), g.key(t, tenantKey, "cedar")
	for i, q := range []struct {
		name    string
		ask     func(context.Context) error
		tenants []string
		of      string
		counts  map[string]uint64
		values  []string
	}{
		{"seen", func(ctx context.Context) error {
			_, err := a.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: append(values, obs("ip", "not one"))}.Build())
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"values": 6, "seen": 5, "invalid": 1, "sightings": 10, "in_other_tenants": 5}, []string{"70.0.0.1", "evil-invoices.net"}},
		{"seen by a tenant", func(ctx context.Context) error {
			_, err := own.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: values}.Build())
			return err
		}, []string{"cedar"}, "cedar", map[string]uint64{"values": 5, "seen": 2, "not_disclosed": 3, "sightings": 2, "in_other_tenants": 2}, []string{"70.0.0.1", "evil-invoices.net"}},
		{"seen by nobody", func(ctx context.Context) error {
			_, err := a.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("", "+15557654321"), obs("", "Jane's mailbox"), obs("", "9.9.9.9")}}.Build())
			return err
		}, nil, "", map[string]uint64{"values": 3}, []string{"9.9.9.9"}},
		{"sightings", func(ctx context.Context) error {
			_, err := a.ListSightings(ctx, elsewherev1.ListSightingsRequest_builder{Observable: values[0]}.Build())
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"sightings": 2}, []string{"70.0.0.1"}},
		{"links of a case", func(ctx context.Context) error {
			_, err := a.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{CaseRef: new("alder/1")}.Build())
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"links": 1}, nil},
		{"links of a tenant", func(ctx context.Context) error {
			_, err := a.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{Tenant: new("birch")}.Build())
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"links": 1}, nil},
		{"why", func(ctx context.Context) error {
			_, err := a.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: "alder/1", B: "birch/1"}.Build())
			return err
		}, []string{"alder", "birch"}, "", nil, nil},
		{"enrich", func(ctx context.Context) error {
			_, err := a.Enrich(ctx, elsewherev1.EnrichRequest_builder{Observables: values}.Build())
			return err
		}, nil, "", map[string]uint64{"records": 5}, []string{"70.0.0.1", "evil-invoices.net"}},
		{"a case", func(ctx context.Context) error {
			_, err := a.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: "birch/1"}.Build())
			return err
		}, []string{"birch"}, "", nil, nil},
		{"cases", func(ctx context.Context) error {
			_, err := a.ListCases(ctx, &elsewherev1.ListCasesRequest{})
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"cases": 2}, nil},
		{"links of a submit", func(ctx context.Context) error {
			_, err := a.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: newCase("alder", "2", values...)}.Build())
			return err
		}, []string{"alder", "birch"}, "", map[string]uint64{"links": 1}, nil},
	} {
		request := fmt.Sprint("question-", i)
		if err := q.ask(named(t.Context(), request)); err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		entries, _ := verifiedTrail(t, g.admin)
		_, told := ofRequest(entries, request)
		if len(told) != 1 {
			t.Errorf("%s: %v", q.name, told)
			continue
		}
		e := told[0]
		var shown []string
		for _, v := range e.GetValues() {
			shown = append(shown, v.GetValue())
		}
		if !slices.Equal(e.GetTenants(), q.tenants) || e.GetOfTenant() != q.of || !slices.Equal(shown, q.values) || len(e.GetRequestDigest()) != 32 {
			t.Errorf("%s: %v", q.name, e)
		}
		for name, n := range q.counts {
			if e.GetCounts()[name] != n {
				t.Errorf("%s: %s is %d, not %d", q.name, name, e.GetCounts()[name], n)
			}
		}
	}
	// Some of it, by what was asked for.
	for name, req := range map[string]elsewherev1.AuditTrailRequest_builder{
		"tenant": {Tenant: "cedar", Method: "Seen"}, "key": {Key: own.key.GetPrefix()}, "both": {Key: own.key.GetId(), Tenant: "cedar"},
	} {
		entries, _, _ := trailOf(t, g.admin, req.Build())
		if len(entries) != 1 || entries[0].GetOfTenant() != "cedar" {
			t.Errorf("%s: %v", name, entries)
		}
	}
	for _, c := range []caller{a, own, w} {
		s, err := c.AuditTrail(t.Context(), &elsewherev1.AuditTrailRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("the trail is shown to %v: %v", c.key, err)
		}
	}
}

// TestEveryMethodIsOnRecord calls every RPC that there is, whatever comes of it.
func TestEveryMethodIsOnRecord(t *testing.T) {
	dir := t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	want := make(map[string]bool)
	for _, m := range access.Methods() {
		if !m.Recorded() {
			continue
		}
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(m.Service + "." + m.Name))
		if err != nil {
			t.Fatal(err)
		}
		if found.(protoreflect.MethodDescriptor).IsStreamingClient() {
			// Each of its requests is a call.
			continue
		}
		want[m.Short()] = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		s, err := d.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.Full())
		if err == nil {
			err = errors.Join(s.SendMsg(&emptypb.Empty{}), s.CloseSend())
		}
		if err == nil {
			// Of those who watch the first answer is not the last.
			_ = s.RecvMsg(&emptypb.Empty{})
		}
		cancel()
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, server.Config{DataDir: dir})
	entries, _ := verifiedTrail(t, elsewherev1.NewAdminServiceClient(again.conn))
	for _, e := range entries {
		delete(want, e.GetMethod())
		for _, r := range e.GetRefused() {
			delete(want, r.GetMethod())
		}
	}
	for m := range want {
		t.Errorf("a call of %s leaves no trace", m)
	}
}

// TestRefusedCallsAreOnRecord probes: what was refused to whom is counted.
func TestRefusedCallsAreOnRecord(t *testing.T) {
	dir := t.TempDir()
	g := guard(t, server.Config{DataDir: dir})
	g.tenants(t, "alder", "birch")
	a, own := g.key(t, analyst, "alder"), g.key(t, tenantKey, "alder")
	limited, _ := g.make(t, elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{"alder"}, CallsPerSecond: 1e-3, Burst: 1}.Build())
	ctx := t.Context()
	stranger := with(t, g.addr, "els_aaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	for range 3 {
		_, _ = a.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: "birch/1"}.Build())
		_, _ = own.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{Tenant: new("alder")}.Build())
		_, _ = own.ListSightings(ctx, elsewherev1.ListSightingsRequest_builder{Observable: obs("email", "jane@victim.example")}.Build())
		_, _ = limited.ListFeeds(ctx, &elsewherev1.ListFeedsRequest{})
		_, _ = stranger.ListFeeds(ctx, &elsewherev1.ListFeedsRequest{})
		_ = a.conn.Invoke(ctx, "/zq7canary.v1/zq7canary", &emptypb.Empty{}, &emptypb.Empty{})
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	text := func(r *elsewherev1.AuditRefusal) string {
		return fmt.Sprintf("%s%s %s %s %d", r.GetKey(), r.GetAddress(), r.GetMethod(), r.GetReason(), r.GetCalls())
	}
	var got []string
	for _, e := range storedTrail(t, dir) {
		for _, r := range e.Content.Refused {
			got = append(got, text(elsewherev1.AuditRefusal_builder{Key: r.Key, Address: r.Address, Method: r.Method, Reason: r.Reason, Calls: r.Calls}.Build()))
		}
	}
	want := []string{
		a.key.GetPrefix() + " CaseService.GetCase NotFound 3",
		own.key.GetPrefix() + " CorrelationService.ListLinks ROLE 3",
		own.key.GetPrefix() + " CorrelationService.ListSightings NOT_DISCLOSED 3",
		limited.key.GetPrefix() + " EnrichmentService.ListFeeds RATE_LIMITED 2",
		"127.0.0.1/32 EnrichmentService.ListFeeds KEY_NEEDED 3",
		a.key.GetPrefix() + " unknown Unimplemented 3",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("refused:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNothingOfACaseIsOnRecord plants canaries wherever a caller can say something
// and looks for them in the trail and in what is logged of it.
func TestNothingOfACaseIsOnRecord(t *testing.T) {
	const canary = "zq7canary"
	dir := t.TempDir()
	g := guard(t, server.Config{DataDir: dir})
	g.tenant(t, elsewherev1.Tenant_builder{
		Id: "alder", DisplayName: canary, Aliases: []string{canary}, Group: canary, Names: []string{canary}, Domains: []string{canary + ".example"}, Region: canary,
	}.Build())
	a, secret := g.make(t, elsewherev1.Key_builder{Role: lead, Name: canary, AllTenants: true, Restricted: true}.Build())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "a "+canary, "user-agent", canary, "baggage", "tenant="+canary)
	all := []*elsewherev1.Observable{
		obs("ip", "203.0.113.77"), obs("domain", canary+".example"), obs("email", canary+"@example.net"), obs("phone", "+15551234567"),
		obs("url", "https://"+canary+".example/"+canary), obs("rule_name", canary), obs("user_agent", canary), obs("account", canary), obs("x_own", canary),
		obs("spoof_pair", canary+".example>203.0.113.77"), obs("forward_to", canary+"@example.net"), obs("app_id", canary), obs("ja4", canary), obs("account_pattern", canary),
	}
	c := elsewherev1.Case_builder{
		Tenant: canary, Id: canary, Kind: "bec", Title: canary, Source: canary, Labels: map[string]string{canary: canary},
		References: []string{"https://" + canary + ".example/"},
		Findings:   []*elsewherev1.Finding{elsewherev1.Finding_builder{Id: canary, Operation: canary, Summary: canary, Observables: all}.Build()},
	}.Build()
	// Whoever asks for a domain names it; of the rest nothing is kept.
	var asked []*elsewherev1.Observable
	for _, o := range all[2:] {
		asked = append(asked, o, obs("", o.GetValue()), obs(canary, canary))
	}
	calls := 0
	must := func(what string, want codes.Code, err error) {
		t.Helper()
		calls++
		if status.Code(err) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := a.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
	must("submit", codes.OK, err)
	_, err = stream(ctx, a, []*elsewherev1.Case{c, elsewherev1.Case_builder{Tenant: canary + "-2", Id: canary}.Build()})
	must("stream", codes.OK, err)
	asked = slices.DeleteFunc(asked, func(o *elsewherev1.Observable) bool {
		return o.GetKind() == "" && strings.HasPrefix(o.GetValue(), "https:")
	})
	_, err = a.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: asked, IncludeRecords: true}.Build())
	must("seen", codes.OK, err)
	_, err = a.Enrich(ctx, elsewherev1.EnrichRequest_builder{Observables: asked, Tenant: canary}.Build())
	must("enrich", codes.OK, err)
	for _, o := range all[2:] {
		_, err = a.ListSightings(ctx, elsewherev1.ListSightingsRequest_builder{Observable: o}.Build())
		must("sightings", codes.OK, err)
	}
	_, err = a.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{CaseRef: new(canary + "/" + canary)}.Build())
	must("links", codes.OK, err)
	_, err = a.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: canary + "/" + canary, B: canary + "/gone"}.Build())
	must("why", codes.NotFound, err)
	_, err = a.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: canary + "/" + canary}.Build())
	must("get", codes.OK, err)
	_, err = a.ListCases(ctx, elsewherev1.ListCasesRequest_builder{Tenant: canary, PageToken: canary}.Build())
	must("list", codes.InvalidArgument, err)
	_, err = g.admin.RevokeKey(ctx, elsewherev1.RevokeKeyRequest_builder{Key: canary}.Build())
	must("revoke", codes.NotFound, err)
	_, err = g.admin.RevokeKey(ctx, elsewherev1.RevokeKeyRequest_builder{Key: secret}.Build())
	must("revoke a whole key", codes.NotFound, err)
	trailOf(t, g.admin, elsewherev1.AuditTrailRequest_builder{Key: canary, Method: canary, Tenant: canary}.Build())
	_, err = a.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: canary + "/" + canary}.Build())
	must("delete", codes.OK, err)
	must("what does not exist", codes.Unimplemented, a.conn.Invoke(ctx, "/"+canary+".v1/"+canary, &emptypb.Empty{}, &emptypb.Empty{}))
	entries, lines := verifiedTrail(t, g.admin)
	if len(entries) < calls/2 {
		t.Errorf("%d entries of %d calls", len(entries), calls)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	text := strings.ToLower(string(lines))
	for _, e := range storedTrail(t, dir) {
		text += strings.ToLower(fmt.Sprintf("%+v %+v\n", e, e.Content))
	}
	for _, secret := range []string{canary, "203.0.113.77", "15551234567", strings.ToLower(secret[20:]), "hmac1:"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the trail has %q: …%s…", secret, text[max(0, i-300):min(len(text), i+100)])
		}
	}
}
