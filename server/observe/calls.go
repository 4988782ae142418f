package observe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// durationBuckets are in seconds: from the time of one look-up to the longest
// that a call may take; streams may take longer.
var durationBuckets = [...]float64{
	100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30, 60,
}

// unknownMethod stands for every method that the server does not have, so that
// no caller can make labels or write into the log.
const unknownMethod = "unknown"

// Calls counts, times and logs the calls to a gRPC server and gives each its
// request id. It implements stats.Handler.
type Calls struct {
	log       *slog.Logger
	durations *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
	messages  *prometheus.CounterVec
	bytes     *prometheus.CounterVec

	methods map[string]*method
	unknown *method
}

// method is what is counted apart for a method.
type method struct {
	name              string
	inFlight          prometheus.Gauge
	received, sent    prometheus.Counter // messages
	bytesIn, bytesOut prometheus.Counter
}

var _ stats.Handler = (*Calls)(nil)

// NewCalls returns a handler that has its metrics in reg. Before the server
// takes calls, it has to be told the methods with Know.
func NewCalls(reg prometheus.Registerer, log *slog.Logger) (*Calls, error) {
	c := &Calls{
		log: log,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "elsewhere_grpc_request_duration_seconds",
			Help:    "Time from the start of a call to its end, by method and status code.",
			Buckets: durationBuckets[:],
		}, []string{"method", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "elsewhere_grpc_requests_in_flight",
			Help: "Calls that have not ended.",
		}, []string{"method"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "elsewhere_grpc_messages_total",
			Help: "Messages, by method and direction (received, sent).",
		}, []string{"method", "direction"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "elsewhere_grpc_message_bytes_total",
			Help: "Bytes of messages as they were on the wire, by method and direction (received, sent).",
		}, []string{"method", "direction"}),
	}
	c.unknown = c.method(unknownMethod)
	return c, errors.Join(reg.Register(c.durations), reg.Register(c.inFlight), reg.Register(c.messages), reg.Register(c.bytes))
}

// Know tells which methods there are, as grpc.Server.GetServiceInfo returns them.
func (c *Calls) Know(services map[string]grpc.ServiceInfo) {
	c.methods = make(map[string]*method)
	for service, info := range services {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			c.methods[name] = c.method(name)
		}
	}
}

// Knows reports whether the server has a method.
func (c *Calls) Knows(fullMethod string) bool {
	_, ok := c.methods[fullMethod]
	return ok
}

func (c *Calls) method(name string) *method {
	return &method{
		name:     name,
		inFlight: c.inFlight.WithLabelValues(name),
		received: c.messages.WithLabelValues(name, "received"),
		sent:     c.messages.WithLabelValues(name, "sent"),
		bytesIn:  c.bytes.WithLabelValues(name, "received"),
		bytesOut: c.bytes.WithLabelValues(name, "sent"),
	}
}

// TagRPC implements stats.Handler: from here on the call has its id.
func (c *Calls) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	m, ok := c.methods[info.FullMethodName]
	if !ok {
		m = c.unknown
	}
	return context.WithValue(ctx, requestKey{}, &request{id: newRequestID(ctx), method: m})
}

// HandleRPC implements stats.Handler.
func (c *Calls) HandleRPC(ctx context.Context, s stats.RPCStats) {
	r := requestOf(ctx)
	if r == nil {
		return
	}
	switch s := s.(type) {
	case *stats.InHeader:
		r.compressed = s.Compression != "" && s.Compression != encoding.Identity
	case *stats.Begin:
		r.method.inFlight.Inc()
	case *stats.InPayload:
		r.method.received.Inc()
		r.method.bytesIn.Add(float64(s.WireLength))
	case *stats.OutPayload:
		r.method.sent.Inc()
		r.method.bytesOut.Add(float64(s.WireLength))
	case *stats.End:
		r.method.inFlight.Dec()
		c.ended(ctx, r.method, status.Code(s.Error), s.EndTime.Sub(s.BeginTime))
	}
}

// ended counts and logs a call. The message of its status may repeat what the
// caller sent and is left out.
func (c *Calls) ended(ctx context.Context, m *method, code codes.Code, took time.Duration) {
	c.durations.WithLabelValues(m.name, code.String()).Observe(took.Seconds())
	level, text := slog.LevelDebug, "request"
	switch code {
	case codes.OK:
	case codes.Unknown, codes.Internal, codes.DataLoss:
		level, text = slog.LevelError, "request failed"
	default:
		level, text = slog.LevelWarn, "request failed"
	}
	c.log.LogAttrs(ctx, level, text, slog.String("method", m.name), slog.String("code", code.String()),
		slog.Float64("duration_ms", float64(took.Microseconds())/1e3))
}

// TagConn implements stats.Handler.
func (c *Calls) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (c *Calls) HandleConn(context.Context, stats.ConnStats) {}
