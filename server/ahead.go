package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// Bounds of looking up ahead: cases whose addresses are still to be weighed, and
// addresses that wait to be asked about. What is beyond is asked about when
// somebody wants to know.
const (
	aheadCases  = 4_096
	aheadValues = 10_000
)

// ahead asks third parties about the addresses of new cases before anybody waits
// for an answer, those first whose class is expected to change a score most.
// Cases that are restricted or tlp:red are left alone.
type ahead struct {
	rpc.Store
	gate    enrich.Gate
	rules   linker.Source
	backlog *enrich.Backlog
	cases   chan submitted
}

// submitted is a case that came in.
type submitted struct {
	evidence.Ref
	tlp evidence.TLP
}

func newAhead(store rpc.Store, gate enrich.Gate, rules linker.Source, e *enrich.Enricher) *ahead {
	return &ahead{store, gate, rules, enrich.NewBacklog(e, aheadValues), make(chan submitted, aheadCases)}
}

// Submit implements graph.Writer.
func (a *ahead) Submit(ctx context.Context, c *evidence.Case, expected *uint32) (graph.Receipt, error) {
	r, err := a.Store.Submit(ctx, c, expected)
	if err == nil && r.Outcome != graph.Unchanged && c.Live() {
		select {
		case a.cases <- submitted{c.Ref, c.TLP}:
		default:
		}
	}
	return r, err
}

// weigh offers the addresses of submitted cases until ctx ends.
func (a *ahead) weigh(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-a.cases:
			if err := a.offer(ctx, c); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "addresses of a case are not looked up ahead", "error", err)
			}
		}
	}
}

// offer hands over the addresses of a case about which its tenant lets a third
// party be asked.
func (a *ahead) offer(ctx context.Context, c submitted) error {
	ask := enrich.Ask{Tenant: c.Tenant, TLP: enrich.TLP(c.tlp)}
	if refusal, err := a.gate.Permit(ctx, enrich.Disclosure{Tenant: ask.Tenant, TLP: ask.TLP}); err != nil || refusal != "" {
		return err
	}
	classes := a.rules.Now().Classes
	return a.View(ctx, func(s graph.Snapshot) error {
		p, err := s.Profile(c.Ref)
		if errors.Is(err, graph.ErrNotFound) || err == nil && !p.Live {
			return nil
		}
		if err != nil {
			return err
		}
		for _, sighting := range p.Sightings {
			if sighting.Kind != evidence.KindIP {
				continue
			}
			tenants, _, err := s.Spread(sighting.Value)
			if err != nil {
				return err
			}
			if change := expectedChange(classes.Class(sighting.Value).Name, tenants); change > 0 {
				a.backlog.Offer(ask, enrich.Value{Kind: enrich.KindIP, Text: sighting.Text}, change)
			}
		}
		return nil
	})
}

// expectedChange is how far, in bits, an answer may move the weight of an address
// of a class that is in so many tenants: one that nobody knows may turn out to be
// leased, hosted or somebody's home; of one that is known only the number of its
// reporters matters. Only an address in two tenants moves a score today.
func expectedChange(class string, tenants uint32) float64 {
	change := 1.0
	switch class {
	case link.ClassUnknown, "":
		change = 2
	case link.ClassBogon, link.ClassTenantEgress, link.ClassM365Service, link.ClassService, link.ClassCDN,
		link.ClassTor, link.ClassVPN, link.ClassPrivacyRelay, link.ClassCorporateProxy, link.ClassMobile,
		link.ClassResidentialProxy:
		return 0
	}
	if tenants < 2 {
		change /= 8
	}
	return change
}
