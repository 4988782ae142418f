package server_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/erase"
)

// eraseCases is how many cases TestErasedLeavesNothing makes, half of which are erased.
// For the run that is stated in the documents:
//
//	go test ./server -run TestErasedLeavesNothing -v -timeout 0 -erase-cases=100000
var eraseCases = flag.Int("erase-cases", 400, "how many cases are made, half of them of the tenant that is erased")

const (
	erasedTenant = "gone"
	// A canary for what is stored as it is sent; ids of cases have their own form.
	eraseCanary = "quietcanary"
)

// eraseWorld returns the i-th of n cases: every second one of the erased tenant. They
// meet on few values, and those of the erased tenant have the canary wherever one
// fits.
func eraseWorld(i, n int) *elsewherev1.Case {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	tenant := fmt.Sprintf("t%02d", r.IntN(20))
	pool := max(n, 20)
	values := []*elsewherev1.Observable{
		obs("ip", fmt.Sprintf("70.%d.%d.%d", i>>16&255, i>>8&255, i&255), "login_source"),
		obs("rule_name", fmt.Sprintf("rule %d", r.IntN(pool)), "created"),
	}
	for range 3 {
		k := r.IntN(pool)
		values = append(values, obs("ip", fmt.Sprintf("80.%d.%d.%d", k>>16&255, k>>8&255, k&255), "login_source"))
	}
	k := r.IntN(pool)
	values = append(values, obs("domain", fmt.Sprintf("host%d.net", k), "sending_infrastructure"))
	c := newCase(tenant, fmt.Sprint(i), values...)
	if i%2 == 0 {
		c.SetTenant(erasedTenant)
		c.SetId(fmt.Sprintf("%s-%d", eraseCanary, i))
		c.SetTitle(eraseCanary + " title")
		c.SetSource(eraseCanary)
		f := c.GetFindings()[0]
		f.SetSummary(strings.Repeat(eraseCanary+" summary ", 1+i%200))
		f.SetObservables(append(f.GetObservables(),
			obs("rule_name", fmt.Sprintf("%s %d", eraseCanary, i%50), "created"), obs("domain", fmt.Sprintf("%s%d.com", eraseCanary, i%50), "spoofed"),
			obs("email", fmt.Sprintf("%s%d@evil.com", eraseCanary, i%9)), obs("x_own", eraseCanary)))
	}
	switch r.IntN(20) {
	case 0:
		c.SetRestricted(true)
	case 1:
		c.SetTlp("red")
	case 2:
		c.SetState(elsewherev1.CaseState_CASE_STATE_DISMISSED)
	}
	return c
}

// fillWorld submits the cases of a world, with those of the erased tenant or without.
func fillWorld(t *testing.T, c caller, n int, with bool) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range next {
				k := eraseWorld(i, n)
				if !with && k.GetTenant() == erasedTenant {
					continue
				}
				if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: k}.Build()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// eraseTenant erases and returns the receipt, with the phases that were told.
func eraseTenant(t *testing.T, ctx context.Context, c caller, tenant string, purge bool) (*elsewherev1.ErasureReceipt, error) {
	t.Helper()
	steps, err := erasure(c.EraseTenant(ctx, elsewherev1.EraseTenantRequest_builder{Tenant: tenant, Purge: purge}.Build()))
	if err != nil {
		return nil, err
	}
	last := steps[len(steps)-1].(*elsewherev1.EraseTenantResponse)
	if !last.HasReceipt() {
		t.Fatal("the last message has no receipt")
	}
	return last.GetReceipt(), nil
}

