package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/linker"
	"github.com/elsewhere-project/elsewhere/server/observe"
	"github.com/elsewhere-project/elsewhere/server/rpc"
	"github.com/elsewhere-project/elsewhere/server/watch"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// Where the service listens unless told otherwise.
const (
	DefaultGRPCAddr = "127.0.0.1:7431"
	DefaultHTTPAddr = "127.0.0.1:7432"
)

// Config is what an operator may set.
type Config struct {
	// DataDir holds store/ and keys/; made if missing. Not needed with Memory.
	DataDir string
	// Memory keeps everything in memory and forgets it at the end.
	Memory bool
	// GRPCAddr is the address to listen on, DefaultGRPCAddr if "". Other than
	// loopback is accepted only with TLS and with keys.
	GRPCAddr string
	// HTTPAddr is the address for REST, metrics, health and profiles; "" is none.
	// Other than loopback is accepted as GRPCAddr's is; then metrics and profiles,
	// which ask nobody for a key, are not served.
	HTTPAddr string
	// RESTOrigins are the sites whose pages may use REST, as https://soc.example.
	RESTOrigins []string
	// WebSessions lets a browser stay signed in to the page with a cookie.
	WebSessions bool
	// Access is who comes in and what is told across tenants.
	Access
	// Audit is what an operator may set about the audit trail.
	Audit
	// Producer is the name that receivers of exports read; "" is Elsewhere.
	Producer string
	// PublishConfig is the file with the targets of publications; "" is none.
	PublishConfig string
	// TraceEndpoint is the host:port of an OpenTelemetry collector that takes
	// OTLP over gRPC; "" sends no traces.
	TraceEndpoint string
	// CorrelationKeyFile holds the key for private values; "" is
	// keys/correlation.key below DataDir, made on first start.
	CorrelationKeyFile string
	// CacheBytes bounds what the store keeps decoded, in bytes; 0: its own default.
	CacheBytes int64
	// DiskReserve is the room on the disk, in bytes, below which no cases are
	// taken; 0: DefaultDiskReserve.
	DiskReserve uint64
	// Encryption is how the store's files are encrypted; not at all by default.
	Encryption Encryption
	// Enrichment is what is known about addresses, and who is asked.
	Enrichment
	// Webhooks is where changes of links may be posted.
	Webhooks Webhooks
	// watching is how links are watched, for tests.
	watching watch.Options
	// Limits are those of connections.
	Limits
	// Clock tells the time, and so the UTC day from which sightings count for
	// tenants; nil: time.Now.
	Clock func() time.Time
	// Logger gets structured logs, those of a request with its request_id; nil
	// discards them.
	Logger *slog.Logger
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) storeDir() string { return filepath.Join(c.DataDir, "store") }

// DefaultDiskReserve is what a store needs to go on by itself.
const DefaultDiskReserve = badger.DefaultReserve

// MessageBytes is the largest message taken or sent: a case may have 10 MB.
const MessageBytes = 32 << 20

// stopWithin bounds how long a graceful stop waits for calls under way.
const stopWithin = 10 * time.Second

// Server is one running deployment.
type Server struct {
	listener    net.Listener
	grpc        *grpc.Server
	http        *httpSide // nil if there is none
	health      *health.Server
	store       graph.Store
	service     *rpc.Service
	linker      *linker.Linker
	hub         *watch.Hub
	webhooks    *webhook.Hooks
	shelf       *collection.Shelf
	access      *accessSide
	trail       *audit.Trail
	certificate *certificate // nil without TLS
	enrich      *enrichment
	erasure     *erasure
	telemetry   *telemetry
	started     time.Time
	memory      bool
	log         *slog.Logger
}

