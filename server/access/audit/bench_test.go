package audit_test

import (
	"fmt"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// BenchmarkRecord takes entries of the kind that most are of, and makes them durable
// in a store in memory.
func BenchmarkRecord(b *testing.B) {
	trail := open(b, inMemory(b).Trail(), audit.Options{})
	digest := trail.Digest("CorrelationService.Seen", []byte("request"))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		record(b, trail, audit.Entry{
			Key: "els_aaaaaaaaaaaa", Role: "analyst", Method: "CorrelationService.Seen", Code: audit.CodeOK,
			Counts: map[string]uint64{"values": 1, "seen": 1, "sightings": 3},
			Content: &audit.Content{
				Request: "YEDS4MS5MQB2NSTFFRQUDZYCLT", Tenants: []string{"alder", "birch"}, Digest: digest,
				Values: []audit.Value{{Kind: "ip", Text: "104.161.20.102"}},
			},
		})
		if n++; n%1_000 == 0 {
			if err := trail.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDigest makes the digest of a request for one value, and for a thousand.
func BenchmarkDigest(b *testing.B) {
	s := signer(b, 1)
	for _, size := range []int{30, 30_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			request := make([]byte, size)
			for b.Loop() {
				s.Digest("CorrelationService.Seen", request)
			}
		})
	}
}
