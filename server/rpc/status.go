package rpc

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// Vitals are how a deployment fares.
type Vitals struct {
	Started time.Time
	// LiveCases are those of tenants of type customer.
	LiveCases uint32
	// Backlog are values whose links are not current, the oldest since Oldest, and
	// Sweep says that every value is looked at anew.
	Backlog int
	Oldest  time.Time
	Sweep   bool
	// Tables and ValueLog are the bytes that the store takes, unless it is in Memory.
	Tables, ValueLog int64
	Memory           bool
	Caches           map[string]graph.CacheStats
	// Queues are how many wait, by queue.
	Queues map[string]int
}

// WhoAmI implements elsewherev1.AdminServiceServer.
func (s *Service) WhoAmI(ctx context.Context, _ *elsewherev1.WhoAmIRequest) (*elsewherev1.WhoAmIResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	version, _ := observe.Build()
	rules := s.rules.Now()
	res := elsewherev1.WhoAmIResponse_builder{ServiceVersion: version, ModelVersion: rules.Model.Version()}
	if viewer.LooksUp() || viewer.Administers() {
		res.FeedsVersion = rules.Classes.Version()
	}
	if viewer.IsOpen() {
		res.Open, res.AllTenants, res.Restricted = true, true, true
		return res.Build(), nil
	}
	key, ok := s.keys.Of(viewer)
	if !ok {
		return nil, toStatus(ctx, s.log, access.ErrEnded)
	}
	res.Role, res.Tenants, res.AllTenants, res.Restricted = elsewherev1.Role(key.Role), key.Tenants, key.AllTenants, key.Restricted
	res.KeyId, res.KeyPrefix, res.KeyName, res.ExpireTime = key.ID, key.Prefix(), key.Name, toTimestamp(key.Expires)
	return res.Build(), nil
}

// Stats implements elsewherev1.AdminServiceServer.
func (s *Service) Stats(ctx context.Context, _ *elsewherev1.StatsRequest) (*elsewherev1.StatsResponse, error) {
	v, err := s.vitals(ctx)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	version, _ := observe.Build()
	rules := s.rules.Now()
	res := elsewherev1.StatsResponse_builder{
		Time: toTimestamp(s.clock()), StartTime: toTimestamp(v.Started), ServiceVersion: version,
		ModelVersion: rules.Model.Version(), FeedsVersion: rules.Classes.Version(),
		LiveCases: v.LiveCases, Tenants: count32(s.tenants.Count()), Keys: count32(s.keys.Taken()),
		BacklogMarks: count32(v.Backlog), BacklogSince: toTimestamp(v.Oldest), SweepPending: v.Sweep,
		StoreBytes: bytes64(v.Tables + v.ValueLog), ValueLogBytes: bytes64(v.ValueLog), InMemory: v.Memory,
	}
	for _, name := range slices.Sorted(maps.Keys(v.Caches)) {
		c := v.Caches[name]
		res.Caches = append(res.Caches, elsewherev1.CacheStats_builder{Name: name, Hits: c.Hits, Misses: c.Misses, Bytes: bytes64(c.Bytes)}.Build())
	}
	for _, name := range slices.Sorted(maps.Keys(v.Queues)) {
		res.Queues = append(res.Queues, elsewherev1.QueueStats_builder{Name: name, Waiting: count32(v.Queues[name])}.Build())
	}
	return res.Build(), nil
}

func count32(n int) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

func bytes64(n int64) uint64 { return uint64(max(n, 0)) }
