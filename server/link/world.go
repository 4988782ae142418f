package link

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// World is all live cases at once, as far as pairs of different tenants depend
// on them: what a Scorer reads piece by piece, in numbers, so that every pair can
// be scored on all cores. It takes about 290 bytes a case and 80 more where it has a
// mail rule, 16 a sighting of a value that two tenants have or more and 17 more where
// the case stands for its tenant, 24 an address or a name that may be near another, 16
// the name of a mail rule and 280 for a new one, 250 the content of one and 240 a value
// of two tenants; other values take nothing.
//
// First come all values, each once, then all cases, then Seal. Values and cases may
// come from several goroutines.
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
	cases  []*side
	room   worldRoom
	// reducing has room for reducing cases to numbers, for each goroutine that does.
	reducing sync.Pool
}

// reducing is room that is used again and again.
type reducing struct {
	order []keyed
	kinds map[evidence.Kind]int
	// numbers are one more than those of the values of the sightings, 0 without one.
	numbers []uint32
}

// shard is a part of the values while they come.
type shard struct {
	mu     sync.Mutex
	number map[evidence.Value]uint32
	values []*value
	room   slab[value]
	// classes are those of the values, each once.
	classes map[classKey]*Class
}

// classKey is a class without its reasons, which are for people, who never see a World.
type classKey struct {
	name                   string
	alpha, alphaReferenced float64
	asn                    uint32
}

// class returns the class that stands for all that are equal.
func (sh *shard) class(c *Class) *Class {
	key := classKey{c.Name, c.Alpha, c.AlphaReferenced, c.ASN}
	one := sh.classes[key]
	if one == nil {
		one = &Class{Name: c.Name, Alpha: c.Alpha, AlphaReferenced: c.AlphaReferenced, ASN: c.ASN}
		sh.classes[key] = one
	}
	return one
}

// NewWorld returns a world without cases. size is that of Corpus, representatives
// the number of cases that stand for a tenant on a value.
func NewWorld(m *Model, caps Caps, representatives int, classes Classifier, size uint32) *World {
	caps.CandidateTenants = min(caps.CandidateTenants, 64)
	w := &World{
		model: m, caps: caps, representatives: min(representatives, maxRepresentatives), classifier: classes,
		n: CorpusN(size), seed: maphash.MakeSeed(), near: newNearKeys(m, size), room: newWorldRoom(),
	}
	w.prior = log2Millibits(float64(m.siblings / float64(w.n)))
	for i := range w.shards {
		w.shards[i].number, w.shards[i].classes = make(map[evidence.Value]uint32), make(map[classKey]*Class)
	}
	return w
}

func (w *World) shard(v evidence.Value) (uint32, *shard) {
	i := uint32(maphash.String(w.seed, v.Text) % uint64(len(w.shards)))
	return i, &w.shards[i]
}

// AddAlone adds an address, a network or a name that live cases of one tenant have:
// others may be near it.
func (w *World) AddAlone(v evidence.Value) { w.addNear(v) }

// AddValue adds a value that live cases of two tenants or more have.
func (w *World) AddValue(v evidence.Value, tenants, cases uint32) {
	w.addNear(v)
	_, sh := w.shard(v)
	out := *w.model.newValue(v, w.classifier.Class(v))
	out.tenants, out.cases, out.known = tenants, cases, true
	sh.mu.Lock()
	defer sh.mu.Unlock()
	out.class = sh.class(out.class)
	sh.number[v] = uint32(len(sh.values))
	sh.values = append(sh.values, sh.room.one(out))
}

// number returns the number of a value, unless it is in one tenant only.
func (w *World) number(v evidence.Value) (uint32, bool) {
	i, sh := w.shard(v)
	n, ok := sh.number[v]
	return n*uint32(len(w.shards)) + i, ok
}