// Open opens the store and listens. Serve has to follow; it closes both.
func Open(ctx context.Context, c Config) (*Server, error) {
	panics := observe.NewPanics()
	c.Logger = slog.New(observe.NewLogHandler(c.logger().Handler(), panics))
	log := c.Logger
	addr := cmp.Or(c.GRPCAddr, DefaultGRPCAddr)
	if err := c.mayListen(addr, true); err != nil {
		return nil, err
	}
	if c.HTTPAddr != "" {
		if err := c.mayListen(c.HTTPAddr, true); err != nil {
			return nil, err
		}
	}
	if err := checkOrigins(c.RESTOrigins); err != nil {
		return nil, err
	}
	if err := export.CheckProducer(c.Producer); err != nil {
		return nil, err
	}
	targets, err := c.publishTargets()
	if err != nil {
		return nil, err
	}
	certificate, err := openCertificate(c.TLS, log)
	if err != nil {
		return nil, err
	}
	secret, err := correlationSecret(c)
	if err != nil {
		return nil, err
	}
	key, err := rpc.NewCorrelationKey(secret)
	if err != nil {
		return nil, err
	}
	if err := pinKey(c, key.ID()); err != nil {
		return nil, err
	}
	sealer, err := access.NewSealer(secret)
	if err != nil {
		return nil, err
	}
	exportKeys, err := export.NewKeys(secret)
	if err != nil {
		return nil, err
	}
	store, tenants, err := openStore(ctx, c)
	if err != nil {
		return nil, err
	}
	var side *accessSide
	trail, signer, err := openTrail(ctx, c, store)
	if err == nil {
		side, err = openAccess(ctx, c, store, tenants)
	}
	if err == nil && !c.Memory {
		err = removeScratch(c.DataDir)
	}
	if err == nil {
		err = c.mayListen(addr, side.keys.Any())
	}
	if err == nil && c.HTTPAddr != "" {
		err = c.mayListen(c.HTTPAddr, side.keys.Any())
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	listener := c.Limits.bound(tcp, log)
	telemetry, err := newTelemetry(ctx, c.TraceEndpoint, store, log)
	if err != nil {
		return nil, errors.Join(err, listener.Close(), store.Close())
	}
	known, err := openEnrichment(ctx, c, store, tenants)
	if err != nil {
		telemetry.stop()
		return nil, errors.Join(err, listener.Close(), store.Close())
	}
	hub, err := watch.Open(ctx, store, log, c.watching)
	var hooks *webhook.Hooks
	if err == nil {
		hooks, err = openWebhooks(ctx, c, store, hub, side.rules, secret)
	}
	if err != nil {
		known.close()
		telemetry.stop()
		return nil, errors.Join(err, listener.Close(), store.Close())
	}
	s := &Server{
		listener: listener, store: store, log: log, health: health.NewServer(),
		linker: linker.New(store, known.rules, log).Naming(key.ActorID), enrich: known, telemetry: telemetry,
		hub: hub, webhooks: hooks,
		access: side, trail: trail, certificate: certificate, started: time.Now(), memory: c.Memory,
	}
	models := newModels(store.Kept(), known)
	exports, hints := newExports(c, store, tenants, known, key, exportKeys)
	s.shelf = newShelf(c, store, exports)
	if s.erasure, err = openErasure(ctx, c, s, models, hints, signer); err != nil {
		known.close()
		telemetry.stop()
		return nil, errors.Join(err, listener.Close(), store.Close())
	}
	publisher, guard := newPublisher(targets, store, exports, log)
	record := rpc.NewRecorder(trail, tenants)
	door := rpc.NewDoor(side.keys, record, log, c.Patience)
	s.service = rpc.New(rpc.Dependencies{
		Store: s.erasure.gate, Eraser: s.erasure.eraser, Settler: s.linker, SettleWithin: c.Patience.SettleWithin, Rules: known.rules, Key: key, Sealer: sealer, Log: log,
		Enricher: known.enricher, Public: known.public, Feeds: known, Models: models, Watcher: hub, Webhooks: hooks, Clock: c.Clock,
		Exports: exports, Hints: hints, Publisher: publisher, Shelf: s.shelf, Guard: guard,
		Tenants: tenants, Keys: side.keys, Trail: trail, Recorder: record, Vitals: s.vitals, TenantChanged: func(t access.Tenant) {
			known.egressChanged()
			s.shelf.Drop()
			if t.Unsettled {
				side.retrust()
			}
		},
	})
	register := func(on *grpc.Server) {
		services := door.Registrar(on)
		s.service.Register(services)
		grpc_health_v1.RegisterHealthServer(services, s.health)
	}
	s.grpc = grpc.NewServer(slices.Concat(
		[]grpc.ServerOption{certificate.option()}, c.Limits.options(), telemetry.options(), door.Options(),
	)...)
	register(s.grpc)
	reflection.Register(s.grpc)
	if err = telemetry.watch(append(known.metrics(), observe.NewQueues(s.queues()...), listener.refused, panics)...); err == nil && c.HTTPAddr != "" {
		s.http, err = s.listenHTTP(ctx, c, door, register)
	}
	if err != nil {
		s.grpc.Stop()
		known.close()
		telemetry.stop()
		return nil, errors.Join(err, listener.Close(), store.Close())
	}
	telemetry.calls.Know(s.grpc.GetServiceInfo())
	for _, service := range []string{
		"", elsewherev1.CaseService_ServiceDesc.ServiceName, elsewherev1.CorrelationService_ServiceDesc.ServiceName,
		elsewherev1.EnrichmentService_ServiceDesc.ServiceName, elsewherev1.ModelService_ServiceDesc.ServiceName,
		elsewherev1.ExportService_ServiceDesc.ServiceName,
		elsewherev1.AdminService_ServiceDesc.ServiceName,
	} {
		s.health.SetServingStatus(service, grpc_health_v1.HealthCheckResponse_SERVING)
	}
	return s, nil
}

// openStore opens the store and the records of its tenants, which it has to ask
// whose cases count.
func openStore(ctx context.Context, c Config) (graph.Store, *access.Tenants, error) {
	var tenants *access.Tenants
	encryption, err := c.Encryption.options(ctx)
	if err != nil {
		return nil, nil, err
	}
	o := badger.Options{
		Encryption: encryption,
		Clock:      c.Clock, Memory: c.Memory, Reserve: c.DiskReserve, CacheBytes: c.CacheBytes, Logger: c.logger(),
		// Asked when a case comes or goes, which none does before there are tenants.
		Counted: func(tenant string) bool { return tenants.CountsInSize(tenant) },
	}
	if !c.Memory {
		o.Dir = c.storeDir()
	}
	store, err := badger.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	tenants, err = access.OpenTenants(ctx, store.Kept(), c.logger(), c.Clock)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, tenants, nil
}

// Addr returns the address that the service listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends, finishes the calls under way, within bounds, and
// closes the store. A stop that ctx asked for is no error.
func (s *Server) Serve(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var parts sync.WaitGroup
	var linkErr, httpErr error
	parts.Go(func() { linkErr = s.linker.Run(background) })
	parts.Go(func() { s.hub.Run(background) })
	parts.Go(func() { s.webhooks.Run(background) })
	parts.Go(func() { s.enrich.run(background) })
	parts.Go(func() { s.access.run(background) })
	parts.Go(func() { keep(background, s.log, s.erasure.run) })
	parts.Go(func() { s.trail.Run(background) })
	parts.Go(func() { keep(background, s.log, s.certificate.run) })
	if s.http != nil {
		parts.Go(func() { httpErr = s.http.serve() })
	}
	stopped := make(chan struct{})
	parts.Go(func() {
		select {
		case <-ctx.Done():
			s.stop()
		case <-stopped:
		}
	})
	err := s.grpc.Serve(s.listener)
	if errors.Is(err, grpc.ErrServerStopped) {
		// Stopped before it began.
		err = nil
	}
	close(stopped)
	// GracefulStop lets Serve return before the last call is answered.
	s.grpc.GracefulStop()
	s.http.stop()
	cancel()
	parts.Wait()
	s.access.keys.Close()
	s.enrich.close()
	s.shelf.Drop()
	s.telemetry.stop()
	return errors.Join(err, linkErr, httpErr, s.store.Close())
}

// stop ends the service: new calls are refused, those under way may finish.
func (s *Server) stop() {
	s.health.Shutdown()
	s.hub.Stop()
	done := make(chan struct{})
	servers := []*grpc.Server{s.grpc}
	if s.http != nil {
		// The pages go on, so that it can be read that the service stops.
		servers = append(servers, s.http.rest.grpc)
	}
	go func() {
		var all sync.WaitGroup
		for _, server := range servers {
			all.Go(server.GracefulStop)
		}
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(stopWithin):
		for _, server := range servers {
			server.Stop()
		}
		<-done
	}
}

// Check compares everything derived in a data folder with the cases it comes
// from and reports each difference. With rebuild it then makes all links anew, or
// goes on where that was interrupted; progress is told when that begins (0 of 0)
// and then how many of how many cases are done. The service must not be running.
func Check(ctx context.Context, c Config, rebuild bool, progress func(done, of int), report func(line string)) (err error) {
	// Opening would make what is not there.
	if _, err := os.Stat(c.storeDir()); err != nil {
		return fmt.Errorf("no store: %w", err)
	}
	store, tenants, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for line, err := range store.Check(ctx) {
		if err != nil {
			return err
		}
		report(line)
	}
	if !rebuild {
		return nil
	}
	progress(0, 0)
	known, err := openEnrichment(ctx, c, store, tenants)
	if err != nil {
		return err
	}
	defer known.close()
	interrupted, err := store.Sweep(ctx)
	if err != nil {
		return err
	}
	if err := store.StartSweep(ctx, known.rules.Now().Basis(), !interrupted.Pending); err != nil {
		return err
	}
	if err := store.StartRegrouping(ctx); err != nil {
		return err
	}
	return linker.New(store, known.rules, c.logger()).Naming(actorIDs(c)).Drain(ctx, progress)
}

// actorIDs returns what actors are called, nil where the key lies elsewhere: then the
// service finds them when it starts.
func actorIDs(c Config) func(evidence.Ref) string {
	secret, err := correlationSecret(c)
	if err != nil {
		return nil
	}
	key, err := rpc.NewCorrelationKey(secret)
	if err != nil || pinKey(c, key.ID()) != nil {
		return nil
	}
	return key.ActorID
}
