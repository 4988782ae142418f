package measure

import (
	"math"
	"sort"
)

// Rates is how a method does when it claims some of its pairs to be the same. All
// shares are 0 to 1. A claimed pair counts for precision whether it shares a value
// or not.
type Rates struct {
	TP        int   `json:"tp"`         // claimed and same
	FP        int   `json:"fp"`         // claimed and different
	Precision Value `json:"precision"`  // TP/(TP+FP); undefined if nothing is claimed
	Recall    Value `json:"recall"`     // claimed, same and sharing, of all same and sharing
	RecallAll Value `json:"recall_all"` // TP of all same, sharing or not
	F1        Value `json:"f1"`         // 2PR/(P+R) with Recall; 0 if nothing is found
}

// Point is the rates of claiming all pairs with at least this score.
type Point struct {
	Threshold float64 `json:"threshold"`
	Rates
}

// tally counts claimed pairs.
type tally struct {
	tp, fp int64
	found  int64 // tp that share
}

func (t *tally) add(pairs []ranked, drawn []int32) {
	for _, p := range pairs {
		w := weight(drawn, p.a, p.b)
		switch {
		case p.a != p.b:
			t.fp += w
		case p.sharing:
			t.tp += w
			t.found += w
		default:
			t.tp += w
		}
	}
}

// rates turns counts into shares of sharing and all same pairs.
func (t tally) rates(sharing, all int64) Rates {
	p, r := ratio(t.tp, t.tp+t.fp), ratio(t.found, sharing)
	f1 := 2 * p * r / (p + r)
	if r == 0 {
		f1 = 0
	}
	return Rates{
		TP: int(t.tp), FP: int(t.fp),
		Precision: Value(p), Recall: Value(r), RecallAll: Value(ratio(t.tp, all)), F1: Value(f1),
	}
}

func (g *Ground) rates(claimed []ranked, drawn []int32) Rates {
	var t tally
	t.add(claimed, drawn)
	return t.rates(weighed(g.sameSharing, drawn), weighed(g.same, drawn))
}

// above counts the pairs with Score >= x; they are the first in ranked.
func (m *Method) above(x float64) int {
	return sort.Search(len(m.scores), func(k int) bool { return m.scores[k] < x })
}

// atTier returns the pairs with Tier >= t.
func (m *Method) atTier(t uint8) []ranked {
	var claimed []ranked
	for k, p := range m.ranked {
		if m.tiers[k] >= t {
			claimed = append(claimed, p)
		}
	}
	return claimed
}

// AtThreshold returns the rates of claiming the pairs with Score >= x.
func (m *Method) AtThreshold(x float64) Rates {
	return m.ground.rates(m.ranked[:m.above(x)], m.ground.once)
}

// AtTier returns the rates of claiming the pairs with Tier >= t.
func (m *Method) AtTier(t uint8) Rates { return m.ground.rates(m.atTier(t), m.ground.once) }

// points returns the rates at every distinct score, the highest first.
func (m *Method) points() []Point {
	var (
		t       tally
		all     = make([]Point, 0, len(m.steps))
		counts  = m.ground.counts
		sharing = int64(counts.SameSharing)
		from    int
	)
	for _, to := range m.steps {
		t.add(m.ranked[from:to], m.ground.once)
		all = append(all, Point{Threshold: m.scores[from], Rates: t.rates(sharing, int64(counts.Same))})
		from = to
	}
	return all
}

