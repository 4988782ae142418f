package rpc

import (
	"context"
	"encoding/json"
	"errors"

	"google.golang.org/grpc/peer"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Links in the answer to a submit.
const (
	defaultLinks = 20
	maxLinks     = 1_000
)

// SubmitCase implements elsewherev1.CaseServiceServer.
func (s *Service) SubmitCase(ctx context.Context, req *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
	res, err := s.submit(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) submit(ctx context.Context, req *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	c, rejected, err := s.parse(req)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(viewer, c.Tenant, req.GetValidateOnly()); err != nil {
		return nil, err
	}
	b := elsewherev1.SubmitCaseResponse_builder{CaseRef: c.Ref.String(), Rejected: wireViolations(rejected)}
	var expected *uint32
	if req.HasExpectedRevision() {
		expected = new(req.GetExpectedRevision())
	}
	if req.GetValidateOnly() {
		return b.Build(), s.checkRevision(ctx, c.Ref, expected)
	}
	receipt, err := s.admitted(ctx, c, expected)
	if err != nil {
		return nil, err
	}
	b.Outcome = elsewherev1.SubmitOutcome(receipt.Outcome)
	b.Revision = receipt.Revision
	// A case that he may not read links for those who may.
	if req.GetNoLinks() || !viewer.SeesLinks() || !c.Live() && !viewer.ReadsWithheld(c.Tenant) {
		return b.Build(), nil
	}
	limit := int(req.GetMaxLinks())
	if limit == 0 {
		limit = defaultLinks
	}
	best, more, id, err := s.linksOf(ctx, viewer, c.Ref, linkQuery{minTier: link.Possible, limit: limit})
	if errors.Is(err, graph.ErrNotFound) {
		// Deleted by somebody else meanwhile; the submit was durable all the same.
		return b.Build(), nil
	}
	if err != nil {
		return nil, err
	}
	b.Links, b.MoreLinks, b.ActorId = best, more, id
	return b.Build(), nil
}

// mayWrite reports whether the viewer may submit a tenant's cases. Without keys
// the first case of a tenant makes its record; with keys an administrator does,
// and a tenant without one is as unknown as one of somebody else.
func (s *Service) mayWrite(viewer access.Viewer, tenant string, dry bool) error {
	if !viewer.Writes(tenant) {
		return graph.ErrNotFound
	}
	if viewer.IsOpen() && !dry {
		s.tenants.Known(tenant)
	}
	switch t, ok := s.tenants.Get(tenant); {
	case !ok && !viewer.IsOpen():
		return graph.ErrNotFound
	case ok && t.State == access.Closed:
		return access.ErrTenantClosed
	}
	return nil
}

// refAt reads a ref of which the tenant may be named by an alias.
func (s *Service) refAt(path, text string) (evidence.Ref, error) {
	ref, err := evidence.ParseRefAt(path, text)
	ref.Tenant = s.tenants.Resolve(ref.Tenant)
	return ref, err
}

// checkRevision returns the error that a submit with an expected revision would.
func (s *Service) checkRevision(ctx context.Context, ref evidence.Ref, expected *uint32) error {
	if expected == nil {
		return nil
	}
	return s.store.View(ctx, func(snap graph.Snapshot) error {
		meta, err := snap.Meta(ref)
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return err
		}
		if meta.Revision != *expected {
			return &graph.RevisionError{Ref: ref, Expected: *expected, Current: meta.Revision}
		}
		return nil
	})
}

// admitted stores a case when its turn has come.
func (s *Service) admitted(ctx context.Context, c *evidence.Case, expected *uint32) (graph.Receipt, error) {
	observables := 0
	for i := range c.Findings {
		observables += len(c.Findings[i].Observables)
	}
	leave, err := s.admission.enter(ctx, caller(ctx), observables)
	if err != nil {
		return graph.Receipt{}, err
	}
	defer leave()
	return s.store.Submit(ctx, c, expected)
}

// caller tells those apart who take turns: keys, and without them connections.
func caller(ctx context.Context) string {
	if v, err := access.From(ctx); err == nil && !v.IsOpen() {
		return v.Name()
	}
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// parse reads the case of a request, or reports everything that is wrong.
func (s *Service) parse(req *elsewherev1.SubmitCaseRequest) (*evidence.Case, []evidence.Violation, error) {
	if !req.HasCase() {
		return nil, nil, violation("case", "REQUIRED", "a case is needed")
	}
	if req.GetMaxLinks() > maxLinks {
		return nil, nil, violation("max_links", "TOO_LARGE", "at most 1,000")
	}
	if err := checkUnknown(req); err != nil {
		return nil, nil, err
	}
	o := s.options()
	o.Partial = req.GetAllowPartial()
	d := draft(req.GetCase())
	d.Tenant = s.tenants.Resolve(d.Tenant)
	return evidence.Parse(d, o)
}

// GetCase implements elsewherev1.CaseServiceServer.
func (s *Service) GetCase(ctx context.Context, req *elsewherev1.GetCaseRequest) (*elsewherev1.GetCaseResponse, error) {
	var res elsewherev1.GetCaseResponse_builder
	err := s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		ref, err := s.refAt("case_ref", req.GetCaseRef())
		if err != nil {
			return err
		}
		c, err := readCase(v, snap, ref)
		if err != nil {
			return err
		}
		res.Case = wireCase(c)
		return nil
	})
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return res.Build(), nil
}

