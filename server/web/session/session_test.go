package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elsewhere-project/elsewhere/server/web/session"
)

// deployment is a service that takes the keys of taken, and says who asked.
type deployment struct {
	handler http.Handler
	taken   map[string]bool
	now     time.Time
}

func newDeployment(secure bool, keys ...string) *deployment {
	d := &deployment{taken: make(map[string]bool), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, k := range keys {
		d.taken[k] = true
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !d.taken[who] {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "nobody")
			return
		}
		w.Header().Set("Content-Type", "text/secret")
		fmt.Fprintf(w, "%s %s %q", who, r.URL.Path, r.Header.Get("Cookie"))
	})
	s := session.New(api, session.Options{Secure: secure, Clock: func() time.Time { return d.now }})
	mux := http.NewServeMux()
	mux.Handle("/v1/", s.Over(api))
	mux.Handle("/", s.Handler(http.NotFoundHandler()))
	d.handler = mux
	return d
}

// ask asks as the page does; headers are "Name: value", and "-Name" leaves one out.
func (d *deployment) ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://elsewhere.example"+path, nil)
	r.Header.Set("X-Elsewhere-Page", "1")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if left, ok := strings.CutPrefix(name, "-"); ok {
			r.Header.Del(left)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// begin signs in and returns the cookie, as "Cookie: name=value".
func (d *deployment) begin(t *testing.T, key string) string {
	t.Helper()
	res := d.ask("POST", session.Path, "Authorization: Bearer "+key).Result()
	if res.StatusCode != http.StatusNoContent || len(res.Cookies()) != 1 {
		t.Fatalf("a sign-in with %s: %s %v", key, res.Status, res.Header)
	}
	c := res.Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value
}

func TestSessionAsksAsItsKey(t *testing.T) {
	for _, secure := range []bool{false, true} {
		d := newDeployment(secure, "one", "two")
		res := d.ask("POST", session.Path, "Authorization: Bearer one").Result()
		c := res.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure != secure ||
			strings.HasPrefix(c.Name, "__Host-") != secure || len(c.Value) < 43 || strings.Contains(c.Value, "one") {
			t.Errorf("the cookie is %s", c)
		}
		if body := res.Header.Get("Content-Type"); body != "" || res.StatusCode != http.StatusNoContent {
			t.Errorf("a sign-in answers %s with %s", res.Status, body)
		}
		cookie := "Cookie: " + c.Name + "=" + c.Value
		if got := d.ask("GET", "/v1/cases", cookie).Body.String(); got != `one /v1/cases ""` {
			t.Errorf("with a session: %s", got)
		}
		if got := d.ask("GET", "/v1/cases", cookie, "Authorization: Bearer two").Body.String(); !strings.HasPrefix(got, "two ") {
			t.Errorf("with a session and another key: %s", got)
		}
		if got := d.ask("GET", "/v1/cases", "Cookie: "+c.Name+"=guess"); got.Code != http.StatusUnauthorized {
			t.Errorf("with a guessed id: %d", got.Code)
		}
		if out := d.ask("DELETE", session.Path, cookie).Result(); out.StatusCode != http.StatusNoContent || out.Cookies()[0].MaxAge >= 0 {
			t.Errorf("signing out: %s %v", out.Status, out.Header)
		}
		if got := d.ask("GET", "/v1/cases", cookie); got.Code != http.StatusUnauthorized {
			t.Errorf("after signing out: %d", got.Code)
		}
		if got := d.ask("POST", session.Path, "Authorization: Bearer three").Result(); got.StatusCode != http.StatusUnauthorized || len(got.Cookies()) > 0 {
			t.Errorf("a sign-in with a key that is not taken: %s", got.Status)
		}
	}
}

// TestOtherSitesHaveNoUseOfASession asks as pages of other sites make a browser ask.
func TestOtherSitesHaveNoUseOfASession(t *testing.T) {
	for _, secure := range []bool{false, true} {
		d := newDeployment(secure, "one")
		cookie := d.begin(t, "one")
		own, other := "http://elsewhere.example", "https://elsewhere.example"
		if secure {
			own, other = other, own
		}
		for what, headers := range map[string][]string{
			"a form":                     {"-X-Elsewhere-Page", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
			"a form of an old browser":   {"-X-Elsewhere-Page"},
			"a link":                     {"-X-Elsewhere-Page", "Sec-Fetch-Site: none"},
			"another header":             {"X-Elsewhere-Page: 0"},
			"a script of another site":   {"Origin: https://evil.example"},
			"another site, no origin":    {"Sec-Fetch-Site: cross-site"},
			"a site beside it":           {"Sec-Fetch-Site: same-site", "Origin: " + own},
			"another port":               {"Origin: " + own + ":8080"},
			"another scheme":             {"Origin: " + other},
			"a sandboxed frame":          {"Origin: null"},
			"a host that begins like it": {"Origin: " + own + ".evil.example"},
		} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				if got := d.ask(method, "/v1/cases", append(headers, cookie)...); got.Code != http.StatusUnauthorized {
					t.Errorf("%s, %s: %d %s", what, method, got.Code, got.Body)
				}
			}
			for _, method := range []string{"POST", "DELETE"} {
				got := d.ask(method, session.Path, append(headers, cookie, "Authorization: Bearer one")...).Result()
				if got.StatusCode != http.StatusForbidden || len(got.Cookies()) > 0 {
					t.Errorf("%s, %s of a session: %s", what, method, got.Status)
				}
			}
		}
		for what, headers := range map[string][]string{
			"the page": {"Origin: " + own, "Sec-Fetch-Site: same-origin"}, "an old browser": {"Origin: " + own}, "a GET": {"Sec-Fetch-Site: same-origin"},
		} {
			if got := d.ask("GET", "/v1/cases", append(headers, cookie)...); got.Code != http.StatusOK {
				t.Errorf("%s: %d", what, got.Code)
			}
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	d := newDeployment(false, "one", "two")
	answered := func(cookie string) int { return d.ask("GET", "/v1/cases", cookie).Code }
	idle, used, revoked := d.begin(t, "one"), d.begin(t, "one"), d.begin(t, "two")
	d.taken["two"] = false
	if got := answered(revoked); got != http.StatusUnauthorized {
		t.Errorf("with a revoked key: %d", got)
	}
	d.taken["two"] = true
	if got := answered(revoked); got != http.StatusUnauthorized {
		t.Errorf("the session of a key that was revoked is back: %d", got)
	}
	for d.now = d.now.Add(session.IdleFor / 2); answered(used) == http.StatusOK; d.now = d.now.Add(session.IdleFor / 2) {
		if d.now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) > session.LastsFor {
			t.Fatal("a session that is used never ends")
		}
	}
	if d.now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) < session.LastsFor {
		t.Error("a session that is used ends early")
	}
	if got := answered(idle); got != http.StatusUnauthorized {
		t.Errorf("a session that nobody used: %d", got)
	}
}

