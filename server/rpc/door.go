package rpc

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// Patience says how long calls may take.
type Patience struct {
	// CallWithin bounds every unary call from its header to its answer, so that no
	// request holds a snapshot for long and none waits for a message that never
	// ends; a caller's own earlier deadline stands. 0 is DefaultCallWithin.
	CallWithin time.Duration
	// SendWithin is how long a message of a stream may wait for its reader; 0 is
	// DefaultSendWithin.
	SendWithin time.Duration
	// SettleWithin is how long lists of links and actors wait for the linker, before
	// they tell what there is; 0 is DefaultSettleWithin.
	SettleWithin time.Duration
}

// The patience of a service that nobody told otherwise.
const (
	DefaultCallWithin   = 60 * time.Second
	DefaultSendWithin   = 60 * time.Second
	DefaultSettleWithin = 2 * time.Second
)

// Door stands before every call: it says who asks and what the request is called
// before any message is read, bounds how long an answer may take and how much a
// key may ask for, ends calls with their key, puts them on record, and keeps a panic
// to the request that had it.
type Door struct {
	keys     *access.Keys
	record   *Recorder
	log      *slog.Logger
	patience Patience
}

// NewDoor returns a door.
func NewDoor(keys *access.Keys, record *Recorder, log *slog.Logger, p Patience) *Door {
	p.CallWithin = cmp.Or(p.CallWithin, DefaultCallWithin)
	p.SendWithin = cmp.Or(p.SendWithin, DefaultSendWithin)
	return &Door{keys, record, log, p}
}

// errNotLetIn is a fault of the program: a service was registered beside the door.
var errNotLetIn = status.Error(codes.Internal, "internal error")

// Options belong to the gRPC server. Unary calls come in through Registrar: an
// interceptor sees them only when their message has been read.
func (d *Door) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, errNotLetIn
		}),
		grpc.StreamInterceptor(d.stream),
	}
}

// Registrar returns what services are to be registered with.
func (d *Door) Registrar(r grpc.ServiceRegistrar) grpc.ServiceRegistrar { return registrar{r, d} }

// registrar registers unary methods as streams of one message either way, which
// is what they are on the wire, so that a call is let in before it is read.
type registrar struct {
	grpc.ServiceRegistrar
	door *Door
}

func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	own := *desc
	own.Methods = nil
	own.Streams = append([]grpc.StreamDesc(nil), desc.Streams...)
	for _, m := range desc.Methods {
		own.Streams = append(own.Streams, grpc.StreamDesc{
			StreamName: m.MethodName, Handler: r.door.unary("/"+desc.ServiceName+"/"+m.MethodName, m.Handler),
		})
	}
	r.ServiceRegistrar.RegisterService(&own, impl)
}

// unary returns the handler of a method with one request and one answer.
func (d *Door) unary(method string, handler grpc.MethodHandler) grpc.StreamHandler {
	return func(srv any, ss grpc.ServerStream) (err error) {
		ctx := ss.Context()
		defer contain(ctx, d.log, method, &err)
		observe.Announce(ctx)
		visit, err := d.enter(ctx, method)
		if err != nil {
			return d.refuse(ctx, method, err)
		}
		defer visit.leave()
		ctx, cancel := context.WithTimeout(visit.ctx, d.patience.CallWithin)
		defer cancel()
		read := func(req any) error {
			if err := visit.waitToRead(ctx); err != nil {
				return toStatus(ctx, d.log, err)
			}
			defer visit.hasRead()
			return toStatus(ctx, d.log, await(ctx, d.log, method, func() error { return ss.RecvMsg(req) }))
		}
		weigh := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			release, err := visit.weigh(req)
			if err != nil {
				return nil, d.refuse(ctx, method, err)
			}
			defer release()
			return d.record.recorded(method, d.log, handle)(ctx, req)
		}
		res, err := handler(srv, ctx, read, weigh)
		switch {
		case err == nil:
			// An answer that is there is sent, though its key has just ended: it may be
			// the new secret of that very key.
			return ss.SendMsg(res)
		case visit.over():
			return toStatus(ctx, d.log, access.ErrEnded)
		}
		return err
	}
}

