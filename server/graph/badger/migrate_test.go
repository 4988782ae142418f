package badger

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// TestMigrate opens a store of layout 1, whose profiles have no derived values, part
// of which an interrupted opening has brought up to date already.
func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	var cases []*evidence.Case
	for i := range casesPerStep + 20 {
		c := &evidence.Case{
			Ref: evidence.Ref{Tenant: fmt.Sprint("t", i%7), Case: fmt.Sprint(i)}, Kind: "bec", State: evidence.Open, TLP: evidence.TLPAmber,
			Restricted: i%11 == 0,
			Findings: []evidence.Finding{{Observables: []evidence.Observable{
				{Value: address(i % 40), Roles: []string{evidence.RoleLoginSource}},
				{Value: evidence.Value{Kind: evidence.KindRuleName, Text: []string{"block spoofing", "spoofing: block"}[i%2]}, Roles: []string{evidence.RoleCreated}},
				{Value: evidence.Value{Kind: evidence.KindRuleWords, Text: "alpha beta gamma"}, Roles: []string{evidence.RoleCreated}},
			}}},
		}
		if i%13 == 0 {
			c.State = evidence.Dismissed
		}
		if i%5 == 0 {
			c.Findings[0].Observables = c.Findings[0].Observables[:1]
		}
		cases = append(cases, c)
		if _, err := s.Submit(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	// What an older version would hold.
	for i, c := range cases {
		if i%9 == 0 {
			continue
		}
		err := s.write(t.Context(), false, func(w *writer, ch *change) error {
			p, err := ch.profile(c.Ref)
			if err != nil {
				return err
			}
			without, with := *p, *p
			with.Sightings = slices.DeleteFunc(slices.Clone(p.Sightings), func(s evidence.Sighting) bool { return !s.Kind.Derived() })
			without.Sightings = nil
			if err := w.relate(ch, &with, &without); err != nil {
				return err
			}
			p.Sightings = slices.DeleteFunc(p.Sightings, func(s evidence.Sighting) bool { return s.Kind.Derived() })
			ch.set(refKey(spaceProfile, c.Ref), encodeProfile(p))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := 0
	for range s.Check(t.Context()) {
		lines++
	}
	if lines == 0 {
		t.Fatal("nothing is missing before the migration")
	}
	mustClose(t, s)
	raw(t, dir, func(txn *dgraph.Txn) error { return txn.Set([]byte(keyLayout), binary.AppendUvarint(nil, 1)) })

	s = openDir(t, dir)
	for line, err := range s.Check(t.Context()) {
		t.Errorf("%s %v", line, err)
	}
	// Who looks for pairs has to look at what was added.
	marks, err := s.Dirty(t.Context(), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	tokens, _ := evidence.RuleTokens(&evidence.Sighting{Value: cases[1].Findings[0].Observables[1].Value})
	if !slices.ContainsFunc(marks, func(m graph.Mark) bool { return m.Value == tokens }) {
		t.Errorf("%v has no mark", tokens)
	}
	err = s.View(t.Context(), func(sn graph.Snapshot) error {
		tenants, n, err := sn.Spread(tokens)
		want := 0
		for _, c := range cases {
			if c.Live() && len(c.Findings[0].Observables) > 1 {
				want++
			}
		}
		if tenants != 7 || int(n) != want {
			t.Errorf("%d cases of %d tenants, want %d of 7", n, tenants, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	// Once is enough.
	s = openDir(t, dir)
	defer mustClose(t, s)
	if stored, err := s.checkLayout(); err != nil || stored != layout {
		t.Errorf("layout %d, %v", stored, err)
	}
}

// unknownClass says of every value that nothing is known of it.
type unknownClass struct{}

func (unknownClass) Version() string                 { return "0" }
func (unknownClass) Class(evidence.Value) link.Class { return link.Class{Name: link.ClassUnknown} }

// TestMigrateFindsActors opens a store of layout 2, which has links and no actors, and
// finds them.
func TestMigrateFindsActors(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	for i, tenant := range []string{"a", "b", "c"} {
		day := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		var seen []evidence.Observable
		for n := range 3 {
			seen = append(seen, evidence.Observable{Value: evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("70.%d.0.1", n)}, Roles: []string{evidence.RoleLoginSource}})
		}
		seen = append(seen, evidence.Observable{Value: evidence.Value{Kind: evidence.KindDomain, Text: "evil-invoices.com"}})
		c, _, err := evidence.Parse(evidence.Draft{
			Ref: evidence.Ref{Tenant: tenant, Case: "1"}, OpenedAt: day, Findings: []evidence.Finding{{FirstSeen: day, LastSeen: day, Observables: seen}},
		}, evidence.Options{Now: day.AddDate(0, 1, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Submit(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	rules := linker.NewRules(link.Version2(), unknownClass{}, graph.Limits{})
	linked := func(s *Store, l *linker.Linker) (actors []*graph.Actor, rows int) {
		t.Helper()
		if err := l.Drain(t.Context(), func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		err := s.View(t.Context(), func(sn graph.Snapshot) error {
			for a, err := range sn.ActorsAfter(evidence.Ref{}) {
				if err != nil {
					return err
				}
				actors = append(actors, a)
			}
			for _, err := range sn.RowsAfter(evidence.Ref{}) {
				if err != nil {
					return err
				}
				rows++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return actors, rows
	}
	quiet := slog.New(slog.DiscardHandler)
	// Without a name for them no actors are found.
	if actors, rows := linked(s, linker.New(s, rules, quiet).Naming(nil)); len(actors) != 0 || rows != 3 {
		t.Fatalf("%d actors and %d links before", len(actors), rows)
	}
	// A store of layout 2 listed nothing to be looked at, and logged no events.
	mustClose(t, s)
	raw(t, dir, func(txn *dgraph.Txn) error {
		for _, prefix := range [][]byte{{spaceMember}, {spaceLog}} {
			it := txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix})
			var keys [][]byte
			for it.Rewind(); it.Valid(); it.Next() {
				keys = append(keys, it.Item().KeyCopy(nil))
			}
			it.Close()
			for _, key := range keys {
				if err := txn.Delete(key); err != nil {
					return err
				}
			}
		}
		return txn.Set([]byte(keyLayout), binary.AppendUvarint(nil, 2))
	})
	s = openDir(t, dir)
	defer mustClose(t, s)
	name := func(member evidence.Ref) string { return "act-" + member.String() }
	actors, rows := linked(s, linker.New(s, rules, quiet).Naming(name))
	if len(actors) != 1 || len(actors[0].Members) != 3 || rows != 3 {
		t.Fatalf("%d links and the actors %v after", rows, actors)
	}
	for line, err := range s.Check(t.Context()) {
		t.Errorf("%s %v", line, err)
	}
}
