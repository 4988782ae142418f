package rest

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// exchange is a request with the writer of its answer. It moves the deadline on with
// each write, and puts an error where the answer has a place for it.
type exchange struct {
	http.ResponseWriter
	request   *http.Request
	deadlines *http.ResponseController
	within    time.Duration
	read      bool // the call is made
	began     bool // something of the answer is out
	failed    bool // the error is out, and nothing may follow
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf returns the exchange that a call is made for, nil for none.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// Header is that of the answer. Behind an error it is nobody's: what compresses answers
// may still hold theirs back, and the gateway says another type afterwards.
func (x *exchange) Header() http.Header {
	if x.failed {
		return http.Header{}
	}
	return x.ResponseWriter.Header()
}

func (x *exchange) WriteHeader(code int) {
	if x.failed {
		return
	}
	x.began = true
	x.ResponseWriter.WriteHeader(code)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.failed {
		return len(b), nil
	}
	x.began = true
	_ = x.deadlines.SetWriteDeadline(time.Now().Add(x.within))
	return x.ResponseWriter.Write(b)
}

// Unwrap lets what is behind it be flushed.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// fail ends the answer with an error: as a problem, after the first part as a line or
// an event. A file has no place for one, so its transfer breaks off.
func (x *exchange) fail(p Problem) {
	if x.failed {
		return
	}
	if !x.began {
		x.Header().Del("Transfer-Encoding")
		p.Write(x)
		x.failed = true
		return
	}
	line := p.line(x.Header())
	switch x.Header().Get("Content-Type") {
	case eventStream:
		line = append(append([]byte("event: error\ndata: "), line...), "\n\n"...)
	case fileStream:
		line = nil
		_ = x.deadlines.SetWriteDeadline(time.Unix(1, 0))
	default:
		line = append(append([]byte(`{"error":`), line...), "}\n"...)
	}
	if line != nil {
		// A reader that is gone is no fault of ours.
		_, _ = x.Write(line)
	}
	x.failed = true
}

// refuseStream is the gateway's way to an error of a stream. What it writes of the
// status itself comes too late.
func refuseStream(ctx context.Context, err error) *status.Status {
	if x := exchangeOf(ctx); x != nil {
		x.fail(problemOf(err, x.request))
	}
	return status.New(codes.Unknown, "")
}
