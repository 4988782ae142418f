package evidence

import (
	"slices"
	"time"
)

// Profile is a case reduced to what linking reads: each value once, with the
// span and the roles of all its sightings. Times have whole seconds.
type Profile struct {
	Ref
	Kind string // case kind
	Live bool
	// Dismissed cases never link, whoever asks.
	Dismissed bool
	// First and Last span the activity: the times of the findings, or of their
	// observables where a finding has none. Zero if no finding has a time.
	First, Last  time.Time
	EvidenceFrom time.Time
	Techniques   []string // sorted, once each
	// Sightings are sorted by Value, once each; see Derive for those that no finding
	// holds.
	Sightings []Sighting
	// Counts is nil in a whole profile. Where Sightings leaves some out, it has
	// how many values of each kind there are.
	Counts map[Kind]int
}

// Sighting is a value in a case.
type Sighting struct {
	Value
	Roles []string // sorted, once each, at least one
	// First and Last are the observable's, else its finding's, over all findings;
	// where none of them has a time, the case's opened and closed times, else
	// zero. One known end stands for both.
	First, Last time.Time
	Count       uint32   // sum over the findings
	Techniques  []string // of the findings it stands in; sorted, once each
	Written     []string // spellings of a mail-rule name; sorted, once each
}

// Profile reduces the case to what linking reads. Nothing of it is shared with
// the case but text.
func (c *Case) Profile() *Profile {
	p := &Profile{
		Ref:          c.Ref,
		Kind:         c.Kind,
		Live:         c.Live(),
		Dismissed:    c.State == Dismissed,
		EvidenceFrom: c.EvidenceFrom.Truncate(time.Second),
	}
	var activity interval
	by := make(map[Value]*Sighting)
	dated := make(map[Value]interval)
	for i := range c.Findings {
		f := &c.Findings[i]
		if f.Technique != "" {
			p.Techniques = append(p.Techniques, f.Technique)
		}
		own := between(f.FirstSeen, f.LastSeen)
		var observed interval
		for j := range f.Observables {
			o := &f.Observables[j]
			seen := between(o.FirstSeen, o.LastSeen)
			observed = observed.union(seen)
			dated[o.Value] = dated[o.Value].union(seen.or(own))
			s := by[o.Value]
			if s == nil {
				s = &Sighting{Value: o.Value}
				by[o.Value] = s
			}
			s.Roles = append(s.Roles, o.Roles...)
			s.Count = addCount(s.Count, o.Count)
			if f.Technique != "" {
				s.Techniques = append(s.Techniques, f.Technique)
			}
			if o.Written != "" {
				s.Written = append(s.Written, o.Written)
			}
		}
		activity = activity.union(own.or(observed))
	}
	p.First, p.Last = activity.first, activity.last
	p.Techniques = sortedSet(p.Techniques)
	worked := between(c.OpenedAt, c.ClosedAt)
	p.Sightings = make([]Sighting, 0, len(by))
	for _, s := range by {
		seen := dated[s.Value].or(worked)
		s.First, s.Last = seen.first, seen.last
		s.Roles = sortedSet(s.Roles)
		s.Techniques = sortedSet(s.Techniques)
		s.Written = sortedSet(s.Written)
		p.Sightings = append(p.Sightings, *s)
	}
	order := func(a, b Sighting) int { return a.Compare(b.Value) }
	slices.SortFunc(p.Sightings, order)
	if derived := Derive(p.Sightings); len(derived) > 0 {
		p.Sightings = append(p.Sightings, derived...)
		slices.SortFunc(p.Sightings, order)
	}
	return p
}

// interval has both ends or neither.
type interval struct{ first, last time.Time }

// between takes one end for the other where one is unknown.
func between(first, last time.Time) interval {
	if first.IsZero() {
		first = last
	}
	if last.IsZero() {
		last = first
	}
	return interval{first.Truncate(time.Second), last.Truncate(time.Second)}
}

func (i interval) or(o interval) interval {
	if i.last.IsZero() {
		return o
	}
	return i
}

func (i interval) union(o interval) interval {
	switch {
	case o.last.IsZero():
		return i
	case i.last.IsZero():
		return o
	}
	if o.first.Before(i.first) {
		i.first = o.first
	}
	if o.last.After(i.last) {
		i.last = o.last
	}
	return i
}
