package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/observe"
)

// guard refuses what no client of this service sends, and bounds the rest.
func guard(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		// Named here, so that what the service never sees has a name too.
		id := observe.NameRequest(r.Header.Get(requestIDHeader))
		r.Header.Set(requestIDHeader, id)
		h.Set(requestIDHeader, id)
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
			Problem{Status: http.StatusForbidden, Reason: "ORIGIN", Detail: "asked for by a page of another site"}.Write(w)
			return
		case r.Header.Get("Content-Encoding") != "":
			Problem{Status: http.StatusUnsupportedMediaType, Reason: "ENCODING", Detail: "bodies are taken uncompressed"}.Write(w)
			return
		case !jsonBody(r):
			Problem{Status: http.StatusUnsupportedMediaType, Reason: "CONTENT_TYPE", Detail: "the body has to be application/json, application/x-ndjson for a batch, or a file for an import"}.Write(w)
			return
		case importsFile(r):
			header, err := importHeader(r)
			if err != nil {
				problemOf(err, r).Write(w)
				return
			}
			r = r.Clone(r.Context())
			r.URL.RawQuery = ""
			serveBody(o, next, w, r, &body{header: header, file: true, most: importBytes})
			return
		}
		serve(o, next, w, r)
	})
}

// serve answers a request within its limits of time: a body comes within one, and so
// does each part of the answer, but an answer of many parts lasts as long as they come.
func serve(o Options, next http.Handler, w http.ResponseWriter, r *http.Request) {
	serveBody(o, next, w, r, &body{stream: batch(r), answered: answered(r), most: o.BodyBytes})
}

// serveBody is serve for a body of another kind.
func serveBody(o Options, next http.Handler, w http.ResponseWriter, r *http.Request, b *body) {
	if r.ContentLength > b.most && !b.stream {
		problemOfBody(&http.MaxBytesError{Limit: b.most}).Write(w)
		return
	}
	deadlines := http.NewResponseController(w)
	b.ReadCloser, b.left, b.within = r.Body, b.most, o.BodyWithin
	if b.file {
		// A file of that size has an end.
		b.left++
	}
	// Not every writer has deadlines; then the server's own hold.
	b.allow = func(within time.Duration) { _ = deadlines.SetReadDeadline(deadline(within)) }
	defer b.end()
	b.extend(o.BodyWithin)
	if r.ContentLength == 0 {
		b.extend(0)
	}
	// The service answers within the time that a body has, or not at all.
	_ = deadlines.SetWriteDeadline(time.Now().Add(2*o.BodyWithin + o.WriteWithin))
	if b.answered {
		// Answers begin before the last case has come. Where they end before it, what is
		// left of the body must not be read as the next request.
		_ = deadlines.EnableFullDuplex()
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close")
		}
	}
	r.Body = b
	x := &exchange{ResponseWriter: w, deadlines: deadlines, within: o.WriteWithin}
	x.request = r.WithContext(withExchange(r.Context(), x))
	next.ServeHTTP(x, x.request)
	if fault := b.wrong(); b.answered && fault != nil {
		// The answers to what came before it have been written.
		x.fail(problemOfBody(fault))
	}
}

// deadline is the time after so long; none after 0.
func deadline(within time.Duration) time.Time {
	if within == 0 {
		return time.Time{}
	}
	return time.Now().Add(within)
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

// jsonBody reports whether a request that may change something says that it is JSON, or
// a file where one is imported, which no form of a foreign page can.
func jsonBody(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return true
	}
	kind := mediaType(r.Header.Get("Content-Type"))
	if importsFile(r) {
		return fileKind(kind)
	}
	switch kind {
	case "application/json":
		return true
	case "application/x-ndjson", "application/jsonl":
		return batch(r)
	}
	return false
}

// batch reports whether a body is a stream of messages.
func batch(r *http.Request) bool { return answered(r) || r.URL.Path == importsPath }

// answered reports whether each message of a body is answered as it comes.
func answered(r *http.Request) bool { return r.URL.Path == "/v1/cases:batch" }
