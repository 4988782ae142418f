package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// giantValues is the most observables that a case may have.
const giantValues = 10_000

// goalStall is how long a case may wait for the largest one of somebody else, in
// microseconds: that one is applied by the one writer, in one piece.
const goalStall = 1_000_000

// giant stores cases of a few observables while somebody else, on a connection of
// his own, stores the largest that are taken, one after the other.
func (r *runner) giant(ctx context.Context) (err error) {
	r.Progress("the largest cases")
	g := r.Corpus
	g.ValuesPerCase, g.Exact = giantValues/2, true
	halves := &supply{generator: g, next: &r.next}
	small := &supply{generator: r.Corpus, next: &r.next}
	other := &service{addr: r.service.addr}
	if err := other.connect(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.conn.Close()) }()
	submit := func(ctx context.Context, _ int) error { return r.submitOne(ctx, small.take(), false) }
	before := r.prepared(small, 3_000)
	var alone, beside, giants series
	var next atomic.Int64
	for range rounds {
		halves.fill(2)
		if err := before(ctx); err != nil {
			return err
		}
		if err := alone.round(ctx, 1, r.Round, &next, submit); err != nil {
			return err
		}
		if err := before(ctx); err != nil {
			return err
		}
		done := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- giants.until(ctx, done, func(ctx context.Context) error { return r.storeGiant(ctx, other, halves) })
		}()
		err := beside.round(ctx, 1, r.Round, &next, submit)
		close(done)
		if err := errors.Join(err, <-ended); err != nil {
			return err
		}
	}
	base := alone.row("giant/alone", "SubmitCase without links, durable, 1 client", "cases", 1)
	large := giants.row("giant", fmt.Sprintf("the same of %d observables", giantValues), "cases", 1)
	row := beside.row("giant/beside", "the first while another client does the second", "cases", 1)
	if n := len(beside.latencies); n > 0 {
		row.note("the longest took %v", beside.latencies[n-1].Round(time.Millisecond))
	}
	r.add(base, large, row.against(ofP50, base).bound(ofP99, Goal{AtMost: goalStall}))
	return nil
}

// storeGiant stores a case with the findings of two.
func (r *runner) storeGiant(ctx context.Context, s *service, halves *supply) error {
	c, more := halves.take(), halves.take()
	c.SetFindings(slices.Concat(c.GetFindings(), more.GetFindings()))
	_, err := s.cases.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c, NoLinks: true}.Build())
	if err == nil {
		r.stored.Add(1)
	}
	return err
}

// until times a call again and again, at least once, until something is done.
func (s *series) until(ctx context.Context, done <-chan struct{}, f func(context.Context) error) error {
	began, n := time.Now(), 0
	for {
		at := time.Now()
		if err := f(ctx); err != nil {
			return err
		}
		s.latencies = append(s.latencies, time.Since(at))
		n++
		select {
		case <-done:
			s.rates = append(s.rates, float64(n)/time.Since(began).Seconds())
			return nil
		default:
		}
	}
}
