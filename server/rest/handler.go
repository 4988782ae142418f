package rest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	gateway "github.com/elsewhere-project/elsewhere/proto/gateway/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
	"github.com/elsewhere-project/elsewhere/server/rest/openapi"
)

const (
	requestIDHeader = "X-Request-Id"
	requestIDKey    = "x-request-id"
)

// Options are what an operator may set.
type Options struct {
	// BodyBytes bounds a body, and a message of a stream.
	BodyBytes int64
	// Origins are the sites whose pages may ask, as https://soc.example; none is none.
	Origins []string
	// BodyWithin is how long a body may take, of a stream each of its parts.
	BodyWithin time.Duration
	// WriteWithin is how long a reader may take for a part of the answer.
	WriteWithin time.Duration
}

// Handler returns what answers under /v1 until ctx ends.
func Handler(ctx context.Context, l *Link, o Options) (http.Handler, error) {
	form := codec{&jsonform.Writer{}}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, form),
		runtime.WithMarshalerOption(eventStream, events{form}),
		runtime.WithMarshalerOption(fileStream, file{form}),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
			return metadata.Pairs(peerKey, r.RemoteAddr)
		}),
		runtime.WithErrorHandler(refuse),
		runtime.WithStreamErrorHandler(refuseStream),
		runtime.WithRoutingErrorHandler(refuseRoute),
		runtime.WithForwardResponseOption(describe),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
	)
	for _, register := range gateways() {
		if err := register(ctx, mux, l); err != nil {
			return nil, err
		}
	}
	pages, err := reference(mux)
	if err != nil {
		return nil, err
	}
	return compress(guard(o, conditions(resume(pages))))
}

// docPolicy lets the reference load its style sheet and nothing else.
const docPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// reference answers with what the routes are, for programs and for people, and
// leaves the rest to next. It says nothing that the published schema does not.
func reference(next http.Handler) (http.Handler, error) {
	page, err := openapi.Page()
	if err != nil {
		return nil, err
	}
	type file struct {
		kind string
		text []byte
	}
	files := map[string]file{
		"/v1/openapi.json":  {"application/json", openapi.Description()},
		"/v1/docs":          {"text/html; charset=utf-8", page},
		"/v1/docs/page.css": {"text/css; charset=utf-8", openapi.Style()},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", f.kind)
		w.Header().Set("Content-Security-Policy", docPolicy)
		// A reader that is gone is no fault of ours.
		_, _ = w.Write(f.text)
	}), nil
}

// gateways are the services with REST routes.
func gateways() []func(context.Context, *runtime.ServeMux, *Link) error {
	return []func(context.Context, *runtime.ServeMux, *Link) error{
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterCaseServiceHandler(ctx, m, l.conn)
		},
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterCorrelationServiceHandler(ctx, m, l.conn)
		},
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterEnrichmentServiceHandler(ctx, m, l.conn)
		},
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterModelServiceHandler(ctx, m, l.conn)
		},
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterExportServiceHandler(ctx, m, l.conn)
		},
		func(ctx context.Context, m *runtime.ServeMux, l *Link) error {
			return gateway.RegisterAdminServiceHandler(ctx, m, l.conn)
		},
	}
}

// incoming names the headers that a service is told of. The key is passed on by the
// gateway itself.
func incoming(name string) (string, bool) {
	switch name {
	case requestIDHeader:
		return requestIDKey, true
	case "Traceparent", "Tracestate":
		return strings.ToLower(name), true
	}
	return "", false
}

// describe puts into the header what HTTP has a place for.
func describe(_ context.Context, w http.ResponseWriter, m proto.Message) error {
	revision := uint32(0)
	created := false
	switch m := m.(type) {
	case *elsewherev1.SubmitCaseResponse:
		revision, created = m.GetRevision(), m.GetOutcome() == elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_CREATED
	case *elsewherev1.GetCaseResponse:
		revision = m.GetCase().GetRevision()
	case *elsewherev1.GetTenantResponse:
		revision = m.GetTenant().GetRevision()
	}
	if revision > 0 {
		w.Header().Set("ETag", strconv.Quote(strconv.FormatUint(uint64(revision), 10)))
	}
	if created {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// conditions turns If-Match and If-None-Match of a case into the revision that the
// service expects. Elsewhere a condition is refused: one that is passed over loses
// what it should guard.
func conditions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		if match == "" && none == "" || r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		expected, ok := revisionOf(match, none)
		if !ok || r.Method != http.MethodPut {
			Problem{
				Status: http.StatusBadRequest, Reason: "CONDITION_INVALID",
				Detail: `a condition goes with PUT of a case: If-Match: "3", or If-None-Match: * for a new one`,
			}.Write(w)
			return
		}
		r = r.Clone(r.Context())
		q := r.URL.Query()
		q.Set("expected_revision", strconv.FormatUint(expected, 10))
		r.URL.RawQuery = q.Encode()
		next.ServeHTTP(w, r)
	})
}

func revisionOf(match, none string) (uint64, bool) {
	if none != "" {
		return 0, none == "*" && match == ""
	}
	text, ok := strings.CutPrefix(match, `"`)
	text, end := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseUint(text, 10, 32)
	return n, ok && end && err == nil && n > 0
}
