package world

import (
	"net/netip"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Sign-ins of a case: how many addresses it lists. Most intrusions have a few;
// those by proxies have many.
const (
	addressScale, addressPower = 3, 1.8
	mostAddresses              = 24
	// addressesInBlock is how many addresses of a leased block are in use.
	addressesInBlock = 5
	// addressTries bounds the search for addresses that the case does not have yet.
	addressTries = 3
)

// signIns adds where the actor came from.
func (w *writer) signIns() {
	a := w.k.actor
	n := 1 + tail(w.r, addressScale, addressPower, mostAddresses-1)
	var have []netip.Addr
	for range n * addressTries {
		if len(have) >= n {
			break
		}
		by, when, before := channel(weighted(w.r, a.taste[:])), w.moment(), len(have)
		if (by == byVPN || by == byProxy || by == byMobile || by == byTor) && !chance(w.r, w.pooled) {
			n--
			continue
		}
		address := w.source(by, when)
		if have = distinct(have, address); len(have) > before {
			w.add(signIn, evidence.KindIP, w.byHand(evidence.KindIP, address.String()), when, evidence.RoleLoginSource)
		}
	}
	if a.service != nil {
		// The first sign-in is the service's; the customer comes later.
		when := w.k.logged()
		w.k.marks.set(ServiceRelay)
		w.add(signIn, evidence.KindIP, w.relay(w.r, a.service, when).String(), when, evidence.RoleLoginSource)
		if chance(w.r, .5) {
			w.k.marks.set(SharedKit)
			w.add(signIn, evidence.KindUserAgent, a.service.agent, when)
		}
	}
	if a.agent != "" && chance(w.r, .6) {
		w.add(signIn, evidence.KindUserAgent, a.agent, w.moment())
	}
}

// source returns an address that the actor has at a time, by a channel.
func (w *writer) source(c channel, when moment) netip.Addr {
	a, m := w.k.actor, &w.k.marks
	switch c {
	case byServer:
		m.set(OwnServer)
		if a.bulletproof {
			m.set(BulletproofNetwork)
		}
		return w.rented(pick(w.r, a.servers), when)
	case byCloud:
		m.set(CloudMachine)
		return w.rented(pick(w.r, a.clouds), when)
	case byLeased:
		m.set(LeasedBlock)
		return w.inBlock(w.rented(a.block, when))
	case byVPN:
		m.set(VPNExit)
		x := w.exit(w.r, a.vpn)
		if chance(w.r, .6) {
			x = pick(w.r, a.exits)
		}
		if w.known.addresses[x].Name != link.ClassVPN {
			m.set(UnknownVPNExit)
		}
		return x
	case byProxy:
		m.set(ResidentialProxy)
		return w.proxy(w.r)
	case byMobile:
		m.set(MobileCarrier)
		return pick(w.r, w.towers[a.carrier])
	case byHome:
		m.set(OwnLine)
		if x, err := netip.ParseAddr(at(a.line, when)); err == nil {
			return x
		}
	}
	m.set(Tor)
	return pick(w.r, w.tor)
}

// rented returns the address of a chain of rentals.
func (w *writer) rented(chain int, when moment) netip.Addr {
	k := held(w.k.actor.rented[chain], when)
	if k.second {
		w.k.marks.set(RerentedAddress)
	}
	if k.neighbour != nil && network(k.neighbour.address) == network(k.address) {
		w.k.marks.set(Neighbour)
	}
	return k.address
}

// inBlock returns one of the few addresses in use of a leased block, of which one
// is given.
func (w *writer) inBlock(one netip.Addr) netip.Addr {
	b := one.As4()
	b[3] = byte(min(int(b[3])+w.r.IntN(addressesInBlock), 254))
	x := netip.AddrFrom4(b)
	if _, known := w.known.addresses[x]; !known {
		// Ranges are listed as a whole.
		w.known.addresses[x] = w.known.addresses[one]
	}
	return x
}

// noise adds what has nothing to do with the actor.
func (w *writer) noise() {
	r, m, t := w.r, &w.k.marks, w.k.tenant
	if t.proxied && chance(r, w.sseLogin) || !t.proxied && chance(r, w.egress) {
		m.set(TenantEgress)
		if t.proxied {
			m.set(SharedEgress)
		}
		w.add(signIn, evidence.KindIP, pick(r, t.egress).String(), w.moment(), evidence.RoleLoginSource)
	}
	if t.manager != nil && chance(r, w.managedLogin) {
		m.set(ManagedAddress)
		w.add(signIn, evidence.KindIP, pick(r, t.manager.addresses).String(), w.moment(), evidence.RoleLoginSource)
		if chance(r, w.managedRule) {
			w.add(inboxRule, evidence.KindRuleName, t.manager.rule, w.moment(), evidence.RoleCreated)
		}
	}
	if chance(r, w.microsoft) {
		m.set(MicrosoftAddress)
		for range 1 + tail(r, 1.5, 1.5, 8) {
			x := w.exchange[rank(r, len(w.exchange))].String()
			if chance(r, w.microsoftLogin) {
				w.add(signIn, evidence.KindIP, x, w.moment(), evidence.RoleLoginSource)
			} else {
				w.add(read, evidence.KindIP, x, w.moment(), evidence.RoleReferenced)
			}
		}
	}
	if chance(r, w.userAgent) {
		m.set(CommonUserAgent)
		w.add(signIn, evidence.KindUserAgent, w.agents[rank(r, len(w.agents))], w.moment())
	}
	if chance(r, w.firstParty) {
		m.set(FirstPartyApp)
		w.add(signIn, evidence.KindAppID, w.apps[rank(r, len(w.apps))], w.moment())
	}
}

func joined(words []string) string { return strings.Join(words, " ") }
