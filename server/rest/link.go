package rest

import (
	"context"
	"net"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/bufconn"
)

const (
	// linkBytes is what may lie in the link in one direction.
	linkBytes = 1 << 20
	// windowBytes is what may be under way of one call before its reader takes it. The
	// window that gRPC begins with has large answers wait for the reader many times.
	windowBytes = 4 << 20
)

// peerKey is the metadata in which the link tells where a request comes from. Only
// the server of a link reads it, and only rest writes it.
const peerKey = "elsewhere-peer"

// Link connects REST with a gRPC server of the same process that nothing else
// reaches.
type Link struct {
	listener *bufconn.Listener
	conn     *grpc.ClientConn
}

// NewLink returns a link whose messages have at most so many bytes.
func NewLink(messageBytes int) (*Link, error) {
	listener := bufconn.Listen(linkBytes)
	conn, err := grpc.NewClient("passthrough:///elsewhere", append(asked(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		// Nothing leaves the process.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytes), grpc.MaxCallSendMsgSize(messageBytes)),
	)...)
	if err != nil {
		return nil, err
	}
	return &Link{listener, conn}, nil
}

// Listener is what the server of the link serves.
func (l *Link) Listener() net.Listener { return l.listener }

// Close ends the link.
func (l *Link) Close() error {
	err := l.conn.Close()
	if other := l.listener.Close(); err == nil {
		err = other
	}
	return err
}

// ServerOptions are those of the server of a link. They make calls come from where
// their requests come from, as a call arrives: what lets calls in looks at them before
// interceptors do.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes),
		grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) { return fromPeer(ctx), nil }),
	}
}

// fromPeer puts the address of the request in the place of the link's. The metadata
// is taken out: it is none of the caller's.
func fromPeer(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	told := md.Get(peerKey)
	md = md.Copy()
	delete(md, peerKey)
	ctx = metadata.NewIncomingContext(ctx, md)
	if len(told) != 1 {
		return ctx
	}
	at, err := netip.ParseAddrPort(told[0])
	if err != nil {
		return ctx
	}
	return peer.NewContext(ctx, &peer.Peer{Addr: net.TCPAddrFromAddrPort(at)})
}
