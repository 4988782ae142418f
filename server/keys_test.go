package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// guarded is a deployment with an admin's key.
type guarded struct {
	addr, http string
	admin      caller
	stop       func() error
}

// caller is somebody with a key.
type caller struct {
	elsewherev1.CaseServiceClient
	elsewherev1.CorrelationServiceClient
	elsewherev1.EnrichmentServiceClient
	elsewherev1.AdminServiceClient
	elsewherev1.ExportServiceClient
	key  *elsewherev1.Key
	conn *grpc.ClientConn
}

// bearer sends a key in the clear, over loopback.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

func with(t testing.TB, addr, key string) caller {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(key)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return caller{
		elsewherev1.NewCaseServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn),
		elsewherev1.NewEnrichmentServiceClient(conn), elsewherev1.NewAdminServiceClient(conn),
		elsewherev1.NewExportServiceClient(conn), nil, conn,
	}
}

// guard serves c with an admin's key on a free port until the test ends.
func guard(t testing.TB, c server.Config) *guarded {
	t.Helper()
	c = patient(c)
	c.Init = true
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	g := &guarded{addr: s.Addr(), http: s.HTTPAddr()}
	g.stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	})
	if key, ok := s.FirstKey(); ok {
		g.admin = with(t, g.addr, key.Reveal())
		if fmt.Sprintf("%v %+v %#v %s", key, key, key, struct{ K any }{key}) != "REDACTED REDACTED REDACTED {REDACTED}" {
			t.Error("a key prints itself")
		}
	}
	return g
}

func (g *guarded) tenants(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		g.tenant(t, elsewherev1.Tenant_builder{Id: id}.Build())
	}
}

func (g *guarded) tenant(t testing.TB, tenant *elsewherev1.Tenant) {
	t.Helper()
	if _, err := g.admin.CreateTenant(t.Context(), elsewherev1.CreateTenantRequest_builder{Tenant: tenant}.Build()); err != nil {
		t.Fatal(err)
	}
}

// key makes a key and returns who has it.
func (g *guarded) key(t testing.TB, role elsewherev1.Role, tenants ...string) caller {
	t.Helper()
	b := elsewherev1.Key_builder{Role: role, Tenants: tenants}
	b.AllTenants = len(tenants) == 0 && role != elsewherev1.Role_ROLE_ADMIN
	c, _ := g.make(t, b.Build())
	return c
}

func (g *guarded) make(t testing.TB, key *elsewherev1.Key) (caller, string) {
	t.Helper()
	made, err := g.admin.CreateKey(t.Context(), elsewherev1.CreateKeyRequest_builder{Key: key}.Build())
	if err != nil {
		t.Fatal(err)
	}
	c := with(t, g.addr, made.GetSecret())
	c.key = made.GetKey()
	return c, made.GetSecret()
}

func (c caller) ask(t testing.TB, ctx context.Context) codes.Code {
	t.Helper()
	_, err := c.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("ip", "70.0.0.1")}}.Build())
	return status.Code(err)
}

func want(t testing.TB, what string, got, want codes.Code) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Roles by short names.
const (
	submitter = elsewherev1.Role_ROLE_SUBMITTER
	tenantKey = elsewherev1.Role_ROLE_TENANT
	analyst   = elsewherev1.Role_ROLE_ANALYST
	lead      = elsewherev1.Role_ROLE_LEAD
	admin     = elsewherev1.Role_ROLE_ADMIN
)

