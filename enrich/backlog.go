package enrich

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"
)

// retryQuota is how long a backlog rests after a quota that names no time.
const retryQuota = 15 * time.Minute

// Backlog asks third parties about values that nobody waits for, those first
// whose answer is expected to change scores most. It lies in memory: offer again
// after a restart what is still of interest.
type Backlog struct {
	enricher *Enricher
	size     int

	mu     sync.Mutex
	queue  waitingHeap
	places map[Value]*waiting
	wake   chan struct{}
	serial uint64
}

// waiting is a value in the backlog.
type waiting struct {
	value  Value
	ask    Ask
	change float64
	serial uint64 // arrival, for equal changes
	index  int    // in the heap
}

// NewBacklog returns a backlog of at most size values.
func NewBacklog(e *Enricher, size int) *Backlog {
	return &Backlog{enricher: e, size: max(1, size), places: make(map[Value]*waiting), wake: make(chan struct{}, 1)}
}

// Offer adds a value. change is the expected change of a score in bits; of two
// offers of a value the larger counts. A full backlog drops what changes least,
// which may be this one. ask says on whose behalf; its purpose is Background.
func (b *Backlog) Offer(ask Ask, v Value, change float64) {
	if math.IsNaN(change) {
		change = 0
	}
	ask.Purpose, ask.MaxLookups = Background, 1
	v = v.Normal()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	if w, ok := b.places[v]; ok {
		if change > w.change {
			w.change, w.ask = change, ask
			heap.Fix(&b.queue, w.index)
		}
		return
	}
	w := &waiting{value: v, ask: ask, change: change, serial: b.serial}
	heap.Push(&b.queue, w)
	b.places[v] = w
	if len(b.queue) > b.size {
		b.drop(b.queue.least())
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Len returns the number of values that wait.
func (b *Backlog) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// Run asks until ctx ends and returns its error. Where a quota is used up it
// rests until that can have changed; what failed otherwise is not asked again
// until it is offered again.
func (b *Backlog) Run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, ok := b.next()
		if !ok {
			select {
			case <-b.wake:
			case <-ctx.Done():
			}
			continue
		}
		rest, spent := quotaRest(b.enricher.One(ctx, w.ask, w.value))
		if !spent {
			continue
		}
		b.Offer(w.ask, w.value, w.change)
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// quotaRest returns how long asking again makes no sense.
func quotaRest(r Record) (rest time.Duration, spent bool) {
	for _, a := range r.Answers {
		if a.Status != Quota {
			continue
		}
		until := time.Until(a.RetryAt)
		if a.RetryAt.IsZero() || until <= 0 {
			until = retryQuota
		}
		rest, spent = max(rest, until), true
	}
	return rest, spent
}

func (b *Backlog) next() (*waiting, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil, false
	}
	w := b.queue[0]
	b.drop(w)
	return w, true
}

func (b *Backlog) drop(w *waiting) {
	heap.Remove(&b.queue, w.index)
	delete(b.places, w.value)
}

// waitingHeap implements heap.Interface, the largest change first.
type waitingHeap []*waiting

func (h waitingHeap) Len() int { return len(h) }

func (h waitingHeap) Less(i, j int) bool {
	if h[i].change != h[j].change {
		return h[i].change > h[j].change
	}
	return h[i].serial < h[j].serial
}

func (h waitingHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waitingHeap) Push(x any) {
	w, ok := x.(*waiting)
	if !ok {
		return
	}
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}

// least returns what changes least; it is among the leaves.
func (h waitingHeap) least() *waiting {
	least := len(h) / 2
	for i := least + 1; i < len(h); i++ {
		if h.Less(least, i) {
			least = i
		}
	}
	return h[least]
}
