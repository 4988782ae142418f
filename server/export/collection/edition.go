package collection

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
)

// edition is a collection as it was at a time, on scratch.
type edition struct {
	bundle  *export.Bundle // closed: its header
	maker   stix.Maker
	basis   [sha256.Size]byte
	built   time.Time
	scratch export.Scratch
	end     int64
	// places are in order of value while the edition is made, then in order of time.
	places []place

	// Guarded by the shelf.
	readers int
	over    bool
}

// place is where a unit lies on the scratch, and when it was added.
type place struct {
	added, at int64
	size      uint32
}

// maxUnits bounds a collection: an edition keeps 24 bytes of each in memory.
const maxUnits = 500_000

// ErrTooLarge is returned for a collection of more values than one may have.
var ErrTooLarge = errors.New("the collection has more than 500,000 values")

// record is a unit as it lies on the scratch.
type record struct {
	Entry entry
	Item  json.RawMessage `json:",omitempty"` // without dates; none of what is gone
}

func (e *edition) append(r record) error {
	if len(e.places) >= maxUnits {
		return ErrTooLarge
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := e.scratch.Write(data); err != nil {
		return err
	}
	e.places = append(e.places, place{r.Entry.Added, e.end, uint32(len(data))})
	e.end += int64(len(data))
	return nil
}

func (e *edition) read(p place) (record, error) {
	var r record
	data := make([]byte, p.size)
	if _, err := e.scratch.ReadAt(data, p.at); err != nil {
		return r, err
	}
	err := json.Unmarshal(data, &r)
	return r, err
}

// entries yields the entries in the order in which they were appended.
func (e *edition) entries() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for _, p := range e.places {
			r, err := e.read(p)
			if !yield(r.Entry, err) || err != nil {
				return
			}
		}
	}
}

// sort puts the places in order of time.
func (e *edition) sort() {
	slices.SortFunc(e.places, func(x, y place) int {
		switch {
		case x.added < y.added:
			return -1
		case x.added > y.added:
			return 1
		}
		return 0
	})
}

// object is one object of a unit.
type object struct {
	id   string
	made stix.Object     // nil where it is encoded already
	json json.RawMessage // nil where it is not yet
}

func (o *object) kind() string {
	kind, _, _ := strings.Cut(o.id, "--")
	return kind
}

func (o *object) encode() (err error) {
	if o.json == nil {
		o.json, err = stix.Encode(o.made)
	}
	return err
}

// objects are the objects of a unit.
func (e *edition) objects(r *record) ([]object, error) {
	if r.Entry.Kind == "" {
		var is struct{ ID string }
		err := json.Unmarshal(r.Entry.Object, &is)
		out := []object{{id: is.ID, json: r.Entry.Object}}
		dates := stix.Dates{Created: time.UnixMilli(r.Entry.Created), Modified: time.UnixMilli(r.Entry.Modified)}
		for round := firstRound(r.Entry.Round); round < r.Entry.Round; round++ {
			id := idOf(r.Entry.Text, round)
			revoked := stix.Redate([]byte(strings.Replace(string(r.Entry.Object), is.ID, id, 1)), dates, dates, !r.Entry.Gone)
			out = append(out, object{id: id, json: revoked})
		}
		return out, err
	}
	gone := export.Item{
		Value: r.Entry.value(), Written: r.Entry.Text, Withdrawn: true, Indicator: r.Entry.Indicator || r.Entry.Was, Note: "withdrawn",
		First: seconds(r.Entry.First), Last: seconds(r.Entry.Last), Round: r.Entry.Round,
		Created: time.UnixMilli(r.Entry.Created).UTC(), Modified: time.UnixMilli(r.Entry.Modified).UTC(),
	}
	if r.Entry.Written != "" {
		gone.Written = r.Entry.Written
	}
	var out []object
	add := func(item *export.Item, shared bool, wanted ...string) {
		for _, made := range e.maker.Item(item, shared) {
			if o := (object{id: made.ID(), made: made}); len(wanted) == 0 || slices.Contains(wanted, o.kind()) {
				out = append(out, o)
			}
		}
	}
	// Those of earlier rounds are told again: who was told of them may not have come to
	// their end when it came back.
	for round := firstRound(r.Entry.Round); round < r.Entry.Round; round++ {
		before := gone
		before.Indicator, before.Round = true, round
		add(&before, true)
	}
	if r.Entry.Gone {
		add(&gone, true)
		return out, nil
	}
	var item export.Item
	if err := json.Unmarshal(r.Item, &item); err != nil {
		return nil, err
	}
	item.Created, item.Modified, item.Round = gone.Created, gone.Modified, gone.Round
	add(&item, r.Entry.Shared)
	if r.Entry.Was {
		add(&gone, true, "indicator", "sighting", "relationship")
	}
	return out, nil
}

// firstRound is the first of the rounds that are told of.
func firstRound(round uint32) uint32 {
	const told = 16
	return max(round, told) - told
}

func seconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
