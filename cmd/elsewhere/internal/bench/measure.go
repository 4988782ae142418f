package bench

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// call is one thing to time; i tells calls apart.
type call func(ctx context.Context, i int) error

// series is the calls of all rounds of a measurement.
type series struct {
	latencies []time.Duration
	rates     []float64 // of each round, calls a second
}

// round runs f from several clients in closed loops for a time.
func (s *series) round(ctx context.Context, clients int, d time.Duration, next *atomic.Int64, f call) error {
	parts := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var group sync.WaitGroup
	began := time.Now()
	for c := range clients {
		group.Go(func() {
			for at := time.Now(); at.Sub(began) < d || len(parts[c]) == 0; {
				if errs[c] = f(ctx, int(next.Add(1)-1)); errs[c] != nil {
					return
				}
				done := time.Now()
				parts[c] = append(parts[c], done.Sub(at))
				at = done
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	calls := slices.Concat(parts...)
	s.latencies = append(s.latencies, calls...)
	s.rates = append(s.rates, float64(len(calls))/took.Seconds())
	return nil
}

// row summarises a series.
func (s *series) row(name, what, unit string, perCall int) Row {
	slices.Sort(s.latencies)
	slices.Sort(s.rates)
	return Row{
		Name: name, What: what, N: len(s.latencies), Unit: unit,
		P50: micros(quantile(s.latencies, .5)), P99: micros(quantile(s.latencies, .99)),
		Rate: quantile(s.rates, .5) * float64(perCall),
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// quantile returns an element of a sorted list, the zero value if it is empty.
func quantile[T any](sorted []T, q float64) T {
	if len(sorted) == 0 {
		var none T
		return none
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// side is one of the things that take turns.
type side struct {
	call
	// before runs ahead of each round and is not timed; nil is nothing.
	before func(context.Context) error
}

// turns runs the sides in turn, so that what else the machine does hits all of
// them, after a shorter round of each that does not count.
func (r *runner) turns(ctx context.Context, clients int, sides ...side) ([]series, error) {
	out := make([]series, len(sides))
	next := make([]atomic.Int64, len(sides))
	for n := -1; n < rounds; n++ {
		for i, s := range sides {
			if s.before != nil {
				if err := s.before(ctx); err != nil {
					return nil, err
				}
			}
			runtime.GC()
			into, d := &out[i], r.Round
			if n < 0 {
				into, d = &series{}, r.Round/4
			}
			if err := into.round(ctx, clients, d, &next[i], s.call); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// against adds the ratio of two latencies, or of two rates, with its goal if
// there is one.
func (row Row) against(of string, baseline Row, goal ...Goal) Row {
	ratio := Ratio{Of: of, To: baseline.Name}
	switch {
	case of == ofP50 && baseline.P50 > 0:
		ratio.Value = row.P50 / baseline.P50
	case of == ofRate && baseline.Rate > 0:
		ratio.Value = row.Rate / baseline.Rate
	default:
		return row
	}
	if len(goal) > 0 {
		ratio.Goal = &goal[0]
	}
	row.Ratios = append(row.Ratios, ratio)
	return row
}

// bound adds a goal for one of the row's own numbers.
func (row Row) bound(of string, goal Goal) Row {
	value := map[string]float64{ofP50: row.P50, ofP99: row.P99, ofRate: row.Rate, ofBytes: float64(row.Bytes)}[of]
	row.Bounds = append(row.Bounds, Bound{Of: of, Value: value, Goal: goal})
	return row
}

// million is the number of cases for which the design states its goals; with 20
// values each they make 20 million postings.
const million = 1_000_000
