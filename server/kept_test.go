package server_test

import (
	"context"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/enrichtest"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// TestKeptStore holds the place for answers in the graph's store to what package
// enrich asks of one.
func TestKeptStore(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		enrichtest.TestStore(t, func(t *testing.T, dir string) (enrich.Store, func() error) {
			return kept(t, badger.Options{Dir: dir})
		})
	})
	t.Run("memory", func(t *testing.T) {
		open := make(map[string]*badger.Store)
		enrichtest.TestStore(t, func(t *testing.T, dir string) (enrich.Store, func() error) {
			// A store in memory is the same for as long as it is open.
			if open[dir] == nil {
				s, err := badger.Open(t.Context(), badger.Options{Memory: true})
				if err != nil {
					t.Fatal(err)
				}
				open[dir] = s
			}
			return server.KeptStore(open[dir]), func() error { return nil }
		})
		for _, s := range open {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func kept(t *testing.T, o badger.Options) (enrich.Store, func() error) {
	t.Helper()
	s, err := badger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return server.KeptStore(s), func() error {
		sane(t, s)
		return s.Close()
	}
}

// sane fails the test if the store finds fault with itself.
func sane(t *testing.T, s graph.Store) {
	t.Helper()
	for line, err := range s.Check(context.Background()) {
		t.Error(line, err)
	}
}
