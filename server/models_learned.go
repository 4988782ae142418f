package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/learn"
)

// learnedPrefix is where is kept of which tenants the judged cases were that a
// version was learned from: the version and the number of a part follow. Nothing
// depends on it but what a receipt says when the tenant is erased.
const learnedPrefix = "model/learned/"

// learnedTogether is how many tenants one part names, which has to fit an entry.
const learnedTogether = 500

// noteTenants keeps whose cases a version was learned from.
func (m *models) noteTenants(ctx context.Context, version uint32, judged []learn.Judged) error {
	of := make(map[string]bool)
	for _, j := range judged {
		of[j.A.Tenant], of[j.B.Tenant] = true, true
	}
	n := 0
	for part := range slices.Chunk(slices.Sorted(maps.Keys(of)), learnedTogether) {
		if err := m.noteLearned(ctx, fmt.Sprintf("%s/%d", numbered(learnedPrefix, version), n), part); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (m *models) noteLearned(ctx context.Context, key string, tenants []string) error {
	data, err := json.Marshal(tenants)
	if err != nil {
		return err
	}
	var until time.Time
	if len(tenants) == 0 {
		until = time.Unix(1, 0)
	}
	return m.keeper.Put(ctx, key, data, until)
}

// learnedBy calls f with the parts that name a tenant.
func (m *models) learnedBy(ctx context.Context, tenant string, f func(entry graph.Kept, tenants []string) error) error {
	for entry, err := range m.keeper.Scan(ctx, learnedPrefix) {
		if err != nil {
			return err
		}
		var of []string
		if err := json.Unmarshal(entry.Data, &of); err != nil {
			return fmt.Errorf("kept entry %s: %w", entry.Key, err)
		}
		if !slices.Contains(of, tenant) {
			continue
		}
		if err := f(entry, of); err != nil {
			return err
		}
	}
	return nil
}

// learnedFrom returns the versions that were learned from a tenant's cases, the
// oldest first.
func (m *models) learnedFrom(ctx context.Context, tenant string) (versions []uint32, err error) {
	err = m.learnedBy(ctx, tenant, func(entry graph.Kept, _ []string) error {
		var version uint32
		if _, err := fmt.Sscanf(strings.TrimPrefix(entry.Key, learnedPrefix), "%d/", &version); err != nil {
			return fmt.Errorf("kept entry %s: %w", entry.Key, err)
		}
		versions = append(versions, version)
		return nil
	})
	return slices.Compact(versions), err
}

// forgetTenant drops that versions were learned from a tenant's cases.
func (m *models) forgetTenant(ctx context.Context, tenant string) error {
	return m.learnedBy(ctx, tenant, func(entry graph.Kept, tenants []string) error {
		return m.noteLearned(ctx, entry.Key, slices.DeleteFunc(tenants, func(id string) bool { return id == tenant }))
	})
}
