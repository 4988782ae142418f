package access

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// Tenants are the records of the tenants. Create one with OpenTenants; it is safe
// for concurrent use.
type Tenants struct {
	store   Store
	log     *slog.Logger
	clock   func() time.Time
	changes sync.Mutex // held by who changes a record

	mu      sync.RWMutex
	byID    map[string]*Tenant // never changed, only exchanged
	aliases map[string]string  // alias to id
	unsaved map[string]bool    // made by a submit and not yet stored
	erasing map[string]bool
	// odd is the number of tenants that count otherwise than one each.
	odd    int
	egress int
	signal chan struct{}
}

// Errors of who changes tenants.
var (
	// ErrNoTenant is returned for a tenant that does not exist.
	ErrNoTenant = errors.New("no such tenant")
	// ErrTenantExists is returned for an id or an alias that is taken.
	ErrTenantExists = errors.New("the id or an alias belongs to a tenant")
	// ErrTenantRevision is returned where a record is not at the expected revision.
	ErrTenantRevision = errors.New("the tenant's record is at another revision")
	// ErrTenantClosed is returned for a case of a tenant that takes none.
	ErrTenantClosed = errors.New("the tenant is closed and takes no cases")
)

// OpenTenants reads the tenants of a store. clock is time.Now when nil.
func OpenTenants(ctx context.Context, store Store, log *slog.Logger, clock func() time.Time) (*Tenants, error) {
	if clock == nil {
		clock = time.Now
	}
	t := &Tenants{
		store: store, log: log, clock: clock, byID: make(map[string]*Tenant), aliases: make(map[string]string),
		unsaved: make(map[string]bool), erasing: make(map[string]bool), signal: make(chan struct{}, 1),
	}
	for entry, err := range store.Scan(ctx, storedTenants) {
		if err != nil {
			return nil, err
		}
		var r tenantRecord
		if err := readRecord(entry.Data, &r); err != nil {
			return nil, err
		}
		t.put(&r.Tenant)
	}
	return t, nil
}

// put takes a record into use. It is for who holds the lock.
func (t *Tenants) put(r *Tenant) {
	if old := t.byID[r.ID]; old != nil {
		for _, alias := range old.Aliases {
			delete(t.aliases, alias)
		}
		t.count(old, -1)
	}
	t.byID[r.ID] = r
	for _, alias := range r.Aliases {
		t.aliases[alias] = r.ID
	}
	t.count(r, 1)
}

func (t *Tenants) count(r *Tenant, by int) {
	if !r.counts() || r.Group != "" {
		t.odd += by
	}
	if len(r.Egress) > 0 {
		t.egress += by
	}
}

// Get returns a tenant by its id or an alias.
func (t *Tenants) Get(name string) (Tenant, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.find(name); r != nil {
		return *r, true
	}
	return Tenant{}, false
}

func (t *Tenants) find(name string) *Tenant {
	if r := t.byID[name]; r != nil {
		return r
	}
	return t.byID[t.aliases[name]]
}

// Resolve returns the id of a tenant that is named by id or alias. A name that
// nobody has stays as it is.
func (t *Tenants) Resolve(name string) string {
	if t == nil {
		return name
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if id, ok := t.aliases[name]; ok {
		return id
	}
	return name
}

// Trust is what a tenant's evidence is worth, 0 to 1.
func (t *Tenants) Trust(id string) float64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.byID[id]; r != nil {
		return r.Trust
	}
	return 1
}

// Ceiling is a tenant's own ceiling, "" if it has none.
func (t *Tenants) Ceiling(id string) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.byID[id]; r != nil {
		return r.TLPCeiling
	}
	return ""
}

// Egress reports whether tenants have addresses of their own within a prefix.
func (t *Tenants) Egress(p netip.Prefix) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.egress == 0 {
		return false
	}
	for _, r := range t.byID {
		if slices.ContainsFunc(r.Egress, p.Overlaps) {
			return true
		}
	}
	return false
}

// EgressPrefixes returns the networks from which tenants come, sorted.
func (t *Tenants) EgressPrefixes() []netip.Prefix {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []netip.Prefix
	for _, r := range t.byID {
		all = append(all, r.Egress...)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}

// CountsInSize reports whether a tenant's cases are ones of customers. It never
// changes for a tenant that has cases.
func (t *Tenants) CountsInSize(id string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.byID[id]; r != nil {
		return r.counts()
	}
	return !strings.HasPrefix(id, reportsPrefix)
}

// owner is who is counted where tenants are not named: a tenant, or the group that it
// is one of. The zero owner is nobody.
type owner struct {
	name  string
	group bool
}

// owner returns who is counted for a tenant.
func (t *Tenants) owner(id string) owner {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.byID[id]
	switch {
	case r == nil && strings.HasPrefix(id, reportsPrefix), r != nil && !r.counts():
		return owner{}
	case r == nil || r.Group == "":
		return owner{name: id}
	}
	return owner{r.Group, true}
}

// plainCounts reports whether every tenant counts as one.
func (t *Tenants) plainCounts() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.odd == 0
}

// Known makes a tenant unless there is one. It is for the way of a case into a
// store without keys, so it waits for nothing: Run stores the record.
func (t *Tenants) Known(id string) {
	t.mu.RLock()
	known := t.byID[id] != nil
	t.mu.RUnlock()
	if known {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[id] != nil {
		return
	}
	// A case that came under an alias has been resolved; an id that is an alias
	// of somebody else is never made.
	if _, taken := t.aliases[id]; taken || t.erasing[id] {
		return
	}
	r := newTenant(id, t.clock())
	t.put(&r)
	t.unsaved[id] = true
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

// saveEvery gathers the records of tenants that cases make.
const saveEvery = 200 * time.Millisecond

// Run stores the records of tenants that cases have made, until ctx ends, and once
// more then.
func (t *Tenants) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			t.save(context.WithoutCancel(ctx))
			return
		case <-t.signal:
		}
		if err := t.save(ctx); err != nil {
			t.log.WarnContext(ctx, "records of tenants are not stored yet", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(saveEvery):
		}
	}
}

