package server

import (
	"net/netip"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// shield keeps from third parties what is everybody's or a tenant's own. Where it
// cannot tell, nothing is sent.
type shield struct {
	current func() *netclass.Table
	// unreadable reports whether a list is missing that may be one of egress.
	unreadable func() bool
	// egress reports whether a tenant's record has addresses in a network.
	egress func(netip.Prefix) bool
}

// The reasons name no tenant: they are shown to all.
const (
	shieldedBogon  = "address space that nobody on the Internet holds"
	shieldedEgress = "a place from which a tenant's own people work"
	shieldedM365   = "an address of Microsoft 365 itself"
	shieldedWide   = "too wide a network to tell what is in it"
	shieldedOdd    = "no address or network"
	shieldedBlind  = "a list in the folder of feeds cannot be read"
)

// shieldedHosts is how many addresses of a network are looked at one by one.
const shieldedHosts = 256

// Shielded implements enrich.Shield.
func (s shield) Shielded(v enrich.Value) string {
	if s.unreadable() {
		return shieldedBlind
	}
	t := s.current()
	if v.Kind != enrich.KindIP && v.Kind != enrich.KindCIDR {
		return shielded(t.Of(v))
	}
	p, ok := v.Prefix()
	if !ok {
		return shieldedOdd
	}
	if why := shielded(t.Prefix(p)); why != "" {
		return why
	}
	if s.egress(p) {
		return shieldedEgress
	}
	if p.IsSingleIP() {
		return ""
	}
	if p.Addr().BitLen()-p.Bits() > 8 {
		return shieldedWide
	}
	a := p.Masked().Addr()
	for n := 0; n < shieldedHosts && p.Contains(a); n++ {
		if why := shielded(t.Address(a)); why != "" {
			return why
		}
		a = a.Next()
	}
	return ""
}

// shielded looks at all that is said of a value, not only at what decides.
func shielded(c netclass.Class) string {
	why := func(class string) string {
		switch class {
		case netclass.Bogon:
			return shieldedBogon
		case netclass.TenantEgress:
			return shieldedEgress
		case netclass.M365Service:
			return shieldedM365
		}
		return ""
	}
	for _, m := range c.Matches {
		if w := why(m.Class); w != "" {
			return w
		}
	}
	return why(c.Name)
}
