package learn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// drawn describes a world of which pairs are drawn as the formulas of SCORING.md A1 and
// A2 say, with some other constants than the model has.
type drawn struct {
	truth []link.Change
	// sizes are how many cases an actor has, one of them at random.
	sizes []int
	// several says that people look at pairs that have several things in common, or a
	// name.
	several bool
	// wrong is the share of pairs that people judge wrongly, flood how many pairs of
	// one cluster somebody confirms that have nothing but one value in common.
	wrong float64
	flood int
}

func drawnRows() []string {
	return []string{"name.other", "kind.url", "kind.ja4", "referenced.unknown", "kind.email", "kind.user_agent"}
}

// draw draws the pairs of 1,024 cases that have something in common, and of those that
// are unlike a twentieth, each of which stands for twenty.
func (d drawn) draw(t testing.TB, seed uint64) *world {
	t.Helper()
	truth, err := link.Version1().With(1000, d.truth)
	if err != nil {
		t.Fatal(err)
	}
	const n, has, one = 1024, .6, 20
	r := rand.New(rand.NewPCG(seed, 5))
	w := &world{shared: make(map[[2]evidence.Ref][]common), both: make(map[[2]evidence.Ref][]link.InBoth)}
	spread := []uint32{0, 0, 0, 1, 3, 9}
	rows := drawnRows()
	m, alpha := make(map[string]float64), make(map[string]float64)
	for _, row := range rows {
		m[row], alpha[row] = value(truth, row+".m"), value(truth, row+".alpha")
	}
	pair := func(a, b string, same bool, chance func(row string, d uint32) float64, have func(row string) bool, weight float64) {
		var shared []common
		var both []link.InBoth
		for _, row := range rows {
			if !have(row) {
				continue
			}
			d := spread[r.IntN(len(spread))]
			in := r.Float64() < chance(row, d)
			both = append(both, link.InBoth{Row: row, Shared: in})
			if in {
				shared = append(shared, common{row, d})
			}
		}
		key := [2]evidence.Ref{ref(a), ref(b)}
		w.both[key] = both
		if len(shared) == 0 || d.several && len(shared) == 1 && shared[0].row != "name.other" {
			return
		}
		if r.Float64() < d.wrong {
			same = !same
		}
		w.pair(a, b, same, shared...)
		w.judged[len(w.judged)-1].Weight = weight
	}
	for i, actor := 0, 0; i < n; actor++ {
		size := d.sizes[r.IntN(len(d.sizes))]
		kinds := make([]map[string]bool, size)
		for k := range kinds {
			kinds[k] = make(map[string]bool)
			for _, row := range rows {
				kinds[k][row] = r.Float64() < has
			}
		}
		for x := range size {
			for y := x + 1; y < size; y++ {
				pair(fmt.Sprintf("t%05d/1", i+x), fmt.Sprintf("t%05d/1", i+y), true, func(row string, _ uint32) float64 { return m[row] },
					func(row string) bool { return kinds[x][row] && kinds[y][row] }, 1)
			}
		}
		i += size
	}
	for i := range n * n / 2 / one {
		pair(fmt.Sprintf("u%05d/1", i), fmt.Sprintf("v%05d/1", i), false,
			func(row string, d uint32) float64 { return (float64(d) + alpha[row]) / n },
			func(string) bool { return r.Float64() < has*has }, one)
	}
	for i := range d.flood {
		w.pair("w00000/1", fmt.Sprintf("x%05d/1", i), true, common{row: "kind.ja4", d: 9})
		w.both[[2]evidence.Ref{ref("w00000/1"), ref(fmt.Sprintf("x%05d/1", i))}] = []link.InBoth{{Row: "kind.ja4", Shared: true}, {Row: "kind.url"}}
	}
	return w
}

// loss is the mean loss in bits of a model on what was drawn.
func (w *world) loss(t testing.TB, m *link.Model) float64 {
	t.Helper()
	var sum, weights float64
	for _, j := range w.judged {
		e, err := w.explain(m, j.A, j.B)
		if err != nil {
			t.Fatal(err)
		}
		p := e.Likelihood()
		if !j.Same {
			p = 1 - p
		}
		sum -= j.Weight * math.Log2(max(p, 5e-7))
		weights += j.Weight
	}
	return sum / weights
}

// learned returns what a world proposes and the model that it comes to, and holds that
// held-out pairs are judged no worse.
func (d drawn) learned(t testing.TB, seed uint64) (*learn.Proposal, *link.Model) {
	t.Helper()
	p := d.draw(t, seed).propose(t, link.Version1())
	m, err := link.Version1().With(1000, p.Changes)
	if err != nil {
		t.Fatal(err)
	}
	if !(p.After <= p.Before) {
		t.Errorf("seed %d: log-loss %v on held-out pairs, %v before", seed, p.After, p.Before)
	}
	return p, m
}

