package misp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
	"github.com/elsewhere-project/elsewhere/server/export/misp/misptest"
)

// connect returns a client with a new key.
func connect(t testing.TB, s *misptest.Server, key string) *misp.Client {
	t.Helper()
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := misp.NewClient(misp.Config{URL: at, Key: misp.NewKey(key), Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func push(t testing.TB, c *misp.Client, b *export.Bundle, o misp.PushOptions) *misp.Report {
	t.Helper()
	r, err := c.Push(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantPush compares what a push did.
func wantPush(t testing.TB, r *misp.Report, outcome misp.Outcome, added, changed, gone int) {
	t.Helper()
	if r.Outcome != outcome || r.Added != added || r.Changed != changed || r.Withdrawn != gone {
		t.Errorf("%s, %d added, %d changed, %d withdrawn; want %s, %d, %d, %d\n%+v", r.Outcome, r.Added, r.Changed, r.Withdrawn, outcome, added, changed, gone, r)
	}
	if r.DroppedTotal != 0 || r.AlteredTotal != 0 || len(r.TagsDropped) != 0 {
		t.Errorf("dropped %v, altered %v, tags %v", r.Dropped, r.Altered, r.TagsDropped)
	}
}

func wantLive(t testing.TB, s *misptest.Server, uuid string, want ...string) {
	t.Helper()
	if d := cmp.Diff(sorted(t, want), s.Live(uuid)); d != "" {
		t.Errorf("the server has (-want +got):\n%s", d)
	}
}

func reasonOf(err error) misp.Reason {
	if refused, ok := errors.AsType[*misp.Refusal](err); ok {
		return refused.Reason
	}
	return 255
}

func TestPushCreatesUpdatesAndWithdraws(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	a, b := item(evidence.KindIP, "104.161.20.102"), item(evidence.KindDomain, "botasso.cl")
	first := push(t, c, bundle(a, b), misp.PushOptions{})
	// Two values, and annotations of the link and of what it rests on.
	wantPush(t, first, misp.Created, 4, 0, 0)
	if first.Published {
		t.Error("an event is published although nobody asked for that")
	}
	wantLive(t, s, first.EventUUID, "ip-src 104.161.20.102", "domain botasso.cl")

	s.Calls()
	again := push(t, c, bundle(a, b), misp.PushOptions{})
	wantPush(t, again, misp.Unchanged, 0, 0, 0)
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("an unchanged push wrote: %v", writes)
	}

	a.Note = "used to log in twice"
	changed := push(t, c, bundle(a, b, item(evidence.KindIP, "20.232.202.245")), misp.PushOptions{})
	wantPush(t, changed, misp.Updated, 1, 1, 0)
	if !changed.Timestamp.After(first.Timestamp) {
		t.Errorf("the timestamp went from %v to %v", first.Timestamp, changed.Timestamp)
	}
	if len(changed.Changes) != 2 || !strings.Contains(changed.Changes[1].Detail+changed.Changes[0].Detail, "twice") {
		t.Errorf("changes %+v do not say what changed", changed.Changes)
	}

	// A value that is gone is withdrawn, whether the bundle says so or not.
	gone := push(t, c, bundle(withdrawn(a), item(evidence.KindIP, "20.232.202.245")), misp.PushOptions{})
	wantPush(t, gone, misp.Updated, 0, 0, 2)
	wantLive(t, s, first.EventUUID, "ip-src 20.232.202.245")
	back := push(t, c, bundle(a, item(evidence.KindIP, "20.232.202.245")), misp.PushOptions{})
	wantPush(t, back, misp.Updated, 1, 0, 0)
	wantLive(t, s, first.EventUUID, "ip-src 104.161.20.102", "ip-src 20.232.202.245")

	all := push(t, c, bundle(a), misp.PushOptions{Options: misp.Options{Withdraw: true}})
	wantPush(t, all, misp.Withdrawn, 0, 0, 4)
	wantLive(t, s, first.EventUUID)
	for _, call := range s.Calls() {
		if strings.Contains(call, "delete") {
			t.Errorf("%s: a deleted event could not come back", call)
		}
	}
}

func TestPublishIsAStepOfItsOwn(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	if r := push(t, c, b, misp.PushOptions{Publish: true}); !r.Published {
		t.Errorf("not published: %v", r.Notes)
	}
	s.Calls()
	if push(t, c, b, misp.PushOptions{Publish: true}); len(s.Writes()) > 0 {
		t.Error("published again without need")
	}
	// An update takes nothing back that is published.
	more := bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindIP, "20.232.202.245"))
	if r := push(t, c, more, misp.PushOptions{}); !r.Published {
		t.Error("an update un-published the event")
	}
	user := connect(t, s, s.Key("4", misptest.User))
	other := bundle(item(evidence.KindIP, "185.241.149.122"))
	other.ID = export.NewUUID(export.Namespace(), "another")
	if r := push(t, user, other, misp.PushOptions{Publish: true}); r.Published || len(r.Notes) == 0 {
		t.Errorf("a key that may not publish: published %v, notes %v", r.Published, r.Notes)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindDomain, "botasso.cl"))
	r := push(t, c, b, misp.PushOptions{DryRun: true, Publish: true})
	wantPush(t, r, misp.Created, 4, 0, 0)
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
	push(t, c, b, misp.PushOptions{})
	s.Calls()
	r = push(t, c, bundle(item(evidence.KindIP, "104.161.20.102")), misp.PushOptions{DryRun: true})
	wantPush(t, r, misp.Updated, 0, 0, 1)
	want := []misp.Change{{Op: misp.Withdrew, Type: "domain", Value: "botasso.cl"}}
	if d := cmp.Diff(want, r.Changes); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

func TestSilentDropsAreReported(t *testing.T) {
	s := misptest.New(t)
	s.Tags = []string{"tlp:"}
	s.Drop = []string{"20.232.202.245"}
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindIP, "20.232.202.245"))
	r := push(t, c, b, misp.PushOptions{})
	if r.DroppedTotal != 1 || len(r.Dropped) != 1 || r.Dropped[0].Value != "20.232.202.245" {
		t.Errorf("dropped %d: %v", r.DroppedTotal, r.Dropped)
	}
	if len(r.TagsDropped) != 3 {
		t.Errorf("tags dropped: %q; want two techniques and the likelihood", r.TagsDropped)
	}
	if r.Settled == "" {
		t.Fatal("nothing to remember of what was dropped")
	}
	s.Calls()
	again := push(t, c, b, misp.PushOptions{Settled: r.Settled})
	if writes := s.Writes(); len(writes) > 0 || again.Outcome != misp.Unchanged || again.Settled != r.Settled {
		t.Errorf("what the server does not take was sent again: %v, %+v", writes, again)
	}
	// Something else is sent all the same.
	more := push(t, c, bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindIP, "20.232.202.245"),
		item(evidence.KindIP, "185.241.149.122")), misp.PushOptions{Settled: r.Settled})
	if more.Outcome != misp.Updated {
		t.Errorf("%+v", more)
	}
	wantLive(t, s, r.EventUUID, "ip-src 104.161.20.102", "ip-src 185.241.149.122")
}

