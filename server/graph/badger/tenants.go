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
// time how much it is. Also for an only sighting, which the record has: else the time
// would tell whether others that are not to be told of have the value.
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
		k, err := s.recall(n.key, true)
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			yield(graph.Sighting{}, err)
			return
		}
		only := k.only()
		prefix := append([]byte{spacePosting}, n.key...)
		it, done := s.begin(prefix)
		defer done()
		for wanted := tenants; len(wanted) > 0; {
			of := sightingPrefix(spacePosting, n.key, wanted[0])
			left := each
			it.Seek(of)
			for inRecord := only != nil && only.Tenant == wanted[0]; left > 0 && (inRecord || it.ValidForPrefix(of)); left-- {
				err := s.ctx.Err()
				var sighting graph.Sighting
				switch {
				case err != nil:
				case inRecord:
					sighting = *only
				default:
					sighting, _, err = s.sightingAt(it, len(prefix))
				}
				if !yield(sighting, err) || err != nil {
					return
				}
				if s.over {
					yield(graph.Sighting{}, errOver)
					return
				}
				if !inRecord {
					it.Next()
				}
				inRecord = false
			}
			if left < each {
				wanted = wanted[1:]
				continue
			}
			// It has none, and of those that follow only some may have any.
			var next string
			switch {
			case it.ValidForPrefix(prefix):
				tenant, _, ok := bytes.Cut(it.Item().Key()[len(prefix):], []byte{0})
				if !ok {
					yield(graph.Sighting{}, unreadable("sighting key"))
					return
				}
				next = string(tenant)
			case only != nil && only.Tenant > wanted[0]:
				next = only.Tenant
			default:
				return
			}
			i, _ := slices.BinarySearch(wanted, next)
			wanted = wanted[i:]
		}
	}
}