// holders returns the files below a folder that hold a text.
func holders(t *testing.T, dir, text string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since
		}
		if bytes.Contains(data, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// worldAnswers are the answers to questions of every kind, by what was asked.
func worldAnswers(t *testing.T, c caller, n int) map[string][]proto.Message {
	t.Helper()
	all := make(map[string][]proto.Message)
	ask := func(what string, m []proto.Message, err error) {
		all[what] = append(all[what], m...)
		if err != nil {
			all[what] = append(all[what], status.Convert(err).Proto())
		}
	}
	ctx := t.Context()
	values := make(map[string]*elsewherev1.Observable)
	for i := range n {
		for _, o := range eraseWorld(i, n).GetFindings()[0].GetObservables() {
			values[o.GetKind()+" "+o.GetValue()] = obs(o.GetKind(), o.GetValue())
		}
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for part := range slices.Chunk(names, 1000) {
		req := &elsewherev1.SeenRequest{}
		var observables []*elsewherev1.Observable
		for _, name := range part {
			observables = append(observables, values[name])
		}
		req.SetObservables(observables)
		m, err := one(c.Seen(ctx, req))
		ask("seen from "+part[0], m, err)
	}
	step := max(1, len(names)/500)
	for i := 0; i < len(names); i += step {
		m, err := pages(elsewherev1.ListSightingsRequest_builder{Observable: values[names[i]], PageSize: 100}.Build(), func(r *elsewherev1.ListSightingsRequest) (*elsewherev1.ListSightingsResponse, error) {
			return c.ListSightings(ctx, r)
		})
		ask("sightings of "+names[i], m, err)
	}
	tenants := []string{"", erasedTenant}
	for i := range 20 {
		tenants = append(tenants, fmt.Sprintf("t%02d", i))
	}
	for _, tenant := range tenants {
		m, err := pages(elsewherev1.ListCasesRequest_builder{Tenant: tenant, PageSize: 1000}.Build(), func(r *elsewherev1.ListCasesRequest) (*elsewherev1.ListCasesResponse, error) {
			return c.ListCases(ctx, r)
		})
		ask("cases of "+tenant, m, err)
		if tenant != "" {
			m, err = pages(elsewherev1.ListLinksRequest_builder{Tenant: &tenant, MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 1000}.Build(), func(r *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
				return c.ListLinks(ctx, r)
			})
			ask("links of "+tenant, m, err)
		}
		m, err = one(c.GetTenant(ctx, elsewherev1.GetTenantRequest_builder{Tenant: tenant}.Build()))
		ask("tenant "+tenant, m, err)
	}
	m, err := one(c.ListTenants(ctx, &elsewherev1.ListTenantsRequest{}))
	ask("tenants", m, err)
	step = max(1, n/200)
	for i := 0; i+step < n; i += step {
		a, b := eraseWorld(i, n), eraseWorld(i+1, n)
		refA, refB := a.GetTenant()+"/"+a.GetId(), b.GetTenant()+"/"+b.GetId()
		m, err := one(c.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: refA}.Build()))
		ask("case "+refA, m, err)
		m, err = one(c.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: refA, B: refB}.Build()))
		ask("link "+refA+"~"+refB, m, err)
	}
	return all
}

// timeless takes away what tells only when something was submitted, and tokens, which
// are sealed anew each time.
func timeless(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case slices.Contains([]protoreflect.Name{"create_time", "update_time", "first_linked_at", "next_page_token"}, f.Name()):
			m.Clear(f)
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				timeless(v.List().Get(i).Message())
			}
		default:
			timeless(v.Message())
		}
		return true
	})
}

