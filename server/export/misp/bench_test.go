package misp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// indicators yields n addresses, made while they are walked.
func indicators(n int) func(yield func(export.Item, error) bool) {
	return func(yield func(export.Item, error) bool) {
		i := item(evidence.KindIP, "")
		for k := range n {
			i.Value.Text = fmt.Sprintf("10.%d.%d.%d", k>>16, k>>8&255, k&255)
			i.Written = i.Value.Text
			if !yield(i, nil) {
				return
			}
		}
	}
}

// BenchmarkWrite writes 100,000 indicators as an event. The baseline reads them and
// encodes each as it is.
func BenchmarkWrite(b *testing.B) {
	const n = 100_000
	large := bundle()
	large.Items = indicators(n)
	b.Run("baseline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out := json.NewEncoder(io.Discard)
			for i, err := range large.Items {
				if err == nil {
					err = out.Encode(&i)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("event", func(b *testing.B) {
		b.ReportAllocs()
		var peak heapWatch
		runtime.GC()
		before := peak.sample()
		for b.Loop() {
			if err := misp.Write(b.Context(), &peak, large, misp.Options{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(peak.heap-min(before, peak.heap))/(1<<20), "peak-MB")
	})
}

// heapWatch takes what is written and remembers the largest heap it saw.
type heapWatch struct {
	writes int
	heap   uint64
}

func (h *heapWatch) sample() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap = max(h.heap, m.HeapAlloc)
	return m.HeapAlloc
}

// Write implements io.Writer.
func (h *heapWatch) Write(b []byte) (int, error) {
	if h.writes++; h.writes%64 == 0 {
		h.sample()
	}
	return len(b), nil
}
