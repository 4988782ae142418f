package access

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrTenantErasing is returned for a tenant that is being erased.
var ErrTenantErasing = errors.New("the tenant is being erased")

// Erasing says whether a tenant is being erased: then nobody makes it anew, and it
// takes no cases.
func (t *Tenants) Erasing(id string, is bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if is {
		t.erasing[id] = true
	} else {
		delete(t.erasing, id)
	}
}

// IsErasing reports whether a tenant is being erased.
func (t *Tenants) IsErasing(id string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.erasing[id]
}

// Remove takes the record of a tenant away, durably. That there is none is no error.
func (t *Tenants) Remove(ctx context.Context, id string) error {
	t.changes.Lock()
	defer t.changes.Unlock()
	// A time that is over removes.
	if err := t.store.Put(ctx, storedTenants+id, nil, time.Unix(1, 0)); err != nil {
		return err
	}
	t.mu.RLock()
	r := t.byID[id]
	t.mu.RUnlock()
	if r != nil {
		t.drop(r)
	}
	return nil
}

// Kept returns the tenants whose cases are kept for some days only, with the days.
func (t *Tenants) Kept() map[string]uint32 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	days := make(map[string]uint32)
	for id, r := range t.byID {
		if r.RetentionDays > 0 && !t.erasing[id] {
			days[id] = r.RetentionDays
		}
	}
	return days
}

// Naming returns how many keys name a tenant.
func (k *Keys) Naming(tenant string) (n uint64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, h := range k.byID {
		if slices.Contains(h.record.Tenants, tenant) {
			n++
		}
	}
	return n
}

// Strike takes a tenant off all keys, durably. A key that is for no other is revoked.
func (k *Keys) Strike(ctx context.Context, tenant string) error {
	k.changes.Lock()
	defer k.changes.Unlock()
	var named []*held
	k.mu.RLock()
	for _, h := range k.byID {
		if slices.Contains(h.record.Tenants, tenant) {
			named = append(named, h)
		}
	}
	k.mu.RUnlock()
	for _, h := range named {
		r := h.stored()
		r.Tenants = slices.DeleteFunc(slices.Clone(r.Tenants), func(id string) bool { return id == tenant })
		if len(r.Tenants) == 0 && !r.AllTenants && r.Revoked.IsZero() {
			r.Revoked = k.clock().UTC().Truncate(time.Second)
			r.Before, r.OverlapUntil = nil, time.Time{}
		}
		r.Revision++
		if _, err := k.write(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
