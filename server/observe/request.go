package observe

import (
	"context"
	"crypto/rand"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// RequestIDKey is the metadata key under which a caller may name its request and
// under which the answer says what the request is called in the log.
const RequestIDKey = "x-request-id"

// maxRequestID is the longest id, in bytes, that is taken from a caller.
const maxRequestID = 64

// request is what is known of a call while it runs.
type request struct {
	id         string
	method     *method
	compressed bool // its messages
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// RequestID returns the id of the request that ctx belongs to, "" if there is
// none.
func RequestID(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.id
	}
	return ""
}

// Compressed reports whether the messages of the request that ctx belongs to come
// compressed.
func Compressed(ctx context.Context) bool {
	r := requestOf(ctx)
	return r != nil && r.compressed
}

// Announce puts the id of a request into the header of its answer. It comes too
// late once a header was sent, which is no reason to fail the request.
func Announce(ctx context.Context) {
	if id := RequestID(ctx); id != "" {
		_ = grpc.SetHeader(ctx, metadata.Pairs(RequestIDKey, id))
	}
}

// newRequestID returns what the request of a call is named.
func newRequestID(ctx context.Context) string {
	given := metadata.ValueFromIncomingContext(ctx, RequestIDKey)
	if len(given) != 1 {
		return NameRequest("")
	}
	return NameRequest(given[0])
}

// NameRequest returns the caller's own id if it gave one that can stand in a log as it
// is, else a random one.
func NameRequest(given string) string {
	if validRequestID(given) {
		return given
	}
	return rand.Text()
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return false
		}
		return true
	})
}
