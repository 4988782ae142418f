package rpc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/watch"
)

// Watcher hands out how links change.
type Watcher interface {
	Watch(ctx context.Context, s watch.Scope, from watch.Start, send func(watch.Message) error) error
}

// CursorMetadata is the ErrorInfo metadata key of the cursor to go on from.
const CursorMetadata = "cursor"

// cursorQuery is what cursors are sealed for, besides their viewer.
const cursorQuery = "WatchLinks"

// WatchLinks implements elsewherev1.CorrelationServiceServer.
func (s *Service) WatchLinks(req *elsewherev1.WatchLinksRequest, stream grpc.ServerStreamingServer[elsewherev1.WatchLinksResponse]) error {
	ctx := stream.Context()
	err := s.watchLinks(ctx, req, stream.Send)
	if ctx.Err() != nil {
		// Who leaves has not met with an error.
		return nil
	}
	return toStatus(ctx, s.log, err)
}

func (s *Service) watchLinks(ctx context.Context, req *elsewherev1.WatchLinksRequest, send func(*elsewherev1.WatchLinksResponse) error) error {
	if s.watcher == nil {
		return status.Error(codes.Unimplemented, "nothing is watched here")
	}
	v, err := access.From(ctx)
	if err != nil {
		return err
	}
	tier, err := minTier(req.GetMinTier())
	if err != nil {
		return err
	}
	start, err := s.watchStart(v, req)
	if err != nil {
		return err
	}
	seal := func(c watch.Cursor) string { return s.sealer.Seal(v, c.Bytes(), cursorQuery) }
	err = s.watcher.Watch(ctx, watch.Scope{Viewer: v, MinTier: tier}, start, func(m watch.Message) error {
		var res elsewherev1.WatchLinksResponse_builder
		if m.Event == nil {
			res.Checkpoint = elsewherev1.Checkpoint_builder{Cursor: seal(m.Cursor)}.Build()
		} else {
			res.Event = wireEvent(m.Event)
			res.Event.SetCursor(seal(m.Cursor))
		}
		return send(res.Build())
	})
	var slow *watch.SlowError
	if errors.As(err, &slow) {
		return withDetails(codes.ResourceExhausted, slow.Error(), &errdetails.ErrorInfo{
			Reason: "TOO_FAR_BEHIND", Domain: errorDomain, Metadata: map[string]string{CursorMetadata: seal(slow.Last)},
		})
	}
	return err
}

// watchStart reads where somebody wants to begin.
func (s *Service) watchStart(v access.Viewer, req *elsewherev1.WatchLinksRequest) (watch.Start, error) {
	switch req.WhichStart() {
	case elsewherev1.WatchLinksRequest_Cursor_case:
		raw, err := s.sealer.Open(v, req.GetCursor(), cursorQuery)
		if err != nil {
			return watch.Start{}, errCursor
		}
		cursor, err := watch.ParseCursor(raw)
		if err != nil {
			return watch.Start{}, errCursor
		}
		return watch.Start{Cursor: &cursor}, nil
	case elsewherev1.WatchLinksRequest_Since_case:
		since := req.GetSince()
		if since.CheckValid() != nil || since.AsDuration() < 0 {
			return watch.Start{}, violation("since", "OUT_OF_RANGE", "want a time of 0 to 30 days")
		}
		return watch.Start{Since: since.AsDuration()}, nil
	}
	return watch.Start{}, nil
}

// errCursor is a cursor that was not made here for this viewer.
var errCursor = violation("cursor", "TOKEN_INVALID", "the cursor is not one that this key was given")

// watchStatus maps the errors of package watch; nil if it is none of them.
func watchStatus(err error) error {
	switch {
	case errors.Is(err, watch.ErrTooOld):
		return withDetails(codes.OutOfRange, watch.ErrTooOld.Error(), &errdetails.ErrorInfo{Reason: "CURSOR_TOO_OLD", Domain: errorDomain})
	case errors.Is(err, watch.ErrStopped):
		return withDetails(codes.Unavailable, watch.ErrStopped.Error(), &errdetails.ErrorInfo{Reason: "STOPPING", Domain: errorDomain})
	}
	return nil
}

// wireEvent writes an event, without a cursor.
func wireEvent(e *watch.Event) *elsewherev1.LinkEvent {
	l := elsewherev1.Link_builder{
		Ref: e.A.String() + "~" + e.B.String(), A: e.A.String(), B: e.B.String(), SameTenant: e.A.Tenant == e.B.Tenant,
	}.Build()
	if e.Link != nil {
		l = wireLink(graph.Row{RowKey: e.RowKey, Score: e.Link.Score, Verdict: e.Link.Verdict, Held: e.Link.Held}, e.FirstLinked)
	}
	return elsewherev1.LinkEvent_builder{
		EventId: e.ID, Link: l, Change: elsewherev1.LinkChange(e.Change), Cause: elsewherev1.LinkCause(e.Cause),
		PreviousTier: elsewherev1.Tier(e.Previous), CommitTime: toTimestamp(e.Commit),
	}.Build()
}
