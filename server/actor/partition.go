package actor

import (
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

const (
	// maxComponent is how many cases may hang together at one threshold; the
	// work of merging grows with the square.
	maxComponent = 5_000
	// Thresholds rise by one bit. No model scores above 64 bits: that would be
	// one chance in 2^64.
	thresholdStep = 1_000 // millibits
	maxThreshold  = 64 * thresholdStep
	// onlyConfirmed is a threshold that no score exceeds.
	onlyConfirmed = math.MaxInt32
)

// partition divides a world into actors.
type partition struct {
	*world
	rules
	limit int
	// home is, of every case, 1 + the number of its actor in found; 0 if it
	// stands alone.
	home  []int32
	found []foundActor
	local []int32 // scratch: place of a case within its component
}

type foundActor struct {
	members   []int32 // sorted
	threshold int32
}

// component is a set of cases that hang together, with the pairs among them.
type component struct {
	members []int32 // sorted
	pairs   []pair
	apart   [][2]int32
}

func (p *partition) all() {
	p.local = make([]int32, len(p.cases))
	whole := component{members: make([]int32, len(p.cases)), pairs: p.pairs, apart: p.apart}
	for i := range whole.members {
		whole.members[i] = int32(i)
	}
	p.divide(whole, 0)
	slices.SortFunc(p.found, func(x, y foundActor) int { return int(x.members[0]) - int(y.members[0]) })
	for i, f := range p.found {
		for _, m := range f.members {
			p.home[m] = int32(i + 1)
		}
	}
}

// divide finds the actors of a set of cases, where pairs pull above a threshold.
func (p *partition) divide(whole component, threshold int32) {
	for _, c := range p.components(whole, threshold) {
		switch {
		case threshold == onlyConfirmed:
			p.add(c.members, threshold)
		case len(c.members) <= p.limit:
			p.merge(c, threshold)
		case threshold >= maxThreshold:
			p.divide(c, onlyConfirmed)
		default:
			p.divide(c, threshold+thresholdStep)
		}
	}
}

func (p *partition) add(members []int32, threshold int32) {
	if len(members) > 1 {
		p.found = append(p.found, foundActor{members, threshold})
	}
}

// components divides a set of cases into those that pairs above the threshold
// and confirms connect, leaving out cases that stand alone.
func (p *partition) components(whole component, threshold int32) []component {
	up := make([]int32, len(whole.members))
	for i, m := range whole.members {
		p.local[m], up[i] = int32(i), int32(i)
	}
	top := func(n int32) int32 {
		for up[n] != n {
			up[n] = up[up[n]]
			n = up[n]
		}
		return n
	}
	join := func(a, b int32) {
		x, y := top(p.local[a]), top(p.local[b])
		up[max(x, y)] = min(x, y)
	}
	for _, m := range whole.members {
		join(m, p.leader[m])
	}
	for i := range whole.pairs {
		if x := &whole.pairs[i]; x.pulls && x.millibits > threshold {
			join(x.a, x.b)
		}
	}

	size := make([]int32, len(up))
	for i := range up {
		size[top(int32(i))]++
	}
	at := make([]int32, len(up)) // of a top: the number of its component
	var out []component
	for i, n := range size {
		at[i] = -1
		if n > 1 {
			at[i] = int32(len(out))
			out = append(out, component{members: make([]int32, 0, n)})
		}
	}
	of := func(m int32) int32 { return at[top(p.local[m])] }
	for _, m := range whole.members {
		if c := of(m); c >= 0 {
			out[c].members = append(out[c].members, m)
		}
	}
	within := func(a, b int32) int32 {
		if !p.known(b) || of(a) != of(b) {
			return -1
		}
		return of(a)
	}
	pairs := make([]int, len(out))
	for i := range whole.pairs {
		if c := within(whole.pairs[i].a, whole.pairs[i].b); c >= 0 {
			pairs[c]++
		}
	}
	for c := range out {
		out[c].pairs = make([]pair, 0, pairs[c])
	}
	for _, x := range whole.pairs {
		if c := within(x.a, x.b); c >= 0 {
			out[c].pairs = append(out[c].pairs, x)
		}
	}
	for _, x := range whole.apart {
		if c := within(x[0], x[1]); c >= 0 {
			out[c].apart = append(out[c].apart, x)
		}
	}
	return out
}

// actors describes what was found.
func (p *partition) actors() []Actor {
	if len(p.found) == 0 {
		return nil
	}
	out := make([]Actor, len(p.found))
	for i, f := range p.found {
		a := &out[i]
		a.Threshold = f.threshold
		a.Members = make([]evidence.Ref, len(f.members))
		founder := &p.cases[f.members[0]]
		for k, m := range f.members {
			a.Members[k] = p.cases[m].Ref
			if c := &p.cases[m]; compareFounders(c, founder) < 0 {
				founder = c
			}
		}
		a.Founder = founder.Ref
	}
	for _, x := range p.pairs {
		if x.tier < link.Probable || x.refuted {
			continue
		}
		a, b := p.homeOf(x.a), p.homeOf(x.b)
		if a == b {
			continue
		}
		p.candidate(out, a, x, x.a, x.b)
		p.candidate(out, b, x, x.b, x.a)
	}
	for i := range out {
		slices.SortFunc(out[i].Candidates, compareCandidates)
	}
	return out
}

func (p *partition) homeOf(n int32) int32 {
	if !p.known(n) {
		return 0
	}
	return p.home[n]
}

func (p *partition) candidate(actors []Actor, home int32, x pair, member, other int32) {
	if home == 0 {
		return
	}
	a := &actors[home-1]
	a.Candidates = append(a.Candidates, Candidate{p.ref(member), p.ref(other), x.millibits, x.tier})
}