// fresh returns the loss of the program's model and of another on pairs that nobody
// learned from.
func (d drawn) fresh(t testing.TB, seed uint64, m *link.Model) (before, after float64) {
	t.Helper()
	d.wrong, d.flood = 0, 0
	w := d.draw(t, seed+1000)
	return w.loss(t, link.Version1()), w.loss(t, m)
}

// drawnSeeds is how many worlds of each sort are drawn.
func drawnSeeds() int {
	if testing.Short() {
		return 3
	}
	return 8
}

// TestSharesAreFound plants other m than the model has, and holds that they are found
// and that unknown pairs are judged better with them.
func TestSharesAreFound(t *testing.T) {
	d := drawn{sizes: []int{1, 2, 3}, truth: []link.Change{
		{Name: "kind.url.m", Value: .8}, {Name: "referenced.unknown.m", Value: .4}, {Name: "kind.ja4.m", Value: .02},
	}}
	found := make(map[string]int)
	for seed := range uint64(drawnSeeds()) {
		p, m := d.learned(t, seed)
		for _, want := range []struct {
			name      string
			low, high float64
		}{{"kind.url.m", .6, .95}, {"referenced.unknown.m", .25, .55}, {"kind.ja4.m", .01, .1}} {
			switch got := change(p, want.name); {
			case math.IsNaN(got):
				t.Logf("seed %d: %s: %s", seed, want.name, reason(p, want.name))
			case got < want.low || got > want.high:
				t.Errorf("seed %d: %s is %v, want %v to %v", seed, want.name, got, want.low, want.high)
			default:
				found[want.name]++
			}
		}
		if before, after := d.fresh(t, seed, m); !(after < before) {
			t.Errorf("seed %d: loss %v on unknown pairs, %v before", seed, after, before)
		}
	}
	for name, n := range found {
		if n < drawnSeeds()-1 {
			t.Errorf("%s was found %d times of %d", name, n, drawnSeeds())
		}
	}
	if len(found) != len(d.truth) {
		t.Errorf("found %v", found)
	}
}

// TestSiblingsAreFound plants actors with more cases than the model has it.
func TestSiblingsAreFound(t *testing.T) {
	d := drawn{sizes: []int{5}, several: true, truth: []link.Change{{Name: "siblings", Value: 4}, {Name: "name.other.alpha", Value: 2}}}
	for seed := range uint64(drawnSeeds()) {
		p, m := d.learned(t, seed)
		if got := change(p, "siblings"); !(got > 1.5 && got <= 2) {
			t.Errorf("seed %d: siblings are %v: %s", seed, got, reason(p, "siblings"))
		}
		if math.IsNaN(change(p, "name.other.alpha")) {
			t.Errorf("seed %d: siblings without a learned alpha: %+v", seed, p.Changes)
		}
		if before, after := d.fresh(t, seed, m); !(after < before) {
			t.Errorf("seed %d: loss %v on unknown pairs, %v before", seed, after, before)
		}
	}
}

// TestNothingIsProposedThatDoesHarm holds that in worlds which are as the model has it,
// or in which somebody confirms what he should not, held-out pairs are judged no worse,
// and unknown ones hardly.
func TestNothingIsProposedThatDoesHarm(t *testing.T) {
	for name, d := range map[string]drawn{
		"plain": {sizes: []int{1, 2, 3}},
		"alone": {sizes: []int{1, 1, 1, 2}},
		"wrong": {sizes: []int{1, 2, 3}, wrong: .05},
		"flood": {sizes: []int{1, 2, 3}, flood: 200},
	} {
		for seed := range uint64(drawnSeeds()) {
			p, m := d.learned(t, seed)
			before, after := d.fresh(t, seed, m)
			t.Logf("%s %d: %.4f to %.4f held out, %.4f to %.4f unknown", name, seed, p.Before, p.After, before, after)
			if after > before+.02 {
				t.Errorf("%s, seed %d: loss %v on unknown pairs, %v before: %+v", name, seed, after, before, p.Changes)
			}
			if name != "flood" {
				continue
			}
			for _, c := range p.Changes {
				if c.Name == "siblings" || c.Name == "kind.ja4.m" && math.Abs(c.Value-.3) > .1 {
					t.Errorf("seed %d: one who confirms changes %+v", seed, c)
				}
			}
		}
	}
}
