package badger_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// typical is a case of 50 observables, a few of which others have too.
func typical(i int) *evidence.Case {
	start := time.Date(2022, time.December, 2, 0, 0, 0, 0, time.UTC)
	c := &evidence.Case{
		Ref:   evidence.Ref{Tenant: fmt.Sprintf("tenant-%d", i%200), Case: fmt.Sprintf("IR-2022-%06d", i)},
		Title: "Mailbox compromise", Kind: "bec", State: evidence.Closed, TLP: evidence.TLPAmber, EvidenceFrom: start,
	}
	for f := range 5 {
		finding := evidence.Finding{
			ID: fmt.Sprint("f", f), Technique: fmt.Sprintf("T1%03d", f), Operation: "UserLoggedIn", Outcome: evidence.Succeeded,
			FirstSeen: start.AddDate(0, 0, i%300), LastSeen: start.AddDate(0, 0, i%300+20), Count: 12,
			Summary: "Sign-ins from addresses of a hosting provider",
		}
		for o := range 10 {
			n := i*50 + f*10 + o
			if o == 0 {
				n = i % 1000 * 7
			}
			v := evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("%d.%d.%d.%d", 20+n>>24&127, n>>16&255, n>>8&255, n&255)}
			if o%3 == 1 {
				v = evidence.Value{Kind: evidence.KindHostname, Text: fmt.Sprintf("host-%d.example-%d.com", n, n%5000)}
			}
			finding.Observables = append(finding.Observables, evidence.Observable{
				Value: v, Roles: []string{evidence.RoleLoginSource}, Count: 3,
				FirstSeen: finding.FirstSeen, LastSeen: finding.LastSeen,
				Facts: []evidence.Fact{{Name: "port", Value: "3389", Source: "scan", ObservedAt: start}},
			})
		}
		c.Findings = append(c.Findings, finding)
	}
	return c
}

// benchmarkClients runs f from that many goroutines, with numbers that no two
// calls share.
func benchmarkClients(b *testing.B, clients int, f func(i int) error) {
	var next atomic.Int64
	b.SetParallelism((clients + 1) / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(int(next.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cases/s")
}

// BenchmarkSubmit submits cases of 50 observables, durably. Raw is the same
// number of keys and bytes written by a Badger transaction with SyncWrites for
// each request, without a read: what the store would cost without groups.
func BenchmarkSubmit(b *testing.B) {
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("Store/clients=%d", clients), func(b *testing.B) {
			s := open(b, badger.Options{Dir: b.TempDir()})
			defer s.Close()
			benchmarkClients(b, clients, func(i int) error {
				_, err := s.Submit(b.Context(), typical(i), nil)
				return err
			})
		})
		b.Run(fmt.Sprintf("Raw/clients=%d", clients), func(b *testing.B) {
			o := dgraph.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithLogger(nil).WithCompression(options.None)
			db, err := dgraph.Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			benchmarkClients(b, clients, func(i int) error {
				return db.Update(func(txn *dgraph.Txn) error {
					for k := range 50 {
						if err := txn.Set(fmt.Appendf(nil, "posting %d %d and the place of the case", i, k), make([]byte, 8)); err != nil {
							return err
						}
						if err := txn.Set(fmt.Appendf(nil, "value %d %d", i, k), make([]byte, 60)); err != nil {
							return err
						}
					}
					return txn.Set(fmt.Appendf(nil, "case %d", i), make([]byte, 5000))
				})
			})
		})
	}
}

func filled(b *testing.B, cases int) *badger.Store {
	s := open(b, badger.Options{Dir: b.TempDir()})
	b.Cleanup(func() { s.Close() })
	next := make(chan int, 64)
	done := make(chan error, 16)
	for range cap(done) {
		go func() {
			var failed error
			for i := range next {
				if _, err := s.Submit(b.Context(), typical(i), nil); err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	for i := range cases {
		next <- i
	}
	close(next)
	for range cap(done) {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkRead(b *testing.B) {
	s := filled(b, 20_000)
	values := make([][]evidence.Value, 1000)
	for i := range values {
		for _, sg := range typical(i * 17).Profile().Sightings {
			values[i] = append(values[i], sg.Value)
		}
	}
	inView := func(b *testing.B, f func(sn graph.Snapshot, i int) error) {
		err := s.View(b.Context(), func(sn graph.Snapshot) error {
			for i := 0; b.Loop(); i++ {
				if err := f(sn, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Summary", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := sn.Summary(values[i%1000][i%40])
			return err
		})
	})
	b.Run("SummaryUncached", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := badger.Uncached(sn).Summary(values[i%1000][i%40])
			return err
		})
	})
	// The same values read as they are stored: what a Summary is to be compared with.
	b.Run("SummaryRaw", func(b *testing.B) {
		b.StopTimer()
		keys := make([][]byte, 0, 40_000)
		for _, vs := range values {
			for _, v := range vs[:40] {
				keys = append(keys, badger.RecordKey(v))
			}
		}
		b.StartTimer()
		inView(b, func(sn graph.Snapshot, i int) error {
			return badger.RawGet(sn, keys[i%1000*40+i%40])
		})
	})
	b.Run("SummaryUnknown", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := sn.Summary(evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("9.9.%d.%d", i>>8&255, i&255)})
			return err
		})
	})
	b.Run("Representatives", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := sn.Representatives(values[i%1000][i%40])
			return err
		})
	})
	b.Run("Profile", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := sn.Profile(typicalRef(i * 31 % 20_000))
			return err
		})
	})
	b.Run("Case", func(b *testing.B) {
		inView(b, func(sn graph.Snapshot, i int) error {
			_, err := sn.Case(typicalRef(i * 31 % 20_000))
			return err
		})
	})
	b.Run("View", func(b *testing.B) {
		for b.Loop() {
			if err := s.View(b.Context(), func(graph.Snapshot) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func typicalRef(i int) evidence.Ref {
	return evidence.Ref{Tenant: fmt.Sprintf("tenant-%d", i%200), Case: fmt.Sprintf("IR-2022-%06d", i)}
}
