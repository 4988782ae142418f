package linker

import (
	"context"
	"errors"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// EffectiveTier is the tier of a row once people have spoken: confirmed pairs are
// that whatever their score, and a refuted one is no link at all.
func EffectiveTier(score graph.Score, v graph.Verdict) link.Tier {
	switch v {
	case graph.Confirmed:
		return link.Confirmed
	case graph.Refuted:
		return link.None
	}
	return link.Tier(score.Tier)
}

// reviewed scores a pair that is kept because people spoke of it, although no value
// proposes it, and returns the values of both cases: what speaks against such a pair
// depends on them, whether they are common or not. It is not kept where one of its
// cases is gone or does not link.
func (p *pass) reviewed(key graph.RowKey) (o link.Outcome, rests []evidence.Value, err error) {
	o.A, o.B = key.A, key.B
	if key.A.Tenant == key.B.Tenant {
		return o, nil, nil
	}
	var sides [2]*evidence.Profile
	for i, ref := range [...]evidence.Ref{key.A, key.B} {
		sides[i], err = p.snapshot.Profile(ref)
		if errors.Is(err, graph.ErrNotFound) || err == nil && !sides[i].Live {
			return o, nil, nil
		}
		if err != nil {
			return o, nil, err
		}
		for k := range sides[i].Sightings {
			rests = append(rests, sides[i].Sightings[k].Value)
		}
	}
	slices.SortFunc(rests, evidence.Value.Compare)
	o, err = p.scorer.Score(sides[0], sides[1])
	o.Kept = err == nil
	return o, slices.Compact(rests), err
}

// remarks are what people and alarms said, as a sweep needs it.
type remarks struct {
	said    map[graph.RowKey]graph.Verdict
	alarmed map[evidence.Ref]bool
}

// remarks reads them. What changes during a sweep is listed and looked at after it.
func (l *Linker) remarks(ctx context.Context) (remarks, error) {
	r := remarks{said: make(map[graph.RowKey]graph.Verdict), alarmed: make(map[evidence.Ref]bool)}
	err := l.store.View(ctx, func(s graph.Snapshot) error {
		for said, err := range s.ReviewsAfter(graph.RowKey{}) {
			if err != nil {
				return err
			}
			r.said[said.RowKey] = said.Verdict
		}
		for f, err := range s.Fanouts() {
			if err != nil {
				return err
			}
			if f.Alarm {
				r.alarmed[f.Ref] = true
			}
		}
		return nil
	})
	return r, err
}

// dress says on rows that have just been scored what is no part of a score.
func (r remarks) dress(rows []graph.Row) {
	if len(r.said) == 0 && len(r.alarmed) == 0 {
		return
	}
	for i := range rows {
		row := &rows[i]
		row.Verdict = r.said[row.RowKey]
		row.Held = mayHold(row) && (r.alarmed[row.A] || r.alarmed[row.B])
	}
}

// touchReviewed lists all reviewed pairs: those that no value proposes have no part in
// a sweep.
func (l *Linker) touchReviewed(ctx context.Context, r remarks) error {
	if len(r.said) == 0 {
		return nil
	}
	var b graph.RelinkBatch
	for key := range r.said {
		b.Touch = append(b.Touch, graph.Touched(key))
	}
	return l.store.Relink(ctx, b)
}

// rescore brings the rows of touched pairs up to date.
func (l *Linker) rescore(ctx context.Context, pairs []graph.RowKey) error {
	if len(pairs) == 0 {
		return nil
	}
	l.tells = teller(graph.CauseReview)
	defer func() { l.tells = teller(graph.CauseEvidence) }()
	b := &batch{linker: l}
	err := l.store.View(ctx, func(s graph.Snapshot) error {
		p, err := newPass(l.rules.Now(), s, b)
		if err != nil {
			return err
		}
		for _, key := range pairs {
			// Stored or not: a row that is as it should be is not written again.
			if err := p.again(ctx, &graph.Row{RowKey: key}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.apply(ctx, b.rows)
}
