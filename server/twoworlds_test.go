package server_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// worldPairs are how many pairs of worlds are drawn, 100 requests for each.
var worldPairs = flag.Int("worlds", 15, "pairs of worlds in TestTwoWorlds, a fifth of them with -short")

// hidden is the tenant of whom nobody in the test may learn anything.
const hidden = "hidden"

// worldTenants are the tenants of both worlds; the first two are on the lists of
// those who ask.
var worldTenants = []*elsewherev1.Tenant{
	elsewherev1.Tenant_builder{Id: "alder", Aliases: []string{"alder-old"}}.Build(),
	elsewherev1.Tenant_builder{Id: "birch"}.Build(),
	elsewherev1.Tenant_builder{Id: "cedar"}.Build(),
	elsewherev1.Tenant_builder{Id: "dogwood", Group: "one"}.Build(),
	elsewherev1.Tenant_builder{Id: "elm", Group: "one"}.Build(),
	elsewherev1.Tenant_builder{Id: "reports-x"}.Build(),
	elsewherev1.Tenant_builder{Id: "trial", Type: elsewherev1.TenantType_TENANT_TYPE_TEST}.Build(),
	elsewherev1.Tenant_builder{Id: hidden, Aliases: []string{"hidden-old"}, Group: "two"}.Build(),
}

// worldValues are what the cases are made of: few, so that they meet.
var worldValues = []*elsewherev1.Observable{
	obs("ip", "70.0.0.1", "login_source"), obs("ip", "70.0.0.2", "login_source"), obs("ip", "70.0.9.3", "allow_listed"),
	obs("domain", "evil-invoices.net", "sending_infrastructure"), obs("domain", "victim-bank.com", "spoofed"),
	obs("hostname", "mail.evil-invoices.net", "sending_infrastructure"),
	obs("spoof_pair", "victim-bank.com>70.0.0.1"), obs("email", "billing@evil-invoices.net"),
	obs("forward_to", "collect@evil-invoices.net", "forward_target"), obs("rule_name", "Invoices to RSS"),
	obs("phone", "+15551234567"), obs("user_agent", "evil-agent/1.0"), obs("x_own", "something"),
}

// worldAsker is somebody who asks in both worlds.
type worldAsker struct {
	name, secret string
	role         elsewherev1.Role
}

// worldBase is a folder with tenants and keys and no cases, of which both worlds
// are copies: so keys, and what is sealed for them, are the same.
type worldBase struct {
	dir     string
	writer  string
	targets string // of publications
	askers  []worldAsker
}

func newWorldBase(t *testing.T) *worldBase {
	b := &worldBase{dir: t.TempDir(), targets: gitTarget(t, bareRepository(t), "red")}
	g := guard(t, server.Config{DataDir: b.dir})
	for _, tenant := range worldTenants {
		g.tenant(t, tenant)
	}
	_, b.writer = g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true, Restricted: true}.Build())
	for _, a := range []struct {
		name       string
		role       elsewherev1.Role
		restricted bool
		tenants    []string
	}{
		{"submitter", submitter, false, []string{"alder"}},
		{"tenant", tenantKey, false, []string{"alder"}},
		{"tenant, restricted", tenantKey, true, []string{"birch"}},
		{"tenant of a group", tenantKey, false, []string{"dogwood"}},
		{"analyst", analyst, false, []string{"alder", "birch"}},
		{"analyst, restricted", analyst, true, []string{"alder", "birch"}},
		{"lead", lead, false, []string{"alder", "birch", "elm"}},
		{"admin", admin, false, nil},
	} {
		_, secret := g.make(t, elsewherev1.Key_builder{Role: a.role, Restricted: a.restricted, Tenants: a.tenants, CallsPerSecond: 1e6, Burst: 1e6}.Build())
		b.askers = append(b.askers, worldAsker{a.name, secret, a.role})
	}
	b.askers = append(b.askers, worldAsker{"nobody", "", 0})
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	return b
}

// world is a running copy of a base.
type world struct {
	writer caller
	askers []caller
	// rest are the same, over REST.
	rest []caller
	stop func()
}

// settle waits until what was acknowledged is linked.
func (w *world) settle(ctx context.Context, t *rapid.T) {
	for {
		asked := time.Now()
		if _, err := w.writer.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{Tenant: new("alder")}.Build()); err != nil {
			t.Fatal(err)
		}
		// A list waits for the linker, but not for ever.
		if time.Since(asked) < patience {
			return
		}
	}
}

