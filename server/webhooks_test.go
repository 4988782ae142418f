package server_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// hookTarget is what webhooks post to.
type hookTarget struct {
	*httptest.Server
	got chan *http.Request

	mu     sync.Mutex
	bodies map[*http.Request][]byte
	answer func(n int) int // to the n-th request, from 1; nil: 200
	n      int
}

func newHookTarget(t *testing.T) *hookTarget {
	h := &hookTarget{got: make(chan *http.Request, 1_000), bodies: make(map[*http.Request][]byte)}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.n++
		h.bodies[r] = body
		code := http.StatusOK
		if h.answer != nil {
			code = h.answer(h.n)
		}
		h.mu.Unlock()
		if code/100 == 3 {
			w.Header().Set("Location", h.URL+"/elsewhere")
		}
		w.WriteHeader(code)
		h.got <- r
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hookTarget) answers(f func(n int) int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer, h.n = f, 0
}

// next returns the next event that was posted, and how it was signed.
func (h *hookTarget) next(t *testing.T) (e *elsewherev1.LinkEvent, r *http.Request, body []byte) {
	t.Helper()
	r = <-h.got
	h.mu.Lock()
	defer h.mu.Unlock()
	e = &elsewherev1.LinkEvent{}
	if err := protojson.Unmarshal(h.bodies[r], e); err != nil {
		t.Fatal(err)
	}
	return e, r, h.bodies[r]
}

// config lets a service post to the target.
func (h *hookTarget) config(c server.Config) server.Config {
	roots := x509.NewCertPool()
	roots.AddCert(h.Certificate())
	c.Webhooks.AllowPrivate = true
	return server.Posted(c, webhook.Options{RootCAs: roots, Retry: time.Millisecond, MaxRetry: 5 * time.Millisecond})
}

