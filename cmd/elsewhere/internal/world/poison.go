package world

import (
	"net/netip"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// poison is what a tenant that lies makes of a case.
type poison uint8

const (
	honest poison = iota
	// bulky lists as much as it can, so that everything looks shared.
	bulky
	// bridge lists the addresses of several actors, few enough to pass for an
	// investigation.
	bridge
)

// Sizes of made-up cases. A bridge stays within the 64 values of a kind from
// which the model calls a case bulk.
const (
	bulkyValues  = 400
	bridgeValues = 56
	// listedShare is how much of a case's addresses stand on lists that somebody
	// else can copy from.
	listedShare = .5
	// sources is how many earlier cases there have to be.
	sources = 20
)

// listed is a value that a poisoned case can list.
type listed struct {
	kind  evidence.Kind
	text  string
	roles []string
}

// listed returns what of a case somebody else could list: addresses, pages and
// names circulate on blacklists; drop mailboxes and rules do not.
func (w *writer) listed() []listed {
	var out []listed
	for _, s := range []int{signIn, phish} {
		for _, o := range w.at[s] {
			switch o.Kind {
			case evidence.KindIP, evidence.KindDomain, evidence.KindURL:
				if chance(w.r, listedShare) {
					out = append(out, listed{o.Kind, o.Text, o.Roles})
				}
			}
		}
	}
	return out
}

// addPoison turns the last intrusions into the poisoned tenant's. They stay in
// the world's span, as late as they can.
func (p *plan) addPoison() {
	n := int(float64(p.Cases) * p.poisoned)
	if p.poisoned > 0 && p.Cases >= 100 {
		n = max(n, 2)
	}
	if n == 0 {
		return
	}
	r := p.stream(streamPools, 2)
	provider := pick(r, p.of[business])
	liar := &tenant{id: "tenant-" + tenantNumber(len(p.tenants)), egress: []netip.Addr{p.address(r, provider, -1)}}
	for range 3 {
		liar.partners = append(liar.partners, domain(r))
	}
	p.tenants = append(p.tenants, liar)
	// Cases of actors with one case make room, so that no truth is lost.
	var single []*intrusion
	for _, k := range p.intrusions {
		if k.actor.cases == 1 && k.from > days*day/4 {
			single = append(single, k)
		}
	}
	r.Shuffle(len(single), func(i, k int) { single[i], single[k] = single[k], single[i] })
	for i, k := range single[:min(n, len(single))] {
		k.tenant, k.poison = liar, bulky
		if float64(i) < float64(p.bridging*float64(n)) {
			k.poison = bridge
		}
	}
}

// list fills a made-up case with what other cases before it list.
func (w *writer) list() {
	w.k.marks.set(PoisonedCase)
	most := bulkyValues
	if w.k.poison == bridge {
		w.k.marks.set(BridgingCase)
		most = bridgeValues
	}
	if len(w.drafted) < sources {
		return
	}
	// The latest cases are the ones whose links it can spoil.
	recent := w.drafted[max(0, len(w.drafted)-10*sources):]
	for range 10 * sources {
		for _, v := range pick(w.r, recent) {
			if len(w.at[signIn]) >= most {
				return
			}
			w.add(signIn, v.kind, v.text, w.moment(), slices.Clone(v.roles)...)
		}
	}
}
