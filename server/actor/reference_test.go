package actor_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// reference is clustering as SCORING.md A9 words it, with no thought for speed:
// every sum is made anew from single pairs.
type reference struct {
	cases   map[evidence.Ref]actor.Case
	edges   map[[2]evidence.Ref]actor.Edge
	confirm [][2]evidence.Ref // accepted
	refuted map[[2]evidence.Ref]bool
	limit   int
	result  actor.Result
}

func ends(a, b evidence.Ref) [2]evidence.Ref {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return [2]evidence.Ref{a, b}
}

// referenceCluster takes cases and pairs that are given once.
func referenceCluster(cases []actor.Case, edges []actor.Edge, reviews []actor.Review, limit int) actor.Result {
	r := &reference{
		cases: map[evidence.Ref]actor.Case{}, edges: map[[2]evidence.Ref]actor.Edge{},
		refuted: map[[2]evidence.Ref]bool{}, limit: limit,
	}
	for _, c := range cases {
		r.cases[c.Ref] = c
	}
	for _, e := range edges {
		r.edges[ends(e.A, e.B)] = e
	}
	r.judge(reviews)
	r.divide(slices.SortedFunc(maps.Keys(r.cases), evidence.Ref.Compare), 0)
	r.candidates()
	slices.SortFunc(r.result.Actors, func(x, y actor.Actor) int { return x.Members[0].Compare(y.Members[0]) })
	return r.result
}

func (r *reference) judge(reviews []actor.Review) {
	latest := map[[2]evidence.Ref]actor.Review{}
	for _, v := range reviews {
		k := ends(v.A, v.B)
		v.A, v.B = k[0], k[1]
		if old, ok := latest[k]; !ok || v.At.After(old.At) || v.At.Equal(old.At) && !v.Same {
			latest[k] = v
		}
	}
	maps.DeleteFunc(latest, func(k [2]evidence.Ref, v actor.Review) bool {
		_, okA := r.cases[k[0]]
		_, okB := r.cases[k[1]]
		if okA && okB {
			return k[0] == k[1]
		}
		r.refuted[k] = !v.Same
		return true
	})
	order := slices.SortedFunc(maps.Values(latest), func(x, y actor.Review) int {
		if c := y.At.Compare(x.At); c != 0 {
			return c
		}
		if x.Same != y.Same {
			if y.Same {
				return -1
			}
			return 1
		}
		return cmp.Or(x.A.Compare(y.A), x.B.Compare(y.B))
	})
	var accepted []actor.Review
	for _, v := range order {
		if consistent(append(slices.Clone(accepted), v)) {
			accepted = append(accepted, v)
			continue
		}
		r.result.Conflicts = append(r.result.Conflicts, actor.Conflict{SetAside: v, Against: against(accepted, v)})
	}
	for _, v := range accepted {
		if v.Same {
			r.confirm = append(r.confirm, ends(v.A, v.B))
		} else {
			r.refuted[ends(v.A, v.B)] = true
		}
	}
	slices.SortFunc(r.result.Conflicts, func(x, y actor.Conflict) int {
		return cmp.Or(x.SetAside.A.Compare(y.SetAside.A), x.SetAside.B.Compare(y.SetAside.B))
	})
}

// chained returns what confirms among reviews hold together with a case.
func chained(reviews []actor.Review, from evidence.Ref) map[evidence.Ref]bool {
	in := map[evidence.Ref]bool{from: true}
	for grown := true; grown; {
		grown = false
		for _, v := range reviews {
			if v.Same && in[v.A] != in[v.B] {
				in[v.A], in[v.B], grown = true, true, true
			}
		}
	}
	return in
}

func consistent(reviews []actor.Review) bool {
	for _, v := range reviews {
		if !v.Same && chained(reviews, v.A)[v.B] {
			return false
		}
	}
	return true
}

// against names the first review, newest first, with which v becomes impossible.
func against(accepted []actor.Review, v actor.Review) actor.Review {
	if v.Same {
		a, b := chained(accepted, v.A), chained(accepted, v.B)
		for _, x := range accepted {
			if !x.Same && (a[x.A] && b[x.B] || a[x.B] && b[x.A]) {
				return x
			}
		}
	}
	for i := range accepted {
		if !consistent(append(slices.Clone(accepted[:i+1]), v)) {
			return accepted[i]
		}
	}
	return actor.Review{}
}

func (r *reference) pulls(k [2]evidence.Ref, threshold int32) bool {
	e, ok := r.edges[k]
	return ok && !r.refuted[k] && e.Tier >= link.Strong && e.Millibits > threshold && k[0].Tenant != k[1].Tenant
}

