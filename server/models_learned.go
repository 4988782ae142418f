package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/learn"
)

// learnedPrefix is where is kept of which tenants the judged cases were that a
// version was learned from: the version and the tenant follow. Nothing depends on it
// but what a receipt says when the tenant is erased.
const learnedPrefix = "model/learned/"

func learnedKey(version uint32, tenant string) string {
	return numbered(learnedPrefix, version) + "/" + tenant
}

// noteTenants keeps whose cases a version was learned from.
func (m *models) noteTenants(ctx context.Context, version uint32, judged []learn.Judged) error {
	noted := make(map[string]bool)
	for _, j := range judged {
		for _, tenant := range []string{j.A.Tenant, j.B.Tenant} {
			if noted[tenant] {
				continue
			}
			noted[tenant] = true
			if err := m.keeper.Put(ctx, learnedKey(version, tenant), []byte{1}, time.Time{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// learnedFrom returns the versions that were learned from a tenant's cases, the
// oldest first.
func (m *models) learnedFrom(ctx context.Context, tenant string) ([]uint32, error) {
	var versions []uint32
	for entry, err := range m.keeper.Scan(ctx, learnedPrefix) {
		if err != nil {
			return nil, err
		}
		number, of, _ := strings.Cut(strings.TrimPrefix(entry.Key, learnedPrefix), "/")
		if of != tenant {
			continue
		}
		var version uint32
		if _, err := fmt.Sscanf(number, "%d", &version); err != nil {
			return nil, fmt.Errorf("kept entry %s: %w", entry.Key, err)
		}
		versions = append(versions, version)
	}
	return versions, nil
}

// forgetTenant drops that versions were learned from a tenant's cases.
func (m *models) forgetTenant(ctx context.Context, tenant string) error {
	versions, err := m.learnedFrom(ctx, tenant)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := m.keeper.Put(ctx, learnedKey(v, tenant), nil, time.Unix(1, 0)); err != nil {
			return err
		}
	}
	return nil
}