func TestKeysAreNeededOnceThereIsOne(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	d.submit(t, newCase("a", "1", obs("ip", "70.0.0.1")))
	open := elsewherev1.NewAdminServiceClient(d.conn)
	create := func(role elsewherev1.Role) (*elsewherev1.CreateKeyResponse, error) {
		return open.CreateKey(t.Context(), elsewherev1.CreateKeyRequest_builder{Key: elsewherev1.Key_builder{Role: role, AllTenants: role != admin}.Build()}.Build())
	}
	_, err := create(analyst)
	want(t, "a first key that is no admin's", status.Code(err), codes.FailedPrecondition)
	before, err := d.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Send(elsewherev1.SubmitCasesRequest_builder{Submit: elsewherev1.SubmitCaseRequest_builder{Case: newCase("a", "2")}.Build()}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, err := before.Recv(); err != nil {
		t.Fatal(err)
	}
	made, err := create(admin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = before.Recv()
	want(t, "a stream from before", status.Code(err), codes.Unauthenticated)
	_, err = d.Seen(t.Context(), &elsewherev1.SeenRequest{})
	want(t, "without a key", status.Code(err), codes.Unauthenticated)
	stream, err := d.SubmitCases(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	want(t, "a stream without a key", status.Code(err), codes.Unauthenticated)
	health, err := grpc_health_v1.NewHealthClient(d.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health without a key: %v, %v", health, err)
	}
	reflect := func(c *grpc.ClientConn) codes.Code {
		s, err := grpc_reflection_v1.NewServerReflectionClient(c).ServerReflectionInfo(t.Context())
		if err == nil {
			err = s.CloseSend()
		}
		if err == nil {
			_, err = s.Recv()
		}
		return status.Code(err)
	}
	want(t, "reflection without a key", reflect(d.conn), codes.Unauthenticated)
	a := with(t, d.conn.Target(), made.GetSecret())
	if got := reflect(a.conn); got == codes.Unauthenticated || got == codes.PermissionDenied {
		t.Errorf("reflection with a key: %v", got)
	}
	want(t, "an unknown method with a key", status.Code(a.conn.Invoke(t.Context(), "/elsewhere.v1.CaseService/Nothing", &elsewherev1.SeenRequest{}, &elsewherev1.SeenResponse{})), codes.Unimplemented)
	// What open mode made has a record.
	got, err := a.GetTenant(t.Context(), elsewherev1.GetTenantRequest_builder{Tenant: "a"}.Build())
	if err != nil || got.GetTenant().GetType() != elsewherev1.TenantType_TENANT_TYPE_CUSTOMER || got.GetTenant().GetTrust() != 1 {
		t.Errorf("the tenant that a case made: %v, %v", got, err)
	}
}

func TestKeysOutsideTheHeader(t *testing.T) {
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	c, secret := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true}.Build())
	nobody := with(t, g.addr, "")
	for name, ctx := range map[string]context.Context{
		"another header":  metadata.AppendToOutgoingContext(t.Context(), "x-api-key", secret),
		"within a text":   metadata.AppendToOutgoingContext(t.Context(), "referer", "https://example.org/?key="+secret+"&x"),
		"twice":           metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret, "authorization", "Bearer "+secret),
		"another scheme":  metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic "+secret),
		"without scheme":  metadata.AppendToOutgoingContext(t.Context(), "authorization", secret),
		"more behind it":  metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret+"x"),
		"without secret":  metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret[:17]),
		"longer than any": metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+strings.Repeat("els_", 1000)),
	} {
		want(t, name, nobody.ask(t, ctx), codes.Unauthenticated)
	}
	want(t, "with another one in another header", c.ask(t, metadata.AppendToOutgoingContext(t.Context(), "x-api-key", secret)), codes.Unauthenticated)
	want(t, "in its place", c.ask(t, t.Context()), codes.OK)
	res, err := http.Get("http://" + g.http + "/metrics?key=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a key in a URL: %s", res.Status)
	}
	if _, err := client.Dial("els_" + secret[4:] + "@" + g.addr); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a client takes an address with a key: %v", err)
	}
}

func TestRevocationEndsStreams(t *testing.T) {
	g := guard(t, server.Config{DataDir: t.TempDir()})
	g.tenants(t, "a")
	name := func(c caller) *string { return new(c.key.GetPrefix()) }
	for what, end := range map[string]func(c caller) error{
		"revoked": func(c caller) error {
			_, err := g.admin.RevokeKey(t.Context(), elsewherev1.RevokeKeyRequest_builder{Key: *name(c)}.Build())
			return err
		},
		"rotated": func(c caller) error {
			_, err := g.admin.RotateKey(t.Context(), elsewherev1.RotateKeyRequest_builder{Key: *name(c)}.Build())
			return err
		},
		"rotated with a short overlap": func(c caller) error {
			_, err := g.admin.RotateKey(t.Context(), elsewherev1.RotateKeyRequest_builder{Key: *name(c), Overlap: durationpb.New(time.Millisecond)}.Build())
			return err
		},
	} {
		for try := 1; ; try++ {
			c, _ := g.make(t, elsewherev1.Key_builder{Role: submitter, Tenants: []string{"a"}}.Build())
			stream, err := c.answered(t)
			if err != nil {
				t.Fatal(err)
			}
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			took := c.endsWithItsKey(t, what, stream)
			if took <= time.Second {
				break
			}
			// A busy machine may be late now and then.
			if try == 10 {
				t.Fatalf("%s: a waiting stream ends after %v", what, took)
			}
		}
	}
	// A busy machine may not get as far as to an open stream in time.
	for in := 3 * time.Second; ; in *= 2 {
		soon := time.Now().Add(in)
		c, _ := g.make(t, elsewherev1.Key_builder{Role: submitter, Tenants: []string{"a"}, ExpireTime: timestamppb.New(soon)}.Build())
		stream, err := c.answered(t)
		if err != nil && time.Now().After(soon) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c.endsWithItsKey(t, "expired", stream)
		return
	}
}

