package measure

import (
	"cmp"
	"math"
	"slices"
)

// Method is one method's pairs, ranked. It is immutable and safe for use by
// several goroutines.
type Method struct {
	ground *Ground
	ranked []ranked  // highest score first
	scores []float64 // of ranked
	tiers  []uint8   // of ranked
	steps  []int     // where each distinct score ends in ranked
	stated []couple  // judged sharing pairs with a likelihood, the lowest first
	levels []level   // their distinct likelihoods
	unsaid int       // judged sharing pairs without a likelihood
}

// ranked is a judged pair by its labels.
type ranked struct {
	a, b    int32
	sharing bool
}

// couple is a judged pair by its labels.
type couple struct{ a, b int32 }

// level is a likelihood that some pairs have in common, and what it costs where
// they are the same and where they are not, worked out once for all resamples.
type level struct {
	p                     float64
	to                    int // where it ends in stated
	squareSame, logSame   float64
	squareOther, logOther float64
}

// NewMethod ranks what a method says. Pairs come in any order, each once; pairs
// of one tenant are dropped. A pair that is not listed is one the method says
// nothing about: it ranks below all, is never counted as found, and its
// likelihood is rest/(1+rest), where rest are its odds (the prior odds of the
// method, 0 or more). With a rest of NaN such pairs stay out of the likelihood
// measures. Errors are *InputError.
func (g *Ground) NewMethod(pairs []Pair, rest float64) (*Method, error) {
	if rest < 0 || math.IsInf(rest, 0) {
		return nil, &InputError{"rest", 0, "odds below zero or without bound"}
	}
	type listed struct {
		Pair
		sharing bool
		at      int
	}
	list := make([]listed, len(pairs))
	for k, p := range pairs {
		switch why := g.misfit(p.I, p.J); {
		case why != "":
			return nil, &InputError{"pair", k, why}
		case math.IsNaN(p.Score) || math.IsInf(p.Score, 0):
			return nil, &InputError{"pair", k, "a score that is no number"}
		case p.P < 0 || p.P > 1:
			return nil, &InputError{"pair", k, "a likelihood outside 0 to 1"}
		}
		list[k] = listed{Pair: p, at: k}
	}
	slices.SortStableFunc(list, func(x, y listed) int { return cmp.Or(cmp.Compare(x.I, y.I), cmp.Compare(x.J, y.J)) })
	for k := 1; k < len(list); k++ {
		if list[k].I == list[k-1].I && list[k].J == list[k-1].J {
			return nil, &InputError{"pair", list[k].at, "listed twice"}
		}
	}
	list = slices.DeleteFunc(list, func(x listed) bool { return !g.judged(x.I, x.J) })

	m := &Method{ground: g}
	type stated struct {
		couple
		p float64
	}
	var said []stated
	next := 0
	for _, c := range g.sharing {
		for next < len(list) && (Couple{list[next].I, list[next].J}).before(c) {
			next++
		}
		p := rest / (1 + rest)
		if next < len(list) && list[next].I == c.I && list[next].J == c.J {
			list[next].sharing = true
			p = list[next].P
		}
		if math.IsNaN(p) {
			m.unsaid++
			continue
		}
		said = append(said, stated{couple{g.labels[c.I], g.labels[c.J]}, p})
	}
	slices.SortStableFunc(said, func(x, y stated) int { return cmp.Compare(x.p, y.p) })
	for _, x := range said {
		m.stated = append(m.stated, x.couple)
	}
	for _, to := range ends(len(said), func(k int) bool { return said[k].p != said[k-1].p }) {
		m.levels = append(m.levels, newLevel(said[to-1].p, to))
	}

	slices.SortStableFunc(list, func(x, y listed) int { return cmp.Compare(y.Score, x.Score) })
	m.ranked, m.scores, m.tiers = make([]ranked, len(list)), make([]float64, len(list)), make([]uint8, len(list))
	for k, x := range list {
		m.ranked[k] = ranked{g.labels[x.I], g.labels[x.J], x.sharing}
		m.scores[k], m.tiers[k] = x.Score, x.Tier
	}
	m.steps = ends(len(list), func(k int) bool { return m.scores[k] != m.scores[k-1] })
	return m, nil
}

func newLevel(p float64, to int) level {
	loss := func(given float64) float64 {
		return -math.Log(min(max(given, leastLikelihood), 1-leastLikelihood))
	}
	return level{
		p: p, to: to, squareSame: (1 - p) * (1 - p), logSame: loss(p), squareOther: p * p, logOther: loss(1 - p),
	}
}

// ends lists where runs of equal elements end among n of them.
func ends(n int, starts func(k int) bool) []int {
	var at []int
	for k := 1; k < n; k++ {
		if starts(k) {
			at = append(at, k)
		}
	}
	if n > 0 {
		at = append(at, n)
	}
	return at
}