// asker is who asks a request.
func (w *world) asker(r worldRequest) caller {
	if r.rest {
		return w.rest[r.who]
	}
	return w.askers[r.who]
}

func (b *worldBase) open(t *testing.T, dir string, belowK bool) *world {
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	g := guard(t, server.Config{DataDir: dir, HTTPAddr: "127.0.0.1:0", PublishConfig: b.targets, Access: server.Access{DiscloseAtOnce: true, ExistsBelowK: belowK}})
	w := &world{writer: with(t, g.addr, b.writer)}
	for _, a := range b.askers {
		w.askers = append(w.askers, with(t, g.addr, a.secret))
		w.rest = append(w.rest, overREST(t, site{g.http, a.secret}))
	}
	w.stop = func() {
		w.writer.conn.Close()
		for _, c := range w.askers {
			c.conn.Close()
		}
		if err := g.stop(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
	return w
}

func drawValues(t *rapid.T, label string) []*elsewherev1.Observable {
	picked := rapid.SliceOfNDistinct(rapid.IntRange(0, len(worldValues)-1), 1, 6, rapid.ID[int]).Draw(t, label)
	var out []*elsewherev1.Observable
	for _, i := range picked {
		out = append(out, proto.CloneOf(worldValues[i]))
	}
	return out
}

func drawCase(t *rapid.T, tenants []string) *elsewherev1.Case {
	c := newCase(rapid.SampledFrom(tenants).Draw(t, "tenant"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id"), drawValues(t, "values")...)
	switch rapid.IntRange(0, 7).Draw(t, "withheld") {
	case 0:
		c.SetRestricted(true)
	case 1:
		c.SetTlp("red")
	case 2:
		c.SetState(elsewherev1.CaseState_CASE_STATE_DISMISSED)
	}
	return c
}

func worldTenantIDs(but ...string) []string {
	var ids []string
	for _, t := range worldTenants {
		if !slices.Contains(but, t.GetId()) {
			ids = append(ids, t.GetId())
		}
	}
	return ids
}

// question is a request that is asked in both worlds.
type worldQuestion struct {
	name string
	// ask returns the answers, a message each, or an error.
	ask func(ctx context.Context, c caller) ([]proto.Message, error)
}

// worldRequest is a question with the place of who asks it.
type worldRequest struct {
	who int
	// rest asks over REST.
	rest bool
	worldQuestion
}

func one[M proto.Message](m M, err error) ([]proto.Message, error) {
	if err != nil {
		return nil, err
	}
	return []proto.Message{m}, nil
}

// drawQuestion draws a request of any RPC.
func drawQuestion(t *rapid.T) worldQuestion {
	ref := func() string {
		return rapid.SampledFrom(append(worldTenantIDs(), "alder-old", "hidden-old", "unknown")).Draw(t, "of tenant") + "/" +
			rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "case")
	}
	tenant := func() string {
		return rapid.SampledFrom(append(worldTenantIDs(), "", "alder-old", "hidden-old", "unknown")).Draw(t, "tenant asked for")
	}
	value := func() *elsewherev1.Observable {
		o := worldValues[rapid.IntRange(0, len(worldValues)-1).Draw(t, "value")]
		kind := o.GetKind()
		if rapid.IntRange(0, 3).Draw(t, "guess") == 0 {
			kind = ""
		}
		return obs(kind, o.GetValue())
	}
	size := func() uint32 { return uint32(rapid.IntRange(1, 3).Draw(t, "page size")) }
	switch rapid.IntRange(0, 19).Draw(t, "method") {
	case 0:
		req := elsewherev1.SubmitCaseRequest_builder{
			Case:         drawCase(t, append(worldTenantIDs("cedar", "elm", "reports-x", "trial"), "unknown", "hidden-old")),
			ValidateOnly: rapid.Bool().Draw(t, "validate only"),
		}.Build()
		if rapid.Bool().Draw(t, "expects") {
			req.SetExpectedRevision(uint32(rapid.IntRange(0, 2).Draw(t, "revision")))
		}
		return worldQuestion{"SubmitCase", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.SubmitCase(ctx, req)) }}
	case 1:
		reqs := []*elsewherev1.Case{drawCase(t, []string{"alder", hidden, "unknown"}), drawCase(t, []string{"alder", "birch"})}
		return worldQuestion{"SubmitCases", func(ctx context.Context, c caller) ([]proto.Message, error) { return stream(ctx, c, reqs) }}
	case 2:
		r := ref()
		return worldQuestion{"GetCase " + r, func(ctx context.Context, c caller) ([]proto.Message, error) {
			return one(c.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: r}.Build()))
		}}
	case 3:
		req := elsewherev1.ListCasesRequest_builder{Tenant: tenant(), PageSize: size()}.Build()
		return worldQuestion{"ListCases", func(ctx context.Context, c caller) ([]proto.Message, error) {
			return pages(req, func(r *elsewherev1.ListCasesRequest) (*elsewherev1.ListCasesResponse, error) {
				return c.ListCases(ctx, r)
			})
		}}
	case 4:
		req := elsewherev1.DeleteCaseRequest_builder{CaseRef: ref(), AllowMissing: rapid.Bool().Draw(t, "allow missing")}.Build()
		return worldQuestion{"DeleteCase " + req.GetCaseRef(), func(ctx context.Context, c caller) ([]proto.Message, error) {
			return one(c.DeleteCase(ctx, req))
		}}
	case 5, 6, 7:
		req := elsewherev1.SeenRequest_builder{IncludeRecords: rapid.Bool().Draw(t, "records")}
		for range rapid.IntRange(1, 4).Draw(t, "number of values") {
			req.Observables = append(req.Observables, value())
		}
		return worldQuestion{"Seen", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.Seen(ctx, req.Build())) }}
	case 8:
		req := elsewherev1.ListSightingsRequest_builder{Observable: value(), PageSize: size()}.Build()
		return worldQuestion{"ListSightings", func(ctx context.Context, c caller) ([]proto.Message, error) {
			return pages(req, func(r *elsewherev1.ListSightingsRequest) (*elsewherev1.ListSightingsResponse, error) {
				return c.ListSightings(ctx, r)
			})
		}}
	case 9:
		req := elsewherev1.ListLinksRequest_builder{CaseRef: new(ref()), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: size(), IncludeSameTenant: rapid.Bool().Draw(t, "same tenant")}.Build()
		return worldQuestion{"ListLinks " + req.GetCaseRef(), func(ctx context.Context, c caller) ([]proto.Message, error) { return links(ctx, c, req) }}
	case 10:
		req := elsewherev1.ListLinksRequest_builder{Tenant: new(tenant()), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: size()}.Build()
		return worldQuestion{"ListLinks of tenant " + req.GetTenant(), func(ctx context.Context, c caller) ([]proto.Message, error) { return links(ctx, c, req) }}
	case 11:
		req := elsewherev1.ExplainLinkRequest_builder{A: ref(), B: ref()}.Build()
		return worldQuestion{"ExplainLink", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.ExplainLink(ctx, req)) }}
	case 12:
		req := elsewherev1.EnrichRequest_builder{Tenant: tenant(), Observables: []*elsewherev1.Observable{value(), value()}}.Build()
		return worldQuestion{"Enrich", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.Enrich(ctx, req)) }}
	case 13:
		r := ref()
		return worldQuestion{"a page token of something else", func(ctx context.Context, c caller) ([]proto.Message, error) {
			token := ""
			if res, err := c.ListCases(ctx, elsewherev1.ListCasesRequest_builder{PageSize: 1}.Build()); err == nil {
				token = res.GetNextPageToken()
			}
			return one(c.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{CaseRef: new(r), PageToken: token + "x"}.Build()))
		}}
	}
	switch rapid.IntRange(0, 3).Draw(t, "of people") {
	case 0:
		req := elsewherev1.ReviewLinkRequest_builder{
			A: ref(), B: ref(), Action: elsewherev1.ReviewAction(rapid.IntRange(0, 3).Draw(t, "action")), Reason: "because",
			DryRun: rapid.Bool().Draw(t, "dry run"),
		}.Build()
		return worldQuestion{"ReviewLink " + req.GetA() + " " + req.GetB(), func(ctx context.Context, c caller) ([]proto.Message, error) {
			return one(c.ReviewLink(ctx, req))
		}}
	case 1, 2:
		name := rapid.SampledFrom([]string{"", "someone", "someone else"}).Draw(t, "name")
		return worldQuestion{"Actors", func(ctx context.Context, c caller) ([]proto.Message, error) { return actors(ctx, c, name) }}
	}
	if q, ok := drawExport(t, ref, tenant, value); ok {
		return q
	}
	return worldQuestion{"AdminService", func(ctx context.Context, c caller) ([]proto.Message, error) {
		name := hidden
		var out []proto.Message
		all := func(m []proto.Message, err error) {
			out = append(append(out, m...), status.Convert(err).Proto())
		}
		all(one(c.GetTenant(ctx, elsewherev1.GetTenantRequest_builder{Tenant: name}.Build())))
		all(one(c.ListTenants(ctx, &elsewherev1.ListTenantsRequest{})))
		all(one(c.ListKeys(ctx, &elsewherev1.ListKeysRequest{})))
		all(one(c.CreateTenant(ctx, elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{Id: name}.Build()}.Build())))
		all(one(c.UpdateTenant(ctx, elsewherev1.UpdateTenantRequest_builder{
			Tenant: elsewherev1.Tenant_builder{Id: name}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"type"}},
		}.Build())))
		all(one(c.RevokeKey(ctx, elsewherev1.RevokeKeyRequest_builder{Key: "els_aaaaaaaaaaaa"}.Build())))
		all(one(c.RotateKey(ctx, elsewherev1.RotateKeyRequest_builder{Key: "els_aaaaaaaaaaaa"}.Build())))
		all(one(c.CreateKey(ctx, elsewherev1.CreateKeyRequest_builder{Key: elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{"unknown"}}.Build()}.Build())))
		all(erasure(c.EraseTenant(ctx, elsewherev1.EraseTenantRequest_builder{Tenant: "unknown"}.Build())))
		all(one(c.ListFeeds(ctx, &elsewherev1.ListFeedsRequest{})))
		all(one(c.CreateWebhook(ctx, elsewherev1.CreateWebhookRequest_builder{Webhook: elsewherev1.Webhook_builder{Url: "https://example.com/", Tenants: []string{"unknown"}}.Build()}.Build())))
		all(one(c.ListWebhooks(ctx, &elsewherev1.ListWebhooksRequest{})))
		all(one(c.ListDeadLetters(ctx, elsewherev1.ListDeadLettersRequest_builder{Webhook: "wh_aaaaaaaaaaaa"}.Build())))
		all(one(c.RetryDeadLetters(ctx, elsewherev1.RetryDeadLettersRequest_builder{Webhook: "wh_aaaaaaaaaaaa"}.Build())))
		all(one(c.DeleteWebhook(ctx, elsewherev1.DeleteWebhookRequest_builder{Id: "wh_aaaaaaaaaaaa"}.Build())))
		all(trailPages(ctx, c))
		all(one(c.WhoAmI(ctx, &elsewherev1.WhoAmIRequest{})))
		// Its counts are over the whole deployment, for who administers it.
		_, err := c.Stats(ctx, &elsewherev1.StatsRequest{})
		all(nil, err)
		return out, nil
	}}
}

