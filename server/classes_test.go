package server_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// BenchmarkClasses asks what addresses are, as a score does: new ones, and the
// same again.
func BenchmarkClasses(b *testing.B) {
	data, _, err := local.Open(local.Options{})
	if err != nil {
		b.Fatal(err)
	}
	book, err := enrich.OpenBook(b.Context(), new(enrich.Memory), nil)
	if err != nil {
		b.Fatal(err)
	}
	classes := server.Classes(data.Table(), book)
	random := rand.New(rand.NewPCG(1, 1))
	values := make([]evidence.Value, 1<<20)
	for i := range values {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], random.Uint32())
		values[i] = evidence.Value{Kind: evidence.KindIP, Text: netip.AddrFrom4(a).String()}
	}
	for name, distinct := range map[string]int{"new": len(values), "again": 4 << 10} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				classes.Class(values[i%distinct])
			}
		})
	}
}
