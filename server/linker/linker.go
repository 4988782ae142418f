// Package linker keeps the stored links current: it drains the dirty marks that
// changes leave in the graph into link rows.
//
// It knows the graph and the score; it must not know who may see a link, or the
// wire. All it writes can be computed again from the cases, so a crash costs
// time and nothing else: the marks of a batch go in the batch that stores its
// rows.
package linker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Store is what the linker needs of a backend.
type Store interface {
	graph.Reader
	graph.Queue
}

// Linker drains marks. Create it with New and start Run once.
type Linker struct {
	store Store
	rules Source
	log   *slog.Logger
	idle  chan chan struct{}
	// draining says that nobody asks for anything meanwhile; progress is then told how
	// far a sweep is.
	draining bool
	progress func(done, of int)
	// calm is how many times memory was given back since something was done, worked
	// how many marks were followed and cases swept since caches were emptied.
	calm, worked int
	// sweepTook is how long the last sweep was.
	sweepTook time.Duration
	// woken says that a signal of new marks was taken since the last step began.
	woken bool
	// tells judges the changes of the step under way; quiet says that nobody hears.
	tells teller
	quiet bool
	// steps counts those that had marks.
	steps int
	// id is what an actor is called by who knows a member; see Naming.
	id     func(member evidence.Ref) string
	bounds bounds
	// regroupFrom is how many entries have to be listed for a look at all cases.
	regroupFrom int
}

// New returns a linker on a store. Rules may be Rules or Changeable.
func New(store Store, rules Source, log *slog.Logger) *Linker {
	return &Linker{
		store: store, rules: rules, log: log, idle: make(chan chan struct{}), id: plainID, bounds: defaultBounds(),
		regroupFrom: regroupAtLeast,
	}
}

// Sizes of one step. Marks that are drained together share what is read for
// them, so a backlog costs less for each mark the longer it is.
const (
	marksPerStep   = 8_192
	marksPerWorker = 64
	marksTogether  = 32
	rowsPerBatch   = 2_000
	expandWorkers  = 16
)

// retryAfter is how long Run waits after an error of the store.
const retryAfter = time.Second

// compareBasis asks for a sweep if rows were scored by other rules.
func (l *Linker) compareBasis(ctx context.Context) error {
	return l.store.StartSweep(ctx, l.rules.Now().Basis(), false)
}

// Basis names everything, besides the cases, that stored rows depend on.
func (r Rules) Basis() string {
	l := r.Limits.OrDefaults()
	return fmt.Sprintf("model %d, feeds %s, caps %d/%d/%d/%d/%d", r.Model.Version(), r.Classes.Version(),
		l.RepresentativesPerTenant, l.CandidateTenants, l.ExplainingTenants, l.ExplainingCases, l.ScoringTenants)
}

// Run drains marks until ctx ends, and returns nil then. An error of the store
// is logged and tried again: the marks are still there.
func (l *Linker) Run(ctx context.Context) error {
	for err := l.compareBasis(ctx); err != nil; err = l.compareBasis(ctx) {
		l.complain(ctx, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryAfter):
		}
	}
	var waiting []chan struct{}
	defer func() {
		for _, w := range waiting {
			close(w)
		}
	}()
	for ctx.Err() == nil {
		l.woken = false
		began := time.Now()
		more, err := l.guarded(ctx)
		if err != nil {
			l.complain(ctx, err)
		}
		if (more || l.woken) && err == nil {
			// Taken without waiting, so that a caller is not blocked by a backlog.
			select {
			case w := <-l.idle:
				waiting = append(waiting, w)
			default:
			}
			l.calm = 0
			if len(waiting) == 0 {
				waiting = l.rest(ctx, restFor*time.Since(began))
			}
			if len(waiting) == 0 {
				waiting = l.gather(ctx)
			}
			continue
		}
		var retry <-chan time.Time
		if err != nil {
			retry = time.After(retryAfter)
		} else {
			for _, w := range waiting {
				close(w)
			}
			waiting = nil
		}
		var calm <-chan time.Time
		switch l.calm {
		case 0:
			calm = time.After(calmSoon)
		case 1:
			calm = time.After(calmLater)
		}
		select {
		case <-ctx.Done():
		case <-l.store.Changed():
		case <-retry:
		case w := <-l.idle:
			waiting = append(waiting, w)
		case <-calm:
			l.giveBack()
		}
	}
	return nil
}

// How long nothing happens before memory is given back: what the linker took, and
// then what Badger holds ready for its next compactions.
const (
	calmSoon  = 2 * time.Second
	calmLater = 25 * time.Second
)