type submitStream = grpc.BidiStreamingClient[elsewherev1.SubmitCasesRequest, elsewherev1.SubmitCasesResponse]

// answered opens a stream on which one case was submitted.
func (c caller) answered(t *testing.T) (submitStream, error) {
	t.Helper()
	stream, err := c.SubmitCases(t.Context())
	if err != nil {
		return nil, err
	}
	send := elsewherev1.SubmitCasesRequest_builder{Submit: elsewherev1.SubmitCaseRequest_builder{Case: newCase("a", "1")}.Build()}.Build()
	// What ends a stream is told by Recv.
	_ = stream.Send(send)
	ack, err := stream.Recv()
	if err == nil && ack.GetStatus().GetCode() != 0 {
		t.Fatal(ack)
	}
	return stream, err
}

// endsWithItsKey expects that a waiting stream ends, and that no other begins. It returns
// after how long.
func (c caller) endsWithItsKey(t *testing.T, what string, stream submitStream) time.Duration {
	t.Helper()
	began := time.Now()
	_, err := stream.Recv()
	took := time.Since(began)
	want(t, what+": a waiting stream", status.Code(err), codes.Unauthenticated)
	_, err = c.ListCases(t.Context(), &elsewherev1.ListCasesRequest{})
	want(t, what+": a new call", status.Code(err), codes.Unauthenticated)
	return took
}

func TestRotationOverlaps(t *testing.T) {
	dir := t.TempDir()
	g := guard(t, server.Config{DataDir: dir})
	old, secret := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, Name: "Kim"}.Build())
	made, err := g.admin.RotateKey(t.Context(), elsewherev1.RotateKeyRequest_builder{Key: old.key.GetId(), Overlap: durationpb.New(time.Hour)}.Build())
	if err != nil {
		t.Fatal(err)
	}
	fresh := with(t, g.addr, made.GetSecret())
	want(t, "the old secret", old.ask(t, t.Context()), codes.OK)
	want(t, "the new secret", fresh.ask(t, t.Context()), codes.OK)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	// Nothing of a secret is in the folder.
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, s := range []string{secret, made.GetSecret()} {
			if strings.Contains(string(raw), s[17:]) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	again := guard(t, server.Config{DataDir: dir})
	want(t, "the old secret after a restart", with(t, again.addr, secret).ask(t, t.Context()), codes.OK)
	c := with(t, again.addr, made.GetSecret())
	want(t, "the new secret after a restart", c.ask(t, t.Context()), codes.OK)
}

func TestKeysAreForAddresses(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	here, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, Addresses: []string{"127.0.0.0/8", "::1"}}.Build())
	want(t, "from an address of the list", here.ask(t, t.Context()), codes.OK)
	there, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, Addresses: []string{"192.0.2.0/24"}}.Build())
	want(t, "from another", there.ask(t, t.Context()), codes.Unauthenticated)
}

func TestKeysHaveLimits(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	c, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, CallsPerSecond: 0.01, Burst: 3}.Build())
	for range 3 {
		want(t, "within the burst", c.ask(t, t.Context()), codes.OK)
	}
	_, err := c.Seen(t.Context(), &elsewherev1.SeenRequest{})
	want(t, "beyond it", status.Code(err), codes.ResourceExhausted)
	if retry(err) < time.Second {
		t.Errorf("no time to come back: %v", err)
	}
	// Many values at once are many calls.
	many, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, CallsPerSecond: 0.01, Burst: 10}.Build())
	asked := make([]*elsewherev1.Observable, 950)
	for i := range asked {
		asked[i] = obs("ip", fmt.Sprintf("70.0.%d.%d", i>>8, i&255))
	}
	_, err = many.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: asked}.Build())
	want(t, "950 values", status.Code(err), codes.OK)
	want(t, "one more", many.ask(t, t.Context()), codes.ResourceExhausted)
	// At a time.
	g.tenants(t, "a")
	one, _ := g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true, Concurrent: 1}.Build())
	stream, err := one.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(elsewherev1.SubmitCasesRequest_builder{Submit: elsewherev1.SubmitCaseRequest_builder{Case: newCase("a", "1")}.Build()}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	want(t, "beside an open stream", one.ask(t, t.Context()), codes.ResourceExhausted)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Fatal("the stream goes on")
	}
	want(t, "after it", one.ask(t, t.Context()), codes.OK)
}

