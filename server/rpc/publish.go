package rpc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/export/git"
	"github.com/elsewhere-project/elsewhere/server/export/ledger"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
	"github.com/elsewhere-project/elsewhere/server/export/publish"
)

// Publish implements elsewherev1.ExportServiceServer.
func (s *Service) Publish(req *elsewherev1.PublishRequest, stream grpc.ServerStreamingServer[elsewherev1.PublishResponse]) error {
	ctx := stream.Context()
	return toStatus(ctx, s.log, s.publish(ctx, req, stream))
}

// publishedEvery is how often a publication says how far it is.
const publishedEvery = time.Second

func (s *Service) publish(ctx context.Context, req *elsewherev1.PublishRequest, stream grpc.ServerStreamingServer[elsewherev1.PublishResponse]) error {
	if s.publisher == nil {
		return status.Error(codes.Unimplemented, "this server publishes nothing")
	}
	if req.GetPublish() && req.GetWithdraw() {
		return violation("publish", "CONTRADICTION", "what is withdrawn is not published")
	}
	viewer, selection, err := s.selection(ctx, req.GetSelection())
	if err != nil {
		return err
	}
	if selection.Receiver.Name != "" {
		return violation("selection.receiver", "NOT_ALLOWED", "the receiver is that of the target")
	}
	audit.Mention(ctx, "target "+req.GetTarget())
	var last time.Time
	var once sync.Mutex
	result, err := s.publisher.Publish(ctx, viewer, req.GetTarget(), selection, publish.Options{
		DryRun: req.GetDryRun(), Publish: req.GetPublish(), Withdraw: req.GetWithdraw(),
		Progress: func(done, of int) {
			once.Lock()
			defer once.Unlock()
			if now := s.clock(); now.Sub(last) >= publishedEvery {
				last = now
				// Where the caller has gone the publication ends with its context.
				_ = stream.Send(elsewherev1.PublishResponse_builder{
					Progress: elsewherev1.PublishProgress_builder{Done: uint32(done), Total: uint32(of)}.Build(),
				}.Build())
			}
		},
	})
	if err != nil {
		return err
	}
	return stream.Send(elsewherev1.PublishResponse_builder{Report: wireReport(result)}.Build())
}

func wireReport(r *publish.Result) *elsewherev1.PublishReport {
	b := elsewherev1.PublishReport_builder{
		Target: wireTarget(&r.Target), Outcome: wireOutcome(r.Outcome), Revision: r.Revision,
		BundleId: r.Bundle.ID.String(), Title: r.Bundle.Title, Tlp: r.Bundle.TLP, Counts: wireExportCounts(r.Bundle.Counts),
		Added: uint32(r.Added), Changed: uint32(r.Changed), Withdrawn: uint32(r.Withdrawn),
		Changes: wireChanges(r.Changes), HeaderChanges: r.Header, Commit: r.Commit, Branch: r.Branch, PullRequest: r.Pull,
		Attempts: uint32(r.Attempts), EventUuid: r.Event, ExtendsUuid: r.Extends, EventTime: toTimestamp(r.Timestamp),
		Published: r.Published, DroppedTotal: uint32(r.DroppedTotal), Dropped: wireChanges(r.Dropped),
		AlteredTotal: uint32(r.AlteredTotal), Altered: wireChanges(r.Altered), DroppedTags: r.TagsDropped, Notes: r.Notes,
	}
	for _, f := range r.Files {
		b.Files = append(b.Files, elsewherev1.PublishFile_builder{Operation: string(f.Op), Path: f.Path}.Build())
	}
	return b.Build()
}

func wireOutcome(name string) elsewherev1.PublishOutcome {
	return elsewherev1.PublishOutcome(elsewherev1.PublishOutcome_value["PUBLISH_OUTCOME_"+strings.ToUpper(name)])
}

func wireTarget(t *publish.Target) *elsewherev1.PublishTarget {
	return elsewherev1.PublishTarget_builder{Name: t.Name, Kind: t.Kind, Receiver: t.Receiver, Tlp: string(t.TLP)}.Build()
}

func wireChanges(changes []misp.Change) (out []*elsewherev1.PublishChange) {
	for _, c := range changes {
		out = append(out, elsewherev1.PublishChange_builder{
			Operation: string(c.Op), Type: c.Type, Value: strings.ToValidUTF8(c.Value, "�"), Detail: strings.ToValidUTF8(c.Detail, "�"),
		}.Build())
	}
	return out
}

