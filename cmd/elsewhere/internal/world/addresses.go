package world

import (
	"math/rand/v2"
	"net/netip"

	"github.com/elsewhere-project/elsewhere/server/link"
)

// trade is what a provider of addresses sells.
type trade uint8

const (
	hosting trade = iota
	cloud
	leased
	vpn
	proxy  // of homes, sold by the hour
	mobile // many subscribers behind one address
	home
	business
	securityProxy
	torExit
	microsoft
	trades
)

// plan of the address space, by trade: how many providers there are. Each has a
// /16 of its own, drawn at random; only Microsoft's is the published one of
// Exchange Online, so that the class can be right.
func providersOf() [trades]int {
	return [trades]int{
		hosting: 40, cloud: 8, leased: 8, vpn: 10, proxy: 30, mobile: 12, home: 24,
		business: 20, securityProxy: 2, torExit: 3, microsoft: 1,
	}
}

// provider is a /16 and its autonomous system.
type provider struct {
	trade         trade
	first, second byte
	asn           uint32
	// watched is the share of addresses whose class enrichment knows.
	watched float64
}

// firstASN begins the autonomous system numbers for private use (RFC 6996), of
// which every provider has one.
const firstASN = 4_200_000_000

// space hands out addresses.
type space struct {
	known *known
	of    [trades][]*provider
	// looks draws what enrichment knows of an address.
	looks *rand.Rand
}

func newSpace(c Config, l level) *space {
	s := &space{known: newKnown(c), looks: c.stream(streamClass, 0)}
	r := c.stream(streamPools, 0)
	taken := map[[2]byte]bool{{40, 107}: true}
	watched := [trades]float64{
		hosting: l.knowsHosting, cloud: l.knowsCloud, leased: l.knowsLeased, vpn: l.knowsVPN, proxy: l.knowsProxy,
		mobile: l.knowsMobile, home: l.knowsHome, business: l.knowsBusiness, securityProxy: l.knowsSSE,
		torExit: l.knowsTor, microsoft: l.knowsService,
	}
	asn := uint32(firstASN)
	for t, n := range providersOf() {
		for range n {
			p := &provider{trade: trade(t), first: 40, second: 107, asn: asn, watched: watched[t]}
			for p.trade != microsoft && taken[[2]byte{p.first, p.second}] {
				p.first, p.second = firstOctet(r), byte(r.IntN(256))
			}
			taken[[2]byte{p.first, p.second}] = true
			s.of[t] = append(s.of[t], p)
			asn++
		}
	}
	return s
}

// firstOctet returns one of public unicast space, clear of everything reserved
// and of Microsoft's blocks.
func firstOctet(r *rand.Rand) byte {
	ranges := [][2]int{{41, 50}, {60, 95}, {176, 190}, {193, 195}, {210, 218}}
	x := pick(r, ranges)
	return byte(between(r, x[0], x[1]))
}

// address returns an address that nobody has had yet, in network third of the
// provider, or in any if that is negative. A network that is full spills over.
func (s *space) address(r *rand.Rand, p *provider, third int) netip.Addr {
	for try := 0; ; try++ {
		b := [4]byte{p.first, p.second, byte(third), byte(between(r, 1, 254))}
		if third < 0 || try > 50 {
			b[2] = byte(r.IntN(256))
		}
		a := netip.AddrFrom4(b)
		// After so many tries the /16 is crowded, and two share an address.
		if _, used := s.known.addresses[a]; !used || try > 200 {
			s.look(a, p)
			return a
		}
	}
}

// address6 returns an IPv6 address of a provider's /32 that nobody has had yet.
func (s *space) address6(r *rand.Rand, p *provider) netip.Addr {
	b := [16]byte{0x2a, 0x0a, p.first, p.second}
	for i := 4; i < len(b); i++ {
		b[i] = byte(r.Uint32())
	}
	a := netip.AddrFrom16(b)
	s.look(a, p)
	return a
}

// look decides, once, what enrichment knows of an address.
func (s *space) look(a netip.Addr, p *provider) {
	if _, done := s.known.addresses[a]; done {
		return
	}
	class := truth(p.trade)
	if !chance(s.looks, p.watched) {
		class = mistaken(s.looks, p.trade)
	}
	s.known.addresses[a] = link.Class{Name: class, ASN: p.asn}
}

// truth returns the class that is right for a trade.
func truth(t trade) string {
	return [trades]string{
		hosting: link.ClassHosting, cloud: link.ClassCloudVM, leased: link.ClassLeased, vpn: link.ClassVPN,
		proxy: link.ClassResidentialProxy, mobile: link.ClassMobile, home: link.ClassResidentialDynamic,
		business: link.ClassBusiness, securityProxy: link.ClassCorporateProxy, torExit: link.ClassTor,
		microsoft: link.ClassM365Service,
	}[t]
}

// mistaken returns what enrichment says where it misses the class: mostly
// nothing. An exit that no VPN list has stands in a data centre that the lists
// of data centres may have; a proxy in a home looks like the home; Microsoft's
// network is always known to be Microsoft's.
func mistaken(r *rand.Rand, t trade) string {
	switch t {
	case vpn:
		if chance(r, .5) {
			return link.ClassHosting
		}
	case proxy:
		if chance(r, .7) {
			return link.ClassResidentialDynamic
		}
	case mobile:
		if chance(r, .3) {
			return link.ClassResidentialDynamic
		}
	case leased:
		if chance(r, .4) {
			return link.ClassHosting
		}
	case microsoft:
		return link.ClassUnknownMicrosoft
	}
	return link.ClassUnknown
}