// erasure returns what is told of an erasure.
func erasure(stream grpc.ServerStreamingClient[elsewherev1.EraseTenantResponse], err error) (out []proto.Message, _ error) {
	if err != nil {
		return nil, err
	}
	for {
		step, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, step)
	}
}

// actors asks for all actors, and for all that there is to ask of each.
func actors(ctx context.Context, c caller, name string) ([]proto.Message, error) {
	out, err := pages(elsewherev1.ListActorsRequest_builder{PageSize: 2}.Build(), func(r *elsewherev1.ListActorsRequest) (*elsewherev1.ListActorsResponse, error) {
		return c.ListActors(ctx, r)
	})
	ids := []string{"", "act-aaaaaaaaaa"}
	for _, m := range out {
		for _, a := range m.(*elsewherev1.ListActorsResponse).GetActors() {
			ids = append(ids, a.GetId())
		}
	}
	all := func(m []proto.Message, err error) {
		out = append(append(out, m...), status.Convert(err).Proto())
	}
	for _, id := range ids {
		all(one(c.GetActor(ctx, elsewherev1.GetActorRequest_builder{Actor: id}.Build())))
		all(one(c.UpdateActor(ctx, elsewherev1.UpdateActorRequest_builder{
			Actor: elsewherev1.Actor_builder{Id: id, Name: name}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}},
		}.Build())))
		// How its changes came together in steps of the linker is a matter of time.
		_, err := c.ActorHistory(ctx, elsewherev1.ActorHistoryRequest_builder{Actor: id}.Build())
		all(nil, err)
		all(links(ctx, c, elsewherev1.ListLinksRequest_builder{Actor: new(id), MinTier: elsewherev1.Tier_TIER_LEAD, IncludeRefuted: true}.Build()))
	}
	return out, err
}