// ListPublications implements elsewherev1.ExportServiceServer.
func (s *Service) ListPublications(ctx context.Context, req *elsewherev1.ListPublicationsRequest) (*elsewherev1.ListPublicationsResponse, error) {
	res, err := s.listPublications(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listPublications(ctx context.Context, req *elsewherev1.ListPublicationsRequest) (*elsewherev1.ListPublicationsResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if s.publisher == nil {
		return nil, status.Error(codes.Unimplemented, "this server publishes nothing")
	}
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	const method = "ListPublications"
	var after string
	if err := s.openToken(viewer, req.GetPageToken(), &after, method, req.GetTarget()); err != nil {
		return nil, err
	}
	var res elsewherev1.ListPublicationsResponse_builder
	if req.GetPageToken() == "" {
		for _, t := range s.publisher.Targets() {
			res.Targets = append(res.Targets, wireTarget(&t))
		}
	}
	last := ""
	for p, err := range s.publisher.Ledger().List(ctx, req.GetTarget(), after) {
		if err != nil {
			return nil, err
		}
		if !publish.Sees(viewer, p) {
			continue
		}
		if len(res.Publications) == size {
			if res.NextPageToken, err = s.sealToken(viewer, last, method, req.GetTarget()); err != nil {
				return nil, err
			}
			break
		}
		last = p.Key()
		res.Publications = append(res.Publications, wirePublication(p))
	}
	return res.Build(), nil
}

func wirePublication(p *ledger.Publication) *elsewherev1.Publication {
	b := elsewherev1.Publication_builder{
		Target: p.Target, Kind: p.Kind, BundleId: p.Bundle, Title: p.Title, Tlp: p.TLP, Revision: p.Revision,
		BeginTime: toTimestamp(p.Begun), EndTime: toTimestamp(p.Done), PublishedBy: p.By, Values: uint32(p.Values),
		Withdrawn: p.Withdrawn, EventUuid: p.Event, Published: p.Published, Commit: p.Commit, PullRequest: p.Pull,
	}
	for _, past := range p.Past {
		b.Past = append(b.Past, elsewherev1.PastPublication_builder{
			Revision: past.Revision, EndTime: toTimestamp(past.At), PublishedBy: past.By, Commit: past.Commit, Values: uint32(past.Values),
		}.Build())
	}
	return b.Build()
}

// publishStatus maps the errors of packages below export that send and read; nil
// if it is none of them.
func publishStatus(err error) error {
	if label, ok := errors.AsType[*publish.LabelError](err); ok {
		return exportRefusal(label.Error(), "TARGET_LABEL")
	}
	if refused, ok := errors.AsType[*misp.Refusal](err); ok {
		reason := map[misp.Reason]string{
			misp.ReasonKey: "MISP_KEY", misp.ReasonPermission: "MISP_PERMISSION", misp.ReasonBlocked: "MISP_BLOCKED",
			misp.ReasonInvalid: "MISP_INVALID", misp.ReasonLogin: "MISP_LOGIN", misp.ReasonBusy: "MISP_BUSY",
		}[refused.Reason]
		if refused.Reason == misp.ReasonBusy {
			return targetUnavailable("MISP: " + refused.Error())
		}
		if reason == "" {
			reason = "MISP"
		}
		return exportRefusal("MISP: "+refused.Error(), reason)
	}
	if refused, ok := errors.AsType[*git.GitHubError](err); ok {
		if refused.Status >= http.StatusInternalServerError {
			return targetUnavailable(refused.Error())
		}
		return exportRefusal(refused.Error(), "GITHUB")
	}
	if rejected, ok := errors.AsType[*git.RejectedError](err); ok {
		return exportRefusal(rejected.Error(), "GIT_REJECTED")
	}
	if layout, ok := errors.AsType[*git.LayoutError](err); ok {
		return exportRefusal(layout.Error(), "GIT_LAYOUT")
	}
	if large, ok := errors.AsType[*git.SizeError](err); ok {
		return exportRefusal(large.Error(), "GIT_FILE_SIZE")
	}
	if transport, ok := errors.AsType[*git.TransportError](err); ok {
		return targetUnavailable(transport.Error())
	}
	for _, known := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{publish.ErrNoTarget, codes.NotFound, "TARGET_UNKNOWN"},
		{publish.ErrBusy, codes.Aborted, "TARGET_BUSY"},
		{publish.ErrPrivate, codes.FailedPrecondition, "TARGET_PRIVATE"},
		{publish.ErrOthers, codes.FailedPrecondition, "PUBLISHED_BY_OTHERS"},
		{git.ErrConflict, codes.Aborted, "GIT_CONFLICT"},
		{git.ErrProtected, codes.FailedPrecondition, "GIT_PROTECTED"},
		{misp.ErrUnreachable, codes.Unavailable, "TARGET_UNAVAILABLE"},
		{misp.ErrChanging, codes.Aborted, "MISP_CHANGING"},
	} {
		if errors.Is(err, known.err) {
			return targetStatus(known.code, known.err.Error(), known.reason)
		}
	}
	return nil
}

func targetUnavailable(message string) error {
	return targetStatus(codes.Unavailable, message, "TARGET_UNAVAILABLE")
}

func targetStatus(code codes.Code, message, reason string) error {
	return withDetails(code, message, &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain})
}
