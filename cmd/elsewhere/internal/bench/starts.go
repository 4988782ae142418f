package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// goalStart is the time from a start to the first answer, in microseconds.
const goalStart = 500_000

// starts times starts of the service until its first answer: once after it was
// killed, so that it has to read its log, then a few times after it was stopped.
func (r *runner) starts(ctx context.Context) error {
	value := r.samples(1)
	if err := r.service.crash(); err != nil {
		return err
	}
	r.service = nil
	r.Progress("starting after a crash")
	killed, err := r.answerAfterStart(ctx, value)
	if err != nil {
		return err
	}
	var took []time.Duration
	for n := range rounds {
		r.Progress(fmt.Sprintf("start %d of %d", n+1, rounds))
		if err := r.settled(ctx); err != nil {
			return err
		}
		if err := r.stopService(); err != nil {
			return err
		}
		if n == 0 {
			if r.report.Data.Service, err = tablesOf(storeFolder(r.dir)); err != nil {
				return err
			}
		}
		d, err := r.answerAfterStart(ctx, value)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	rows := []Row{
		{Name: "start/cold", What: "new process until its first answer to Seen, after a stop", N: len(took), P50: micros(quantile(took, .5))},
		{Name: "start/killed", What: "the same, after kill -9 at the end of the load", N: 1, P50: micros(killed)},
	}
	for i := range rows {
		rows[i].note("the store's files are in the page cache")
	}
	rows[0] = rows[0].bound(ofP50, Goal{AtMost: goalStart, Cases: million})
	r.add(rows...)
	return nil
}

// answerAfterStart starts the service and asks it for a value.
func (r *runner) answerAfterStart(ctx context.Context, value []*elsewherev1.Observable) (time.Duration, error) {
	began := time.Now()
	if err := r.startService(ctx); err != nil {
		return 0, err
	}
	_, err := r.service.correlate.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: value}.Build())
	return time.Since(began), err
}