// Curve returns the points of the distinct scores from the highest down, at most
// limit of them (2 at least). Where there are more, the first and the last stay
// and the others are chosen at even steps along the line that precision draws
// over recall, so that turns stay visible.
func (m *Method) Curve(limit int) []Point {
	all := m.points()
	limit = max(limit, 2)
	if len(all) <= limit {
		return all
	}
	along := make([]float64, len(all))
	for k := 1; k < len(all); k++ {
		// Without same sharing pairs recall is undefined and precision is 0 or
		// of pairs that do not share; the latter is all there is to follow.
		right := float64(all[k].Recall - all[k-1].Recall)
		if math.IsNaN(right) {
			right = 0
		}
		along[k] = along[k-1] + math.Hypot(right, float64(all[k].Precision-all[k-1].Precision))
	}
	last := len(all) - 1
	kept := []Point{all[0]}
	next := 1
	for k := 1; k < limit-1 && next < last; k++ {
		want := along[last] * float64(k) / float64(limit-1)
		at := max(next, sort.SearchFloat64s(along, want))
		if at >= last {
			break
		}
		kept = append(kept, all[at])
		next = at + 1
	}
	return append(kept, all[last])
}

// best returns the point that beats all before it.
func best(points []Point, beats func(p, q Point) bool) (Point, bool) {
	if len(points) == 0 {
		return Point{}, false
	}
	b := points[0]
	for _, p := range points[1:] {
		if beats(p, b) {
			b = p
		}
	}
	return b, true
}

// BestF1 returns the point with the highest F1 over sharing recall, of several
// the one with the highest threshold; false without pairs or without same
// sharing pairs.
func (m *Method) BestF1() (Point, bool) {
	if m.ground.counts.SameSharing == 0 {
		return Point{}, false
	}
	return best(m.points(), func(p, q Point) bool { return p.F1 > q.F1 })
}

// PrecisionAt returns the point with the highest precision among those with at
// least this recall over sharing pairs, of several the one with the highest
// recall; false if no threshold reaches it.
func (m *Method) PrecisionAt(recall float64) (Point, bool) {
	var enough []Point
	for _, p := range m.points() {
		if float64(p.Recall) >= recall {
			enough = append(enough, p)
		}
	}
	return best(enough, func(p, q Point) bool {
		return p.Precision > q.Precision || p.Precision == q.Precision && p.Recall > q.Recall
	})
}

// RecallAt returns the point with the highest recall over sharing pairs among
// those with at least this precision, of several the one with the highest
// precision; false if no threshold reaches it.
func (m *Method) RecallAt(precision float64) (Point, bool) {
	var enough []Point
	for _, p := range m.points() {
		if float64(p.Precision) >= precision {
			enough = append(enough, p)
		}
	}
	return best(enough, func(p, q Point) bool {
		return p.Recall > q.Recall || p.Recall == q.Recall && p.Precision > q.Precision
	})
}

// AveragePrecision is the area below the steps of precision over recall, 0 to 1.
// It is undefined where there are no same pairs.
type AveragePrecision struct {
	Sharing Value `json:"sharing"` // over the same pairs that share
	All     Value `json:"all"`     // over all same pairs
}

// AveragePrecision returns the sum, over the distinct scores from the highest
// down, of (growth in recall)·(precision there), without interpolation. Pairs of
// one score are one step, so their order cannot matter (as scikit-learn's
// average_precision_score has it). A same pair that is not listed adds nothing:
// no threshold ever finds it.
func (m *Method) AveragePrecision() AveragePrecision { return m.averagePrecision(m.ground.once) }

func (m *Method) averagePrecision(drawn []int32) AveragePrecision {
	var (
		t            tally
		sharing, all float64
		from         int
	)
	for _, to := range m.steps {
		before := t
		t.add(m.ranked[from:to], drawn)
		from = to
		if t.tp == before.tp {
			continue
		}
		p := ratio(t.tp, t.tp+t.fp)
		// The conversions keep products and sums apart, so that no machine fuses
		// them and ends in other last digits.
		sharing += float64(float64(t.found-before.found) * p)
		all += float64(float64(t.tp-before.tp) * p)
	}
	return AveragePrecision{
		Sharing: Value(sharing / float64(weighed(m.ground.sameSharing, drawn))),
		All:     Value(all / float64(weighed(m.ground.same, drawn))),
	}
}
