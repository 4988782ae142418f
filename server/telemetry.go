package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/elsewhere-project/elsewhere/server/observe"
)

// tracesStopWithin bounds how long a stop waits for a collector of traces.
const tracesStopWithin = 3 * time.Second

// telemetry is how the service is watched.
type telemetry struct {
	metrics *prometheus.Registry
	calls   *observe.Calls
	tracing *observe.Tracing // nil if nobody asked for traces
	log     *slog.Logger
}

func newTelemetry(ctx context.Context, traceEndpoint string, store observe.Store, log *slog.Logger) (*telemetry, error) {
	metrics, err := observe.NewRegistry()
	if err != nil {
		return nil, err
	}
	if err := metrics.Register(observe.NewStoreCollector(store)); err != nil {
		return nil, err
	}
	calls, err := observe.NewCalls(metrics, log)
	if err != nil {
		return nil, err
	}
	t := &telemetry{metrics: metrics, calls: calls, log: log}
	if traceEndpoint != "" {
		if t.tracing, err = observe.NewTracing(ctx, traceEndpoint, log); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// watch shows more metrics.
func (t *telemetry) watch(more ...prometheus.Collector) error {
	for _, c := range more {
		if err := t.metrics.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// queues are what waits in a server: for its turn, at the store, and for the writer of
// a store that has one. They are asked for once it serves.
func (s *Server) queues() []observe.Queue {
	all := []observe.Queue{
		{Name: "submit", Depth: func() int { waiting, _ := s.service.Submits(); return waiting }},
		{Name: "storing", Depth: func() int { _, storing := s.service.Submits(); return storing }},
	}
	if store, ok := s.store.(interface{ Waiting() int }); ok {
		all = append(all, observe.Queue{Name: "writer", Depth: store.Waiting})
	}
	return all
}

// options attach the telemetry to a gRPC server.
func (t *telemetry) options() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.StatsHandler(t.calls),
		// Without it a call of a method that does not exist is not counted.
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unimplemented, "unknown method")
		}),
	}
	if t.tracing != nil {
		options = append(options, grpc.StatsHandler(t.tracing.Handler(t.calls.Knows)))
	}
	return options
}

func (t *telemetry) stop() {
	if t.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracesStopWithin)
	defer cancel()
	if err := t.tracing.Stop(ctx); err != nil {
		t.log.WarnContext(ctx, "traces were not sent", "error", err)
	}
}
