package actor

import (
	"cmp"
	"slices"
)

// Conflict is a review that cannot hold beside newer ones and was set aside.
//
// Reviews are taken newest first, and a review is accepted if it can hold beside
// all those accepted before it. A refute is therefore set aside where newer
// confirms chain its two cases together; where a refute is newer than a confirm
// of the chain that it contradicts, the oldest such confirm is set aside, which
// cuts the chain there.
type Conflict struct {
	SetAside Review
	// Against is the review that SetAside contradicts. Of the newer confirms that
	// chain the two cases together it is the oldest; of the newer refutes between
	// the two chains that a confirm would join, the newest.
	Against Review
}

// rules are the accepted reviews.
type rules struct {
	leader    []int32    // of every case: a case that stands for all confirmed with it
	apart     [][2]int32 // refuted pairs, smaller first, sorted; strangers among them
	conflicts []Conflict
}

// verdict is a review of numbered cases.
type verdict struct {
	Review
	a, b int32 // a < b
}

func compareVerdicts(x, y verdict) int {
	return cmp.Or(y.At.Compare(x.At), compareSame(x, y), compareEnds(x.a, x.b, y.a, y.b))
}

// compareSame puts refutes first: in doubt two cases are kept apart.
func compareSame(x, y verdict) int {
	switch {
	case x.Same == y.Same:
		return 0
	case y.Same:
		return -1
	}
	return 1
}

func (w *world) judge(reviews []Review) rules {
	verdicts := w.latest(reviews)
	c := newChains(len(w.cases))
	r := rules{leader: make([]int32, len(w.cases))}
	aside := func(v verdict, against int) {
		r.conflicts = append(r.conflicts, Conflict{SetAside: v.Review, Against: verdicts[against].Review})
	}
	for i, v := range verdicts {
		if !w.known(v.b) {
			r.apart = append(r.apart, [2]int32{v.a, v.b})
			continue
		}
		a, b := c.top(v.a), c.top(v.b)
		switch {
		case v.Same && a != b:
			if against, ok := c.refuted[a][b]; ok {
				aside(v, against)
				continue
			}
			c.join(a, b, i)
		case !v.Same && a == b:
			aside(v, c.joined(v.a, v.b))
		case !v.Same:
			c.part(a, b, i)
			r.apart = append(r.apart, [2]int32{v.a, v.b})
		}
	}
	for n := range r.leader {
		r.leader[n] = c.top(int32(n))
	}
	slices.SortFunc(r.apart, func(x, y [2]int32) int { return compareEnds(x[0], x[1], y[0], y[1]) })
	slices.SortFunc(r.conflicts, compareConflicts)
	return r
}

func compareConflicts(x, y Conflict) int {
	return cmp.Or(x.SetAside.A.Compare(y.SetAside.A), x.SetAside.B.Compare(y.SetAside.B))
}

// latest returns the review that counts of every pair, newest first. Of pairs
// with a case that was not given only refutes count: they are no candidates.
func (w *world) latest(reviews []Review) []verdict {
	var out []verdict
	for _, r := range reviews {
		a, okA := w.number[r.A]
		b, okB := w.number[r.B]
		if !okA || !okB || a == b {
			continue
		}
		if a > b {
			a, b, r.A, r.B = b, a, r.B, r.A
		}
		out = append(out, verdict{r, a, b})
	}
	slices.SortFunc(out, func(x, y verdict) int {
		return cmp.Or(compareEnds(x.a, x.b, y.a, y.b), compareVerdicts(x, y))
	})
	out = slices.CompactFunc(out, func(x, y verdict) bool { return x.a == y.a && x.b == y.b })
	out = slices.DeleteFunc(out, func(v verdict) bool { return v.Same && !w.known(v.b) })
	slices.SortFunc(out, compareVerdicts)
	return out
}

// chains are the sets of cases that accepted confirms hold together. They form
// trees whose links keep the verdict that made them; the lighter tree always
// hangs below the heavier, so that no path is long.
type chains struct {
	up     []int32
	by     []int // verdict that made the link up
	weight []int // of a top: its cases and what is refuted of them
	// refuted holds, of every top, the tops it must stay apart from and the
	// newest verdict that says so.
	refuted map[int32]map[int32]int
}

func newChains(n int) *chains {
	c := &chains{up: make([]int32, n), by: make([]int, n), weight: make([]int, n), refuted: map[int32]map[int32]int{}}
	for i := range c.up {
		c.up[i], c.weight[i] = int32(i), 1
	}
	return c
}

func (c *chains) top(n int32) int32 {
	for c.up[n] != n {
		n = c.up[n]
	}
	return n
}

func (c *chains) join(a, b int32, verdict int) {
	if c.weight[a] < c.weight[b] {
		a, b = b, a
	}
	c.up[b], c.by[b] = a, verdict
	c.weight[a] += c.weight[b]
	for other, v := range c.refuted[b] {
		delete(c.refuted[other], b)
		c.note(a, other, v)
		c.note(other, a, v)
	}
	delete(c.refuted, b)
}

func (c *chains) part(a, b int32, verdict int) {
	c.note(a, b, verdict)
	c.note(b, a, verdict)
	c.weight[a]++
	c.weight[b]++
}

// note keeps the smaller of two verdicts, which is the newer.
func (c *chains) note(a, b int32, verdict int) {
	if c.refuted[a] == nil {
		c.refuted[a] = map[int32]int{}
	}
	if v, ok := c.refuted[a][b]; !ok || verdict < v {
		c.refuted[a][b] = verdict
	}
}

// joined returns the verdict that first held two cases of one tree together.
// Links nearer to the top were made later, so that the way over both sides by
// the earlier link each time ends with it.
func (c *chains) joined(a, b int32) int {
	last := 0
	for a != b {
		if c.up[a] == a || c.up[b] != b && c.by[b] < c.by[a] {
			a, b = b, a
		}
		last = c.by[a]
		a = c.up[a]
	}
	return last
}
