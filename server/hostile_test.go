package server_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// soon are limits that a test need not wait long for.
func soon() server.Limits {
	return server.Limits{
		HandshakeWithin: 300 * time.Millisecond,
		Patience:        rpc.Patience{CallWithin: 2 * time.Second, SendWithin: 500 * time.Millisecond},
	}
}

// cutOff reports whether the other end closes a connection, before it would make a
// test wait for ever.
func cutOff(conn net.Conn) bool {
	if conn.SetReadDeadline(time.Now().Add(time.Minute)) != nil {
		return false
	}
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestSlowConnectionsAreCut lets clients begin and not go on.
func TestSlowConnectionsAreCut(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "tls", 1)
	plain := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Limits: soon()})
	secured := guard(t, server.Config{Memory: true, Limits: soon(), Access: server.Access{TLS: server.TLS{
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
	}}})
	hello := clientHello(t)
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for _, c := range []struct{ name, addr, text string }{
		{"gRPC, nothing", plain.addr, ""},
		{"gRPC, half a preface", plain.addr, preface[:12]},
		{"gRPC, a preface without settings", plain.addr, preface},
		{"gRPC, another protocol", plain.addr, "GET / HTTP/1.1\r\n\r\n"},
		{"TLS, nothing", secured.addr, ""},
		{"TLS, half a hello", secured.addr, hello[:len(hello)/2]},
		{"TLS, a hello and no more", secured.addr, hello},
		{"TLS, without TLS", secured.addr, preface},
		{"HTTP, nothing", plain.http, ""},
		{"HTTP, half a header", plain.http, "GET /metrics HTTP/1.1\r\nHost: local"},
		{"HTTP, a body that does not come", plain.http, "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := connect(t, c.addr)
			if _, err := conn.Write([]byte(c.text)); err != nil {
				t.Fatal(err)
			}
			if !cutOff(conn) {
				t.Error("the connection is kept")
			}
		})
	}
}

// clientHello is what a TLS client says first.
func clientHello(t *testing.T) string {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		// It ends with the pipe.
		_ = tls.Client(ours, &tls.Config{ServerName: "example.org"}).HandshakeContext(t.Context())
	}()
	defer ours.Close()
	said := make([]byte, 4096)
	n, err := theirs.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	return string(said[:n])
}

// TestFloodOfConnections opens more connections than there may be.
func TestFloodOfConnections(t *testing.T) {
	const all, each = 7, 4
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Limits: server.Limits{Connections: all, ConnectionsPerAddress: each}})
	good := g.key(t, analyst)
	want(t, "before", good.ask(t, t.Context()), codes.OK)
	// The connections of the admin and of the analyst are two of this address.
	flood := func(from string, wanted int) (open []net.Conn) {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		for range 20 {
			conn, err := dialer.DialContext(t.Context(), "tcp", g.addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			// A connection that is taken is told the settings at once.
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if n, _ := conn.Read(make([]byte, 1)); n == 1 {
				open = append(open, conn)
			}
		}
		if len(open) != wanted {
			t.Errorf("from %s %d connections of 20 are open, want %d", from, len(open), wanted)
		}
		return open
	}
	first := flood("127.0.0.1", each-2)
	flood("127.0.0.2", all-each)
	want(t, "meanwhile", good.ask(t, t.Context()), codes.OK)
	for _, conn := range first {
		conn.Close()
	}
	// Those that are gone make room.
	for deadline := time.Now().Add(time.Minute); ; {
		if g.key(t, analyst).ask(t, t.Context()) == codes.OK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no room after connections were closed")
		}
	}
	metrics := g.scrape(t)
	for _, limit := range []string{"all", "address"} {
		if !strings.Contains(metrics, fmt.Sprintf(`elsewhere_connections_refused_total{limit=%q} `, limit)) {
			t.Errorf("what was refused for the limit %s is not counted", limit)
		}
	}
}

const seenMethod = "/elsewhere.v1.CorrelationService/Seen"

// TestRequestsThatDoNotEnd opens calls and sends nothing, or no end.
func TestRequestsThatDoNotEnd(t *testing.T) {
	g := guard(t, server.Config{Memory: true, Limits: soon()})
	one, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, Concurrent: 1}.Build())
	for name, send := range map[string]func(grpc.ClientStream) error{
		"nothing": func(grpc.ClientStream) error { return nil },
		"no end":  func(s grpc.ClientStream) error { return s.SendMsg(&elsewherev1.SeenRequest{}) },
	} {
		s, err := one.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, seenMethod)
		if err != nil {
			t.Fatal(err)
		}
		if err := send(s); err != nil {
			t.Fatal(err)
		}
		want(t, name, status.Code(s.RecvMsg(&elsewherev1.SeenResponse{})), codes.DeadlineExceeded)
		// It gave back its place.
		want(t, "after "+name, one.ask(t, t.Context()), codes.OK)
	}
	// Who may not ask is told before anything is read.
	s, err := with(t, g.addr, "").conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, seenMethod)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "without a key", status.Code(s.RecvMsg(&elsewherev1.SeenResponse{})), codes.Unauthenticated)
}

