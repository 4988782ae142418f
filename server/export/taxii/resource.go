package taxii

import (
	"encoding/json"
	"net/http"
)

// errorResource is an error message of the standard.
type errorResource struct {
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	ErrorID     string            `json:"error_id,omitempty"`
	ErrorCode   string            `json:"error_code,omitempty"`
	HTTPStatus  string            `json:"http_status"`
	Details     map[string]string `json:"details,omitempty"`
}

type discoveryResource struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Default     string   `json:"default"`
	Roots       []string `json:"api_roots"`
}

// The root is given by its path alone: whoever stands between knows better than we
// under which name and scheme a client reaches us, and a wrong one would have its key
// sent elsewhere.
func (s *server) discovery() discoveryResource {
	return discoveryResource{
		Title: s.o.Title, Description: "What was learned in investigations, without who it was done to.", Default: Root, Roots: []string{Root},
	}
}

type rootResource struct {
	Title            string   `json:"title"`
	Description      string   `json:"description"`
	Versions         []string `json:"versions"`
	MaxContentLength int64    `json:"max_content_length"`
}

func (s *server) root() rootResource {
	return rootResource{
		Title:       s.o.Title,
		Description: "A collection for each label, and for each actor and label: what your key may hand on under it.",
		Versions:    []string{MediaType}, MaxContentLength: s.o.BodyBytes,
	}
}

type collectionsResource struct {
	Collections []collectionResource `json:"collections,omitempty"`
}

type collectionResource struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Alias       string   `json:"alias"`
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types"`
}

func collectionOf(c Collection) collectionResource {
	return collectionResource{
		ID: c.ID, Title: c.Title, Description: c.Description, Alias: c.Alias, CanRead: true, MediaTypes: []string{stixType},
	}
}

// list answers all collections.
func (s *server) list(w http.ResponseWriter, r *http.Request, by Caller) error {
	all, err := s.source.Collections(r.Context(), by)
	if err != nil {
		return err
	}
	var out collectionsResource
	for _, c := range all {
		out.Collections = append(out.Collections, collectionOf(c))
	}
	return write(w, out)
}

type envelope struct {
	More    bool              `json:"more"`
	Next    string            `json:"next,omitempty"`
	Objects []json.RawMessage `json:"objects,omitempty"`
}

// objects answers the objects of a collection, or one of them.
func (s *server) objects(w http.ResponseWriter, r *http.Request, by Caller, name, id string) error {
	page, err := s.read(r, by, name, id, false, "id", "type", "version", "spec_version")
	if err != nil {
		return err
	}
	dated(w, page)
	out := envelope{More: page.Next != "", Next: page.Next}
	for _, o := range page.Objects {
		out.Objects = append(out.Objects, json.RawMessage(o.JSON))
	}
	return write(w, out)
}

// read asks for a page of all objects, or of one.
func (s *server) read(r *http.Request, by Caller, name, id string, bare bool, fields ...string) (Page, error) {
	if id != "" {
		if !idForm.MatchString(id) {
			return Page{}, errNoPath
		}
		// Which one it is stands in the path.
		fields = fields[2:]
	}
	q, err := parseQuery(r.URL.RawQuery, fields...)
	if err != nil {
		return Page{}, err
	}
	q.Bare = bare
	if id != "" {
		q.IDs = []string{id}
	}
	page, err := s.source.Objects(r.Context(), by, name, q)
	if err == nil && id != "" && len(page.Objects) == 0 && q.AddedAfter.IsZero() && len(q.Versions)+len(q.SpecVersions) == 0 {
		return page, errNoPath
	}
	return page, err
}

// dated says from when to when the objects of a page were added.
func dated(w http.ResponseWriter, p Page) {
	if n := len(p.Objects); n > 0 {
		w.Header().Set("X-TAXII-Date-Added-First", stamp(p.Objects[0].Added))
		w.Header().Set("X-TAXII-Date-Added-Last", stamp(p.Objects[n-1].Added))
	}
}

type manifestResource struct {
	More    bool             `json:"more"`
	Next    string           `json:"next,omitempty"`
	Objects []manifestRecord `json:"objects,omitempty"`
}

type manifestRecord struct {
	ID        string `json:"id"`
	DateAdded string `json:"date_added"`
	Version   string `json:"version"`
	MediaType string `json:"media_type"`
}

// manifest answers which objects a collection has.
func (s *server) manifest(w http.ResponseWriter, r *http.Request, by Caller, name string) error {
	page, err := s.read(r, by, name, "", true, "id", "type", "version", "spec_version")
	if err != nil {
		return err
	}
	dated(w, page)
	out := manifestResource{More: page.Next != "", Next: page.Next}
	for _, o := range page.Objects {
		out.Objects = append(out.Objects, manifestRecord{o.ID, stamp(o.Added), stamp(o.Version), stixType})
	}
	return write(w, out)
}

type versionsResource struct {
	More     bool     `json:"more"`
	Next     string   `json:"next,omitempty"`
	Versions []string `json:"versions,omitempty"`
}

// versions answers the versions of an object: its last one.
func (s *server) versions(w http.ResponseWriter, r *http.Request, by Caller, name, id string) error {
	page, err := s.read(r, by, name, id, true, "id", "type", "spec_version")
	if err != nil {
		return err
	}
	dated(w, page)
	out := versionsResource{More: page.Next != "", Next: page.Next}
	for _, o := range page.Objects {
		out.Versions = append(out.Versions, stamp(o.Version))
	}
	return write(w, out)
}
