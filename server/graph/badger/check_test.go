package badger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// TestCheckFindsDamage damages one record of a sound store at a time.
func TestCheckFindsDamage(t *testing.T) {
	live, held := someCase("a", "1", address(1), address(2)), someCase("b", "1", address(1))
	held.Restricted = true
	other := someCase("d", "1", address(1))
	shared, alone := newNode(address(1)), newNode(address(2))
	last := live.Findings[0].Observables[0].LastSeen
	sightingAt := func(space byte, n node, ref evidence.Ref) []byte { return sightingKey(space, n.key, ref, last) }
	editOf := func(n node, f func(*record)) func(*change) error {
		return func(c *change) error {
			r, err := c.record(n)
			f(&r)
			c.setRecord(n, &r)
			return err
		}
	}
	edit := func(f func(*record)) func(*change) error { return editOf(shared, f) }
	remove := func(key []byte) func(*change) error {
		return func(c *change) error {
			c.remove(key)
			return nil
		}
	}
	set := func(key, val []byte) func(*change) error {
		return func(c *change) error {
			c.set(key, val)
			return nil
		}
	}
	stranger := evidence.Ref{Tenant: "c", Case: "9"}
	for _, damage := range []struct {
		name string
		do   func(*change) error
		want string
	}{
		{"nothing", func(*change) error { return nil }, ""},
		{"no profile", remove(refKey(spaceProfile, live.Ref)), "no profile"},
		{"other profile", set(refKey(spaceProfile, live.Ref), encodeProfile(&evidence.Profile{Live: true})), "profile is not"},
		{"no findings", remove(refKey(spaceBody, live.Ref)), "hash"},
		{"unreadable findings", set(refKey(spaceBody, live.Ref), []byte("?")), "corrupt"},
		{"a profile of nobody", set(refKey(spaceProfile, stranger), encodeProfile(&evidence.Profile{})), `4 'f' records`},
		{"no sighting", remove(sightingAt(spacePosting, shared, live.Ref)), "no sighting"},
		{"no withheld sighting", remove(sightingAt(spaceWithheld, shared, held.Ref)), "no sighting"},
		{
			"other sighting",
			set(sightingAt(spacePosting, shared, live.Ref), encodePosting(1, graph.Sighting{Last: last, Count: 99})),
			"not that of the case",
		},
		{"unreadable sighting", set(sightingAt(spacePosting, shared, live.Ref), []byte{0xff}), "corrupt"},
		{
			"a sighting of nobody",
			set(sightingAt(spacePosting, shared, stranger), encodePosting(1, graph.Sighting{Last: last})),
			"no case c/9",
		},
		{
			"a live sighting of a restricted case",
			set(sightingAt(spacePosting, shared, held.Ref), encodePosting(1, graph.Sighting{Last: last})),
			"has none there",
		},
		{
			"a sighting of a value without a record",
			set(sightingAt(spacePosting, newNode(address(7)), live.Ref), encodePosting(1, graph.Sighting{Last: last})),
			"no record",
		},
		{"no record", remove(recordKey(shared.key)), "no record"},
		{"unreadable record", set(recordKey(shared.key), []byte{0xff}), "corrupt"},
		{"tenants", edit(func(r *record) { r.tenants++ }), "tenants 3"},
		{"cases", edit(func(r *record) { r.cases++ }), "cases 3"},
		{"withheld", edit(func(r *record) { r.withheld = 0 }), "withheld cases 0"},
		{"dated", edit(func(r *record) { r.dated = 0 }), "dated"},
		{"firsts", edit(func(r *record) { r.firsts[0].n = 7 }), "first times"},
		{"newest", edit(func(r *record) { r.newest[0].Count = 7 }), "newest"},
		{"no only sighting", editOf(alone, func(r *record) { r.alone = 0 }), "no sighting"},
		{"other only sighting", editOf(alone, func(r *record) { r.newest[0].Count = 7 }), "not that of the case"},
		{"an only sighting of nobody", editOf(alone, func(r *record) { r.newest[0].Ref = stranger }), "no case c/9"},
		{
			"an only sighting that has a key",
			set(sightingAt(spacePosting, alone, live.Ref), encodePosting(1, graph.Sighting{Last: last})),
			"the record has cases 1, the sightings 2",
		},
		{"a record that ends before its only sighting", func(c *change) error {
			r, err := c.record(alone)
			r.newest = nil
			c.set(recordKey(alone.key), r.encode(alone.Value, alone.exact))
			return err
		}, "corrupt"},
		{"an only sighting that is not dated", editOf(alone, func(r *record) { r.firsts = nil }), "corrupt"},
		{"the only one of two sightings", edit(func(r *record) { r.alone = 7 }), "corrupt"},
		{"a mark that is not listed", edit(func(r *record) { r.mark.part++ }), "not marked so"},
		{"a listed value that is not marked", edit(func(r *record) { r.mark = nil }), "not marked so"},
		{"no queue record", remove(queueKey(2, 0)), "2 values are marked, 0 are listed"},
		{"size", func(c *change) error { c.setNumber(keySize, 5); return nil }, "size is 5"},
		{
			"another case's record", func(c *change) error {
				val, err := c.get(refKey(spaceHeader, live.Ref))
				c.set(refKey(spaceHeader, stranger), val)
				return err
			},
			"does not have the stored hash",
		},
	} {
		t.Run(damage.name, func(t *testing.T) {
			s := openMemory(t)
			// A case that changes leaves marks.
			before := *live
			before.Title = "Before"
			submit(t, s, &before, live, held, other)
			err := s.write(t.Context(), true, func(_ *writer, c *change) error { return damage.do(c) })
			if err != nil {
				t.Fatal(err)
			}
			found := lines(t, s)
			if damage.want == "" {
				if len(found) > 0 {
					t.Errorf("lines %q", found)
				}
				return
			}
			if !slices.ContainsFunc(found, func(l string) bool { return strings.Contains(l, damage.want) }) {
				t.Errorf("no line with %q in %q", damage.want, found)
			}
			// A reader that has seen enough stops it.
			for range s.Check(t.Context()) {
				break
			}
		})
	}
}

