package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors that a caller may want to tell apart with errors.Is. The status that
// the server sent is still there for status.FromError.
var (
	// ErrNotFound means that there is no such case, or none that the caller may
	// know of.
	ErrNotFound = errors.New("not found")
	// ErrRevision means that the case is not at the expected revision.
	ErrRevision = errors.New("revision differs")
	// ErrRefused means that the request is right but the server is not in a state
	// to do it; the message says why.
	ErrRefused = errors.New("refused")
	// ErrKey means that the server takes no call without a key, or not with this one.
	ErrKey = errors.New("a key is needed")
	// ErrDenied means that the key is not for this call.
	ErrDenied = errors.New("not for this key")
	// ErrTooOld means that what the caller wants to go on from is no longer kept.
	ErrTooOld = errors.New("too long ago")
	// ErrUnavailable means that no server answered.
	ErrUnavailable = errors.New("server unavailable")
)

// Violation names one thing that is wrong with a request.
type Violation struct {
	Path    string // the field, as in findings[3].observables[17].value
	Reason  string // a stable code, as in KIND_UNKNOWN
	Message string // for people; may change
}

func (v Violation) String() string {
	s := v.Message
	if v.Path != "" {
		s = v.Path + ": " + s
	}
	if v.Reason != "" {
		s += " (" + v.Reason + ")"
	}
	return s
}

// InvalidError is a request that the server refused to read. It changed
// nothing.
type InvalidError struct {
	// Violations are at most 100.
	Violations []Violation
	// Total counts all violations, those not listed included.
	Total int

	status *status.Status
}

func (e *InvalidError) Error() string {
	if len(e.Violations) == 0 {
		return e.status.Message()
	}
	var b strings.Builder
	b.WriteString(e.Violations[0].String())
	if more := e.Total - 1; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// GRPCStatus returns the status as the server sent it.
func (e *InvalidError) GRPCStatus() *status.Status { return e.status }

// statusError is a status with the sentinel that it stands for.
type statusError struct {
	sentinel error
	status   *status.Status
}

func (e *statusError) Error() string {
	if m := e.status.Message(); m != "" {
		return m
	}
	return e.sentinel.Error()
}

func (e *statusError) Unwrap() error              { return e.sentinel }
func (e *statusError) GRPCStatus() *status.Status { return e.status }

// fromStatus gives an error of an RPC its type.
func fromStatus(err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch st.Code() {
	case codes.OK:
		return nil
	case codes.InvalidArgument:
		return invalid(st)
	case codes.NotFound:
		return &statusError{ErrNotFound, st}
	case codes.FailedPrecondition, codes.AlreadyExists:
		return &statusError{ErrRefused, st}
	case codes.Aborted:
		return &statusError{ErrRevision, st}
	case codes.Unauthenticated:
		return &statusError{ErrKey, st}
	case codes.PermissionDenied:
		return &statusError{ErrDenied, st}
	case codes.OutOfRange:
		return &statusError{ErrTooOld, st}
	case codes.Unavailable:
		return &statusError{ErrUnavailable, st}
	case codes.Unimplemented:
		return &statusError{errors.ErrUnsupported, st}
	case codes.Canceled:
		return &statusError{context.Canceled, st}
	case codes.DeadlineExceeded:
		return &statusError{context.DeadlineExceeded, st}
	default:
		return err
	}
}

// invalid reads the violations out of a status.
func invalid(st *status.Status) *InvalidError {
	e := &InvalidError{status: st}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{
					Path: v.GetField(), Reason: v.GetReason(), Message: v.GetDescription(),
				})
			}
		case *errdetails.ErrorInfo:
			if n, err := strconv.Atoi(d.GetMetadata()["violations_total"]); err == nil {
				e.Total = n
			}
		}
	}
	e.Total = max(e.Total, len(e.Violations))
	return e
}

// Reason returns the stable code that the server gave with an error, as in
// EMPTY_DICTIONARY; "" if there is none.
func Reason(err error) string {
	st, ok := status.FromError(err)
	if !ok {
		return ""
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
