package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/watch"
)

// listener is somebody who watches.
type listener struct {
	t      testing.TB
	stream elsewherev1.CorrelationService_WatchLinksClient
	cancel context.CancelFunc
	// first is the checkpoint at the beginning.
	first string
}

// listen watches, and has been let in when it returns.
func listen(t testing.TB, c elsewherev1.CorrelationServiceClient, req elsewherev1.WatchLinksRequest_builder) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := c.WatchLinks(ctx, req.Build())
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, stream: stream, cancel: cancel}
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if !m.HasCheckpoint() {
		t.Fatalf("the first message is %v", m)
	}
	l.first = m.GetCheckpoint().GetCursor()
	return l
}

// next returns the next event.
func (l *listener) next() *elsewherev1.LinkEvent {
	l.t.Helper()
	for {
		m, err := l.stream.Recv()
		if err != nil {
			l.t.Fatal(err)
		}
		if m.HasEvent() {
			return m.GetEvent()
		}
	}
}

// ends reads on and returns what the stream ends with.
func (l *listener) ends() (events []*elsewherev1.LinkEvent, err error) {
	for {
		m, err := l.stream.Recv()
		if err != nil {
			return events, err
		}
		if m.HasEvent() {
			events = append(events, m.GetEvent())
		}
	}
}

// said is an event in short.
func said(e *elsewherev1.LinkEvent) string {
	short := func(s string) string { return strings.ToLower(s[strings.LastIndexByte(s, '_')+1:]) }
	text := short(e.GetChange().String()) + " " + e.GetLink().GetRef() + " " + short(e.GetLink().GetTier().String())
	if e.GetPreviousTier() != 0 {
		text += " was " + short(e.GetPreviousTier().String())
	}
	return text + " by " + short(e.GetCause().String())
}

func (l *listener) hears(want ...string) (events []*elsewherev1.LinkEvent) {
	l.t.Helper()
	for _, w := range want {
		e := l.next()
		if got := said(e); got != w {
			l.t.Errorf("heard %q, want %q", got, w)
		}
		events = append(events, e)
	}
	return events
}

func watchedCase(ref string, values ...string) *elsewherev1.Case {
	tenant, id, _ := strings.Cut(ref, "/")
	c := newCase(tenant, id)
	for _, v := range values {
		o := obs("ip", v, "login_source")
		if strings.Contains(v, "@") {
			o = obs("forward_to", v, "forward_target")
		} else if strings.HasSuffix(v, ".com") {
			o = obs("domain", v, "sending_infrastructure")
		}
		f := c.GetFindings()[0]
		f.SetObservables(append(f.GetObservables(), o))
	}
	return c
}

