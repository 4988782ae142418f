package learn

import (
	"cmp"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// maxFolds is in how many parts pairs are held out.
const maxFolds = 5

// folds deals the pairs into parts; pairs that hang together by their cases stay in
// one, since what is learned of one is learned of the others.
func folds(seen []observation) [][]int {
	all := components(seen)
	parts := make([][]int, min(maxFolds, len(all)))
	for _, c := range all {
		least := 0
		for i := range parts {
			if len(parts[i]) < len(parts[least]) {
				least = i
			}
		}
		parts[least] = append(parts[least], c...)
	}
	for _, part := range parts {
		slices.Sort(part)
	}
	return parts
}

// components returns the pairs that hang together by their cases, the largest
// component first.
func components(seen []observation) [][]int {
	root := make(map[evidence.Ref]evidence.Ref)
	var find func(evidence.Ref) evidence.Ref
	find = func(r evidence.Ref) evidence.Ref {
		up, ok := root[r]
		if !ok || up == r {
			return r
		}
		root[r] = find(up)
		return root[r]
	}
	for i := range seen {
		a, b := find(seen[i].A), find(seen[i].B)
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		root[b] = a
	}
	members := make(map[evidence.Ref][]int)
	for i := range seen {
		at := find(seen[i].A)
		members[at] = append(members[at], i)
	}
	out := make([][]int, 0, len(members))
	for _, m := range members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y []int) int { return cmp.Or(cmp.Compare(len(y), len(x)), cmp.Compare(x[0], y[0])) })
	return out
}
