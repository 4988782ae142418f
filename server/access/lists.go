package access

import (
	"iter"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Sightings yields those of a value in live cases that the viewer may read, as
// graph.Snapshot.Sightings does. What he may not read is not looked at, so that
// it does not take time either.
func (v Viewer) Sightings(snap graph.Snapshot, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	if v.all {
		return snap.Sightings(value, after)
	}
	return readable(snap.Sightings, v.tenants, value, after)
}

// Withheld yields the sightings in restricted and tlp:red cases that the viewer
// may read, as graph.Snapshot.Withheld does.
func (v Viewer) Withheld(snap graph.Snapshot, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	if !v.restricted {
		return func(func(graph.Sighting, error) bool) {}
	}
	if v.all {
		return snap.Withheld(value, after)
	}
	return readable(snap.Withheld, v.tenants, value, after)
}

// readable yields what a sequence has of some tenants.
func readable(sequence func(evidence.Value, *graph.Position) iter.Seq2[graph.Sighting, error], tenants []string, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	return func(yield func(graph.Sighting, error) bool) {
		for _, tenant := range tenants {
			start := graph.StartOf(tenant)
			if after != nil && tenant < after.Ref.Tenant {
				continue
			}
			if after != nil && tenant == after.Ref.Tenant {
				start = after
			}
			for s, err := range sequence(value, start) {
				if err == nil && s.Tenant != tenant {
					break
				}
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// Cases yields the cases of a tenant, or of all if it is "", that the viewer may
// read, as graph.Snapshot.Cases does.
func (v Viewer) Cases(snap graph.Snapshot, tenant string, after evidence.Ref) iter.Seq2[*graph.StoredCase, error] {
	tenants := v.tenants
	switch {
	case v.all:
		tenants = []string{tenant}
	case tenant != "":
		tenants = slices.DeleteFunc([]string{tenant}, func(t string) bool { return !v.has(t) })
	}
	return func(yield func(*graph.StoredCase, error) bool) {
		for _, t := range tenants {
			if t != "" && t < after.Tenant {
				continue
			}
			for c, err := range snap.Cases(t, after) {
				if err == nil && !v.ReadsCase(c) {
					continue
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}
