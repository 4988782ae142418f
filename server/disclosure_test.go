package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

func (c caller) put(t testing.TB, of *elsewherev1.Case) *elsewherev1.SubmitCaseResponse {
	t.Helper()
	res, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (c caller) seen(t testing.TB, observables ...*elsewherev1.Observable) []*elsewherev1.SeenResult {
	t.Helper()
	res, err := c.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: observables, IncludeRecords: true}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return res.GetResults()
}

// brief writes what a result says of tenants.
func brief(r *elsewherev1.SeenResult) string {
	text := strings.ToLower(strings.TrimPrefix(r.GetStatus().String(), "SEEN_STATUS_"))
	count := func(name string, c *elsewherev1.CountRange) {
		switch {
		case c == nil:
		case !c.HasMax():
			text += fmt.Sprintf(" %s %d+", name, c.GetMin())
		case c.GetMin() == c.GetMax():
			text += fmt.Sprintf(" %s %d", name, c.GetMin())
		default:
			text += fmt.Sprintf(" %s %d-%d", name, c.GetMin(), c.GetMax())
		}
	}
	count("tenants", r.GetTenants())
	count("cases", r.GetCases())
	count("others", r.GetOtherTenants())
	for _, s := range r.GetSightings() {
		text += " " + s.GetTenant() + "/" + s.GetCase()
	}
	if r.HasLastSeen() {
		text += " until " + r.GetLastSeen().GetEarliest().AsTime().Format(time.DateTime)
		if r.GetLastSeen().GetEarliest().AsTime() != r.GetLastSeen().GetLatest().AsTime() {
			text += " .. " + r.GetLastSeen().GetLatest().AsTime().Format(time.DateTime)
		}
	}
	return text
}

func published(t testing.TB, name string) *elsewherev1.Case {
	t.Helper()
	raw, err := testdata.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &elsewherev1.Case{}
	if err := protojson.Unmarshal(raw, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPublishedPairAsTenantOneSeesIt asks for everything that the first tenant of
// the published pair knows, with a key of that tenant.
func TestPublishedPairAsTenantOneSeesIt(t *testing.T) {
	g := guard(t, server.Config{Memory: true, Access: server.Access{DiscloseAtOnce: true}})
	g.tenants(t, "alder", "birch")
	all := g.key(t, lead)
	pair := [2]*elsewherev1.Case{published(t, testdata.CaseOne), published(t, testdata.CaseTwo)}
	for _, c := range pair {
		all.put(t, c)
	}
	if l := all.put(t, pair[0]).GetLinks(); len(l) != 1 || l[0].GetTier() != elsewherev1.Tier_TIER_STRONG {
		t.Fatalf("a lead is not told of the link: %v", l)
	}
	for _, role := range []elsewherev1.Role{tenantKey, submitter} {
		c := g.key(t, role, "alder")
		text := prototext.Format(c.put(t, pair[0]))
		var asked []*elsewherev1.Observable
		for _, of := range pair {
			for _, f := range of.GetFindings() {
				for _, o := range f.GetObservables() {
					asked = append(asked, obs(o.GetKind(), o.GetValue()), obs("", o.GetValue()))
				}
			}
		}
		if role == tenantKey {
			for i, r := range c.seen(t, asked...) {
				text += prototext.Format(r)
				kind := r.GetObservable().GetKind()
				if (kind == "spoof_pair" || kind == "email" || kind == "rule_name") && r.GetStatus() != elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED {
					t.Errorf("%v: %s", asked[i], brief(r))
				}
				for _, s := range r.GetSightings() {
					if s.GetTenant() != "alder" {
						t.Errorf("%v: a sighting in %s", asked[i], s.GetTenant())
					}
				}
			}
		}
		for _, o := range asked {
			res, err := c.ListSightings(t.Context(), elsewherev1.ListSightingsRequest_builder{Observable: o}.Build())
			text += prototext.Format(res) + fmt.Sprint(err)
		}
		for what, ask := range map[string]func() (proto.Message, error){
			"links of the case": func() (proto.Message, error) {
				return c.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{CaseRef: new(testdata.RefOne), MinTier: elsewherev1.Tier_TIER_LEAD}.Build())
			},
			"links of the tenant": func() (proto.Message, error) {
				return c.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("alder")}.Build())
			},
			"why": func() (proto.Message, error) {
				return c.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: testdata.RefOne, B: testdata.RefTwo}.Build())
			},
			"cases of the other": func() (proto.Message, error) {
				return c.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{Tenant: "birch"}.Build())
			},
			"all cases": func() (proto.Message, error) { return c.ListCases(t.Context(), &elsewherev1.ListCasesRequest{}) },
			"the other case": func() (proto.Message, error) {
				return c.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: testdata.RefTwo}.Build())
			},
		} {
			res, err := ask()
			text += prototext.Format(res) + fmt.Sprint(err)
			if err != nil && status.Code(err) != codes.PermissionDenied && status.Code(err) != codes.NotFound {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, word := range []string{"birch", "2023-0142", "likelihood", "millibits", "other_tenants"} {
			if strings.Contains(text, word) {
				t.Errorf("a %v of tenant one reads %q", role, word)
			}
		}
	}
}