// view opens a snapshot for the viewer of a request.
func (s *Service) view(ctx context.Context, f func(access.Viewer, graph.Snapshot) error) error {
	viewer, err := access.From(ctx)
	if err != nil {
		return err
	}
	return s.store.View(ctx, func(snap graph.Snapshot) error { return f(viewer, snap) })
}

// readable returns whether the viewer may read a case; one that he may not read
// does not exist for him. It reads as little of a case that is there as of one that
// is not, so that it takes no longer to be refused.
func readable(v access.Viewer, snap graph.Snapshot, ref evidence.Ref) error {
	if !v.Reads(ref.Tenant) {
		return graph.ErrNotFound
	}
	c, err := snap.Header(ref)
	if err != nil {
		return err
	}
	if !v.ReadsCase(c) {
		return graph.ErrNotFound
	}
	return nil
}

// readCase returns a case that the viewer may read.
func readCase(v access.Viewer, snap graph.Snapshot, ref evidence.Ref) (*graph.StoredCase, error) {
	if err := readable(v, snap, ref); err != nil {
		return nil, err
	}
	return snap.Case(ref)
}

// ListCases implements elsewherev1.CaseServiceServer.
func (s *Service) ListCases(ctx context.Context, req *elsewherev1.ListCasesRequest) (*elsewherev1.ListCasesResponse, error) {
	res, err := s.listCases(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listCases(ctx context.Context, req *elsewherev1.ListCasesRequest) (*elsewherev1.ListCasesResponse, error) {
	var res elsewherev1.ListCasesResponse_builder
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	tenant := s.tenants.Resolve(req.GetTenant())
	if tenant != "" {
		if err := evidence.CheckTenant(tenant); err != nil {
			return nil, err
		}
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		query := []string{"ListCases", tenant}
		var after evidence.Ref
		if err := s.openToken(v, req.GetPageToken(), &after, query...); err != nil {
			return err
		}
		for c, err := range v.Cases(snap, tenant, after) {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if len(res.Cases) == size {
				res.NextPageToken, err = s.sealToken(v, after, query...)
				return err
			}
			res.Cases = append(res.Cases, wireCase(c))
			after = c.Ref
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

// sealToken returns the page token for a cursor.
func (s *Service) sealToken(v access.Viewer, cursor any, query ...string) (string, error) {
	raw, err := json.Marshal(cursor)
	if err != nil {
		return "", err
	}
	return s.sealer.Seal(v, raw, query...), nil
}

// openToken reads a page token into a cursor; an empty token leaves it alone.
func (s *Service) openToken(v access.Viewer, token string, cursor any, query ...string) error {
	if token == "" {
		return nil
	}
	raw, err := s.sealer.Open(v, token, query...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, cursor); err != nil {
		return access.ErrBadToken
	}
	return nil
}

// DeleteCase implements elsewherev1.CaseServiceServer.
func (s *Service) DeleteCase(ctx context.Context, req *elsewherev1.DeleteCaseRequest) (*elsewherev1.DeleteCaseResponse, error) {
	err := s.deleteCase(ctx, req)
	if errors.Is(err, graph.ErrNotFound) && req.GetAllowMissing() {
		err = nil
	}
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return &elsewherev1.DeleteCaseResponse{}, nil
}

func (s *Service) deleteCase(ctx context.Context, req *elsewherev1.DeleteCaseRequest) error {
	viewer, err := access.From(ctx)
	if err != nil {
		return err
	}
	ref, err := s.refAt("case_ref", req.GetCaseRef())
	if err != nil {
		return err
	}
	if !viewer.Writes(ref.Tenant) {
		return graph.ErrNotFound
	}
	if !viewer.ReadsWithheld(ref.Tenant) {
		// One that he may not read is not there to be deleted either.
		err := s.store.View(ctx, func(snap graph.Snapshot) error { return readable(viewer, snap, ref) })
		if err != nil {
			return err
		}
	}
	return s.store.Delete(ctx, ref)
}