// drawExport draws what has to do with handing on; false for something else.
func drawExport(t *rapid.T, ref, tenant func() string, value func() *elsewherev1.Observable) (worldQuestion, bool) {
	s := elsewherev1.Selection_builder{Tlp: rapid.SampledFrom([]string{"amber+strict", "red", "green"}).Draw(t, "tlp")}
	format := rapid.SampledFrom([]elsewherev1.ExportFormat{csvFormat, elsewherev1.ExportFormat_EXPORT_FORMAT_LIST, elsewherev1.ExportFormat_EXPORT_FORMAT_NAVIGATOR}).Draw(t, "format")
	ask := func(ctx context.Context, c caller) ([]proto.Message, error) {
		file, summary, err := exported(ctx, c, s.Build(), format)
		if err != nil {
			return nil, err
		}
		return []proto.Message{summary, elsewherev1.ExportResponse_builder{Data: []byte(file)}.Build()}, nil
	}
	switch rapid.IntRange(0, 12).Draw(t, "kind of export") {
	case 0, 1:
		s.CaseRef = new(ref())
		return worldQuestion{"Export " + *s.CaseRef, ask}, true
	case 2:
		s.Observables = elsewherev1.Observables_builder{Values: []*elsewherev1.Observable{value(), value()}}.Build()
		return worldQuestion{"Export of values", ask}, true
	case 3:
		s.Link = elsewherev1.LinkedCases_builder{A: ref(), B: ref()}.Build()
		return worldQuestion{"Export of a link", func(ctx context.Context, c caller) ([]proto.Message, error) {
			// How likely a link is follows from all cases; whether its ends are there does not.
			_, _, err := exported(ctx, c, s.Build(), format)
			if code := status.Code(err); code != codes.NotFound && code != codes.PermissionDenied && code != codes.Unauthenticated && code != codes.InvalidArgument {
				err = nil
			}
			return nil, err
		}}, true
	case 4:
		req := elsewherev1.ApproveExportRequest_builder{Selection: elsewherev1.Selection_builder{CaseRef: new(ref()), Tlp: "clear"}.Build()}.Build()
		return worldQuestion{"ApproveExport", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.ApproveExport(ctx, req)) }}, true
	case 5:
		req := elsewherev1.TenantHintsRequest_builder{Tenant: tenant(), Tokens: []string{rapid.SampledFrom([]string{"Robin Quill", "Ada Moss"}).Draw(t, "token")}}.Build()
		return worldQuestion{"TenantHints", func(ctx context.Context, c caller) ([]proto.Message, error) { return one(c.TenantHints(ctx, req)) }}, true
	case 6:
		s.CaseRef = new(ref())
		req := elsewherev1.PublishRequest_builder{Target: "feed", Selection: s.Build(), DryRun: true}.Build()
		return worldQuestion{"Publish " + *s.CaseRef, func(ctx context.Context, c caller) ([]proto.Message, error) { return one(report(ctx, c, req)) }}, true
	case 7:
		req := elsewherev1.ListPublicationsRequest_builder{PageSize: 1}.Build()
		return worldQuestion{"ListPublications", func(ctx context.Context, c caller) ([]proto.Message, error) {
			return pages(req, func(r *elsewherev1.ListPublicationsRequest) (*elsewherev1.ListPublicationsResponse, error) {
				return c.ListPublications(ctx, r)
			})
		}}, true
	case 8:
		header := elsewherev1.ImportHeader_builder{Publisher: rapid.SampledFrom([]string{"x", "unknown"}).Draw(t, "publisher")}.Build()
		return worldQuestion{"Import", func(ctx context.Context, c caller) ([]proto.Message, error) {
			return one(imported(ctx, c, header, "Type,Data,Note\nip,70.0.0.1,\n"))
		}}, true
	case 9:
		return worldQuestion{"ListCollections", func(ctx context.Context, c caller) ([]proto.Message, error) {
			res, err := c.ListCollections(ctx, elsewherev1.ListCollectionsRequest_builder{PageSize: 4}.Build())
			if err == nil {
				// Those of actors follow from links, which are granted; they come behind.
				res.SetNextPageToken("")
			}
			return one(res, err)
		}}, true
	case 10, 11:
		req := elsewherev1.ListCollectionObjectsRequest_builder{
			Collection: rapid.SampledFrom([]string{"tlp-red", "tlp-amber-strict", "tlp-green", "tlp-clear", "unknown", "act-aaaaaaaaaa-red"}).Draw(t, "collection"),
			PageSize:   rapid.SampledFrom([]uint32{3, 100}).Draw(t, "page size"),
		}.Build()
		if rapid.Bool().Draw(t, "indicators only") {
			req.SetTypes([]string{"indicator"})
		}
		return worldQuestion{"ListCollectionObjects " + req.GetCollection(), func(ctx context.Context, c caller) ([]proto.Message, error) {
			out, err := pages(req, func(r *elsewherev1.ListCollectionObjectsRequest) (*elsewherev1.ListCollectionObjectsResponse, error) {
				return c.ListCollectionObjects(ctx, r)
			})
			for _, m := range out {
				maskOffered(m.(*elsewherev1.ListCollectionObjectsResponse))
			}
			return out, err
		}}, true
	}
	return worldQuestion{}, false
}