func TestStaleTimestampHeals(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	r := push(t, c, bundle(item(evidence.KindIP, "104.161.20.102")), misp.PushOptions{})
	s.Touch(r.EventUUID, 4_000_000_000)
	more := bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindIP, "20.232.202.245"))
	healed := push(t, c, more, misp.PushOptions{})
	wantPush(t, healed, misp.Updated, 1, 0, 0)
	if healed.Timestamp.Unix() != 4_000_000_001 {
		t.Errorf("dated %v", healed.Timestamp)
	}

	// Somebody changes the event between our reading and our writing, once.
	once := false
	s.Fault = func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.HasPrefix(req.URL.Path, "/events/edit/") && !once {
			once = true
			s.Touch(r.EventUUID, 4_000_001_000)
		}
		return false
	}
	raced := push(t, c, bundle(item(evidence.KindIP, "104.161.20.102")), misp.PushOptions{})
	wantPush(t, raced, misp.Updated, 0, 0, 1)
	if !once || raced.Timestamp.Unix() != 4_000_001_001 {
		t.Errorf("dated %v", raced.Timestamp)
	}
}

func TestKeysAndBlocksAreToldApart(t *testing.T) {
	s := misptest.New(t)
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	wrong := strings.Repeat("w", 40)
	_, err := connect(t, s, wrong).Push(t.Context(), b, misp.PushOptions{})
	if reasonOf(err) != misp.ReasonKey || strings.Contains(err.Error(), wrong) {
		t.Errorf("wrong key: %v", err)
	}
	if calls := s.Calls(); len(calls) != 1 {
		t.Errorf("a refused key was tried again: %v", calls)
	}
	_, err = connect(t, s, s.Key("4", misptest.ReadOnly)).Push(t.Context(), b, misp.PushOptions{})
	if reasonOf(err) != misp.ReasonPermission {
		t.Errorf("read-only key: %v", err)
	}
	key := s.Key("4", misptest.Publisher)
	c := connect(t, s, key)
	r := push(t, c, b, misp.PushOptions{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events/delete/"+r.EventUUID, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {key}, "Accept": {"application/json"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	s.Calls()
	_, err = c.Push(t.Context(), b, misp.PushOptions{})
	if reasonOf(err) != misp.ReasonBlocked || !strings.Contains(err.Error(), "blocklist") {
		t.Errorf("deleted event: %v", err)
	}
	if writes := s.Writes(); len(writes) != 1 {
		t.Errorf("a blocked event was tried again: %v", writes)
	}
}

func TestForeignEventIsExtended(t *testing.T) {
	for _, visible := range []string{"1", "0"} {
		s := misptest.New(t)
		c := connect(t, s, s.Key("4", misptest.Publisher))
		b := bundle(item(evidence.KindIP, "104.161.20.102"))
		o := misp.PushOptions{Options: misp.Options{Distribution: int(visible[0] - '0')}}
		theirs := push(t, c, b, o)
		s.Own(theirs.EventUUID, "9")
		more := bundle(item(evidence.KindIP, "104.161.20.102"), item(evidence.KindIP, "20.232.202.245"))
		r := push(t, c, more, o)
		if r.Outcome != misp.Created || r.Extends != theirs.EventUUID || r.EventUUID == theirs.EventUUID {
			t.Fatalf("distribution %s: %+v", visible, r)
		}
		wantLive(t, s, theirs.EventUUID, "ip-src 104.161.20.102")
		wantLive(t, s, r.EventUUID, "ip-src 104.161.20.102", "ip-src 20.232.202.245")
		s.Calls()
		if again := push(t, c, more, o); visible == "1" && (again.Outcome != misp.Unchanged || again.EventUUID != r.EventUUID) {
			t.Errorf("again: %+v", again)
		}
	}
}

func TestOthersAttributesStay(t *testing.T) {
	s := misptest.New(t)
	key := s.Key("4", misptest.Publisher)
	c := connect(t, s, key)
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	r := push(t, c, b, misp.PushOptions{})
	body := `{"Event":{"Attribute":[{"type":"ip-src","category":"Network activity","value":"198.51.100.9","uuid":"4df2bfda-0000-4000-8000-00000000000f"}]}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events/edit/"+r.EventUUID, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {key}, "Accept": {"application/json"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	push(t, c, bundle(item(evidence.KindIP, "20.232.202.245")), misp.PushOptions{})
	wantLive(t, s, r.EventUUID, "ip-src 20.232.202.245", "ip-src 198.51.100.9")
	// A value that somebody else put there already is not sent, and not theirs to lose.
	push(t, c, bundle(item(evidence.KindIP, "198.51.100.9")), misp.PushOptions{})
	push(t, c, bundle(), misp.PushOptions{})
	wantLive(t, s, r.EventUUID, "ip-src 198.51.100.9")
}

func TestLabelIsExactlyOne(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	push(t, c, b, misp.PushOptions{Options: misp.Options{Tags: []string{"tlp:red", "PAP:AMBER"}}})
	b.TLP = "tlp:green"
	r := push(t, c, b, misp.PushOptions{})
	if !slices.Contains(r.Header, "no longer tag tlp:amber") || !slices.Contains(r.Header, "tag tlp:green") {
		t.Errorf("header: %q", r.Header)
	}
	if again := push(t, c, b, misp.PushOptions{}); again.Outcome != misp.Unchanged {
		t.Errorf("%+v", again)
	}
}

func TestServerInTrouble(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	failures := 0
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/events/add" && failures < 2 {
			failures++
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	wantPush(t, push(t, c, b, misp.PushOptions{}), misp.Created, 3, 0, 0)

	// The server stores the event and the answer is lost: it is found there.
	lost := false
	b.ID = export.NewUUID(export.Namespace(), "lost")
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/events/add" && !lost {
			lost = true
			s.Fault = nil
			s.ServeHTTP(discard{}, r)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	r := push(t, c, b, misp.PushOptions{})
	wantLive(t, s, r.EventUUID, "ip-src 104.161.20.102")
	if !lost || r.DroppedTotal != 0 || r.Extends != "" {
		t.Errorf("%+v", r)
	}

	for name, answer := range map[string]func(http.ResponseWriter){
		"page for logging in": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/users/login")
			w.WriteHeader(http.StatusFound)
		},
		"HTML": func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
		"half an answer": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"User":{"org_`)
		},
		"always failing": func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		s.Fault = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
		if _, err := c.Push(t.Context(), b, misp.PushOptions{}); reasonOf(err) == 255 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// discard is an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestPushTakesUpWhatWasCutShort(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	var items []export.Item
	for i := range 5_000 {
		items = append(items, item(evidence.KindIP, fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
	}
	b := bundle(items...)
	edits := 0
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/events/edit/") {
			edits++
		}
		if edits == 2 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	if _, err := c.Push(t.Context(), b, misp.PushOptions{}); err == nil {
		t.Fatal("no error although the server refused a part")
	}
	s.Fault = nil
	r := push(t, c, b, misp.PushOptions{})
	// The link and the provenance, and what the server had not taken.
	if r.Outcome != misp.Updated || r.Added == 0 || r.Added >= 5_000 || r.DroppedTotal != 0 {
		t.Errorf("%s, %d added, %d dropped", r.Outcome, r.Added, r.DroppedTotal)
	}
	if got := len(s.Live(r.EventUUID)); got != 5_000 {
		t.Errorf("the server has %d values", got)
	}
}

func TestEveryKindIsTaken(t *testing.T) {
	s := misptest.New(t)
	c := connect(t, s, s.Key("4", misptest.Publisher))
	b := bundle(everything()...)
	b.Actor = &export.Actor{ID: "act-1", Name: "ELS-example-act-1", Aliases: []string{"one"}, Cases: 2}
	r := push(t, c, b, misp.PushOptions{})
	if r.DroppedTotal+r.AlteredTotal > 0 || len(r.TagsDropped) > 0 {
		t.Errorf("dropped %+v, altered %+v, tags %v", r.Dropped, r.Altered, r.TagsDropped)
	}
	s.Calls()
	wantPush(t, push(t, c, b, misp.PushOptions{}), misp.Unchanged, 0, 0, 0)
	if writes := s.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
	if r := push(t, c, bundle(item(evidence.KindIP, "104.161.20.102")), misp.PushOptions{}); r.Withdrawn < 20 {
		t.Errorf("withdrew %d values and objects", r.Withdrawn)
	}
	wantLive(t, s, r.EventUUID, "ip-src 104.161.20.102")
}