// TestWatchLinks follows links through their lives.
func TestWatchLinks(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	all := listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD})
	strong := listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_STRONG})
	// The case of last year, and the one of today that reaches it.
	old := watchedCase("a/1", "70.0.0.1", "70.0.8.2", "to@collect.com", "evil-invoices.com")
	old.SetOpenedAt(timestamp(time.Now().AddDate(-1, 0, 0)))
	old.SetClosedAt(timestamp(time.Now().AddDate(-1, 0, 3)))
	d.submit(t, old)
	d.settle(t)
	d.submit(t, watchedCase("b/1", "to@collect.com"))
	e := all.hears("new a/1~b/1 probable by evidence")[0]
	if l := e.GetLink(); l.GetTotalMillibits() == 0 || l.GetLikelihood() < .75 || l.GetFirstLinkedAt() == nil || l.GetModelVersion() == 0 {
		t.Errorf("a new link is told as %v", l)
	}
	d.submit(t, watchedCase("b/1", "to@collect.com", "70.0.0.1", "70.0.8.2", "evil-invoices.com"))
	raised := all.hears("raised a/1~b/1 strong was probable by evidence")[0]
	strong.hears("new a/1~b/1 strong was probable by evidence")
	if raised.GetEventId() == e.GetEventId() {
		t.Error("two events have one id")
	}
	// The same case again is no change; neither is one that shares nothing.
	d.submit(t, watchedCase("b/1", "to@collect.com", "70.0.0.1", "70.0.8.2", "evil-invoices.com"))
	d.submit(t, watchedCase("c/1", "70.9.9.9"))
	d.settle(t)
	d.submit(t, watchedCase("b/1", "to@collect.com"))
	lowered := all.hears("lowered a/1~b/1 probable was strong by evidence")[0]
	strong.hears("lowered a/1~b/1 probable was strong by evidence")
	if lowered.GetLink().GetTotalMillibits() >= raised.GetLink().GetTotalMillibits() {
		t.Error("a link fell to more bits than it had")
	}
	if _, err := d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "b/1"}.Build()); err != nil {
		t.Fatal(err)
	}
	gone := all.hears("removed a/1~b/1 unspecified was probable by evidence")[0]
	bare := elsewherev1.Link_builder{Ref: "a/1~b/1", A: "a/1", B: "b/1"}.Build()
	if diff := gocmp.Diff(bare.String(), gone.GetLink().String()); diff != "" {
		t.Errorf("of a link that is gone is told:\n%s", diff)
	}
	// Withheld and dismissed cases have no links, and lose those that they had.
	d.submit(t, watchedCase("b/2", "to@collect.com", "70.0.0.1", "70.0.8.2", "evil-invoices.com"))
	all.hears("new a/1~b/2 strong by evidence")
	strong.hears("new a/1~b/2 strong by evidence")
	hide := watchedCase("b/2", "to@collect.com", "70.0.0.1", "70.0.8.2", "evil-invoices.com")
	hide.SetRestricted(true)
	d.submit(t, hide)
	all.hears("removed a/1~b/2 unspecified was strong by evidence")
	strong.hears("removed a/1~b/2 unspecified was strong by evidence")

	// Who comes later hears of what went that it went, and nothing else of it.
	late := listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD, Since: durationpb.New(time.Hour)})
	late.hears("removed a/1~b/1 unspecified was probable by evidence", "removed a/1~b/2 unspecified was strong by evidence")
	hide.SetRestricted(false)
	d.submit(t, hide)
	back := late.hears("new a/1~b/2 strong by evidence")[0]
	if again := all.next(); again.GetEventId() != back.GetEventId() {
		t.Error("two watchers are told of one event with two ids")
	}
}

func TestWatchCursors(t *testing.T) {
	var now struct {
		sync.Mutex
		ahead time.Duration
	}
	clock := func() time.Time {
		now.Lock()
		defer now.Unlock()
		return time.Now().Add(now.ahead)
	}
	g := guard(t, server.Watched(server.Config{Memory: true}, watch.Options{Clock: clock}))
	g.tenants(t, "a", "b", "c")
	writer := g.key(t, lead)
	one, other := g.key(t, analyst, "a", "b", "c"), g.key(t, analyst, "a", "b", "c")
	submit := func(refs ...string) {
		t.Helper()
		for _, ref := range refs {
			c := watchedCase(ref, "to@collect"+ref[2:]+".com", "70.0.0."+ref[2:])
			if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := listen(t, one, elsewherev1.WatchLinksRequest_builder{})
	submit("a/1", "b/1")
	first := l.next()
	submit("a/2", "b/2")
	second := l.next()
	l.cancel()
	submit("a/3", "c/3")

	from := func(cursor string) elsewherev1.WatchLinksRequest_builder {
		return elsewherev1.WatchLinksRequest_builder{Cursor: &cursor}
	}
	for _, c := range []struct {
		cursor string
		want   []string
	}{
		{l.first, []string{"a/1~b/1", "a/2~b/2", "a/3~c/3"}},
		{first.GetCursor(), []string{"a/2~b/2", "a/3~c/3"}},
		{second.GetCursor(), []string{"a/3~c/3"}},
	} {
		again := listen(t, one, from(c.cursor))
		for _, ref := range c.want {
			e := again.next()
			if e.GetLink().GetRef() != ref {
				t.Errorf("after a cursor comes %s, want %s", e.GetLink().GetRef(), ref)
			}
			if ref == "a/2~b/2" && e.GetEventId() != second.GetEventId() {
				t.Error("a repeat has another id")
			}
		}
		again.cancel()
	}
	refused := func(what string, c caller, req elsewherev1.WatchLinksRequest_builder, code codes.Code) {
		t.Helper()
		stream, err := c.WatchLinks(t.Context(), req.Build())
		if err == nil {
			_, err = stream.Recv()
		}
		want(t, what, status.Code(err), code)
	}
	refused("another's cursor", other, from(first.GetCursor()), codes.InvalidArgument)
	refused("no cursor", one, from("nonsense"), codes.InvalidArgument)
	page, err := one.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageSize: 1}.Build())
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatal(page, err)
	}
	refused("a page token", one, from(page.GetNextPageToken()), codes.InvalidArgument)
	refused("a tier that no link has", one, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_NONE}, codes.InvalidArgument)
	refused("a time ahead", one, elsewherev1.WatchLinksRequest_builder{Since: durationpb.New(-time.Hour)}, codes.InvalidArgument)
	refused("too long ago", one, elsewherev1.WatchLinksRequest_builder{Since: durationpb.New(31 * 24 * time.Hour)}, codes.OutOfRange)
	for _, c := range []struct {
		role elsewherev1.Role
		of   []string
	}{{submitter, []string{"a"}}, {tenantKey, []string{"a"}}, {admin, nil}} {
		refused("a role without links", g.key(t, c.role, c.of...), elsewherev1.WatchLinksRequest_builder{}, codes.PermissionDenied)
	}
	now.Lock()
	now.ahead = 29 * 24 * time.Hour
	now.Unlock()
	old := listen(t, one, from(first.GetCursor()))
	old.next()
	now.Lock()
	now.ahead = 31 * 24 * time.Hour
	now.Unlock()
	refused("a cursor of last month", one, from(first.GetCursor()), codes.OutOfRange)
	// A cursor is as old as what may have come since, not as the last event.
	fresh := listen(t, one, elsewherev1.WatchLinksRequest_builder{})
	listen(t, one, from(fresh.first)).cancel()
}

