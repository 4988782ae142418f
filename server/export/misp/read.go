package misp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Stored is an event as somebody else wrote it, without attributes and objects.
type Stored struct {
	Event
	OrgcID           string // on that server, "" in files
	PublishTimestamp string
}

// StoredAttribute is an attribute as somebody else wrote it.
type StoredAttribute struct {
	Attribute
	Path string // as in Event.Attribute[3]
}

// StoredObject is an object as somebody else wrote it.
type StoredObject struct {
	Object
	Path string
}

// Visitor is told what an event holds. A nil function is told nothing; an error
// ends the reading.
type Visitor struct {
	Attribute func(*StoredAttribute) error
	Object    func(*StoredObject) error
}

// SyntaxError is a place in an event that cannot be read.
type SyntaxError struct {
	Path   string // as in Event.Attribute[3].to_ids
	Offset int64  // bytes read until there
	Err    error
}

func (e *SyntaxError) Error() string {
	at := fmt.Sprintf("byte %d", e.Offset)
	if e.Path != "" {
		at = e.Path + " (" + at + ")"
	}
	return at + ": " + e.Err.Error()
}

// Unwrap returns what is wrong there.
func (e *SyntaxError) Unwrap() error { return e.Err }

// ErrNoEvent is returned for JSON that is not {"Event": {...}}.
var ErrNoEvent = errors.New(`no MISP event: want {"Event": {...}}`)

// Read reads one event, {"Event": {...}}, and tells the visitor of each attribute
// and object as it comes by. Who calls bounds r. Errors of the reader and of JSON
// are *SyntaxError, or ErrNoEvent.
func Read(ctx context.Context, r io.Reader, v Visitor) (*Stored, error) {
	p := reader{ctx: ctx, in: json.NewDecoder(r), visitor: v}
	if err := p.open('{', ""); err != nil {
		return nil, err
	}
	found := false
	for p.in.More() {
		name, err := p.name("")
		if err != nil {
			return nil, err
		}
		if name != "Event" || found {
			if err := p.skip(name); err != nil {
				return nil, err
			}
			continue
		}
		found = true
		if err := p.event(); err != nil {
			return nil, err
		}
	}
	if _, err := p.in.Token(); err != nil {
		return nil, p.fail("", err)
	}
	if !found {
		return nil, ErrNoEvent
	}
	return &p.stored, nil
}

type reader struct {
	ctx     context.Context
	in      *json.Decoder
	visitor Visitor
	stored  Stored
}

func (p *reader) fail(path string, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if t.Field != "" {
			path += "." + t.Field
		}
		err = fmt.Errorf("%s where that does not belong", t.Value)
	}
	return &SyntaxError{path, p.in.InputOffset(), err}
}

// open expects the beginning of an object or an array.
func (p *reader) open(delim json.Delim, path string) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	token, err := p.in.Token()
	if err != nil {
		return p.fail(path, err)
	}
	if token != delim {
		if path == "" {
			return ErrNoEvent
		}
		return p.fail(path, fmt.Errorf("want %s", delim))
	}
	return nil
}

func (p *reader) name(path string) (string, error) {
	token, err := p.in.Token()
	if err != nil {
		return "", p.fail(path, err)
	}
	name, ok := token.(string)
	if !ok {
		return "", p.fail(path, errors.New("want a name"))
	}
	return name, nil
}