// timesOfToday are those that the clock wrote into an object.
var timesOfToday = regexp.MustCompile(`"20[0-9-]{8}T[0-9:.]+Z"`)

// maskOffered takes away when something was stored and offered, by which tokens and
// objects of two runs differ. What is offered was sent before, and changed since, in
// both worlds or in none.
func maskOffered(m *elsewherev1.ListCollectionObjectsResponse) {
	if m.GetNextPageToken() != "" {
		m.SetNextPageToken("more")
	}
	for _, o := range m.GetObjects() {
		o.ClearAddTime()
		o.ClearVersion()
		o.SetStix(timesOfToday.ReplaceAllString(o.GetStix(), `"then"`))
	}
}

func links(ctx context.Context, c caller, req *elsewherev1.ListLinksRequest) ([]proto.Message, error) {
	return pages(req, func(r *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
		return c.ListLinks(ctx, r)
	})
}

// trailPages asks for the audit trail. It is for who administers and tells of every
// tenant: of an answer only that there was one is compared.
func trailPages(ctx context.Context, c caller) ([]proto.Message, error) {
	s, err := c.AuditTrail(ctx, &elsewherev1.AuditTrailRequest{})
	if err != nil {
		return nil, err
	}
	for {
		switch _, err := s.Recv(); {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
}

func stream(ctx context.Context, c caller, cases []*elsewherev1.Case) ([]proto.Message, error) {
	s, err := c.SubmitCases(ctx)
	if err != nil {
		return nil, err
	}
	var out []proto.Message
	for i, of := range cases {
		// One after the other, so that the answers are in order.
		err := s.Send(elsewherev1.SubmitCasesRequest_builder{Index: uint64(i), Submit: elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()}.Build())
		if err != nil && !errors.Is(err, io.EOF) {
			return out, err
		}
		ack, err := s.Recv()
		if err != nil {
			return out, err
		}
		out = append(out, ack)
	}
	if err := s.CloseSend(); err != nil {
		return out, err
	}
	_, err = s.Recv()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, err
}

// pages follows a list to its end.
func pages[Req interface {
	proto.Message
	SetPageToken(string)
}, Res interface {
	proto.Message
	GetNextPageToken() string
}](req Req, list func(Req) (Res, error)) ([]proto.Message, error) {
	var out []proto.Message
	for page := proto.CloneOf(req); ; {
		res, err := list(page)
		if err != nil {
			return out, err
		}
		out = append(out, res)
		if res.GetNextPageToken() == "" || len(out) > 100 {
			return out, nil
		}
		page.SetPageToken(res.GetNextPageToken())
	}
}

// answerBytes are an answer but for what tells one run from the next.
func answerBytes(messages []proto.Message, err error) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		maskClock(m.ProtoReflect())
		raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		fmt.Fprintf(&b, "%d %x\n", len(raw), raw)
	}
	raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(status.Convert(err).Proto())
	fmt.Fprintf(&b, "status %x\n", raw)
	return b.Bytes()
}

