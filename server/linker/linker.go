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
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Store is what the linker needs of a backend.
type Store interface {
	graph.Reader
	graph.Queue
}

// Linker drains marks. Create it with New and start Run once.
type Linker struct {
	store Store
	rules Rules
	log   *slog.Logger
	idle  chan chan struct{}
	swept uint64 // values, by all sweeps of this linker
}

// New returns a linker on a store.
func New(store Store, rules Rules, log *slog.Logger) *Linker {
	rules.Limits = rules.Limits.OrDefaults()
	return &Linker{store: store, rules: rules, log: log, idle: make(chan chan struct{})}
}

// Sizes of one step.
const (
	marksPerStep  = 256
	valuesPerStep = 256
	rowsPerBatch  = 2_000
	expandWorkers = 16
)

// retryAfter is how long Run waits after an error of the store.
const retryAfter = time.Second

// Basis names everything, besides the cases, that stored rows depend on.
func (r Rules) Basis() string {
	l := r.Limits.OrDefaults()
	return fmt.Sprintf("model %d, feeds %s, caps %d/%d/%d/%d/%d", r.Model.Version(), r.Classes.Version(),
		l.RepresentativesPerTenant, l.CandidateTenants, l.ExplainingTenants, l.ExplainingCases, l.ScoringTenants)
}