// TestAnswersFromDamage asks for what cannot be read: an error, never a wrong
// answer.
func TestAnswersFromDamage(t *testing.T) {
	s := openMemory(t)
	c := someCase("a", "1", address(1))
	submit(t, s, c)
	n := newNode(address(1))
	err := s.write(t.Context(), true, func(_ *writer, ch *change) error {
		for _, key := range [][]byte{
			refKey(spaceHeader, c.Ref), refKey(spaceProfile, c.Ref), refKey(spaceBody, c.Ref), recordKey(n.key),
			sightingKey(spacePosting, n.key, c.Ref, time.Time{}), rowKey(c.Ref, evidence.Ref{Tenant: "b", Case: "1"}),
			sharedKey(n.key, graph.Pair(c.Ref, evidence.Ref{Tenant: "b", Case: "2"})),
		} {
			ch.set(key, []byte{0xff})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(sn graph.Snapshot) error {
		last := func(seq func(func(graph.Row, error) bool)) (err error) {
			for _, err = range seq {
				continue
			}
			return err
		}
		_, caseErr := sn.Case(c.Ref)
		_, metaErr := sn.Meta(c.Ref)
		_, profileErr := sn.Profile(c.Ref)
		_, summaryErr := sn.Summary(address(1))
		_, representativesErr := sn.Representatives(address(1))
		var sightingErr, casesErr error
		for _, sightingErr = range sn.Sightings(address(1), nil) {
			continue
		}
		for _, casesErr = range sn.Cases("", evidence.Ref{}) {
			continue
		}
		for name, err := range map[string]error{
			"Case": caseErr, "Meta": metaErr, "Profile": profileErr, "Summary": summaryErr, "Representatives": representativesErr,
			"Sightings": sightingErr, "Cases": casesErr, "Rows": last(sn.Rows("a", graph.RowKey{})), "RowsOf": last(sn.RowsOf(address(1))),
		} {
			if err == nil {
				t.Errorf("%s answers", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), someCase("a", "1", address(2)), nil); err == nil {
		t.Error("a case that cannot be read is replaced")
	}
	if _, err := s.Submit(t.Context(), someCase("b", "1", address(1)), nil); err == nil {
		t.Error("a value that cannot be read is counted")
	}
	if _, err := s.Submit(t.Context(), someCase("b", "1", address(3)), nil); err != nil {
		t.Errorf("damage elsewhere is in the way: %v", err)
	}
}
