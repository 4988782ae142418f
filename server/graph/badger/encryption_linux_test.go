package badger

import (
	"bytes"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// cpuTime returns the processor time that this process has taken.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEncryption stores cases of 50 observables, opens the store again and reads
// them all, plain and encrypted. Beside the time it reports the processor time of
// both, which other work on the machine does not move as much.
func BenchmarkEncryption(b *testing.B) {
	const cases = 4_000
	for _, c := range []struct {
		name string
		key  []byte
	}{{"plain", nil}, {"aes256", bytes.Repeat([]byte{1}, 32)}} {
		b.Run(c.name, func(b *testing.B) {
			var write, read time.Duration
			for b.Loop() {
				o := encryptedWith(b.TempDir(), c.key)
				began := cpuTime(b)
				storeMany(b, o, cases)
				write += cpuTime(b) - began
				began = cpuTime(b)
				readAll(b, o, cases)
				read += cpuTime(b) - began
			}
			n := float64(b.N * cases)
			b.ReportMetric(float64(write.Microseconds())/n, "cpu-µs/write")
			b.ReportMetric(float64(read.Microseconds())/n, "cpu-µs/read")
		})
	}
}

func storeMany(b *testing.B, o Options, n int) {
	b.Helper()
	s := openWith(b, o)
	defer mustClose(b, s)
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			for i := w; i < n; i += 16 {
				c := someCase(fmt.Sprintf("t%d", i%50), fmt.Sprint(i))
				for j := range 50 {
					c.Findings[0].Observables = append(c.Findings[0].Observables, someCase("", "", address((i*31+j*j)%100_000)).Findings[0].Observables...)
				}
				if _, err := s.Submit(b.Context(), c, nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

func readAll(b *testing.B, o Options, want int) {
	b.Helper()
	s := openWith(b, o)
	defer mustClose(b, s)
	n := 0
	err := s.View(b.Context(), func(sn graph.Snapshot) error {
		for c, err := range sn.Cases("", evidence.Ref{}) {
			if err != nil {
				return err
			}
			n++
			if _, err := sn.Case(c.Ref); err != nil {
				return err
			}
			p, err := sn.Profile(c.Ref)
			if err != nil {
				return err
			}
			for i := range p.Sightings {
				if _, err := sn.Summary(p.Sightings[i].Value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil || n != want {
		b.Errorf("%d cases, %v", n, err)
	}
}