// TestLongCallsEndWithTheSession: what was begun in a session and goes on, as watching
// does, ends when the session does although nobody asks anything more.
func TestLongCallsEndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "{}")
			if r.URL.Path == "/v1/links:watch" {
				<-r.Context().Done()
			}
		})
		s := session.New(api, session.Options{})
		mux := http.NewServeMux()
		mux.Handle("/v1/", s.Over(api))
		mux.Handle("/", s.Handler(http.NotFoundHandler()))
		d := &deployment{handler: mux}
		cookie := d.begin(t, "taken")
		<-time.After(time.Hour)
		d.ask("GET", "/v1/links:watch", cookie)
		if took := time.Since(began); took != session.LastsFor {
			t.Errorf("a call ends after %v", took)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	keys := []string{"many"}
	for i := range 1_100 {
		keys = append(keys, fmt.Sprint("key ", i))
	}
	d := newDeployment(false, keys...)
	var first, last string
	for i := range 20 {
		d.now = d.now.Add(time.Second)
		last = d.begin(t, "many")
		if i == 0 {
			first = last
		}
	}
	if d.ask("GET", "/v1/cases", first).Code == http.StatusOK || d.ask("GET", "/v1/cases", last).Code != http.StatusOK {
		t.Error("of the sessions of a key the first has to go, and the last to stay")
	}
	for _, k := range keys[1:] {
		d.now = d.now.Add(time.Second)
		d.begin(t, k)
	}
	if d.ask("GET", "/v1/cases", last).Code == http.StatusOK {
		t.Error("sessions are not bounded")
	}
}

func TestWithoutSessions(t *testing.T) {
	var none *session.Sessions
	h := none.Handler(http.NotFoundHandler())
	for method, want := range map[string]int{"GET": 200, "POST": 404, "DELETE": 404, "PUT": 405} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, session.Path, nil)
		r.Header.Set("X-Elsewhere-Page", "1")
		h.ServeHTTP(w, r)
		if w.Code != want || method == "GET" && !strings.Contains(w.Body.String(), `"sessions":false`) {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	next := http.NotFoundHandler()
	w := httptest.NewRecorder()
	none.Over(next).ServeHTTP(w, httptest.NewRequest("GET", "/v1/cases", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("a request: %d", w.Code)
	}
}
