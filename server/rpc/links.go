package rpc

import (
	"context"
	"errors"
	"slices"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// settleWithin bounds how long the list of a tenant waits for the linker.
const settleWithin = 2 * time.Second

// linkQuery says which links of a case are wanted.
type linkQuery struct {
	minTier    link.Tier
	sameTenant bool
	limit      int
	after      *linkCursor
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
	key   graph.RowKey
	score graph.Score
}

// linksOf scores a case against everything that its values propose and returns
// the best links, best first, and whether there are more.
func (s *Service) linksOf(ctx context.Context, v access.Viewer, ref evidence.Ref, q linkQuery) ([]*elsewherev1.Link, bool, error) {
	var links []*elsewherev1.Link
	more := false
	err := s.store.View(ctx, func(snap graph.Snapshot) error {
		best, err := s.best(ctx, v, snap, ref, q)
		if err != nil {
			return err
		}
		more = len(best) > q.limit
		links, err = s.write(snap, best[:min(len(best), q.limit)])
		return err
	})
	return links, more, err
}

// write writes the links of a case.
func (s *Service) write(snap graph.Snapshot, best []scored) ([]*elsewherev1.Link, error) {
	links := make([]*elsewherev1.Link, len(best))
	for i, b := range best {
		l, err := s.link(snap, b.key, b.score)
		if err != nil {
			return nil, err
		}
		links[i] = l
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
	var best []scored
	visible := func(other evidence.Ref) bool { return v.Links(ref, other) }
	for o, err := range scorer.Candidates(p, q.sameTenant, q.minTier, visible) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		other := o.B
		if other == ref {
			other = o.A
		}
		at := scored{linkCursor{o.Millibits, other}, graph.RowKey{A: o.A, B: o.B}, linker.ScoreOf(o)}
		if q.after != nil && at.compare(*q.after) <= 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(best, at, func(x, y scored) int { return x.compare(y.linkCursor) })
		if i <= q.limit {
			best = slices.Insert(best, i, at)
			best = best[:min(len(best), q.limit+1)]
		}
	}
	return best, nil
}

// link writes a link with the time at which both its cases were there.
func (s *Service) link(snap graph.Snapshot, key graph.RowKey, score graph.Score) (*elsewherev1.Link, error) {
	a, err := snap.Meta(key.A)
	if err != nil {
		return nil, err
	}
	b, err := snap.Meta(key.B)
	if err != nil {
		return nil, err
	}
	first := a.CreateTime
	if b.CreateTime.After(first) {
		first = b.CreateTime
	}
	return wireLink(key, score, first), nil
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
		default:
			err = violation("case_ref", "REQUIRED", "a case_ref or a tenant is needed")
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
		q := linkQuery{minTier: tier, sameTenant: req.GetIncludeSameTenant(), limit: size}
		query := []string{"ListLinks case", ref.String(), tierName(tier), boolName(q.sameTenant)}
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
	settle, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if err := s.settler.Settle(settle); err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		query := []string{"ListLinks tenant", tenant, tierName(tier)}
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
			if !ok || link.Tier(score.Tier) < tier {
				continue
			}
			if len(res.Links) == size {
				res.NextPageToken, err = s.sealToken(v, at, query...)
				return err
			}
			l, err := s.link(snap, row.RowKey, score)
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
