package rest

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	gateway "github.com/elsewhere-project/elsewhere/proto/gateway/elsewhere/v1"
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
	Log     *slog.Logger
}

// Handler returns what answers under /v1 until ctx ends.
func Handler(ctx context.Context, l *Link, o Options) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		runtime.WithMarshalerOption(eventStream, events{}),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithOutgoingHeaderMatcher(outgoing),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
			return metadata.Pairs(peerKey, r.RemoteAddr)
		}),
		runtime.WithErrorHandler(refuse),
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
	return compress(guard(o, conditions(pages)))
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
			return gateway.RegisterAdminServiceHandler(ctx, m, l.conn)
		},
	}
}

// incoming names the headers that a service is told of. The key is passed on by the
// gateway itself.
func incoming(name string) (string, bool) {
	switch name {
	case requestIDHeader, "Traceparent", "Tracestate":
		return strings.ToLower(name), true
	}
	return "", false
}

func outgoing(name string) (string, bool) {
	return requestIDHeader, name == requestIDKey
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
			}.write(w)
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

// Limits of time. A request is read and answered within them, a stream goes on as
// long as each of its parts does.
const (
	bodyWithin  = time.Minute
	writeWithin = 30 * time.Second
)

// guard refuses what no client of this service sends, and bounds the rest.
func guard(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		origin := r.Header.Get("Origin")
		allowed := origin != "" && slices.Contains(o.Origins, origin)
		if len(o.Origins) > 0 {
			h.Add("Vary", "Origin")
		}
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, "+requestIDHeader)
		}
		switch {
		case r.Method == http.MethodOptions && allowed && r.Header.Get("Access-Control-Request-Method") != "":
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, "+requestIDHeader)
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		case !allowed && foreign(r):
			Problem{Status: http.StatusForbidden, Reason: "ORIGIN", Detail: "asked for by a page of another site"}.write(w)
			return
		case r.Header.Get("Content-Encoding") != "":
			Problem{Status: http.StatusUnsupportedMediaType, Reason: "ENCODING", Detail: "bodies are taken uncompressed"}.write(w)
			return
		case !jsonBody(r):
			Problem{Status: http.StatusUnsupportedMediaType, Reason: "CONTENT_TYPE", Detail: "the body has to be application/json, or application/x-ndjson for a batch"}.write(w)
			return
		case r.ContentLength > o.BodyBytes && !batch(r):
			problemOfBody(&http.MaxBytesError{Limit: o.BodyBytes}).write(w)
			return
		}
		deadlines := http.NewResponseController(w)
		// Not every writer has deadlines; then the server's own hold.
		_ = deadlines.SetReadDeadline(time.Now().Add(bodyWithin))
		if batch(r) {
			// Answers begin before the last case has come.
			_ = deadlines.EnableFullDuplex()
		}
		b := &body{ReadCloser: r.Body, stream: batch(r), most: o.BodyBytes, left: o.BodyBytes, deadlines: deadlines}
		r.Body = b
		next.ServeHTTP(&patient{ResponseWriter: w, deadlines: deadlines}, r)
		if b.stream && b.fault != nil {
			// The answers to what came before it have been written.
			p := problemOfBody(b.fault)
			_, _ = w.Write(append(append([]byte(`{"error":`), p.line(h)...), '}', '\n'))
		}
	})
}

// foreign reports whether a page of another site made a browser ask. It could not
// read the answer, but without keys it could change something.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	return origin != "" && host != r.Host
}

// jsonBody reports whether a request that may change something says that it is JSON,
// which no form of a foreign page can.
func jsonBody(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return true
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/json":
		return true
	case "application/x-ndjson", "application/jsonl":
		return batch(r)
	}
	return false
}

// batch reports whether a body is a stream of messages.
func batch(r *http.Request) bool { return r.URL.Path == "/v1/cases:batch" }

// patient moves the deadline on with each write, so that a stream may last.
type patient struct {
	http.ResponseWriter
	deadlines *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.deadlines.SetWriteDeadline(time.Now().Add(writeWithin))
	return p.ResponseWriter.Write(b)
}

// Unwrap lets what is behind it be flushed.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
