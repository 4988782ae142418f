package rest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Problem is the body of an error, as RFC 9457 has it.
type Problem struct {
	// Type is urn:elsewhere:error: and the reason.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Reason is the stable code that gRPC tells too.
	Reason string `json:"reason"`
	// RequestID is what the request is called in the log.
	RequestID string `json:"requestId,omitempty"`
	// Errors are fields that are wrong, at most 100; ErrorsTotal is how many there are.
	Errors      []FieldProblem `json:"errors,omitempty"`
	ErrorsTotal int            `json:"errorsTotal,omitempty"`
	// CurrentRevision is set where another revision was expected.
	CurrentRevision *uint32 `json:"currentRevision,omitempty"`
	// RetryAfterSeconds is set where it is worth trying again.
	RetryAfterSeconds int `json:"retryAfterSeconds,omitempty"`
}

// FieldProblem is a field that is wrong.
type FieldProblem struct {
	Path    string `json:"path"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// reasons are those of statuses without a code of their own.
func reasonOf(code codes.Code) string {
	switch code {
	case codes.NotFound:
		return "NOT_FOUND"
	case codes.PermissionDenied:
		return "ROLE"
	case codes.Unimplemented:
		return "UNIMPLEMENTED"
	case codes.ResourceExhausted:
		return "RESOURCE_EXHAUSTED"
	case codes.DeadlineExceeded:
		return "DEADLINE_EXCEEDED"
	case codes.Canceled:
		return "CANCELED"
	case codes.Unavailable:
		return "UNAVAILABLE"
	case codes.InvalidArgument:
		return "INVALID"
	}
	return strings.ToUpper(code.String())
}

// httpStatus is the status of an error of the service.
func httpStatus(code codes.Code, reason string, conditional bool) int {
	switch {
	case code == codes.Aborted && conditional:
		return http.StatusPreconditionFailed
	case code == codes.FailedPrecondition:
		return http.StatusConflict
	case code == codes.OutOfRange:
		return http.StatusGone
	case reason == "DISK_FULL":
		return http.StatusInsufficientStorage
	}
	return runtime.HTTPStatusFromCode(code)
}

// problemOf maps an error of the service. The text of a status is made for callers.
func problemOf(err error, r *http.Request) Problem {
	if b, ok := r.Body.(*body); ok {
		if fault := b.wrong(); fault != nil {
			return problemOfBody(fault)
		}
	}
	s := status.Convert(err)
	p := Problem{Detail: s.Message(), Reason: reasonOf(s.Code())}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			p.info(d)
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				p.Errors = append(p.Errors, FieldProblem{v.GetField(), v.GetReason(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			p.RetryAfterSeconds = max(1, int(math.Ceil(d.GetRetryDelay().AsDuration().Seconds())))
		}
	}
	p.Status = httpStatus(s.Code(), p.Reason, r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != "")
	return p
}

// info reads what the service says about an error beside its fields.
func (p *Problem) info(d *errdetails.ErrorInfo) {
	p.Reason = d.GetReason()
	if n, err := strconv.Atoi(d.GetMetadata()["violations_total"]); err == nil {
		p.ErrorsTotal = n
	}
	if n, err := strconv.ParseUint(d.GetMetadata()["current_revision"], 10, 32); err == nil {
		revision := uint32(n)
		p.CurrentRevision = &revision
	}
}

// problemOfBody maps what is wrong with a body before the service sees it.
func problemOfBody(err error) Problem {
	var large *http.MaxBytesError
	var fields *fieldsError
	var syntax *syntaxError
	switch {
	case errors.As(err, &large):
		return Problem{
			Status: http.StatusRequestEntityTooLarge, Reason: "TOO_LARGE",
			Detail: "the body has more than " + strconv.FormatInt(large.Limit, 10) + " bytes",
		}
	case errors.As(err, &fields):
		p := Problem{Status: http.StatusBadRequest, Reason: "INVALID", Detail: fields.Error(), ErrorsTotal: len(fields.found)}
		for _, f := range fields.found {
			p.Errors = append(p.Errors, FieldProblem{f.Path, f.Reason, f.Message})
		}
		return p
	case errors.As(err, &syntax):
		return Problem{Status: http.StatusBadRequest, Reason: "JSON_SYNTAX", Detail: syntax.Error()}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Problem{Status: http.StatusRequestTimeout, Reason: "BODY_SLOW", Detail: "the body took too long to come"}
	}
	return Problem{Status: http.StatusBadRequest, Reason: "BODY_UNREADABLE", Detail: "the body could not be read"}
}

// Write sends a problem.
func (p Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Del("ETag")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="elsewhere"`)
	}
	if p.RetryAfterSeconds > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds))
	}
	w.WriteHeader(p.Status)
	// A reader that is gone is no fault of ours.
	_, _ = w.Write(append(p.line(h), '\n'))
}

// line is the problem with what every problem has.
func (p Problem) line(h http.Header) []byte {
	p.Type = "urn:elsewhere:error:" + p.Reason
	p.Title = http.StatusText(p.Status)
	p.RequestID = h.Get(requestIDHeader)
	b, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"title":"internal error"}`)
	}
	return b
}

// refuse is the gateway's way to a problem.
func refuse(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	problemOf(unread(ctx, exchangeOf(ctx), err), r).Write(w)
}

// refuseRoute answers a path or a method that there is not.
func refuseRoute(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, code int) {
	p := Problem{Status: code, Reason: "ROUTE_UNKNOWN", Detail: "there is no such path"}
	switch code {
	case http.StatusMethodNotAllowed:
		p.Reason, p.Detail = "METHOD_NOT_ALLOWED", "the path has no such method"
	case http.StatusBadRequest:
		p.Reason, p.Detail = "PATH_INVALID", "the path cannot be read"
	}
	p.Write(w)
}