// maskClock takes away the times at which something was stored or read: the two
// worlds run one after the other.
func maskClock(m protoreflect.Message) {
	clocks := []protoreflect.Name{"create_time", "update_time", "first_linked_at", "looked_up_at", "last_used_time", "time", "named_at", "modify_time"}
	// How far the linker has come decides about the actor of a case just submitted.
	clocks = append(clocks, "actor_id")
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case slices.Contains(clocks, f.Name()):
			m.Clear(f)
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				maskClock(v.List().Get(i).Message())
			}
		default:
			maskClock(v.Message())
		}
		return true
	})
}

// maskGranted takes away of two answers what section 7 of the design lets follow
// from what is hidden: to tenants the bucket from k on, to analysts the bucket and
// scores. It fails on links that lead out of the list.
func maskGranted(t *rapid.T, role elsewherev1.Role, x, y []proto.Message) {
	for i := range min(len(x), len(y)) {
		if a, ok := x[i].(*elsewherev1.SeenResponse); ok {
			b := y[i].(*elsewherev1.SeenResponse)
			for k := range min(len(a.GetResults()), len(b.GetResults())) {
				maskSeen(role, a.GetResults()[k], b.GetResults()[k])
			}
		}
	}
	if role != analyst && role != lead {
		return
	}
	for _, answers := range [][]proto.Message{x, y} {
		for _, m := range answers {
			switch m := m.(type) {
			case *elsewherev1.SubmitCaseResponse:
				checkLinks(t, m.GetLinks())
				m.SetLinks(nil)
				m.SetMoreLinks(false)
				m.SetActorId("")
			case *elsewherev1.SubmitCasesResponse:
				checkLinks(t, m.GetResult().GetLinks())
				if m.HasResult() {
					m.GetResult().SetLinks(nil)
					m.GetResult().SetMoreLinks(false)
					m.GetResult().SetActorId("")
				}
			case *elsewherev1.ReviewLinkResponse:
				checkLinks(t, []*elsewherev1.Link{m.GetBefore(), m.GetAfter()})
				checkActors(t, append(m.GetActorsBefore(), m.GetActorsAfter()...))
				proto.Reset(m)
			case *elsewherev1.ListLinksResponse:
				checkLinks(t, m.GetLinks())
				m.SetLinks(nil)
				m.SetNextPageToken("")
			case *elsewherev1.ExplainLinkResponse:
				e := m.GetExplanation()
				m.SetExplanation(elsewherev1.Explanation_builder{
					A: e.GetA(), B: e.GetB(), ModelVersion: e.GetModelVersion(), FeedsVersion: e.GetFeedsVersion(),
					CorpusN: e.GetCorpusN(), PriorMillibits: e.GetPriorMillibits(), SharedGeneric: e.GetSharedGeneric(),
				}.Build())
			}
		}
	}
}

