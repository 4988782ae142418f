package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// Enrichment is what an operator may set about what addresses are. The zero value
// asks nobody and uses the data that are part of the program.
type Enrichment struct {
	// FeedsDir is the folder of feeds; "" is feeds/ below DataDir, and none with
	// Memory.
	FeedsDir string
	// FeedsEvery is how often the folder and the databases are looked at for
	// changes; 0 is DefaultFeedsEvery. What did not change is not read again.
	FeedsEvery time.Duration
	// Databases are paths of the operator's own MaxMind databases, in the order
	// of their precedence. They come before the feeds and the program's own data.
	Databases []string
	// AbuseIPDBKey turns look-ups at AbuseIPDB on; the zero key is off.
	AbuseIPDBKey abuseipdb.Key
	// AbuseIPDBURL is where its API is; "" is the service itself.
	AbuseIPDBURL string
	// AbuseIPDBLimits are the calls a day of the account's plan, until the service
	// names them; 0 is the smallest plan's.
	AbuseIPDBLimits abuseipdb.Limits
	// Ceilings say which tenants' values may be disclosed to a third party. The
	// zero value discloses none.
	Ceilings Ceilings
	// AbuseIPDBBlacklist is a file with the answer of AbuseIPDB's blacklist
	// endpoint; what it says is shown and moves no score.
	AbuseIPDBBlacklist string
	// LookupAhead asks about the addresses of new cases in the background, where
	// the tenant's ceiling permits, instead of only when somebody wants to know.
	// A share of the quota stays reserved for questions.
	LookupAhead bool
}

// DefaultFeedsEvery is how often feeds are looked at for changes.
const DefaultFeedsEvery = 10 * time.Second

// Ceilings are the most open labels under which values of tenants may leave the
// deployment. AbuseIPDB is asked where the ceiling is green or clear.
type Ceilings struct {
	// Default is for tenants that are not named, and for the operator's own
	// questions; "" is amber+strict, which discloses nothing.
	Default enrich.TLP
	// Tenants are exceptions, by tenant.
	Tenants map[string]enrich.TLP
}

// Ceiling implements enrich.Ceilings.
func (c Ceilings) Ceiling(_ context.Context, tenant string) (enrich.TLP, error) {
	if tlp, ok := c.Tenants[tenant]; ok {
		return tlp, nil
	}
	return c.Default, nil
}

// tenantCeilings put the ceiling of a tenant's record before the operator's.
type tenantCeilings struct {
	Ceilings
	tenants *access.Tenants
}

// Ceiling implements enrich.Ceilings.
func (c tenantCeilings) Ceiling(ctx context.Context, tenant string) (enrich.TLP, error) {
	if own := c.tenants.Ceiling(tenant); own != "" {
		return enrich.TLP(own), nil
	}
	return c.Ceilings.Ceiling(ctx, tenant)
}

func (c Config) feedsDir() string {
	if c.FeedsDir == "" && !c.Memory {
		return filepath.Join(c.DataDir, "feeds")
	}
	return c.FeedsDir
}

// enrichment is what the service knows about values, and how it stays current.
type enrichment struct {
	data      *local.Data
	reloading sync.Mutex
	// using is held while classes, and the rules that have them, are exchanged.
	using    sync.Mutex
	classes  *classes // of the rules of now
	book     *enrich.Book
	enricher *enrich.Enricher
	// public answers those who see one tenant. It knows neither the addresses of
	// others nor what was looked up for them.
	public  *enrich.Enricher
	lookups *lookupCounts
	ahead   *ahead // nil unless asked for
	store   graph.Store
	tenants *access.Tenants
	rules   *linker.Changeable
	log     *slog.Logger
	every   time.Duration
	watch   fileWatch
	// asksAbuseIPDB says that there is a key for it.
	asksAbuseIPDB bool
	// report is that of the last reload.
	report atomic.Pointer[local.Report]
	// owed says that a sweep could not be asked for.
	owed atomic.Bool
	// egress says that the networks of tenants may have changed.
	egress atomic.Bool
	// said are the errors of the last reload, by what they are about.
	said map[string]string
}

