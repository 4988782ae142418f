package rpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// service is a server under test and a connection to it.
type service struct {
	elsewherev1.CaseServiceClient
	elsewherev1.CorrelationServiceClient
	elsewherev1.EnrichmentServiceClient
	health grpc_health_v1.HealthClient
	conn   *grpc.ClientConn
}

// serve keeps a service in memory until the test ends.
func serve(tb testing.TB) *service {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return &service{
		elsewherev1.NewCaseServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn),
		elsewherev1.NewEnrichmentServiceClient(conn), grpc_health_v1.NewHealthClient(conn), conn,
	}
}

func (s *service) submit(tb testing.TB, c *elsewherev1.Case) {
	tb.Helper()
	if _, err := s.SubmitCase(tb.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
		tb.Fatal(err)
	}
}

// settle waits, within bounds, until no linker disturbs a measurement.
func (s *service) settle(tb testing.TB) {
	tb.Helper()
	for range 30 {
		began := time.Now()
		if _, err := s.ListLinks(tb.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("nobody")}.Build()); err != nil {
			tb.Fatal(err)
		}
		if time.Since(began) < time.Second {
			return
		}
	}
}

// pool are values of the usual kinds: the first are in most cases, as providers'
// are, the last in one or none.
func pool(n int) []*elsewherev1.Observable {
	values := make([]*elsewherev1.Observable, n)
	for i := range values {
		var kind, value string
		switch i % 8 {
		case 0, 1:
			kind, value = "ip", fmt.Sprintf("70.%d.%d.%d", i>>16, i>>8&255, i&255)
		case 2:
			kind, value = "domain", fmt.Sprintf("drop%d.example", i)
		case 3:
			kind, value = "hostname", fmt.Sprintf("mail.relay%d.example", i)
		case 4:
			kind, value = "email", fmt.Sprintf("billing%d@vendor.example", i)
		case 5:
			kind, value = "url", fmt.Sprintf("https://login%d.example/o/%x?id=1", i, i)
		case 6:
			kind, value = "rule_name", fmt.Sprintf("Invoices %d", i)
		case 7:
			kind, value = "user_agent", fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/%d.36", i)
		}
		values[i] = elsewherev1.Observable_builder{Kind: kind, Value: value}.Build()
	}
	return values
}

// cases makes up cases of 20 observables.
func cases(n int, values []*elsewherev1.Observable, random *rand.Rand) []*elsewherev1.Case {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	draw := rand.NewZipf(random, 1.1, 8, uint64(len(values)-1))
	out := make([]*elsewherev1.Case, n)
	for i := range out {
		at := timestamppb.New(day.Add(time.Duration(i) * time.Minute))
		findings := make([]*elsewherev1.Finding, 4)
		for j := range findings {
			observables := make([]*elsewherev1.Observable, 5)
			for k := range observables {
				o := proto.CloneOf(values[draw.Uint64()])
				o.SetRoles([]string{"login_source"})
				o.SetFirstSeen(at)
				o.SetLastSeen(at)
				observables[k] = o
			}
			findings[j] = elsewherev1.Finding_builder{
				Id: fmt.Sprint(j), Technique: "T1114.003", Operation: "New-InboxRule", FirstSeen: at, LastSeen: at,
				Observables: observables,
			}.Build()
		}
		out[i] = elsewherev1.Case_builder{
			Tenant: fmt.Sprintf("tenant-%d", i%97), Id: fmt.Sprintf("INC-%d", i), Kind: "bec", Title: "Mailbox compromise",
			OpenedAt: at, Source: "benchmark", Findings: findings,
		}.Build()
	}
	return out
}

// BenchmarkSeen asks a service in memory, which links nothing meanwhile, over
// loopback.
func BenchmarkSeen(b *testing.B) {
	s := serve(b)
	random := rand.New(rand.NewPCG(1, 2))
	values := pool(4_096)
	for _, c := range cases(600, values, random) {
		s.submit(b, c)
	}
	s.settle(b)
	draw := rand.NewZipf(random, 1.1, 8, uint64(len(values)-1))
	request := func(n int) *elsewherev1.SeenRequest {
		var asked []*elsewherev1.Observable
		for range n {
			asked = append(asked, values[draw.Uint64()])
		}
		return elsewherev1.SeenRequest_builder{Observables: asked}.Build()
	}
	b.Run("ping", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.health.Check(b.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{1, 1_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			req := request(n)
			res, err := s.Seen(b.Context(), req)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Seen(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(proto.Size(res))/float64(n), "bytes/value")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
		})
	}
}
