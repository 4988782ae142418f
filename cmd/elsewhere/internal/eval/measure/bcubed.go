package measure

import (
	"cmp"
	"slices"
)

// BCubed compares a clustering with the labels; all three are 0 to 1.
type BCubed struct {
	Precision Value `json:"precision"`
	Recall    Value `json:"recall"`
	F1        Value `json:"f1"` // harmonic mean of the two
}

// BCubed compares clusters, one number a case, with the labels. A case in no
// cluster is given a number of its own by the caller. All cases count, those of
// one tenant too. Errors are *InputError.
//
// With c(r) the cases with the label of r and k(r) those in its cluster, the
// precision of a label is the mean over its cases of |c(r)∩k(r)|/|k(r)| and its
// recall the mean of |c(r)∩k(r)|/|c(r)|; both are then averaged over labels, each
// label counting once, as b_cubed_precision and b_cubed_recall of er-evaluation
// do (er_evaluation/metrics/_metrics.py, github.com/Valires/er-evaluation).
// The older definition lets each case count once instead.
func (g *Ground) BCubed(clusters []int32) (BCubed, error) {
	t, err := g.overlap(clusters)
	if err != nil {
		return BCubed{}, err
	}
	return t.bcubed(g.once), nil
}

// overlap is how labels and clusters cut each other.
type overlap struct {
	ground   *Ground
	cells    []cell // by label
	clusters int
}

// cell is the cases of one label in one cluster.
type cell struct {
	label, cluster int32
	n              int32
}

func (g *Ground) overlap(clusters []int32) (overlap, error) {
	if len(clusters) != len(g.labels) {
		return overlap{}, &InputError{"cluster", min(len(clusters), len(g.labels)), "clusters and cases differ in number"}
	}
	t := overlap{ground: g}
	number := map[int32]int32{}
	cells := make([]cell, len(clusters))
	for i, name := range clusters {
		k, ok := number[name]
		if !ok {
			k = int32(len(number))
			number[name] = k
		}
		cells[i] = cell{g.labels[i], k, 1}
	}
	slices.SortFunc(cells, func(x, y cell) int {
		return cmp.Or(cmp.Compare(x.label, y.label), cmp.Compare(x.cluster, y.cluster))
	})
	for _, c := range cells {
		if last := len(t.cells) - 1; last >= 0 && t.cells[last].label == c.label && t.cells[last].cluster == c.cluster {
			t.cells[last].n++
			continue
		}
		t.cells = append(t.cells, c)
	}
	t.clusters = len(number)
	return t, nil
}

// bcubed measures with labels as often as they were drawn. Copies of a label are
// different actors that never meet, as in weight: a copy sees its own cases once
// and those of other labels in every copy.
func (t overlap) bcubed(drawn []int32) BCubed {
	in := make([]int64, t.clusters)
	for _, c := range t.cells {
		in[c.cluster] += int64(c.n) * int64(drawn[c.label])
	}
	var (
		precision, recall float64
		labels            int64
	)
	for from := 0; from < len(t.cells); {
		label := t.cells[from].label
		size := float64(t.ground.sizes[label])
		copies := int64(drawn[label])
		var p, r float64
		to := from
		for ; to < len(t.cells) && t.cells[to].label == label; to++ {
			n := int64(t.cells[to].n)
			seen := in[t.cells[to].cluster] - (copies-1)*n
			p += ratio(n*n, seen)
			r += float64(n * n)
		}
		from = to
		if copies == 0 {
			continue
		}
		precision += float64(float64(copies) * (p / size))
		recall += float64(float64(copies) * (r / (size * size)))
		labels += copies
	}
	p, r := precision/float64(labels), recall/float64(labels)
	return BCubed{Precision: Value(p), Recall: Value(r), F1: Value(2 * p * r / (p + r))}
}
