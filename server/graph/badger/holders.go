package badger

import (
	"bytes"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Holders implements graph.Snapshot. What was found is kept with the record of the
// value, also that nobody has it: else the time of the next look would tell.
func (s *snapshot) Holders(v evidence.Value) (graph.Holders, error) {
	n := newNode(v)
	k, err := s.remembered(n.key)
	if err != nil {
		return graph.Holders{}, err
	}
	if k.holders != nil {
		return *k.holders, nil
	}
	h := graph.Holders{Tenants: k.tenants, Cases: k.cases}
	if k.whole() {
		for i := range k.newest {
			h.Live = append(h.Live, k.newest[i].Tenant)
		}
		slices.Sort(h.Live)
		h.Live = slices.Compact(h.Live)
	} else if h.Live, err = s.tenantsOn(spacePosting, n.key); err != nil {
		return graph.Holders{}, err
	}
	if k.withheld > 0 {
		if h.Withheld, err = s.tenantsOn(spaceWithheld, n.key); err != nil {
			return graph.Holders{}, err
		}
	}
	k.holders = &h
	s.remember(n.key, k)
	return h, nil
}

func (s *snapshot) remember(value []byte, k knownRecord) {
	if s.caches != nil {
		key := string(value)
		s.caches.records.add(key, s.view, k, k.size(key))
	}
}

// HeldBefore implements graph.Snapshot.
func (s *snapshot) HeldBefore(v evidence.Value, day time.Time) (graph.Held, error) {
	first, err := s.before(day)
	if err != nil {
		return graph.Held{}, err
	}
	n := newNode(v)
	k, err := s.remembered(n.key)
	if err != nil {
		return graph.Held{}, err
	}
	if k.held != nil && k.held.first == first {
		return k.held.Held, nil
	}
	held, err := s.putTogether(n.key, first)
	if err == nil && !held.Whole {
		held, err = s.newestOf(n.key, first)
	}
	if err != nil {
		return graph.Held{}, err
	}
	k.held = &heldBefore{first, held}
	s.remember(n.key, k)
	return held, nil
}

// putTogether puts the sightings of a value together that were written before a
// request, if they are few enough.
func (s *snapshot) putTogether(value []byte, first uint64) (held graph.Held, err error) {
	sightings := 0
	for sighting, err := range s.written(spacePosting, value, nil) {
		if err != nil {
			return graph.Held{}, err
		}
		if sighting.by >= first {
			continue
		}
		if sightings++; sightings > graph.MaxPutTogether {
			return graph.Held{}, nil
		}
		if n := len(held.By); n == 0 || held.By[n-1].Tenant != sighting.Tenant {
			held.By = append(held.By, graph.HeldBy{Tenant: sighting.Tenant})
		}
		held.By[len(held.By)-1].Add(sighting.Sighting)
	}
	held.Whole = true
	return held, nil
}

// newestOf is putTogether of the newest sighting of each tenant.
func (s *snapshot) newestOf(value []byte, first uint64) (held graph.Held, err error) {
	prefix := append([]byte{spacePosting}, value...)
	it, done := s.begin(prefix)
	defer done()
	for it.Seek(prefix); it.ValidForPrefix(prefix) && len(held.By) < graph.MaxHolders; {
		if err := s.ctx.Err(); err != nil {
			return graph.Held{}, err
		}
		sighting, written, err := s.sightingAt(it, len(prefix))
		if err != nil {
			return graph.Held{}, err
		}
		if written >= first {
			it.Next()
			continue
		}
		by := graph.HeldBy{Tenant: sighting.Tenant}
		by.Add(sighting)
		held.By = append(held.By, by)
		it.Seek(behind(sightingPrefix(spacePosting, value, sighting.Tenant)))
	}
	return held, nil
}

// tenantsOn returns the first tenants with sightings of a value in a space. It leaps
// from one to the next: each may have any number of sightings.
func (s *snapshot) tenantsOn(space byte, value []byte) (tenants []string, err error) {
	prefix := append([]byte{space}, value...)
	it, done := s.begin(prefix)
	defer done()
	for it.Seek(prefix); it.ValidForPrefix(prefix) && len(tenants) < graph.MaxHolders; {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		tenant, _, ok := bytes.Cut(it.Item().Key()[len(prefix):], []byte{0})
		if !ok {
			return nil, unreadable("sighting key")
		}
		tenants = append(tenants, string(tenant))
		it.Seek(behind(sightingPrefix(space, value, string(tenant))))
	}
	return tenants, nil
}
