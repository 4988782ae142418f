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
	return v.readable(snap.Sightings, v.all, value, after)
}

// Withheld yields the sightings in restricted and tlp:red cases that the viewer
// may read, as graph.Snapshot.Withheld does.
func (v Viewer) Withheld(snap graph.Snapshot, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	if !v.restricted {
		return func(func(graph.Sighting, error) bool) {}
	}
	return v.readable(snap.Withheld, v.all, value, after)
}

func (v Viewer) readable(sequence func(evidence.Value, *graph.Position) iter.Seq2[graph.Sighting, error], all bool, value evidence.Value, after *graph.Position) iter.Seq2[graph.Sighting, error] {
	if all {
		return sequence(value, after)
	}
	return func(yield func(graph.Sighting, error) bool) {
		for _, tenant := range v.tenants {
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
