package server

import (
	"context"
	"time"

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

// Overview is what an operator wants to know of a service that begins.
type Overview struct {
	// Model is the version of the model in use.
	Model uint32
	// Feeds are in use, in order of precedence; Broken are those of which an older
	// version or none is, by name.
	Feeds  []FeedAge
	Broken []string
	// Keys are those that are taken.
	Keys int
}

// FeedAge is a feed with the day or month of its data; zero where that is not known.
type FeedAge struct {
	Name string
	Date time.Time
}

// Overview returns what the service begins with.
func (s *Server) Overview(ctx context.Context) (Overview, error) {
	o := Overview{Model: s.enrich.rules.Now().Model.Version(), Keys: s.access.keys.Taken()}
	feeds, err := s.enrich.Feeds(ctx)
	if err != nil {
		return Overview{}, err
	}
	for _, f := range feeds {
		switch f.Status {
		case rpc.FeedInUse, rpc.FeedOutdated:
			if f.Kind == rpc.FeedService {
				continue
			}
			// What has no date, or one in words, has no age.
			date, err := time.Parse(time.DateOnly, f.Date)
			if err != nil {
				date, _ = time.Parse("2006-01", f.Date)
			}
			o.Feeds = append(o.Feeds, FeedAge{f.Name, date})
		}
		if f.Status == rpc.FeedOutdated || f.Status == rpc.FeedUnusable {
			o.Broken = append(o.Broken, f.Name)
		}
	}
	return o, nil
}