// TestWhatAnalystsAndTenantsAreTold lets ever more tenants have a value.
func TestWhatAnalystsAndTenantsAreTold(t *testing.T) {
	for _, belowK := range []bool{false, true} {
		g := guard(t, server.Config{Memory: true, Access: server.Access{DiscloseAtOnce: true, ExistsBelowK: belowK}})
		g.tenants(t, "own", "second", "reports-x", "d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08", "d09", "d10")
		g.tenant(t, elsewherev1.Tenant_builder{Id: "trial", Type: elsewherev1.TenantType_TENANT_TYPE_TEST}.Build())
		g.tenant(t, elsewherev1.Tenant_builder{Id: "s1", Group: "sybil"}.Build())
		g.tenant(t, elsewherev1.Tenant_builder{Id: "s2", Group: "sybil"}.Build())
		all, one, list := g.key(t, lead), g.key(t, tenantKey, "own"), g.key(t, analyst, "own", "second")
		sybil := g.key(t, tenantKey, "s1")
		day := func(n int) *timestamppb.Timestamp {
			return timestamppb.New(time.Date(2024, 3, 1+n, 12, 0, 0, 0, time.UTC))
		}
		put := func(tenant string, n int) {
			o := obs("ip", "70.0.0.1", "login_source")
			o.SetFirstSeen(day(n))
			o.SetLastSeen(day(n))
			all.put(t, newCase(tenant, "1", o, obs("domain", "victim-bank.com", "spoofed")))
		}
		told := func(step, tenant, analyst string) {
			t.Helper()
			if belowK {
				tenant = strings.NewReplacer("not_seen tenants 0 cases 0", "not_seen tenants 0 cases 0 others 0").Replace(tenant)
			}
			if got := brief(one.seen(t, obs("ip", "70.0.0.1"))[0]); got != tenant {
				t.Errorf("%v %s: a tenant is told %q, want %q", belowK, step, got, tenant)
			}
			if got := brief(list.seen(t, obs("ip", "70.0.0.1"))[0]); got != analyst {
				t.Errorf("%v %s: an analyst is told %q, want %q", belowK, step, got, analyst)
			}
		}
		below := func(s string) string {
			if belowK {
				return "seen tenants 0 cases 0 others 1-2"
			}
			return s
		}
		none := "not_seen tenants 0 cases 0"
		told("nobody", none, none+" others 0")
		put("reports-x", 0)
		put("trial", 0)
		told("a report and a trial", none, none+" others 0")
		put("s1", 0)
		put("s2", 0)
		told("two of one owner", below(none), "seen tenants 0 cases 0 others 1-2")
		put("d01", 1)
		told("and one", below(none), "seen tenants 0 cases 0 others 1-2")
		put("d02", 2)
		months := " until 2024-03-01 00:00:00 .. 2024-03-31 23:59:59"
		told("three", "seen tenants 0 cases 0 others 3-9"+months, "seen tenants 0 cases 0 others 3-9")
		// To one of the owners they are fewer.
		if got := brief(sybil.seen(t, obs("ip", "70.0.0.1"))[0]); got != "seen tenants 1 cases 1 s1/1 until 2024-03-01 12:00:00" && !belowK {
			t.Errorf("one of the owners is told %q", got)
		}
		put("second", 8)
		told("one of the list", "seen tenants 0 cases 0 others 3-9"+months, "seen tenants 1 cases 1 others 3-9 second/1 until 2024-03-09 12:00:00")
		for i := 3; i <= 8; i++ {
			put(fmt.Sprintf("d%02d", i), 30)
		}
		months = " until 2024-03-01 00:00:00 .. 2024-03-31 23:59:59"
		told("ten", "seen tenants 0 cases 0 others 10+"+months, "seen tenants 1 cases 1 others 3-9 second/1 until 2024-03-09 12:00:00")
		put("d09", 31)
		put("own", 9)
		months = " until 2024-04-01 00:00:00 .. 2024-04-30 23:59:59"
		told("many", "seen tenants 1 cases 1 others 10+ own/1"+months, "seen tenants 2 cases 2 others 10+ own/1 second/1 until 2024-03-10 12:00:00")
		// Cases that nobody may know of count nowhere.
		hidden := newCase("d10", "1", obs("ip", "70.0.0.9"))
		hidden.SetRestricted(true)
		all.put(t, hidden)
		for _, c := range []caller{one, list} {
			if got := brief(c.seen(t, obs("ip", "70.0.0.9"))[0]); !strings.HasPrefix(got, none) {
				t.Errorf("of a restricted case is told %q", got)
			}
		}
		// A name that was only ever spoofed is the victim's.
		if got := brief(one.seen(t, obs("domain", "victim-bank.com"))[0]); strings.Contains(got, "others 3") || strings.Contains(got, "others 10") {
			t.Errorf("of a victim is told %q", got)
		}
	}
}

