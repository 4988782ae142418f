package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/elsewhere-project/elsewhere/server/observe"
	"github.com/elsewhere-project/elsewhere/server/rpc"
	"github.com/elsewhere-project/elsewhere/server/web"
	"github.com/elsewhere-project/elsewhere/server/web/session"
)

// Bounds of the HTTP side. A profile takes 30 s unless asked otherwise, and has
// to fit httpWriteWithin. REST sets its own for bodies and answers.
const (
	httpHeaderWithin = 5 * time.Second
	httpReadWithin   = 10 * time.Second
	httpWriteWithin  = time.Minute
	httpIdle         = time.Minute
	httpHeaderBytes  = 16 << 10
	httpStopWithin   = 5 * time.Second
)

// httpSide is the listener for the analysts' page, REST and operators. A nil one is none.
type httpSide struct {
	listener net.Listener
	server   *http.Server
	rest     *restSide
	scheme   string
	// leave ends pages that take long.
	leave context.CancelFunc
	once  sync.Once
}

// HTTPError is why the HTTP side cannot listen.
type HTTPError struct{ Err error }

func (e *HTTPError) Error() string { return "HTTP: " + e.Err.Error() }

// Unwrap returns the error of the listener.
func (e *HTTPError) Unwrap() error { return e.Err }

func (s *Server) listenHTTP(ctx context.Context, c Config, door *rpc.Door, register func(*grpc.Server)) (*httpSide, error) {
	tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.HTTPAddr)
	if err != nil {
		return nil, &HTTPError{err}
	}
	at, ok := tcp.Addr().(*net.TCPAddr)
	within := ok && at.IP.IsLoopback()
	var listener net.Listener = c.Limits.bound(tcp, s.log)
	scheme := "http"
	if !within {
		scheme = "https"
		listener = s.certificate.secured(listener)
	}
	page, err := web.New()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	api, err := s.openREST(c, door, register)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	var sessions *session.Sessions
	if c.WebSessions {
		sessions = session.New(api.handler, session.Options{Secure: !within, Clock: c.Clock})
	}
	pages := observe.Pages{Metrics: s.telemetry.metrics, Ready: s.ready, Loopback: within, Log: s.log}
	over, leave := context.WithCancel(context.Background())
	return &httpSide{listener: listener, rest: api, leave: leave, scheme: scheme, server: &http.Server{
		Handler: withoutKeys(split(
			pages.Guard(sessions.Over(api.handler)),
			pages.Guard(sessions.Handler(page.Over(endWith(over, pages.Handler())))),
		)),
		ReadHeaderTimeout: httpHeaderWithin,
		ReadTimeout:       httpReadWithin,
		WriteTimeout:      httpWriteWithin,
		IdleTimeout:       httpIdle,
		MaxHeaderBytes:    httpHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}}, nil
}

// endWith ends requests when a context does.
func endWith(over context.Context, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(over, cancel)()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// serve answers until stop.
func (h *httpSide) serve() error {
	served := make(chan error, 1)
	go func() { served <- h.rest.serve() }()
	err := h.server.Serve(h.listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, <-served)
}

// stop lets requests under way finish, within bounds; a profile ends at once.
func (h *httpSide) stop() {
	if h == nil {
		return
	}
	h.once.Do(func() {
		h.leave()
		ctx, cancel := context.WithTimeout(context.Background(), httpStopWithin)
		defer cancel()
		if h.server.Shutdown(ctx) != nil {
			h.server.Close()
		}
		h.rest.stop()
	})
}

// HTTPAddr returns the address of the page, REST, metrics, health and profiles, "" if
// there is none.
func (s *Server) HTTPAddr() string {
	if s.http == nil {
		return ""
	}
	return s.http.listener.Addr().String()
}

// URL returns where the HTTP side is, "" if there is none.
func (s *Server) URL() string {
	if s.http == nil {
		return ""
	}
	return s.http.scheme + "://" + s.HTTPAddr()
}

// errNotServing is why a service that starts or stops is not ready.
var errNotServing = errors.New("not serving")

// ready reports why the service takes no requests.
func (s *Server) ready(ctx context.Context) error {
	res, err := s.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if res.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return errNotServing
	}
	_, err = s.store.Sweep(ctx)
	return err
}
