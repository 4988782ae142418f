package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// Bounds of the HTTP side. A profile takes 30 s unless asked otherwise, and has
// to fit httpWriteWithin.
const (
	httpHeaderWithin = 5 * time.Second
	httpReadWithin   = 10 * time.Second
	httpWriteWithin  = time.Minute
	httpIdle         = time.Minute
	httpHeaderBytes  = 16 << 10
	httpStopWithin   = 5 * time.Second
	httpConnections  = 64
)

// httpSide is the listener for operators.
type httpSide struct {
	listener net.Listener
	server   *http.Server
	leave    context.CancelFunc
}

// HTTPError is why the HTTP side cannot listen.
type HTTPError struct{ Err error }

func (e *HTTPError) Error() string { return "metrics and health: " + e.Err.Error() }

// Unwrap returns the error of the listener.
func (e *HTTPError) Unwrap() error { return e.Err }

func (s *Server) listenHTTP(ctx context.Context, addr string) (*httpSide, error) {
	tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &HTTPError{err}
	}
	listener := Limits{Connections: httpConnections, ConnectionsPerAddress: httpConnections}.bound(tcp, s.log)
	at, ok := listener.Addr().(*net.TCPAddr)
	pages := observe.Pages{
		Metrics: s.telemetry.metrics, Ready: s.ready, Loopback: ok && at.IP.IsLoopback(), Log: s.log,
	}
	// Requests end with the server, not with the context of its start.
	base, leave := context.WithCancel(context.Background())
	return &httpSide{listener, &http.Server{
		Handler:           withoutKeys(pages.Handler()),
		ReadHeaderTimeout: httpHeaderWithin,
		ReadTimeout:       httpReadWithin,
		WriteTimeout:      httpWriteWithin,
		IdleTimeout:       httpIdle,
		MaxHeaderBytes:    httpHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}, leave}, nil
}

// withoutKeys refuses requests with a key in their address or their headers: no
// page needs one, and whoever sent it believes that it belongs there.
func withoutKeys(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := access.HoldsKey(r.RequestURI)
		for _, values := range r.Header {
			for _, v := range values {
				found = found || access.HoldsKey(v)
			}
		}
		if found {
			http.Error(w, access.ErrMisplacedKey.Error(), http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serve answers until stop.
func (h *httpSide) serve() error {
	if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop lets requests under way finish, within bounds; a profile ends at once.
func (h *httpSide) stop() {
	h.leave()
	ctx, cancel := context.WithTimeout(context.Background(), httpStopWithin)
	defer cancel()
	if h.server.Shutdown(ctx) != nil {
		h.server.Close()
	}
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
