package server

import (
	"context"
	"sync"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/erase"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// erasure takes tenants and old cases out.
type erasure struct {
	gate      *erase.Gate
	eraser    *erase.Eraser
	retention *erase.Retention
}

// openErasure lists all that is kept about tenants, each as a trace, and takes up
// what an earlier process was asked to erase.
func openErasure(ctx context.Context, c Config, s *Server, m *models, hints *export.Hints, signer *audit.Signer) (e *erasure, err error) {
	answers := &erase.Answers{Store: s.store, Known: kept{s.enrich}}
	gate := erase.NewGate(s.enrich.cases(), answers)
	answers.Erasing = gate.Closed
	cases := erase.Cases{Store: s.store, Deleter: gate}
	tenants, keys := s.access.tenants, s.access.keys
	e = &erasure{gate: gate, retention: &erase.Retention{
		Keeper: s.store.Kept(), Cases: cases, Tenants: tenants.Kept, Clock: c.Clock, Log: s.log,
	}}
	config := erase.Config{
		Keeper: s.store.Kept(), Gate: gate, Signer: signer, Models: m.learnedFrom, Clock: c.Clock, Log: s.log,
		Exists:  func(tenant string) bool { _, ok := tenants.Get(tenant); return ok },
		Closing: tenants.Erasing,
		Traces: []erase.Trace{
			cases, answers,
			tenantRecord{tenants, s.enrich, s.shelf},
			tenantKeys{keys},
			tenantHints{hints},
			tenantModels{m},
			// Links follow all of these.
			erase.Links{Store: s.store, Link: s.linker},
			erase.Histories{Store: s.store},
			erase.Events{Store: s.store},
			// What webhooks read again has to be gone from the log.
			tenantWebhooks{s.webhooks},
			tenantTrail{s.trail},
		},
		Stays: []string{
			"the tenant's id in this receipt, which the service keeps",
			"the entries of the audit trail about the tenant: who did what when, and how much, without content",
			"the ledger of publications and of collections: which values were sent where and when, without tenant or case, so that they can be withdrawn there",
			"what versions of the model learned from reviews: numbers of the whole deployment",
		},
	}
	config.UntilPurged = []string{
		"for 30 days, for who watches links: which pairs with a case of the tenant are gone, by the ids of the cases",
	}
	if !c.Memory {
		config.Purger = s.store
	}
	e.eraser, err = erase.New(ctx, config)
	return e, err
}

// run erases what was asked for, and what is old, until ctx ends.
func (e *erasure) run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { e.eraser.Run(ctx) })
	e.retention.Run(ctx)
}

// kept is what the book and the store have about values.
type kept struct{ known *enrichment }

// Any implements erase.Known.
func (k kept) Any(ctx context.Context) (bool, error) {
	if k.known.book.Len() > 0 || k.known.ahead != nil {
		return true, nil
	}
	return enrich.KeepsAnswers(ctx, keptStore{k.known.store.Kept()})
}

// Forget implements erase.Known.
func (k kept) Forget(ctx context.Context, values []evidence.Value) error {
	about := make([]enrich.Value, len(values))
	for i, v := range values {
		about[i] = enrich.Value{Kind: enrich.Kind(v.Kind), Text: v.Text}
	}
	if k.known.ahead != nil {
		k.known.ahead.backlog.Withdraw(about)
	}
	if err := k.known.book.Forget(ctx, about); err != nil {
		return err
	}
	for _, source := range abuseipdb.SourceNames() {
		if err := enrich.ForgetAnswers(ctx, keptStore{k.known.store.Kept()}, source, about); err != nil {
			return err
		}
	}
	return nil
}

// tenantRecord is the record of a tenant.
type tenantRecord struct {
	tenants *access.Tenants
	known   *enrichment
	shelf   *collection.Shelf
}

// Name implements erase.Trace.
func (tenantRecord) Name() string { return "tenant record" }

