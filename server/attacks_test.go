package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// days is a clock that a test moves.
type days struct{ now atomic.Int64 }

func newDays() *days {
	d := &days{}
	d.now.Store(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).Unix())
	return d
}

func (d *days) clock() time.Time { return time.Unix(d.now.Load(), 0).UTC() }

func (d *days) next() { d.now.Add(24 * 60 * 60) }

// raw are the bytes of an answer of Seen.
func (c caller) raw(t *testing.T, observables ...*elsewherev1.Observable) string {
	t.Helper()
	return string(answerBytes(one(c.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: observables, IncludeRecords: true}.Build()))))
}

func (c caller) drop(t *testing.T, ref string) {
	t.Helper()
	if _, err := c.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: ref}.Build()); err != nil {
		t.Fatal(err)
	}
}

// dated is a value of a day in February 2026.
func dated(value string, day int) *elsewherev1.Observable {
	o := obs("ip", value, "login_source")
	at := timestamp(time.Date(2026, 2, day, 8, 0, 0, 0, time.UTC))
	o.SetFirstSeen(at)
	o.SetLastSeen(at)
	return o
}

// TestAttackSubmitProbeDelete lets a tenant submit a value that too few others have,
// ask, and take it away again, on one day and over days.
func TestAttackSubmitProbeDelete(t *testing.T) {
	d := newDays()
	g := guard(t, server.Config{Memory: true, Clock: d.clock})
	g.tenants(t, "own", "a", "b")
	all, own := g.key(t, lead), g.key(t, tenantKey, "own")
	const shared, free = "70.0.0.1", "70.0.0.2"
	for _, other := range []string{"a", "b"} {
		all.put(t, newCase(other, "1", dated(shared, 3)))
	}
	for range 3 {
		d.next()
		for _, step := range []func(){
			func() {},
			func() { own.put(t, newCase("own", "1", dated(shared, 5), dated(free, 5))) },
			func() { own.put(t, newCase("own", "2", dated(shared, 6), dated(free, 6))) },
			func() { own.drop(t, "own/1") },
			func() { own.drop(t, "own/2") },
		} {
			step()
			// What two others have is answered as what nobody else has.
			x, y := own.raw(t, obs("ip", shared)), own.raw(t, obs("ip", free))
			if strings.ReplaceAll(x, fmt.Sprintf("%x", shared), "") != strings.ReplaceAll(y, fmt.Sprintf("%x", free), "") {
				t.Fatalf("what two others have: %s\nwhat nobody has: %s", x, y)
			}
		}
	}
}

// TestAttackCountingOfToday asks for a value that enough others have while one of them
// submits more cases with it than months are told for: on that day nothing changes.
func TestAttackCountingOfToday(t *testing.T) {
	d := newDays()
	g := guard(t, server.Config{Memory: true, Clock: d.clock})
	g.tenants(t, "own", "a", "b", "c", "d")
	all, own := g.key(t, lead), g.key(t, tenantKey, "own")
	const value = "70.0.0.1"
	for i, other := range []string{"a", "b", "c"} {
		all.put(t, newCase(other, "1", dated(value, i+1)))
	}
	d.next()
	ask := func() string { return own.raw(t, obs("ip", value)) }
	before := ask()
	if own.seen(t, obs("ip", value))[0].GetLastSeen() == nil {
		t.Fatal("no month is told of few cases")
	}
	for i := range graph.MaxPutTogether {
		all.put(t, newCase([]string{"c", "d"}[i%2], fmt.Sprint("more-", i), dated(value, 9)))
		if got := ask(); got != before {
			t.Fatalf("with %d cases of the day the answer changes", i+1)
		}
	}
	d.next()
	if own.seen(t, obs("ip", value))[0].GetLastSeen() != nil {
		t.Error("a month is told of many cases")
	}
}

// TestAttackDifferencingOverDays asks for the same value day after day while others
// come and go: nothing of a tenant's answer moves within a bucket, and nothing
// within the day on which somebody came.
func TestAttackDifferencingOverDays(t *testing.T) {
	d := newDays()
	g := guard(t, server.Config{Memory: true, Clock: d.clock})
	var ids []string
	for i := range 9 {
		ids = append(ids, fmt.Sprint("t", i))
	}
	g.tenants(t, append(ids, "own")...)
	all, own := g.key(t, lead), g.key(t, tenantKey, "own")
	const value = "70.0.0.1"
	ask := func() string { return own.raw(t, obs("ip", value)) }
	unseen, few := ask(), ""
	for i, id := range ids {
		before := ask()
		all.put(t, newCase(id, "1", dated(value, i+1)))
		if got := ask(); got != before {
			t.Fatalf("on the day that the %d. tenant came the answer changes", i+1)
		}
		d.next()
		switch got := ask(); {
		case i+1 < 3 && got != unseen:
			t.Fatalf("%d others are told", i+1)
		case i+1 == 3:
			if few = got; few == unseen {
				t.Fatal("3 others are not told")
			}
		case i+1 > 3 && got != few:
			t.Fatalf("the %d. tenant changes the answer", i+1)
		}
	}
	// And backwards: one who leaves is not seen to leave within a bucket.
	for i, id := range ids[:6] {
		all.drop(t, id+"/1")
		d.next()
		if got := ask(); got != few {
			t.Fatalf("without %d of 9 tenants the answer is another", i+1)
		}
	}
}

