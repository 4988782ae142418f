package learn

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Bounds of what is asked about clusters: the cases of one that count, and the pairs
// of all.
const (
	mostOfCluster    = 32
	mostClusterPairs = 20_000
)

// Bounds of what clusters say.
const (
	// minClusters is the number of confirmed clusters below which they say nothing.
	minClusters = 5
	leastShare  = .01
	mostShare   = .95
	// mostSiblings is how much siblings may grow or shrink in one version: what is
	// confirmed is what is easy to confirm.
	mostSiblings = 2
)

// cluster is cases that confirmed pairs hold together and that no refuted pair is in.
type cluster struct {
	at    int // of one of its pairs among all
	cases int
	rows  map[string]tally
}

// tally is, of the pairs of a cluster that both have values of a row, how many there
// are and how many share one. A pair counts for 1/(cases-1), so that a cluster counts
// for half its cases and not for the square of them.
type tally struct {
	both, shared   float64
	pairs, sharing int
}

// confirmed returns the clusters of the judged pairs, with what they say.
func (l *lesson) confirmed(ctx context.Context) ([]cluster, error) {
	same := make([]observation, 0, len(l.seen))
	at := make([]int, 0, len(l.seen))
	for i, o := range l.seen {
		if o.Same {
			same, at = append(same, o), append(at, i)
		}
	}
	home := make(map[evidence.Ref]int)
	var members [][]evidence.Ref
	var out []cluster
	for _, pairs := range components(same) {
		var refs []evidence.Ref
		for _, i := range pairs {
			refs = append(refs, same[i].A, same[i].B)
		}
		slices.SortFunc(refs, evidence.Ref.Compare)
		refs = slices.Compact(refs)
		for _, r := range refs {
			home[r] = len(out)
		}
		members = append(members, refs)
		out = append(out, cluster{at: at[pairs[0]], cases: len(refs), rows: make(map[string]tally)})
	}
	for i := range l.seen {
		o := &l.seen[i]
		x, inX := home[o.A]
		y, inY := home[o.B]
		if !o.Same && inX && inY && x == y {
			// People contradict each other here.
			out[x].cases = 0
		}
	}
	left := mostClusterPairs
	for i := range out {
		if err := l.count(ctx, &out[i], members[i], &left); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(c cluster) bool { return c.cases == 0 }), nil
}

// count fills what a cluster says of rows. A pair speaks of a row only where it has
// something of another row in common: else it was found, and looked at, because it
// shares a value of this one.
func (l *lesson) count(ctx context.Context, c *cluster, members []evidence.Ref, left *int) error {
	if c.cases == 0 {
		return nil
	}
	members = members[:min(len(members), mostOfCluster)]
	weight := 1 / float64(len(members)-1)
	for i, a := range members {
		for _, b := range members[i+1:] {
			if *left == 0 {
				return nil
			}
			*left--
			if err := ctx.Err(); err != nil {
				return err
			}
			rows, err := l.cases.InBoth(l.defaults, a, b)
			if err != nil {
				return &PairError{a, b, err}
			}
			sharing := 0
			for _, r := range rows {
				if r.Shared {
					sharing++
				}
			}
			for _, r := range rows {
				t := c.rows[r.Row]
				switch {
				case r.Shared && sharing == 1, sharing == 0:
					continue
				case r.Shared:
					t.shared += weight
					t.sharing++
				}
				t.both += weight
				t.pairs++
				c.rows[r.Row] = t
			}
		}
	}
	return nil
}

// learnShares learns m, row by row: how many of the pairs of confirmed clusters share
// a value of which both have some. only are the rows to learn, all if nil.
func (l *lesson) learnShares(clusters []cluster, only map[string]bool) (out []Considered) {
	sums, of := make(map[string]tally), make(map[string]int)
	for _, c := range clusters {
		for row, t := range c.rows {
			sum := sums[row]
			sum.both += t.both
			sum.shared += t.shared
			sum.pairs += t.pairs
			sum.sharing += t.sharing
			sums[row] = sum
			of[row]++
		}
	}
	for _, row := range slices.Sorted(maps.Keys(sums)) {
		m, ok := l.base.Parameter(row + shareSuffix)
		if !ok || only != nil && !only[row] {
			continue
		}
		sum := sums[row]
		c := Considered{Name: m.Name, Same: sum.sharing, Different: sum.pairs - sum.sharing, From: m.Value, To: m.Value}
		if of[row] < minClusters {
			c.Reason = fmt.Sprintf("too few confirmed clusters that have it and share something else; %d are needed", minClusters)
			out = append(out, c)
			continue
		}
		learned := (sum.shared + float64(priorPairs*value(l.defaults, m.Name))) / (sum.both + priorPairs)
		c.To = significant(min(mostShare, max(leastShare, learned)))
		if c.Applied = c.To != c.From; c.Applied {
			c.Reason = fmt.Sprintf("shared by %d of %d pairs of %d confirmed clusters", sum.sharing, sum.pairs, of[row])
		} else {
			c.Reason = noChange
		}
		out = append(out, c)
	}
	return out
}

// learnSiblings learns how many other cases of its actor a case has: of the confirmed
// clusters of n cases each, the sum of n(n-1) over the sum of n.
func (l *lesson) learnSiblings(clusters []cluster) []Considered {
	s, _ := l.base.Parameter(siblingsName)
	var cases, pairs int
	for _, c := range clusters {
		cases += c.cases
		pairs += c.cases * (c.cases - 1)
	}
	c := Considered{Name: s.Name, Same: pairs / 2, From: s.Value, To: s.Value}
	if len(clusters) < minClusters {
		c.Reason = fmt.Sprintf("too few confirmed clusters; %d are needed", minClusters)
		return []Considered{c}
	}
	learned := float64(pairs) / float64(cases)
	c.To = significant(min(s.Max, s.Value*mostSiblings, max(s.Min, s.Value/mostSiblings, learned)))
	if c.Applied = c.To != c.From; c.Applied {
		c.Reason = fmt.Sprintf("%d confirmed clusters have %d cases", len(clusters), cases)
	} else {
		c.Reason = noChange
	}
	return []Considered{c}
}
