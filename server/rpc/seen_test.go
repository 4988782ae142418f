package rpc

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// onlySummaries is a store that answers Seen alone, by a function.
type onlySummaries struct {
	Store
	graph.Snapshot
	summary func(evidence.Value) (graph.Summary, error)
}

func (s onlySummaries) Summary(v evidence.Value) (graph.Summary, error) { return s.summary(v) }

func (s onlySummaries) Views(_ context.Context, n int, f func(graph.Snapshot) error) error {
	errs := make(chan error, n)
	for range n {
		go func() { errs <- f(s) }()
	}
	var all error
	for range n {
		all = errors.Join(all, <-errs)
	}
	return all
}

// noClasses knows nothing of any value.
type noClasses struct{}

func (noClasses) Version() string                 { return "none" }
func (noClasses) Class(evidence.Value) link.Class { return link.Class{} }

func TestSeenStops(t *testing.T) {
	key, err := NewCorrelationKey(make([]byte, CorrelationKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	asked := make([]*elsewherev1.Observable, maxSeen)
	for i := range asked {
		asked[i] = elsewherev1.Observable_builder{Kind: "ip", Value: "70.0." + strconv.Itoa(i>>8) + "." + strconv.Itoa(i&255)}.Build()
	}
	const after = 100 // look-ups
	for _, tc := range []struct {
		what string
		do   func(cancel context.CancelFunc) error
		want codes.Code
		most int // look-ups
	}{
		// Each goroutine may have begun one.
		{"its caller gives up", func(cancel context.CancelFunc) error { cancel(); return nil }, codes.Canceled, after + runtime.GOMAXPROCS(0)},
		{"the store fails", func(context.CancelFunc) error { return errors.New("unreadable") }, codes.Internal, maxSeen},
		{"a look-up panics", func(context.CancelFunc) error { panic("bad") }, codes.Internal, maxSeen},
	} {
		ctx, cancel := context.WithCancel(access.With(t.Context(), access.Open()))
		defer cancel()
		var lookups atomic.Int64
		done := make(chan struct{})
		s := New(Dependencies{
			Store: onlySummaries{summary: func(evidence.Value) (graph.Summary, error) {
				switch n := lookups.Add(1); {
				case n == after:
					defer close(done)
					return graph.Summary{}, tc.do(cancel)
				case n > after:
					<-done
				}
				return graph.Summary{}, nil
			}},
			Rules: linker.Rules{Model: link.Version1(), Classes: noClasses{}},
			Key:   key, Log: slog.New(slog.DiscardHandler),
		})
		res, err := s.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: asked}.Build())
		if status.Code(err) != tc.want || res != nil {
			t.Errorf("%s: %v, want %s", tc.what, err, tc.want)
		}
		if n := int(lookups.Load()); n < after || n > tc.most {
			t.Errorf("%s at look-up %d: %d in the end, %d at most", tc.what, after, n, tc.most)
		}
	}
}
