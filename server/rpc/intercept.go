package rpc

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// maxDuration bounds every unary call, so that no request holds a snapshot for
// long; a caller's own earlier deadline stands.
const maxDuration = 60 * time.Second

// Interceptors returns what stands before every call: it says who asks and what
// the request is called, bounds how long an answer may take, and keeps a panic
// to the request that had it.
func Interceptors(viewer func(context.Context) (access.Viewer, error), log *slog.Logger) []grpc.ServerOption {
	unary := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (res any, err error) {
		defer contain(ctx, log, info.FullMethod, &err)
		observe.Announce(ctx)
		v, err := viewer(ctx)
		if err != nil {
			return nil, toStatus(ctx, log, err)
		}
		ctx, cancel := context.WithTimeout(access.With(ctx, v), maxDuration)
		defer cancel()
		return handle(ctx, req)
	}
	stream := func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		ctx := ss.Context()
		defer contain(ctx, log, info.FullMethod, &err)
		observe.Announce(ctx)
		v, err := viewer(ctx)
		if err != nil {
			return toStatus(ctx, log, err)
		}
		return handle(srv, &viewedStream{ss, access.With(ctx, v)})
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)}
}

// contain turns a panic into an error of its request. What was panicked with may
// hold a value of a case, so only the place is logged.
func contain(ctx context.Context, log *slog.Logger, method string, err *error) {
	if recover() != nil {
		log.ErrorContext(ctx, "panic", "method", method, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error")
	}
}

// viewedStream is a stream whose context says who asks.
type viewedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *viewedStream) Context() context.Context { return s.ctx }
