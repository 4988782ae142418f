package link

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// World is all live cases at once, as far as pairs of different tenants depend
// on them: what a Scorer reads piece by piece, in numbers, so that every pair can
// be scored on all cores. It takes about 300 bytes a case, 30 a sighting of a
// value that two tenants have or more, 40 an address or a name whose network or
// domain is in two cases, 300 a name of a mail rule, 250 the content of one and 350 a
// value of two tenants. Until it is sealed it takes 32 for every address and name;
// other values take nothing.
//
// First come all values, then all cases, then Seal. Values and cases may come
// from several goroutines.
type World struct {
	model           *Model
	caps            Caps
	representatives int
	classifier      Classifier
	n               uint32
	prior           int32

	seed   maphash.Seed
	shards [64]shard
	values []*value // by number
	near   *nearKeys
	mu     sync.Mutex
	cases  []*worldCase
}

// shard is a part of the values while they come.
type shard struct {
	mu     sync.Mutex
	number map[evidence.Value]uint32
	values []*value
}

// worldCase is a case of a World.
type worldCase struct {
	side
	revision uint32
	// lasts are the last sightings, in Unix seconds, by place among the keys;
	// gone once the world is sealed.
	lasts []uint32
}

// NewWorld returns a world without cases. size is that of Corpus, representatives
// the number of cases that stand for a tenant on a value.
func NewWorld(m *Model, caps Caps, representatives int, classes Classifier, size uint32) *World {
	caps.CandidateTenants = min(caps.CandidateTenants, 64)
	w := &World{
		model: m, caps: caps, representatives: min(representatives, maxRepresentatives), classifier: classes,
		n: CorpusN(size), seed: maphash.MakeSeed(), near: newNearKeys(m, size),
	}
	w.prior = log2Millibits(float64(m.siblings / float64(w.n)))
	for i := range w.shards {
		w.shards[i].number = make(map[evidence.Value]uint32)
	}
	return w
}

func (w *World) shard(v evidence.Value) (uint32, *shard) {
	i := uint32(maphash.String(w.seed, v.Text) % uint64(len(w.shards)))
	return i, &w.shards[i]
}

// AddValue adds a value that live cases of two tenants or more have.
func (w *World) AddValue(v evidence.Value, tenants, cases uint32) {
	_, sh := w.shard(v)
	out := w.model.newValue(v, w.classifier.Class(v))
	// Reasons are for people, who never see this.
	out.class.Reasons = nil
	out.tenants, out.cases, out.known = tenants, cases, true
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.number[v] = uint32(len(sh.values))
	sh.values = append(sh.values, out)
}

// number returns the number of a value, unless it is in one tenant only.
func (w *World) number(v evidence.Value) (uint64, bool) {
	i, sh := w.shard(v)
	n, ok := sh.number[v]
	return uint64(n)*uint64(len(w.shards)) + uint64(i), ok
}

