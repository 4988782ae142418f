package link

import (
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// weighNearby weighs what lies near each other: different addresses of one network,
// addresses of one autonomous system, different names under one domain. Each network,
// system and domain counts at most once, and not where the cases have a value of it
// in common; none proposes a pair.
func (s *Scorer) weighNearby(trust float64) {
	a, b := s.a.like, s.b.like
	if a == nil || b == nil {
		return
	}
	near := &s.model.alike
	if near.network.m > 0 {
		a.networks.meet(&b.networks, func(x, y []neighbour) { s.weighNear(sameNetwork, &near.network, x, y, trust) })
	}
	if near.domain.m > 0 {
		a.domains.meet(&b.domains, func(x, y []neighbour) { s.weighNear(sameDomain, &near.domain, x, y, trust) })
	}
	if near.as.m > 0 {
		s.weighSystems(trust)
	}
}

// maxUnderKey bounds the values of a case that are tried under one network or domain:
// the first in order of value.
const maxUnderKey = 64

// weighNear weighs one network, system or domain by the heaviest pair of its values,
// unless a value of it is in both cases.
func (s *Scorer) weighNear(how alikeness, r *row, x, y []neighbour, trust float64) {
	for i := range x {
		if slices.ContainsFunc(y, func(o neighbour) bool { return o.self == x[i].self }) {
			return
		}
	}
	x, y = x[:min(len(x), maxUnderKey)], y[:min(len(y), maxUnderKey)]
	var best part
	var at place
	for i := range x {
		if s.strangeNeighbour(s.a, how, &x[i]) {
			continue
		}
		for k := range y {
			if s.strangeNeighbour(s.b, how, &y[k]) {
				continue
			}
			p := part{how: how, family: familyOf(r.family), row: r, alpha: r.alpha, trust: trust, near: place{int32(x[i].at), int32(y[k].at)}}
			p.sizes = place{int32(x[i].size), int32(y[k].size)}
			p.gap, p.dated = x[i].gap(y[k].span)
			p.weight = weigh(r, r.alpha, 0, trust, 0, s.n, int(x[i].size), int(y[k].size), p.gap)
			if p.weight > best.weight {
				best, at = p, place{int32(i), int32(k)}
			}
		}
	}
	if best.weight == 0 {
		return
	}
	switch how {
	case sameNetwork:
		best.group = networkName(x[0].key)
		best.value = evidence.Value{Kind: evidence.KindCIDR, Text: best.group}
		s.met = append(s.met, s.systemOf(s.a, &x[at.a]), s.systemOf(s.b, &y[at.b]))
	case sameSystem:
		best.group = asnGroup(uint32(x[0].key))
		best.value = evidence.Value{Kind: evidence.KindASN, Text: best.group}
	default:
		best.group = s.domainOf(&x[0])
		best.value = evidence.Value{Kind: evidence.KindDomain, Text: best.group}
	}
	if s.world == nil {
		best.one, best.other = s.a.profile.Sightings[best.near.a].Text, s.b.profile.Sightings[best.near.b].Text
	}
	s.parts = append(s.parts, best)
}

// domainOf returns the domain that a name is under.
func (s *Scorer) domainOf(n *neighbour) string {
	if s.world != nil {
		return s.world.near.domains[n.key]
	}
	domain, known := s.domains[n.key]
	if !known {
		domain = evidence.RegistrableDomain(s.a.profile.Sightings[n.at].Text)
		s.domains[n.key] = domain
		s.held++
	}
	return domain
}

// strangeNeighbour reports whether what a value is near to says nothing.
func (s *Scorer) strangeNeighbour(sd *side, how alikeness, n *neighbour) bool {
	if s.world != nil || how == sameSystem {
		return n.is(nearStrange)
	}
	v := sd.profile.Sightings[n.at].Value
	if how == sameDomain {
		return s.model.foreign(s.classOf(v))
	}
	return s.model.strange(v, s.classOf(v))
}

func (s *Scorer) systemOf(sd *side, n *neighbour) uint32 {
	if s.world != nil {
		return n.at
	}
	return s.classOf(sd.profile.Sightings[n.at].Value).ASN
}

// weighSystems weighs that both sides have addresses in one autonomous system in
// which they have nothing nearer in common.
func (s *Scorer) weighSystems(trust float64) {
	x, y := &s.standingOf(s.a).as, &s.standingOf(s.b).as
	if x.apart(y) {
		return
	}
	for _, at := range s.shared {
		if v := s.valueOf(s.a, at.a); v.Kind == evidence.KindIP {
			s.met = append(s.met, v.class.ASN)
		}
	}
	x.meet(y, func(x, y []neighbour) {
		if !slices.Contains(s.met, uint32(x[0].key)) {
			s.weighNear(sameSystem, &s.model.alike.as, x, y, trust)
		}
	})
}

// negative returns what it says that two cases share nothing of a kind of which both
// have some, in millibits, 0 or below.
func (s *Scorer) negative() int32 {
	a, b := s.a.like, s.b.like
	k, total := &s.model.alike, int32(0)
	if a != nil && b != nil && k.noLogin < 0 && int(a.logins) >= k.logins && int(b.logins) >= k.logins && !s.sharesLogin &&
		int(s.standingOf(s.a).logins) >= k.logins && int(s.standingOf(s.b).logins) >= k.logins {
		total += k.noLogin
		s.noLogin = true
	}
	if k.noContent < 0 && len(s.a.rules.contents) > 0 && len(s.b.rules.contents) > 0 && !s.sharesContent {
		s.noContent = true
		total += k.noContent
	}
	return total
}
