package access

import (
	"iter"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Others tells how many owners some tenants have besides those whose cases the viewer
// reads.
func (v Viewer) Others(tenants []string) CountRange {
	if v.all || v.rules == nil {
		return CountRange{}
	}
	var found owners
	for _, tenant := range tenants {
		if !v.has(tenant) {
			found.add(v.rules.Tenants.owner(tenant))
		}
	}
	return bucket(found.n)
}

// CountRange is a number as far as it is disclosed: exact where Min is Max.
type CountRange struct {
	Min, Max uint32
	// OrMore says that there is no Max.
	OrMore bool
}

func exactly(n uint32) CountRange { return CountRange{Min: n, Max: n} }

// bucket is how numbers of tenants are told that are not named.
func bucket(n int) CountRange {
	switch {
	case n == 0:
		return CountRange{}
	case n < K:
		return CountRange{Min: 1, Max: K - 1}
	case n < manyOwners:
		return CountRange{Min: K, Max: manyOwners - 1}
	}
	return CountRange{Min: manyOwners, OrMore: true}
}

const (
	// manyOwners is where the last bucket begins: nobody counts further.
	manyOwners = 10
	// maxOwnCases is how far the cases of one tenant on a value are counted.
	maxOwnCases = 1_000
	// MaxSightings is how many sightings an answer to Look holds.
	MaxSightings = 10
)

// TimeRange is a time as far as it is disclosed: exact where Earliest is Latest.
type TimeRange struct{ Earliest, Latest time.Time }

// month is the month of a time, UTC, to its last second.
func month(t time.Time) TimeRange {
	if t.IsZero() {
		return TimeRange{}
	}
	y, m, _ := t.UTC().Date()
	from := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return TimeRange{from, from.AddDate(0, 1, 0).Add(-time.Second)}
}

// Disclosed is what a viewer may know of where a value was seen.
type Disclosed struct {
	// Refused says that nothing is, of any value like it.
	Refused bool
	// Tenants and Cases count what the viewer may read.
	Tenants, Cases CountRange
	// Others are the owners of what he may not read; nil where nothing is told.
	Others *CountRange
	// Spread is the number of tenants with the value where that is granted.
	Spread      int
	First, Last TimeRange
	// Sightings are those he may read, newest first, at most MaxSightings; the last
	// Withheld of them are in restricted or tlp:red cases.
	Sightings []graph.Sighting
	Withheld  int
	More      bool // sightings that he may read
}

// Seen reports whether the value was seen as far as the viewer may know.
func (d *Disclosed) Seen() bool {
	return d.Cases.Min > 0 || d.Withheld > 0 || d.Others != nil && d.Others.Min > 0
}

// Asks reports whether the viewer may ask where values of a kind were seen.
func (v Viewer) Asks(k evidence.Kind) bool {
	switch {
	case v.open || v.role.readsMany():
		return true
	case v.role == RoleTenant:
		visibility, known := evidence.KindVisibility(k)
		return known && visibility == evidence.Infrastructure
	}
	return false
}

// Look says what a viewer may know of where a value was seen. The sightings are
// put into room, which may be nil.
func (v Viewer) Look(snap graph.Snapshot, value evidence.Value, room []graph.Sighting) (Disclosed, error) {
	d := Disclosed{Sightings: room[:0]}
	if !v.Asks(value.Kind) {
		d.Refused = true
		return d, nil
	}
	var err error
	if v.all {
		err = v.lookAll(snap, value, &d)
	} else {
		err = v.lookListed(snap, value, &d)
	}
	if err != nil {
		return d, err
	}
	visibility, known := evidence.KindVisibility(value.Kind)
	if known && visibility == evidence.Private && !v.open && d.Cases.Min == 0 && d.Withheld == 0 {
		// Whoever tries telephone numbers learns nothing, not even from others.
		return Disclosed{Refused: true, Sightings: d.Sightings[:0]}, nil
	}
	return d, nil
}

// lookAll looks for who reads every tenant.
func (v Viewer) lookAll(snap graph.Snapshot, value evidence.Value, d *Disclosed) error {
	s, err := snap.Summary(value)
	if err != nil {
		return err
	}
	d.Tenants, d.Cases = exactly(s.Tenants), exactly(s.Cases)
	d.First, d.Last = TimeRange{s.First, s.First}, TimeRange{s.Last, s.Last}
	d.Spread = int(s.Tenants)
	d.Sightings = append(d.Sightings, s.Newest...)
	d.More = int(s.Cases) > len(s.Newest)
	if !v.restricted || s.Withheld == 0 {
		return nil
	}
	if len(d.Sightings) == MaxSightings {
		// Some are there, and there is no place to show one.
		d.More = true
		return nil
	}
	return addWithheld(v.Withheld(snap, value, nil), d)
}

// lookListed looks for who reads some tenants. What it does once it knows who has the
// value depends on what he may be told alone, so that the time does not tell the rest.
func (v Viewer) lookListed(snap graph.Snapshot, value evidence.Value, d *Disclosed) error {
	h, err := snap.Holders(value)
	if err != nil {
		return err
	}
	own, err := v.own(snap, value, &h, d)
	if err != nil {
		return err
	}
	if v.role == RoleTenant {
		err = v.lookTenant(snap, value, &h, d)
	} else {
		d.Spread = int(h.Tenants)
		var others int
		if others, err = v.others(snap, value, &h, own); err == nil {
			d.Others = new(bucket(others))
		}
	}
	if err != nil || !v.restricted {
		return err
	}
	if tenants := v.among(h.Withheld, h.AllWithheld()); len(tenants) > 0 {
		return addWithheld(readable(snap.Withheld, tenants, value, nil), d)
	}
	return nil
}

// among returns those of the viewer's tenants that are on a list; if it does not hold
// all, he may have others that should be.
func (v Viewer) among(list []string, all bool) []string {
	if !all {
		return v.tenants
	}
	var found []string
	for _, tenant := range list {
		if v.has(tenant) {
			found = append(found, tenant)
		}
	}
	return found
}

// own adds what the viewer may read to an answer, and returns the number of his
// tenants with the value.
func (v Viewer) own(snap graph.Snapshot, value evidence.Value, h *graph.Holders, d *Disclosed) (int, error) {
	var o ownCount
	o.newest = d.Sightings
	tenant, n := "", 0
	for sighting, err := range snap.SightingsIn(value, v.among(h.Live, h.AllLive()), maxOwnCases+1) {
		if err != nil {
			return 0, err
		}
		if sighting.Tenant != tenant {
			tenant, n = sighting.Tenant, 0
		}
		if n++; n > maxOwnCases {
			o.more = true
			continue
		}
		o.add(sighting)
	}
	d.Sightings = o.newest
	d.More = o.cases > len(o.newest)
	d.Tenants = exactly(uint32(len(o.tenants)))
	d.Cases = CountRange{Min: uint32(o.cases), Max: uint32(o.cases), OrMore: o.more}
	d.First, d.Last = TimeRange{o.first, o.first}, TimeRange{o.last, o.last}
	return len(o.tenants), nil
}

// ownCount counts sightings that may be read.
type ownCount struct {
	tenants     []string
	cases       int
	more        bool
	first, last time.Time
	newest      []graph.Sighting
}

func (o *ownCount) add(s graph.Sighting) {
	o.cases++
	if n := len(o.tenants); n == 0 || o.tenants[n-1] != s.Tenant {
		o.tenants = append(o.tenants, s.Tenant)
	}
	if !s.First.IsZero() && (o.first.IsZero() || s.First.Before(o.first)) {
		o.first = s.First
	}
	if s.Last.After(o.last) {
		o.last = s.Last
	}
	i, _ := slices.BinarySearchFunc(o.newest, s, compareNewest)
	if i < MaxSightings {
		o.newest = slices.Insert(o.newest, i, s)
		o.newest = o.newest[:min(len(o.newest), MaxSightings)]
	}
}

// compareNewest is the order of graph.Summary.Newest.
func compareNewest(x, y graph.Sighting) int {
	if c := y.Last.Compare(x.Last); c != 0 {
		return c
	}
	return x.Ref.Compare(y.Ref)
}

// others counts the owners of the tenants with a value that the viewer may not
// name, up to manyOwners. Scores are computed over all of them, so analysts may
// know as much at once.
func (v Viewer) others(snap graph.Snapshot, value evidence.Value, h *graph.Holders, own int) (int, error) {
	if v.rules.Tenants.plainCounts() {
		return max(int(h.Tenants)-own, 0), nil
	}
	var found owners
	count := func(tenant string) {
		if !v.has(tenant) {
			found.add(v.rules.Tenants.owner(tenant))
		}
	}
	for _, tenant := range h.Live {
		count(tenant)
	}
	if h.AllLive() {
		return found.n, nil
	}
	at := (*graph.Position)(nil)
	if n := len(h.Live); n > 0 {
		at = afterTenant(h.Live[n-1])
	}
	for found.n < manyOwners {
		tenant := ""
		for sighting, err := range snap.Sightings(value, at) {
			if err != nil {
				return 0, err
			}
			tenant = sighting.Tenant
			break
		}
		if tenant == "" {
			break
		}
		count(tenant)
		at = afterTenant(tenant)
	}
	return found.n, nil
}

// owners are different ones, as far as anybody counts. To note one takes next to no
// time, so that it does not show.
type owners struct {
	all [manyOwners]owner
	n   int
}

func (o *owners) add(one owner) {
	if one != (owner{}) && o.n < manyOwners && !slices.Contains(o.all[:o.n], one) {
		o.all[o.n] = one
		o.n++
	}
}

// afterTenant is a place behind all sightings of a tenant and before those of any
// other: no id has a character so small.
func afterTenant(tenant string) *graph.Position { return graph.StartOf(tenant + "\x01") }

// addWithheld adds sightings in restricted and tlp:red cases for who may read them.
func addWithheld(sightings iter.Seq2[graph.Sighting, error], d *Disclosed) error {
	for sighting, err := range sightings {
		if err != nil {
			return err
		}
		if len(d.Sightings) == MaxSightings {
			d.More = true
			// One that is not shown is one that was seen.
			break
		}
		d.Sightings = append(d.Sightings, sighting)
		d.Withheld++
	}
	return nil
}
