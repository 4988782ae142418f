package observe

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Store is what is asked of a backend when metrics are read. A backend may
// implement DiskSizer and Cacher as well.
type Store interface {
	graph.Reader
	// Backlog and Sweep are those of graph.Queue, Touched and Regrouping those of
	// graph.Grouper.
	Backlog(ctx context.Context, limit int) (int, time.Time, error)
	Sweep(ctx context.Context) (graph.Sweep, error)
	Touched(ctx context.Context, limit int) ([]graph.Touched, []graph.TouchMark, error)
	Regrouping(ctx context.Context) (graph.Regrouping, error)
}

// DiskSizer is a store that knows the room it takes.
type DiskSizer interface {
	// DiskSize returns the bytes of the sorted tables (LSM) and of the log of
	// long values. It may be a minute old.
	DiskSize() (lsm, valueLog int64)
}

// Cacher is a store that keeps what is asked for again.
type Cacher interface {
	// CacheStats returns the figures of the caches, by name.
	CacheStats() map[string]graph.CacheStats
}

// Bounds of one reading.
const (
	readWithin = 5 * time.Second
	// maxBacklog marks are counted; more are a long way from being current, and
	// how long is in the age of the oldest.
	maxBacklog = 100_000
)

// storeCollector reads a store anew for each reading of metrics.
type storeCollector struct {
	store                            Store
	backlog, age, sweep, cases, disk *prometheus.Desc
	lookups, cached, actors          *prometheus.Desc
}

// NewStoreCollector returns what a store has to show: the linker's backlog, live
// cases and, if the store is a DiskSizer or a Cacher, its size and its caches.
func NewStoreCollector(store Store) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &storeCollector{
		store:   store,
		backlog: desc("elsewhere_linker_backlog_marks", "Values whose links are not current; at most 100,000 are counted."),
		age:     desc("elsewhere_linker_backlog_oldest_age_seconds", "Time since the oldest mark was left; 0 without marks."),
		sweep:   desc("elsewhere_linker_sweep_pending", "1 while every value is looked at anew, else 0."),
		actors:  desc("elsewhere_actors_pending", "1 while there are cases whose actors are not current, else 0."),
		cases:   desc("elsewhere_store_live_cases", "Live cases in tenants of type customer."),
		disk:    desc("elsewhere_store_disk_bytes", "Room that the store takes, by part (lsm, value_log).", "part"),
		lookups: desc("elsewhere_store_cache_lookups_total", "Lookups in a cache of the store (profiles, values), by result (hit, miss).", "cache", "result"),
		cached:  desc("elsewhere_store_cache_bytes", "Memory that the entries of a cache take, by estimate.", "cache"),
	}
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.backlog, c.age, c.sweep, c.cases, c.disk, c.lookups, c.cached, c.actors} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is missing, and
// the reader of the metrics is told so.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if marks, oldest, err := c.store.Backlog(ctx, maxBacklog); err != nil {
		ch <- prometheus.NewInvalidMetric(c.backlog, err)
	} else {
		age := 0.0
		if !oldest.IsZero() {
			// A clock that was set back leaves marks of the future.
			age = max(0, time.Since(oldest).Seconds())
		}
		gauge(c.backlog, float64(marks))
		gauge(c.age, age)
	}
	if sweep, err := c.store.Sweep(ctx); err != nil {
		ch <- prometheus.NewInvalidMetric(c.sweep, err)
	} else {
		gauge(c.sweep, oneIf(sweep.Pending))
	}
	if pending, err := actorsPending(ctx, c.store); err != nil {
		ch <- prometheus.NewInvalidMetric(c.actors, err)
	} else {
		gauge(c.actors, oneIf(pending))
	}
	if n, err := liveCases(ctx, c.store); err != nil {
		ch <- prometheus.NewInvalidMetric(c.cases, err)
	} else {
		gauge(c.cases, float64(n))
	}
	if sizer, ok := c.store.(DiskSizer); ok {
		lsm, valueLog := sizer.DiskSize()
		gauge(c.disk, float64(lsm), "lsm")
		gauge(c.disk, float64(valueLog), "value_log")
	}
	if cacher, ok := c.store.(Cacher); ok {
		for name, stats := range cacher.CacheStats() {
			ch <- prometheus.MustNewConstMetric(c.lookups, prometheus.CounterValue, float64(stats.Hits), name, "hit")
			ch <- prometheus.MustNewConstMetric(c.lookups, prometheus.CounterValue, float64(stats.Misses), name, "miss")
			gauge(c.cached, float64(stats.Bytes), name)
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func actorsPending(ctx context.Context, store Store) (bool, error) {
	all, err := store.Regrouping(ctx)
	if err != nil || all.Pending {
		return all.Pending, err
	}
	_, listed, err := store.Touched(ctx, 1)
	return len(listed) > 0, err
}

func liveCases(ctx context.Context, store graph.Reader) (n uint32, err error) {
	err = store.View(ctx, func(s graph.Snapshot) (err error) {
		n, err = s.Size()
		return err
	})
	return n, err
}
