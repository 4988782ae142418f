package badger

import (
	"bytes"
	"iter"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// keysPerSeek is how many keys of sightings an iterator passes in the time that it
// takes to find another place (measured, in a store of some levels).
const keysPerSeek = 8

// SightingsIn implements graph.Snapshot. Sightings and tenants are both in order of
// tenant, so one iterator finds all: it passes what lies between step by step while
// that is little, and leaps where it is not.
func (s *snapshot) SightingsIn(v evidence.Value, tenants []string, each int) iter.Seq2[graph.Sighting, error] {
	return func(yield func(graph.Sighting, error) bool) {
		if s.over {
			yield(graph.Sighting{}, errOver)
			return
		}
		if len(tenants) == 0 || each <= 0 {
			return
		}
		n := newNode(v)
		prefix := append([]byte{spacePosting}, n.key...)
		it, done := s.begin(prefix)
		defer done()
		wanted, of, steps := tenants, 0, 0
		for it.Seek(sightingPrefix(spacePosting, n.key, wanted[0])); it.Valid(); {
			if err := s.ctx.Err(); err != nil {
				yield(graph.Sighting{}, err)
				return
			}
			tenant, _, ok := bytes.Cut(it.Item().Key()[len(prefix):], []byte{0})
			if !ok {
				yield(graph.Sighting{}, unreadable("sighting key"))
				return
			}
			if string(tenant) > wanted[0] {
				i, _ := slices.BinarySearch(wanted, string(tenant))
				wanted, of = wanted[i:], 0
			}
			switch {
			case len(wanted) == 0:
				return
			case string(tenant) == wanted[0] && of < each:
				sighting, _, err := s.sightingAt(it, len(prefix))
				if !yield(sighting, err) || err != nil {
					return
				}
				if s.over {
					yield(graph.Sighting{}, errOver)
					return
				}
				of++
				steps = 0
				it.Next()
			case steps < keysPerSeek:
				steps++
				it.Next()
			case string(tenant) == wanted[0]:
				it.Seek(behind(sightingPrefix(spacePosting, n.key, wanted[0])))
				steps = 0
			default:
				it.Seek(sightingPrefix(spacePosting, n.key, wanted[0]))
				steps = 0
			}
		}
	}
}