// stream is the interceptor of streams.
func (d *Door) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx := ss.Context()
	defer contain(ctx, d.log, info.FullMethod, &err)
	observe.Announce(ctx)
	visit, err := d.enter(ctx, info.FullMethod)
	if err != nil {
		return d.refuse(ctx, info.FullMethod, err)
	}
	defer visit.leave()
	if info.IsClientStream {
		release, err := visit.hold(maxUnacknowledgedBytes)
		if err != nil {
			return d.refuse(ctx, info.FullMethod, err)
		}
		defer release()
	}
	var viewed grpc.ServerStream = &viewedStream{ss, visit, d, info.FullMethod}
	if d.record.records(info.FullMethod) && !info.IsClientStream {
		recorded := &recordedStream{ServerStream: viewed, record: d.record, method: info.FullMethod, log: d.log}
		viewed = recorded
		defer func() { err = recorded.end(err) }()
	}
	err = handle(srv, viewed)
	if visit.over() {
		return toStatus(ctx, d.log, access.ErrEnded)
	}
	return err
}

// refuse returns the status of a call that is not let in, and counts it.
func (d *Door) refuse(ctx context.Context, method string, err error) error {
	told := toStatus(ctx, d.log, err)
	d.record.refused(ctx, method, err, told)
	return told
}

// visit is a call that was let in.
type visit struct {
	ctx     context.Context
	session *access.Session // nil without a key
	ended   context.Context // ends when the call may not go on
	leave   func()
}

// over reports whether the key of the call has ended, or the time without keys.
func (v *visit) over() bool { return v.ended.Err() != nil }

// waitToRead waits for a place to read a request in, until hasRead. What is read is
// not yet known to be small.
func (v *visit) waitToRead(ctx context.Context) error {
	if v.session == nil {
		return nil
	}
	return v.session.WaitToRead(ctx)
}

func (v *visit) hasRead() {
	if v.session != nil {
		v.session.HasRead()
	}
}

// hold counts bytes as under way, until release.
func (v *visit) hold(bytes int) (release func(), err error) {
	if v.session == nil {
		return func() {}, nil
	}
	release, err = v.session.Hold(bytes)
	if err != nil {
		err = &letInError{err, v.session.Viewer.Who()}
	}
	return release, err
}

// valuesPerCall is how many values of one request count as one call.
const valuesPerCall = 100

// weigh counts a request that was read: its values, and its bytes until release.
func (v *visit) weigh(req any) (release func(), err error) {
	if v.session == nil {
		return func() {}, nil
	}
	many, ok := req.(interface {
		GetObservables() []*elsewherev1.Observable
	})
	if ok {
		if err := v.session.Weigh(len(many.GetObservables()) / valuesPerCall); err != nil {
			return nil, &letInError{err, v.session.Viewer.Who()}
		}
	}
	size := 0
	if m, ok := req.(proto.Message); ok {
		size = proto.Size(m)
	}
	return v.hold(size)
}

// errCompressed is returned for messages that were compressed: a few kilobytes of
// them may stand for as much as one message may hold.
var errCompressed = status.Error(codes.Unimplemented, "compressed messages are not taken")

// enter says who calls a method.
func (d *Door) enter(ctx context.Context, method string) (*visit, error) {
	if observe.Compressed(ctx) {
		return nil, errCompressed
	}
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
	if err := s.Begin(); err != nil {
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

// peerAddress is where a call comes from.
func peerAddress(ctx context.Context) netip.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		return access.AddressOf(p.Addr)
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

// await waits for what depends on the other side, until ctx ends. Left behind it
// ends with the stream, which is over when the handler returns.
func await(ctx context.Context, log *slog.Logger, method string, transfer func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer contain(ctx, log, method, &err)
		err = transfer()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// viewedStream is a stream whose context says who asks.
type viewedStream struct {
	grpc.ServerStream
	visit  *visit
	door   *Door
	method string
}

func (s *viewedStream) Context() context.Context { return s.visit.ctx }

// errSlowReader ends a stream that is not read.
var errSlowReader = status.Error(codes.Aborted, "a message waited too long to be read")

// SendMsg ends with the key, and with the patience for a reader.
func (s *viewedStream) SendMsg(m any) error {
	ctx, cancel := context.WithTimeout(s.visit.ended, s.door.patience.SendWithin)
	defer cancel()
	err := await(ctx, s.door.log, s.method, func() error { return s.ServerStream.SendMsg(m) })
	switch {
	case s.visit.over():
		return access.ErrEnded
	case ctx.Err() != nil && err != nil:
		return errSlowReader
	}
	return err
}

// RecvMsg ends with the key, whatever the stream is waiting for.
func (s *viewedStream) RecvMsg(m any) error {
	if session := s.visit.session; session != nil {
		if err := session.Wait(s.visit.ctx); err != nil {
			return err
		}
	}
	err := await(s.visit.ended, s.door.log, s.method, func() error { return s.ServerStream.RecvMsg(m) })
	if s.visit.over() {
		return access.ErrEnded
	}
	return err
}