func (r *reference) divide(members []evidence.Ref, threshold int32) {
	for _, c := range r.components(members, threshold) {
		switch {
		case len(c) <= r.limit:
			r.merge(c, threshold)
		case threshold < 64_000:
			r.divide(c, threshold+1000)
		default:
			for _, confirmed := range r.components(c, 1<<31-1) {
				r.add(confirmed, 1<<31-1)
			}
		}
	}
}

func (r *reference) components(members []evidence.Ref, threshold int32) [][]evidence.Ref {
	var out [][]evidence.Ref
	seen := map[evidence.Ref]bool{}
	for _, m := range members {
		if seen[m] {
			continue
		}
		seen[m] = true
		c := []evidence.Ref{m}
		for i := 0; i < len(c); i++ {
			for _, o := range members {
				if !seen[o] && (r.pulls(ends(c[i], o), threshold) || slices.Contains(r.confirm, ends(c[i], o))) {
					seen[o] = true
					c = append(c, o)
				}
			}
		}
		slices.SortFunc(c, evidence.Ref.Compare)
		out = append(out, c)
	}
	return out
}

func (r *reference) merge(members []evidence.Ref, threshold int32) {
	var clusters [][]evidence.Ref
	for _, m := range members {
		clusters = append(clusters, []evidence.Ref{m})
	}
	join := func(i, j int) {
		clusters[i] = slices.SortedFunc(slices.Values(append(clusters[i], clusters[j]...)), evidence.Ref.Compare)
		clusters = slices.Delete(clusters, j, j+1)
		slices.SortFunc(clusters, func(x, y []evidence.Ref) int { return x[0].Compare(y[0]) })
	}
	for _, k := range r.confirm {
		i := slices.IndexFunc(clusters, func(c []evidence.Ref) bool { return slices.Contains(c, k[0]) })
		j := slices.IndexFunc(clusters, func(c []evidence.Ref) bool { return slices.Contains(c, k[1]) })
		if i >= 0 && j >= 0 && i != j {
			join(min(i, j), max(i, j))
		}
	}
	for {
		bestI, bestJ, best := -1, -1, int64(0)
		for i := range clusters {
			for j := i + 1; j < len(clusters); j++ {
				// Clusters stand in the order of their smallest cases, so the
				// first of equal gains is the one to take.
				if g, ok := r.gain(clusters[i], clusters[j], threshold); ok && g > best {
					bestI, bestJ, best = i, j, g
				}
			}
		}
		if bestI < 0 {
			break
		}
		join(bestI, bestJ)
	}
	for _, c := range clusters {
		r.add(c, threshold)
	}
}

func (r *reference) gain(x, y []evidence.Ref, threshold int32) (sum int64, ok bool) {
	for _, a := range x {
		for _, b := range y {
			k := ends(a, b)
			if r.refuted[k] {
				return 0, false
			}
			absent := actor.Repel(gapDays(r.cases[a].Active, r.cases[b].Active))
			e, known := r.edges[k]
			s := int64(e.Millibits) * 1_000_000
			switch {
			case r.pulls(k, threshold):
				sum += min(s, 6_000_000_000)
			case !known || s < -absent:
				sum -= absent
			case s < 0:
				sum += s
			}
		}
	}
	return sum, true
}

func gapDays(x, y actor.Span) int64 {
	if !x.Known || !y.Known {
		return 90
	}
	if x.First > y.First {
		x, y = y, x
	}
	return max(0, int64(y.First)-int64(x.Last))
}

func (r *reference) add(members []evidence.Ref, threshold int32) {
	if len(members) < 2 {
		return
	}
	founder := slices.MinFunc(members, func(x, y evidence.Ref) int {
		a, b := r.cases[x].Opened, r.cases[y].Opened
		late := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		if a.IsZero() {
			a = late
		}
		if b.IsZero() {
			b = late
		}
		return cmp.Or(a.Compare(b), x.Compare(y))
	})
	r.result.Actors = append(r.result.Actors, actor.Actor{Members: members, Founder: founder, Threshold: threshold})
}

func (r *reference) candidates() {
	for i := range r.result.Actors {
		a := &r.result.Actors[i]
		for k, e := range r.edges {
			if e.Tier < link.Probable || r.refuted[k] {
				continue
			}
			first, second := slices.Contains(a.Members, k[0]), slices.Contains(a.Members, k[1])
			c := actor.Candidate{Member: k[0], Other: k[1], Millibits: e.Millibits, Tier: e.Tier}
			if second {
				c.Member, c.Other = k[1], k[0]
			}
			if first != second {
				a.Candidates = append(a.Candidates, c)
			}
		}
		slices.SortFunc(a.Candidates, func(x, y actor.Candidate) int {
			return cmp.Or(cmp.Compare(y.Millibits, x.Millibits), x.Member.Compare(y.Member), x.Other.Compare(y.Other))
		})
	}
}
