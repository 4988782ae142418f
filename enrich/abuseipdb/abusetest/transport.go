package abusetest

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Transport returns a transport that hands every request, whatever its host, to
// the fake within the process.
func (f *Fake) Transport() http.RoundTripper { return transport{f} }

type transport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.Host = r.URL.Host
	body, out := io.Pipe()
	// Like a connection, the body ends with the request.
	context.AfterFunc(ctx, func() { _ = body.CloseWithError(context.Cause(ctx)) })
	w := &pipeWriter{header: make(http.Header), body: out, ready: make(chan struct{})}
	go func() {
		t.handler.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		_ = out.Close()
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		cancel()
		return nil, context.Cause(ctx)
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: closer{body, cancel}, ContentLength: -1, Request: r,
	}, nil
}

// closer is the body of an answer; closing it ends the request.
type closer struct {
	io.Reader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (c closer) Close() error {
	c.cancel()
	return nil
}

// pipeWriter is the http.ResponseWriter of a request within the process.
type pipeWriter struct {
	header, sent http.Header
	status       int
	once         sync.Once
	ready        chan struct{}
	body         *io.PipeWriter
}

// Header implements http.ResponseWriter.
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

// Write implements http.ResponseWriter.
func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// FlushError lets http.ResponseController flush, which is nothing to do.
func (w *pipeWriter) FlushError() error { return nil }
