// Package session lets a browser that was signed in with a key ask on with a cookie. It
// keeps, in memory only, the header that a sign-in came with and puts it on what the page
// asks later: who asks is then decided where it is for everybody else. It knows no case
// and no key's role, and cannot tell whether a key is taken but by asking.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/rest"
)

// Path is where a browser signs in and out.
const Path = "/web/session"

// whoAmI is what a key is tried with.
const whoAmI = "/v1/whoami"

// pageHeader is on everything that the page asks. No form and no link of another site can
// send it, and a script there only with leave that this service never gives.
const pageHeader = "X-Elsewhere-Page"

// Bounds of sessions.
const (
	// IdleFor is after how long without a request a session ends.
	IdleFor = 2 * time.Hour
	// LastsFor is after how long a session ends in any event: a working day.
	LastsFor = 12 * time.Hour
	// mostOfKey and most are how many there are at a time; a new one then ends that
	// which was used longest ago.
	mostOfKey = 16
	most      = 1_000
)

// Options are how a browser reaches the page.
type Options struct {
	// Secure says that it is reached by TLS.
	Secure bool
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Sessions are the sessions of browsers. The nil Sessions has none and gives none. It is
// safe for concurrent use.
type Sessions struct {
	api    http.Handler
	secure bool
	clock  func() time.Time

	mu  sync.Mutex
	all map[digest]*held
}

// digest is what a session is kept under: who reads the memory of the map by timing
// learns nothing of an id.
type digest [sha256.Size]byte

// held is one session.
type held struct {
	authorization string
	began, used   time.Time
	over          context.Context
	end           context.CancelFunc
}

// New returns sessions whose requests api answers.
func New(api http.Handler, o Options) *Sessions {
	s := &Sessions{api: api, secure: o.Secure, clock: o.Clock, all: make(map[digest]*held)}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

// cookieName is that of the cookie. With TLS browsers take it only from this host, for
// this host and secured.
func (s *Sessions) cookieName() string {
	if s.secure {
		return "__Host-elsewhere"
	}
	return "elsewhere"
}

func (s *Sessions) cookie(value string, lasts time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
		MaxAge: int(lasts / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// Over answers requests that come with a session's cookie as the key that began it, and
// passes the rest on.
func (s *Sessions) Over(next http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ended := s.of(r)
		if h == nil || r.Header.Get("Authorization") != "" {
			next.ServeHTTP(w, r)
			return
		}
		// What takes long ends with the session, also when nobody asks anything more.
		ctx, cancel := context.WithTimeout(r.Context(), LastsFor-s.clock().Sub(h.began))
		defer cancel()
		defer context.AfterFunc(h.over, cancel)()
		r = r.Clone(ctx)
		r.Header.Del("Cookie")
		r.Header.Set("Authorization", h.authorization)
		next.ServeHTTP(&answer{ResponseWriter: w, refused: ended}, r)
	})
}

// of returns the session that a request of the page comes with, nil for none, and what
// ends it.
func (s *Sessions) of(r *http.Request) (h *held, end func()) {
	if !s.ofPage(r) {
		return nil, nil
	}
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return nil, nil
	}
	id := digest(sha256.Sum256([]byte(c.Value)))
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	h = s.all[id]
	if h == nil {
		return nil, nil
	}
	if h.ended(now) {
		s.drop(id)
		return nil, nil
	}
	h.used = now
	return h, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(id)
	}
}

func (h *held) ended(now time.Time) bool {
	return now.Sub(h.used) >= IdleFor || now.Sub(h.began) >= LastsFor
}

// drop ends a session. It is for who holds the lock.
func (s *Sessions) drop(id digest) {
	if h := s.all[id]; h != nil {
		h.end()
		delete(s.all, id)
	}
}

// ofPage reports whether the page itself asks: with its header, and from its origin where
// the browser says which.
func (s *Sessions) ofPage(r *http.Request) bool {
	if r.Header.Get(pageHeader) != "1" {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
	default:
		return false
	}
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == scheme+"://"+r.Host
}

