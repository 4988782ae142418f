package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Description is what a world holds.
type Description struct {
	Config
	Tenants int
	// Actors is the number of labels, Alone that of cases that are the only one
	// of theirs, Siblings the mean number of other cases of its actor that a case
	// has.
	Actors, Alone int
	Siblings      float64
	Values        int // different values
	Observables   int // of all cases
	// TruePairs is the number of pairs of different tenants with one actor.
	// SharingPairs is how many pairs of different tenants have any value in
	// common, SharingTrue how many of these have one actor.
	TruePairs, SharingPairs, SharingTrue int
	// Phenomena is how many cases show each.
	Phenomena [Phenomena]int
}

// Precision returns the share of pairs with any value in common that have one
// actor, 0 if there are none.
func (d Description) Precision() float64 {
	if d.SharingPairs == 0 {
		return 0
	}
	return float64(d.SharingTrue) / float64(d.SharingPairs)
}

// Describe counts what the world holds.
func (w *World) Describe() Description {
	d := Description{Config: w.Config, Tenants: w.tenants}
	of := make(map[string][]int)
	for i, label := range w.Labels {
		of[label] = append(of[label], i)
		for p := range Phenomena {
			if w.marks[i].has(p) {
				d.Phenomena[p]++
			}
		}
	}
	d.Actors = len(of)
	siblings := 0
	for _, cases := range of {
		siblings += len(cases) * (len(cases) - 1)
		if len(cases) == 1 {
			d.Alone++
		}
		for i, x := range cases {
			for _, y := range cases[:i] {
				if w.Cases[x].Tenant != w.Cases[y].Tenant {
					d.TruePairs++
				}
			}
		}
	}
	d.Siblings = float64(siblings) / float64(len(w.Cases))
	w.sharing(&d)
	return d
}

// sharing counts values and the pairs that have one in common.
func (w *World) sharing(d *Description) {
	on := make(map[evidence.Value][]int)
	// paired is, by case, the last case that it was counted with.
	paired := make([]int, len(w.Cases))
	for i, c := range w.Cases {
		for _, v := range valuesOf(c) {
			d.Observables++
			for _, k := range on[v] {
				if paired[k] == i+1 || w.Cases[k].Tenant == c.Tenant {
					continue
				}
				paired[k] = i + 1
				d.SharingPairs++
				if w.Labels[i] == w.Labels[k] {
					d.SharingTrue++
				}
			}
			on[v] = append(on[v], i)
		}
	}
	d.Values = len(on)
}

// valuesOf returns the values of a case, each once.
func valuesOf(c *evidence.Case) []evidence.Value {
	var out []evidence.Value
	for _, f := range c.Findings {
		for _, o := range f.Observables {
			out = append(out, o.Value)
		}
	}
	slices.SortFunc(out, evidence.Value.Compare)
	return slices.Compact(out)
}

// String returns the description as lines of text.
func (d Description) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "world %s, seed %d: %d cases of %d tenants by %d actors; %d are the only case of their actor; %.2f siblings a case\n",
		d.Noise, d.Seed, d.Cases, d.Tenants, d.Actors, d.Alone, d.Siblings)
	fmt.Fprintf(&b, "%d values in %d sightings; %d true pairs of different tenants, %d of them share a value; so do %d pairs in all (precision %.3f)\n",
		d.Values, d.Observables, d.TruePairs, d.SharingTrue, d.SharingPairs, d.Precision())
	for p, n := range d.Phenomena {
		fmt.Fprintf(&b, "%6.1f %%  %s\n", 100*float64(n)/float64(d.Cases), Phenomenon(p))
	}
	return b.String()
}
