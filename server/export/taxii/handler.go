package taxii

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Where the server is. Discovery has its place by the standard.
const (
	Discovery = "/taxii2/"
	// Root is the only API root.
	Root = Discovery + "elsewhere/"
)

// Handles reports whether a path is one of this server's.
func Handles(path string) bool {
	return strings.HasPrefix(path, Discovery) || path == strings.TrimSuffix(Discovery, "/")
}

// Options are what the resources say.
type Options struct {
	// Title names the deployment.
	Title string
	// BodyBytes is how large a body may be, though none is taken. Who serves this holds
	// clients to it.
	BodyBytes int64
}

// Handler answers what is asked of a source.
func Handler(s Source, o Options) http.Handler { return &server{s, o} }

type server struct {
	source Source
	o      Options
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.answer(w, r); err != nil {
		var told *Error
		if !errors.As(err, &told) {
			told = &Error{Status: http.StatusInternalServerError, Title: "Internal error", Code: "INTERNAL"}
		}
		told.Write(w)
	}
}

var (
	errNoPath = &Error{Status: http.StatusNotFound, Title: "Not found", Description: "there is no such resource", Code: "NOT_FOUND"}
	errAccept = &Error{
		Status: http.StatusNotAcceptable, Title: "Not acceptable", Description: "answers are " + MediaType, Code: "ACCEPT",
	}
	errContentType = &Error{
		Status: http.StatusUnsupportedMediaType, Title: "Unsupported media type", Description: "bodies have to be " + MediaType, Code: "CONTENT_TYPE",
	}
	errReadOnly = &Error{
		Status: http.StatusForbidden, Title: "Forbidden", Description: "collections can be read only", Code: "READ_ONLY",
	}
)

// callerOf says who asks.
func callerOf(r *http.Request) Caller {
	c := Caller{
		Authorization: r.Header.Get("Authorization"), Address: r.RemoteAddr,
		RequestID: r.Header.Get("X-Request-Id"), Traceparent: r.Header.Get("Traceparent"), Tracestate: r.Header.Get("Tracestate"),
	}
	// Clients of TAXII know names and passwords. The key is the password; whatever the
	// name, it is not looked at.
	if _, password, ok := r.BasicAuth(); ok {
		c.Authorization = "Bearer " + password
	}
	return c
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) error {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !accepts(strings.Join(r.Header.Values("Accept"), ",")) {
		return errAccept
	}
	path := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path+"/", Discovery), "/"), "/")
	by := callerOf(r)
	switch {
	case len(path) == 1 && path[0] == "":
		return s.page(w, r, by, s.discovery())
	case path[0] != "elsewhere":
	case len(path) == 1:
		return s.page(w, r, by, s.root())
	case len(path) == 3 && path[1] == "status":
		// Nothing is ever added, so that there is no status of it.
		if err := s.source.Known(r.Context(), by); err != nil {
			return err
		}
	case path[1] == "collections":
		if !read {
			return s.change(r, by, path[2:])
		}
		return s.collections(w, r, by, path[2:])
	}
	return errNoPath
}

// page answers what is the same for everybody who has a key.
func (s *server) page(w http.ResponseWriter, r *http.Request, by Caller, resource any) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed()
	}
	if err := s.source.Known(r.Context(), by); err != nil {
		return err
	}
	return write(w, resource)
}

func notAllowed() error {
	return &Error{Status: http.StatusMethodNotAllowed, Title: "Method not allowed", Description: "the resource can be read only", Code: "METHOD_NOT_ALLOWED"}
}

// change refuses to change a collection, as the standard has it for one that nobody
// writes; of one that is not there it says nothing else.
func (s *server) change(r *http.Request, by Caller, path []string) error {
	adds := r.Method == http.MethodPost && len(path) == 2 && path[1] == "objects"
	deletes := r.Method == http.MethodDelete && len(path) == 3 && path[1] == "objects"
	if !adds && !deletes {
		return notAllowed()
	}
	if adds && !isTAXII(r.Header.Get("Content-Type")) {
		return errContentType
	}
	if _, err := s.source.Collection(r.Context(), by, path[0]); err != nil {
		return err
	}
	return errReadOnly
}

// collections answers what is below collections/.
func (s *server) collections(w http.ResponseWriter, r *http.Request, by Caller, path []string) error {
	name := ""
	if len(path) > 0 {
		name = path[0]
	}
	switch {
	case len(path) == 0:
		return s.list(w, r, by)
	case len(path) == 1:
		c, err := s.source.Collection(r.Context(), by, name)
		if err != nil {
			return err
		}
		return write(w, collectionOf(c))
	case len(path) == 2 && path[1] == "manifest":
		return s.manifest(w, r, by, name)
	case len(path) == 2 && path[1] == "objects":
		return s.objects(w, r, by, name, "")
	case len(path) == 3 && path[1] == "objects":
		return s.objects(w, r, by, name, path[2])
	case len(path) == 4 && path[1] == "objects" && path[3] == "versions":
		return s.versions(w, r, by, name, path[2])
	}
	return errNoPath
}

func write(w http.ResponseWriter, resource any) error {
	body, err := json.Marshal(resource)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", MediaType)
	// A reader that is gone is no fault of ours.
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// Write sends an error.
func (e *Error) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", MediaType)
	switch e.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="elsewhere"`)
		h.Add("WWW-Authenticate", `Bearer realm="elsewhere"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD")
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	w.WriteHeader(e.Status)
	body, err := json.Marshal(errorResource{
		Title: e.Title, Description: e.Description, ErrorID: e.RequestID, ErrorCode: e.Code,
		HTTPStatus: strconv.Itoa(e.Status), Details: e.Details,
	})
	if err != nil {
		return
	}
	// A reader that is gone is no fault of ours.
	_, _ = w.Write(append(body, '\n'))
}
