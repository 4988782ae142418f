package rpc

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/export/intake"
	"github.com/elsewhere-project/elsewhere/server/export/publish"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Store is what the services need of a backend.
type Store interface {
	graph.Writer
	graph.Reviewer
	graph.Anchors
	graph.Reader
}

// Settler waits until links are current.
type Settler interface {
	Settle(context.Context) error
}

// Service answers CaseService, CorrelationService, EnrichmentService, ModelService,
// ExportService and AdminService.
type Service struct {
	elsewherev1.UnimplementedCaseServiceServer
	elsewherev1.UnimplementedCorrelationServiceServer
	elsewherev1.UnimplementedEnrichmentServiceServer
	elsewherev1.UnimplementedModelServiceServer
	elsewherev1.UnimplementedExportServiceServer
	elsewherev1.UnimplementedAdminServiceServer

	store     Store
	settler   Settler
	enricher  Enricher
	public    Enricher
	feeds     Feeds
	models    Models
	eraser    Eraser
	watcher   Watcher
	webhooks  Webhooks
	exports   *export.Builder
	hints     *export.Hints
	publisher *publish.Publisher
	shelf     *collection.Shelf
	guard     intake.Guard
	rules     linker.Source
	key       *CorrelationKey
	sealer    *access.Sealer
	tenants   *access.Tenants
	keys      *access.Keys
	changed   func(access.Tenant)
	trail     *audit.Trail
	record    *Recorder
	vitals    func(context.Context) (Vitals, error)
	log       *slog.Logger
	clock     func() time.Time

	settleWithin time.Duration
	admission    admission
}

// Dependencies are what a Service is made of. All are needed but Clock, which is
// time.Now when nil, Enricher, Public and Feeds, without which EnrichmentService answers
// UNIMPLEMENTED, Models, without which ModelService does, Exports and Hints, without
// which nothing is handed on, and Watcher and Webhooks, without which their calls are
// UNIMPLEMENTED.
type Dependencies struct {
	Store   Store
	Settler Settler
	// SettleWithin is that of Patience.
	SettleWithin time.Duration
	Enricher     Enricher
	// Public is the Enricher of viewers that do not look up (access.Viewer.LooksUp):
	// it must not know what is a tenant's own, nor what others asked.
	Public   Enricher
	Feeds    Feeds
	Models   Models
	Eraser   Eraser
	Watcher  Watcher
	Webhooks Webhooks
	Exports  *export.Builder
	Hints    *export.Hints
	// Publisher is nil where nothing is published.
	Publisher *publish.Publisher
	// Shelf has the collections; nil where there are none.
	Shelf *collection.Shelf
	// Guard knows what of our own comes back in imports.
	Guard   intake.Guard
	Rules   linker.Source
	Key     *CorrelationKey
	Sealer  *access.Sealer
	Tenants *access.Tenants
	Keys    *access.Keys
	// TenantChanged is told of records that were made or changed, and returns at once.
	TenantChanged func(access.Tenant)
	// Trail is what AuditTrail shows, and Recorder what puts calls on it.
	Trail    *audit.Trail
	Recorder *Recorder
	// Vitals returns how the deployment fares.
	Vitals func(context.Context) (Vitals, error)
	Log    *slog.Logger
	Clock  func() time.Time
}

// New returns a service.
func New(d Dependencies) *Service {
	s := &Service{
		store: d.Store, settler: d.Settler, enricher: d.Enricher, public: d.Public, feeds: d.Feeds, models: d.Models, eraser: d.Eraser, watcher: d.Watcher, webhooks: d.Webhooks, rules: d.Rules,
		key: d.Key, sealer: d.Sealer, tenants: d.Tenants, keys: d.Keys, changed: d.TenantChanged,
		trail: d.Trail, record: d.Recorder, vitals: d.Vitals, exports: d.Exports, hints: d.Hints, publisher: d.Publisher, shelf: d.Shelf, guard: d.Guard, log: d.Log, clock: d.Clock,
		settleWithin: cmp.Or(d.SettleWithin, DefaultSettleWithin),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

// Register adds the services to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	elsewherev1.RegisterCaseServiceServer(r, s)
	elsewherev1.RegisterCorrelationServiceServer(r, s)
	elsewherev1.RegisterEnrichmentServiceServer(r, s)
	elsewherev1.RegisterModelServiceServer(r, s)
	elsewherev1.RegisterExportServiceServer(r, s)
	elsewherev1.RegisterAdminServiceServer(r, s)
}

// options are how this deployment parses evidence.
func (s *Service) options() evidence.Options {
	return evidence.Options{Now: s.clock(), Private: s.key.Hash}
}

// Sizes of pages.
const (
	defaultPage = 100
	maxPage     = 1_000
)

func pageSize(asked uint32) (int, error) {
	switch {
	case asked == 0:
		return defaultPage, nil
	case asked > maxPage:
		return 0, violation("page_size", "TOO_LARGE", "at most 1,000")
	}
	return int(asked), nil
}
