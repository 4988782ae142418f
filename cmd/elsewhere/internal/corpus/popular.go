package corpus

import (
	"fmt"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// popularValues is how many observables a case of Popular has.
const popularValues = 5

// popularEvery is the time between two of them; 100,000 take less than three
// years.
const popularEvery = 15 * time.Minute

// Popular returns case i of a series whose cases share one value and, but for
// chance, nothing else. Case i is in tenant i modulo Tenants.
func (g Generator) Popular(i int) *elsewherev1.Case {
	g = g.orDefaults()
	r := g.stream(streamPopular, uint64(i)+1)
	first := began().Add(time.Duration(i) * popularEvery)
	w := writer{
		Generator: g, r: r, i: i, first: first, last: first.Add(meanDwell),
		values: make(map[string]bool, popularValues), alone: true,
	}
	shared := value{"ip", address(g.stream(streamPopular, 0)), "login_source"}
	b := frame(w.first, w.last)
	b.Tenant, b.Id = fmt.Sprintf("tenant-%05d", i%g.Tenants), caseID(w.last, i)
	b.Findings = w.findings(popularValues-1, shared)
	return b.Build()
}
