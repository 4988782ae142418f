package evidence

import (
	"math"
	"slices"
	"time"
)

// sightings gathers the observables of one finding, one for each value and
// spelling. Nothing but the order of the result depends on the order of adding.
type sightings struct {
	list []*sighting
	by   map[spelling]*sighting
}

type spelling struct {
	Value
	written string
}

type sighting struct {
	Observable
	parts   []part
	derived []*sighting // parts that nobody submitted; they follow their pair
	counted bool        // the sender gave a count
}

// add takes a submitted observable with the parts that its value has.
func (s *sightings) add(o Observable, parts []part) {
	e := s.at(o.Value, o.Written)
	if e == nil {
		e = &sighting{Observable: o, parts: parts}
		s.put(e)
		s.list = append(s.list, e)
		return
	}
	e.join(o.Roles, o.FirstSeen, o.LastSeen)
	e.Count = addCount(e.Count, o.Count)
	e.Facts = uniqueFacts(append(e.Facts, o.Facts...))
}

// merged returns the observables with the parts of spoof pairs among them.
//
// A part takes its pair's span and role, and, where the sender gave no count,
// the largest count of its pairs. All of that stays the same when it is done
// again.
func (s *sightings) merged() []Observable {
	for _, e := range s.list {
		e.orderSpan()
		e.counted = e.Count > 0
	}
	total := len(s.list)
	for _, pair := range s.list {
		for _, p := range pair.parts {
			e := s.at(p.Value, "")
			if e == nil {
				e = &sighting{Observable: Observable{Value: p.Value}}
				s.put(e)
				pair.derived = append(pair.derived, e)
				total++
			}
			e.join([]string{p.role}, pair.FirstSeen, pair.LastSeen)
			if !e.counted {
				e.Count = max(e.Count, pair.Count)
			}
		}
	}
	if total == 0 {
		return nil
	}
	out := make([]Observable, 0, total)
	for _, e := range s.list {
		out = append(out, e.finished())
		for _, d := range e.derived {
			out = append(out, d.finished())
		}
	}
	return out
}

func (s *sightings) at(v Value, written string) *sighting { return s.by[spelling{v, written}] }

func (s *sightings) put(e *sighting) {
	if s.by == nil {
		s.by = make(map[spelling]*sighting)
	}
	s.by[spelling{e.Value, e.Written}] = e
}

func (e *sighting) join(roles []string, first, last time.Time) {
	e.Roles = sortedSet(append(e.Roles, roles...))
	if e.FirstSeen.IsZero() || !first.IsZero() && first.Before(e.FirstSeen) {
		e.FirstSeen = first
	}
	if last.After(e.LastSeen) {
		e.LastSeen = last
	}
}

// orderSpan puts the ends right where they came from two observables that each
// knew one.
func (e *sighting) orderSpan() {
	if !e.FirstSeen.IsZero() && !e.LastSeen.IsZero() && e.LastSeen.Before(e.FirstSeen) {
		e.FirstSeen, e.LastSeen = e.LastSeen, e.FirstSeen
	}
}

func (e *sighting) finished() Observable {
	e.orderSpan()
	if len(e.Roles) == 0 {
		e.Roles = []string{RoleReferenced}
	}
	return e.Observable
}

func addCount(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxUint32))
}

// sortedSet sorts s in place and drops repetitions.
func sortedSet(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// uniqueFacts drops repetitions and keeps the order.
func uniqueFacts(facts []Fact) []Fact {
	if len(facts) < 2 {
		return facts
	}
	seen := make(map[Fact]bool, len(facts))
	return slices.DeleteFunc(facts, func(f Fact) bool {
		if seen[f] {
			return true
		}
		seen[f] = true
		return false
	})
}