func retry(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			return r.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestGuessersAreSlowed(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	good := g.key(t, analyst)
	want(t, "before", good.ask(t, t.Context()), codes.OK)
	var wrong, slowed, other atomic.Int32
	var all sync.WaitGroup
	began := time.Now()
	for i := range 100 {
		all.Go(func() {
			c := with(t, g.addr, fmt.Sprintf("els_aaaaaaaaaaaa_%052d", 0)[:17]+strings.Repeat(string(rune('a'+i%26)), 52))
			for range 10 {
				_, err := c.ListFeeds(t.Context(), &elsewherev1.ListFeedsRequest{})
				switch {
				case status.Code(err) == codes.Unauthenticated:
					wrong.Add(1)
				case status.Code(err) == codes.ResourceExhausted && retry(err) > 0:
					slowed.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	all.Wait()
	// One more is tried every five seconds.
	most := 40 + int32(time.Since(began)/(5*time.Second))
	if wrong.Load() > most || slowed.Load() < 1_000-most || other.Load() > 0 {
		t.Errorf("of 1,000 guesses %d were tried, %d slowed, %d something else", wrong.Load(), slowed.Load(), other.Load())
	}
	// Who was here before with a good key is not locked out by his neighbours.
	want(t, "meanwhile", good.ask(t, t.Context()), codes.OK)
}

// writeCertificate writes NAME.crt and NAME.key for this machine, signed by itself.
func writeCertificate(t *testing.T, dir, name string, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: cert}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	issuers := writeCertificate(t, dir, "tls", 1)
	writeCertificate(t, dir, "client", 2)
	files := server.TLS{
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
		ClientCAFile: filepath.Join(dir, "client.crt"), Every: 10 * time.Millisecond,
	}
	g := guard(t, server.Config{Memory: true, Access: server.Access{TLS: files}})
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	// serial returns that of the certificate in use.
	serial := func(c *tls.Config) (int64, error) {
		conn, err := tls.Dial("tcp", g.addr, c)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		// A server that asks for a certificate refuses after the handshake.
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return 0, err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return 0, err
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	full := &tls.Config{RootCAs: issuers, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}}
	if n, err := serial(full); n != 1 || err != nil {
		t.Fatalf("the certificate is %d: %v", n, err)
	}
	older := full.Clone()
	older.MaxVersion = tls.VersionTLS12
	if _, err := serial(older); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	if _, err := serial(&tls.Config{RootCAs: issuers, NextProtos: []string{"h2"}}); err == nil {
		t.Error("a client without a certificate comes in")
	}
	conn, err := grpc.NewClient(g.addr, grpc.WithTransportCredentials(credentials.NewTLS(full)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	// A broken file changes nothing, a whole one does.
	if err := os.WriteFile(files.CertFile, []byte("-----BEGIN CERTIFICATE-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if n, err := serial(full); n != 1 || err != nil {
			t.Fatalf("with a broken file the certificate is %d: %v", n, err)
		}
	}
	full.RootCAs = writeCertificate(t, dir, "tls", 3)
	for deadline := time.Now().Add(time.Minute); ; {
		n, err := serial(full)
		if n == 3 && err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the changed certificate is not in use: %d, %v", n, err)
		}
	}
}

func TestKeysDoNotLeaveInTheClear(t *testing.T) {
	key, err := client.NewKey("els_" + strings.Repeat("a", 12) + "_" + strings.Repeat("b", 52))
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %q %v", key, key, key, key, struct{ K any }{key}); strings.Contains(s, "bbb") {
		t.Errorf("a key prints as %s", s)
	}
	for addr, local := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true,
		"192.0.2.1:1": false, "example.invalid:1": false, "localhost.example.invalid:1": false,
	} {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan metadata.MD, 1)
		srv := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
			md, _ := metadata.FromIncomingContext(s.Context())
			got <- md
			return status.Error(codes.NotFound, "nothing")
		}))
		go srv.Serve(lis)
		c, err := client.Dial(addr, client.WithKey(key), client.WithDialOptions(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", lis.Addr().String())
		}), grpc.WithNoProxy()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err = c.GetCase(ctx, "a/1")
		cancel()
		select {
		case md := <-got:
			if !local || len(md["authorization"]) != 1 {
				t.Errorf("%s: the server got %v", addr, md)
			}
		default:
			if local {
				t.Errorf("%s: %v", addr, err)
			}
			if strings.Contains(fmt.Sprint(err), "bbb") || errors.Is(err, client.ErrNotFound) {
				t.Errorf("%s: %v", addr, err)
			}
		}
		c.Close()
		srv.Stop()
	}
}