// muchWork is from how many marks and cases on it was a load, after which the caches
// are emptied: what they keep of it lies scattered in four times as much memory, and
// fills again with what is asked for.
const muchWork = 10_000

// giveBack gives back memory: what a load took would stay with the process for
// minutes.
func (l *Linker) giveBack() {
	if l.calm++; l.calm > 1 && l.worked >= muchWork {
		l.forget()
	}
	debug.FreeOSMemory()
}

// forget empties the caches.
func (l *Linker) forget() {
	l.worked = 0
	if cached, ok := l.store.(interface{ Forget() }); ok {
		cached.Forget()
	}
	if sides := l.rules.Now().sides; sides != nil {
		sides.Forget()
	}
}

// How long the linker rests while cases come in, as a multiple of what its last
// step took, how long marks gather for a sweep at least, and what counts as quiet. It
// is longer than any commit that waits for the disk, for compactions or for a
// processor: else a load would have one sweep after the other as soon as it slows down.
// So it takes a tenth of the time of one processor from who submits, and falls
// behind by ten times what it takes to score all pairs; who asks for what it
// stores ends the rest.
const (
	restFor   = 9
	gatherFor = 2 * time.Second
	quiet     = 2 * time.Second
)

// rest waits while cases come in: who submits needs the processors more, and
// marks that gather are cheaper to follow together. It ends at once when it is
// quiet or when somebody asks to be told when the linker is idle.
func (l *Linker) rest(ctx context.Context, atMost time.Duration) (asked []chan struct{}) {
	over := time.After(atMost)
	for l.busy() {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return nil
		case w := <-l.idle:
			return []chan struct{}{w}
		case <-time.After(quiet):
		}
	}
	return nil
}

// gather rests before a sweep that is due because many marks wait.
func (l *Linker) gather(ctx context.Context) []chan struct{} {
	many, oldest, err := l.many(ctx)
	if err != nil || !many {
		return nil
	}
	return l.rest(ctx, max(gatherFor, restFor*l.sweepTook)-time.Since(oldest))
}

// busy reports whether cases have come since it was last asked.
func (l *Linker) busy() bool {
	select {
	case <-l.store.Changed():
		l.woken = true
		return true
	default:
		return false
	}
}

// workers is how many goroutines score: all processors but one while cases come
// in, so that a request does not wait for its turn.
func (l *Linker) workers() int {
	n := runtime.GOMAXPROCS(0)
	if l.busy() && !l.draining {
		n--
	}
	return max(n, 1)
}

// complain logs an error of the store. Of a full disk the store tells its log
// itself, and not every second.
func (l *Linker) complain(ctx context.Context, err error) {
	if _, full := errors.AsType[*graph.NoSpaceError](err); !full && ctx.Err() == nil {
		l.log.ErrorContext(ctx, "linking", "error", err)
	}
}

// errPanic is the error of a step that panicked.
var errPanic = errors.New("panic while linking")

// guarded is Step without panics: the service answers on while its links wait.
// What was panicked with may hold a value of a case, so only the place is logged.
func (l *Linker) guarded(ctx context.Context) (more bool, err error) {
	defer func() {
		if recover() != nil {
			l.log.ErrorContext(ctx, "panic while linking", "stack", string(debug.Stack()))
			more, err = false, errPanic
		}
	}()
	return l.Step(ctx)
}

