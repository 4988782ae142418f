// Package misptest is a MISP server for tests. It answers as MISP 2.5.1 was
// recorded to; its test has the recorded facts.
//
// It knows nothing of package misp, so that the two cannot be wrong together.
package misptest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Role is what a key may do.
type Role struct{ Add, Publish, Sync bool }

// The roles of a MISP server as it is installed.
var (
	Publisher = Role{Add: true, Publish: true}
	User      = Role{Add: true}
	ReadOnly  = Role{}
	Sync      = Role{Add: true, Publish: true, Sync: true}
)

// Server is a MISP server in memory.
type Server struct {
	URL string
	// Tags are the beginnings of the tags that it knows.
	Tags []string
	// Drop are values that it drops although they are well-formed.
	Drop []string
	// Fault answers a request in the server's place; it reports whether it did.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// Now is the server's clock in Unix seconds.
	Now func() int64

	mu      sync.Mutex
	keys    map[string]holder
	events  map[string]*event
	blocked map[string]bool
	nextID  int
	calls   []string
	bytes   int64
}

type holder struct {
	org  string
	role Role
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{
		Tags: []string{"tlp:", "PAP:", "estimative-language:", "misp-galaxy:mitre-attack-pattern="},
		keys: make(map[string]holder), events: make(map[string]*event), blocked: make(map[string]bool), nextID: 25,
		Now: func() int64 { return 1795291166 },
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Key makes a key of 40 characters for an organisation, by its number.
func (s *Server) Key(org string, role Role) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ReplaceAll(newUUID()+newUUID(), "-", "")[:40]
	s.keys[key] = holder{org, role}
	return key
}

// Calls returns what was asked for since the last call, as "POST /events/add".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Writes returns those of Calls that change something.
func (s *Server) Writes() []string {
	return slices.DeleteFunc(s.Calls(), func(c string) bool { return strings.HasPrefix(c, "GET ") })
}

// Touch changes an event as somebody on the server would.
func (s *Server) Touch(uuid string, timestamp int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[uuid].Timestamp = timestamp
}

// Own gives an event to another organisation.
func (s *Server) Own(uuid, org string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[uuid].Org = org
}

// Live returns the values of an event that are not deleted, sorted.
func (s *Server) Live(uuid string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	e := s.events[uuid]
	if e == nil {
		return nil
	}
	for _, a := range e.Attributes {
		if !a.Deleted {
			out = append(out, a.Type+" "+a.Value)
		}
	}
	slices.Sort(out)
	return out
}

// newUUID makes a random identifier.
func newUUID() string {
	b := make([]byte, 16)
	rand.Read(b) //nolint:errcheck // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	fault := s.Fault
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok := s.keys[r.Header.Get("Authorization")]
	switch {
	case !ok:
		say(w, r, http.StatusForbidden, "Authentication failed. Please make sure you pass the API key of an API enabled user along in the Authorization header.", nil)
		return
	case r.Header.Get("Accept") != "application/json":
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.Header().Set("Location", s.URL+"/users/login")
		w.WriteHeader(http.StatusFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.bytes += int64(len(body))
	var in sent
	if len(body) > 0 && json.Unmarshal(body, &in) != nil {
		say(w, r, http.StatusMethodNotAllowed, "Invalid JSON input. Make sure that the JSON input is a correctly formatted JSON string. This request has been blocked to avoid an unfiltered request.", nil)
		return
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	arg := path[len(path)-1]
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/servers/getVersion":
		reply(w, sent{"version": "2.5.1", "perm_sync": who.role.Sync})
	case r.Method == http.MethodGet && r.URL.Path == "/users/view/me":
		reply(w, sent{
			"User": sent{"id": "7", "org_id": who.org, "email": "publisher@probe.test"},
			"Role": sent{"perm_add": who.role.Add, "perm_publish": who.role.Publish, "perm_site_admin": false},
		})
	case r.URL.Path == "/events/add":
		s.add(w, r, who, in)
	case len(path) == 3 && path[0] == "events" && path[1] == "view":
		s.view(w, r, who, arg)
	case len(path) == 3 && path[0] == "events" && path[1] == "edit":
		s.edit(w, r, who, arg, in)
	case len(path) == 3 && path[0] == "events" && path[1] == "publish":
		s.publish(w, r, who, arg)
	case len(path) == 3 && path[0] == "events" && path[1] == "delete":
		s.delete(w, r, who, arg)
	case r.URL.Path == "/tags/attachTagToObject":
		s.tag(w, r, who, in, true)
	case r.URL.Path == "/tags/removeTagFromObject":
		s.tag(w, r, who, in, false)
	default:
		denied(w, r)
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the client is gone
}

// say answers as MISP does when something did not happen, or did.
func say(w http.ResponseWriter, r *http.Request, status int, message string, more sent) {
	body := sent{"name": message, "message": message, "url": r.URL.Path}
	for k, v := range more {
		body[k] = v
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the client is gone
}

func denied(w http.ResponseWriter, r *http.Request) {
	say(w, r, http.StatusForbidden, "You do not have permission to use this functionality.", nil)
}

// visible returns an event that somebody may see.
func (s *Server) visible(who holder, id string) *event {
	for _, e := range s.events {
		if (e.UUID == id || e.ID == id) && (e.Org == who.org || e.Distribution != "0") {
			return e
		}
	}
	return nil
}

func (s *Server) tag(w http.ResponseWriter, r *http.Request, who holder, in sent, attach bool) {
	e, name := s.visible(who, in.text("uuid")), in.text("tag")
	switch {
	case !who.role.Add || e == nil || e.Org != who.org:
		denied(w, r)
	case attach && !s.knows(name):
		say(w, r, http.StatusForbidden, "Could not attachTagToObject Tag", sent{
			"saved": false, "errors": `Failed to attach 1 tags. Reasons: {"0":"Tag not found and insufficient privileges to create it."}`,
		})
	case attach:
		e.Tags = append(e.Tags, name)
		say(w, r, http.StatusOK, "Global tag "+name+"(79) successfully attached to Event("+e.ID+").", sent{"saved": true, "success": true})
	default:
		e.Tags = slices.DeleteFunc(e.Tags, func(t string) bool { return t == name })
		say(w, r, http.StatusOK, "Tag successfully removed from Event("+e.ID+").", sent{"saved": true, "success": true})
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
