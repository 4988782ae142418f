package badger

import (
	"bytes"
	"iter"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// SightingsIn implements graph.Snapshot. It looks for each tenant by itself: to pass
// what lies between step by step would be faster where that is little, and tell by the
// time how much it is.
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
		for wanted := tenants; len(wanted) > 0; {
			of := sightingPrefix(spacePosting, n.key, wanted[0])
			left := each
			for it.Seek(of); left > 0 && it.ValidForPrefix(of); it.Next() {
				err := s.ctx.Err()
				var sighting graph.Sighting
				if err == nil {
					sighting, _, err = s.sightingAt(it, len(prefix))
				}
				if !yield(sighting, err) || err != nil {
					return
				}
				if s.over {
					yield(graph.Sighting{}, errOver)
					return
				}
				left--
			}
			if left < each {
				wanted = wanted[1:]
				continue
			}
			// It has none, and of those that follow only some may have any.
			if !it.ValidForPrefix(prefix) {
				return
			}
			tenant, _, ok := bytes.Cut(it.Item().Key()[len(prefix):], []byte{0})
			if !ok {
				yield(graph.Sighting{}, unreadable("sighting key"))
				return
			}
			i, _ := slices.BinarySearch(wanted, string(tenant))
			wanted = wanted[i:]
		}
	}
}
