package linker

import (
	"context"
	"errors"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// pass re-scores pairs on one snapshot.
type pass struct {
	*batch
	snapshot graph.Snapshot
	scorer   *link.Scorer
	limits   graph.Limits
	// kept says of pairs that may come again whether they have a row.
	kept      map[graph.RowKey]bool
	revisions map[evidence.Ref]uint32
	alarms    *alarms
}

// maxKept bounds what a pass remembers; a pair that it forgets is stored again,
// as the same row.
const maxKept = 200_000

// value re-scores every pair whose score depends on a value and whose row may
// change: all pairs of its representatives, and the stored rows that share it. It
// notes on the mark with what spread it did.
func (p *pass) value(ctx context.Context, m *graph.Mark) error {
	tenants, _, err := p.snapshot.Spread(m.Value)
	if err != nil {
		return err
	}
	m.Scored = tenants
	if !m.Again && m.Tenants <= 1 && tenants <= 1 {
		// No two tenants had it, and none do: there is no pair.
		return nil
	}
	if len(p.kept)+len(p.revisions) > maxKept {
		clear(p.kept)
		clear(p.revisions)
		clear(p.alarms.known)
	}
	stored := make(map[graph.RowKey]*graph.Row)
	if m.Again || !p.unchanged(m.Tenants, tenants) {
		for row, err := range p.snapshot.RowsOf(m.Value) {
			if err != nil {
				return err
			}
			if len(stored) < maxStored {
				stored[row.RowKey] = &row
			} else if err := p.again(ctx, &row); err != nil {
				return err
			}
		}
	}
	// Cases that share one value often share more, and a pair is scored once.
	known := func(a, b evidence.Ref) bool {
		_, known := p.kept[graph.RowKey{A: a, B: b}]
		return known
	}
	for o, err := range p.scorer.Pairs(m.Value, known) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		key := graph.RowKey{A: o.A, B: o.B}
		if err := p.judge(ctx, o, stored[key]); err != nil {
			return err
		}
		delete(stored, key)
	}
	for _, row := range stored {
		if err := p.again(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// maxStored bounds the rows of one value that are held at a time. Those beyond
// are scored one by one.
const maxStored = 20_000

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

// again brings a stored row up to date.
func (p *pass) again(ctx context.Context, row *graph.Row) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if kept, ok := p.kept[row.RowKey]; ok {
		// A row of an earlier version of a case may share other values now.
		if !kept {
			p.rows.Remove = append(p.rows.Remove, row.RowKey)
		}
		return p.spill(ctx)
	}
	o, err := p.scorer.Stored(row.A, row.B)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	o.A, o.B = row.A, row.B
	return p.judge(ctx, o, row)
}

// judge stores or removes the row of a pair that has just been scored.
func (p *pass) judge(ctx context.Context, o link.Outcome, stored *graph.Row) error {
	if !o.Kept && stored == nil {
		// Most pairs: one value in common that is too common to say much.
		return nil
	}
	key := graph.RowKey{A: o.A, B: o.B}
	if p.kept[key] && stored == nil {
		return nil
	}
	said, err := p.snapshot.Review(key)
	if err != nil {
		return err
	}
	// Cases of one tenant are linked only by what people say of them.
	o.Kept = o.Kept && (o.A.Tenant != o.B.Tenant || said.Verdict != graph.Unreviewed)
	var rests []evidence.Value
	if !o.Kept && said.Verdict != graph.Unreviewed {
		if o, rests, err = p.reviewed(key); err != nil {
			return err
		}
	}
	p.kept[key] = o.Kept
	if !o.Kept {
		p.rows.Remove = append(p.rows.Remove, key)
		return p.spill(ctx)
	}
	if rests == nil {
		rests = p.scorer.Shared()
	}
	row := graph.Row{RowKey: key, Score: ScoreOf(o), Shared: rests, Verdict: said.Verdict}
	if row.Held, err = p.alarms.holds(&row); err != nil {
		return err
	}
	if row.RevisionA, err = p.revision(o.A); err != nil {
		return err
	}
	if row.RevisionB, err = p.revision(o.B); err != nil {
		return err
	}
	if stored != nil && equal(&row, stored) {
		return nil
	}
	p.rows.Put = append(p.rows.Put, row)
	return p.spill(ctx)
}

func (p *pass) revision(ref evidence.Ref) (uint32, error) {
	if known, ok := p.revisions[ref]; ok {
		return known, nil
	}
	meta, err := p.snapshot.Meta(ref)
	p.revisions[ref] = meta.Revision
	return meta.Revision, err
}

// ScoreOf returns what a row keeps of an outcome.
func ScoreOf(o link.Outcome) graph.Score {
	return graph.Score{
		Millibits: o.Millibits, Micros: o.Micros, Tier: uint8(o.Tier),
		SharedCount: o.SharedCount, ModelVersion: o.ModelVersion,
	}
}

func equal(x, y *graph.Row) bool {
	return x.Score == y.Score && x.RevisionA == y.RevisionA && x.RevisionB == y.RevisionB &&
		slices.Equal(x.Shared, y.Shared) && x.Verdict == y.Verdict && x.Held == y.Held
}
