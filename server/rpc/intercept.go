package rpc

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// maxDuration bounds every unary call, so that no request holds a snapshot for
// long; a caller's own earlier deadline stands.
const maxDuration = 60 * time.Second

// Interceptors returns what stands before every call: it says who asks and what
// the request is called, bounds how long an answer may take and how many a key
// may ask for, ends calls with their key, puts them on record, and keeps a panic to
// the request that had it.
func Interceptors(keys *access.Keys, record *Recorder, log *slog.Logger) []grpc.ServerOption {
	d := door{keys}
	unary := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (res any, err error) {
		defer contain(ctx, log, info.FullMethod, &err)
		observe.Announce(ctx)
		visit, err := d.enter(ctx, info.FullMethod, weight(req))
		if err != nil {
			told := toStatus(ctx, log, err)
			record.refused(ctx, info.FullMethod, err, told)
			return nil, told
		}
		defer visit.leave()
		ctx, cancel := context.WithTimeout(visit.ctx, maxDuration)
		defer cancel()
		handle = record.recorded(info.FullMethod, log, handle)
		// An answer that is there is sent, though its key has just ended: it may be
		// the new secret of that very key.
		if res, err = handle(ctx, req); err != nil && visit.over() {
			return nil, toStatus(ctx, log, access.ErrEnded)
		}
		return res, err
	}
	stream := func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		ctx := ss.Context()
		defer contain(ctx, log, info.FullMethod, &err)
		observe.Announce(ctx)
		visit, err := d.enter(ctx, info.FullMethod, 1)
		if err != nil {
			told := toStatus(ctx, log, err)
			record.refused(ctx, info.FullMethod, err, told)
			return told
		}
		defer visit.leave()
		var viewed grpc.ServerStream = &viewedStream{ss, visit}
		if record.records(info.FullMethod) && !info.IsClientStream {
			recorded := &recordedStream{ServerStream: viewed, record: record, method: info.FullMethod, log: log}
			viewed = recorded
			defer func() { err = recorded.end(err) }()
		}
		err = handle(srv, viewed)
		if visit.over() {
			return toStatus(ctx, log, access.ErrEnded)
		}
		return err
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)}
}

// door lets calls in.
type door struct{ keys *access.Keys }

// visit is a call that was let in.
type visit struct {
	ctx     context.Context
	session *access.Session // nil without a key
	ended   context.Context // ends when the call may not go on
	leave   func()
}

// over reports whether the key of the call has ended, or the time without keys.
func (v *visit) over() bool { return v.ended.Err() != nil }

// enter says who calls a method that counts as so many calls.
func (d door) enter(ctx context.Context, method string, calls int) (*visit, error) {
	if until, ok := d.keys.Open(); ok {
		return newVisit(access.With(ctx, access.Open()), until, nil), nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for name, values := range md {
		for _, value := range values {
			if (name != authorization || len(values) > 1) && access.HoldsKey(value) {
				return nil, access.ErrMisplacedKey
			}
		}
	}
	if !access.NeedsKey(method) {
		return newVisit(access.With(ctx, access.Viewer{}), context.Background(), nil), nil
	}
	header := ""
	if given := md[authorization]; len(given) == 1 {
		header = given[0]
	}
	s, err := d.keys.Authenticate(header, peerAddress(ctx))
	if err != nil {
		return nil, err
	}
	if !s.Viewer.May(method) {
		if !s.Viewer.Knows(method) {
			return nil, &letInError{status.Error(codes.Unimplemented, "unknown method"), s.Viewer.Who()}
		}
		return nil, &letInError{access.ErrForbidden, s.Viewer.Who()}
	}
	if err := s.Begin(calls); err != nil {
		return nil, &letInError{err, s.Viewer.Who()}
	}
	return newVisit(access.With(ctx, s.Viewer), s.Ended, s), nil
}

// newVisit returns a call that ends with a context besides its own.
func newVisit(ctx, ended context.Context, s *access.Session) *visit {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ended, cancel)
	return &visit{ctx, s, ended, func() {
		stop()
		cancel()
		if s != nil {
			s.Done()
		}
	}}
}

// authorization is the only metadata that a key may come in.
const authorization = "authorization"

// valuesPerCall is how many values of one request count as one call.
const valuesPerCall = 100

// weight is how many calls a request counts as.
func weight(req any) int {
	if many, ok := req.(interface {
		GetObservables() []*elsewherev1.Observable
	}); ok {
		return 1 + len(many.GetObservables())/valuesPerCall
	}
	return 1
}

// peerAddress is where a call comes from.
func peerAddress(ctx context.Context) netip.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		if tcp, ok := p.Addr.(*net.TCPAddr); ok {
			return tcp.AddrPort().Addr()
		}
	}
	return netip.Addr{}
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
	visit *visit
}

func (s *viewedStream) Context() context.Context { return s.visit.ctx }

// RecvMsg ends with the key, whatever the stream is waiting for.
func (s *viewedStream) RecvMsg(m any) error {
	if session := s.visit.session; session != nil {
		if err := session.Wait(s.visit.ctx); err != nil {
			return err
		}
	}
	// Left behind it ends with the stream, which is over when the handler returns.
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-received:
		return err
	case <-s.visit.ended.Done():
		return access.ErrEnded
	}
}
