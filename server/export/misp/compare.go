package misp

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Op is what a change does to a value that a receiver has.
type Op string

// The changes.
const (
	Added    Op = "add"
	Changed  Op = "change"
	Withdrew Op = "withdraw"
)

// Change is one difference between what a receiver has and a bundle.
type Change struct {
	Op          Op
	Type, Value string
	Detail      string // what differs, "" if nothing is known of that
}

// MaxChanges bounds the changes that are listed; all are counted.
const MaxChanges = 1_000

// Difference is what has to be written so that a receiver has what a bundle says.
type Difference struct {
	Added, Changed, Withdrawn int
	Header                    []string // what differs in the event itself
	Changes                   []Change // the first MaxChanges, in order of the bundle

	want map[export.UUID]bool // to be written; true where the receiver has something else
	gone []Attribute          // of this making, and no longer wanted
	lost []Object
}

// Empty reports whether there is nothing to write.
func (d *Difference) Empty() bool {
	return d.Added == 0 && d.Changed == 0 && d.Withdrawn == 0 && len(d.Header) == 0
}

// digest is what two forms of an attribute have to agree in, shortened.
type digest [16]byte

func digestOf(parts ...string) digest {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return digest(h.Sum(nil)[:16])
}

// facts are the parts of an attribute's digest, with names for people.
func (a *Attribute) facts() [7][2]string {
	moment := func(s *string) string {
		if s == nil {
			return ""
		}
		return unix(Time(*s))
	}
	return [...][2]string{
		{"category", a.Category},
		{"value", normalise(a.Type, a.Value)},
		{"to_ids", strconv.FormatBool(a.ToIDs)},
		{"comment", strings.TrimSpace(a.Comment)},
		{"first_seen", moment(a.FirstSeen)},
		{"last_seen", moment(a.LastSeen)},
		{"disable_correlation", strconv.FormatBool(a.DisableCorrelation)},
	}
}

func (a *Attribute) digest() digest {
	parts := []string{a.Type}
	for _, f := range a.facts() {
		parts = append(parts, f[1])
	}
	return digestOf(parts...)
}

func (o *Object) digest() digest {
	parts := []string{o.Name, o.TemplateUUID}
	for i := range o.Attribute {
		a := &o.Attribute[i]
		if !a.Deleted {
			parts = append(parts, a.ObjectRelation+"\x00"+a.Type+"\x00"+normalise(a.Type, a.Value))
		}
	}
	slices.Sort(parts[2:])
	return digestOf(parts...)
}

// Compare reads an event as a receiver has it and returns what differs. For a
// receiver that has none, in is nil.
func (c *Content) Compare(ctx context.Context, in io.Reader) (*Difference, *Stored, error) {
	m, err := c.expect(ctx)
	if err != nil {
		return nil, nil, err
	}
	var stored *Stored
	if in != nil {
		stored, err = Read(ctx, in, Visitor{
			Attribute: func(a *StoredAttribute) error { m.attribute(&a.Attribute); return nil },
			Object:    func(o *StoredObject) error { m.object(&o.Object); return nil },
		})
		if err != nil {
			return nil, nil, err
		}
	}
	d, err := m.difference(ctx)
	if err == nil && stored != nil {
		d.Header = c.headerDifference(stored)
	}
	return d, stored, err
}

// matching holds what is wanted against what is there. Of each attribute it keeps
// 33 bytes.
type matching struct {
	content *Content
	want    map[export.UUID]digest
	altered map[export.UUID]Attribute // as the receiver has them; the first MaxChanges
	differs map[export.UUID]bool
	gone    []Attribute
	lost    []Object
}

func (c *Content) expect(ctx context.Context) (*matching, error) {
	m := &matching{
		content: c, want: make(map[export.UUID]digest),
		altered: make(map[export.UUID]Attribute), differs: make(map[export.UUID]bool),
	}
	for a, err := range c.Attributes() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if !a.Deleted {
			m.want[parsed(a.UUID)] = a.digest()
		}
	}
	for o, err := range c.Objects() {
		if err != nil {
			return nil, err
		}
		if !o.Deleted {
			m.want[parsed(o.UUID)] = o.digest()
		}
	}
	return m, nil
}

// parsed reads a UUID; what is none is zero, which nothing wanted has.
func parsed(s string) export.UUID {
	u, err := export.ParseUUID(s)
	if err != nil {
		return export.UUID{}
	}
	return u
}

// attribute holds an attribute that the receiver has against what is wanted.
func (m *matching) attribute(a *Attribute) {
	if a.Deleted {
		return
	}
	// MISP takes no second attribute of one type and value, so whoever made this
	// one, it is there.
	own := attributeUUID(m.content.uuid, a.Type, normalise(a.Type, a.Value))
	id := parsed(own)
	have := parsed(a.UUID)
	if _, ok := m.want[have]; ok {
		id = have
	}
	wanted, ok := m.want[id]
	switch {
	case !ok:
		if a.UUID == own || a.UUID == attributeUUID(m.content.uuid, a.Type, a.Value) {
			m.gone = append(m.gone, *a)
		}
	case wanted == a.digest() || id != have:
		delete(m.want, id)
	default:
		m.differs[id] = true
		if len(m.altered) < MaxChanges {
			m.altered[id] = *a
		}
	}
}