// compareAnswers compares what two services answered.
func compareAnswers(t *testing.T, want, got map[string][]proto.Message) {
	t.Helper()
	if len(want) != len(got) || len(want) == 0 {
		t.Errorf("%d answers, want %d", len(got), len(want))
	}
	differ := 0
	for what, messages := range want {
		same := len(messages) == len(got[what])
		for i, m := range messages {
			timeless(m.ProtoReflect())
			if same {
				timeless(got[what][i].ProtoReflect())
				same = proto.Equal(m, got[what][i])
			}
		}
		if same {
			continue
		}
		if differ++; differ <= 3 {
			t.Errorf("%s (-never there, +erased):\n%.3000s", what, cmp.Diff(messages, got[what], protocmp.Transform()))
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d answers differ", differ, len(want))
	}
}

// TestErasedLeavesNothing erases a tenant with half of the cases and purges the store:
// the receipt says so, no file holds a canary, and every answer is that of a service
// that was never given the tenant.
func TestErasedLeavesNothing(t *testing.T) {
	n := *eraseCases
	dir, other := t.TempDir(), t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	// Ids of actors follow from the key.
	never := start(t, server.Config{DataDir: other, CorrelationKeyFile: filepath.Join(dir, "keys", "correlation.key")})
	c, o := with(t, d.conn.Target(), ""), with(t, never.conn.Target(), "")
	var beginning [2]string
	for i, who := range []caller{c, o} {
		l := listen(t, who, elsewherev1.WatchLinksRequest_builder{})
		beginning[i] = l.first
		l.cancel()
	}
	began := time.Now()
	_, err := c.CreateTenant(t.Context(), elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{
		Id: erasedTenant, DisplayName: eraseCanary + " Ltd", Aliases: []string{eraseCanary}, Names: []string{eraseCanary},
		Domains: []string{eraseCanary + ".example"}, Egress: []string{"80.0.0.0/30"},
	}.Build()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	judgeWorld(t, c, true)
	judgeWorld(t, o, false)
	fillWorld(t, c, n, true)
	fillWorld(t, o, n, false)
	t.Logf("%d cases, and as many without the tenant's, in %v", n, time.Since(began).Round(time.Second))
	if len(holders(t, filepath.Join(dir, "store"), eraseCanary)) == 0 {
		t.Fatal("the canary is nowhere: the test finds nothing")
	}
	began = time.Now()
	first, err := eraseTenant(t, t.Context(), c, eraseCanary, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("erased in %v", time.Since(began).Round(10*time.Millisecond))
	if first.HasPurgeTime() || first.GetEraseTime() == nil {
		t.Errorf("times of the first receipt: %v", first)
	}
	began = time.Now()
	receipt, err := eraseTenant(t, t.Context(), c, erasedTenant, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("purged in %v", time.Since(began).Round(10*time.Millisecond))
	if names := holders(t, dir, eraseCanary); len(names) > 0 {
		t.Errorf("the canary is in %q", names)
	}
	counts := make(map[string]uint64)
	for _, r := range receipt.GetRemoved() {
		counts[r.GetSort()] = r.GetCount()
	}
	if counts["cases"] != uint64((n+1)/2)+1 || counts["sightings"] < 5*counts["cases"] || counts["links"] == 0 || counts["events of links"] == 0 || counts["tenant records"] != 1 {
		t.Errorf("removed: %v", counts)
	}
	if !receipt.HasPurgeTime() || receipt.GetEraseTime().AsTime() != first.GetEraseTime().AsTime() || !strings.Contains(receipt.GetBackups(), "before 2") {
		t.Errorf("the receipt: %v", receipt)
	}
	signed, key, err := erase.Verify(receipt.GetDocument())
	if err != nil || signed.Tenant != erasedTenant || len(key) == 0 {
		t.Errorf("the document: %+v, %v", signed, err)
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	if names := holders(t, dir, eraseCanary); len(names) > 0 {
		t.Errorf("after the end the canary is in %q", names)
	}
	// To ask for a canary puts it on record, so this comes last.
	d = start(t, server.Config{DataDir: dir})
	began = time.Now()
	c = with(t, d.conn.Target(), "")
	compareAnswers(t, worldAnswers(t, o, n), worldAnswers(t, c, n))
	compareAnswers(t, judgedAnswers(t, o), judgedAnswers(t, c))
	compareAnswers(t, replayed(t, o, beginning[1]), replayed(t, c, beginning[0]))
	t.Logf("compared in %v", time.Since(began).Round(10*time.Millisecond))
	if err := errors.Join(d.stop(), never.stop()); err != nil {
		t.Fatal(err)
	}
	err = server.Check(t.Context(), server.Config{DataDir: dir}, false, nil, func(line string) { t.Error(line) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestEraseRefused asks for what cannot be erased, and submits what may not come.
func TestEraseRefused(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a", "b")
	writer := g.key(t, lead)
	for _, c := range []struct {
		who    caller
		tenant string
		purge  bool
		want   codes.Code
	}{
		{g.admin, "", false, codes.InvalidArgument},
		{g.admin, "unknown", false, codes.NotFound},
		{g.admin, "a", true, codes.FailedPrecondition}, // in memory
		{writer, "a", false, codes.PermissionDenied},
	} {
		_, err := eraseTenant(t, t.Context(), c.who, c.tenant, c.purge)
		if status.Code(err) != c.want {
			t.Errorf("erase %q: %v", c.tenant, err)
		}
	}
	only := g.key(t, submitter, "a")
	both := g.key(t, analyst, "a", "b")
	for _, tenant := range []string{"a", "b"} {
		if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, "1", obs("ip", "70.0.0.1"))}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	receipt, err := eraseTenant(t, t.Context(), g.admin, "a", false)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.GetAskedBy() == "" {
		t.Error("the receipt does not say who asked")
	}
	// A tenant that is gone takes no cases, its only key is revoked, and the other
	// one is for the other tenant.
	_, err = writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("a", "2", obs("ip", "70.0.0.1"))}.Build())
	if status.Code(err) != codes.NotFound {
		t.Errorf("a case of an erased tenant: %v", err)
	}
	_, err = only.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/1"}.Build())
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("with the key of an erased tenant: %v", err)
	}
	if _, err := both.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "b/1"}.Build()); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	res, err := g.admin.ListKeys(t.Context(), elsewherev1.ListKeysRequest_builder{IncludeEnded: true}.Build())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range res.GetKeys() {
		if slices.Contains(k.GetTenants(), "a") {
			t.Errorf("key %s names the tenant", k.GetPrefix())
		}
	}
	// Who asks again gets the same receipt.
	again, err := eraseTenant(t, t.Context(), g.admin, "a", false)
	if err != nil || !proto.Equal(again, receipt) {
		t.Errorf("again: %v, %v", again, err)
	}
	// A tenant of that name may come again, and be erased again.
	g.tenants(t, "a")
	if _, err := eraseTenant(t, t.Context(), g.admin, "a", false); err != nil {
		t.Error(err)
	}
}

// TestEraseGoesOn kills a server again and again while it erases and purges. Nobody
// asks twice, and in the end the tenant is gone.
func TestEraseGoesOn(t *testing.T) {
	dir := t.TempDir()
	const n = 1200
	cmd, d := victim(t, dir)
	c := with(t, d.conn.Target(), "")
	fillWorld(t, c, n, true)
	stream, err := c.EraseTenant(t.Context(), elsewherev1.EraseTenantRequest_builder{Tenant: erasedTenant, Purge: true}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 6 {
		<-time.After(time.Duration(random.IntN(150)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd, d = victim(t, dir)
		c = with(t, d.conn.Target(), "")
		_, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase(erasedTenant, "late", obs("ip", "70.0.0.1"))}.Build())
		if err == nil {
			// It was erased already, and came again.
			t.Logf("erased after %d rounds", round)
			if _, err := c.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: erasedTenant + "/late"}.Build()); err != nil {
				t.Fatal(err)
			}
		} else if status.Code(err) != codes.FailedPrecondition {
			t.Fatalf("a case of a tenant that is being erased: %v", err)
		}
	}
	receipt, err := eraseTenant(t, t.Context(), c, erasedTenant, true)
	if err != nil {
		t.Fatal(err)
	}
	if !receipt.HasPurgeTime() {
		t.Errorf("the receipt: %v", receipt)
	}
	if names := holders(t, dir, eraseCanary); len(names) > 0 {
		t.Errorf("the canary is in %q", names)
	}
	res, err := c.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{Tenant: erasedTenant}.Build())
	if err != nil || len(res.GetCases()) > 0 {
		t.Errorf("cases of the tenant: %v, %v", res, err)
	}
}

