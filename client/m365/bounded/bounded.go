// Package bounded keeps a part of a large set that does not depend on the order
// in which the set was read, so that shuffled and split evidence gives the same
// answer also where it is more than memory should hold.
//
// It knows keys and counts. It must not know what they stand for.
package bounded

import (
	"container/heap"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Map holds at most a number of keys: those with the smallest hash, smaller keys
// first where hashes are equal. A key that gives way once never comes back, so
// what is kept of a key is complete. It is not for concurrent use.
type Map[V any] struct {
	limit   int
	entries map[string]*Entry[V]
	largest queue[V] // empty until the map is full
	total   uint64   // calls of At
	kept    uint64   // calls of At for what is still kept
}

// Entry is what is kept of one key.
type Entry[V any] struct {
	Key   string
	Count uint64 // how often At was asked for it
	Value V
	hash  uint64
}

// New returns a Map for at most limit keys.
func New[V any](limit int) *Map[V] {
	return &Map[V]{limit: limit, entries: make(map[string]*Entry[V])}
}

// At counts a key and returns its entry to be changed, or nil if the key is not
// kept.
func (m *Map[V]) At(key string) *Entry[V] {
	m.total++
	e := m.entries[key]
	if e == nil {
		e = m.add(key)
	}
	if e != nil {
		e.Count++
		m.kept++
	}
	return e
}

func (m *Map[V]) add(key string) *Entry[V] {
	// Callers build keys in buffers that they use again.
	e := &Entry[V]{Key: strings.Clone(key), hash: sum(key)}
	if len(m.entries) < m.limit {
		m.entries[e.Key] = e
		return e
	}
	if m.limit == 0 {
		return nil
	}
	if m.largest == nil {
		m.largest = slices.Collect(maps.Values(m.entries))
		heap.Init(&m.largest)
	}
	if before(m.largest[0], e) {
		return nil
	}
	out := m.largest[0]
	delete(m.entries, out.Key)
	m.kept -= out.Count
	m.largest[0] = e
	heap.Fix(&m.largest, 0)
	m.entries[e.Key] = e
	return e
}

// Get returns the entry of a key without counting it, nil if there is none.
func (m *Map[V]) Get(key string) *Entry[V] { return m.entries[key] }

// Len returns how many keys are kept.
func (m *Map[V]) Len() int { return len(m.entries) }

// Left returns how many calls of At were for keys that are not kept.
func (m *Map[V]) Left() uint64 { return m.total - m.kept }

// Total returns how many calls of At there were.
func (m *Map[V]) Total() uint64 { return m.total }

// All yields the entries in order of their keys.
func (m *Map[V]) All() iter.Seq[*Entry[V]] {
	return func(yield func(*Entry[V]) bool) {
		for _, key := range slices.Sorted(maps.Keys(m.entries)) {
			if !yield(m.entries[key]) {
				return
			}
		}
	}
}

// before orders entries by hash, then key.
func before[V any](a, b *Entry[V]) bool {
	if a.hash != b.hash {
		return a.hash < b.hash
	}
	return a.Key < b.Key
}

// sum is FNV-1a; the same in every run.
func sum(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	// The last bytes have not reached all bits yet.
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}

// queue is a heap with the largest entry first.
type queue[V any] []*Entry[V]

func (q queue[V]) Len() int           { return len(q) }
func (q queue[V]) Less(i, j int) bool { return before(q[j], q[i]) }
func (q queue[V]) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue[V]) Push(x any)        { *q = append(*q, x.(*Entry[V])) }
func (q *queue[V]) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// Set is an ordered set of at most a number of smallest elements, and whether
// there were more.
type Set struct {
	elements []string
	more     bool
}

// Add puts s into the set, of which the limit smallest elements are kept.
func (s *Set) Add(element string, limit int) {
	i, found := slices.BinarySearch(s.elements, element)
	switch {
	case found:
	case len(s.elements) < limit:
		s.elements = slices.Insert(s.elements, i, strings.Clone(element))
	default:
		s.more = true
		if i < limit {
			copy(s.elements[i+1:], s.elements[i:limit-1])
			s.elements[i] = strings.Clone(element)
		}
	}
}

// Elements returns what is kept, in order. It must not be changed.
func (s *Set) Elements() []string { return s.elements }

// More reports whether there were elements that are not kept.
func (s *Set) More() bool { return s.more }
