package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server"
)

// relink stops the service, checks its store and makes all links anew.
func (r *runner) relink(ctx context.Context) error {
	if err := r.needRaw(ctx); err != nil {
		return err
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	if err := r.stopService(); err != nil {
		return err
	}
	behind := r.behind
	r.behind = false
	r.Progress("reading all sightings")
	scanned, err := r.scanPostings(ctx)
	if err != nil {
		return err
	}
	// Nothing of the baselines may count as memory of what follows.
	if err := r.closeBaselines(); err != nil {
		return err
	}
	debug.FreeOSMemory()
	r.Progress("checking the store")
	var peak uint64
	stopWatch := watch(&peak)
	defer stopWatch()
	cases := int(r.stored.Load())
	checked, _, err := r.check(ctx, false)
	if err != nil {
		return err
	}
	both, values, err := r.check(ctx, true)
	stopWatch()
	late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !late {
		return err
	}
	// The second run checks again before it links.
	took := max(both-checked, time.Millisecond)
	row := Row{
		Name: "relink", What: fmt.Sprintf("check --rebuild, the check taken off; %d MiB of anonymous memory at most", peak>>20),
		N: cases, Unit: "cases", Rate: float64(cases) / took.Seconds(), P50: micros(took),
	}
	if behind {
		row.Note = "the linker's backlog, which it drains first, included"
	}
	if late {
		row.N, row.Unit, row.P50 = int(values), "values", 0
		row.Rate = float64(values) / took.Seconds()
		row.Note = strings.TrimPrefix(row.Note+fmt.Sprintf("; stopped after %v with %d values done", took.Round(time.Second), values), "; ")
	}
	check := Row{
		Name: "relink/check", What: "check alone: every derived record against its case", N: cases, Unit: "cases",
		Rate: float64(cases) / checked.Seconds(), P50: micros(checked),
	}
	if !late {
		row = row.against("p50", scanned)
	}
	r.add(scanned, check, row)
	return nil
}

// scanPostings reads as many sightings as were loaded, in order of their keys.
func (r *runner) scanPostings(ctx context.Context) (Row, error) {
	n := 0
	began := time.Now()
	err := r.raw.View(func(txn *badger.Txn) error {
		scan(txn, []byte{postingSpace}, func([]byte) bool {
			n++
			return n%10_000 != 0 || ctx.Err() == nil
		})
		return ctx.Err()
	})
	took := time.Since(began)
	return Row{
		Name: "relink/scan", What: "Badger alone reads the keys of all sightings", N: n, Unit: "keys",
		Rate: float64(n) / took.Seconds(), P50: micros(took),
	}, err
}

// errDifferent is returned where a check finds what it should not.
var errDifferent = errors.New("the store differs from its cases")

// check runs server.Check and returns the time it took and the values that it
// linked anew. With rebuild it has the time limit.
func (r *runner) check(ctx context.Context, rebuild bool) (took time.Duration, values uint64, err error) {
	if rebuild {
		r.Progress("making all links anew")
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Limit)
		defer cancel()
	}
	var different error
	began := time.Now()
	err = server.Check(ctx, server.Config{DataDir: r.dir}, rebuild,
		func(done uint64) { values = done },
		func(line string) { different = errors.Join(different, fmt.Errorf("%w: %s", errDifferent, line)) })
	return time.Since(began), values, errors.Join(err, different)
}
