package server_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gocmp "github.com/google/go-cmp/cmp"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// intrusion is a case of an actor that is told by a number, opened on a day.
func intrusion(tenant, id string, actor string, opened int) *elsewherev1.Case {
	c := newCase(tenant, id,
		obs("ip", "185."+actor+".1.1", "login_source"), obs("ip", "185."+actor+".2.1", "login_source"),
		obs("forward_to", "drop"+actor+"@evil.example", "forward_target"))
	c.SetOpenedAt(timestamppb.New(day(opened)))
	c.GetFindings()[0].SetFirstSeen(timestamppb.New(day(1)))
	c.GetFindings()[0].SetLastSeen(timestamppb.New(day(9)))
	return c
}

func reviewOf(a, b string, action elsewherev1.ReviewAction) *elsewherev1.ReviewLinkRequest {
	return elsewherev1.ReviewLinkRequest_builder{A: a, B: b, Action: action, Reason: "because"}.Build()
}

// actorsOf returns all actors, and each by itself.
func actorsOf(t testing.TB, c elsewherev1.CorrelationServiceClient) []proto.Message {
	t.Helper()
	res, err := c.ListActors(t.Context(), &elsewherev1.ListActorsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := []proto.Message{res}
	for _, a := range res.GetActors() {
		one, err := c.GetActor(t.Context(), elsewherev1.GetActorRequest_builder{Actor: a.GetId()}.Build())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

// TestReviewIsPreviewedAndTakenBack: what a dry run says comes true, and after a clear
// every answer is what it was, byte by byte.
func TestReviewIsPreviewedAndTakenBack(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for _, c := range []*elsewherev1.Case{
		intrusion("alder", "1", "1", 2), intrusion("birch", "1", "1", 3), intrusion("cedar", "1", "2", 4), intrusion("elm", "1", "2", 5),
	} {
		d.submit(t, c)
	}
	answers := func() []proto.Message {
		out := actorsOf(t, d)
		for _, req := range []elsewherev1.ListLinksRequest_builder{{Tenant: new("alder")}, {CaseRef: new("alder/1")}, {CaseRef: new("cedar/1")}} {
			req.MinTier, req.IncludeRefuted = elsewherev1.Tier_TIER_LEAD, true
			res, err := d.ListLinks(t.Context(), req.Build())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, res)
		}
		return out
	}
	same := func(what string, got, want any) {
		t.Helper()
		if diff := gocmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", what, diff)
		}
	}
	before := answers()
	for _, action := range []elsewherev1.ReviewAction{
		elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM, elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE,
	} {
		for _, pair := range [][2]string{{"alder/1", "cedar/1"}, {"alder/1", "birch/1"}} {
			req := reviewOf(pair[0], pair[1], action)
			req.SetDryRun(true)
			preview, err := d.ReviewLink(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			same("answers after a dry run", answers(), before)
			req.SetDryRun(false)
			done, err := d.ReviewLink(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*elsewherev1.ReviewLinkResponse{preview, done} {
				for _, said := range r.GetHistory() {
					said.ClearTime()
				}
			}
			same("what was done, beside the preview", done, preview)
			listed, err := d.ListActors(t.Context(), &elsewherev1.ListActorsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range preview.GetActorsAfter() {
				if !slices.ContainsFunc(listed.GetActors(), func(b *elsewherev1.Actor) bool {
					return a.GetId() == b.GetId() && slices.Equal(a.GetMembers(), b.GetMembers())
				}) {
					t.Errorf("%v was previewed and is not there: %v", a, listed)
				}
			}
			req.SetAction(elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR)
			if _, err := d.ReviewLink(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			same("answers once it is taken back", answers(), before)
		}
	}
}

// TestActorOfTheListed: who reads a part of an actor's tenants sees an actor of that
// part, under another id, and of the others a bucket.
func TestActorOfTheListed(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "alder", "birch", "cedar", "elm")
	writer, _ := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build())
	for i, tenant := range []string{"elm", "birch", "alder", "cedar"} {
		c := intrusion(tenant, "1", "1", 2+i)
		if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	all := actorsOf(t, writer)[1].(*elsewherev1.GetActorResponse).GetActor()
	if all.GetCases() != 4 {
		t.Fatal(all)
	}
	some := g.key(t, lead, "alder", "birch")
	got := actorsOf(t, some)[1].(*elsewherev1.GetActorResponse).GetActor()
	if !slices.Equal(got.GetMembers(), []string{"alder/1", "birch/1"}) || got.GetOtherTenants().GetMin() != 1 || got.GetOtherTenants().GetMax() != 2 {
		t.Errorf("%v", got)
	}
	if got.GetId() == all.GetId() {
		t.Error("the id is that of a case that is not on the list")
	}
	ctx := t.Context()
	_, err := some.GetActor(ctx, elsewherev1.GetActorRequest_builder{Actor: all.GetId()}.Build())
	want(t, "an actor by a case that is not on the list", status.Code(err), codes.NotFound)
	_, err = some.ReviewLink(ctx, reviewOf("alder/1", "elm/1", elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM))
	want(t, "a review with one end on the list", status.Code(err), codes.NotFound)
	_, err = some.UpdateActor(ctx, elsewherev1.UpdateActorRequest_builder{
		Actor: elsewherev1.Actor_builder{Id: got.GetId(), Name: "Quiet Otter"}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}},
	}.Build())
	want(t, "a name", status.Code(err), codes.OK)
	// The name hangs on a case, whoever sees the actor through whatever other cases.
	if name := actorsOf(t, writer)[1].(*elsewherev1.GetActorResponse).GetActor().GetName(); name != "Quiet Otter" {
		t.Errorf("the name is %q for who reads all", name)
	}
	reader := g.key(t, analyst, "elm")
	if name := actorsOf(t, reader)[1].(*elsewherev1.GetActorResponse).GetActor().GetName(); name != "" {
		t.Errorf("the name is %q for who does not read the case that it hangs on", name)
	}
	_, err = reader.ReviewLink(ctx, reviewOf("elm/1", "elm/1", elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM))
	want(t, "a review by an analyst", status.Code(err), codes.PermissionDenied)
	history, err := reader.ActorHistory(ctx, elsewherev1.ActorHistoryRequest_builder{
		Actor: actorsOf(t, reader)[0].(*elsewherev1.ListActorsResponse).GetActors()[0].GetId(),
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range history.GetEvents() {
		for _, m := range e.GetMembers() {
			if !strings.HasPrefix(m, "elm/") {
				t.Errorf("history tells an analyst of elm of %s", m)
			}
		}
	}
}

// TestActorsOfTheListedAreInTheirOrder: the order of a list, and where its pages end,
// is the same with and without a case of a tenant that is not on the reader's list.
func TestActorsOfTheListedAreInTheirOrder(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "alder", "birch", "zelkova")
	writer := g.key(t, lead)
	submit := func(c *elsewherev1.Case) {
		t.Helper()
		if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	for _, actor := range []string{"1", "2", "3"} {
		submit(intrusion("alder", actor, actor, 2))
		submit(intrusion("birch", actor, actor, 3))
	}
	some := g.key(t, analyst, "alder", "birch")
	ids := func() (ids []string) {
		t.Helper()
		for token := ""; ; {
			res, err := some.ListActors(t.Context(), elsewherev1.ListActorsRequest_builder{PageSize: 2, PageToken: token}.Build())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range res.GetActors() {
				ids = append(ids, a.GetId())
			}
			if token = res.GetNextPageToken(); token == "" {
				return ids
			}
			ids = append(ids, "page")
		}
	}
	before := ids()
	if len(before) != 4 {
		t.Fatal(before)
	}
	submit(intrusion("zelkova", "1", "1", 1)) // the earliest, so it is the founder
	if after := ids(); !slices.Equal(after, before) {
		t.Errorf("%v with a case that is not the reader's, %v without", after, before)
	}
}

// TestModelFromReviews: what people said with ReviewLink teaches what labels do.
func TestModelFromReviews(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	judged := d.reviewed(t)
	labelled := d.propose(t, judged, true)
	for _, j := range judged {
		action := elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE
		if j.GetSame() {
			action = elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM
		}
		if _, err := d.ReviewLink(t.Context(), reviewOf(j.GetA(), j.GetB(), action)); err != nil {
			t.Fatal(err)
		}
	}
	said, err := d.models().ProposeModel(t.Context(), elsewherev1.ProposeModelRequest_builder{Note: "a test", DryRun: true, FromReviews: true}.Build())
	if err != nil {
		t.Fatal(err)
	}
	clock := protocmp.IgnoreFields(&elsewherev1.Model{}, "created_at")
	if diff := gocmp.Diff(labelled, said, protocmp.Transform(), clock); diff != "" {
		t.Errorf("learned (-from labels +from reviews):\n%s", diff)
	}
}

// TestActorSurvivesARestart finds the actors, names and history of before.
func TestActorSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	d.submit(t, intrusion("alder", "1", "1", 2))
	d.submit(t, intrusion("birch", "1", "1", 3))
	before := actorsOf(t, d)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	// A rebuild finds them again, under the same ids.
	if err := server.Check(t.Context(), server.Config{DataDir: dir}, true, func(int, int) {}, func(line string) { t.Error(line) }); err != nil {
		t.Fatal(err)
	}
	d = start(t, server.Config{DataDir: dir})
	began := time.Now()
	if diff := gocmp.Diff(before, actorsOf(t, d), protocmp.Transform()); diff != "" {
		t.Errorf("after %s (-before +after):\n%s", time.Since(began), diff)
	}
}
