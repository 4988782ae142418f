package access

import (
	"iter"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// wholeWalk is the number of cases on a value up to which all are read to find
// the months for a tenant; beyond it none are told. To read so many takes as long
// as to look for the owners one by one, about 20 µs: the time of an answer must not
// say how many cases others have.
const wholeWalk = 64

// elsewhere is what a tenant may hear of others, before k is asked for.
type elsewhere struct {
	owners
	used        bool // in another role than spoofed
	first, last time.Time
}

// lookTenant adds what a tenant may know of others: from K owners on how many, to
// a bucket, and the months. Below that its answer is as if they were not there.
func (v Viewer) lookTenant(snap graph.Snapshot, value evidence.Value, s *graph.Summary, d *Disclosed) error {
	if int(s.Cases) == len(s.Newest) {
		// Too few owners cost no more than none, or whoever asks for many values would
		// find those that others have by the time that it takes.
		var most owners
		for _, sighting := range s.Newest {
			most.add(v.foreign(sighting.Tenant))
		}
		if most.n == 0 || most.n < K && !v.tellsBelow() {
			v.tellBelow(0, d)
			return nil
		}
	}
	var e elsewhere
	dated := s.Cases <= wholeWalk
	var err error
	if dated {
		err = v.walk(snap, value, &e)
	} else {
		err = v.leap(snap, value, &e)
	}
	if err != nil {
		return err
	}
	switch {
	case e.n < K:
		v.tellBelow(e.n, d)
	case !e.used && (value.Kind == evidence.KindDomain || value.Kind == evidence.KindHostname):
		// A name that was only ever spoofed is a victim's, not the attacker's. To
		// refuse the question would say so.
		v.tellBelow(0, d)
	default:
		d.Others = new(bucket(e.n))
		d.First, d.Last = TimeRange{}, TimeRange{}
		if dated {
			d.First, d.Last = month(e.first), month(e.last)
		}
	}
	return nil
}

// tellBelow tells of fewer owners than K, if the deployment does.
func (v Viewer) tellBelow(n int, d *Disclosed) {
	if v.tellsBelow() {
		d.Others = new(bucket(n))
	}
}

func (v Viewer) tellsBelow() bool { return v.rules.ExistsBelowK || leaks }

// counted are the sightings that count for tenants: not those of the current day,
// so that who submits and asks does not see others come and go.
func (v Viewer) counted(snap graph.Snapshot, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	if v.rules.AtOnce {
		return snap.Sightings(value, after)
	}
	return snap.SightingsBefore(value, v.rules.clock(), after)
}

// foreign returns the owner that is counted for a tenant that is somebody else's.
func (v Viewer) foreign(tenant string) owner {
	o := v.rules.Tenants.owner(tenant)
	if v.has(tenant) || o.group && slices.ContainsFunc(v.tenants, func(own string) bool { return v.rules.Tenants.owner(own) == o }) {
		return owner{}
	}
	return o
}

// walk reads every sighting.
func (v Viewer) walk(snap graph.Snapshot, value evidence.Value, e *elsewhere) error {
	for s, err := range v.counted(snap, value, nil) {
		if err != nil {
			return err
		}
		e.add(v.foreign(s.Tenant), s)
	}
	return nil
}

// leap reads the newest sighting that counts of each tenant, until there are
// enough.
func (v Viewer) leap(snap graph.Snapshot, value evidence.Value, e *elsewhere) error {
	for at := (*graph.Position)(nil); e.n < manyOwners || !e.used; {
		tenant := ""
		for s, err := range v.counted(snap, value, at) {
			if err != nil {
				return err
			}
			e.add(v.foreign(s.Tenant), s)
			tenant = s.Tenant
			break
		}
		if tenant == "" {
			break
		}
		at = afterTenant(tenant)
	}
	return nil
}

func (e *elsewhere) add(o owner, s graph.Sighting) {
	if o == (owner{}) {
		return
	}
	e.owners.add(o)
	e.used = e.used || len(s.Roles) == 0 || slices.ContainsFunc(s.Roles, func(r string) bool { return r != evidence.RoleSpoofed })
	if !s.First.IsZero() && (e.first.IsZero() || s.First.Before(e.first)) {
		e.first = s.First
	}
	if s.Last.After(e.last) {
		e.last = s.Last
	}
}
