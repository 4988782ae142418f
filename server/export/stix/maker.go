package stix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Maker makes the objects of a bundle a few at a time, for who keeps a bundle in
// parts. It needs nothing of the bundle but its header.
type Maker struct{ f *factory }

// NewMaker returns a maker for a bundle.
func NewMaker(b *export.Bundle) Maker { return Maker{newFactory(b)} }

// Header returns what does not belong to one item: the producer, the label,
// techniques, the actor.
func (m Maker) Header() []Object { return m.f.header() }

// Item returns what belongs to an item, without its observable where that is told with
// another (Shared).
func (m Maker) Item(i *export.Item, shared bool) []Object {
	objects := m.f.item(i)
	if shared {
		objects = slices.DeleteFunc(objects, func(o Object) bool { _, is := o.(observable); return is })
	}
	return objects
}

// Encode writes an object as one line of JSON.
func Encode(o Object) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(o)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// Dates are when an object was created and changed.
type Dates struct{ Created, Modified time.Time }

func (d Dates) text() []byte {
	created, _ := stamp(d.Created).MarshalText()
	modified, _ := stamp(d.Modified).MarshalText()
	return fmt.Appendf(nil, `"created":"%s","modified":"%s"`, created, modified)
}

// Redate gives an encoded object other dates, and revokes it if it has some. What has
// none, as a label, stays as it is. Nothing that anybody wrote stands before the
// dates, so that they are the first.
func Redate(object []byte, from, to Dates, revoked bool) []byte {
	next := to.text()
	if revoked {
		next = append(next, `,"revoked":true`...)
	}
	return bytes.Replace(object, from.text(), next, 1)
}
