package linker

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// casesPerPart is how many cases a goroutine takes at a time in a sweep. The rows
// of a part are held until they are compared with the stored ones.
const casesPerPart = 2_048

// maxMarks is how many marks a sweep takes away at most; those beyond are for the
// next step.
const maxMarks = 500_000

// sweep scores every pair anew, because N, the model or the classes changed, or
// because that costs less than to follow the marks. All live cases are read once,
// in compact form; then part after part, in order of the smaller end, the rows
// that should be are compared with those that are, and what differs is stored
// together with the progress. So a sweep that was asked for goes on where it was
// interrupted, and rows are there all the time.
func (l *Linker) sweep(ctx context.Context, sweep graph.Sweep) error {
	// Read before the cases: later marks stand for changes that the sweep may not
	// have seen. So do all marks for what an interrupted sweep had done already.
	var marks []graph.Mark
	if sweep.After == (evidence.Ref{}) {
		var err error
		if marks, err = l.store.Dirty(ctx, maxMarks); err != nil {
			return err
		}
	}
	began := time.Now()
	world, err := l.world(ctx, l.workers())
	if err != nil {
		return err
	}
	read, cases := time.Since(began), world.Cases()
	l.worked += cases
	from, found := world.Find(sweep.After)
	if found {
		from++
	}
	said, err := l.remarks(ctx)
	if err != nil {
		return err
	}
	asked, version := sweep.Pending, sweep.Version
	for ends := false; !ends; {
		workers := l.workers()
		to := min(from+workers*casesPerPart, world.Cases())
		ends = to == world.Cases()
		after := sweep.After
		if sweep.After = (evidence.Ref{}); !ends {
			sweep.After, _ = world.Case(to - 1)
		}
		sweep.Pending = asked && !ends
		b := &batch{linker: l, remarks: said}
		rows, err := l.part(ctx, world, from, to, workers)
		if err != nil {
			return err
		}
		said.dress(rows)
		if err := l.storePart(ctx, b, rows, after, sweep.After); err != nil {
			return err
		}
		if asked {
			b.rows.Sweep = &sweep
		}
		if err := l.apply(ctx, b.rows); err != nil {
			return err
		}
		if l.progress != nil {
			l.progress(to, world.Cases())
		}
		if now, err := l.store.Sweep(ctx); err != nil || now.Version != version {
			return err
		}
		from = to
	}
	for done := range slices.Chunk(marks, marksPerStep) {
		if err := l.store.Relink(ctx, graph.RelinkBatch{Done: done}); err != nil {
			return err
		}
	}
	if err := l.overtaken(ctx); err != nil {
		return err
	}
	if err := l.touchReviewed(ctx, said); err != nil {
		return err
	}
	l.sweepTook = time.Since(began)
	l.log.LogAttrs(ctx, slog.LevelInfo, "scored all links anew", slog.Int("cases", cases),
		slog.Int("marks", len(marks)), slog.Duration("read", read), slog.Duration("took", l.sweepTook))
	return nil
}

// overtaken notes on the marks that a sweep leaves that it has scored their values
// since: the rows no longer stand for the spread that the marks remember.
func (l *Linker) overtaken(ctx context.Context) error {
	later, err := l.store.Dirty(ctx, maxMarks)
	if err != nil {
		return err
	}
	for i := range later {
		// No mark has this version, so none is taken away.
		later[i].Version = 0
	}
	for part := range slices.Chunk(later, marksPerStep) {
		if err := l.store.Relink(ctx, graph.RelinkBatch{Done: part}); err != nil {
			return err
		}
	}
	return nil
}

// crowded is from how many live cases on a sweep needs the room of the caches: in
// compact form they take .66 KB each.
const crowded = 300_000

// world reads all live cases.
func (l *Linker) world(ctx context.Context, workers int) (*link.World, error) {
	rules := l.rules.Now()
	var w *link.World
	err := l.store.Scan(ctx, workers, graph.Scan{
		Size: func(size uint32) {
			if size >= crowded {
				l.forget()
			}
			w = link.NewWorld(rules.Model, rules.caps(), rules.Limits.RepresentativesPerTenant, rules.classes(), size)
		},
		Value: func(v evidence.Value, tenants, cases uint32) { w.AddValue(v, tenants, cases) },
		Alone: func(v evidence.Value) { w.AddAlone(v) },
		Case:  func(p *evidence.Profile, revision uint32) { w.AddCase(p, revision, rules.trust(p.Tenant)) },
	})
	if err != nil {
		return nil, err
	}
	return w, w.Seal(workers)
}

// part returns the rows that a range of cases should have as the smaller end, in
// order.
func (l *Linker) part(ctx context.Context, w *link.World, from, to, workers int) ([]graph.Row, error) {
	var mu sync.Mutex
	var failed error
	var rows []graph.Row
	var running sync.WaitGroup
	next := from
	for range workers {
		running.Go(func() {
			defer func() {
				if recover() != nil {
					l.log.ErrorContext(ctx, "panic while linking", "stack", string(debug.Stack()))
					mu.Lock()
					defer mu.Unlock()
					failed = errPanic
				}
			}()
			scorer := w.Scorer()
			var own []graph.Row
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= to {
					break
				}
				for o, err := range scorer.PairsOf(i) {
					if err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
						return
					}
					own = append(own, rowOf(scorer, o))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, own...)
		})
	}
	running.Wait()
	slices.SortFunc(rows, func(x, y graph.Row) int { return x.RowKey.Compare(y.RowKey) })
	return rows, failed
}

// rowOf returns the row of the pair that has just been scored.
func rowOf(s *link.Scorer, o link.Outcome) graph.Row {
	row := graph.Row{RowKey: graph.RowKey{A: o.A, B: o.B}, Score: ScoreOf(o), Shared: s.Shared()}
	row.RevisionA, row.RevisionB = s.Revisions()
	return row
}

// storePart replaces the rows whose smaller end is after one case and up to
// another, the zero Ref being the end. The last changes stay in b.
func (l *Linker) storePart(ctx context.Context, b *batch, rows []graph.Row, after, upTo evidence.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := l.store.View(ctx, func(s graph.Snapshot) error {
		for stored, err := range s.RowsAfter(after) {
			if err != nil {
				return err
			}
			if upTo != (evidence.Ref{}) && stored.A.Compare(upTo) > 0 {
				break
			}
			for len(rows) > 0 && rows[0].RowKey.Compare(stored.RowKey) < 0 {
				b.rows.Put, rows = append(b.rows.Put, rows[0]), rows[1:]
			}
			switch {
			case len(rows) == 0 || rows[0].RowKey != stored.RowKey:
				if b.remarks.said[stored.RowKey] != graph.Unreviewed {
					// No value proposes it; it is scored by itself afterwards.
					continue
				}
				b.rows.Remove = append(b.rows.Remove, stored.RowKey)
			case equal(&rows[0], &stored):
				rows = rows[1:]
			default:
				b.rows.Put, rows = append(b.rows.Put, rows[0]), rows[1:]
			}
			if err := b.spill(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(rows, rowsPerBatch) {
		b.rows.Put = append(b.rows.Put, part...)
		if err := b.spill(ctx); err != nil {
			return err
		}
	}
	return nil
}