// TestWatchEnds ends watching with the key, with the service, and with who does not
// read.
func TestWatchEnds(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a", "b")
	who := g.key(t, analyst, "a", "b")
	l := listen(t, who, elsewherev1.WatchLinksRequest_builder{})
	if _, err := g.admin.RevokeKey(t.Context(), elsewherev1.RevokeKeyRequest_builder{Key: who.key.GetPrefix()}.Build()); err != nil {
		t.Fatal(err)
	}
	_, err := l.ends()
	want(t, "a key that was revoked", status.Code(err), codes.Unauthenticated)

	l = listen(t, g.key(t, lead), elsewherev1.WatchLinksRequest_builder{})
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	_, err = l.ends()
	want(t, "a service that stops", status.Code(err), codes.Unavailable)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// behindAt returns the cursor of who is told that he is too far behind.
func behindAt(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == "TOO_FAR_BEHIND" {
			return info.GetMetadata()["cursor"]
		}
	}
	return ""
}

// TestSlowWatcher has one who does not read among those who do.
func TestSlowWatcher(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	req := elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD}
	// The window of a connection that is read fast grows until it holds all events.
	narrow := dial(t, d.conn.Target(), grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(64<<10))
	fast, slow := listen(t, d, req), listen(t, narrow, req)
	const groups, tenants = 28, 15
	const links = groups * tenants * (tenants - 1) / 2
	var running sync.WaitGroup
	for g := range groups {
		running.Go(func() {
			for i := range tenants {
				c := watchedCase(fmt.Sprintf("t%02d/%d", i, g), fmt.Sprintf("to@collect%d.com", g), fmt.Sprintf("evil-invoices%d.com", g), fmt.Sprintf("70.0.%d.1", g))
				if _, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	heard := make(map[string]bool)
	for len(heard) < links {
		m, err := fast.stream.Recv()
		if cursor := behindAt(err); cursor != "" {
			// On a busy machine who reads may be late too.
			fast = listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD, Cursor: &cursor})
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.HasEvent() && m.GetEvent().GetChange() == elsewherev1.LinkChange_LINK_CHANGE_NEW {
			heard[m.GetEvent().GetLink().GetRef()] = true
		}
	}
	running.Wait()
	defer time.AfterFunc(2*time.Minute, slow.cancel).Stop()
	got, err := slow.ends()
	want(t, "who does not read", status.Code(err), codes.ResourceExhausted)
	cursor := behindAt(err)
	if cursor == "" {
		t.Fatalf("no cursor in %v", err)
	}
	if len(got) == 0 || len(got) >= links {
		t.Errorf("who does not read was sent %d events", len(got))
	}
	refs := make(map[string]bool)
	for _, e := range got {
		refs[e.GetLink().GetRef()] = true
	}
	rest := listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD, Cursor: &cursor})
	for len(refs) < links {
		refs[rest.next().GetLink().GetRef()] = true
	}
}