// TestNothingIsReadOfStrangers sends large requests without a key and for methods
// of other roles, and looks at what the service has received.
func TestNothingIsReadOfStrangers(t *testing.T) {
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	large := newCase("a", "1")
	large.SetTitle(strings.Repeat("x", 8<<20))
	req := elsewherev1.SubmitCaseRequest_builder{Case: large}.Build()
	for range 5 {
		_, err := with(t, g.addr, "").SubmitCase(t.Context(), req)
		want(t, "without a key", status.Code(err), codes.Unauthenticated)
		_, err = g.admin.SubmitCase(t.Context(), req)
		want(t, "with an admin's", status.Code(err), codes.PermissionDenied)
	}
	metrics := g.scrape(t)
	const nothing = `elsewhere_grpc_message_bytes_total{direction="received",method="/elsewhere.v1.CaseService/SubmitCase"} 0`
	if !strings.Contains(metrics, nothing) {
		t.Error("something of the requests was read")
	}
}

// TestCompressedMessages sends what is small until it is unpacked.
func TestCompressedMessages(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "a")
	all := g.key(t, lead)
	bomb := newCase("a", "1")
	bomb.SetTitle(strings.Repeat("x", 31<<20))
	submit := elsewherev1.SubmitCaseRequest_builder{Case: bomb}.Build()
	_, err := all.SubmitCase(t.Context(), submit, grpc.UseCompressor(gzip.Name))
	want(t, "a bomb", status.Code(err), codes.Unimplemented)
	stream, err := all.SubmitCases(t.Context(), grpc.UseCompressor(gzip.Name))
	if err != nil {
		t.Fatal(err)
	}
	// The stream may be over before it is sent.
	_ = stream.Send(elsewherev1.SubmitCasesRequest_builder{Submit: submit}.Build())
	_, err = stream.Recv()
	want(t, "a bomb on a stream", status.Code(err), codes.Unimplemented)
	_, err = grpc_health_v1.NewHealthClient(with(t, g.addr, "").conn).Check(t.Context(),
		&grpc_health_v1.HealthCheckRequest{Service: strings.Repeat("x", 31<<20)}, grpc.UseCompressor(gzip.Name))
	want(t, "a bomb for the health", status.Code(err), codes.Unimplemented)
}

// TestHeadersAreBounded sends a header that is larger than any call needs.
func TestHeadersAreBounded(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-filler", strings.Repeat("x", 64<<10))
	if got := g.key(t, analyst).ask(t, ctx); got == codes.OK {
		t.Error("64 KiB of header are taken")
	}
}

// scrape returns the metrics.
func (g *guarded) scrape(t *testing.T) string {
	t.Helper()
	res, err := http.Get("http://" + g.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(metrics)
}

// TestReaderThatDoesNotRead submits cases and does not read the acknowledgements:
// the service lets go of the stream, also when the key has ended.
func TestReaderThatDoesNotRead(t *testing.T) {
	const inFlight = `elsewhere_grpc_requests_in_flight{method="/elsewhere.v1.CaseService/SubmitCases"} `
	for _, revoked := range []bool{false, true} {
		c := server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"}
		if !revoked {
			c.Limits = soon()
		}
		g := guard(t, c)
		g.tenants(t, "a")
		one := g.key(t, submitter, "a")
		stream, err := one.SubmitCases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Each is answered with a hundred violations.
		bad := newCase("a", "1")
		for range 100 {
			bad.GetFindings()[0].SetObservables(append(bad.GetFindings()[0].GetObservables(), obs("ip", strings.Repeat("x", 200))))
		}
		go func() {
			for i := uint64(0); ; i++ {
				if stream.Send(elsewherev1.SubmitCasesRequest_builder{Index: i, Submit: elsewherev1.SubmitCaseRequest_builder{Case: bad}.Build()}.Build()) != nil {
					return
				}
			}
		}()
		metrics := g.scrape(t)
		await := func(what string) {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); !strings.Contains(metrics, what); metrics = g.scrape(t) {
				if time.Now().After(deadline) {
					t.Fatalf("no %s", what)
				}
			}
		}
		await(inFlight + "1")
		if revoked {
			if _, err := g.admin.RevokeKey(t.Context(), elsewherev1.RevokeKeyRequest_builder{Key: one.key.GetId()}.Build()); err != nil {
				t.Fatal(err)
			}
		}
		await(inFlight + "0")
		for err == nil {
			_, err = stream.Recv()
		}
		wanted := codes.Aborted
		if revoked {
			wanted = codes.Unauthenticated
		}
		want(t, fmt.Sprint("revoked ", revoked), status.Code(err), wanted)
	}
}