// AddCase adds a live case. Nothing of p is kept but text.
func (w *World) AddCase(p *evidence.Profile, revision uint32, trust float64) {
	var order []keyed
	for i := range p.Sightings {
		if n, ok := w.number(p.Sightings[i].Value); ok {
			order = append(order, keyed{n, int32(i)})
		}
	}
	c := &worldCase{side: *w.model.newSide(p, order, make(map[evidence.Kind]int), w.seed), revision: revision}
	c.trust = min(1, max(0, trust))
	for i := range c.themed {
		// Or the whole record that the profile was read from stays.
		c.themed[i].name = strings.Clone(c.themed[i].name)
	}
	w.settle(c, p)
	c.lasts = make([]uint32, len(c.keys))
	for k := range c.lasts {
		if last := p.Sightings[c.sights[k].at].Last; !last.IsZero() {
			c.lasts[k] = uint32(min(max(last.Unix(), 1), math.MaxUint32))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cases = append(w.cases, c)
}

// Seal makes the world ready, on that many goroutines. Nothing may come after.
func (w *World) Seal(workers int) error {
	slices.SortFunc(w.cases, func(x, y *worldCase) int { return x.Compare(y.Ref) })
	w.pruneNear()
	most := 0
	for i := range w.shards {
		most = max(most, len(w.shards[i].values))
	}
	w.values = make([]*value, most*len(w.shards))
	for i := range w.shards {
		for k, v := range w.shards[i].values {
			w.values[k*len(w.shards)+i] = v
		}
		w.shards[i] = shard{}
	}
	on := w.members()
	err := w.each(workers, func(s *Scorer, v *value, number int) {
		if int(v.tenants) <= w.caps.CandidateTenants {
			w.stand(v, on[number])
		}
	})
	if err != nil {
		return err
	}
	for _, c := range w.cases {
		c.lasts = nil
	}
	return w.each(workers, func(s *Scorer, v *value, _ int) {
		if v.tenants > 2 && int(v.tenants) <= w.caps.CandidateTenants && !v.weightless {
			s.explainAll(v)
		}
	})
}

// errPanic is the error of a world that could not be sealed.
var errPanic = errors.New("panic while cases were compared")

// each calls f for every value, on several goroutines.
func (w *World) each(workers int, f func(s *Scorer, v *value, number int)) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			defer func() {
				// What was panicked with may hold a value of a case.
				if recover() != nil {
					err := fmt.Errorf("%w\n%s", errPanic, debug.Stack())
					failed.Store(&err)
				}
			}()
			s := w.Scorer()
			for {
				const chunk = 256
				from := int(next.Add(chunk)) - chunk
				if from >= len(w.values) {
					return
				}
				for n, v := range w.values[from:min(from+chunk, len(w.values))] {
					if v != nil {
						f(s, v, from+n)
					}
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// member is a case on a value.
type member struct{ at, last uint32 }

// members returns the cases on each value, by number, in order of Ref.
func (w *World) members() [][]member {
	count := make([]uint32, len(w.values))
	total := 0
	for _, c := range w.cases {
		for _, key := range c.keys {
			count[key]++
		}
		total += len(c.keys)
	}
	all := make([]member, total)
	on := make([][]member, len(w.values))
	for i, n := range count {
		on[i], all = all[:0:n], all[n:]
	}
	for i, c := range w.cases {
		for k, key := range c.keys {
			on[key] = append(on[key], member{uint32(i), c.lasts[k]})
		}
	}
	return on
}

// stand sets the representatives of a value: of each tenant the cases with the
// latest sighting, ties by id.
func (w *World) stand(v *value, on []member) {
	var chosen []member
	for len(on) > 0 {
		tenant := w.cases[on[0].at].Tenant
		n := 1
		for n < len(on) && w.cases[on[n].at].Tenant == tenant {
			n++
		}
		// Stable, so that ties stay in order of id.
		slices.SortStableFunc(on[:n], func(x, y member) int { return int(int64(y.last) - int64(x.last)) })
		chosen = append(chosen, on[:min(n, w.representatives)]...)
		on = on[n:]
	}
	refs := make([]evidence.Ref, len(chosen))
	for i, m := range chosen {
		refs[i] = w.cases[m.at].Ref
	}
	v.stand(refs)
	for i := range v.on {
		v.on[i] = &w.cases[chosen[i].at].side
	}
}

// explainAll fills explained for every representative of a value.
func (s *Scorer) explainAll(v *value) {
	for i, x := range v.on {
		v.done[i] = true
		for k := i + 1; k < len(v.on); k++ {
			if v.tenantOf[k] == v.tenantOf[i] || x.bulk || v.on[k].bulk {
				continue
			}
			// Nothing is read in a world, so nothing can go wrong.
			if shares, _ := s.explains(v, x, v.on[k]); shares {
				v.explained[i] |= 1 << v.tenantOf[k]
				v.explained[k] |= 1 << v.tenantOf[i]
			}
		}
	}
}

// Scorer returns a scorer on a sealed world, for one goroutine.
func (w *World) Scorer() *Scorer {
	return &Scorer{model: w.model, caps: w.caps, classifier: w.classifier, n: w.n, prior: w.prior, world: w, corpus: sealed{}}
}

// Cases returns the number of cases.
func (w *World) Cases() int { return len(w.cases) }

// Case returns case i, in order of Ref, and its revision.
func (w *World) Case(i int) (evidence.Ref, uint32) { return w.cases[i].Ref, w.cases[i].revision }

// Find returns the place of a case, or where it would be.
func (w *World) Find(ref evidence.Ref) (i int, found bool) {
	return slices.BinarySearchFunc(w.cases, ref, func(c *worldCase, r evidence.Ref) int { return c.Compare(r) })
}

// PairsOf yields the pairs to keep of which case i of a world is the smaller end,
// in no promised order. An error is the last element.
func (s *Scorer) PairsOf(i int) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		a := &s.world.cases[i].side
		for _, key := range a.keys {
			v := s.world.values[key]
			if proposes, _ := s.proposes(v); !proposes || v.position(a.Ref) < 0 {
				continue
			}
			for k := v.of(a.Tenant); k < len(v.on); k++ {
				b := v.on[k]
				if b.Tenant == a.Tenant {
					continue
				}
				s.meet(a, b)
				if s.first() != v {
					continue
				}
				o, err := s.keep()
				if (o.Kept || err != nil) && !yield(o, err) || err != nil {
					return
				}
			}
		}
	}
}

// first returns the first common value that proposes the pair that met.
func (s *Scorer) first() *value {
	for _, at := range s.shared {
		v := s.world.values[s.a.keys[at.a]]
		if proposes, _ := s.proposes(v); proposes && (len(s.shared) == 1 || v.position(s.a.Ref) >= 0 && v.position(s.b.Ref) >= 0) {
			return v
		}
	}
	return nil
}

// sealed is the corpus behind a world: there is nothing to read.
type sealed struct{}

var errSealed = errors.New("a world is all there is")

func (sealed) Size() (uint32, error)                                    { return 0, errSealed }
func (sealed) Spread(evidence.Value) (tenants, cases uint32, err error) { return 0, 0, errSealed }
func (sealed) Representatives(evidence.Value) ([]evidence.Ref, error)   { return nil, errSealed }
func (sealed) CasesOf(evidence.Value, string, int) (int, error)         { return 0, errSealed }
func (sealed) Profile(evidence.Ref) (*evidence.Profile, error)          { return nil, errSealed }
func (sealed) Outline(evidence.Ref) (*evidence.Profile, error)          { return nil, errSealed }
func (sealed) Overlap(evidence.Ref, *evidence.Profile) (*evidence.Profile, error) {
	return nil, errSealed
}
func (sealed) Trust(string) (float64, error) { return 0, errSealed }