// object holds an object that the receiver has against what is wanted.
func (m *matching) object(o *Object) {
	if o.Deleted {
		return
	}
	id := parsed(o.UUID)
	wanted, ok := m.want[id]
	switch {
	case ok && wanted == o.digest():
		delete(m.want, id)
	case ok:
		m.differs[id] = true
	case m.content.made(o):
		m.lost = append(m.lost, *o)
	}
}

// made reports whether an object is of this making: its attributes are identified
// by it.
func (c *Content) made(o *Object) bool {
	return len(o.Attribute) > 0 && slices.ContainsFunc(o.Attribute, func(a Attribute) bool {
		return a.UUID == export.NewUUID(c.uuid, "in object", o.UUID, a.ObjectRelation, a.Value).String()
	})
}

// difference returns what is left over.
func (m *matching) difference(ctx context.Context) (*Difference, error) {
	d := &Difference{want: make(map[export.UUID]bool, len(m.want)), gone: m.gone, lost: m.lost}
	note := func(c Change) {
		if len(d.Changes) < MaxChanges {
			d.Changes = append(d.Changes, c)
		}
	}
	count := func(id export.UUID, typ, value string, detail func(stored Attribute) string) {
		if _, ok := m.want[id]; !ok {
			return
		}
		d.want[id] = m.differs[id]
		if !m.differs[id] {
			d.Added++
			note(Change{Op: Added, Type: typ, Value: value})
			return
		}
		d.Changed++
		change := Change{Op: Changed, Type: typ, Value: value}
		if stored, ok := m.altered[id]; ok && detail != nil {
			change.Detail = detail(stored)
		}
		note(change)
	}
	if len(m.want) > 0 {
		for a, err := range m.content.Attributes() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, err
			}
			if !a.Deleted {
				count(parsed(a.UUID), a.Type, a.Value, func(stored Attribute) string { return differing(&stored, &a) })
			}
		}
		for o, err := range m.content.Objects() {
			if err != nil {
				return nil, err
			}
			if !o.Deleted {
				count(parsed(o.UUID), "object "+o.Name, describe(&o), nil)
			}
		}
	}
	for _, a := range m.gone {
		d.Withdrawn++
		note(Change{Op: Withdrew, Type: a.Type, Value: a.Value})
	}
	for i := range m.lost {
		d.Withdrawn++
		note(Change{Op: Withdrew, Type: "object " + m.lost[i].Name, Value: describe(&m.lost[i])})
	}
	return d, nil
}

// describe is what people know an object by.
func describe(o *Object) string {
	if len(o.Attribute) == 0 {
		return o.UUID
	}
	return o.Attribute[0].Value
}

// differing names what is not equal.
func differing(stored, wanted *Attribute) string {
	var out []string
	have, want := stored.facts(), wanted.facts()
	for i := range want {
		if have[i][1] != want[i][1] {
			out = append(out, fmt.Sprintf("%s %q → %q", want[i][0], oneLine(have[i][1], 100), oneLine(want[i][1], 100)))
		}
	}
	return strings.Join(out, ", ")
}

// headerDifference names what is not equal in the event itself.
func (c *Content) headerDifference(stored *Stored) []string {
	var out []string
	for _, f := range [...]struct{ name, have, want string }{
		{"info", stored.Info, c.Event.Info},
		{"date", stored.Date, c.Event.Date},
		{"distribution", stored.Distribution, c.Event.Distribution},
		{"extends_uuid", stored.ExtendsUUID, c.Event.ExtendsUUID},
	} {
		if f.have != f.want {
			out = append(out, fmt.Sprintf("%s %q → %q", f.name, oneLine(f.have, 100), oneLine(f.want, 100)))
		}
	}
	for _, tag := range missingTags(stored.Tag, c.Event.Tag) {
		out = append(out, "tag "+tag)
	}
	for _, tag := range staleTLP(stored.Tag, c.Event.Tag) {
		out = append(out, "no longer tag "+tag)
	}
	return out
}

// missingTags returns the names that are wanted and not there.
func missingTags(have, want []Tag) []string {
	var out []string
	for _, t := range want {
		if !slices.ContainsFunc(have, func(h Tag) bool { return strings.EqualFold(h.Name, t.Name) }) {
			out = append(out, t.Name)
		}
	}
	return out
}

// staleTLP returns the labels that are there and do not hold: exactly one may.
func staleTLP(have, want []Tag) []string {
	var out []string
	for _, t := range have {
		if strings.HasPrefix(t.Name, "tlp:") && !slices.Contains(want, t) {
			out = append(out, t.Name)
		}
	}
	return out
}
