package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// lookupCounts counts what third parties answered. It knows no values.
type lookupCounts struct{ total *prometheus.CounterVec }

func newLookupCounts() *lookupCounts {
	return &lookupCounts{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "elsewhere_enrich_lookups_total",
		Help: "Look-ups at third parties, by source and status (ok, no_data, not_looked_up, quota, error).",
	}, []string{"source", "status"})}
}

// count returns a source whose look-ups are counted.
func (c *lookupCounts) count(s enrich.Source) enrich.Source { return countedSource{s, c} }

type countedSource struct {
	enrich.Source
	counts *lookupCounts
}

// Lookup implements enrich.Source.
func (s countedSource) Lookup(ctx context.Context, v enrich.Value, purpose enrich.Purpose) enrich.Answer {
	a := s.Source.Lookup(ctx, v, purpose)
	s.counts.total.WithLabelValues(s.About().Name, a.Status.String()).Inc()
	return a
}

// enrichmentMetrics shows how old the data are and what is known by look-ups.
type enrichmentMetrics struct {
	*enrichment
	age, entries, values *prometheus.Desc
}

// metrics returns what the enrichment has to show to operators.
func (e *enrichment) metrics() []prometheus.Collector {
	return []prometheus.Collector{e.lookups.total, &enrichmentMetrics{
		enrichment: e,
		age:        prometheus.NewDesc("elsewhere_feed_age_seconds", "Time since the day of the data in use, by feed; feeds without a day are left out.", []string{"feed"}, nil),
		entries:    prometheus.NewDesc("elsewhere_feed_entries", "Entries of the data in use, by feed.", []string{"feed"}, nil),
		values:     prometheus.NewDesc("elsewhere_enrich_book_values", "Values whose class look-ups established.", nil, nil),
	}}
}

// Describe implements prometheus.Collector.
func (m *enrichmentMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.age
	ch <- m.entries
	ch <- m.values
}

// Collect implements prometheus.Collector.
func (m *enrichmentMetrics) Collect(ch chan<- prometheus.Metric) {
	shown := make(map[string]bool)
	for _, list := range m.data.Lists() {
		// An operator's database and one of a feed may have one name.
		if shown[list.Name] {
			continue
		}
		shown[list.Name] = true
		if day := list.Time(); !day.IsZero() {
			ch <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, max(0, time.Since(day).Seconds()), list.Name)
		}
		ch <- prometheus.MustNewConstMetric(m.entries, prometheus.GaugeValue, float64(list.Entries), list.Name)
	}
	ch <- prometheus.MustNewConstMetric(m.values, prometheus.GaugeValue, float64(m.book.Len()))
}
