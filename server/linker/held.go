package linker

import (
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Alarms of SCORING.md A6, elicited. A case that is linked, from lead on, with more
// than bounds.tenants other tenants, and what a tenant makes on a day on which its
// cases are linked as probable or better more than bounds.links times, is held for
// review.
//
// A day is the one on which the newer content of a link came in, by the clock of the
// server: times in a case are its submitter's to choose. Content of one day makes
// nothing of each other, or the first load of a deployment would be one alarm; and of
// the cases of one tenant a case makes one link, so that no tenant can raise an
// alarm about another's case by itself.
//
// The third alarm is for a case made of what others list, which stays below the first
// two: a case is held that is linked with more than bounds.groups groups of cases of
// which none is linked with one of another group. What an actor did is linked with
// each other. Cases of one tenant are one group. In four made-up hostile worlds of
// 3,000 cases 6 held no strong link of one actor in three and two such links in one:
// what is held waits for a person, and nothing is lost.
type bounds struct{ tenants, links, groups uint32 }

func defaultBounds() bounds { return bounds{tenants: 20, links: 50, groups: 6} }

// mayHold reports whether an alarm holds a row: nobody has spoken of the pair, and the
// link is one that is listed.
func mayHold(r *graph.Row) bool {
	return r.Verdict == graph.Unreviewed && link.Tier(r.Tier) >= link.Lead
}

// Holds reports whether a link would be held.
func Holds(s graph.Snapshot, r *graph.Row) (bool, error) { return newAlarms(s).holds(r) }

// alarms answers from one snapshot whether the links of a case are held.
type alarms struct {
	snapshot graph.Snapshot
	known    map[evidence.Ref]bool
}

func newAlarms(s graph.Snapshot) *alarms {
	return &alarms{s, make(map[evidence.Ref]bool)}
}

func (a *alarms) of(ref evidence.Ref) (bool, error) {
	if on, ok := a.known[ref]; ok {
		return on, nil
	}
	f, err := a.snapshot.FanoutOf(ref)
	if err == nil {
		a.known[ref] = f.Alarm
	}
	return f.Alarm, err
}

// holds reports whether a row is held.
func (a *alarms) holds(r *graph.Row) (bool, error) {
	if !mayHold(r) {
		return false, nil
	}
	on, err := a.of(r.A)
	if err == nil && !on {
		on, err = a.of(r.B)
	}
	return on, err
}

// caseRows remembers the rows of cases, which are asked for more than once in a step.
type caseRows struct {
	snapshot graph.Snapshot
	known    map[evidence.Ref][]graph.Row
	rows     int
}

// maxCaseRows bounds the rows that are remembered: about 20 MB.
const maxCaseRows = 50_000

// of yields the rows of a case.
func (c *caseRows) of(ref evidence.Ref) iter.Seq2[graph.Row, error] {
	return func(yield func(graph.Row, error) bool) {
		if rows, ok := c.known[ref]; ok {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			return
		}
		var rows []graph.Row
		for row, err := range c.snapshot.RowsOfCase(ref) {
			if err == nil {
				rows = append(rows, row)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		if c.rows += 1 + len(rows); c.known == nil || c.rows > maxCaseRows {
			c.known, c.rows = make(map[evidence.Ref][]graph.Row), 1+len(rows)
		}
		c.known[ref] = rows
	}
}

// fans works out how widely cases are linked.
type fans struct {
	*alarms
	bounds bounds
	rows   *caseRows
	// changes are what has to be stored.
	changes *graph.RelinkBatch
	days    map[evidence.Ref]int32
	// touched are tenants and days of which all cases were listed already.
	touched map[tenantDay]bool
	// flipped are the rows of cases whose alarm changed.
	flipped []graph.Row
}

type tenantDay struct {
	tenant string
	day    int32
}

// look brings the fan-out of a case up to date.
func (f *fans) look(ref evidence.Ref) error {
	old, err := f.snapshot.FanoutOf(ref)
	if err != nil {
		return err
	}
	now, rows, err := f.measure(ref)
	if err != nil {
		return err
	}
	if old.Made != now.Made || old.Made > 0 && old.Day != now.Day {
		// The sums of its tenant are not those of this snapshot any more.
		f.changes.Touch = append(f.changes.Touch, graph.Touched{A: ref})
		for _, of := range [...]graph.Fanout{old, now} {
			if err := f.retally(tenantDay{ref.Tenant, of.Day}, of.Made); err != nil {
				return err
			}
		}
	}
	if now.Made > 0 && !now.Alarm {
		sum, err := f.sum(tenantDay{ref.Tenant, now.Day})
		if err != nil {
			return err
		}
		now.Alarm = sum > f.bounds.links
	}
	if now.Made == 0 {
		now.Day = 0
	}
	f.known[ref] = now.Alarm
	if now == old {
		return nil
	}
	if f.changes.Fanouts == nil {
		f.changes.Fanouts = make(map[evidence.Ref]graph.Fanout)
	}
	f.changes.Fanouts[ref] = now
	if now.Alarm == old.Alarm {
		return nil
	}
	if now.Made > 0 {
		if err := f.touchAll(tenantDay{ref.Tenant, now.Day}); err != nil {
			return err
		}
	}
	f.flipped = append(f.flipped, rows...)
	return nil
}

// flip stores what the alarms of now say of the rows of cases whose alarm changed.
func (f *fans) flip() error {
	for i := range f.flipped {
		row := &f.flipped[i]
		held, err := f.holds(row)
		if err != nil {
			return err
		}
		if held != row.Held {
			row.Held = held
			f.changes.Put = append(f.changes.Put, *row)
		}
	}
	return nil
}

// measure counts the tenants that a case is linked with, and returns its rows.
func (f *fans) measure(ref evidence.Ref) (now graph.Fanout, rows []graph.Row, err error) {
	var reached, made map[string]bool
	var others []evidence.Ref
	for row, err := range f.rows.of(ref) {
		if err != nil {
			return now, nil, err
		}
		if row.Verdict == graph.Refuted || link.Tier(row.Tier) < link.Lead {
			continue
		}
		rows = append(rows, row)
		other := row.A
		if other == ref {
			other = row.B
		}
		if reached == nil {
			reached, made = make(map[string]bool), make(map[string]bool)
		}
		reached[other.Tenant] = true
		others = append(others, other)
		if link.Tier(row.Tier) < link.Probable || made[other.Tenant] {
			continue
		}
		if now.Day, err = f.day(ref); err != nil {
			return now, nil, err
		}
		older, err := f.day(other)
		if err != nil {
			return now, nil, err
		}
		if older < now.Day {
			made[other.Tenant] = true
		}
	}
	now.Made = uint32(len(made))
	now.Alarm = len(reached) > int(f.bounds.tenants)
	if now.Wide = len(reached) > int(f.bounds.groups); now.Wide && !now.Alarm {
		n, err := f.groups(others)
		if err != nil {
			return now, nil, err
		}
		now.Alarm = n > int(f.bounds.groups)
	}
	return now, rows, nil
}

// groups counts the groups of some cases: those of one tenant, and those that are
// linked, are in one.
func (f *fans) groups(cases []evidence.Ref) (int, error) {
	up, at := make([]int, len(cases)), make(map[evidence.Ref]int, len(cases))
	for i, ref := range cases {
		up[i], at[ref] = i, i
	}
	top := func(i int) int {
		for up[i] != i {
			i = up[i]
		}
		return i
	}
	first := make(map[string]int)
	for i, ref := range cases {
		if k, ok := first[ref.Tenant]; ok {
			up[top(i)] = top(k)
		} else {
			first[ref.Tenant] = i
		}
		for row, err := range f.rows.of(ref) {
			if err != nil {
				return 0, err
			}
			other := row.A
			if other == ref {
				other = row.B
			}
			if k, ok := at[other]; ok && row.Verdict != graph.Refuted && link.Tier(row.Tier) >= link.Lead {
				up[top(i)] = top(k)
			}
		}
	}
	n := 0
	for i := range up {
		if up[i] == i {
			n++
		}
	}
	return n, nil
}

// beside adds to cases whose rows changed those of which it matters whether the cases
// that they are linked with are linked with each other.
func (f *fans) beside(cases []evidence.Ref) ([]evidence.Ref, error) {
	all := slices.Clone(cases)
	seen := make(map[evidence.Ref]bool)
	for _, ref := range cases {
		for row, err := range f.rows.of(ref) {
			if err != nil {
				return nil, err
			}
			other := row.A
			if other == ref {
				other = row.B
			}
			if seen[other] || link.Tier(row.Tier) < link.Lead {
				continue
			}
			seen[other] = true
			wide, err := f.snapshot.FanoutOf(other)
			if err != nil {
				return nil, err
			}
			if wide.Wide {
				all = append(all, other)
			}
		}
	}
	slices.SortFunc(all, evidence.Ref.Compare)
	return slices.Compact(all), nil
}

// day is the one on which the content of a case came in; that of a case that is gone
// is the last of all.
func (f *fans) day(ref evidence.Ref) (int32, error) {
	if d, ok := f.days[ref]; ok {
		return d, nil
	}
	m, err := f.snapshot.Meta(ref)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return 0, err
	}
	d := int32(1<<31 - 1)
	if err == nil {
		d = int32(m.UpdateTime.Unix() / int64(24*time.Hour/time.Second))
	}
	f.days[ref] = d
	return d, nil
}

// sum is what a tenant has made on a day.
func (f *fans) sum(of tenantDay) (n uint32, err error) {
	for t, err := range f.snapshot.Tallies(of.tenant, of.day) {
		if err != nil {
			return 0, err
		}
		n += t.Made
	}
	return n, nil
}

// retally lists what a tenant has made on a day as to be looked at, if a change by
// some may raise or end an alarm.
func (f *fans) retally(of tenantDay, by uint32) error {
	if by == 0 {
		return nil
	}
	sum, err := f.sum(of)
	if err != nil || sum+by <= f.bounds.links {
		return err
	}
	return f.touchAll(of)
}

func (f *fans) touchAll(of tenantDay) error {
	if f.touched[of] {
		return nil
	}
	f.touched[of] = true
	for t, err := range f.snapshot.Tallies(of.tenant, of.day) {
		if err != nil {
			return err
		}
		f.changes.Touch = append(f.changes.Touch, graph.Touched{A: t.Ref})
	}
	return nil
}