// TestTraces says what is erased with a tenant. Whatever else is kept about tenants
// has to be one of these.
func TestTraces(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{"cases", "kept answers", "tenant record", "keys", "hints", "models", "links", "histories of actors", "events of links", "webhooks", "content of the audit trail"}
	if diff := cmp.Diff(want, s.Traces()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEraseForgetsAnswers erases a tenant about whose addresses a third party was
// asked. What no other tenant has is forgotten.
func TestEraseForgetsAnswers(t *testing.T) {
	dir := t.TempDir()
	f := abusetest.New(abuseKey, 1000)
	c := server.Config{DataDir: dir, Enrichment: asking(t, f, onlyAlder)}
	c.LookupAhead = true
	d := start(t, c)
	who := with(t, d.conn.Target(), "")
	const own, both, single = "104.161.20.77", "104.161.20.88", "104.161.20.99"
	d.submit(t, newCase("alder", "1", obs("ip", own), obs("ip", both)))
	d.submit(t, newCase("alder", "2", obs("ip", single)))
	d.submit(t, newCase("birch", "1", obs("ip", both)))
	for _, address := range []string{own, both, single} {
		d.record(t, "alder", address)
	}
	kept := func(text string) bool { return len(holders(t, filepath.Join(dir, "store"), text)) > 0 }
	if !kept("answer/abuseipdb/ip/"+own) || !kept("answer/abuseipdb/ip/"+both) {
		t.Fatal("the answers are nowhere: the test finds nothing")
	}
	if _, err := d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "alder/2"}.Build()); err != nil {
		t.Fatal(err)
	}
	calls := len(f.Calls())
	d.record(t, "alder", both)
	if n := len(f.Calls()) - calls; n != 0 {
		t.Errorf("asked about an address that is kept, %d times", n)
	}
	d.record(t, "alder", single)
	if n := len(f.Calls()) - calls; n != 1 {
		t.Errorf("asked about an address that was forgotten %d times", n)
	}
	// That put it back, as an answer of the operator's own.
	if _, err := eraseTenant(t, t.Context(), who, "alder", true); err != nil {
		t.Fatal(err)
	}
	// What was asked for stands in the audit trail all the same.
	for address, want := range map[string]bool{own: false, both: true} {
		if got := kept("answer/abuseipdb/ip/" + address); got != want {
			t.Errorf("%s is kept: %v", address, got)
		}
	}
}