func (g *guarded) hook(t *testing.T, b elsewherev1.Webhook_builder) *elsewherev1.CreateWebhookResponse {
	t.Helper()
	made, err := g.admin.CreateWebhook(t.Context(), elsewherev1.CreateWebhookRequest_builder{Webhook: b.Build()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// hookState returns how the only webhook fares.
func (g *guarded) hookState(t *testing.T) *elsewherev1.Webhook {
	t.Helper()
	res, err := g.admin.ListWebhooks(t.Context(), &elsewherev1.ListWebhooksRequest{})
	if err != nil || len(res.GetWebhooks()) != 1 {
		t.Fatal(res, err)
	}
	return res.GetWebhooks()[0]
}

func submitAs(t *testing.T, c caller, refs ...string) {
	t.Helper()
	for _, ref := range refs {
		tenant, id, _ := strings.Cut(ref, "/")
		cs := watchedCase(tenant+"/"+id, "to@collect"+id+".com", "evil-invoices"+id+".com", "70.0."+id+".1")
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: cs}.Build()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebhooks posts what a webhook may hear, signed, and goes on after a restart.
func TestWebhooks(t *testing.T) {
	target := newHookTarget(t)
	var log bytes.Buffer
	c := target.config(server.Config{DataDir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	g := guard(t, c)
	g.tenants(t, "a", "b", "hidden")
	writer := g.key(t, lead)
	submitAs(t, writer, "a/1", "b/1") // before there is one
	(&deployment{CorrelationServiceClient: writer}).settle(t)
	made := g.hook(t, elsewherev1.Webhook_builder{Name: "pipeline", Url: target.URL + "/path?token=geheim", Tenants: []string{"b", "a"}, MinTier: elsewherev1.Tier_TIER_PROBABLE})
	if made.GetWebhook().GetMinTier() != elsewherev1.Tier_TIER_PROBABLE || !strings.HasPrefix(made.GetSecret(), "whs_") {
		t.Errorf("made %v", made)
	}
	submitAs(t, writer, "hidden/2", "a/2", "hidden/3", "b/3", "a/4", "b/4")
	e, r, body := target.next(t)
	if said(e) != "new a/4~b/4 strong by evidence" {
		t.Errorf("posted %s", said(e))
	}
	if r.URL.RequestURI() != "/path?token=geheim" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get(webhook.HeaderEvent) != e.GetEventId() || r.Header.Get(webhook.HeaderWebhook) != made.GetWebhook().GetId() {
		t.Errorf("posted %s %s with %v", r.Method, r.URL, r.Header)
	}
	signature := r.Header.Get(client.SignatureHeader)
	verify := func(secret, header string, body []byte, at time.Time) error {
		return client.VerifyWebhook(secret, header, body, at, time.Minute)
	}
	if err := verify(made.GetSecret(), signature, body, time.Now()); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"another secret": verify(made.GetSecret()+"x", signature, body, time.Now()),
		"another body":   verify(made.GetSecret(), signature, append(slices.Clone(body), ' '), time.Now()),
		"another time":   verify(made.GetSecret(), strings.Replace(signature, "t=1", "t=2", 1), body, time.Now()),
		"an old one":     verify(made.GetSecret(), signature, body, time.Now().Add(time.Hour)),
		"none":           verify(made.GetSecret(), "", body, time.Now()),
		"another form":   verify(made.GetSecret(), "t=1,v1=zz", body, time.Now()),
	} {
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	// What happens while nobody posts is posted later.
	target.answers(func(int) int { return http.StatusServiceUnavailable })
	submitAs(t, writer, "a/5", "b/5")
	target.next(t)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	for len(target.got) > 0 {
		<-target.got
	}
	target.answers(nil)
	g2 := guard(t, c)
	e, r, body = target.next(t)
	if said(e) != "new a/5~b/5 strong by evidence" {
		t.Errorf("posted %s", said(e))
	}
	if err := verify(made.GetSecret(), r.Header.Get(client.SignatureHeader), body, time.Now()); err != nil {
		t.Error("after a restart: ", err)
	}
	if err := g2.stop(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{made.GetSecret(), "geheim"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// TestDeadLetters has a target refuse an event.
func TestDeadLetters(t *testing.T) {
	target := newHookTarget(t)
	g := guard(t, target.config(server.Config{Memory: true}))
	g.tenants(t, "a", "b")
	writer := g.key(t, lead)
	id := g.hook(t, elsewherev1.Webhook_builder{Url: target.URL, AllTenants: true}).GetWebhook().GetId()
	letters := func() []*elsewherev1.DeadLetter {
		t.Helper()
		res, err := g.admin.ListDeadLetters(t.Context(), elsewherev1.ListDeadLettersRequest_builder{Webhook: id}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return res.GetDeadLetters()
	}
	// Trouble that passes is tried again.
	target.answers(func(n int) int { return []int{500, 429, 503, 200}[min(n, 4)-1] })
	submitAs(t, writer, "a/1", "b/1")
	var first *elsewherev1.LinkEvent
	for range 4 {
		e, _, _ := target.next(t)
		if first == nil {
			first = e
		}
		if e.GetEventId() != first.GetEventId() {
			t.Error("a repeat has another id")
		}
	}
	// What is refused is not, and what comes after it goes on. A redirect is refused.
	for i, code := range []int{400, 302} {
		target.answers(func(n int) int {
			if n <= 3 {
				return code
			}
			return 200
		})
		submitAs(t, writer, fmt.Sprint("a/", 2+2*i), fmt.Sprint("b/", 2+2*i))
		var refused *elsewherev1.LinkEvent
		for range 3 {
			refused, _, _ = target.next(t)
		}
		submitAs(t, writer, fmt.Sprint("a/", 3+2*i), fmt.Sprint("b/", 3+2*i))
		if e, _, _ := target.next(t); e.GetEventId() == refused.GetEventId() {
			t.Error("a refused event is posted more than three times")
		}
		all := letters()
		if len(all) != i+1 || all[i].GetEventId() != refused.GetEventId() || all[i].GetAttempts() != 3 || all[i].GetReason() != fmt.Sprint("the target answered ", code) {
			t.Errorf("dead letters are %v", all)
		}
	}
	if w := g.hookState(t); w.GetDeadLetters() != 2 {
		t.Errorf("the webhook is %v", w)
	}
	if _, err := g.admin.RetryDeadLetters(t.Context(), elsewherev1.RetryDeadLettersRequest_builder{Webhook: id}.Build()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		target.next(t)
	}
	for len(letters()) > 0 {
		wait(10 * time.Millisecond)
	}
	if _, err := g.admin.DeleteWebhook(t.Context(), elsewherev1.DeleteWebhookRequest_builder{Id: id}.Build()); err != nil {
		t.Fatal(err)
	}
	submitAs(t, writer, "a/9", "b/9")
	_, err := g.admin.ListDeadLetters(t.Context(), elsewherev1.ListDeadLettersRequest_builder{Webhook: id}.Build())
	want(t, "dead letters of a webhook that is gone", status.Code(err), codes.NotFound)
	if len(target.got) > 0 {
		t.Error("a webhook that is gone is posted to")
	}
}

// TestErasedIsNotPosted erases a tenant of which a target refused one event and is
// being posted another: it hears no more than that the links are gone, and no dead
// letter is kept.
func TestErasedIsNotPosted(t *testing.T) {
	target := newHookTarget(t)
	g := guard(t, target.config(server.Config{Memory: true}))
	g.tenants(t, "a", "b")
	writer := g.key(t, lead)
	id := g.hook(t, elsewherev1.Webhook_builder{Url: target.URL, AllTenants: true}).GetWebhook().GetId()
	dead := func() int {
		t.Helper()
		res, err := g.admin.ListDeadLetters(t.Context(), elsewherev1.ListDeadLettersRequest_builder{Webhook: id}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return len(res.GetDeadLetters())
	}
	target.answers(func(int) int { return http.StatusBadRequest })
	submitAs(t, writer, "a/1", "b/1")
	for dead() == 0 {
		wait(10 * time.Millisecond)
	}
	target.answers(func(int) int { return http.StatusServiceUnavailable })
	submitAs(t, writer, "a/2", "b/2")
	for e, _, _ := target.next(t); said(e) != "new a/2~b/2 strong by evidence"; {
		e, _, _ = target.next(t)
	}
	if _, err := eraseTenant(t, t.Context(), g.admin, "a", false); err != nil {
		t.Fatal(err)
	}
	if n := dead(); n > 0 {
		t.Errorf("%d dead letters of an erased tenant", n)
	}
	target.answers(nil)
	for len(target.got) > 0 {
		<-target.got
	}
	for range 2 {
		if e, _, _ := target.next(t); e.GetCause() != elsewherev1.LinkCause_LINK_CAUSE_ERASED || e.GetLink().GetLikelihood() != 0 {
			t.Errorf("posted %v", e)
		}
	}
}

// TestWebhookTargets names targets that nobody may reach by way of the server.
func TestWebhookTargets(t *testing.T) {
	target := newHookTarget(t)
	g := guard(t, server.Posted(server.Config{Memory: true}, webhook.Options{Retry: time.Millisecond, MaxRetry: 2 * time.Millisecond}))
	g.tenants(t, "a", "b")
	writer := g.key(t, lead)
	for url, reason := range map[string]string{
		"":                                            "MALFORMED",
		"nonsense":                                    "MALFORMED",
		"https://":                                    "MALFORMED",
		"https://user:pass@example.com/":              "MALFORMED",
		"https://example.com/#here":                   "MALFORMED",
		"http://example.com/":                         "NOT_HTTPS",
		"ftp://example.com/":                          "NOT_HTTPS",
		"file:///etc/passwd":                          "MALFORMED",
		"https://127.0.0.1/":                          "NOT_PUBLIC",
		"https://[::1]:8080/":                         "NOT_PUBLIC",
		"https://10.1.2.3/":                           "NOT_PUBLIC",
		"https://169.254.169.254/latest":              "NOT_PUBLIC",
		"https://[::ffff:192.168.0.1]/":               "NOT_PUBLIC",
		"https://[64:ff9b::a00:1]/":                   "NOT_PUBLIC",
		"https://[fd00::1]/":                          "NOT_PUBLIC",
		"https://[fe80::1%25eth0]/":                   "NOT_PUBLIC",
		"https://0.0.0.0/":                            "NOT_PUBLIC",
		"https://100.64.0.1/":                         "NOT_PUBLIC",
		"https://168.63.129.16/machine":               "NOT_PUBLIC",
		"https://a.com/" + strings.Repeat("x", 2_000): "TOO_LONG",
	} {
		_, err := g.admin.CreateWebhook(t.Context(), elsewherev1.CreateWebhookRequest_builder{
			Webhook: elsewherev1.Webhook_builder{Url: url, AllTenants: true}.Build(),
		}.Build())
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(fmt.Sprint(status.Convert(err).Details()), reason) {
			t.Errorf("%.40q: %v, want %s", url, err, reason)
		}
	}
	for _, b := range []elsewherev1.Webhook_builder{
		{Url: "https://example.com/"},
		{Url: "https://example.com/", AllTenants: true, Tenants: []string{"a"}},
		{Url: "https://example.com/", Tenants: []string{"unknown"}},
		{Url: "https://example.com/", AllTenants: true, MinTier: elsewherev1.Tier_TIER_NONE},
		{Url: "https://example.com/", AllTenants: true, Name: strings.Repeat("n", 300)},
	} {
		_, err := g.admin.CreateWebhook(t.Context(), elsewherev1.CreateWebhookRequest_builder{Webhook: b.Build()}.Build())
		want(t, b.Build().String(), status.Code(err), codes.InvalidArgument)
	}
	// A name is looked up when it is dialled, and what it leads to is what counts:
	// this one leads here.
	_, port, _ := strings.Cut(strings.TrimPrefix(target.URL, "https://"), ":")
	g.hook(t, elsewherev1.Webhook_builder{Url: "https://localhost:" + port + "/geheim", AllTenants: true})
	submitAs(t, writer, "a/1", "b/1")
	for {
		w := g.hookState(t)
		if w.GetLastError() == "" {
			wait(10 * time.Millisecond)
			continue
		}
		if !strings.Contains(w.GetLastError(), "not a public address") || strings.Contains(w.GetLastError(), "geheim") || !w.HasFailingSince() {
			t.Errorf("the webhook is %v", w)
		}
		break
	}
	if len(target.got) > 0 {
		t.Error("a private target was reached")
	}
	for _, role := range []elsewherev1.Role{analyst, lead} {
		_, err := g.key(t, role).ListWebhooks(t.Context(), &elsewherev1.ListWebhooksRequest{})
		want(t, "webhooks for others than admins", status.Code(err), codes.PermissionDenied)
	}
}
