package bounded_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/client/m365/bounded"
)

func contents(m *bounded.Map[int]) map[string]uint64 {
	out := map[string]uint64{"": m.Left()}
	for e := range m.All() {
		out[e.Key] = e.Count*1000 + uint64(e.Value)
	}
	return out
}

// Whatever the order, the same keys are kept, and whole.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 12).Draw(t, "limit")
		keys := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 30), func(i int) string { return fmt.Sprint("key", i) }), 0, 120).Draw(t, "keys")
		read := func(keys []string) map[string]uint64 {
			m := bounded.New[int](limit)
			for _, k := range keys {
				if e := m.At(k); e != nil {
					e.Value++
				}
			}
			if m.Len() > limit {
				t.Fatalf("%d keys", m.Len())
			}
			return contents(m)
		}
		want := read(keys)
		shuffled := append([]string(nil), keys...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, read(shuffled)); diff != "" {
			t.Fatalf("(-in order +shuffled):\n%s", diff)
		}
		kept, counts := uint64(0), make(map[string]uint64)
		for _, k := range keys {
			counts[k]++
		}
		for k, n := range want {
			if k == "" {
				continue
			}
			if n != counts[k]*1001 {
				t.Fatalf("%s is kept in part: %d of %d", k, n, counts[k])
			}
			kept += counts[k]
		}
		if want[""] != uint64(len(keys))-kept {
			t.Fatalf("%d left out, want %d", want[""], uint64(len(keys))-kept)
		}
	})
}

func TestSetKeepsTheSmallest(t *testing.T) {
	for range 50 {
		list := []string{"a", "b", "c", "d", "e", "b", "a"}
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		var s bounded.Set
		for _, e := range list {
			s.Add(e, 3)
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, s.Elements()); diff != "" || !s.More() {
			t.Fatalf("%q gives %s, more %v", list, diff, s.More())
		}
	}
}
