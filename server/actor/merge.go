package actor

import "slices"

// bond is what holds two clusters of a component together: the gain of merging
// them. There is one for every two clusters with a pair between them that is
// known of; without one there is nothing to gain.
type bond struct {
	gain int64
	// key is the gain by which the bond stands in the queue. It may be too high,
	// never too low: most changes lower a gain a little, and few bonds ever reach
	// the front.
	key    int64
	lo, hi int32 // the clusters, each named by its smallest case
	at     int32 // place in the queue, or one of the two below
	barred bool  // a refuted pair lies between the clusters
}

const (
	unqueued = -1
	dead     = -2 // one of its clusters is gone
)

func (b *bond) other(c int32) int32 {
	if b.lo == c {
		return b.hi
	}
	return b.lo
}

// merger merges the clusters of one component. Cases and clusters are numbered
// by their place among the component's members.
type merger struct {
	spans   []Span
	members [][]int32 // of a cluster
	bonds   []bond
	of      [][]int32 // bonds of a cluster, dead ones among them
	queue   queue
	mark    []int32 // scratch: 1 + the bond of the growing cluster with another
}

// merge finds the actors of a component.
func (p *partition) merge(c component, threshold int32) {
	m := p.newMerger(c, threshold)
	for {
		b, ok := m.best()
		if !ok {
			break
		}
		m.join(b)
	}
	for _, cluster := range m.members {
		out := make([]int32, len(cluster))
		for i, n := range cluster {
			out[i] = c.members[n]
		}
		slices.Sort(out)
		p.add(out, threshold)
	}
}

func (p *partition) newMerger(c component, threshold int32) *merger {
	n := len(c.members)
	m := &merger{spans: make([]Span, n), members: make([][]int32, n), of: make([][]int32, n), mark: make([]int32, n)}
	for i, x := range c.members {
		p.local[x] = int32(i)
		m.spans[i] = p.cases[x].Active
	}
	// Members are sorted, so the first case with a leader names its cluster.
	first := make([]int32, n)
	for i := range first {
		first[i] = -1
	}
	cluster := make([]int32, n)
	for i, x := range c.members {
		leader := p.local[p.leader[x]]
		if first[leader] < 0 {
			first[leader] = int32(i)
		}
		cluster[i] = first[leader]
		m.members[cluster[i]] = append(m.members[cluster[i]], int32(i))
	}
	m.bond(p.forces(c, cluster, m.spans, threshold))
	return m
}

// force is what a known pair between two clusters adds to what an absent one
// would.
type force struct {
	lo, hi int32
	nanos  int64
	bars   bool
}

// forces returns the known pairs between clusters, sorted by the clusters.
func (p *partition) forces(c component, cluster []int32, spans []Span, threshold int32) []force {
	out := make([]force, 0, len(c.pairs)+len(c.apart))
	add := func(a, b int32, f force) {
		f.lo, f.hi = cluster[p.local[a]], cluster[p.local[b]]
		if f.lo == f.hi {
			return
		}
		if f.lo > f.hi {
			f.lo, f.hi = f.hi, f.lo
		}
		out = append(out, f)
	}
	for i := range c.pairs {
		x := &c.pairs[i]
		absent := repel(spans[p.local[x.a]].gap(spans[p.local[x.b]]))
		add(x.a, x.b, force{nanos: x.pull(threshold, absent) + absent})
	}
	for _, x := range c.apart {
		add(x[0], x[1], force{bars: true})
	}
	order := func(x, y force) int { return compareEnds(x.lo, x.hi, y.lo, y.hi) }
	if !slices.IsSortedFunc(out, order) {
		slices.SortFunc(out, order)
	}
	return out
}

// pull returns what a pair says for merging. One that is not strong never pulls,
// and it repels by what an absent pair does at most: sharing something weak must
// not hold two cases further apart than sharing nothing.
func (x *pair) pull(threshold int32, absent int64) int64 {
	nanos := int64(x.millibits) * nanosPerMillibit
	if x.pulls && x.millibits > threshold {
		return min(nanos, maxPull)
	}
	return max(min(nanos, 0), -absent)
}

