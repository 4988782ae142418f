package measure

// Ground is what methods are measured against. It is immutable and safe for use
// by several goroutines.
type Ground struct {
	labels  []int32 // by case, numbered from 0 in the order of their first cases
	tenants []int32
	sizes   []int32  // cases by label
	sharing []Couple // judged ones only
	counts  Counts

	same        []int64 // judged same pairs by label
	sameSharing []int64 // those that share
	once        []int32 // every label drawn once: the data themselves
}

// Counts says how many pairs of each sort there are.
type Counts struct {
	Cases       int `json:"cases"`
	Labels      int `json:"labels"`
	Judged      int `json:"judged"`       // pairs of different tenants
	Same        int `json:"same"`         // of these, with one label
	Sharing     int `json:"sharing"`      // with a value in common
	SameSharing int `json:"same_sharing"` // with one label and a value in common
}

// NewGround prepares the truth and the pairs that share a value. Both slices of
// the truth have one entry a case; sharing is sorted by I, then J, without
// doubles. Errors are *InputError.
func NewGround(truth Truth, sharing []Couple) (*Ground, error) {
	n := len(truth.Labels)
	if len(truth.Tenants) != n {
		return nil, &InputError{"truth", min(n, len(truth.Tenants)), "labels and tenants differ in number"}
	}
	g := &Ground{labels: make([]int32, n), tenants: append([]int32(nil), truth.Tenants...)}
	number := map[int32]int32{}
	type home struct{ label, tenant int32 }
	homes := map[home]int64{}
	tenants := map[int32]int64{}
	for i, name := range truth.Labels {
		l, ok := number[name]
		if !ok {
			l = int32(len(number))
			number[name] = l
			g.sizes = append(g.sizes, 0)
		}
		g.labels[i] = l
		g.sizes[l]++
		homes[home{l, truth.Tenants[i]}]++
		tenants[truth.Tenants[i]]++
	}
	g.same, g.sameSharing = make([]int64, len(g.sizes)), make([]int64, len(g.sizes))
	g.once = make([]int32, len(g.sizes))
	for l, size := range g.sizes {
		g.same[l] = couples(int64(size))
		g.once[l] = 1
	}
	// Whole numbers add up to the same sum in any order, so a map may be walked.
	for h, cases := range homes {
		g.same[h.label] -= couples(cases)
	}
	judged := couples(int64(n))
	for _, cases := range tenants {
		judged -= couples(cases)
	}
	for k, c := range sharing {
		if why := g.misfit(c.I, c.J); why != "" {
			return nil, &InputError{"sharing", k, why}
		}
		if k > 0 && !sharing[k-1].before(c) {
			return nil, &InputError{"sharing", k, "not sorted, or there twice"}
		}
		if !g.judged(c.I, c.J) {
			continue
		}
		g.sharing = append(g.sharing, c)
		if l := g.labels[c.I]; l == g.labels[c.J] {
			g.sameSharing[l]++
		}
	}
	g.counts = Counts{
		Cases: n, Labels: len(g.sizes), Judged: int(judged), Same: int(weighed(g.same, g.once)),
		Sharing: len(g.sharing), SameSharing: int(weighed(g.sameSharing, g.once)),
	}
	return g, nil
}

// Counts returns the numbers of pairs.
func (g *Ground) Counts() Counts { return g.counts }

// judged reports whether two cases are of different tenants.
func (g *Ground) judged(i, j int32) bool { return g.tenants[i] != g.tenants[j] }

// misfit says why two case numbers are no pair, or nothing.
func (g *Ground) misfit(i, j int32) string {
	switch {
	case i < 0 || int(j) >= len(g.labels):
		return "a case that is not there"
	case i >= j:
		return "the first case is not below the second"
	}
	return ""
}

func (c Couple) before(d Couple) bool { return c.I < d.I || c.I == d.I && c.J < d.J }

// couples counts the pairs among n.
func couples(n int64) int64 { return n * (n - 1) / 2 }

// weighed sums counts by label, each as often as its label was drawn.
func weighed(counts []int64, drawn []int32) int64 {
	var sum int64
	for l, n := range counts {
		sum += n * int64(drawn[l])
	}
	return sum
}

// weight is how often a pair of these labels counts: two cases of one label are
// both there in every copy of it, two labels meet in every pair of copies.
func weight(drawn []int32, a, b int32) int64 {
	if a == b {
		return int64(drawn[a])
	}
	return int64(drawn[a]) * int64(drawn[b])
}

// ratio is a share, undefined of nothing.
func ratio(part, whole int64) float64 { return float64(part) / float64(whole) }
