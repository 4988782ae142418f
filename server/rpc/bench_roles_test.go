package rpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// bearer sends a key with every call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// BenchmarkSeenByRole asks in turn a service without keys and one of the same
// content with a key of each kind, and reports how many times as long that takes.
func BenchmarkSeenByRole(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	values := pool(4_096)
	all := cases(600, values, random)
	open, guarded := serve(b), serve(b)
	for _, c := range all {
		open.submit(b, c)
		guarded.submit(b, c)
	}
	open.settle(b)
	guarded.settle(b)
	make := func(admin elsewherev1.AdminServiceClient, key *elsewherev1.Key) elsewherev1.CorrelationServiceClient {
		made, err := admin.CreateKey(b.Context(), elsewherev1.CreateKeyRequest_builder{Key: key}.Build())
		if err != nil {
			b.Fatal(err)
		}
		_, c := guarded.with(b, made.GetSecret())
		return c
	}
	made, err := elsewherev1.NewAdminServiceClient(guarded.conn).CreateKey(b.Context(), elsewherev1.CreateKeyRequest_builder{
		Key: elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_ADMIN}.Build(),
	}.Build())
	if err != nil {
		b.Fatal(err)
	}
	admin, _ := guarded.with(b, made.GetSecret())
	var list []string
	for i := range 20 {
		list = append(list, fmt.Sprintf("tenant-%d", i))
	}
	for _, who := range []struct {
		name string
		key  elsewherev1.Key_builder
	}{
		{"analyst of all", elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_ANALYST, AllTenants: true}},
		{"analyst of 20", elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_ANALYST, Tenants: list}},
		{"tenant", elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_TENANT, Tenants: list[:1], CallsPerSecond: 1e6, Burst: 1e6}},
	} {
		keyed := make(admin, who.key.Build())
		for _, n := range []int{1, 1_000} {
			b.Run(fmt.Sprintf("%s/%d", who.name, n), func(b *testing.B) {
				var asked []*elsewherev1.Observable
				for _, i := range random.Perm(len(values))[:n] {
					asked = append(asked, values[i])
				}
				req := elsewherev1.SeenRequest_builder{Observables: asked}.Build()
				var took [2]time.Duration
				for b.Loop() {
					for i, c := range []elsewherev1.CorrelationServiceClient{open, keyed} {
						began := time.Now()
						if _, err := c.Seen(b.Context(), req); err != nil {
							b.Fatal(err)
						}
						took[i] += time.Since(began)
					}
				}
				b.ReportMetric(float64(took[1])/float64(took[0]), "x-open")
			})
		}
	}
}

// with connects with a key.
func (s *service) with(tb testing.TB, key string) (elsewherev1.AdminServiceClient, elsewherev1.CorrelationServiceClient) {
	tb.Helper()
	conn, err := grpc.NewClient(s.conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(key)), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return elsewherev1.NewAdminServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn)
}
