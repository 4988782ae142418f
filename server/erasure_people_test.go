package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/erase"
)

// nameActor gives a name to the actor that a case is in.
func nameActor(t *testing.T, c caller, ref, name string) {
	t.Helper()
	var id string
	for _, m := range actorsOf(t, c)[1:] {
		if a := m.(*elsewherev1.GetActorResponse).GetActor(); slices.Contains(a.GetMembers(), ref) {
			id = a.GetId()
		}
	}
	_, err := c.UpdateActor(t.Context(), elsewherev1.UpdateActorRequest_builder{
		Actor: elsewherev1.Actor_builder{Id: id, Name: name}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}},
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
}

// judgeWorld brings two actors, what people say of their links, and a name for each.
// Where the tenant that is erased is there, it has the first case of the first one,
// which then carries the name.
func judgeWorld(t *testing.T, c caller, with bool) {
	t.Helper()
	cases := []*elsewherev1.Case{
		intrusion("t00", "judged", "1", 2), intrusion("t01", "judged", "1", 3), intrusion("t02", "judged", "1", 4),
		intrusion("t03", "judged", "2", 2), intrusion("t04", "judged", "2", 3),
	}
	reviews := []*elsewherev1.ReviewLinkRequest{reviewOf("t00/judged", "t01/judged", elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM)}
	first := erasedTenant + "/" + eraseCanary + "-judged"
	if with {
		cases = append(cases, intrusion(erasedTenant, eraseCanary+"-judged", "1", 1))
		r := reviewOf("t00/judged", first, elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM)
		r.SetReason(eraseCanary)
		reviews = append(reviews, r, reviewOf("t02/judged", first, elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE))
	}
	for _, k := range cases {
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: k}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range reviews {
		if _, err := c.ReviewLink(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	nameActor(t, c, "t03/judged", "Quiet Otter")
	if with {
		nameActor(t, c, first, eraseCanary+" actor")
	}
}

// judgedAnswers are the actors as everybody sees them, by their cases; ids follow from
// what came first, which submitting at the same time leaves to chance.
func judgedAnswers(t *testing.T, c caller) map[string][]proto.Message {
	t.Helper()
	all := make(map[string][]proto.Message)
	messages, err := pages(elsewherev1.ListActorsRequest_builder{PageSize: 1000}.Build(), func(r *elsewherev1.ListActorsRequest) (*elsewherev1.ListActorsResponse, error) {
		return c.ListActors(t.Context(), r)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		for _, a := range m.(*elsewherev1.ListActorsResponse).GetActors() {
			history, err := c.ActorHistory(t.Context(), elsewherev1.ActorHistoryRequest_builder{Actor: a.GetId()}.Build())
			if err != nil {
				t.Fatal(err)
			}
			if text := history.String(); strings.Contains(text, eraseCanary) || strings.Contains(text, erasedTenant+"/") {
				t.Errorf("the history of an actor: %s", text)
			}
			a.ClearNamedAt()
			a.SetId("")
			all["actor "+strings.Join(a.GetMembers(), " ")] = []proto.Message{a}
		}
	}
	return all
}

// replayed are the links as they are to who hears of all events from a place on, by
// their refs. A link that is made for it tells the end.
func replayed(t *testing.T, c caller, from string) map[string][]proto.Message {
	t.Helper()
	for _, ref := range []string{"t05/end", "t06/end"} {
		_, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: watchedCase(ref, "to@theend.com", "70.250.0.1")}.Build())
		if err != nil {
			t.Fatal(err)
		}
	}
	links := make(map[string][]proto.Message)
	l := listen(t, c, elsewherev1.WatchLinksRequest_builder{Cursor: &from, MinTier: elsewherev1.Tier_TIER_LEAD})
	defer l.cancel()
	for {
		e := l.next()
		if strings.Contains(e.GetLink().GetRef(), erasedTenant+"/") {
			t.Fatalf("an event is about the erased tenant: %v", e)
		}
		if e.GetChange() == elsewherev1.LinkChange_LINK_CHANGE_REMOVED {
			delete(links, e.GetLink().GetRef())
			continue
		}
		// What a score became because a value was seen more often is no event of its own.
		links[e.GetLink().GetRef()] = []proto.Message{elsewherev1.Link_builder{
			Ref: e.GetLink().GetRef(), Tier: e.GetLink().GetTier(), Review: e.GetLink().GetReview(),
		}.Build()}
		if e.GetLink().GetRef() == "t05/end~t06/end" {
			return links
		}
	}
}

// TestEraseReachesWebhooks erases a tenant while an event about it cannot be posted,
// others are dead letters, and webhooks are for it by name.
func TestEraseReachesWebhooks(t *testing.T) {
	refusing, waiting, other := newHookTarget(t), newHookTarget(t), newHookTarget(t)
	refusing.answers(func(int) int { return http.StatusBadRequest })
	var up atomic.Bool
	waiting.answers(func(int) int {
		if up.Load() {
			return http.StatusOK
		}
		return http.StatusServiceUnavailable
	})
	// All three have the certificate of the package of the standard library.
	g := guard(t, refusing.config(server.Config{DataDir: t.TempDir()}))
	g.tenants(t, "a", "b", "c")
	writer := g.key(t, lead)
	g.hook(t, elsewherev1.Webhook_builder{Url: refusing.URL, AllTenants: true, Name: "refusing"})
	g.hook(t, elsewherev1.Webhook_builder{Url: waiting.URL, AllTenants: true, Name: "waiting"})
	g.hook(t, elsewherev1.Webhook_builder{Url: other.URL, Tenants: []string{"a"}, Name: "only"})
	g.hook(t, elsewherev1.Webhook_builder{Url: other.URL, Tenants: []string{"a", "b"}, Name: "both"})
	hooks := func() map[string]*elsewherev1.Webhook {
		t.Helper()
		res, err := g.admin.ListWebhooks(t.Context(), &elsewherev1.ListWebhooksRequest{})
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]*elsewherev1.Webhook)
		for _, w := range res.GetWebhooks() {
			all[w.GetName()] = w
		}
		return all
	}
	submitAs(t, writer, "a/1", "b/1", "b/2", "c/2")
	for hooks()["refusing"].GetDeadLetters() < 2 {
		wait(10 * time.Millisecond)
	}
	if e, _, _ := waiting.next(t); !strings.Contains(e.GetLink().GetRef(), "a/1") {
		t.Fatalf("the first event is %v", e)
	}
	receipt, err := eraseTenant(t, t.Context(), g.admin, "a", true)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]uint64)
	for _, r := range receipt.GetRemoved() {
		counts[r.GetSort()] = r.GetCount()
	}
	if counts["places on webhooks"] != 2 || counts["dead letters"] != 1 || counts["events of links"] != 1 {
		t.Errorf("removed: %v", counts)
	}
	up.Store(true)
	// What was posted before the receipt.
	for len(waiting.got) > 0 {
		<-waiting.got
	}
	submitAs(t, writer, "b/3", "c/3")
	for seen := false; !seen; {
		e, _, _ := waiting.next(t)
		if strings.Contains(e.GetLink().GetRef(), "a/") {
			t.Errorf("posted after the receipt: %v", e)
		}
		seen = e.GetLink().GetRef() == "b/3~c/3"
	}
	all := hooks()
	if names := slices.Sorted(maps.Keys(all)); !slices.Equal(names, []string{"both", "refusing", "waiting"}) {
		t.Errorf("webhooks %q", names)
	}
	if got := all["both"].GetTenants(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("a webhook for two tenants is for %q", got)
	}
	letters, err := g.admin.ListDeadLetters(t.Context(), elsewherev1.ListDeadLettersRequest_builder{Webhook: all["refusing"].GetId()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters.GetDeadLetters() {
		if strings.Contains(l.String(), "a/1") {
			t.Errorf("a dead letter: %v", l)
		}
	}
}

// TestEraseTellsWatchers: who comes back after a tenant was erased hears that its links
// are gone and nothing else of them; after a purge not even that.
func TestEraseTellsWatchers(t *testing.T) {
	g := guard(t, server.Config{DataDir: t.TempDir()})
	g.tenants(t, "a", "b", "c")
	writer, watcher := g.key(t, lead), g.key(t, analyst, "a", "b", "c")
	l := listen(t, watcher, elsewherev1.WatchLinksRequest_builder{})
	l.cancel()
	submitAs(t, writer, "a/1", "b/1", "b/2", "c/2")
	receipt, err := eraseTenant(t, t.Context(), g.admin, "a", false)
	if err != nil {
		t.Fatal(err)
	}
	tombstone := func(r *elsewherev1.ErasureReceipt) bool {
		return slices.ContainsFunc(r.GetStays(), func(s string) bool { return strings.Contains(s, "who watches links") })
	}
	if !tombstone(receipt) {
		t.Errorf("what stays: %q", receipt.GetStays())
	}
	from := func() *listener {
		return listen(t, watcher, elsewherev1.WatchLinksRequest_builder{Cursor: &l.first})
	}
	again := from()
	for _, want := range []string{"new b/2~c/2", "removed a/1~b/1 unspecified by erased"} {
		if got := said(again.next()); !strings.HasPrefix(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	again.cancel()
	if receipt, err = eraseTenant(t, t.Context(), g.admin, "a", true); err != nil {
		t.Fatal(err)
	}
	if tombstone(receipt) {
		t.Errorf("what stays after a purge: %q", receipt.GetStays())
	}
	submitAs(t, writer, "b/3", "c/3")
	again = from()
	for _, want := range []string{"new b/2~c/2", "new b/3~c/3"} {
		if got := said(again.next()); !strings.HasPrefix(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	_, err = writer.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/1"}.Build())
	want(t, "a case of the erased tenant", status.Code(err), codes.NotFound)
	var signed struct{ Receipt erase.Receipt }
	if err := json.Unmarshal(receipt.GetDocument(), &signed); err != nil || !slices.Equal(signed.Receipt.Stays, receipt.GetStays()) {
		t.Errorf("the document: %+v, %v", signed, err)
	}
}
