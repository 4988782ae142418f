package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

func (c caller) set(t testing.TB, tenant *elsewherev1.Tenant, fields ...string) *elsewherev1.Tenant {
	t.Helper()
	res, err := c.UpdateTenant(t.Context(), elsewherev1.UpdateTenantRequest_builder{
		Tenant: tenant, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields},
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return res.GetTenant()
}

// TestTrustFollows changes the trust of a tenant and reads its stored links.
func TestTrustFollows(t *testing.T) {
	dir := t.TempDir()
	g := guard(t, server.Config{DataDir: dir})
	g.tenants(t, "a", "b")
	all, secret := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build())
	admins, adminSecret := g.make(t, elsewherev1.Key_builder{Role: admin}.Build())
	for _, tenant := range []string{"a", "b"} {
		all.put(t, newCase(tenant, "1", obs("domain", "evil-invoices.net")))
	}
	// What a stored link has that does not say what its explanation does, and none.
	const behind, none = 1 << 30, 0
	stored := func(c caller) int32 {
		res, err := c.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("a"), MinTier: elsewherev1.Tier_TIER_LEAD}.Build())
		if err != nil {
			t.Fatal(err)
		}
		if len(res.GetLinks()) == 0 {
			return none
		}
		why, err := c.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/1", B: "b/1"}.Build())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := res.GetLinks()[0].GetTotalMillibits(), why.GetExplanation().GetTotalMillibits(); got != want {
			return behind
		}
		return res.GetLinks()[0].GetTotalMillibits()
	}
	until := func(c caller, what string, ok func(int32) bool) int32 {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			got := stored(c)
			if ok(got) {
				return got
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the stored link has %d", what, got)
			}
		}
	}
	full := until(all, "at first", func(n int32) bool { return n != none && n != behind })
	a := elsewherev1.Tenant_builder{Id: "a", Trust: new(0.1)}.Build()
	if got := admins.set(t, a, "trust"); got.GetTrust() != 0.1 || got.GetRevision() != 2 {
		t.Errorf("the record is %v", got)
	}
	half := until(all, "with a tenth of the trust", func(n int32) bool { return n != none && n < full })
	a.SetTrust(0)
	admins.set(t, a, "trust")
	until(all, "without trust", func(n int32) bool { return n == none })
	// What is due when the service stops is done when it starts.
	a.SetTrust(0.1)
	admins.set(t, a, "trust")
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	g = guard(t, server.Config{DataDir: dir})
	if got := until(with(t, g.addr, secret), "after a restart", func(n int32) bool { return n != none && n != behind }); got != half {
		t.Errorf("after a restart %d, before %d", got, half)
	}
	// An update that names the tenant's record at another revision changes nothing.
	c := with(t, g.addr, adminSecret)
	_, err := c.UpdateTenant(t.Context(), elsewherev1.UpdateTenantRequest_builder{
		Tenant: a, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"trust"}}, ExpectedRevision: new(uint32(1)),
	}.Build())
	want(t, "another revision", status.Code(err), codes.Aborted)
}

