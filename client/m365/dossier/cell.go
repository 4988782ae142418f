package dossier

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/bounded"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

// Limits of one cell.
const (
	maxOrigins     = 8
	maxObservables = 200
	maxFacts       = 64
	maxKept        = 12
	maxTargets     = 100
	maxSessions    = 100
)

// Origin is a record that a finding was made of.
type Origin struct {
	Time time.Time
	// ID is the record's own, "" if it has none.
	ID   string
	File string
	Line int
}

func (o Origin) compare(p Origin) int {
	if c := o.Time.Compare(p.Time); c != 0 {
		return c
	}
	if c := strings.Compare(o.ID, p.ID); c != 0 {
		return c
	}
	if c := strings.Compare(o.File, p.File); c != 0 {
		return c
	}
	return o.Line - p.Line
}

// Outcome is what became of what was tried.
type Outcome uint8

// The outcomes.
const (
	Succeeded Outcome = iota
	Failed
	Partial
)

// cell is everything alike that one hunt saw: one operation with one outcome by
// one user from one place.
type cell struct {
	technique, operation, user string
	outcome                    Outcome
	// addresses are those of the record; where there is none, session or at
	// may say from where it came.
	addresses []netip.Addr
	session   string
	at        time.Time

	span
	count       uint64
	hot         int
	origins     []Origin
	observables map[hunt.Observable]*span
	facts       bounded.Set // name NUL value
	kept        bounded.Set // what NUL value
	targets     bounded.Set
	sessions    bounded.Set
	more        bool // observables beyond the limit
}

// span is when something was seen, and how often.
type span struct {
	first, last time.Time
	n           uint64
}

func (s *span) add(first, last time.Time, n uint64) {
	if s.first.IsZero() || first.Before(s.first) {
		s.first = first
	}
	if last.After(s.last) {
		s.last = last
	}
	s.n += n
}

// note puts a sighting into its cell.
func (d *Dossier) note(r *m365.Record, s hunt.Sighting, user string, addresses []netip.Addr, failed bool) {
	outcome := Succeeded
	switch {
	case failed:
		outcome = Failed
	case r.Result == m365.ResultPartial:
		outcome = Partial
	}
	key := make([]byte, 0, 160)
	for _, part := range []string{s.Technique, r.Operation, user} {
		key = append(append(key, part...), 0)
	}
	key = append(key, byte('0'+outcome))
	session, at := "", time.Time{}
	for _, a := range addresses {
		key = append(a.AppendTo(append(key, ' ')), 0)
	}
	if len(addresses) == 0 {
		if len(r.Sessions) > 0 {
			session = r.Sessions[0]
			key = append(key, session...)
		} else {
			// Only the hour decides where it came from.
			at = r.Time.Truncate(time.Hour)
		}
		key = strconv.AppendInt(append(key, 0), at.Unix(), 10)
	}
	e := d.cells[s.Hunt].At(string(key))
	if e == nil {
		return
	}
	c := &e.Value
	if c.observables == nil {
		c.technique, c.operation, c.user, c.outcome = d.keep(s.Technique), d.keep(r.Operation), d.keep(user), outcome
		c.addresses, c.session, c.at = addresses, strings.Clone(session), at
		c.observables = make(map[hunt.Observable]*span)
	}
	c.add(r.Time, r.Time, 1)
	c.count = e.Count
	c.hot = max(c.hot, s.Hot)
	c.origin(Origin{Time: r.Time, ID: r.ID, File: d.keep(r.Origin.File), Line: r.Origin.Line})
	for _, o := range s.Observables {
		c.observe(d, o, r.Time)
	}
	for _, f := range s.Facts {
		c.facts.Add(f.Name+"\x00"+f.Value, maxFacts)
	}
	for _, k := range s.Kept {
		c.kept.Add(k.What+"\x00"+k.Value, maxKept)
	}
	if s.Target != "" {
		c.targets.Add(s.Target, maxTargets)
	}
	for _, id := range r.Sessions {
		c.sessions.Add(id, maxSessions)
	}
}

func (c *cell) observe(d *Dossier, o hunt.Observable, t time.Time) {
	if s := c.observables[o]; s != nil {
		s.add(t, t, 1)
		return
	}
	if len(c.observables) >= maxObservables {
		// The largest value gives way, so that order does not matter.
		c.more = true
		largest := o
		for k := range c.observables {
			if compareObservables(k, largest) > 0 {
				largest = k
			}
		}
		if largest == o {
			return
		}
		delete(c.observables, largest)
	}
	o.Kind, o.Role, o.Value = d.keep(o.Kind), d.keep(o.Role), d.keep(o.Value)
	c.observables[o] = &span{t, t, 1}
}

func compareObservables(a, b hunt.Observable) int {
	for _, p := range [...][2]string{{a.Kind, b.Kind}, {a.Value, b.Value}, {a.Role, b.Role}} {
		if c := strings.Compare(p[0], p[1]); c != 0 {
			return c
		}
	}
	return 0
}

func (c *cell) origin(o Origin) { c.origins = insertOrigin(c.origins, o) }

// insertOrigin keeps the first origins, in order.
func insertOrigin(list []Origin, o Origin) []Origin {
	i, _ := slices.BinarySearchFunc(list, o, Origin.compare)
	if i >= maxOrigins {
		return list
	}
	o.ID = strings.Clone(o.ID)
	list = slices.Insert(list, i, o)
	return list[:min(len(list), maxOrigins)]
}
