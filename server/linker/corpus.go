package linker

import (
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Changing is a classifier whose data may be exchanged while it is in use.
type Changing interface {
	link.Classifier
	// Current returns the classifier of the data of now, of which a score needs
	// one from its beginning to its end.
	Current() link.Classifier
}

// Rules are what every score of a deployment has in common.
type Rules struct {
	Model *link.Model
	// Classes may be Changing.
	Classes link.Classifier
	Limits  graph.Limits // zero: the constants of package graph
	// Trust is an administrator's setting for a tenant, 0 to 1; nil: 1 for all. Who
	// changes it marks the tenant's values.
	Trust func(tenant string) float64
	sides *link.Sides
}

// rememberedCases bounds the cases that scorers share in compact form: about
// 16 MB where they have 20 values, 50 MB at most.
const rememberedCases = 4 << 10

// NewRules returns the rules of a deployment.
func NewRules(m *link.Model, classes link.Classifier, limits graph.Limits) Rules {
	return Rules{Model: m, Classes: classes, Limits: limits.OrDefaults(), sides: link.NewSides(rememberedCases)}
}

// Scorer returns a scorer on one snapshot of the store.
func (r Rules) Scorer(s graph.Snapshot) (*link.Scorer, error) {
	return link.NewScorer(r.Model, r.caps(), corpus{s, r.trust}, r.classes(), r.sides)
}

func (r Rules) classes() link.Classifier {
	if c, ok := r.Classes.(Changing); ok {
		return c.Current()
	}
	return r.Classes
}

func (r Rules) caps() link.Caps {
	l := r.Limits.OrDefaults()
	return link.Caps{
		CandidateTenants:  l.CandidateTenants,
		ExplainingTenants: l.ExplainingTenants,
		ExplainingCases:   l.ExplainingCases,
		ScoringTenants:    l.ScoringTenants,
	}
}

// corpus is a snapshot as a score reads it.
type corpus struct {
	graph.Snapshot
	trust func(tenant string) float64
}

func (c corpus) CasesOf(v evidence.Value, tenant string, limit int) (int, error) {
	n := 0
	for s, err := range c.Sightings(v, graph.StartOf(tenant)) {
		if err != nil {
			return 0, err
		}
		if s.Tenant != tenant || n == limit {
			break
		}
		n++
	}
	return n, nil
}

func (c corpus) Trust(tenant string) (float64, error) { return c.trust(tenant), nil }

func (r Rules) trust(tenant string) float64 {
	if r.Trust == nil {
		return 1
	}
	return r.Trust(tenant)
}