// Count implements erase.Trace.
func (t tenantRecord) Count(_ context.Context, tenant string) ([]erase.Tally, error) {
	n := uint64(0)
	if _, ok := t.tenants.Get(tenant); ok {
		n = 1
	}
	return []erase.Tally{{Sort: "tenant records", Count: n}}, nil
}

// Erase implements erase.Trace. Networks that the tenant came from are nobody's
// afterwards, which changes what addresses are.
func (t tenantRecord) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	r, _ := t.tenants.Get(tenant)
	// Its cases are gone by now, and may lie in an edition of a collection.
	t.shelf.Drop()
	if err := t.tenants.Remove(ctx, tenant); err != nil || len(r.Egress) == 0 {
		return err
	}
	return t.known.reload(ctx)
}

// tenantKeys are the keys that name a tenant.
type tenantKeys struct{ keys *access.Keys }

// Name implements erase.Trace.
func (tenantKeys) Name() string { return "keys" }

// Count implements erase.Trace.
func (t tenantKeys) Count(_ context.Context, tenant string) ([]erase.Tally, error) {
	return []erase.Tally{{Sort: "places on keys", Count: t.keys.Naming(tenant)}}, nil
}

// Erase implements erase.Trace.
func (t tenantKeys) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return t.keys.Strike(ctx, tenant)
}

// tenantHints are the hashes of what names a tenant's people.
type tenantHints struct{ hints *export.Hints }

// Name implements erase.Trace.
func (tenantHints) Name() string { return "hints" }

// Count implements erase.Trace.
func (t tenantHints) Count(ctx context.Context, tenant string) ([]erase.Tally, error) {
	hashes, err := t.hints.Load(ctx, tenant)
	return []erase.Tally{{Sort: "hints", Count: uint64(len(hashes))}}, err
}

// Erase implements erase.Trace.
func (t tenantHints) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return t.hints.Remove(ctx, tenant)
}

// tenantModels is which versions of the model learned from a tenant's cases.
type tenantModels struct{ models *models }

// Name implements erase.Trace.
func (tenantModels) Name() string { return "models" }

// Count implements erase.Trace. The receipt lists the versions.
func (tenantModels) Count(context.Context, string) ([]erase.Tally, error) { return nil, nil }

// Erase implements erase.Trace.
func (t tenantModels) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return t.models.forgetTenant(ctx, tenant)
}

// tenantWebhooks are the webhooks that name a tenant, and what they could not post
// about it.
type tenantWebhooks struct{ hooks *webhook.Hooks }

// Name implements erase.Trace.
func (tenantWebhooks) Name() string { return "webhooks" }

// Count implements erase.Trace.
func (t tenantWebhooks) Count(ctx context.Context, tenant string) ([]erase.Tally, error) {
	hooks, letters, err := t.hooks.Naming(ctx, tenant)
	return []erase.Tally{{Sort: "places on webhooks", Count: hooks}, {Sort: "dead letters", Count: letters}}, err
}

// Erase implements erase.Trace.
func (t tenantWebhooks) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	return t.hooks.Erase(ctx, tenant)
}

// Purge implements erase.PurgedTrace. That the links are gone may not be posted yet.
func (t tenantWebhooks) Purge(ctx context.Context, tenant string) error {
	return t.hooks.Erase(ctx, tenant)
}

// tenantTrail are the entries of the audit trail that name a tenant. They stay, without
// their content.
type tenantTrail struct{ trail *audit.Trail }

// Name implements erase.Trace.
func (tenantTrail) Name() string { return "content of the audit trail" }

// Count implements erase.Trace.
func (t tenantTrail) Count(ctx context.Context, tenant string) ([]erase.Tally, error) {
	n := uint64(0)
	for _, err := range t.trail.Entries(ctx, audit.Filter{Tenant: tenant}) {
		if err != nil {
			return nil, err
		}
		n++
	}
	return []erase.Tally{{Sort: "contents of audit entries", Count: n}}, nil
}

// Erase implements erase.Trace.
func (t tenantTrail) Erase(ctx context.Context, tenant string, _ func(uint64)) error {
	_, err := t.trail.Strip(ctx, tenant)
	return err
}
