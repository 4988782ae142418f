package access

import (
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// elsewhere is what a tenant may hear of others, before k is asked for.
type elsewhere struct {
	owners
	used        bool // in another role than spoofed
	first, last time.Time
}

// lookTenant adds what a tenant may know of others: from K owners on how many, to
// a bucket, and the months. Below that its answer is as if they were not there.
func (v Viewer) lookTenant(snap graph.Snapshot, value evidence.Value, h *graph.Holders, d *Disclosed) error {
	if h.AllLive() {
		// Too few owners cost no more than none, or whoever asks for many values would
		// find those that others have by the time that it takes.
		var most owners
		for _, tenant := range h.Live {
			most.add(v.foreign(tenant))
		}
		if most.n == 0 || most.n < K && !v.tellsBelow() {
			v.tellBelow(0, d)
			return nil
		}
	}
	held, err := snap.HeldBefore(value, v.rules.countedBefore())
	if err != nil {
		return err
	}
	var e elsewhere
	for i := range held.By {
		e.add(v.foreign(held.By[i].Tenant), &held.By[i])
	}
	if n := len(held.By); n == graph.MaxHolders && !held.Whole {
		if err := v.leap(snap, value, afterTenant(held.By[n-1].Tenant), &e); err != nil {
			return err
		}
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
		if held.Whole {
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

// countedBefore is the day before which cases count for tenants: the current one, so
// that who submits and asks does not see others come and go.
func (r *Rules) countedBefore() time.Time {
	if r.AtOnce {
		// No case will have been written so late.
		return time.Unix(1<<35, 0)
	}
	return r.clock()
}

// foreign returns the owner that is counted for a tenant that is somebody else's.
func (v Viewer) foreign(tenant string) owner {
	o := v.rules.Tenants.owner(tenant)
	if v.has(tenant) || o.group && slices.ContainsFunc(v.tenants, func(own string) bool { return v.rules.Tenants.owner(own) == o }) {
		return owner{}
	}
	return o
}

// leap reads the newest sighting that counts of each tenant after a place, until
// there are enough.
func (v Viewer) leap(snap graph.Snapshot, value evidence.Value, at *graph.Position, e *elsewhere) error {
	for e.n < manyOwners || !e.used {
		tenant := ""
		for s, err := range snap.SightingsBefore(value, v.rules.countedBefore(), at) {
			if err != nil {
				return err
			}
			by := graph.HeldBy{Tenant: s.Tenant}
			by.Add(s)
			e.add(v.foreign(s.Tenant), &by)
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

func (e *elsewhere) add(o owner, h *graph.HeldBy) {
	if o == (owner{}) {
		return
	}
	e.owners.add(o)
	e.used = e.used || h.Plain || slices.ContainsFunc(h.Roles, func(r string) bool { return r != evidence.RoleSpoofed })
	if !h.First.IsZero() && (e.first.IsZero() || h.First.Before(e.first)) {
		e.first = h.First
	}
	if h.Last.After(e.last) {
		e.last = h.Last
	}
}
