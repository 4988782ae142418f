package link

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// investigations are made-up cases as an investigation has them: a handful of
// addresses and names, and no mail rule.
func investigations(n int) *city {
	r := rand.New(rand.NewPCG(1, 2))
	c := &city{size: 5000, by: make(map[evidence.Ref]*evidence.Profile), on: make(map[evidence.Value][]*evidence.Profile)}
	for i := range n {
		p := &evidence.Profile{Ref: evidence.Ref{Tenant: fmt.Sprintf("t%d", i%(n/2)), Case: fmt.Sprint(i)}, Kind: "bec", Live: true}
		p.First = time.Date(2024, 1, 1+r.IntN(300), 0, 0, 0, 0, time.UTC)
		p.Last = p.First.AddDate(0, 0, r.IntN(20))
		values := make(map[evidence.Value]string)
		for range 3 + r.IntN(8) {
			k := int(float64(40*n) * r.Float64() * r.Float64() * r.Float64())
			values[ip(fmt.Sprintf("70.%d.%d.%d", k>>9&255, k>>1&255, k&1))] = evidence.RoleLoginSource
		}
		for range 2 + r.IntN(6) {
			k := int(float64(20*n) * r.Float64() * r.Float64() * r.Float64())
			values[evidence.Value{Kind: evidence.KindHostname, Text: fmt.Sprintf("h%d.d%d.example", k&7, k>>3)}] = evidence.RoleReferenced
		}
		values[ip(fmt.Sprintf("99.9.%d.9", r.IntN(8)))] = evidence.RoleLoginSource
		for v, role := range values {
			p.Sightings = append(p.Sightings, evidence.Sighting{Value: v, Roles: []string{role}, First: p.First, Last: p.Last})
		}
		slices.SortFunc(p.Sightings, func(x, y evidence.Sighting) int { return x.Compare(y.Value) })
		c.cases = append(c.cases, p)
	}
	slices.SortFunc(c.cases, func(x, y *evidence.Profile) int { return x.Compare(y.Ref) })
	for _, p := range c.cases {
		c.by[p.Ref] = p
		for _, s := range p.Sightings {
			c.on[s.Value] = append(c.on[s.Value], p)
		}
	}
	return c
}

func eachModel(b *testing.B, f func(*testing.B, *Model)) {
	for _, m := range models() {
		b.Run(fmt.Sprint("version ", m.version), func(b *testing.B) { f(b, m) })
	}
}

var benchmarkCaps = Caps{CandidateTenants: 64, ExplainingTenants: 4, ExplainingCases: 256, ScoringTenants: 512}

// BenchmarkScore compares pairs that have been compared before: all of it is
// arithmetic.
func BenchmarkScore(b *testing.B) {
	c := investigations(200)
	eachModel(b, func(b *testing.B, m *Model) {
		s, err := NewScorer(m, benchmarkCaps, c, plain{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		i := 0
		for b.Loop() {
			i++
			if _, err := s.Score(c.cases[i%200], c.cases[(i*7+1+i/200)%200]); err != nil && err != ErrSameCase {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCandidates scores a case against all that share something with it, with a
// scorer that knows nothing yet, as a submit does.
func BenchmarkCandidates(b *testing.B) {
	c := investigations(400)
	corpus := &remembered{city: c, spread: make(map[evidence.Value][2]uint32), refs: make(map[evidence.Value][]evidence.Ref)}
	for v := range c.on {
		tenants, cases, _ := c.Spread(v)
		corpus.spread[v] = [2]uint32{tenants, cases}
		corpus.refs[v], _ = (&capped{c, 64}).Representatives(v)
	}
	eachModel(b, func(b *testing.B, m *Model) {
		sides := NewSides(1024)
		i, found := 0, 0
		for b.Loop() {
			i++
			s, err := NewScorer(m, benchmarkCaps, corpus, plain{}, sides)
			if err != nil {
				b.Fatal(err)
			}
			for range s.Candidates(c.cases[i%400], false, Lead, func(evidence.Ref) bool { return true }) {
				found++
			}
		}
		b.ReportMetric(float64(found)/float64(i), "found/op")
	})
}

// BenchmarkWorld scores every pair of a corpus.
func BenchmarkWorld(b *testing.B) {
	c := investigations(2000)
	eachModel(b, func(b *testing.B, m *Model) {
		for b.Loop() {
			w := NewWorld(m, benchmarkCaps, maxRepresentatives, plain{}, 2000)
			for v := range c.on {
				if tenants, cases, _ := c.Spread(v); tenants >= 2 {
					w.AddValue(v, tenants, cases)
				} else if tenants == 1 {
					w.AddAlone(v)
				}
			}
			for i, p := range c.cases {
				w.AddCase(p, uint32(i), 1)
			}
			if err := w.Seal(1); err != nil {
				b.Fatal(err)
			}
			s := w.Scorer()
			for i := range w.Cases() {
				for _, err := range s.PairsOf(i) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	})
}

// plain classes addresses as hosting, each system as common as the next.
type plain struct{}

func (plain) Version() string { return "plain" }

func (plain) Class(v evidence.Value) Class {
	if v.Kind != evidence.KindIP {
		return Class{}
	}
	sum := uint32(0)
	for _, b := range []byte(v.Text[:len(v.Text)-3]) {
		sum = sum*31 + uint32(b)
	}
	return Class{Name: ClassHosting, ASN: 1 + sum%300}
}

// remembered is a city that answers from memory.
type remembered struct {
	*city
	spread map[evidence.Value][2]uint32
	refs   map[evidence.Value][]evidence.Ref
}

func (c *remembered) Spread(v evidence.Value) (tenants, cases uint32, err error) {
	n := c.spread[v]
	return n[0], n[1], nil
}

func (c *remembered) Representatives(v evidence.Value) ([]evidence.Ref, error) { return c.refs[v], nil }
