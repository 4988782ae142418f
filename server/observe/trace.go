package observe

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
)

// Tracing sends a span for each call to an OpenTelemetry collector.
type Tracing struct{ provider *trace.TracerProvider }

// NewTracing returns a Tracing that sends to the collector at endpoint
// (host:port, OTLP over gRPC): in the clear on loopback, with TLS and the
// system's roots elsewhere. A collector that cannot be reached loses spans and
// delays no request. Stop has to be called.
func NewTracing(ctx context.Context, endpoint string, log *slog.Logger) (*Tracing, error) {
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, fmt.Errorf("address to send traces to: %w", err)
	}
	security := otlptracegrpc.WithTLSCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}))
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		security = otlptracegrpc.WithInsecure()
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), security)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	version, _ := Build()
	return &Tracing{trace.NewTracerProvider(
		trace.WithBatcher(loggedExporter{exporter, log}),
		trace.WithSampler(trace.ParentBased(trace.AlwaysSample())),
		trace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "elsewhere"), attribute.String("service.version", version),
		)),
	)}, nil
}

// Handler returns what a gRPC server tells about its calls. Methods that known
// does not report are left out: their names are the caller's.
func (t *Tracing) Handler(known func(fullMethod string) bool) stats.Handler {
	return otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
		// Baggage is left where it is: it may hold anything.
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(func(info *stats.RPCTagInfo) bool { return known(info.FullMethodName) }),
	)
}

// Stop sends what is left, until ctx ends.
func (t *Tracing) Stop(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// loggedExporter keeps errors from the handler that OpenTelemetry has for the
// whole process.
type loggedExporter struct {
	*otlptrace.Exporter
	log *slog.Logger
}

func (e loggedExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if err := e.Exporter.ExportSpans(ctx, spans); err != nil {
		e.log.WarnContext(ctx, "traces were not sent", "spans", len(spans), "error", err)
	}
	return nil
}