// TestTypesOfTenants counts cases of customers only in N.
func TestTypesOfTenants(t *testing.T) {
	dir := t.TempDir()
	g := guard(t, server.Config{DataDir: dir})
	g.tenants(t, "a", "reports-x")
	g.tenant(t, elsewherev1.Tenant_builder{Id: "trial", Type: elsewherev1.TenantType_TENANT_TYPE_TEST}.Build())
	all := g.key(t, lead)
	// N is 1,024 up to 1,024 cases of customers, and doubles beyond.
	stream, err := all.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	submit := func(tenant string, n int) {
		for i := range n {
			err := stream.Send(elsewherev1.SubmitCasesRequest_builder{
				Index: uint64(i), Submit: elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, fmt.Sprint(i), obs("ip", fmt.Sprintf("70.1.%d.%d", i>>8, i&255)))}.Build(),
			}.Build())
			if err != nil {
				t.Fatal(err)
			}
			if i >= 100 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range min(n, 100) {
			if ack, err := stream.Recv(); err != nil || ack.GetStatus().GetCode() != 0 {
				t.Fatal(ack, err)
			}
		}
	}
	n := func() uint32 {
		res, err := all.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/0", B: "a/1"}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return res.GetExplanation().GetCorpusN()
	}
	submit("a", 1_000)
	submit("trial", 20)
	submit("reports-x", 20)
	if got := n(); got != 1_024 {
		t.Errorf("with 1,000 cases of customers and 40 others N is %d", got)
	}
	submit("a", 1_030)
	if got := n(); got != 2_048 {
		t.Errorf("with 1,030 cases of customers N is %d", got)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	err = server.Check(t.Context(), server.Config{DataDir: dir}, false, nil, func(line string) { t.Error(line) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestTenantsAreCheckedAndResolved(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a", "b")
	for what, bad := range map[string]elsewherev1.Tenant_builder{
		"no id":                {},
		"a bad id":             {Id: "-a"},
		"a bad alias":          {Id: "c", Aliases: []string{"C GmbH"}},
		"trust above 1":        {Id: "c", Trust: new(1.1)},
		"trust below 0":        {Id: "c", Trust: new(-0.1)},
		"no label":             {Id: "c", TlpCeiling: "purple"},
		"reports by no prefix": {Id: "c", Type: elsewherev1.TenantType_TENANT_TYPE_REPORTS},
		"a customer's reports": {Id: "reports-c", Type: elsewherev1.TenantType_TENANT_TYPE_CUSTOMER},
		"no prefix":            {Id: "c", Egress: []string{"everywhere"}},
		"control characters":   {Id: "c", DisplayName: "c\x1b[31m"},
	} {
		_, err := g.admin.CreateTenant(t.Context(), elsewherev1.CreateTenantRequest_builder{Tenant: bad.Build()}.Build())
		want(t, what, status.Code(err), codes.InvalidArgument)
	}
	for _, field := range []string{"id", "type", "revision", "nothing"} {
		_, err := g.admin.UpdateTenant(t.Context(), elsewherev1.UpdateTenantRequest_builder{
			Tenant: elsewherev1.Tenant_builder{Id: "a"}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{field}},
		}.Build())
		want(t, "a change of "+field, status.Code(err), codes.InvalidArgument)
	}
	// An alias stands for the id wherever one is read, and is never written.
	g.admin.set(t, elsewherev1.Tenant_builder{Id: "a", Aliases: []string{"old"}}.Build(), "aliases")
	c := g.key(t, analyst, "old", "b")
	if got := c.key.GetTenants(); len(got) != 2 || got[0] != "a" {
		t.Errorf("the key is for %v", got)
	}
	if got := c.put(t, newCase("old", "1", obs("ip", "70.0.0.1"))).GetCaseRef(); got != "a/1" {
		t.Errorf("stored as %s", got)
	}
	if got, err := c.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "old/1"}.Build()); err != nil || got.GetCase().GetTenant() != "a" {
		t.Errorf("read as %v: %v", got, err)
	}
	if got, err := c.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{Tenant: "old"}.Build()); err != nil || len(got.GetCases()) != 1 || got.GetCases()[0].GetTenant() != "a" {
		t.Errorf("listed as %v: %v", got, err)
	}
	_, err := c.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "old/1"}.Build())
	want(t, "delete", status.Code(err), codes.OK)
	// Taken, and free again.
	_, err = g.admin.CreateTenant(t.Context(), elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{Id: "old"}.Build()}.Build())
	want(t, "an id that is an alias", status.Code(err), codes.AlreadyExists)
	g.admin.set(t, elsewherev1.Tenant_builder{Id: "a"}.Build(), "aliases")
	g.tenants(t, "old")
	// A closed tenant is read and takes nothing.
	c.put(t, newCase("b", "1"))
	g.admin.set(t, elsewherev1.Tenant_builder{Id: "b", State: elsewherev1.TenantState_TENANT_STATE_CLOSED}.Build(), "state")
	_, err = c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("b", "2")}.Build())
	want(t, "a case of a closed tenant", status.Code(err), codes.FailedPrecondition)
	_, err = c.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "b/1"}.Build())
	want(t, "an older one", status.Code(err), codes.OK)
	// One that nobody made is as unknown as one of somebody else.
	everybody := g.key(t, lead)
	_, err = everybody.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("unknown", "1")}.Build())
	want(t, "an unknown tenant", status.Code(err), codes.NotFound)
	_, foreign := g.key(t, analyst, "a").SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("b", "1")}.Build())
	if status.Convert(err).Message() != status.Convert(foreign).Message() {
		t.Errorf("unknown: %v, somebody else's: %v", err, foreign)
	}
}

// TestOpenModeMakesTenants submits without keys: the records are there, also after
// the service ended.
func TestOpenModeMakesTenants(t *testing.T) {
	dir := t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	for i := range 200 {
		d.submit(t, newCase(fmt.Sprintf("t%03d", i), "1", obs("ip", "70.0.0.1")))
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	g := guard(t, server.Config{DataDir: dir})
	var ids []string
	for token := ""; ; {
		res, err := g.admin.ListTenants(t.Context(), elsewherev1.ListTenantsRequest_builder{PageSize: 70, PageToken: token}.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, tenant := range res.GetTenants() {
			ids = append(ids, tenant.GetId())
		}
		if token = res.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(ids) != 200 || ids[0] != "t000" || ids[199] != "t199" {
		t.Errorf("%d tenants: %v", len(ids), ids)
	}
	_, err := with(t, g.addr, "").Seen(context.Background(), &elsewherev1.SeenRequest{})
	want(t, "afterwards without a key", status.Code(err), codes.Unauthenticated)
}

// TestEgressIsNoEvidence puts the addresses that two cases share into the record of
// a tenant, and takes them out again.
func TestEgressIsNoEvidence(t *testing.T) {
	g := guard(t, server.Config{Memory: true, Enrichment: server.Enrichment{FeedsEvery: 10 * time.Millisecond}})
	g.tenants(t, "a", "b", "c")
	all := g.key(t, lead)
	for _, tenant := range []string{"a", "b"} {
		all.put(t, newCase(tenant, "1", obs("ip", "185.241.149.122", "login_source")))
	}
	class := func() string {
		return all.seen(t, obs("ip", "185.241.149.122"))[0].GetClass()
	}
	links := func() int {
		res, err := all.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{CaseRef: new("a/1"), MinTier: elsewherev1.Tier_TIER_LEAD}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return len(res.GetLinks())
	}
	was := class()
	if was == "tenant_egress" || links() != 1 {
		t.Fatalf("before: class %s, %d links", was, links())
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: class %s, %d links", what, class(), links())
			}
		}
	}
	g.admin.set(t, elsewherev1.Tenant_builder{Id: "c", Egress: []string{"185.241.149.0/24"}}.Build(), "egress")
	until("with it", func() bool { return class() == "tenant_egress" && links() == 0 })
	g.admin.set(t, elsewherev1.Tenant_builder{Id: "c"}.Build(), "egress")
	until("without it", func() bool { return class() == was && links() == 1 })
}
