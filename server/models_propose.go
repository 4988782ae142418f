package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// tierRows is how many stored links are looked at for a change of their tier.
const tierRows = 10_000

func unknownBase(err error) bool {
	_, ok := errors.AsType[*link.UnknownBaseError](err)
	return ok
}

// Propose implements rpc.Models.
func (m *models) Propose(ctx context.Context, by, note string, judged []learn.Judged, dryRun bool) (rpc.Proposal, error) {
	select {
	case m.learning <- struct{}{}:
		defer func() { <-m.learning }()
	case <-ctx.Done():
		return rpc.Proposal{}, ctx.Err()
	}
	base := m.known.rules.Now().Model
	var out rpc.Proposal
	var learned *link.Model
	err := m.known.store.View(ctx, func(s graph.Snapshot) error {
		c := comparer{snapshot: s, rules: m.known.rulesOf, profiles: make(map[evidence.Ref]*evidence.Profile)}
		var err error
		if out.Proposal, err = learn.Propose(ctx, base, judged, &c); err != nil || len(out.Changes) == 0 {
			return err
		}
		if learned, err = base.With(0, out.Changes); err != nil {
			return err
		}
		out.Tiers, out.Compared, err = c.tiers(ctx, base, learned, judged)
		return err
	})
	if err != nil || learned == nil {
		return out, err
	}
	version := uint32(0)
	if !dryRun {
		// Against an Apply, and a Propose of another service on this store cannot be.
		if version, err = m.nextVersion(ctx); err != nil {
			return out, err
		}
	}
	if learned, err = base.With(version, out.Changes); err != nil {
		return out, err
	}
	model := rpc.Model{
		Model: learned, LearnedFrom: base.Version(), Definition: learned.Define(m.now(), note), By: by,
		Reviews: out.Reviews, Before: out.Before, After: out.After,
	}
	out.Model = &model
	if dryRun {
		return out, nil
	}
	data, err := writeModel(&model)
	if err != nil {
		return out, err
	}
	// What goes on record does so with the first change.
	audit.Mention(ctx, modelSubject(version))
	// Before the version is there: one that nobody knows the tenants of would be
	// missing in a receipt.
	if err := m.noteTenants(ctx, version, judged); err != nil {
		return out, err
	}
	return out, m.add(ctx, numbered(versionPrefix, version), data)
}

func writeModel(m *rpc.Model) ([]byte, error) {
	definition, err := json.Marshal(m.Definition)
	if err != nil {
		return nil, err
	}
	kept := keptModel{Model: definition, LearnedFrom: m.LearnedFrom, By: m.By, Reviews: m.Reviews}
	if !math.IsNaN(m.Before) && !math.IsNaN(m.After) {
		kept.Before, kept.After = &m.Before, &m.After
	}
	return json.Marshal(kept)
}

// comparer compares cases of one state of the store under any model.
type comparer struct {
	snapshot graph.Snapshot
	rules    func(*link.Model) linker.Rules
	profiles map[evidence.Ref]*evidence.Profile

	model  *link.Model // of scorer
	scorer *link.Scorer
}

// maxProfiles bounds the cases that a comparer remembers.
const maxProfiles = 20_000

func (c *comparer) profile(ref evidence.Ref) (*evidence.Profile, error) {
	if p := c.profiles[ref]; p != nil {
		return p, nil
	}
	p, err := c.snapshot.Profile(ref)
	if err != nil {
		return nil, err
	}
	if len(c.profiles) >= maxProfiles {
		clear(c.profiles)
	}
	c.profiles[ref] = p
	return p, nil
}

// pair returns two cases and takes a model into use.
func (c *comparer) pair(m *link.Model, a, b evidence.Ref) (x, y *evidence.Profile, err error) {
	if c.model != m {
		if c.scorer, err = c.rules(m).Scorer(c.snapshot); err != nil {
			return nil, nil, err
		}
		c.model = m
	}
	if x, err = c.profile(a); err != nil {
		return nil, nil, err
	}
	y, err = c.profile(b)
	return x, y, err
}

// Explain implements learn.Cases.
func (c *comparer) Explain(m *link.Model, a, b evidence.Ref) (link.Explanation, error) {
	x, y, err := c.pair(m, a, b)
	if err != nil {
		return link.Explanation{}, err
	}
	e, err := c.scorer.Explain(x, y)
	if err != nil {
		return link.Explanation{}, err
	}
	return *e, nil
}

// InBoth implements learn.Cases.
func (c *comparer) InBoth(m *link.Model, a, b evidence.Ref) ([]link.InBoth, error) {
	x, y, err := c.pair(m, a, b)
	if err != nil {
		return nil, err
	}
	return c.scorer.InBoth(x, y)
}

// tiers counts pairs by their tiers under two models: those judged and the first
// stored links.
func (c *comparer) tiers(ctx context.Context, before, after *link.Model, judged []learn.Judged) (map[[2]link.Tier]int, int, error) {
	seen := make(map[graph.RowKey]bool)
	var pairs []graph.RowKey
	add := func(k graph.RowKey) {
		if k.A.Compare(k.B) > 0 {
			k.A, k.B = k.B, k.A
		}
		if !seen[k] {
			seen[k] = true
			pairs = append(pairs, k)
		}
	}
	for _, j := range judged {
		add(graph.RowKey{A: j.A, B: j.B})
	}
	rows := 0
	for row, err := range c.snapshot.RowsAfter(evidence.Ref{}) {
		if err != nil {
			return nil, 0, err
		}
		if rows++; rows > tierRows {
			break
		}
		add(row.RowKey)
	}
	tiers := make([][2]link.Tier, len(pairs))
	for i, m := range []*link.Model{before, after} {
		for k, pair := range pairs {
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			x, y, err := c.pair(m, pair.A, pair.B)
			if errors.Is(err, graph.ErrNotFound) {
				// A row whose case is gone waits for the linker.
				continue
			}
			if err != nil {
				return nil, 0, err
			}
			o, err := c.scorer.Score(x, y)
			if err != nil {
				return nil, 0, err
			}
			tiers[k][i] = cmp.Or(o.Tier, link.None)
		}
	}
	changes := make(map[[2]link.Tier]int)
	for _, t := range tiers {
		if t[0] != t[1] {
			changes[t]++
		}
	}
	return changes, len(pairs), nil
}