// withoutActors takes away all that is told of actors, once it has been looked at.
func withoutActors(t *rapid.T, messages []proto.Message) []proto.Message {
	for _, m := range messages {
		switch m := m.(type) {
		case *elsewherev1.ListActorsResponse:
			checkActors(t, m.GetActors())
		case *elsewherev1.GetActorResponse:
			checkActors(t, []*elsewherev1.Actor{m.GetActor()})
		case *elsewherev1.UpdateActorResponse:
			checkActors(t, []*elsewherev1.Actor{m.GetActor()})
		case *elsewherev1.ActorHistoryResponse:
			for _, e := range m.GetEvents() {
				checkCases(t, e.GetMembers())
			}
		}
	}
	return nil
}

// checkActors fails on actors of which more is told than through cases on the list.
func checkActors(t *rapid.T, actors []*elsewherev1.Actor) {
	for _, a := range actors {
		checkLinks(t, a.GetCandidates())
		checkCases(t, append(slices.Clone(a.GetMembers()), a.GetAnchor()))
		for _, of := range a.GetTenants() {
			checkCases(t, []string{of.GetName()})
		}
	}
}

func checkCases(t *rapid.T, refs []string) {
	for _, ref := range refs {
		if tenant, _, _ := strings.Cut(ref, "/"); ref != "" && !slices.Contains([]string{"alder", "birch", "elm"}, tenant) {
			t.Fatalf("an actor leads to %s", ref)
		}
	}
}

func checkLinks(t *rapid.T, links []*elsewherev1.Link) {
	for _, l := range links {
		for _, end := range []string{l.GetA(), l.GetB()} {
			tenant, _, _ := strings.Cut(end, "/")
			if l != nil && !slices.Contains([]string{"alder", "birch", "elm"}, tenant) {
				t.Fatalf("a link leads to %s", end)
			}
		}
	}
}

// maskSeen takes away the bucket, and what follows from it.
func maskSeen(role elsewherev1.Role, a, b *elsewherev1.SeenResult) {
	if !a.HasOtherTenants() && !b.HasOtherTenants() {
		return
	}
	if role == tenantKey && a.GetOtherTenants().GetMin() < 3 && b.GetOtherTenants().GetMin() < 3 {
		return
	}
	// Of several kinds that a form fits the first that was seen is answered, and a
	// text that no case has stays as it was sent.
	guessed := !proto.Equal(a.GetObservable(), b.GetObservable())
	for _, r := range []*elsewherev1.SeenResult{a, b} {
		r.ClearOtherTenants()
		if role == tenantKey {
			r.ClearFirstSeen()
			r.ClearLastSeen()
			r.SetRecords(nil)
		}
		if r.GetCases().GetMin() == 0 && len(r.GetSightings()) == 0 {
			r.SetStatus(elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN)
			r.ClearTenants()
			r.ClearCases()
		}
		if guessed {
			proto.Reset(r)
		}
	}
}

