package server

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// Limits bound what those may take who connect, with or without a key. Zero fields
// have their defaults.
type Limits struct {
	// Connections is how many there are at a time; 0: DefaultConnections.
	Connections int
	// ConnectionsPerAddress is how many of them one address has, of IPv6 the network
	// of a site (/64); 0: DefaultConnectionsPerAddress.
	ConnectionsPerAddress int
	// HandshakeWithin is how long a connection may take until it speaks HTTP/2;
	// 0: 10 s.
	HandshakeWithin time.Duration
	rpc.Patience
}

// Connections at a time. One that is idle holds about 100 KB.
const (
	DefaultConnections           = 2_048
	DefaultConnectionsPerAddress = 512
)

// Bounds of a gRPC connection.
const (
	handshakeWithin = 10 * time.Second
	// maxStreams are the calls under way on one connection.
	maxStreams = 256
	// callWorkers are goroutines that answer one call after the other, so that a call
	// finds a stack that is large enough instead of moving to a larger one again and
	// again: a sixth of the processor time of a question. Calls beyond have a goroutine
	// of their own.
	callWorkers = 64
	// maxHeaderBytes is the size of the header of a call. A key takes 76 bytes.
	maxHeaderBytes = 16 << 10
	// A dead peer is noticed within aliveEvery and aliveWithin; one without calls
	// is sent away after idleFor and comes back with its next call.
	aliveEvery  = time.Minute
	aliveWithin = 20 * time.Second
	idleFor     = 15 * time.Minute
	// pingEvery is how often clients may ask whether the service is there.
	pingEvery = 20 * time.Second
)

// options are what the limits are to the gRPC server.
func (l Limits) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MessageBytes),
		grpc.MaxSendMsgSize(MessageBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.NumStreamWorkers(callWorkers),
		grpc.ConnectionTimeout(cmp.Or(l.HandshakeWithin, handshakeWithin)),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleFor, Time: aliveEvery, Timeout: aliveWithin}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery, PermitWithoutStream: true}),
	}
}

// boundedListener closes connections beyond its limits as they come.
type boundedListener struct {
	net.Listener
	all, each int
	log       *slog.Logger
	refused   *prometheus.CounterVec

	mu   sync.Mutex
	open int
	from map[netip.Prefix]int
	said time.Time // when the log was told last
}

// bound puts limits before a listener.
func (l Limits) bound(inner net.Listener, log *slog.Logger) *boundedListener {
	return &boundedListener{
		Listener: inner, log: log, from: make(map[netip.Prefix]int),
		all:  cmp.Or(l.Connections, DefaultConnections),
		each: cmp.Or(l.ConnectionsPerAddress, DefaultConnectionsPerAddress),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "elsewhere_connections_refused_total",
			Help: "Connections that were closed at once, by the limit they came beyond (all, address).",
		}, []string{"limit"}),
	}
}

// sayEvery keeps a flood of connections out of the log.
const sayEvery = time.Minute

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := access.Source(access.AddressOf(conn.RemoteAddr()))
		beyond := l.enter(from)
		if beyond == "" {
			return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.refused.WithLabelValues(beyond).Inc()
		conn.Close()
		l.complain(beyond)
	}
}

// enter counts a connection, or returns the limit it is beyond.
func (l *boundedListener) enter(from netip.Prefix) (beyond string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.open >= l.all:
		return "all"
	case l.from[from] >= l.each:
		return "address"
	}
	l.open++
	l.from[from]++
	return ""
}

func (l *boundedListener) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

func (l *boundedListener) complain(limit string) {
	l.mu.Lock()
	now := time.Now()
	quiet := now.Sub(l.said) < sayEvery
	if !quiet {
		l.said = now
	}
	l.mu.Unlock()
	if !quiet {
		l.log.WarnContext(context.Background(), "connections are refused: there are too many", "limit", limit)
	}
}

// boundedConn is counted until it is closed.
type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite lets the other end read what was sent before the end: net/http asks
// for it where it closes on somebody who still writes.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
