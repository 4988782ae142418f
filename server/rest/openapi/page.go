package openapi

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"slices"
	"strings"
)

//go:embed openapi.json
var description []byte

//go:embed page.html
var pageText string

//go:embed page.css
var style []byte

// Description returns the OpenAPI 3 description, in JSON.
func Description() []byte { return slices.Clone(description) }

// Style returns the style sheet of the page.
func Style() []byte { return slices.Clone(style) }

// Page returns the reference for people: one page that loads nothing but its style
// sheet, page.css beside it.
func Page() ([]byte, error) {
	var doc document
	if err := json.Unmarshal(description, &doc); err != nil {
		return nil, err
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, doc.reference()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// document is what the page reads of the description.
type document struct {
	Tags []struct {
		Name, Description string
	}
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]schema
	}
}

type operation struct {
	Summary, Description string
	Tags                 []string
	Parameters           []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref                              string `json:"$ref"`
	Type, Format, Title, Description string
	Enum                             []string
	Items                            *schema
	Properties                       map[string]schema
	AdditionalProperties             json.RawMessage
}

// reference is the page.
type reference struct {
	Services []service
	Schemas  []messageType
}

type service struct {
	Name, About string
	Calls       []call
}

type call struct {
	Method, Path, About string
	Fields              []field
	Takes, Gives        string
	Streams             bool
}

type messageType struct {
	Name, About string
	Fields      []field
	Values      []string
}

type field struct {
	Name, In, Type, Link, About string
	Required                    bool
}

func (d document) reference() reference {
	var r reference
	for _, tag := range d.Tags {
		s := service{Name: tag.Name, About: prose(tag.Description)}
		for path, item := range d.Paths {
			for method, op := range item {
				if slices.Contains(op.Tags, tag.Name) {
					s.Calls = append(s.Calls, newCall(method, path, op))
				}
			}
		}
		slices.SortFunc(s.Calls, func(a, b call) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		r.Services = append(r.Services, s)
	}
	for name, s := range d.Components.Schemas {
		m := messageType{Name: name, About: prose(cmp.Or(s.Description, s.Title)), Values: s.Enum}
		for name, p := range s.Properties {
			m.Fields = append(m.Fields, newField(name, "", p))
		}
		slices.SortFunc(m.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
		r.Schemas = append(r.Schemas, m)
	}
	slices.SortFunc(r.Schemas, func(a, b messageType) int { return strings.Compare(a.Name, b.Name) })
	return r
}

func newCall(method, path string, op operation) call {
	c := call{Method: strings.ToUpper(method), Path: path, About: prose(cmp.Or(op.Description, op.Summary))}
	for _, p := range op.Parameters {
		f := newField(p.Name, p.In, p.Schema)
		f.Required, f.About = p.Required, prose(p.Description)
		c.Fields = append(c.Fields, f)
	}
	for _, media := range op.RequestBody.Content {
		c.Takes = nameOf(media.Schema)
	}
	for kind, media := range op.Responses["200"].Content {
		c.Gives, c.Streams = nameOf(media.Schema), kind == "application/x-ndjson"
	}
	return c
}

func newField(name, in string, s schema) field {
	f := field{Name: name, In: in, Type: cmp.Or(s.Format, s.Type), About: prose(cmp.Or(s.Description, s.Title))}
	switch {
	case s.Ref != "":
		f.Type, f.Link = nameOf(s), nameOf(s)
	case s.Items != nil:
		f.Link = nameOf(*s.Items)
		f.Type = "list of " + cmp.Or(f.Link, s.Items.Format, s.Items.Type)
	case len(s.AdditionalProperties) > 0:
		f.Type = "map"
	}
	return f
}

// nameOf is the type that a schema refers to.
func nameOf(s schema) string { return s.Ref[strings.LastIndex(s.Ref, "/")+1:] }

// prose joins the lines of a comment.
func prose(s string) string { return strings.Join(strings.Fields(s), " ") }
