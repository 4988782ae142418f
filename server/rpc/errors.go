package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// errorDomain is the domain of ErrorInfo details.
const errorDomain = "elsewhere"

// ViolationsTotal is the ErrorInfo metadata key of how many violations there
// are; at most 100 of them are listed.
const ViolationsTotal = "violations_total"

// CurrentRevision is the ErrorInfo metadata key of the stored revision.
const CurrentRevision = "current_revision"

// toStatus maps an error of the domain to its status, once for all services. An
// error that it does not know is a fault of ours: it goes to the log, and the
// caller learns only that there was one.
func toStatus(ctx context.Context, log *slog.Logger, err error) error {
	if err == nil {
		return nil
	}
	var invalid *evidence.InvalidError
	var revision *graph.RevisionError
	var full *graph.NoSpaceError
	var broken *graph.BrokenError
	var unrecorded *unrecordedError
	switch {
	case errors.As(err, &unrecorded) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return withDetails(codes.Unavailable, err.Error(), &errdetails.ErrorInfo{Reason: "NOT_RECORDED", Domain: errorDomain})
	case errors.As(err, &invalid):
		return invalidStatus(invalid)
	case errors.As(err, &revision):
		return withDetails(codes.Aborted, err.Error(), &errdetails.ErrorInfo{
			Reason: "REVISION_MISMATCH", Domain: errorDomain,
			Metadata: map[string]string{CurrentRevision: strconv.FormatUint(uint64(revision.Current), 10)},
		})
	case errors.Is(err, errNoActor):
		return status.Error(codes.NotFound, errNoActor.Error())
	case errors.Is(err, graph.ErrNotFound):
		return status.Error(codes.NotFound, graph.ErrNotFound.Error())
	case errors.Is(err, graph.ErrAnchorChanged):
		return withDetails(codes.Aborted, graph.ErrAnchorChanged.Error(), &errdetails.ErrorInfo{Reason: "NAME_CHANGED", Domain: errorDomain})
	case errors.Is(err, link.ErrSameCase):
		return invalidStatus(violation("b", "SAME_CASE", link.ErrSameCase.Error()))
	case errors.Is(err, access.ErrBadToken):
		return invalidStatus(violation("page_token", "TOKEN_INVALID", access.ErrBadToken.Error()))
	case errors.Is(err, errBusy):
		return withDetails(codes.ResourceExhausted, errBusy.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(busyRetry)})
	case modelStatus(err) != nil:
		return modelStatus(err)
	case exportStatus(err) != nil:
		return exportStatus(err)
	case publishStatus(err) != nil:
		return publishStatus(err)
	case importStatus(err) != nil:
		return importStatus(err)
	case errors.As(err, &full):
		// The store has told its log; a line for each request would hide that one.
		return withDetails(codes.ResourceExhausted,
			"the server takes no changes, its disk is nearly full: "+full.Error()+"; nothing was stored, reads go on",
			&errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: errorDomain})
	case errors.As(err, &broken):
		return withDetails(codes.FailedPrecondition,
			"the server could not write to its disk and takes no changes until it is restarted; reads go on",
			&errdetails.ErrorInfo{Reason: "STORE_BROKEN", Domain: errorDomain})
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "deadline exceeded")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "canceled")
	}
	if s := accessStatus(err); s != nil {
		return s
	}
	if s := erasureStatus(err); s != nil {
		return s
	}
	if s := watchStatus(err); s != nil {
		return s
	}
	if s := webhookStatus(err); s != nil {
		return s
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	log.ErrorContext(ctx, "internal error", "error", err)
	return status.Error(codes.Internal, "internal error")
}

// accessStatus maps the errors of package access; nil if it is none of them.
func accessStatus(err error) error {
	var busy *access.BusyError
	if errors.As(err, &busy) {
		return withDetails(codes.ResourceExhausted, busy.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(busy.Retry)})
	}
	for _, known := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{access.ErrUnauthenticated, codes.Unauthenticated, "KEY_NEEDED"},
		{access.ErrMisplacedKey, codes.Unauthenticated, "KEY_MISPLACED"},
		{access.ErrEnded, codes.Unauthenticated, "KEY_ENDED"},
		{access.ErrForbidden, codes.PermissionDenied, "ROLE"},
		{access.ErrNoTenant, codes.NotFound, "TENANT_UNKNOWN"},
		{access.ErrTenantExists, codes.AlreadyExists, "TENANT_EXISTS"},
		{access.ErrTenantRevision, codes.Aborted, "REVISION_MISMATCH"},
		{access.ErrTenantClosed, codes.FailedPrecondition, "TENANT_CLOSED"},
		{access.ErrTenantErasing, codes.FailedPrecondition, "TENANT_ERASING"},
		{access.ErrNoKey, codes.NotFound, "KEY_UNKNOWN"},
		{access.ErrFirstKey, codes.FailedPrecondition, "FIRST_KEY"},
		{access.ErrLastAdmin, codes.FailedPrecondition, "LAST_ADMIN"},
		{access.ErrKeyEnded, codes.FailedPrecondition, "KEY_ENDED"},
	} {
		if errors.Is(err, known.err) {
			return withDetails(known.code, known.err.Error(), &errdetails.ErrorInfo{Reason: known.reason, Domain: errorDomain})
		}
	}
	return nil
}

// violation returns an InvalidError of one violation.
func violation(path, reason, message string) *evidence.InvalidError {
	return &evidence.InvalidError{
		Violations: []evidence.Violation{{Path: path, Reason: reason, Message: message}},
		Total:      1,
	}
}

func invalidStatus(e *evidence.InvalidError) error {
	bad := &errdetails.BadRequest{}
	for _, v := range e.Violations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: v.Path, Reason: v.Reason, Description: v.Message,
		})
	}
	message := "invalid request"
	if len(e.Violations) > 0 {
		message = e.Violations[0].Path + ": " + e.Violations[0].Message
	}
	if e.Total > 1 {
		message += fmt.Sprintf(" (and %d more)", e.Total-1)
	}
	return withDetails(codes.InvalidArgument, message, bad, &errdetails.ErrorInfo{
		Reason: "INVALID", Domain: errorDomain,
		Metadata: map[string]string{ViolationsTotal: strconv.Itoa(e.Total)},
	})
}

func withDetails(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	s := status.New(code, message)
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}
