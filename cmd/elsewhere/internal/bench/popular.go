package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
)

// What the cases with a popular value are measured against: those up to
// firstCases. The goals leave room for what others do with the machine.
const (
	firstCases   = 1_000
	popularCases = 100_000
	goalInsert   = 1.25 // times the p50 of the first thousand
	goalGrowth   = 1.25 // times the bytes a case of the first thousand
)

// manyTenants is over how many tenants a popular value is spread.
const manyTenants = 1_000

// popular submits cases that share one value and nothing else, one after the
// other, and looks at each decade what a case costs: once over many tenants and
// once within one.
func (r *runner) popular(ctx context.Context) error {
	for _, shape := range []struct {
		name, where string
		tenants     int
	}{
		{"popular/many", fmt.Sprintf("over %d tenants", manyTenants), manyTenants},
		{"popular/one", "within one tenant", 1},
	} {
		rows, err := r.shared(ctx, shape.name, shape.where, shape.tenants)
		for _, row := range rows {
			r.addAt(r.Popular, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shared is popular for one spread, on a service of its own.
func (r *runner) shared(ctx context.Context, name, where string, tenants int) (rows []Row, err error) {
	dir := filepath.Join(r.dir, "bench-popular")
	defer os.RemoveAll(dir)
	s, err := r.start(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	disk, err := allocated(storeFolder(dir))
	if err != nil {
		return nil, err
	}
	g := corpus.Generator{Seed: r.Corpus.Seed, Tenants: tenants}
	began := time.Now()
	var first Row
	var firstBytes float64
	for from, to := 0, min(10, r.Popular); from < r.Popular; from, to = to, min(10*to, r.Popular) {
		d, err := r.decade(ctx, s, g, from, to, began.Add(r.Limit))
		if err != nil {
			return rows, err
		}
		row := d.row(fmt.Sprintf("%s/%d", name, to), fmt.Sprintf("SubmitCase %d to %d with one value in common, %s", from+1, to, where), "cases", 1)
		row.Rate = float64(row.N) / d.linked.Seconds()
		grown, err := allocated(storeFolder(dir))
		if err != nil {
			return rows, err
		}
		row.Bytes = grown
		bytes := (float64(grown) - float64(disk)) / float64(row.N)
		disk = grown
		switch {
		case to == firstCases:
			first, firstBytes = row, bytes
		case to > firstCases:
			row = row.against(ofP50, first, Goal{AtMost: goalInsert, Cases: popularCases})
			if firstBytes > 0 && bytes > 0 {
				row.Ratios = append(row.Ratios, Ratio{
					Value: bytes / firstBytes, Of: "bytes a case", To: first.Name, Goal: &Goal{AtMost: goalGrowth, Cases: popularCases},
				})
			}
		}
		row.note("the rate is of cases until linked, the bytes are those of the store on disk")
		if d.stopped {
			row.note("stopped after %v with %d cases", r.Limit, from+row.N)
			return append(rows, row), nil
		}
		if !d.settled {
			row.note("an upper bound: not linked after %v", r.Limit)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// decade is what a range of cases took.
type decade struct {
	series
	// linked is the time until the last case was linked, if settled.
	linked           time.Duration
	settled, stopped bool
}

// decade submits cases from and up to an index until a deadline.
func (r *runner) decade(ctx context.Context, s *service, g corpus.Generator, from, to int, until time.Time) (d decade, err error) {
	began := time.Now()
	for i := from; i < to && !d.stopped; i++ {
		c := g.Popular(i)
		at := time.Now()
		if err := s.submit(ctx, c, true); err != nil {
			return d, err
		}
		done := time.Now()
		d.latencies = append(d.latencies, done.Sub(at))
		if i%progressEvery == 0 {
			r.Progress(fmt.Sprintf("one value in %d of %d cases", i, r.Popular))
		}
		d.stopped = done.After(until) && i+1 < r.Popular
	}
	slices.Sort(d.latencies)
	d.settled, err = r.settle(ctx, s, r.Limit, backlog.linked)
	d.linked = time.Since(began)
	return d, err
}

// progressEvery is how many cases are submitted between two words on it.
const progressEvery = 100
