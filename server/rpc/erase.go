package rpc

import (
	"context"
	"errors"
	"iter"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/erase"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Eraser takes tenants out.
type Eraser interface {
	// Ask stores that a tenant is to be erased.
	Ask(ctx context.Context, tenant, by string, purge bool) error
	// Watch yields how far that is.
	Watch(ctx context.Context, tenant string) iter.Seq2[erase.Progress, error]
}

// progressEvery is how often a listener is told of progress at most.
const progressEvery = 100 * time.Millisecond

// EraseTenant implements elsewherev1.AdminServiceServer.
func (s *Service) EraseTenant(req *elsewherev1.EraseTenantRequest, stream grpc.ServerStreamingServer[elsewherev1.EraseTenantResponse]) error {
	return toStatus(stream.Context(), s.log, s.eraseTenant(stream.Context(), req, stream.Send))
}

func (s *Service) eraseTenant(ctx context.Context, req *elsewherev1.EraseTenantRequest, send func(*elsewherev1.EraseTenantResponse) error) error {
	viewer, err := access.From(ctx)
	if err != nil {
		return err
	}
	if req.GetTenant() == "" {
		return violation("tenant", "REQUIRED", "a tenant is needed")
	}
	tenant := s.tenants.Resolve(req.GetTenant())
	by := ""
	if !viewer.IsOpen() {
		by = viewer.Name()
	}
	if err := s.eraser.Ask(ctx, tenant, by, req.GetPurge()); err != nil {
		return err
	}
	pause := time.NewTicker(progressEvery)
	defer pause.Stop()
	for p, err := range s.eraser.Watch(ctx, tenant) {
		if err != nil {
			return err
		}
		if err := send(wireErasure(&p)); err != nil || p.Phase == erase.Done {
			return err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func wireErasure(p *erase.Progress) *elsewherev1.EraseTenantResponse {
	if p.Receipt == nil {
		return elsewherev1.EraseTenantResponse_builder{Progress: elsewherev1.ErasureProgress_builder{
			Phase: elsewherev1.ErasurePhase(p.Phase), Trace: p.Trace, Done: p.Done, Of: p.Of,
		}.Build()}.Build()
	}
	r := p.Receipt
	b := elsewherev1.ErasureReceipt_builder{
		Tenant: r.Tenant, AskedBy: r.AskedBy, AskTime: toTimestamp(r.Asked), EraseTime: toTimestamp(r.Erased),
		Stays: r.Stays, Backups: r.Backups, ModelVersions: r.Models, Document: p.Document,
	}
	if r.Purged != nil {
		b.PurgeTime = toTimestamp(*r.Purged)
	}
	for _, t := range r.Removed {
		b.Removed = append(b.Removed, elsewherev1.ErasedCount_builder{Sort: t.Sort, Count: t.Count}.Build())
	}
	return elsewherev1.EraseTenantResponse_builder{Receipt: b.Build()}.Build()
}

// erasureStatus maps the errors of erasing; nil if it is none of them.
func erasureStatus(err error) error {
	for _, known := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{erase.ErrNoTenant, codes.NotFound, "TENANT_UNKNOWN"},
		{erase.ErrErasing, codes.FailedPrecondition, "TENANT_ERASING"},
		{graph.ErrNoFiles, codes.FailedPrecondition, "NO_FILES"},
	} {
		if errors.Is(err, known.err) {
			return withDetails(known.code, known.err.Error(), &errdetails.ErrorInfo{Reason: known.reason, Domain: errorDomain})
		}
	}
	return nil
}
