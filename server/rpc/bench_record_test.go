package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// unclassified knows nothing of any value.
type unclassified struct{}

func (unclassified) Class(evidence.Value) link.Class { return link.Class{} }
func (unclassified) Version() string                 { return "none" }

// compose puts a service in a folder together, with an audit trail or without.
func compose(tb testing.TB, recorded bool) *service {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	must := func(err error) {
		if err != nil {
			cancel()
			tb.Fatal(err)
		}
	}
	store, err := badger.Open(ctx, badger.Options{Dir: tb.TempDir()})
	must(err)
	tenants, err := access.OpenTenants(ctx, store.Kept(), log, nil)
	must(err)
	keys, err := access.OpenKeys(ctx, store.Kept(), access.NewRules(tenants, false, false, nil), log, nil)
	must(err)
	secret := bytes.Repeat([]byte{7}, rpc.CorrelationKeyBytes)
	key, err := rpc.NewCorrelationKey(secret)
	must(err)
	sealer, err := access.NewSealer(secret)
	must(err)
	signer, err := audit.NewSigner(secret)
	must(err)
	var trail *audit.Trail
	if recorded {
		trail, err = audit.Open(ctx, store.Trail(), signer, audit.Options{})
		must(err)
	}
	record := rpc.NewRecorder(trail, tenants)
	rules := linker.NewRules(link.Newest(), unclassified{}, graph.Limits{})
	links := linker.New(store, rules, log)
	door := rpc.NewDoor(keys, record, log, rpc.Patience{})
	s := grpc.NewServer(door.Options()...)
	rpc.New(rpc.Dependencies{
		Store: store, Settler: links, Rules: rules, Key: key, Sealer: sealer, Tenants: tenants, Keys: keys,
		Trail: trail, Recorder: record, TenantChanged: func(access.Tenant) {}, Log: log,
	}).Register(door.Registrar(s))
	grpc_health_v1.RegisterHealthServer(door.Registrar(s), health.NewServer())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	must(err)
	var parts sync.WaitGroup
	parts.Go(func() { _ = links.Run(ctx) })
	parts.Go(func() { _ = s.Serve(listener) })
	if recorded {
		parts.Go(func() { trail.Run(ctx) })
	}
	tb.Cleanup(func() {
		s.Stop()
		cancel()
		parts.Wait()
		keys.Close()
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	tb.Cleanup(func() { conn.Close() })
	return &service{
		elsewherev1.NewCaseServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn),
		elsewherev1.NewEnrichmentServiceClient(conn), grpc_health_v1.NewHealthClient(conn), conn,
	}
}

// BenchmarkSeenRecorded asks in turn two services of the same content, with an audit
// trail and without, and pings the first. It reports how many times as long as without
// an answer takes with a trail, and how many times as long as a ping: medians.
func BenchmarkSeenRecorded(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	values := pool(4_096)
	all := cases(600, values, random)
	recorded, plain := compose(b, true), compose(b, false)
	for _, s := range []*service{recorded, plain} {
		for _, c := range all {
			s.submit(b, c)
		}
		s.settle(b)
	}
	for _, n := range []int{1, 1_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var asked []*elsewherev1.Observable
			for _, i := range random.Perm(len(values))[:n] {
				asked = append(asked, values[i])
			}
			req := elsewherev1.SeenRequest_builder{Observables: asked}.Build()
			ask := func(s *service) func() error {
				return func() error {
					_, err := s.Seen(b.Context(), req)
					return err
				}
			}
			calls := []func() error{ask(recorded), ask(plain), func() error {
				_, err := recorded.health.Check(b.Context(), &grpc_health_v1.HealthCheckRequest{})
				return err
			}}
			took := make([][]time.Duration, len(calls))
			for b.Loop() {
				for i, call := range calls {
					began := time.Now()
					if err := call(); err != nil {
						b.Fatal(err)
					}
					took[i] = append(took[i], time.Since(began))
				}
			}
			var median [3]float64
			for i := range took {
				slices.Sort(took[i])
				median[i] = float64(took[i][len(took[i])/2])
			}
			b.ReportMetric(median[0]/median[1], "x-unrecorded")
			b.ReportMetric(median[0]/median[2], "x-ping")
			b.ReportMetric(median[1]/median[2], "x-ping-unrecorded")
		})
	}
}
