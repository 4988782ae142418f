package badger

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
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
