package collection

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// Query says which objects of a collection are wanted. Its zero value wants all.
type Query struct {
	// AddedAfter leaves out what was added then or before.
	AddedAfter time.Time
	// After is where the page before ended.
	After *Place
	// Limit is how many objects a page has at most; it is at least 1.
	Limit int
	// IDs, Types and SpecVersions, where not empty, are those wanted.
	IDs, Types, SpecVersions []string
	// Versions, where not empty, are those wanted. Any also stands for the first, the
	// last and all: an object is kept in its last version.
	Versions   []time.Time
	AnyVersion bool
}

// Place is where a page ended.
type Place struct {
	// Added is the time of the unit that comes next, in microseconds, and Nth how many
	// of its objects have been told.
	Added int64
	Nth   int
}

// Object is one object of a collection.
type Object struct {
	ID, Type       string
	Version, Added time.Time
	JSON           []byte
}

// Page is a part of a collection, in the order in which it was added.
type Page struct {
	Objects []Object
	// Next is nil at the end.
	Next *Place
	// Tenants are those whose cases the collection is made of, Counts what stays, and
	// Held why of the first values. They are for who may read the cases.
	Tenants []string
	Counts  export.Counts
	Held    []export.VictimError
}

// pageBytes is about how large a page gets.
const pageBytes = 4 << 20

// specVersion is the version of STIX that all objects are of.
const specVersion = "2.1"

// Page returns a part of a collection. Pages that follow one another tell each object
// that is offered all the while exactly once; what comes or changes meanwhile is told
// behind them, and nothing is left out.
func (s *Shelf) Page(ctx context.Context, v access.Viewer, c *Collection, q Query) (page *Page, err error) {
	e, err := s.edition(ctx, v, c, q.After != nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.give(e)) }()
	page = &Page{Tenants: e.bundle.Tenants, Counts: e.bundle.Counts, Held: e.bundle.Held}
	if len(q.SpecVersions) > 0 && !slices.Contains(q.SpecVersions, specVersion) {
		return page, nil
	}
	return page, e.fill(ctx, page, &q)
}

// fill reads a page.
func (e *edition) fill(ctx context.Context, page *Page, q *Query) error {
	from := q.AddedAfter.UnixMicro() + 1
	if q.AddedAfter.IsZero() {
		from = 0
	}
	skip := 0
	if q.After != nil && q.After.Added >= from {
		from, skip = q.After.Added, q.After.Nth
	}
	size := 0
	first := sort.Search(len(e.places), func(i int) bool { return e.places[i].added >= from })
	for i := first; i < len(e.places); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := e.places[i]
		if i > first || p.added != from {
			skip = 0
		}
		found, next, err := e.wanted(p, skip, q)
		if err != nil {
			return err
		}
		have := len(page.Objects)
		for n := range found {
			size += len(found[n].JSON)
		}
		// Not within a unit, so that who goes on by time alone loses nothing; but a unit
		// that is larger than a page.
		if have > 0 && (have+len(found) > q.Limit || size > pageBytes && len(found) > 0) {
			page.Next = &Place{p.added, skip}
			return nil
		}
		if len(found) > q.Limit {
			page.Objects, page.Next = found[:q.Limit], &Place{p.added, next[q.Limit]}
			return nil
		}
		page.Objects = append(page.Objects, found...)
		if len(q.IDs) > 0 && len(page.Objects) == len(q.IDs) {
			return nil
		}
	}
	return nil
}

// wanted returns the objects of a unit that are wanted, and the number of each.
func (e *edition) wanted(p place, skip int, q *Query) (found []Object, nth []int, err error) {
	r, err := e.read(p)
	if err != nil {
		return nil, nil, err
	}
	objects, err := e.objects(&r)
	if err != nil {
		return nil, nil, err
	}
	for n := range objects {
		o := &objects[n]
		if n < skip || len(q.IDs) > 0 && !slices.Contains(q.IDs, o.id) || len(q.Types) > 0 && !slices.Contains(q.Types, o.kind()) {
			continue
		}
		if err := o.encode(); err != nil {
			return nil, nil, err
		}
		one := Object{ID: o.id, Type: o.kind(), Added: time.UnixMicro(p.added).UTC(), JSON: o.json}
		if one.Version, err = versionOf(o.json, one.Added); err != nil {
			return nil, nil, err
		}
		if len(q.Versions) > 0 && !q.AnyVersion && !slices.ContainsFunc(q.Versions, one.Version.Equal) {
			continue
		}
		found, nth = append(found, one), append(nth, n)
	}
	return found, nth, nil
}

// versionOf returns when an object was changed, or made where it has no versions; of
// one that has neither time that is when it was added.
func versionOf(object []byte, added time.Time) (time.Time, error) {
	var dates struct{ Created, Modified time.Time }
	if err := json.Unmarshal(object, &dates); err != nil {
		return added, err
	}
	switch {
	case !dates.Modified.IsZero():
		return dates.Modified, nil
	case !dates.Created.IsZero():
		return dates.Created, nil
	}
	return added, nil
}
