package enrich_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// The cost of a record beside what local sources do: two sources, three fields,
// two claims.
func BenchmarkLocalRecord(b *testing.B) {
	day := time.Date(2026, 6, 17, 0, 0, 0, 0, time.UTC)
	asn := local("asn", func(enrich.Value) enrich.Answer {
		return enrich.Answer{Status: enrich.OK, Fields: []enrich.Field{
			{Name: enrich.FieldASN, Value: "53755", DataDate: day, Status: enrich.OK},
			{Name: enrich.FieldASOrg, Value: "Input Output Flood LLC", DataDate: day, Status: enrich.OK},
		}}
	})
	lists := local("lists", func(enrich.Value) enrich.Answer {
		return enrich.Answer{Status: enrich.OK, Claims: []enrich.Claim{
			{Class: enrich.ClassHosting, Source: "data-centre ASNs", Entry: "AS53755", DataDate: day},
			{Effect: enrich.Grades, Class: enrich.ClassVPN, Grade: .25, Source: "vpn-ipv4", Entry: "104.161.16.0/20", DataDate: day},
		}}
	})
	asn.quiet, lists.quiet = true, true
	e, err := enrich.New(enrich.Config{Sources: []enrich.Source{asn, lists}})
	if err != nil {
		b.Fatal(err)
	}
	values := make([]enrich.Value, 4096)
	for i := range values {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x14000000+uint32(i)*2654435761>>8)
		values[i] = enrich.AddressValue(netip.AddrFrom4(a))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := e.One(b.Context(), enrich.Ask{}, values[i%len(values)]); len(r.Fields) == 0 {
			b.Fatal("no fields")
		}
	}
}