// TestAttackEnumeration asks for as many values as a tenant's key lets it.
func TestAttackEnumeration(t *testing.T) {
	g := guard(t, server.Config{Memory: true, Access: server.Access{DiscloseAtOnce: true}})
	g.tenants(t, "own", "a", "b")
	all, own := g.key(t, lead), g.key(t, tenantKey, "own")
	asked := make([]*elsewherev1.Observable, 2_000)
	for i := range asked {
		asked[i] = obs("ip", fmt.Sprintf("70.0.%d.%d", i>>8, i&255))
	}
	for _, tenant := range []string{"a", "b"} {
		all.put(t, newCase(tenant, "1", asked[700:800]...))
	}
	// A burst of 100 calls of 100 values, and what comes back of it meanwhile.
	answered, began := 0, time.Now()
	for {
		res, err := own.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: asked}.Build())
		if err != nil {
			want(t, "beyond the budget", status.Code(err), codes.ResourceExhausted)
			if retry(err) <= 0 {
				t.Error("no time to come back")
			}
			break
		}
		for i, r := range res.GetResults() {
			r.ClearObservable()
			if first := res.GetResults()[0]; !proto.Equal(r, first) {
				t.Fatalf("value %d stands out: %v", i, r)
			}
		}
		most := 12_000 + 1_000*time.Since(began).Seconds()
		if answered += len(asked); float64(answered) > most {
			t.Fatalf("%d values are answered in %v", answered, time.Since(began))
		}
	}
}

// TestAttackSybils lets one owner have many tenants and tries to raise a count, to
// make tenants and to write for others.
func TestAttackSybils(t *testing.T) {
	g := guard(t, server.Config{Memory: true, Access: server.Access{DiscloseAtOnce: true}})
	var ids []string
	for i := range 8 {
		id := fmt.Sprint("s", i)
		ids = append(ids, id)
		g.tenant(t, elsewherev1.Tenant_builder{Id: id, Group: "one owner"}.Build())
	}
	g.tenants(t, "own", "a")
	all, own, sybil := g.key(t, lead), g.key(t, tenantKey, "own"), g.key(t, tenantKey, ids[0])
	unseen := own.raw(t, obs("ip", "70.0.0.1"))
	for _, id := range append(ids, "a") {
		all.put(t, newCase(id, "1", obs("ip", "70.0.0.1")))
		if got := own.raw(t, obs("ip", "70.0.0.1")); got != unseen {
			t.Fatalf("with %s the answer is another", id)
		}
	}
	// They themselves hear of the one other as of nobody.
	if got := brief(sybil.seen(t, obs("ip", "70.0.0.1"))[0]); got != "seen tenants 1 cases 1 s0/1" {
		t.Errorf("one of the tenants is told %q", got)
	}
	_, err := sybil.CreateTenant(t.Context(), elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{Id: "s9"}.Build()}.Build())
	want(t, "a tenant makes a tenant", status.Code(err), codes.PermissionDenied)
	for _, tenant := range []string{"a", "s1", "s9", "own"} {
		_, err := sybil.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, "2", obs("ip", "70.0.0.1"))}.Build())
		want(t, "writing for "+tenant, status.Code(err), codes.NotFound)
	}
}