// TestRestrictedCasesAreForKeysThatMay asks for a restricted case with keys of its
// tenant.
func TestRestrictedCasesAreForKeysThatMay(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a", "b")
	all := g.key(t, lead)
	ip := obs("ip", "70.0.0.1", "login_source")
	all.put(t, newCase("b", "1", ip, obs("domain", "evil-invoices.net")))
	for i, restrict := range []func(*elsewherev1.Case){
		func(c *elsewherev1.Case) { c.SetRestricted(true) }, func(c *elsewherev1.Case) { c.SetTlp("red") },
	} {
		id := fmt.Sprint("r", i)
		c := newCase("a", id, ip, obs("domain", "evil-invoices.net"), obs("phone", "+15551234567"))
		restrict(c)
		may, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, Tenants: []string{"a", "b"}, Restricted: true}.Build())
		not := g.key(t, analyst, "a", "b")
		if l := not.put(t, c).GetLinks(); len(l) != 0 {
			t.Errorf("a key that may not read the case is told of its links: %v", l)
		}
		// The content did not change, so this asks only.
		if l := may.put(t, c).GetLinks(); len(l) == 0 {
			t.Error("a restricted case may not ask")
		}
		for _, who := range []struct {
			caller
			want codes.Code
			told bool
		}{{may, codes.OK, true}, {not, codes.NotFound, false}} {
			_, err := who.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/" + id}.Build())
			want(t, "get", status.Code(err), who.want)
			_, err = who.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{CaseRef: new("a/" + id)}.Build())
			want(t, "links", status.Code(err), who.want)
			_, err = who.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/" + id, B: "b/1"}.Build())
			want(t, "why", status.Code(err), who.want)
			if !who.told {
				_, err = who.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "a/" + id}.Build())
				want(t, "delete", status.Code(err), who.want)
			}
			got := brief(who.seen(t, ip)[0])
			if !strings.HasPrefix(got, "seen tenants 1 cases 1 others 0 b/1") || strings.Contains(got, "a/"+id) != who.told {
				t.Errorf("seen: %q", got)
			}
			if got := who.seen(t, obs("phone", "+15551234567"))[0]; (got.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN) != who.told {
				t.Errorf("a telephone number: %v", got)
			}
		}
	}
}

// TestSightingsOfTodayAreNotTold submits today: tenants hear of it tomorrow.
func TestSightingsOfTodayAreNotTold(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "own", "a", "b", "c")
	all := g.key(t, lead)
	for _, tenant := range []string{"a", "b", "c"} {
		all.put(t, newCase(tenant, "1", obs("ip", "70.0.0.1")))
	}
	if got := brief(g.key(t, tenantKey, "own").seen(t, obs("ip", "70.0.0.1"))[0]); got != "not_seen tenants 0 cases 0" {
		t.Errorf("a tenant is told %q today", got)
	}
	if got := brief(g.key(t, analyst, "own").seen(t, obs("ip", "70.0.0.1"))[0]); got != "seen tenants 0 cases 0 others 3-9" {
		t.Errorf("an analyst is told %q", got)
	}
}

// TestTenantsDoNotHearOfEgress asks as a tenant in a deployment that knows the
// addresses of another tenant, from a list and from its record, and in one that does
// not: the answers are equal, while an analyst's are not.
func TestTenantsDoNotHearOfEgress(t *testing.T) {
	answers := func(feeds string, egress ...string) (toTenant, toAnalyst string) {
		g := guard(t, server.Config{Memory: true, Enrichment: server.Enrichment{FeedsDir: feeds}})
		g.tenants(t, "own")
		g.tenant(t, elsewherev1.Tenant_builder{Id: "other", Egress: egress}.Build())
		ask := func(c caller) string {
			var b strings.Builder
			for _, value := range []string{"45.83.2.7", "45.83.1.7", "3.5.140.9"} {
				o := obs("ip", value)
				b.Write(answerBytes(one(c.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{o}, IncludeRecords: true}.Build()))))
				b.Write(answerBytes(one(c.Enrich(t.Context(), elsewherev1.EnrichRequest_builder{Tenant: "own", Observables: []*elsewherev1.Observable{o}}.Build()))))
			}
			b.Write(answerBytes(one(c.ListFeeds(t.Context(), &elsewherev1.ListFeedsRequest{}))))
			return b.String()
		}
		return ask(g.key(t, tenantKey, "own")), ask(g.key(t, analyst, "own"))
	}
	// 3.5.140.0/22 is a range of AWS.
	toTenant, toAnalyst := answers(folderOf(t, "egress.csv", "other,45.83.2.0/24\nother,3.5.140.0/22\n"), "45.83.1.0/24")
	plainTenant, plainAnalyst := answers("")
	if toTenant != plainTenant {
		t.Error("a tenant is answered otherwise where another one's addresses are known")
	}
	if toAnalyst == plainAnalyst {
		t.Error("there was nothing to hear of")
	}
}
