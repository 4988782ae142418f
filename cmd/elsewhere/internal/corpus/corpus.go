// Package corpus makes up cases of mailbox compromise in any number, for
// measurements: a few values are in very many tenants, most are in one case, and
// actors work through tenants in campaigns whose infrastructure drifts.
//
// It knows the wire schema and what cases look like; it must not know a server
// or how links are weighed. Nothing in it is observed: addresses are drawn at
// random, and names end in .example.
package corpus

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Defaults of a Generator.
const (
	DefaultTenants       = 1_000
	DefaultValuesPerCase = 20
)

// MaxValuesPerCase keeps the largest case, half as large again as the mean,
// within the service's limit of 10,000 observables.
const MaxValuesPerCase = 5_000

// MaxTenants keeps the numbers of tenants at five digits.
const MaxTenants = 100_000

// Generator describes a corpus. Case i depends on the fields other than Cases
// and on i alone, so a shorter corpus is the beginning of a longer one, and
// cases can be made in any order. Equal generators make equal cases.
type Generator struct {
	Seed  uint64
	Cases int
	// Tenants is how many tenants there are, DefaultTenants if 0, at most
	// MaxTenants. Their numbers of cases follow Zipf's law.
	Tenants int
	// ValuesPerCase is the mean number of observables of a case,
	// DefaultValuesPerCase if 0, at most MaxValuesPerCase.
	ValuesPerCase int
	// Exact gives every case ValuesPerCase observables, instead of between half
	// and one and a half times as many.
	Exact bool
}

func (g Generator) orDefaults() Generator {
	if g.Tenants <= 0 {
		g.Tenants = DefaultTenants
	}
	if g.ValuesPerCase <= 0 {
		g.ValuesPerCase = DefaultValuesPerCase
	}
	g.Tenants = min(g.Tenants, MaxTenants)
	g.ValuesPerCase = min(g.ValuesPerCase, MaxValuesPerCase)
	return g
}

// All yields the cases in order. It holds none of them.
func (g Generator) All() iter.Seq[*elsewherev1.Case] { return g.From(0, g.Cases) }

// From yields n cases from case i on, which may lie behind Cases.
func (g Generator) From(i, n int) iter.Seq[*elsewherev1.Case] {
	return func(yield func(*elsewherev1.Case) bool) {
		for k := i; k < i+n; k++ {
			if !yield(g.Case(k)) {
				return
			}
		}
	}
}

// Streams of random numbers that have nothing to do with each other.
const (
	streamCase = iota + 1
	streamActor
	streamInfrastructure
	streamPool
	streamPopular
)

// stream returns the random numbers for one purpose.
func (g Generator) stream(purpose, key uint64) *rand.Rand {
	return rand.New(rand.NewPCG(g.Seed^purpose*0x9e3779b97f4a7c15, key))
}

// Shares of cases that the store treats apart.
const (
	dismissedShare  = .02
	restrictedShare = .01
)

// Case returns case i, from 0.
func (g Generator) Case(i int) *elsewherev1.Case {
	g = g.orDefaults()
	r := g.stream(streamCase, uint64(i))
	k := g.campaign(r, i)
	first := k.start.Add(time.Duration(r.Int64N(int64(campaignLength))))
	last := first.Add(time.Duration(float64(meanDwell) * min(r.ExpFloat64(), maxDwellRatio))).Truncate(time.Second)
	first = first.Truncate(time.Second)
	b := frame(first, last)
	b.Tenant = fmt.Sprintf("tenant-%05d", zipf(r, g.Tenants, tenantExponent))
	b.Id = caseID(last, i)
	if r.Float64() < dismissedShare {
		b.State = elsewherev1.CaseState_CASE_STATE_DISMISSED
	}
	b.Restricted = r.Float64() < restrictedShare
	n := g.ValuesPerCase
	if !g.Exact {
		n = max(1, n/2+r.IntN(n+1))
	}
	w := writer{Generator: g, r: r, campaign: k, i: i, first: first, last: last, values: make(map[string]bool, n)}
	b.Findings = w.findings(n)
	return b.Build()
}

func caseID(last time.Time, i int) string { return fmt.Sprintf("IR-%d-%08d", last.Year(), i) }

// frame returns what cases have beside a name and findings: it was worked on
// from first to last and closed.
func frame(first, last time.Time) elsewherev1.Case_builder {
	return elsewherev1.Case_builder{
		Title:        "Mailbox compromise",
		Kind:         "bec",
		State:        elsewherev1.CaseState_CASE_STATE_CLOSED,
		OpenedAt:     timestamppb.New(last.Add(time.Hour)),
		ClosedAt:     timestamppb.New(last.Add(50 * time.Hour)),
		EvidenceFrom: timestamppb.New(first.AddDate(0, 0, -30)),
		EvidenceTo:   timestamppb.New(last.Add(time.Hour)),
		Tlp:          "amber",
		Source:       "generated",
	}
}

// Behaviour of actors and their cases, chosen to look like a provider's years:
// a third of the cases belong to nobody who comes back.
const (
	strangerShare = .35
	familyShare   = .15
	// casesPerActor is after how many cases another actor appears.
	casesPerActor = 8
	// casesPerCampaign is after how many cases of all an actor who is still
	// there has begun the next campaign.
	casesPerCampaign = 2_000
	campaignLength   = 30 * 24 * time.Hour
	campaignEvery    = 45 // days
	// days is how long the corpus lasts, from its first campaign to the start of
	// the last.
	days           = 1_650
	meanDwell      = 20 * 24 * time.Hour
	maxDwellRatio  = 6
	tenantExponent = .9
	familyExponent = 1
)

func began() time.Time { return time.Date(2021, time.January, 4, 6, 0, 0, 0, time.UTC) }

// campaign is who is behind a case. A stranger has no actor.
type campaign struct {
	actor uint64 // from 1; 0 is a stranger
	n     int
	start time.Time
	// moved is how far within the campaign the infrastructure has drifted.
	moved int
}

func (g Generator) campaign(r *rand.Rand, i int) campaign {
	known := 1 + i/casesPerActor
	var actor int
	switch u := r.Float64(); {
	case u < strangerShare:
		return campaign{start: began().AddDate(0, 0, r.IntN(days))}
	case u < strangerShare+familyShare:
		// A few who stay for years.
		actor = zipf(r, known, familyExponent)
	default:
		// Most are active for a while.
		if actor = known - 1 - lomax(r, 20, 1.2); actor < 0 {
			actor = r.IntN(known)
		}
	}
	n := max(0, (i-actor*casesPerActor)/casesPerCampaign-lomax(r, 1, 2))
	day := g.stream(streamActor, uint64(actor)).IntN(days)
	return campaign{
		actor: uint64(actor) + 1, n: n, moved: r.IntN(slotsPerCampaign),
		start: began().AddDate(0, 0, (day+n*campaignEvery)%days),
	}
}