// openEnrichment loads the lists and the book. It asks nobody.
func openEnrichment(ctx context.Context, c Config, store graph.Store, tenants *access.Tenants) (*enrichment, error) {
	options := local.Options{Databases: c.Databases}
	e := &enrichment{
		store: store, tenants: tenants, log: c.logger(), every: cmp.Or(c.FeedsEvery, DefaultFeedsEvery),
		lookups: newLookupCounts(), watch: fileWatch{files: c.Databases}, said: make(map[string]string),
	}
	if dir := c.feedsDir(); dir != "" {
		folder, err := feeds.Open(dir, feeds.Options{})
		if err != nil {
			return nil, err
		}
		options.Folder, options.Scratch = folder, dir
		e.watch.folder = dir
	}
	e.watch.changed()
	var report local.Report
	var err error
	if e.data, report, err = local.Open(options); err != nil {
		return nil, err
	}
	e.complain(ctx, report)
	// Later the last good one stays; at the start there is none, and links would be
	// scored as if nobody had given it.
	for _, d := range report.Databases {
		if d.Err != nil && slices.Contains(c.Databases, d.Path) {
			return nil, fmt.Errorf("database %s: %w", d.Path, d.Err)
		}
	}
	if options.Folder != nil && c.FeedsDir != "" {
		if strange := options.Folder.Strange(); strange != nil {
			e.log.WarnContext(ctx, "the folder of feeds is not used", "folder", c.FeedsDir, "error", strange)
		}
	}
	model, err := activeModel(ctx, store.Kept())
	if err != nil {
		return nil, err
	}
	kept := keptStore{store.Kept()}
	if e.book, err = enrich.OpenBook(ctx, kept, e.changed); err != nil {
		return nil, err
	}
	rules := e.rulesOf(model)
	e.classes, e.rules = rules.Classes.(*classes), linker.NewChangeable(rules)
	sources := e.data.Sources()
	if !c.AbuseIPDBKey.IsZero() {
		e.asksAbuseIPDB = true
		client, err := abuseipdb.New(abuseipdb.Config{
			Key: c.AbuseIPDBKey, Store: kept, BaseURL: c.AbuseIPDBURL, Daily: c.AbuseIPDBLimits,
		})
		if err != nil {
			return nil, err
		}
		for _, s := range client.Sources() {
			sources = append(sources, e.lookups.count(s))
		}
	}
	if c.AbuseIPDBBlacklist != "" {
		listing, err := readListing(c.AbuseIPDBBlacklist)
		if err != nil {
			return nil, err
		}
		sources = append(sources, listing)
	}
	gate := enrich.TLPGate{Ceilings: tenantCeilings{c.Ceilings, tenants}}
	e.enricher, err = enrich.New(enrich.Config{
		Sources: sources, Store: kept, Book: e.book, Log: e.log, Gate: gate, Shield: shield{e.data.Table, e.data.Unreadable, tenants.Egress},
	})
	if err == nil {
		e.public, err = enrich.New(enrich.Config{Sources: e.data.PublicSources(), Log: e.log})
	}
	if err == nil && c.LookupAhead && e.asksAbuseIPDB {
		e.ahead = newAhead(store, gate, e.rules, e.enricher)
	}
	return e, err
}

// readListing reads a blacklist from a file.
func readListing(path string) (*abuseipdb.Listing, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("blacklist: %w", err)
	}
	defer f.Close()
	list, err := abuseipdb.ReadBlacklist(f)
	if err != nil {
		return nil, fmt.Errorf("blacklist %s: %w", path, err)
	}
	listing := &abuseipdb.Listing{}
	return listing, listing.Replace(list)
}

// cases is the store as those use it who submit cases.
func (e *enrichment) cases() rpc.Store {
	if e.ahead != nil {
		return e.ahead
	}
	return e.store
}

// changed marks a value whose class a look-up changed.
func (e *enrichment) changed(ctx context.Context, v enrich.Value) error {
	return e.store.Touch(ctx, []evidence.Value{{Kind: evidence.Kind(v.Kind), Text: v.Text}})
}