// bond makes the bonds that forces, sorted by clusters, give.
func (m *merger) bond(forces []force) {
	m.bonds = make([]bond, 0, len(forces))
	degree := make([]int32, len(m.of))
	for i := 0; i < len(forces); {
		b := bond{lo: forces[i].lo, hi: forces[i].hi, at: unqueued}
		for ; i < len(forces) && forces[i].lo == b.lo && forces[i].hi == b.hi; i++ {
			b.gain += forces[i].nanos
			b.barred = b.barred || forces[i].bars
		}
		if !b.barred {
			b.gain -= m.repulsion(b.lo, b.hi)
		}
		m.bonds = append(m.bonds, b)
		degree[b.lo]++
		degree[b.hi]++
	}
	for c := range m.of {
		m.of[c] = make([]int32, 0, degree[c])
	}
	m.queue = make(queue, 0, len(m.bonds))
	for i := range m.bonds {
		b := &m.bonds[i]
		m.of[b.lo] = append(m.of[b.lo], int32(i))
		m.of[b.hi] = append(m.of[b.hi], int32(i))
		m.requeue(int32(i))
	}
}

// repulsion returns by how much two clusters would repel each other if no pair
// between them were known.
func (m *merger) repulsion(c, d int32) int64 {
	var sum int64
	for _, x := range m.members[c] {
		span := m.spans[x]
		for _, y := range m.members[d] {
			sum += repel(span.gap(m.spans[y]))
		}
	}
	return sum
}

// best takes the bond with the largest gain; ok is false if nothing is to gain.
func (m *merger) best() (b int32, ok bool) {
	for len(m.queue) > 0 {
		b := m.queue[0]
		x := &m.bonds[b]
		switch {
		case x.gain <= 0:
			m.unqueue(b)
		case x.gain < x.key:
			x.key = x.gain
			m.down(0)
		default:
			return b, true
		}
	}
	return 0, false
}

// join merges the two clusters of a bond into the one with the smaller name.
func (m *merger) join(b int32) {
	into, from := m.bonds[b].lo, m.bonds[b].hi
	m.kill(b)
	kept := m.alive(into)
	for _, i := range kept {
		m.mark[m.bonds[i].other(into)] = i + 1
	}
	grown := kept
	for _, i := range m.alive(from) {
		x := &m.bonds[i]
		c := x.other(from)
		if known := m.mark[c]; known != 0 {
			m.mark[c] = 0
			m.fuse(known-1, i)
			continue
		}
		if !x.barred {
			x.gain -= m.repulsion(into, c)
		}
		x.lo, x.hi = min(into, c), max(into, c)
		m.requeue(i)
		grown = append(grown, i)
	}
	for _, i := range kept {
		x := &m.bonds[i]
		c := x.other(into)
		if m.mark[c] == 0 {
			continue
		}
		m.mark[c] = 0
		if !x.barred {
			x.gain -= m.repulsion(from, c)
		}
	}
	m.of[into], m.of[from] = grown, nil
	m.members[into] = append(m.members[into], m.members[from]...)
	m.members[from] = nil
}

// fuse adds a bond to one between the same clusters.
func (m *merger) fuse(into, from int32) {
	x, y := &m.bonds[into], &m.bonds[from]
	x.gain += y.gain
	x.barred = x.barred || y.barred
	m.kill(from)
	m.requeue(into)
}

// alive returns the bonds of a cluster, forgetting the dead.
func (m *merger) alive(c int32) []int32 {
	m.of[c] = slices.DeleteFunc(m.of[c], func(b int32) bool { return m.bonds[b].at == dead })
	return m.of[c]
}

func (m *merger) kill(b int32) {
	m.unqueue(b)
	m.bonds[b].at = dead
}