// TestTwoWorlds draws worlds with and without the cases of a hidden tenant and asks
// both the same in every role. Answers are equal byte by byte but for what is
// granted; where the hidden cases are restricted, nothing is.
func TestTwoWorlds(t *testing.T) {
	base := newWorldBase(t)
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(fmt.Sprint(*worldPairs)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checks.Value.Set(before); err != nil {
			t.Fatal(err)
		}
	}()
	scratch := t.TempDir()
	asked, opened, total, answeredREST := make(map[string]int), 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		withheld := rapid.Bool().Draw(rt, "hidden cases are restricted")
		known := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *elsewherev1.Case { return drawCase(t, worldTenantIDs(hidden)) }), 0, 10).Draw(rt, "cases")
		unknown := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *elsewherev1.Case {
			c := drawCase(t, []string{hidden})
			if withheld {
				c.SetRestricted(true)
			}
			return c
		}), 1, 3).Draw(rt, "hidden cases")
		opened++
		with := base.open(t, filepath.Join(scratch, fmt.Sprint(opened, "-with")), false)
		defer with.stop()
		without := base.open(t, filepath.Join(scratch, fmt.Sprint(opened, "-without")), false)
		defer without.stop()
		ctx := t.Context()
		fill := func(w *world, cases []*elsewherev1.Case) {
			for _, c := range cases {
				if _, err := w.writer.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		half := len(known) / 2
		fill(with, known[:half])
		fill(with, unknown)
		fill(with, known[half:])
		fill(without, known)
		requests := 0
		ask := func(r worldRequest) {
			who, q := r.who, r.worldQuestion
			requests++
			asker := base.askers[who]
			asked[asker.name+" "+strings.Fields(q.name)[0]]++
			// How far the linker has come is a matter of time.
			if q.name == "Actors" || strings.HasPrefix(q.name, "ReviewLink") || strings.HasPrefix(q.name, "Export") || strings.HasPrefix(q.name, "ListCollection") {
				with.settle(ctx, rt)
				without.settle(ctx, rt)
			}
			x, errX := q.ask(ctx, with.asker(r))
			y, errY := q.ask(ctx, without.asker(r))
			if r.rest && errX == nil {
				answeredREST++
			}
			for _, m := range x {
				if asker.role != admin && !strings.HasPrefix(q.name, "Submit") && strings.Contains(prototext.Format(m), `"`+hidden) {
					rt.Fatalf("%s asks %s and reads of the hidden tenant: %v", asker.name, q.name, m)
				}
			}
			if status.Code(errX) == codes.Internal {
				rt.Fatalf("%s asks %s: %v", asker.name, q.name, errX)
			}
			if !withheld {
				maskGranted(rt, asker.role, x, y)
				// How many actors there are follows from links, which are granted.
				if q.name == "Actors" && (asker.role == analyst || asker.role == lead) {
					x, y = withoutActors(rt, x), withoutActors(rt, y)
				}
				// How many pages links take is a matter of their scores.
				if strings.HasPrefix(q.name, "ListLinks") && errX == nil && errY == nil {
					x, y = x[:1], y[:1]
				}
			}
			if a, b := answerBytes(x, errX), answerBytes(y, errY); !bytes.Equal(a, b) {
				rt.Fatalf("among %d cases and %d hidden ones, request %d: %s asks %s\nwith the hidden tenant: %v %v\nwithout: %v %v",
					len(known), len(unknown), requests, asker.name, q.name, x, errX, y, errY)
			}
		}
		// Many short rows of requests, about 100 together, so that those that do not
		// matter can be left out of a failing example.
		row := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) worldRequest {
			return worldRequest{
				rapid.IntRange(0, len(base.askers)-1).Draw(t, "who"), rapid.IntRange(0, 3).Draw(t, "over REST") == 3, drawQuestion(t),
			}
		}), 0, 10)
		for range 20 {
			for _, r := range row.Draw(rt, "requests") {
				ask(r)
			}
		}
		total += requests
	})
	t.Logf("%d requests in %d pairs of worlds, %d answered over REST", total, opened, answeredREST)
	if !t.Failed() && answeredREST < opened {
		t.Errorf("only %d requests were answered over REST", answeredREST)
	}
	if !t.Failed() && !testing.Short() && len(asked) < 9*8 {
		t.Errorf("only %d combinations of role and method were asked", len(asked))
	}
}
