package badger_test

import (
	"testing"

	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/graph/graphtest"
)

func open(t testing.TB, o badger.Options) *badger.Store {
	t.Helper()
	s, err := badger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFolder runs the suite on stores in folders.
func TestFolder(t *testing.T) {
	graphtest.Run(t, func(t testing.TB, c graphtest.Config) graph.Store {
		dir := c.Dir
		if dir == "" {
			dir = t.TempDir()
		}
		return open(t, badger.Options{Dir: dir, Limits: c.Limits, Clock: c.Clock})
	})
}

// TestMemory runs what a store in memory can do.
func TestMemory(t *testing.T) {
	graphtest.RunVolatile(t, func(t testing.TB, c graphtest.Config) graph.Store {
		return open(t, badger.Options{Memory: true, Limits: c.Limits, Clock: c.Clock})
	})
}