// Handler answers at Path: GET says whether there are sessions, POST with a key begins
// one, DELETE ends it.
func (s *Sessions) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != Path {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method == http.MethodGet:
			say(w, http.StatusOK, map[string]any{"sessions": s != nil, "lastsSeconds": int(LastsFor / time.Second), "idleSeconds": int(IdleFor / time.Second)})
		case r.Method != http.MethodPost && r.Method != http.MethodDelete:
			w.Header().Set("Allow", "GET, POST, DELETE")
			rest.Problem{Status: http.StatusMethodNotAllowed, Reason: "METHOD", Detail: "sessions are asked for, begun and ended"}.Write(w)
		case s == nil:
			rest.Problem{Status: http.StatusNotFound, Reason: "NO_SESSIONS", Detail: "the service runs without --web-sessions"}.Write(w)
		case !s.ofPage(r):
			rest.Problem{Status: http.StatusForbidden, Reason: "ORIGIN", Detail: "sessions are for the page of this service"}.Write(w)
		case r.Method == http.MethodDelete:
			if _, end := s.of(r); end != nil {
				end()
			}
			http.SetCookie(w, s.cookie("", 0))
			w.WriteHeader(http.StatusNoContent)
		default:
			s.begin(w, r)
		}
	})
}

// begin tries a key, and keeps it under a new id if it is taken.
func (s *Sessions) begin(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		rest.Problem{Status: http.StatusUnauthorized, Reason: "KEY_UNKNOWN", Detail: "a key is needed"}.Write(w)
		return
	}
	ask := r.Clone(r.Context())
	ask.Method, ask.URL.Path, ask.URL.RawPath, ask.URL.RawQuery, ask.RequestURI = http.MethodGet, whoAmI, "", "", whoAmI
	ask.Body, ask.ContentLength = http.NoBody, 0
	for _, name := range []string{"Cookie", "Accept", "Accept-Encoding", "Content-Type", "Content-Length"} {
		ask.Header.Del(name)
	}
	tried := &trial{answer: answer{ResponseWriter: w, refused: func() {}}}
	s.api.ServeHTTP(tried, ask)
	if !tried.taken {
		return
	}
	id, err := s.keep(authorization)
	if err != nil {
		rest.Problem{Status: http.StatusInternalServerError, Reason: "INTERNAL", Detail: "internal error"}.Write(w)
		return
	}
	http.SetCookie(w, s.cookie(id, LastsFor))
	w.WriteHeader(http.StatusNoContent)
}

// keep returns the id of a new session.
func (s *Sessions) keep(authorization string) (string, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	id := base64.RawURLEncoding.EncodeToString(raw)
	now := s.clock()
	h := &held{authorization: authorization, began: now, used: now}
	h.over, h.end = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(authorization, now)
	s.all[sha256.Sum256([]byte(id))] = h
	return id, nil
}

// makeRoom ends sessions that are over and, where there are too many, those that were
// used longest ago. It is for who holds the lock.
func (s *Sessions) makeRoom(authorization string, now time.Time) {
	var own, others []digest
	for id, h := range s.all {
		switch {
		case h.ended(now):
			s.drop(id)
		case h.authorization == authorization:
			own = append(own, id)
		default:
			others = append(others, id)
		}
	}
	oldest := func(x, y digest) int { return cmp.Compare(s.all[x].used.UnixNano(), s.all[y].used.UnixNano()) }
	slices.SortFunc(own, oldest)
	for len(own) >= mostOfKey {
		s.drop(own[0])
		own = own[1:]
	}
	all := append(others, own...)
	slices.SortFunc(all, oldest)
	for len(all) >= most {
		s.drop(all[0])
		all = all[1:]
	}
}

// answer passes an answer on, and says when it is that the key is not taken.
type answer struct {
	http.ResponseWriter
	refused func()
}

func (a *answer) WriteHeader(code int) {
	if code == http.StatusUnauthorized {
		a.refused()
	}
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets deadlines of what is behind it be set.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush implements http.Flusher, for parts of a stream.
func (a *answer) Flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// trial passes on why a key is not taken, and keeps to itself what it is.
type trial struct {
	answer
	decided, taken bool
}

func (t *trial) WriteHeader(code int) {
	if t.decided {
		return
	}
	t.decided, t.taken = true, code == http.StatusOK
	if !t.taken {
		t.answer.WriteHeader(code)
		return
	}
	for name := range t.Header() {
		if strings.HasPrefix(name, "Content-") || name == "Vary" || name == "Etag" {
			t.Header().Del(name)
		}
	}
}

func (t *trial) Write(b []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	if t.taken {
		return len(b), nil
	}
	return t.answer.Write(b)
}

// Flush implements http.Flusher: what is kept back is not flushed.
func (*trial) Flush() {}

func say(w http.ResponseWriter, code int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A reader that is gone is no fault of ours.
	_ = json.NewEncoder(w).Encode(what)
}