// TestManyWatchers has a thousand watchers hear of one link.
func TestManyWatchers(t *testing.T) {
	many := 1_000
	if testing.Short() {
		many = 200
	}
	d := start(t, server.Config{Memory: true})
	var listeners []*listener
	var c *deployment
	for i := range many {
		if i%200 == 0 {
			c = dial(t, d.conn.Target())
		}
		listeners = append(listeners, listen(t, c, elsewherev1.WatchLinksRequest_builder{}))
	}
	d.submit(t, watchedCase("a/1", "to@collect.com"))
	d.submit(t, watchedCase("b/1", "to@collect.com"))
	ids := make(map[string]int)
	for _, l := range listeners {
		ids[l.next().GetEventId()]++
	}
	if len(ids) != 1 {
		t.Errorf("one event has the ids %v", ids)
	}
}

// TestWatchTellsByTheClock sends nothing but checkpoints, however much happens that
// the watcher may not see, and they tell nothing.
func TestWatchTellsByTheClock(t *testing.T) {
	g := guard(t, server.Watched(server.Config{Memory: true}, watch.Options{Checkpoint: 30 * time.Millisecond}))
	g.tenants(t, "a", "b", "hidden", "other")
	writer := g.key(t, lead)
	l := listen(t, g.key(t, analyst, "a", "b"), elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			for _, tenant := range []string{"hidden", "other", "a"} {
				c := watchedCase(fmt.Sprintf("%s/%d", tenant, i), fmt.Sprintf("to@collect%d.com", i))
				if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	cursors := map[string]bool{l.first: true}
	over := false
	for after := 0; after < 5; {
		m, err := l.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !m.HasCheckpoint() {
			t.Fatalf("told of %v", m)
		}
		cursor := m.GetCheckpoint().GetCursor()
		if cursors[cursor] {
			t.Error("two checkpoints are the same")
		}
		if len(cursor) != len(l.first) {
			t.Error("checkpoints differ in length")
		}
		cursors[cursor] = true
		select {
		case <-done:
			over = true
		default:
		}
		if over {
			after++
		}
	}
	// Somebody who may see it has heard of a lot meanwhile.
	other := listen(t, writer, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD, Since: durationpb.New(time.Hour)})
	for range 20 {
		other.next()
	}
}

// TestWatchReviews follows what people say of a link.
func TestWatchReviews(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	l := listen(t, d, elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_STRONG})
	review := func(action elsewherev1.ReviewAction) {
		t.Helper()
		_, err := d.ReviewLink(t.Context(), elsewherev1.ReviewLinkRequest_builder{A: "a/1", B: "b/1", Action: action, Reason: "seen it"}.Build())
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []string{"a/1", "b/1"} {
		d.submit(t, watchedCase(ref, "to@collect.com", "70.0.0.1", "evil-invoices.com"))
	}
	e := l.hears("new a/1~b/1 strong by evidence")[0]
	if e.GetLink().GetReview() != 0 || e.GetLink().GetHeld() {
		t.Errorf("a new link is told as %v", e.GetLink())
	}
	review(elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM)
	if e := l.hears("reviewed a/1~b/1 confirmed was strong by review")[0]; e.GetLink().GetReview() != elsewherev1.Review_REVIEW_CONFIRMED {
		t.Errorf("a confirmed link is told as %v", e.GetLink())
	}
	review(elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE)
	if e := l.hears("removed a/1~b/1 unspecified was confirmed by review")[0]; e.GetLink().GetTotalMillibits() != 0 {
		t.Errorf("a refuted link is told as %v", e.GetLink())
	}
	review(elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR)
	l.hears("reviewed a/1~b/1 strong by review")
}