// Run drains marks until ctx ends, and returns nil then. An error of the store
// is logged and tried again: the marks are still there.
func (l *Linker) Run(ctx context.Context) error {
	if err := l.store.StartSweep(ctx, l.rules.Basis(), false); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start of the linker: %w", err)
	}
	var waiting []chan struct{}
	defer func() {
		for _, w := range waiting {
			close(w)
		}
	}()
	for ctx.Err() == nil {
		more, err := l.guarded(ctx)
		if err != nil && ctx.Err() == nil {
			l.log.ErrorContext(ctx, "linking", "error", err)
		}
		if more && err == nil {
			// Taken without waiting, so that a caller is not blocked by a backlog.
			select {
			case w := <-l.idle:
				waiting = append(waiting, w)
			default:
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
		select {
		case <-ctx.Done():
		case <-l.store.Changed():
		case <-retry:
		case w := <-l.idle:
			waiting = append(waiting, w)
		}
	}
	return nil
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

// Step does a bounded part of the work and reports whether there may be more.
func (l *Linker) Step(ctx context.Context) (more bool, err error) {
	marks, err := l.store.Dirty(ctx, marksPerStep)
	if err != nil {
		return false, err
	}
	if len(marks) == 0 {
		return l.sweep(ctx)
	}
	if expanded, err := l.expand(ctx, marks); err != nil || expanded {
		return expanded, err
	}
	b := &batch{linker: l}
	err = l.relink(ctx, b, func(p *pass) error {
		for _, m := range marks {
			if err := p.value(ctx, m.Value, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	b.rows.Done = marks
	return true, b.flush(ctx)
}

// expand carries out the marks that ask for it, side by side so that they share
// commits, and reports whether there were any.
func (l *Linker) expand(ctx context.Context, marks []graph.Mark) (bool, error) {
	marks = slices.DeleteFunc(slices.Clone(marks), func(m graph.Mark) bool { return !m.Expand })
	if len(marks) == 0 {
		return false, nil
	}
	errs := make([]error, expandWorkers)
	var workers sync.WaitGroup
	for w := range expandWorkers {
		workers.Go(func() {
			for i := w; i < len(marks) && errs[w] == nil; i += expandWorkers {
				errs[w] = l.store.Expand(ctx, marks[i])
			}
		})
	}
	workers.Wait()
	return true, errors.Join(errs...)
}

// sweep looks at the next values of a sweep that N, the model or the classes
// asked for.
func (l *Linker) sweep(ctx context.Context) (more bool, err error) {
	sweep, err := l.store.Sweep(ctx)
	if err != nil || !sweep.Pending {
		return false, err
	}
	values, err := l.store.SweepValues(ctx, sweep.After, valuesPerStep)
	if err != nil {
		return false, err
	}
	b := &batch{linker: l}
	err = l.relink(ctx, b, func(p *pass) error {
		for _, v := range values {
			if err := p.value(ctx, v, graph.Mark{Again: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if len(values) == 0 {
		sweep.Pending = false
	} else {
		sweep.After = values[len(values)-1]
		l.swept += uint64(len(values))
	}
	b.rows.Sweep = &sweep
	return true, b.flush(ctx)
}

// relink runs one pass on a snapshot.
func (l *Linker) relink(ctx context.Context, b *batch, f func(*pass) error) error {
	return l.store.View(ctx, func(s graph.Snapshot) error {
		scorer, err := l.rules.Scorer(s)
		if err != nil {
			return err
		}
		return f(&pass{batch: b, snapshot: s, scorer: scorer, limits: l.rules.Limits, seen: make(map[graph.RowKey]bool)})
	})
}

// batch collects changes of rows and stores them before they grow large. Only
// the last part takes marks away, so a crash between parts repeats work.
type batch struct {
	linker *Linker
	rows   graph.RelinkBatch
}

func (b *batch) flush(ctx context.Context) error {
	rows := b.rows
	b.rows = graph.RelinkBatch{}
	return b.linker.store.Relink(ctx, rows)
}

func (b *batch) spill(ctx context.Context) error {
	if len(b.rows.Put)+len(b.rows.Remove) < rowsPerBatch {
		return nil
	}
	return b.flush(ctx)
}

// pass re-scores pairs on one snapshot.
type pass struct {
	*batch
	snapshot graph.Snapshot
	scorer   *link.Scorer
	limits   graph.Limits
	seen     map[graph.RowKey]bool // whether a row is kept
}

// maxSeen bounds how many pairs a pass remembers; a pair that it forgets is
// scored again, to the same result.
const maxSeen = 200_000

// value re-scores every pair whose score depends on v and whose row may change:
// the stored rows that share it, and all pairs of its representatives.
func (p *pass) value(ctx context.Context, v evidence.Value, mark graph.Mark) error {
	summary, err := p.snapshot.Summary(v)
	if err != nil {
		return err
	}
	if !mark.Again && mark.Tenants <= 1 && summary.Tenants <= 1 {
		// No two tenants had it, and none do: there is no pair.
		return nil
	}
	if mark.Again || !p.unchanged(mark.Tenants, summary.Tenants) {
		for row, err := range p.snapshot.RowsOf(v) {
			if err != nil {
				return err
			}
			if err := p.pair(ctx, row.RowKey, &row); err != nil {
				return err
			}
		}
	}
	proposes, err := p.scorer.Proposes(v)
	if err != nil || !proposes {
		return err
	}
	refs, err := p.snapshot.Representatives(v)
	if err != nil {
		return err
	}
	for i, a := range refs {
		for _, b := range refs[i+1:] {
			if a.Tenant == b.Tenant {
				continue
			}
			if err := p.pair(ctx, graph.Pair(a, b), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// unchanged reports whether no pair can score differently on a value because of
// its spread: it was and is in so many tenants that nothing on it is explained,
// and their number counts the same. Pairs whose own cases changed are found by
// the value that proposes them.
func (p *pass) unchanged(before, now uint32) bool {
	if int(before) <= p.limits.CandidateTenants || int(now) <= p.limits.CandidateTenants {
		return false
	}
	many := uint32(p.limits.ScoringTenants)
	if before > many || now > many {
		return before > many && now > many
	}
	return link.SameWeight(before, now)
}

// pair brings the row of one pair up to date.
func (p *pass) pair(ctx context.Context, key graph.RowKey, stored *graph.Row) error {
	if kept, ok := p.seen[key]; ok {
		// A row of an earlier version of a case may share other values now.
		if stored != nil && !kept {
			p.rows.Remove = append(p.rows.Remove, key)
			return p.spill(ctx)
		}
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(p.seen) >= maxSeen {
		clear(p.seen)
	}
	row, err := p.score(key)
	if err != nil {
		return err
	}
	p.seen[key] = row != nil
	switch {
	case row == nil && stored != nil:
		p.rows.Remove = append(p.rows.Remove, key)
	case row != nil && (stored == nil || !equal(row, stored)):
		p.rows.Put = append(p.rows.Put, *row)
	default:
		return nil
	}
	return p.spill(ctx)
}

// score returns the row that a pair should have, nil for none.
func (p *pass) score(key graph.RowKey) (*graph.Row, error) {
	a, b, err := p.scorer.Pair(key.A, key.B)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	proposed, err := p.scorer.Proposed(a, b)
	if err != nil || !proposed {
		return nil, err
	}
	e, err := p.scorer.Score(a, b)
	if err != nil {
		return nil, err
	}
	shared := link.Shared(a, b)
	if e.Tier < link.Lead && len(shared) < 2 {
		return nil, nil
	}
	row := &graph.Row{RowKey: key, Score: ScoreOf(e), Shared: shared}
	for _, end := range []struct {
		ref      evidence.Ref
		revision *uint32
	}{{key.A, &row.RevisionA}, {key.B, &row.RevisionB}} {
		meta, err := p.snapshot.Meta(end.ref)
		if err != nil {
			return nil, err
		}
		*end.revision = meta.Revision
	}
	return row, nil
}

// ScoreOf returns what a row keeps of an explanation.
func ScoreOf(e *link.Explanation) graph.Score {
	return graph.Score{
		Millibits: e.Total, Micros: e.Micros, Tier: uint8(e.Tier),
		SharedCount: e.SharedCount, ModelVersion: e.ModelVersion,
	}
}

func equal(x, y *graph.Row) bool {
	return x.Score == y.Score && x.RevisionA == y.RevisionA && x.RevisionB == y.RevisionB &&
		slices.Equal(x.Shared, y.Shared)
}

// Drain works until nothing is left; progress gets the number of values of a
// sweep that are done. It must not run beside Run.
func (l *Linker) Drain(ctx context.Context, progress func(values uint64)) error {
	for {
		before := l.swept
		more, err := l.Step(ctx)
		if err != nil || !more {
			return err
		}
		if l.swept != before {
			progress(l.swept)
		}
	}
}