// Settle waits until everything that was acknowledged before the call is linked,
// or until ctx ends. It needs Run.
func (l *Linker) Settle(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case l.idle <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Step does a part of the work and reports whether there may be more.
func (l *Linker) Step(ctx context.Context) (more bool, err error) {
	marks, err := l.store.Dirty(ctx, marksPerStep)
	if err != nil {
		return false, err
	}
	sweep, err := l.store.Sweep(ctx)
	if err != nil {
		return false, err
	}
	many, _, err := l.many(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case many, len(marks) == 0 && sweep.Pending:
		l.tells = teller(because(sweep, many, l.rules.Now().Basis()))
		return true, l.sweep(ctx, sweep)
	case len(marks) == 0:
		return l.group(ctx)
	}
	if l.steps++; l.steps%groupEvery == 0 {
		// A load that does not end must not keep actors from what they are told.
		if _, err := l.group(ctx); err != nil {
			return false, err
		}
	}
	l.tells = teller(graph.CauseEvidence)
	l.worked += len(marks)
	if err := l.expand(ctx, marks); err != nil {
		return false, err
	}
	last, err := l.relink(ctx, marks)
	if err != nil {
		return false, err
	}
	last.Done = marks
	return true, l.apply(ctx, last)
}

// marksPerCase is the number of marks for each case of the store from which it
// costs less to score all pairs than those on the marked values: what the pairs
// on one marked value depend on costs as much to read and score as 20 cases in a
// sweep where 8,000 are stored, and more where the cases that it reads are not in
// memory (measured on the made-up corpus of the bench command).
const marksPerCase = .03

// many reports whether so many marks wait that a sweep costs less, and when the
// oldest was left.
func (l *Linker) many(ctx context.Context) (bool, time.Time, error) {
	var enough int
	err := l.store.View(ctx, func(s graph.Snapshot) error {
		size, err := s.Size()
		enough = max(minMarks, int(marksPerCase*float64(size)))
		return err
	})
	if err != nil {
		return false, time.Time{}, err
	}
	waiting, oldest, err := l.store.Backlog(ctx, enough)
	return waiting >= enough, oldest, err
}

// minMarks is the least number of marks for which a sweep is considered.
const minMarks = 256

// expand carries out the marks that ask for it, side by side so that they share
// commits. What they leave is for the next step.
func (l *Linker) expand(ctx context.Context, marks []graph.Mark) error {
	marks = slices.DeleteFunc(slices.Clone(marks), func(m graph.Mark) bool { return !m.Expand })
	errs := make([]error, expandWorkers)
	var workers sync.WaitGroup
	for w := range min(expandWorkers, len(marks)) {
		workers.Go(func() {
			defer func() {
				if recover() != nil {
					l.log.ErrorContext(ctx, "panic while linking", "stack", string(debug.Stack()))
					errs[w] = errPanic
				}
			}()
			for i := w; i < len(marks) && errs[w] == nil; i += expandWorkers {
				errs[w] = l.store.Expand(ctx, marks[i])
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// relink re-scores the pairs on marked values, on all cores, notes on each mark
// how, and returns the changes of rows that it has not stored yet. All of it is done
// on one state: else a mark could say that it was scored with a spread that a row of
// another goroutine does not know.
func (l *Linker) relink(ctx context.Context, marks []graph.Mark) (graph.RelinkBatch, error) {
	workers := min(l.workers(), 1+len(marks)/marksPerWorker)
	batches := make([]batch, workers)
	var worker, next atomic.Int64
	rules := l.rules.Now()
	err := l.store.Views(ctx, workers, func(s graph.Snapshot) (err error) {
		// A panic would end the process from here; see guarded.
		defer func() {
			if recover() != nil {
				l.log.ErrorContext(ctx, "panic while linking", "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		b := &batches[worker.Add(1)-1]
		b.linker = l
		p, err := newPass(rules, s, b)
		if err != nil {
			return err
		}
		for {
			// Marks of one case stand together, and share most pairs.
			from := int(next.Add(marksTogether)) - marksTogether
			if from >= len(marks) {
				return nil
			}
			for i := from; i < min(from+marksTogether, len(marks)); i++ {
				if err := p.value(ctx, &marks[i]); err != nil {
					return err
				}
			}
		}
	})
	var all graph.RelinkBatch
	for _, b := range batches {
		all.Put = append(all.Put, b.rows.Put...)
		all.Remove = append(all.Remove, b.rows.Remove...)
	}
	return all, err
}

// newPass returns a pass on a snapshot.
func newPass(rules Rules, s graph.Snapshot, b *batch) (*pass, error) {
	scorer, err := rules.Scorer(s)
	if err != nil {
		return nil, err
	}
	return &pass{
		batch: b, snapshot: s, scorer: scorer, limits: rules.Limits,
		kept: make(map[graph.RowKey]bool), revisions: make(map[evidence.Ref]uint32), alarms: newAlarms(s),
	}, nil
}

// batch collects changes of rows and stores them before they grow large. Only
// the last part takes marks away, so a crash between parts repeats work.
type batch struct {
	linker *Linker
	rows   graph.RelinkBatch
	// remarks are those of a sweep.
	remarks remarks
}

func (b *batch) spill(ctx context.Context) error {
	if len(b.rows.Put)+len(b.rows.Remove) < rowsPerBatch {
		return nil
	}
	rows := b.rows
	b.rows = graph.RelinkBatch{}
	return b.linker.apply(ctx, rows)
}

// Drain works until nothing is left; progress is told how many of how many cases
// a sweep has done. It must not run beside Run, and takes all processors.
func (l *Linker) Drain(ctx context.Context, progress func(done, of int)) error {
	l.draining, l.progress = true, progress
	for {
		more, err := l.Step(ctx)
		if err != nil || !more {
			return err
		}
	}
}
