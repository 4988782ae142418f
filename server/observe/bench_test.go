package observe_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/stats"

	"github.com/elsewhere-project/elsewhere/server/observe"
)

// BenchmarkCall is what a unary call pays for being counted, timed and logged at
// a level that nobody reads.
func BenchmarkCall(b *testing.B) {
	calls, err := observe.NewCalls(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	events := []stats.RPCStats{
		&stats.Begin{BeginTime: begin}, &stats.InPayload{WireLength: 100}, &stats.OutPayload{WireLength: 100},
		&stats.End{BeginTime: begin, EndTime: begin.Add(time.Millisecond)},
	}
	b.ReportAllocs()
	for b.Loop() {
		ctx := calls.TagRPC(b.Context(), &stats.RPCTagInfo{FullMethodName: "/a/b"})
		for _, e := range events {
			calls.HandleRPC(ctx, e)
		}
	}
}
