package server

import (
	"context"

	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/observe"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// maxBacklog marks are counted for who asks how the service fares.
const maxBacklog = 100_000

// vitals are how the service fares, from what metrics are made of too.
func (s *Server) vitals(ctx context.Context) (rpc.Vitals, error) {
	v := rpc.Vitals{Started: s.started, Memory: s.memory, Queues: make(map[string]int)}
	var err error
	if v.Backlog, v.Oldest, err = s.store.Backlog(ctx, maxBacklog); err != nil {
		return rpc.Vitals{}, err
	}
	sweep, err := s.store.Sweep(ctx)
	if err != nil {
		return rpc.Vitals{}, err
	}
	v.Sweep = sweep.Pending
	err = s.store.View(ctx, func(snap graph.Snapshot) (err error) {
		v.LiveCases, err = snap.Size()
		return err
	})
	if err != nil {
		return rpc.Vitals{}, err
	}
	if sizer, ok := s.store.(observe.DiskSizer); ok {
		v.Tables, v.ValueLog = sizer.DiskSize()
	}
	if cacher, ok := s.store.(observe.Cacher); ok {
		v.Caches = cacher.CacheStats()
	}
	for _, q := range s.queues() {
		v.Queues[q.Name] = q.Depth()
	}
	return v, nil
}