func (t *Tenants) save(ctx context.Context) error {
	t.mu.RLock()
	ids := make([]string, 0, len(t.unsaved))
	for id := range t.unsaved {
		ids = append(ids, id)
	}
	t.mu.RUnlock()
	for _, id := range ids {
		if err := t.saveOne(ctx, id); err != nil {
			select {
			case t.signal <- struct{}{}:
			default:
			}
			return err
		}
	}
	return nil
}

func (t *Tenants) saveOne(ctx context.Context, id string) error {
	t.changes.Lock()
	defer t.changes.Unlock()
	t.mu.RLock()
	r := t.byID[id]
	t.mu.RUnlock()
	if r == nil {
		return nil // removed since
	}
	return t.write(ctx, r)
}

// write stores a record and takes it into use. Who calls it holds changes.
func (t *Tenants) write(ctx context.Context, r *Tenant) error {
	data, err := json.Marshal(tenantRecord{recordVersion, *r})
	if err != nil {
		return err
	}
	audit.Mention(ctx, "", r.ID)
	if err := t.store.Put(ctx, storedTenants+r.ID, data, time.Time{}); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(r)
	delete(t.unsaved, r.ID)
	return nil
}

// Create makes a tenant, durable when it returns.
func (t *Tenants) Create(ctx context.Context, r Tenant) (Tenant, error) {
	fresh := newTenant(r.ID, t.clock())
	if r.Type == 0 {
		r.Type = fresh.Type
	}
	if r.State == 0 {
		r.State = Active
	}
	r.Created, r.Revision, r.Unsettled = fresh.Created, 1, false
	r.Aliases, r.Egress = slices.Clone(r.Aliases), slices.Clone(r.Egress)
	if err := r.check(); err != nil {
		return Tenant{}, err
	}
	t.changes.Lock()
	defer t.changes.Unlock()
	if err := t.claim(&r, true); err != nil {
		return Tenant{}, err
	}
	if err := t.write(ctx, &r); err != nil {
		t.drop(&r)
		return Tenant{}, err
	}
	return r, nil
}

// drop forgets a tenant that could not be stored.
func (t *Tenants) drop(r *Tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(r, -1)
	delete(t.byID, r.ID)
	delete(t.unsaved, r.ID)
	for _, alias := range r.Aliases {
		delete(t.aliases, alias)
	}
}

// claim reports whether the names of a tenant are nobody else's. It holds the id
// of a new one, so that no case makes it meanwhile.
func (t *Tenants) claim(r *Tenant, isNew bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.erasing[r.ID] {
		return ErrTenantErasing
	}
	if _, alias := t.aliases[r.ID]; alias || isNew && t.byID[r.ID] != nil {
		return ErrTenantExists
	}
	for _, alias := range r.Aliases {
		if owner, taken := t.aliases[alias]; taken && owner != r.ID || t.byID[alias] != nil {
			return ErrTenantExists
		}
	}
	if isNew {
		t.put(r)
		t.unsaved[r.ID] = true
	}
	return nil
}

// Update changes a tenant by a function, which is given its record by id or alias
// and may not change what is fixed. It is durable when it returns. Whether the
// trust changed says Tenant.Unsettled.
func (t *Tenants) Update(ctx context.Context, name string, expected *uint32, change func(*Tenant) error) (Tenant, error) {
	t.changes.Lock()
	defer t.changes.Unlock()
	old, ok := t.Get(name)
	if !ok {
		return Tenant{}, ErrNoTenant
	}
	if expected != nil && *expected != old.Revision {
		return Tenant{}, ErrTenantRevision
	}
	r := old
	r.Aliases, r.Egress = slices.Clone(old.Aliases), slices.Clone(old.Egress)
	if err := change(&r); err != nil {
		return Tenant{}, err
	}
	r.ID, r.Type, r.Created, r.Revision = old.ID, old.Type, old.Created, old.Revision+1
	r.Unsettled = old.Unsettled || r.Trust != old.Trust
	if err := r.check(); err != nil {
		return Tenant{}, err
	}
	if err := t.claim(&r, false); err != nil {
		return Tenant{}, err
	}
	return r, t.write(ctx, &r)
}

// Settled says that all values of a tenant were marked since the given revision.
func (t *Tenants) Settled(ctx context.Context, id string, revision uint32) error {
	t.changes.Lock()
	defer t.changes.Unlock()
	r, ok := t.Get(id)
	if !ok || r.Revision != revision {
		return nil
	}
	r.Unsettled = false
	return t.write(ctx, &r)
}

// Unsettled returns the tenants whose values are still to be marked.
func (t *Tenants) Unsettled() []Tenant {
	return t.list("", func(r *Tenant) bool { return r.Unsettled })
}

// Count returns how many tenants there are.
func (t *Tenants) Count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byID)
}

// List returns the tenants after an id, in order of id, at most limit.
func (t *Tenants) List(after string, limit int) []Tenant {
	all := t.list(after, func(*Tenant) bool { return true })
	return all[:min(len(all), limit)]
}

func (t *Tenants) list(after string, want func(*Tenant) bool) []Tenant {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []Tenant
	for id, r := range t.byID {
		if id > after && want(r) {
			all = append(all, *r)
		}
	}
	slices.SortFunc(all, func(x, y Tenant) int { return strings.Compare(x.ID, y.ID) })
	return all
}
