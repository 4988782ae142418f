package rpc

import (
	"context"
	"errors"
	"slices"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// linkQuery says which links of a case are wanted.
type linkQuery struct {
	minTier    link.Tier
	sameTenant bool
	refuted    bool
	limit      int
	after      *linkCursor
	// edges, where not nil, takes every link of the case, whoever may read it.
	edges *[]actor.Edge
}

// linkCursor is the place of a link in the order best first.
type linkCursor struct {
	Millibits int32
	Other     evidence.Ref
}

func (c linkCursor) compare(o linkCursor) int {
	if c.Millibits != o.Millibits {
		return int(o.Millibits) - int(c.Millibits)
	}
	return c.Other.Compare(o.Other)
}

// scored is a link of a case.
type scored struct {
	linkCursor
	key     graph.RowKey
	score   graph.Score
	verdict graph.Verdict
}

// linksOf scores a case against everything that its values propose and returns the
// best links, best first, whether there are more, and the id of its actor.
func (s *Service) linksOf(ctx context.Context, v access.Viewer, ref evidence.Ref, q linkQuery) (links []*elsewherev1.Link, more bool, id string, err error) {
	var edges []actor.Edge
	q.edges = &edges
	err = s.store.View(ctx, func(snap graph.Snapshot) error {
		best, err := s.best(ctx, v, snap, ref, q)
		if err != nil {
			return err
		}
		more = len(best) > q.limit
		if links, err = s.write(snap, best[:min(len(best), q.limit)]); err != nil {
			return err
		}
		id, err = s.joined(ctx, v, snap, ref, edges)
		return err
	})
	return links, more, id, err
}

// joined returns the id of the actor that a case is in by its edges.
func (s *Service) joined(ctx context.Context, v access.Viewer, snap graph.Snapshot, ref evidence.Ref, edges []actor.Edge) (string, error) {
	for i := range edges {
		e := &edges[i]
		row := graph.Row{RowKey: graph.RowKey{A: e.A, B: e.B}, Score: graph.Score{Tier: uint8(e.Tier)}}
		if held, err := linker.Holds(snap, &row); err != nil {
			return "", err
		} else if held {
			e.Tier = min(e.Tier, link.Probable)
		}
	}
	members, err := linker.Joined(ctx, snap, ref, edges)
	if err != nil || len(members) == 0 {
		return "", err
	}
	w, err := viewActor(v, snap, members)
	if errors.Is(err, errNoActor) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.key.ActorID(w.founder), nil
}

// write writes the links of a case.
func (s *Service) write(snap graph.Snapshot, best []scored) ([]*elsewherev1.Link, error) {
	links := make([]*elsewherev1.Link, len(best))
	for i, b := range best {
		row := graph.Row{RowKey: b.key, Score: b.score, Verdict: b.verdict}
		var err error
		if row.Held, err = linker.Holds(snap, &row); err != nil {
			return nil, err
		}
		if links[i], err = s.link(snap, row); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// best returns the limit + 1 best links of a case after a place.
func (s *Service) best(ctx context.Context, v access.Viewer, snap graph.Snapshot, ref evidence.Ref, q linkQuery) ([]scored, error) {
	p, err := snap.Profile(ref)
	if err != nil {
		return nil, err
	}
	scorer, err := s.rules.Now().Scorer(snap)
	if err != nil {
		return nil, err
	}
	said := make(map[evidence.Ref]graph.Verdict)
	for r, err := range snap.ReviewsOf(ref) {
		if err != nil {
			return nil, err
		}
		said[otherOf(r.RowKey, ref)] = r.Verdict
	}
	var best []scored
	add := func(o link.Outcome, verdict graph.Verdict) {
		key := graph.RowKey{A: o.A, B: o.B}
		other := otherOf(key, ref)
		at := scored{linkCursor{o.Millibits, other}, key, linker.ScoreOf(o), verdict}
		if verdict == graph.Refuted && !q.refuted || q.after != nil && at.compare(*q.after) <= 0 {
			return
		}
		i, _ := slices.BinarySearchFunc(best, at, func(x, y scored) int { return x.compare(y.linkCursor) })
		if i <= q.limit {
			best = slices.Insert(best, i, at)
			best = best[:min(len(best), q.limit+1)]
		}
	}
	visible := func(other evidence.Ref) bool { return v.Links(ref, other) }
	want := visible
	if q.edges != nil {
		want = func(evidence.Ref) bool { return true }
	}
	for o, err := range scorer.Candidates(p, q.sameTenant, q.minTier, want) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		other := otherOf(graph.RowKey{A: o.A, B: o.B}, ref)
		if q.edges != nil {
			*q.edges = append(*q.edges, actor.Edge{A: o.A, B: o.B, Millibits: o.Millibits, Tier: o.Tier})
		}
		if visible(other) {
			add(o, said[other])
		}
		delete(said, other)
	}
	// What people spoke of is listed though no value proposes it.
	for other, verdict := range said {
		if p.Dismissed || !visible(other) || other.Tenant == ref.Tenant && !q.sameTenant {
			continue
		}
		o, ok, err := scoreWith(scorer, snap, p, other)
		if err != nil {
			return nil, err
		}
		if ok && (verdict == graph.Confirmed || o.Tier >= q.minTier || q.refuted) {
			add(o, verdict)
		}
	}
	return best, nil
}

func otherOf(key graph.RowKey, ref evidence.Ref) evidence.Ref {
	if key.A == ref {
		return key.B
	}
	return key.A
}

// scoreWith compares a case with another, if that one links.
func scoreWith(scorer *link.Scorer, snap graph.Snapshot, p *evidence.Profile, other evidence.Ref) (o link.Outcome, ok bool, err error) {
	q, err := snap.Profile(other)
	if errors.Is(err, graph.ErrNotFound) || err == nil && !q.Live {
		return o, false, nil
	}
	if err != nil {
		return o, false, err
	}
	o, err = scorer.Score(p, q)
	return o, err == nil, err
}

// link writes a link with the time at which both its cases were there.
func (s *Service) link(snap graph.Snapshot, row graph.Row) (*elsewherev1.Link, error) {
	a, err := snap.Meta(row.A)
	if err != nil {
		return nil, err
	}
	b, err := snap.Meta(row.B)
	if err != nil {
		return nil, err
	}
	first := a.CreateTime
	if b.CreateTime.After(first) {
		first = b.CreateTime
	}
	return wireLink(row, first), nil
}

// ListLinks implements elsewherev1.CorrelationServiceServer.
func (s *Service) ListLinks(ctx context.Context, req *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
	var res *elsewherev1.ListLinksResponse
	tier, err := minTier(req.GetMinTier())
	if err == nil {
		switch req.WhichOf() {
		case elsewherev1.ListLinksRequest_CaseRef_case:
			res, err = s.linksOfCase(ctx, req, tier)
		case elsewherev1.ListLinksRequest_Tenant_case:
			res, err = s.linksOfTenant(ctx, req, tier)
		case elsewherev1.ListLinksRequest_Actor_case:
			res, err = s.linksOfActor(ctx, req, tier)
		default:
			err = violation("case_ref", "REQUIRED", "a case_ref, a tenant or an actor is needed")
		}
	}
	return res, toStatus(ctx, s.log, err)
}

// minTier reads the lowest tier to list.
func minTier(t elsewherev1.Tier) (link.Tier, error) {
	switch {
	case t == elsewherev1.Tier_TIER_UNSPECIFIED:
		return link.Possible, nil
	case t < elsewherev1.Tier_TIER_LEAD || t > elsewherev1.Tier_TIER_CONFIRMED:
		return 0, violation("min_tier", "UNKNOWN", "links have the tiers LEAD, POSSIBLE, PROBABLE, STRONG and CONFIRMED")
	}
	return link.Tier(t), nil
}

func (s *Service) linksOfCase(ctx context.Context, req *elsewherev1.ListLinksRequest, tier link.Tier) (*elsewherev1.ListLinksResponse, error) {
	var res elsewherev1.ListLinksResponse_builder
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	ref, err := s.refAt("case_ref", req.GetCaseRef())
	if err != nil {
		return nil, err
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		if err := readable(v, snap, ref); err != nil {
			return err
		}
		q := linkQuery{minTier: tier, sameTenant: req.GetIncludeSameTenant(), refuted: req.GetIncludeRefuted(), limit: size}
		query := []string{"ListLinks case", ref.String(), tierName(tier), boolName(q.sameTenant), boolName(q.refuted)}
		if req.GetPageToken() != "" {
			q.after = &linkCursor{}
			if err := s.openToken(v, req.GetPageToken(), q.after, query...); err != nil {
				return err
			}
		}
		res.CaseRef = ref.String()
		best, err := s.best(ctx, v, snap, ref, q)
		if err != nil {
			return err
		}
		if res.Links, err = s.write(snap, best[:min(len(best), size)]); err != nil {
			return err
		}
		if len(best) > size {
			res.NextPageToken, err = s.sealToken(v, best[size-1].linkCursor, query...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

func tierName(t link.Tier) string { return elsewherev1.Tier(t).String() }

func boolName(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (s *Service) linksOfTenant(ctx context.Context, req *elsewherev1.ListLinksRequest, tier link.Tier) (*elsewherev1.ListLinksResponse, error) {
	var res elsewherev1.ListLinksResponse_builder
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	tenant := s.tenants.Resolve(req.GetTenant())
	if err := evidence.CheckTenant(tenant); err != nil {
		return nil, err
	}
	if req.GetIncludeSameTenant() {
		return nil, violation("include_same_tenant", "NOT_WITH_TENANT", "links within a tenant are listed by case")
	}
	// The rows of a tenant follow its cases within moments; a list that asks at
	// once waits for them, within bounds.
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		query := []string{"ListLinks tenant", tenant, tierName(tier), boolName(req.GetIncludeRefuted())}
		var at graph.RowKey
		if err := s.openToken(v, req.GetPageToken(), &at, query...); err != nil {
			return err
		}
		if !v.Reads(tenant) {
			return nil
		}
		fresh := &freshRows{service: s, snap: snap}
		for row, err := range snap.Rows(tenant, at) {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if !v.Links(row.A, row.B) {
				continue
			}
			score, ok, err := fresh.score(row)
			if err != nil {
				return err
			}
			row.Score = score
			listed := ok && row.Verdict != graph.Refuted && linker.EffectiveTier(score, row.Verdict) >= tier
			if !listed && (!ok || row.Verdict != graph.Refuted || !req.GetIncludeRefuted()) {
				continue
			}
			if len(res.Links) == size {
				res.NextPageToken, err = s.sealToken(v, at, query...)
				return err
			}
			l, err := s.link(snap, row)
			if err != nil {
				return err
			}
			res.Links = append(res.Links, l)
			at = row.RowKey
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

// freshRows answers with the stored score of a row while both its cases are the
// versions that were scored, and computes it anew where the linker is behind.
type freshRows struct {
	service *Service
	snap    graph.Snapshot
	scorer  *link.Scorer
}

func (f *freshRows) score(row graph.Row) (graph.Score, bool, error) {
	a, errA := f.snap.Meta(row.A)
	b, errB := f.snap.Meta(row.B)
	if errors.Is(errA, graph.ErrNotFound) || errors.Is(errB, graph.ErrNotFound) {
		return graph.Score{}, false, nil
	}
	if err := errors.Join(errA, errB); err != nil {
		return graph.Score{}, false, err
	}
	if a.Revision == row.RevisionA && b.Revision == row.RevisionB {
		return row.Score, true, nil
	}
	if f.scorer == nil {
		scorer, err := f.service.rules.Now().Scorer(f.snap)
		if err != nil {
			return graph.Score{}, false, err
		}
		f.scorer = scorer
	}
	if row.Verdict != graph.Unreviewed {
		p, err := f.snap.Profile(row.A)
		if err != nil {
			return graph.Score{}, false, err
		}
		o, ok, err := scoreWith(f.scorer, f.snap, p, row.B)
		return linker.ScoreOf(o), ok && p.Live, err
	}
	o, err := f.scorer.Stored(row.A, row.B)
	return linker.ScoreOf(o), o.Kept, err
}

// ExplainLink implements elsewherev1.CorrelationServiceServer.
func (s *Service) ExplainLink(ctx context.Context, req *elsewherev1.ExplainLinkRequest) (*elsewherev1.ExplainLinkResponse, error) {
	var res elsewherev1.ExplainLinkResponse_builder
	err := s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		var profiles [2]*evidence.Profile
		for i, end := range []struct{ path, ref string }{{"a", req.GetA()}, {"b", req.GetB()}} {
			ref, err := s.refAt(end.path, end.ref)
			if err != nil {
				return err
			}
			if err := readable(v, snap, ref); err != nil {
				return err
			}
			if profiles[i], err = snap.Profile(ref); err != nil {
				return err
			}
		}
		scorer, err := s.rules.Now().Scorer(snap)
		if err != nil {
			return err
		}
		e, err := scorer.Explain(profiles[0], profiles[1])
		if err != nil {
			return err
		}
		res.Explanation = wireExplanation(e)
		return nil
	})
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return res.Build(), nil
}