// TestAttackTokens changes the page tokens of every list, and uses them elsewhere.
func TestAttackTokens(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a", "b", "c")
	all := g.key(t, lead)
	for _, tenant := range []string{"a", "b"} {
		for i := range 3 {
			all.put(t, newCase(tenant, fmt.Sprint(i), obs("ip", "70.0.0.1", "login_source"), obs("ip", "70.0.0.2", "login_source"), obs("forward_to", "x@evil-invoices.net")))
		}
	}
	mine, other := g.key(t, analyst, "a", "b"), g.key(t, analyst, "a", "b")
	lists := map[string]func(c caller, token string) (string, error){
		"ListCases": func(c caller, token string) (string, error) {
			res, err := c.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageSize: 1, PageToken: token}.Build())
			return res.GetNextPageToken(), err
		},
		"ListCases of a tenant": func(c caller, token string) (string, error) {
			res, err := c.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{Tenant: "a", PageSize: 1, PageToken: token}.Build())
			return res.GetNextPageToken(), err
		},
		"ListSightings": func(c caller, token string) (string, error) {
			res, err := c.ListSightings(t.Context(), elsewherev1.ListSightingsRequest_builder{Observable: obs("ip", "70.0.0.1"), PageSize: 1, PageToken: token}.Build())
			return res.GetNextPageToken(), err
		},
		"ListLinks of a case": func(c caller, token string) (string, error) {
			res, err := c.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{CaseRef: new("a/1"), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 1, PageToken: token}.Build())
			return res.GetNextPageToken(), err
		},
		"ListLinks of a tenant": func(c caller, token string) (string, error) {
			res, err := c.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("a"), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 1, PageToken: token}.Build())
			return res.GetNextPageToken(), err
		},
	}
	tokens := make(map[string]string)
	for name, list := range lists {
		token, err := list(mine, "")
		if err != nil || token == "" {
			t.Fatalf("%s has no second page: %v", name, err)
		}
		tokens[name] = token
	}
	_, err := mine.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageToken: "x"}.Build())
	refusal, _ := proto.Marshal(status.Convert(err).Proto())
	for name, list := range lists {
		refused := func(what string, c caller, token string) {
			t.Helper()
			_, err := list(c, token)
			raw, _ := proto.Marshal(status.Convert(err).Proto())
			if status.Code(err) != codes.InvalidArgument || !bytes.Equal(raw, refusal) {
				t.Errorf("%s with %s: %v", name, what, err)
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(tokens[name])
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			changed := bytes.Clone(raw)
			changed[i] ^= 1 << (i % 8)
			refused(fmt.Sprint("another byte ", i), mine, base64.RawURLEncoding.EncodeToString(changed))
			refused(fmt.Sprint("the first bytes, ", i), mine, base64.RawURLEncoding.EncodeToString(raw[:max(i, 1)]))
		}
		refused("a longer token", mine, tokens[name]+"AAAA")
		refused("somebody else's token", other, tokens[name])
		for elsewhere, token := range tokens {
			if elsewhere != name {
				refused("a token of "+elsewhere, mine, token)
			}
		}
		if _, err := list(mine, tokens[name]); err != nil {
			t.Errorf("%s with its own token: %v", name, err)
		}
	}
}

// TestAttackErrors compares the errors about what is hidden with those about what is
// not there, of every method that names a case or a tenant.
func TestAttackErrors(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "own", "second")
	g.tenant(t, elsewherev1.Tenant_builder{Id: "hidden", Aliases: []string{"hidden-old"}}.Build())
	all := g.key(t, lead)
	for _, ref := range []string{"own/1", "second/1", "hidden/1"} {
		tenant, id, _ := strings.Cut(ref, "/")
		all.put(t, newCase(tenant, id, obs("ip", "70.0.0.1"), obs("phone", "+15551234567")))
	}
	secret := newCase("own", "secret", obs("ip", "70.0.0.1"))
	secret.SetRestricted(true)
	all.put(t, secret)
	type probe func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error)
	for name, ask := range map[string]probe{
		"GetCase": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			return one(c.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: tenant + "/" + id}.Build()))
		},
		"DeleteCase": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			return one(c.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: tenant + "/" + id}.Build()))
		},
		"DeleteCase, missing allowed": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			return one(c.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: tenant + "/" + id, AllowMissing: true}.Build()))
		},
		"ListCases": func(ctx context.Context, c caller, tenant, _ string) ([]proto.Message, error) {
			if tenant == "own" {
				return nil, nil
			}
			return one(c.ListCases(ctx, elsewherev1.ListCasesRequest_builder{Tenant: tenant}.Build()))
		},
		"SubmitCase": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			if tenant == "own" {
				// Who writes a case learns that it was there: it is the tenant's own.
				return nil, nil
			}
			return one(c.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, id), ExpectedRevision: new(uint32(1))}.Build()))
		},
		"ListLinks": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			return one(c.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{CaseRef: new(tenant + "/" + id)}.Build()))
		},
		"ExplainLink": func(ctx context.Context, c caller, tenant, id string) ([]proto.Message, error) {
			return one(c.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: "own/1", B: tenant + "/" + id}.Build()))
		},
		"Enrich": func(ctx context.Context, c caller, tenant, _ string) ([]proto.Message, error) {
			return one(c.Enrich(ctx, elsewherev1.EnrichRequest_builder{Tenant: tenant, Observables: []*elsewherev1.Observable{obs("ip", "70.0.0.1")}, LocalOnly: true}.Build()))
		},
		"CreateKey": func(ctx context.Context, c caller, tenant, _ string) ([]proto.Message, error) {
			return one(c.CreateKey(ctx, elsewherev1.CreateKeyRequest_builder{Key: elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{tenant}}.Build()}.Build()))
		},
	} {
		for _, role := range []elsewherev1.Role{submitter, tenantKey, analyst} {
			list := []string{"own"}
			if role == analyst {
				list = append(list, "second")
			}
			c := g.key(t, role, list...)
			for there, gone := range map[[2]string][2]string{
				{"hidden", "1"}:     {"nobody", "1"},
				{"hidden-old", "1"}: {"nobody", "1"},
				{"hidden", "2"}:     {"nobody", "2"},
				{"own", "secret"}:   {"own", "absent"},
			} {
				x := answerBytes(ask(t.Context(), c, there[0], there[1]))
				y := answerBytes(ask(t.Context(), c, gone[0], gone[1]))
				if !bytes.Equal(x, y) {
					t.Errorf("%v %s: %s of %v, %s of %v", role, name, x, there, y, gone)
				}
			}
		}
	}
}
