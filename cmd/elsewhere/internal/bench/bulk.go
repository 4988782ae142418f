package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// generatorCases is how many cases are made to see how long making them takes.
const generatorCases = 5_000

// Goals for loading.
const (
	goalLinked     = 2_000 // cases a second
	goalPeakAnon   = 1 << 30
	goalSteadyAnon = 256 << 20
)

// backlogEvery is how often the backlog is looked at while loading. Where 100,000
// values wait, that takes the service .1 s.
const backlogEvery = 5 * time.Second

// bulk loads the corpus over one stream, waits until it is linked and its actors are
// found, and then leaves the service alone to see what memory it keeps.
func (r *runner) bulk(ctx context.Context) error {
	r.generator()
	if err := r.startService(ctx); err != nil {
		return err
	}
	data := Data{Seed: r.Corpus.Seed, ValuesPerCase: r.Corpus.ValuesPerCase}
	stopMemory := r.service.watch(&r.report.Footprint.PeakAnon)
	defer stopMemory()
	stopBacklog := r.watchBacklog(ctx, &data)
	defer stopBacklog()
	began := time.Now()
	if err := r.submitAll(ctx, &data, began); err != nil {
		return err
	}
	stored, storedCPU := time.Since(began), r.service.cpu()
	linked, err := r.settle(ctx, r.service, r.Limit, backlog.linked)
	if err != nil {
		return err
	}
	all, allCPU := time.Since(began), r.service.cpu()
	current, err := r.settle(ctx, r.service, r.Limit, backlog.done)
	if err != nil {
		return err
	}
	whole, wholeCPU := time.Since(began), r.service.cpu()
	r.behind = !current
	stopMemory()
	stopBacklog()
	r.next = data.Cases
	r.stored.Store(int64(data.Cases))
	r.report.Data = data
	rows := []Row{
		{Name: "bulk/stored", What: "SubmitCases on one stream without links in the answers, until acknowledged", Rate: float64(data.Cases) / stored.Seconds()},
		{Name: "bulk/linked", What: "the same, from the first submit until the backlog is empty", Rate: float64(data.Cases) / all.Seconds()},
		{Name: "bulk/actors", What: "the same, until actors are current too", Rate: float64(data.Cases) / whole.Seconds()},
	}
	for i := range rows {
		rows[i].N, rows[i].Unit = data.Cases, "cases"
	}
	if data.Cases < r.Corpus.Cases {
		rows[0].note("stopped after %v with %d of %d cases", r.Limit, data.Cases, r.Corpus.Cases)
	}
	if !linked {
		rows[1].note("an upper bound: not done after %v", all.Round(time.Second))
	}
	if !current {
		rows[2].note("an upper bound: not done after %v", whole.Round(time.Second))
	}
	rows[1] = rows[1].bound(ofRate, Goal{AtLeast: goalLinked})
	r.add(rows...)
	if allCPU > 0 {
		r.add(
			perCase("cpu/stored", "processor time of the service for a case until all were acknowledged, links made meanwhile included", storedCPU, data.Cases),
			perCase("cpu/linked", "the same, until the backlog is empty", allCPU, data.Cases),
			perCase("cpu/actors", "the same, until actors are current too", wholeCPU, data.Cases),
		)
	}
	return r.footprint(ctx)
}

// perCase is a row of what each case took. Unlike a rate it hardly depends on
// what else the machine does.
func perCase(name, what string, took time.Duration, cases int) Row {
	return Row{Name: name, What: what, N: cases, P50: micros(took) / float64(max(cases, 1))}
}

// spent returns what notes on a row the processor time that the service takes for
// a case from now on, with the links that it makes in the background.
func (r *runner) spent() func(*Row) {
	stored, cpu := r.stored.Load(), r.service.cpu()
	return func(row *Row) {
		if n, took := r.stored.Load()-stored, r.service.cpu()-cpu; n > 0 && took > 0 {
			row.note("%.1f ms of the service's processor time a case, links in the background included", took.Seconds()*1e3/float64(n))
		}
	}
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

// watchBacklog keeps the largest backlog until it is stopped. A look that fails
// is left out: whoever waits for the links will be told.
func (r *runner) watchBacklog(ctx context.Context, data *Data) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s := r.service
	end := every(backlogEvery, func() {
		if b, err := s.backlog(ctx); err == nil {
			data.MarksMost = max(data.MarksMost, b.marks)
			data.AgeMost = max(data.AgeMost, b.age.Seconds())
		}
	})
	return func() {
		cancel()
		end()
	}
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
			if !yield(elsewherev1.SubmitCaseRequest_builder{Case: one, NoLinks: true}.Build(), nil) {
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
			r.Progress(fmt.Sprintf("%d of %d cases stored, %.0f a second", data.Cases, r.Corpus.Cases,
				float64(data.Cases)/time.Since(began).Seconds()))
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

// footprint measures memory and disk of the loaded service, after a rest in
// which its runtime may give back what it wants.
func (r *runner) footprint(ctx context.Context) error {
	f := &r.report.Footprint
	r.Progress(fmt.Sprintf("leaving the service alone for %v", r.Rest))
	if err := wait(ctx, r.Rest); err != nil {
		return err
	}
	f.Anon, f.File = r.service.anon(), r.service.file()
	f.PeakAnon = max(f.PeakAnon, f.Anon)
	g, err := r.service.gauges(ctx, gaugeHeap)
	if err != nil {
		return err
	}
	f.Heap = uint64(g[gaugeHeap])
	if f.Disk, err = allocated(storeFolder(r.dir)); err != nil {
		return err
	}
	if n := r.report.Data.Postings; n > 0 {
		f.DiskPerPosting = float64(f.Disk) / float64(n)
	}
	if f.PeakAnon == 0 || f.Anon == 0 {
		// The system does not tell.
		return nil
	}
	r.add(
		Row{
			Name: "memory/peak", What: "anonymous memory of the service at most, loading and linking", N: r.report.Data.Cases, Bytes: f.PeakAnon,
		}.bound(ofBytes, Goal{AtMost: goalPeakAnon, Cases: million}),
		Row{
			Name: "memory/steady", What: fmt.Sprintf("the same, %v after the last link", r.Rest), N: r.report.Data.Cases, Bytes: f.Anon,
		}.bound(ofBytes, Goal{AtMost: goalSteadyAnon, Cases: million}),
	)
	return nil
}

// allocated returns the bytes that files take on disk; those that were only
// reserved do not count. Files that go while it looks are left out.
func allocated(dir string) (total uint64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if path != dir && isGone(err) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if isGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		total += onDisk(info)
		return nil
	})
	return total, err
}

func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
