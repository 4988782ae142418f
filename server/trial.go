package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Lists are the data about addresses and names that a service would use, without
// look-ups.
type Lists struct {
	data     *local.Data
	unusable []error
}

// OpenLists loads the data that are part of the program and what e names: its
// FeedsDir, "" for none, and its Databases.
func OpenLists(e Enrichment) (*Lists, error) {
	options := local.Options{Databases: e.Databases}
	if e.FeedsDir != "" {
		folder, err := feeds.Open(e.FeedsDir, feeds.Options{})
		if err != nil {
			return nil, err
		}
		options.Folder, options.Scratch = folder, e.FeedsDir
	}
	data, report, err := local.Open(options)
	if err != nil {
		return nil, err
	}
	l := &Lists{data: data}
	for _, f := range report.Feeds {
		if f.Err != nil {
			l.unusable = append(l.unusable, fmt.Errorf("feed %s: %w", f.Name, f.Err))
		}
	}
	for _, d := range report.Databases {
		if d.Err != nil {
			l.unusable = append(l.unusable, fmt.Errorf("database %s: %w", filepath.Base(d.Path), d.Err))
		}
	}
	if options.Folder != nil {
		if strange := options.Folder.Strange(); strange != nil {
			l.unusable = append(l.unusable, fmt.Errorf("folder %s: %w", e.FeedsDir, strange))
		}
	}
	return l, nil
}

// Unusable returns why feeds and databases are not in use as they are on disk.
func (l *Lists) Unusable() []error { return slices.Clone(l.unusable) }

// Classes returns what the lists say of values, to a model: it is the model that
// knows what a hit on a list of prefixes is worth.
func (l *Lists) Classes(m *link.Model) link.Classifier { return newClasses(m, l.data.Table()) }

// Trial is the product's own store, linker and rules, in memory and for one
// measurement: what a service would answer, without the wire. It is for one
// goroutine.
type Trial struct {
	store  graph.Store
	linker *linker.Linker
	rules  linker.Rules
	// anew says that rows of other rules may be stored.
	anew bool
	// now is the time, in Unix seconds, at which cases come in.
	now atomic.Int64
}

// NewTrial returns a trial without cases. Nil classes are those of the data that
// are part of the program. Close has to follow.
func NewTrial(ctx context.Context, m *link.Model, classes link.Classifier) (*Trial, error) {
	if classes == nil {
		lists, err := OpenLists(Enrichment{})
		if err != nil {
			return nil, err
		}
		classes = lists.Classes(m)
	}
	t := &Trial{}
	store, err := badger.Open(ctx, badger.Options{Memory: true, Clock: func() time.Time { return time.Unix(t.now.Load(), 0) }})
	if err != nil {
		return nil, err
	}
	t.store = store
	t.Use(m, classes)
	return t, nil
}

// Close gives the memory back.
func (t *Trial) Close() error { return t.store.Close() }

// Use puts another model and other classes in the place of those in use. Views
// have them at once, rows after the next Settle.
func (t *Trial) Use(m *link.Model, classes link.Classifier) {
	t.rules = linker.NewRules(m, classes, graph.Limits{})
	t.linker = linker.New(t.store, t.rules, slog.New(slog.DiscardHandler)).Quiet()
	// Two models may have one version number, where a part of one is off.
	t.anew = true
}

// submitters is how many cases are under way at a time, so that they share
// commits.
const submitters = 16

// Submit stores cases, in any order: each as if it came in when it was opened or,
// where that is not known, on the last day of what it saw, since how many links are
// made on a day may hold them. progress is told how many are stored; it is called from
// several goroutines.
func (t *Trial) Submit(ctx context.Context, cases []*evidence.Case, progress func(done int)) error {
	cases = slices.Clone(cases)
	days := make(map[*evidence.Case]int64, len(cases))
	for _, c := range cases {
		at := c.OpenedAt
		if at.IsZero() {
			at = c.Profile().Last
		}
		if !at.IsZero() {
			const day = 24 * 60 * 60
			days[c] = at.Unix() / day * day
		}
	}
	slices.SortStableFunc(cases, func(x, y *evidence.Case) int { return cmp.Compare(days[x], days[y]) })
	var done atomic.Int64
	for len(cases) > 0 {
		n := 1
		for n < len(cases) && days[cases[n]] == days[cases[0]] {
			n++
		}
		t.now.Store(days[cases[0]])
		if err := t.submit(ctx, cases[:n], &done, progress); err != nil {
			return err
		}
		cases = cases[n:]
	}
	return nil
}

