package rpc

import (
	"context"
	"log/slog"
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// recorded returns a handler that puts its calls on record before they are answered.
func (r *Recorder) recorded(fullMethod string, log *slog.Logger, handle grpc.UnaryHandler) grpc.UnaryHandler {
	if !r.records(fullMethod) {
		return handle
	}
	return func(ctx context.Context, req any) (any, error) {
		request, _ := req.(proto.Message)
		during, call := r.begin(ctx, fullMethod, request)
		res, err := handle(during, req)
		if err != nil {
			call.failed(err)
			return res, err
		}
		response, _ := res.(proto.Message)
		if err := call.answered(ctx, response); err != nil {
			return nil, toStatus(ctx, log, err)
		}
		return res, nil
	}
}

// recordedStream is a stream of answers to one request. What names a tenant for the
// first time is on record before it is sent, and how much there was at the end.
type recordedStream struct {
	grpc.ServerStream
	record *Recorder
	method string
	log    *slog.Logger

	ctx  context.Context // with what the call leaves in the store; nil before the request
	call *recordedCall
	// named is how many tenants are on record, -1 before the first answer; and counts
	// are what is.
	named  int
	counts map[string]uint64
}

// Context implements grpc.ServerStream.
func (s *recordedStream) Context() context.Context {
	if s.ctx != nil {
		return s.ctx
	}
	return s.ServerStream.Context()
}

// RecvMsg begins the call with its request.
func (s *recordedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.call == nil {
		request, _ := m.(proto.Message)
		s.ctx, s.call = s.record.begin(s.ServerStream.Context(), s.method, request)
		s.named = -1
	}
	return nil
}

// SendMsg puts an answer on record and sends it.
func (s *recordedStream) SendMsg(m any) error {
	if response, ok := m.(proto.Message); ok && s.call != nil {
		s.call.told.response(response)
		if n := len(s.call.told.names); n > s.named {
			if err := s.call.record(s.Context()); err != nil {
				return toStatus(s.Context(), s.log, err)
			}
			// What is recorded does not change any more; the stream goes on counting.
			s.named, s.counts = n, s.call.told.counts
			s.call.told.counts = maps.Clone(s.counts)
		}
	}
	return s.ServerStream.SendMsg(m)
}

// end records how the call ended, and returns its error.
func (s *recordedStream) end(err error) error {
	switch {
	case s.call == nil:
	case err != nil:
		s.call.failed(err)
	case s.named >= 0 && maps.Equal(s.counts, s.call.told.counts):
		s.call.trail.Wake()
	default:
		if recorded := s.call.answered(context.WithoutCancel(s.Context()), nil); recorded != nil {
			return toStatus(s.Context(), s.log, recorded)
		}
	}
	return err
}
