package observe

import "github.com/prometheus/client_golang/prometheus"

// Queue is something that waits inside the service.
type Queue struct {
	// Name is the value of the label queue.
	Name string
	// Depth returns how many wait now. It is called from any goroutine.
	Depth func() int
}

// NewQueues returns how deep queues are, as elsewhere_queue_depth.
func NewQueues(queues ...Queue) prometheus.Collector { return queueCollector(queues) }

type queueCollector []Queue

func (queueCollector) desc() *prometheus.Desc {
	return prometheus.NewDesc("elsewhere_queue_depth",
		"What waits: cases for their turn (submit), cases at the store (storing), changes for the one writer (writer).", []string{"queue"}, nil)
}

// Describe implements prometheus.Collector.
func (c queueCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc() }

// Collect implements prometheus.Collector.
func (c queueCollector) Collect(ch chan<- prometheus.Metric) {
	for _, q := range c {
		ch <- prometheus.MustNewConstMetric(c.desc(), prometheus.GaugeValue, float64(q.Depth()), q.Name)
	}
}
