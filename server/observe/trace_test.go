package observe_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/elsewhere-project/elsewhere/server"
)

// traces collects spans as an OpenTelemetry collector does.
type traces struct {
	collector.UnimplementedTraceServiceServer
	addr string

	mu       sync.Mutex
	received []*collector.ExportTraceServiceRequest
}

func collect(t *testing.T) *traces {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &traces{addr: l.Addr().String()}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *traces) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, req)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *traces) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text string
	for _, r := range c.received {
		text += prototext.Format(r)
	}
	return text
}

func (c *traces) spans() []*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []*tracev1.Span
	for _, r := range c.received {
		for _, rs := range r.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				spans = append(spans, ss.GetSpans()...)
			}
		}
	}
	return spans
}

// TestTraces: each call of a method that exists is a span below the caller's,
// and none is lost when the service stops.
func TestTraces(t *testing.T) {
	c := collect(t)
	d := start(t, server.Config{TraceEndpoint: c.addr})
	ctx := metadata.AppendToOutgoingContext(t.Context(),
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := d.Seen(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.conn.Invoke(t.Context(), "/elsewhere.v1.Oak/Grow", &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
		t.Fatal("answered")
	}
	d.stop(t)
	spans := c.spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans: %s", len(spans), c)
	}
	s := spans[0]
	if s.GetName() != "elsewhere.v1.CorrelationService/Seen" || s.GetParentSpanId() == nil ||
		string(s.GetTraceId()) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
		t.Errorf("span: %s", prototext.Format(s))
	}
}

// TestTracesNobodyTakes: without the collector the service answers and stops,
// and the log says that spans were lost.
func TestTracesNobodyTakes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, server.Config{TraceEndpoint: l.Addr().String()})
	l.Close()
	if _, err := d.Seen(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	d.stop(t)
	if log := d.log.String(); !strings.Contains(log, "traces were not sent") {
		t.Errorf("log: %s", log)
	}
}

func TestBadTraceEndpoint(t *testing.T) {
	if _, err := server.Open(t.Context(), server.Config{Memory: true, GRPCAddr: "127.0.0.1:0", TraceEndpoint: "collector"}); err == nil {
		t.Error("accepted")
	}
}
