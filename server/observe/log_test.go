package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/prometheus/client_golang/prometheus"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

var (
	given  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	random = regexp.MustCompile(`^[A-Z2-7]{26}$`)
)

// TestRequestIDs: an id that can stand in a log is kept, anything else gets a
// random one; the caller is told, and the log has it.
func TestRequestIDs(t *testing.T) {
	d := start(t, server.Config{})
	long := strings.Repeat("x", 64)
	for _, c := range []struct {
		given []string
		kept  bool
	}{
		{[]string{"case-4711.retry_2"}, true},
		{[]string{long}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{long + "x"}, false},
		{[]string{"two words"}, false},
		{[]string{`a"b`}, false},
		{[]string{"a/b"}, false},
		{[]string{"one", "two"}, false},
	} {
		for _, req := range []*elsewherev1.SubmitCaseRequest{
			elsewherev1.SubmitCaseRequest_builder{Case: newCase("alder", "1", observable("ip", "104.161.20.102"))}.Build(),
			{}, // invalid
		} {
			ctx := t.Context()
			for _, id := range c.given {
				ctx = metadata.AppendToOutgoingContext(ctx, observe.RequestIDKey, id)
			}
			var header metadata.MD
			_, err := d.SubmitCase(ctx, req, grpc.Header(&header))
			ids := header.Get(observe.RequestIDKey)
			if len(ids) != 1 {
				t.Fatalf("%q: header %v with %v", c.given, header, err)
			}
			if c.kept && ids[0] != c.given[0] || !c.kept && !random.MatchString(ids[0]) {
				t.Errorf("%q: called %q", c.given, ids[0])
			}
		}
	}
	stream, err := d.SubmitCases(metadata.AppendToOutgoingContext(t.Context(), observe.RequestIDKey, "streamed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	header, err := stream.Header()
	if got := header.Get(observe.RequestIDKey); err != nil || len(got) != 1 || got[0] != "streamed" {
		t.Errorf("stream: header %v, %v", header, err)
	}
	if _, err := d.Seen(metadata.AppendToOutgoingContext(t.Context(), observe.RequestIDKey, "asked"), &elsewherev1.SeenRequest{}); err != nil {
		t.Fatal(err)
	}
	err = d.conn.Invoke(metadata.AppendToOutgoingContext(t.Context(), observe.RequestIDKey, "lost"),
		"/elsewhere.v1.Oak/Grow", &emptypb.Empty{}, &emptypb.Empty{}, grpc.Header(&header))
	if got := header.Get(observe.RequestIDKey); status.Code(err) != codes.Unimplemented || len(got) != 1 || got[0] != "lost" {
		t.Errorf("unknown method: header %v, %v", header, err)
	}
	d.stop(t)

	seen := map[string]int{}
	for _, l := range d.log.lines(t) {
		if !given.MatchString(l.RequestID) {
			t.Errorf("%+v has no id", l)
		}
		if l.Duration == nil || *l.Duration < 0 {
			t.Errorf("%+v has no duration", l)
		}
		seen[l.RequestID+" "+l.Level+" "+l.Method+" "+l.Code]++
	}
	for _, want := range []string{
		long + " DEBUG " + submitMethod + " OK",
		long + " WARN " + submitMethod + " InvalidArgument",
		"asked DEBUG /elsewhere.v1.CorrelationService/Seen OK",
		"lost WARN unknown Unimplemented",
	} {
		if seen[want] != 1 {
			t.Errorf("the log says %q %d times\n%s", want, seen[want], d.log)
		}
	}
}

// TestLogLevel: at the usual level only what failed is logged.
func TestLogLevel(t *testing.T) {
	var log journal
	d := start(t, server.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	d.submit(t, newCase("alder", "1", observable("ip", "104.161.20.102")))
	if _, err := d.SubmitCase(t.Context(), &elsewherev1.SubmitCaseRequest{}); err == nil {
		t.Fatal("accepted")
	}
	d.stop(t)
	if lines := log.lines(t); len(lines) != 1 || lines[0].Level != "WARN" || lines[0].Msg != "request failed" {
		t.Errorf("log: %s", log.String())
	}
}

// FuzzRequestID: whatever a caller names its request, the log gets a short word.
func FuzzRequestID(f *testing.F) {
	for _, seed := range []string{"", "a", "a b", "a\nb", `"`, "é", "\xff", strings.Repeat("-", 65)} {
		f.Add(seed)
	}
	calls, err := observe.NewCalls(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id string) {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(observe.RequestIDKey, id))
		got := observe.RequestID(calls.TagRPC(ctx, &stats.RPCTagInfo{FullMethodName: "/a/b"}))
		if given.MatchString(id) && got != id || !given.MatchString(got) {
			t.Errorf("%q is called %q", id, got)
		}
	})
}

// TestLogHandler: the id stays when loggers are derived.
func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	calls, err := observe.NewCalls(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	in := metadata.NewIncomingContext(t.Context(), metadata.Pairs(observe.RequestIDKey, "r1"))
	ctx := calls.TagRPC(in, &stats.RPCTagInfo{FullMethodName: "/a/b"})
	log := slog.New(observe.NewLogHandler(slog.NewJSONHandler(&out, nil), observe.NewPanics()))
	for _, c := range []struct {
		log  *slog.Logger
		ctx  context.Context
		path []string // to request_id
	}{
		{log, ctx, []string{"request_id"}},
		{log.With("part", "linker"), ctx, []string{"request_id"}},
		{log.WithGroup("g").With("part", "linker"), ctx, []string{"g", "request_id"}},
		{log, t.Context(), nil},
	} {
		out.Reset()
		c.log.InfoContext(c.ctx, "hello", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6)
		var record any
		if err := json.Unmarshal(out.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		for _, step := range c.path {
			record = record.(map[string]any)[step]
		}
		if len(c.path) > 0 && record != "r1" || len(c.path) == 0 && strings.Contains(out.String(), "request_id") {
			t.Errorf("%v: %s", c.path, out.String())
		}
	}
}

// TestPanicsAreCounted: also where the log itself is off.
func TestPanicsAreCounted(t *testing.T) {
	panics := observe.NewPanics()
	for _, next := range []slog.Handler{slog.DiscardHandler, slog.NewTextHandler(io.Discard, nil)} {
		log := slog.New(observe.NewLogHandler(next, panics)).With("part", "linker")
		log.Error("panic while linking")
		log.Error("internal error", "error", "panic")
		log.Info("panic")
	}
	metrics := prometheus.NewRegistry()
	if err := metrics.Register(panics); err != nil {
		t.Fatal(err)
	}
	counted, err := metrics.Gather()
	if err != nil || len(counted) != 1 || counted[0].GetMetric()[0].GetCounter().GetValue() != 2 {
		t.Errorf("2 panics are counted as %v, %v", counted, err)
	}
}