// AddCase adds a live case. Nothing of p is kept but text.
func (w *World) AddCase(p *evidence.Profile, revision uint32, trust float64) {
	room, _ := w.reducing.Get().(*reducing)
	if room == nil {
		room = &reducing{kinds: make(map[evidence.Kind]int)}
	}
	defer w.reducing.Put(room)
	room.order, room.numbers = room.order[:0], slices.Grow(room.numbers[:0], len(p.Sightings))[:len(p.Sightings)]
	for i := range p.Sightings {
		n, ok := w.number(p.Sightings[i].Value)
		if room.numbers[i] = 0; ok {
			room.order = append(room.order, keyed{n, int32(i)})
			room.numbers[i] = n + 1
		}
	}
	c := w.model.newSide(p, room.order, room.kinds, w.seed)
	c.trust, c.revision = min(1, max(0, trust)), revision
	w.settle(c, p, room.numbers)
	for k := range c.sights {
		last := p.Sightings[c.sights[k].at].Last
		if c.sights[k].at = 0; !last.IsZero() {
			c.sights[k].at = uint32(min(max(last.Unix(), 1), math.MaxUint32))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cases = append(w.cases, w.room.keep(*c))
}

// Seal makes the world ready, on that many goroutines. Nothing may come after.
func (w *World) Seal(workers int) error {
	w.near.once, w.near.again = nil, nil
	slices.SortFunc(w.cases, func(x, y *side) int { return x.Compare(y.Ref) })
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
	w.room = worldRoom{}
	on := w.members()
	err := w.each(workers, func(_ *Scorer, room *standingRoom, v *value, number int) {
		if int(v.tenants) <= w.caps.CandidateTenants {
			w.stand(v, on.of(number), room)
		}
	})
	if err != nil {
		return err
	}
	return w.each(workers, func(s *Scorer, room *standingRoom, v *value, _ int) {
		if v.tenants > 2 && int(v.tenants) <= w.caps.CandidateTenants && !v.weightless {
			s.explainAll(v, room)
		}
	})
}

// errPanic is the error of a world that could not be sealed.
var errPanic = errors.New("panic while cases were compared")

// each calls f for every value, on several goroutines.
func (w *World) each(workers int, f func(s *Scorer, room *standingRoom, v *value, number int)) error {
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
			var room standingRoom
			for {
				const chunk = 256
				from := int(next.Add(chunk)) - chunk
				if from >= len(w.values) {
					return
				}
				for n, v := range w.values[from:min(from+chunk, len(w.values))] {
					if v != nil {
						f(s, &room, v, from+n)
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

// members are the cases on each value that may propose pairs, in order of Ref.
type members struct {
	all []member
	// ends are where those of each value end, by number.
	ends []uint32
}

func (m *members) of(number int) []member {
	from := uint32(0)
	if number > 0 {
		from = m.ends[number-1]
	}
	return m.all[from:m.ends[number]]
}

func (w *World) members() members {
	m := members{ends: make([]uint32, len(w.values)+1)}
	proposes := func(key uint32) bool { return int(w.values[key].tenants) <= w.caps.CandidateTenants }
	// First ends has, one place ahead, how many there are, then where they begin;
	// each that is put there moves that on.
	for _, c := range w.cases {
		for _, key := range c.keys {
			if proposes(key) {
				m.ends[key+1]++
			}
		}
	}
	for i := range w.values {
		m.ends[i+1] += m.ends[i]
	}
	m.all = make([]member, m.ends[len(w.values)])
	for i, c := range w.cases {
		for k, key := range c.keys {
			if proposes(key) {
				m.all[m.ends[key]] = member{uint32(i), c.sights[k].at}
				m.ends[key]++
			}
		}
	}
	return m
}

// stand sets the representatives of a value: of each tenant the cases with the
// latest sighting, ties by id.
func (w *World) stand(v *value, on []member, room *standingRoom) {
	room.sides, room.tenantOf = room.sides[:0], room.tenantOf[:0]
	for tenants := 0; len(on) > 0 && tenants < 64; tenants++ {
		tenant := w.cases[on[0].at].Tenant
		n := 1
		for n < len(on) && w.cases[on[n].at].Tenant == tenant {
			n++
		}
		// Stable, so that ties stay in order of id.
		slices.SortStableFunc(on[:n], func(x, y member) int { return int(int64(y.last) - int64(x.last)) })
		for _, m := range on[:min(n, w.representatives)] {
			room.sides = append(room.sides, w.cases[m.at])
			room.tenantOf = append(room.tenantOf, uint8(tenants))
		}
		on = on[n:]
	}
	v.on, v.tenantOf, v.read = room.on.keep(room.sides), room.of.keep(room.tenantOf), true
}

// explainAll fills explained for every representative of a value.
func (s *Scorer) explainAll(v *value, room *standingRoom) {
	v.explained = room.explained.take(len(v.on))
	for i, x := range v.on {
		v.explained[i] |= 1 << v.tenantOf[i]
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
	return slices.BinarySearchFunc(w.cases, ref, func(c *side, r evidence.Ref) int { return c.Compare(r) })
}

// PairsOf yields the pairs to keep of which case i of a world is the smaller end,
// in no promised order. An error is the last element.
func (s *Scorer) PairsOf(i int) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		a := s.world.cases[i]
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

// Revisions returns those of the two cases of the outcome that was yielded last.
func (s *Scorer) Revisions() (a, b uint32) { return s.a.revision, s.b.revision }

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
