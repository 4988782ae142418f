package enrich_test

import (
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/enrichtest"
)

func TestMemory(t *testing.T) {
	folders := make(map[string]*enrich.Memory)
	enrichtest.TestStore(t, func(_ *testing.T, dir string) (enrich.Store, func() error) {
		if folders[dir] == nil {
			folders[dir] = new(enrich.Memory)
		}
		return folders[dir], func() error { return nil }
	})
}
