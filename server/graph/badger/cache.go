package badger

import (
	"hash/maphash"
	"sync"
	"unsafe"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// DefaultCacheBytes is the size of the caches of a store, unless Options say
// otherwise. Half of it is for profiles, half for the records of values.
const DefaultCacheBytes = 64 << 20

// cacheShards is a number of locks that readers on a few cores do not queue at.
const cacheShards = 8

// caches keep what was decoded from records that are asked for again. All views
// share them: an entry says from which view on it holds, and goes when the key is
// written. So only who reads the newest view may add one.
type caches struct {
	profiles cache[evidence.Ref, *evidence.Profile]
	records  cache[string, knownRecord]
}

// knownRecord is a record, which must not be changed, the value where the key does
// not hold it, and who has it, nil while nobody has asked for that.
type knownRecord struct {
	record
	named   evidence.Value
	holders *graph.Holders
	held    *heldBefore
}

// heldBefore is what was held before a request.
type heldBefore struct {
	first uint64
	graph.Held
}

func newCaches(size int64) *caches {
	c := &caches{}
	seed := maphash.MakeSeed()
	c.profiles.init(size/2, func(r evidence.Ref) uint64 { return maphash.String(seed, r.Tenant) ^ maphash.String(seed, r.Case) })
	c.records.init(size/2, func(key string) uint64 { return maphash.String(seed, key) })
	return c
}

// publish makes the view with that number the newest one, which differs from the
// one before by a layer. Readers must not have it yet.
func (c *caches) publish(view uint64, l *layer) {
	c.profiles.publish(view)
	c.records.publish(view)
	if l == nil {
		return
	}
	for k := range l.sets {
		switch k[0] {
		case spaceProfile:
			if ref, ok := parseRef([]byte(k[1:])); ok {
				c.profiles.drop(ref)
			}
		case spaceValue:
			c.records.drop(k[1:])
		}
	}
	for k, w := range l.records {
		known := knownRecord{record: *w.record}
		if !w.exact {
			known.named = w.Value
		}
		c.records.replace(k, view, known, known.size(k), w.record.empty())
	}
}

// Forget empties the caches, for who has read or written much that nobody may ask for
// again: what is kept from among much that is gone holds room that cannot be used.
func (s *Store) Forget() {
	s.caches.profiles.forget()
	s.caches.records.forget()
}

// CacheStats returns the figures of the two caches by name: profiles, values.
func (s *Store) CacheStats() map[string]graph.CacheStats {
	return map[string]graph.CacheStats{"profiles": s.caches.profiles.stats(), "values": s.caches.records.stats()}
}

// cache is a bounded map. The zero value has to be initialised.
type cache[K comparable, V any] struct {
	hash   func(K) uint64
	shards [cacheShards]cacheShard[K, V]
}

type cacheShard[K comparable, V any] struct {
	mu     sync.Mutex
	newest uint64 // view
	lru    *simplelru.LRU[K, cacheEntry[V]]
	max    int64 // bytes
	stats  graph.CacheStats
}

type cacheEntry[V any] struct {
	val   V
	since uint64 // view
	size  int64  // bytes
}

func (c *cache[K, V]) init(size int64, hash func(K) uint64) {
	c.hash = hash
	for i := range c.shards {
		c.shards[i].max = size / cacheShards
	}
	c.forget()
}

// forget drops all entries, and the room for them.
func (c *cache[K, V]) forget() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		// The list is bounded by bytes, of which an entry takes some in any event.
		// It refuses no size but 0.
		s.lru, _ = simplelru.NewLRU(int(s.max/entryBytes)+1, func(_ K, e cacheEntry[V]) { s.stats.Bytes -= e.size })
		s.stats.Bytes = 0
		s.mu.Unlock()
	}
}

func (c *cache[K, V]) shard(key K) *cacheShard[K, V] { return &c.shards[c.hash(key)%cacheShards] }

// get returns what a key holds in a view.
func (c *cache[K, V]) get(key K, view uint64) (val V, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.lru.Get(key)
	if !ok || e.since > view {
		s.stats.Misses++
		return val, false
	}
	s.stats.Hits++
	return e.val, true
}

// add keeps what was read in a view, unless a newer one is there.
func (c *cache[K, V]) add(key K, view uint64, val V, size int64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if view == s.newest {
		s.put(key, cacheEntry[V]{val, view, size})
	}
}

// put keeps an entry unless it would drive out a large part of the others.
func (s *cacheShard[K, V]) put(key K, e cacheEntry[V]) {
	s.lru.Remove(key)
	if e.size > s.max/4 {
		return
	}
	s.lru.Add(key, e)
	for s.stats.Bytes += e.size; s.stats.Bytes > s.max; {
		s.lru.RemoveOldest()
	}
}

// publish lets nobody add who reads a view before that one.
func (c *cache[K, V]) publish(view uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.newest = view
		s.mu.Unlock()
	}
}

func (c *cache[K, V]) drop(key K) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(key)
}

// replace puts what a key holds from a view on in the place of what it held
// before, if that is kept.
func (c *cache[K, V]) replace(key K, view uint64, val V, size int64, gone bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.lru.Contains(key):
	case gone:
		s.lru.Remove(key)
	default:
		s.put(key, cacheEntry[V]{val, view, size})
	}
}

func (c *cache[K, V]) stats() (sum graph.CacheStats) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		sum.Hits += s.stats.Hits
		sum.Misses += s.stats.Misses
		sum.Bytes += s.stats.Bytes
		s.mu.Unlock()
	}
	return sum
}

// entryBytes is what an entry takes besides its key and value: its places in a
// list and in a map.
const entryBytes = 160

// size returns about the bytes that the record takes in the cache.
func (r *knownRecord) size(key string) int64 {
	n := entryBytes + int(unsafe.Sizeof(*r)) + 2*len(key) + len(r.named.Text)
	n += cap(r.newest)*int(unsafe.Sizeof(graph.Sighting{})) + cap(r.firsts)*int(unsafe.Sizeof(first{}))
	if r.mark != nil {
		n += int(unsafe.Sizeof(mark{}))
	}
	if r.holders != nil {
		n += int(unsafe.Sizeof(graph.Holders{}))
		for _, tenants := range [2][]string{r.holders.Live, r.holders.Withheld} {
			for _, t := range tenants {
				n += int(unsafe.Sizeof(t)) + len(t)
			}
		}
	}
	if r.held != nil {
		n += int(unsafe.Sizeof(heldBefore{}))
		for i := range r.held.By {
			h := &r.held.By[i]
			n += int(unsafe.Sizeof(*h)) + len(h.Tenant) + cap(h.Roles)*int(unsafe.Sizeof(""))
		}
	}
	for i := range r.newest {
		n += len(r.newest[i].Tenant) + len(r.newest[i].Case)
	}
	return int64(n)
}

// profileBytes returns about the bytes that a profile takes which was decoded
// from that many.
func profileBytes(p *evidence.Profile, stored int) int64 {
	n := entryBytes + int(unsafe.Sizeof(*p)) + stored + 2*len(p.Tenant) + 2*len(p.Case)
	n += cap(p.Sightings) * int(unsafe.Sizeof(evidence.Sighting{}))
	for i := range p.Sightings {
		s := &p.Sightings[i]
		n += 16 * (len(s.Techniques) + len(s.Written))
	}
	return int64(n)
}