// close ends look-ups. The store has to be open still.
func (e *enrichment) close() {
	e.enricher.Close()
	e.public.Close()
}

// run does what is to be done in the background until ctx ends.
func (e *enrichment) run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	if e.ahead != nil {
		parts.Go(func() {
			keep(ctx, e.log, func(ctx context.Context) { e.ahead.backlog.Run(ctx) }) //nolint:errcheck // the error is that of ctx
		})
		parts.Go(func() { keep(ctx, e.log, func(ctx context.Context) { e.ahead.weigh(ctx, e.log) }) })
	}
	keep(ctx, e.log, e.reloadChanged)
}

// reloadChanged reloads what changes until ctx ends.
func (e *enrichment) reloadChanged(ctx context.Context) {
	ticks := time.NewTicker(e.every)
	defer ticks.Stop()
	for owed := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		// Looked at before the reading, so that what changes meanwhile is seen.
		changed := e.watch.changed()
		if !e.egress.Swap(false) && !changed && !owed && !e.owed.Load() {
			continue
		}
		err := e.reload(ctx)
		if owed = err != nil; owed && ctx.Err() == nil {
			e.log.WarnContext(ctx, "data were not reloaded", "error", err)
		}
	}
}

// reload reads feeds and databases again and asks for a sweep where classes may
// have changed. What is damaged is named in the log and not taken into use.
func (e *enrichment) reload(ctx context.Context) error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	report, err := e.data.Reload()
	if err != nil {
		return err
	}
	e.complain(ctx, report)
	e.using.Lock()
	if e.classes.renew(e.data.Table()) {
		e.log.InfoContext(ctx, "classes of values changed with their data; all links are scored anew", "version", e.classes.Version())
	}
	e.using.Unlock()
	// Asked for each time: it does nothing unless an earlier one went wrong.
	return e.compareBasis(ctx)
}

// egressChanged has the networks of the tenants' records taken up, soon.
func (e *enrichment) egressChanged() { e.egress.Store(true) }

// compareBasis asks for a sweep if rows were scored by other rules.
func (e *enrichment) compareBasis(ctx context.Context) error {
	// One that could not be asked for is due whatever the rules are by now: rows may
	// have been scored by those in between.
	owed := e.owed.Swap(false)
	err := e.store.StartSweep(ctx, e.rules.Now().Basis(), owed)
	e.owed.Store(err != nil)
	return err
}

// rulesOf returns the rules of a model with the data of now. Its classes are its
// own: the model says what a hit on a list of prefixes is worth.
func (e *enrichment) rulesOf(m *link.Model) linker.Rules {
	c := newClasses(m, e.data.Table())
	c.book, c.egress = e.book, e.tenants.EgressPrefixes
	c.exchange(e.data.Table())
	rules := linker.NewRules(m, c, graph.Limits{})
	rules.Trust = e.tenants.Trust
	return rules
}

// use takes another model into use and asks for a sweep. Where that goes wrong it
// is asked for again later.
func (e *enrichment) use(ctx context.Context, m *link.Model) {
	e.using.Lock()
	rules := e.rulesOf(m)
	e.classes = rules.Classes.(*classes)
	e.rules.Exchange(rules)
	e.using.Unlock()
	e.log.InfoContext(ctx, "another model is active; all links are scored anew", "version", m.Version())
	if err := e.compareBasis(ctx); err != nil {
		e.log.WarnContext(ctx, "links are not scored anew yet", "error", err)
	}
}

// complain logs what could not be taken into use, once for each reason.
func (e *enrichment) complain(ctx context.Context, r local.Report) {
	e.report.Store(&r)
	now := make(map[string]string)
	say := func(kind, name string, err error) {
		if err == nil {
			return
		}
		now[kind+name] = err.Error()
		if e.said[kind+name] != now[kind+name] {
			e.log.WarnContext(ctx, kind+" not in use as it is on disk", "name", name, "error", err)
		}
	}
	for _, f := range r.Feeds {
		say("feed", f.Name, f.Err)
	}
	for _, d := range r.Databases {
		say("database", filepath.Base(d.Path), d.Err)
	}
	e.said = now
}