// TestEraseNamesModels erases tenants from whose cases a version of the model was
// learned, and one from whose it was not.
func TestEraseNamesModels(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	who := with(t, d.conn.Target(), "")
	judged := d.reviewed(t)
	d.submit(t, newCase("other", "1", obs("ip", "45.83.1.7")))
	first := d.propose(t, judged, false).GetModel().GetVersion()
	second := d.propose(t, judged[:30], false).GetModel().GetVersion()
	if first == 0 || second == 0 {
		t.Fatal("nothing was learned")
	}
	for tenant, want := range map[string][]uint32{
		"name0-1": {first, second}, "login19-0": {first}, "other": nil,
	} {
		receipt, err := eraseTenant(t, t.Context(), who, tenant, false)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(receipt.GetModelVersions(), want) {
			t.Errorf("%s: models %v, want %v", tenant, receipt.GetModelVersions(), want)
		}
	}
	// The versions are there still, and no longer name whom they learned from.
	if n := len(d.listed(t).GetModels()); n < 2 {
		t.Errorf("%d models", n)
	}
	d.submit(t, newCase("name0-1", "1", obs("ip", "45.83.1.7")))
	again, err := eraseTenant(t, t.Context(), who, "name0-1", false)
	if err != nil || len(again.GetModelVersions()) > 0 {
		t.Errorf("erased again: %v, %v", again, err)
	}
}