func (t *Trial) submit(ctx context.Context, cases []*evidence.Case, done *atomic.Int64, progress func(done int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(submitters, len(cases)) {
		running.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(cases) {
					return
				}
				if _, err := t.store.Submit(ctx, cases[i], nil); err != nil {
					cancel(err)
					return
				}
				progress(int(done.Add(1)))
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// Settle links what was submitted, and all of it anew after Use. progress is told
// how many of how many cases are linked.
func (t *Trial) Settle(ctx context.Context, progress func(done, of int)) error {
	if t.anew {
		if err := t.store.StartSweep(ctx, t.rules.Basis(), true); err != nil {
			return err
		}
		t.anew = false
	}
	return t.linker.Drain(ctx, progress)
}

// TrialLink is a link that the linker has stored.
type TrialLink struct {
	link.Outcome
	// Held says that nothing follows from it before a person has looked at it.
	Held bool
}

// Rows returns the links that the linker has stored, in order of A, then of B.
// They are Kept.
func (t *Trial) Rows(ctx context.Context) (rows []TrialLink, err error) {
	err = t.store.View(ctx, func(s graph.Snapshot) error {
		for row, err := range s.RowsAfter(evidence.Ref{}) {
			if err != nil {
				return err
			}
			rows = append(rows, TrialLink{link.Outcome{
				A: row.A, B: row.B, Millibits: row.Millibits, Micros: row.Micros, Tier: link.Tier(row.Tier),
				SharedCount: row.SharedCount, ModelVersion: row.ModelVersion, Kept: true,
			}, row.Held})
		}
		return nil
	})
	return rows, err
}

// errTrialPanic is returned where a view ended in a panic.
var errTrialPanic = errors.New("panic while cases were compared")

// View calls f n times at once, each time on a goroutine and with a view of its
// own; all of them are of one state. It returns when every call has.
func (t *Trial) View(ctx context.Context, n int, f func(*TrialView) error) error {
	return t.store.Views(ctx, n, func(s graph.Snapshot) (err error) {
		defer func() {
			// What was panicked with may hold a value of a case.
			if recover() != nil {
				err = errTrialPanic
			}
		}()
		v, err := newTrialView(s, t.rules, make(map[evidence.Ref]*evidence.Profile))
		if err != nil {
			return err
		}
		return f(v)
	})
}

// TrialView compares cases on one state of a trial. It is for one goroutine and
// remembers every case that it has read.
type TrialView struct {
	snapshot graph.Snapshot
	scorer   *link.Scorer
	profiles map[evidence.Ref]*evidence.Profile
}

func newTrialView(s graph.Snapshot, r linker.Rules, profiles map[evidence.Ref]*evidence.Profile) (*TrialView, error) {
	scorer, err := r.Scorer(s)
	if err != nil {
		return nil, err
	}
	return &TrialView{s, scorer, profiles}, nil
}

// Under returns a view of the same state under another model and other classes.
func (v *TrialView) Under(m *link.Model, classes link.Classifier) (*TrialView, error) {
	return newTrialView(v.snapshot, linker.NewRules(m, classes, graph.Limits{}), v.profiles)
}

// Score compares any two cases, in full: as Explain does, whether or not a link
// would be stored.
func (v *TrialView) Score(a, b evidence.Ref) (link.Outcome, error) {
	x, y, err := v.pair(a, b)
	if err != nil {
		return link.Outcome{}, err
	}
	return v.scorer.Score(x, y)
}

// Explain compares any two cases and says why.
func (v *TrialView) Explain(a, b evidence.Ref) (*link.Explanation, error) {
	x, y, err := v.pair(a, b)
	if err != nil {
		return nil, err
	}
	return v.scorer.Explain(x, y)
}

// InBoth compares what kinds of evidence two cases have; see link.Scorer.
func (v *TrialView) InBoth(a, b evidence.Ref) ([]link.InBoth, error) {
	x, y, err := v.pair(a, b)
	if err != nil {
		return nil, err
	}
	return v.scorer.InBoth(x, y)
}

// Kept reports whether the linker has to store the pair.
func (v *TrialView) Kept(a, b evidence.Ref) (bool, error) {
	o, err := v.scorer.Stored(a, b)
	return o.Kept, err
}

func (v *TrialView) pair(a, b evidence.Ref) (x, y *evidence.Profile, err error) {
	if x, err = v.profile(a); err != nil {
		return nil, nil, err
	}
	y, err = v.profile(b)
	return x, y, err
}

func (v *TrialView) profile(ref evidence.Ref) (*evidence.Profile, error) {
	if p := v.profiles[ref]; p != nil {
		return p, nil
	}
	p, err := v.snapshot.Profile(ref)
	if err == nil {
		v.profiles[ref] = p
	}
	return p, err
}
