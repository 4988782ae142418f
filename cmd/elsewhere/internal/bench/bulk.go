package bench

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// generatorCases is how many cases are made to see how long making them takes.
const generatorCases = 5_000

// bulk loads the corpus over one stream and waits until it is linked.
func (r *runner) bulk(ctx context.Context) error {
	r.generator()
	data := Data{Seed: r.Corpus.Seed, ValuesPerCase: r.Corpus.ValuesPerCase}
	stopWatch := watch(&r.report.Footprint.PeakAnon)
	defer stopWatch()
	began := time.Now()
	if err := r.submitAll(ctx, &data, began); err != nil {
		return err
	}
	stored := time.Since(began)
	r.Progress("waiting for the links")
	linked, err := r.service.settle(ctx, r.Limit)
	if err != nil {
		return err
	}
	r.behind = !linked
	all := time.Since(began)
	stopWatch()
	r.next = data.Cases
	r.stored.Store(int64(data.Cases))
	r.report.Data = data
	rows := []Row{
		{Name: "bulk/stored", What: "SubmitCases on one stream, until acknowledged", Rate: float64(data.Cases) / stored.Seconds()},
		{Name: "bulk/linked", What: "the same, until the linker has nothing left", Rate: float64(data.Cases) / all.Seconds()},
	}
	for i := range rows {
		rows[i].N, rows[i].Unit = data.Cases, "cases"
	}
	if data.Cases < r.Corpus.Cases {
		rows[0].Note = fmt.Sprintf("stopped after %v with %d of %d cases", r.Limit, data.Cases, r.Corpus.Cases)
	}
	if !linked {
		rows[1].Note = fmt.Sprintf("an upper bound: not done after %v", all.Round(time.Second))
	}
	r.add(rows...)
	return r.footprint()
}

// generator says how fast the load is made, which shares the machine with the
// service that it is for.
func (r *runner) generator() {
	began := time.Now()
	for range r.Corpus.From(0, generatorCases) {
	}
	r.add(Row{
		Name: "bulk/made", What: "the generator alone", N: generatorCases, Unit: "cases",
		Rate: generatorCases / time.Since(began).Seconds(),
	})
}

// submitAll stores cases until the corpus or the time ends, and counts them.
func (r *runner) submitAll(ctx context.Context, data *Data, began time.Time) error {
	c, err := client.Dial(r.service.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	tenants := make(map[string]bool)
	var made int
	input := iter.Seq2[*elsewherev1.SubmitCaseRequest, error](func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		for one := range r.Corpus.All() {
			if time.Since(began) > r.Limit {
				return
			}
			made++
			tenants[one.GetTenant()] = true
			if counts(one) {
				data.Postings += postings(one)
			}
			if !yield(elsewherev1.SubmitCaseRequest_builder{Case: one, MaxLinks: 1}.Build(), nil) {
				return
			}
		}
	})
	for ack, err := range c.SubmitAll(ctx, input) {
		if err != nil {
			return err
		}
		if ack.Err != nil {
			return fmt.Errorf("case %d: %w", ack.Index, ack.Err)
		}
		if data.Cases++; data.Cases%1_000 == 0 {
			r.Progress(fmt.Sprintf("%d of %d cases stored", data.Cases, r.Corpus.Cases))
		}
	}
	// The loop has ended after the input.
	data.Tenants = len(tenants)
	if data.Cases != made {
		return fmt.Errorf("%d of %d cases were acknowledged", data.Cases, made)
	}
	return nil
}

// postings counts the sightings that a case makes: a spoof pair stands for its
// two sides as well.
func postings(c *elsewherev1.Case) int {
	n := 0
	for _, o := range observables(c) {
		n++
		if o.GetKind() == "spoof_pair" {
			n += 2
		}
	}
	return n
}

// watch keeps the most anonymous memory that is resident until it is stopped.
func watch(peak *uint64) (stop func()) {
	const every = 100 * time.Millisecond
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			*peak = max(*peak, anon())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
}

// footprint measures memory and disk of the loaded service.
func (r *runner) footprint() error {
	f := &r.report.Footprint
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.Heap, f.Anon, f.File = m.HeapAlloc, anon(), file()
	disk, err := allocated(filepath.Join(r.dir, "store"))
	if err != nil {
		return err
	}
	f.Disk = disk
	if n := r.report.Data.Postings; n > 0 {
		f.DiskPerPosting = float64(disk) / float64(n)
	}
	return nil
}

// allocated returns the bytes that files take on disk; those that were only
// reserved do not count.
func allocated(dir string) (total uint64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		total += onDisk(info)
		return nil
	})
	return total, err
}