// skip passes over a value without holding it.
func (p *reader) skip(path string) error {
	for depth := 0; ; {
		token, err := p.in.Token()
		if err != nil {
			return p.fail(path, err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// maxTags bounds the tags that are read.
const maxTags = 1_000

func (p *reader) event() error {
	if err := p.open('{', "Event"); err != nil {
		return err
	}
	for p.in.More() {
		name, err := p.name("Event")
		if err != nil {
			return err
		}
		if err := p.field(name, "Event."+name); err != nil {
			return err
		}
	}
	if _, err := p.in.Token(); err != nil {
		return p.fail("Event", err)
	}
	return nil
}

func (p *reader) field(name, path string) error {
	texts := map[string]*string{
		"uuid": &p.stored.UUID, "info": &p.stored.Info, "date": &p.stored.Date, "timestamp": &p.stored.Timestamp,
		"analysis": &p.stored.Analysis, "threat_level_id": &p.stored.ThreatLevelID,
		"distribution": &p.stored.Distribution, "extends_uuid": &p.stored.ExtendsUUID,
		"orgc_id": &p.stored.OrgcID, "publish_timestamp": &p.stored.PublishTimestamp,
	}
	if target, ok := texts[name]; ok {
		var s loose
		if err := p.in.Decode(&s); err != nil {
			return p.fail(path, err)
		}
		*target = string(s)
		return nil
	}
	switch name {
	case "published":
		var s loose
		if err := p.in.Decode(&s); err != nil {
			return p.fail(path, err)
		}
		p.stored.Published = s.truth()
		return nil
	case "Orgc":
		return p.into(path, &p.stored.Orgc)
	case "Tag":
		return each(p, path, func(t *Tag, _ string) error {
			if len(p.stored.Tag) < maxTags {
				p.stored.Tag = append(p.stored.Tag, *t)
			}
			return nil
		})
	case "Attribute":
		return each(p, path, func(a *readAttribute, path string) error {
			if p.visitor.Attribute == nil {
				return nil
			}
			return p.visitor.Attribute(&StoredAttribute{a.attribute(), path})
		})
	case "Object":
		return each(p, path, func(o *readObject, path string) error {
			if p.visitor.Object == nil {
				return nil
			}
			return p.visitor.Object(&StoredObject{o.object(), path})
		})
	}
	return p.skip(path)
}

func (p *reader) into(path string, v any) error {
	if err := p.in.Decode(v); err != nil {
		return p.fail(path, err)
	}
	return nil
}

// each reads the elements of an array one after the other.
func each[T any](p *reader, path string, f func(*T, string) error) error {
	if err := p.open('[', path); err != nil {
		return err
	}
	for i := 0; p.in.More(); i++ {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		var element T
		at := path + "[" + strconv.Itoa(i) + "]"
		if err := p.into(at, &element); err != nil {
			return err
		}
		if err := f(&element, at); err != nil {
			return err
		}
	}
	if _, err := p.in.Token(); err != nil {
		return p.fail(path, err)
	}
	return nil
}

// loose is a string, number or truth value: MISP and the programs around it do not
// agree on which.
type loose string

// UnmarshalJSON implements json.Unmarshaler.
func (l *loose) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0 || b[0] == '{' || b[0] == '[':
		return errors.New("an object or a list where a text belongs")
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		*l = loose(s)
		return err
	case string(b) == "null":
		*l = ""
	default:
		*l = loose(b)
	}
	return nil
}

func (l loose) truth() bool { return l == "true" || l == "1" }

// readAttribute is an attribute in any of its spellings.
type readAttribute struct {
	UUID               loose  `json:"uuid"`
	ObjectRelation     loose  `json:"object_relation"`
	Type               string `json:"type"`
	Category           string `json:"category"`
	Value              loose  `json:"value"`
	ToIDs              loose  `json:"to_ids"`
	Timestamp          loose  `json:"timestamp"`
	Deleted            loose  `json:"deleted"`
	Comment            loose  `json:"comment"`
	FirstSeen          loose  `json:"first_seen"`
	LastSeen           loose  `json:"last_seen"`
	DisableCorrelation loose  `json:"disable_correlation"`
	Tag                []Tag  `json:"Tag"`
}

func (a *readAttribute) attribute() Attribute {
	return Attribute{
		UUID: string(a.UUID), ObjectRelation: string(a.ObjectRelation), Type: a.Type, Category: a.Category,
		Value: string(a.Value), ToIDs: a.ToIDs.truth(), Timestamp: string(a.Timestamp), Deleted: a.Deleted.truth(),
		Comment: string(a.Comment), FirstSeen: optional(a.FirstSeen), LastSeen: optional(a.LastSeen),
		DisableCorrelation: a.DisableCorrelation.truth(), Tag: a.Tag,
	}
}

func optional(l loose) *string {
	if l == "" {
		return nil
	}
	return new(string(l))
}

type readObject struct {
	UUID         loose           `json:"uuid"`
	Name         string          `json:"name"`
	TemplateUUID loose           `json:"template_uuid"`
	Deleted      loose           `json:"deleted"`
	Comment      loose           `json:"comment"`
	Attribute    []readAttribute `json:"Attribute"`
}

func (o *readObject) object() Object {
	out := Object{
		UUID: string(o.UUID), Name: o.Name, TemplateUUID: string(o.TemplateUUID),
		Deleted: o.Deleted.truth(), Comment: string(o.Comment),
	}
	for i := range o.Attribute {
		out.Attribute = append(out.Attribute, o.Attribute[i].attribute())
	}
	return out
}

// Time reads a time of first_seen and last_seen: RFC 3339, also with a space, or
// Unix seconds or microseconds. The zero time is unknown.
func Time(s string) time.Time {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		if n > 1e14 {
			return time.UnixMicro(n).UTC()
		}
		return time.Unix(n, 0).UTC()
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999-0700", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
