// Package client talks to an Elsewhere server.
//
// A Client submits cases, asks where values were seen and what they are, reads
// links and their explanations, and shows and changes the model of the score. Answers are the generated messages of package elsewherev1;
// lists and streams are iterators that follow their pages by themselves.
//
// It knows the wire schema and gRPC. It must not know the server's packages or
// weigh anything itself.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	// maxMessage is the server's limit for one message, both ways.
	maxMessage = 32 << 20
	// defaultTimeout bounds a call whose context has no deadline.
	defaultTimeout = 30 * time.Second
	// pageSize is what the iterators ask for; the server's largest page.
	pageSize = 1000
)

// Client is a connection to one server. It is safe for concurrent use. A call
// whose context has no deadline gets one (see WithTimeout), except the stream
// of SubmitAll and that of Export.
type Client struct {
	conn      *grpc.ClientConn
	cases     elsewherev1.CaseServiceClient
	correlate elsewherev1.CorrelationServiceClient
	enrich    elsewherev1.EnrichmentServiceClient
	models    elsewherev1.ModelServiceClient
	exports   elsewherev1.ExportServiceClient
	admin     elsewherev1.AdminServiceClient
	timeout   time.Duration
}

// Option changes how Dial connects.
type Option func(*options)

type options struct {
	timeout time.Duration
	key     Key
	tls     *tls.Config
	dial    []grpc.DialOption
}

// WithKey sends a key with every call. It is never sent in clear text but to this
// machine: elsewhere calls fail with ErrPlaintextKey.
func WithKey(k Key) Option {
	return func(o *options) { o.key = k }
}

// WithTLS secures the connection. A nil configuration trusts the issuers that the
// system does. Versions below 1.3 are never spoken.
func WithTLS(config *tls.Config) Option {
	return func(o *options) {
		if config == nil {
			config = &tls.Config{}
		}
		o.tls = config.Clone()
		o.tls.MinVersion = max(o.tls.MinVersion, tls.VersionTLS13)
	}
}

// WithTimeout sets the deadline of calls whose context has none; 30 seconds if
// not given. Every page of a list is a call.
func WithTimeout(d time.Duration) Option {
	return func(o *options) { o.timeout = d }
}

// WithDialOptions hands options to gRPC. They come after the client's own, so
// that they win; this is how transport credentials are given.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(o *options) { o.dial = append(o.dial, opts...) }
}

// Dial prepares a connection to addr, written host:port, where an IPv6 address
// stands in brackets. It does not wait for the server: the first call does. Without
// WithTLS the connection is in clear text, meant for a server on the loopback
// interface.
func Dial(addr string, opts ...Option) (*Client, error) {
	o := options{timeout: defaultTimeout}
	for _, opt := range opts {
		opt(&o)
	}
	if strings.Contains(addr, keyPrefix) {
		// Not repeated: it may hold a secret.
		return nil, errors.New("a server address holds no key: hand it over by itself")
	}
	transport := insecure.NewCredentials()
	if o.tls != nil {
		transport = credentials.NewTLS(o.tls)
	}
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage),
			grpc.MaxCallSendMsgSize(maxMessage),
		),
		// A long stream notices a dead server, and an idle connection is left
		// alone.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:    time.Minute,
			Timeout: 20 * time.Second,
		}),
	}, o.dial...)
	if !o.key.IsZero() {
		dial = append(dial, grpc.WithPerRPCCredentials(keyCredentials{o.key, isLocal(addr)}))
	}
	conn, err := grpc.NewClient(addr, dial...)
	if err != nil {
		return nil, fmt.Errorf("server address %q: %w", addr, err)
	}
	return &Client{
		conn:      conn,
		cases:     elsewherev1.NewCaseServiceClient(conn),
		correlate: elsewherev1.NewCorrelationServiceClient(conn),
		enrich:    elsewherev1.NewEnrichmentServiceClient(conn),
		models:    elsewherev1.NewModelServiceClient(conn),
		exports:   elsewherev1.NewExportServiceClient(conn),
		admin:     elsewherev1.NewAdminServiceClient(conn),
		timeout:   o.timeout,
	}, nil
}

// Close ends the connection and every call on it.
func (c *Client) Close() error { return c.conn.Close() }

// call runs one RPC with a deadline and a typed error.
func call[Req, Resp any](ctx context.Context, c *Client,
	rpc func(context.Context, Req, ...grpc.CallOption) (Resp, error), req Req,
) (Resp, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	resp, err := rpc(ctx, req)
	return resp, fromStatus(err)
}
