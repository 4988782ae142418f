package enrich

import "net/netip"

// The scopes of addresses.
const (
	ScopePublic        = "public"
	ScopePrivate       = "private"
	ScopeShared        = "shared" // carrier-grade NAT
	ScopeDocumentation = "documentation"
	ScopeLoopback      = "loopback"
	ScopeLinkLocal     = "link_local"
	ScopeMulticast     = "multicast"
	ScopeReserved      = "reserved"
)

type scopeRange struct {
	prefix netip.Prefix
	scope  string
}

// scopeRanges returns the space that nobody on the Internet holds (IANA
// special-purpose address registries). The first range that matches decides.
func scopeRanges() []scopeRange {
	four := func(a, b, c byte, bits int, scope string) scopeRange {
		return scopeRange{netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, 0}), bits), scope}
	}
	six := func(a, b, c, d byte, bits int, scope string) scopeRange {
		return scopeRange{netip.PrefixFrom(netip.AddrFrom16([16]byte{a, b, c, d}), bits), scope}
	}
	return []scopeRange{
		four(10, 0, 0, 8, ScopePrivate),
		four(172, 16, 0, 12, ScopePrivate),
		four(192, 168, 0, 16, ScopePrivate),
		four(100, 64, 0, 10, ScopeShared),
		four(127, 0, 0, 8, ScopeLoopback),
		four(169, 254, 0, 16, ScopeLinkLocal),
		four(192, 0, 2, 24, ScopeDocumentation),
		four(198, 51, 100, 24, ScopeDocumentation),
		four(203, 0, 113, 24, ScopeDocumentation),
		four(224, 0, 0, 4, ScopeMulticast),
		four(0, 0, 0, 8, ScopeReserved),
		four(192, 0, 0, 24, ScopeReserved),
		four(192, 88, 99, 24, ScopeReserved),
		four(198, 18, 0, 15, ScopeReserved),
		four(240, 0, 0, 4, ScopeReserved),

		{netip.PrefixFrom(netip.IPv6Loopback(), 128), ScopeLoopback},
		six(0xfc, 0, 0, 0, 7, ScopePrivate),
		six(0xfe, 0x80, 0, 0, 10, ScopeLinkLocal),
		six(0xff, 0, 0, 0, 8, ScopeMulticast),
		six(0x20, 0x01, 0x0d, 0xb8, 32, ScopeDocumentation),
		six(0x3f, 0xff, 0, 0, 20, ScopeDocumentation),
		// Protocol assignments and tunnels, which wrap an IPv4 address of any scope.
		six(0x20, 0x01, 0, 0, 23, ScopeReserved),
		six(0x20, 0x02, 0, 0, 16, ScopeReserved),
		// All but 2000::/3 is unassigned.
		six(0, 0, 0, 0, 3, ScopeReserved),
		six(0x40, 0, 0, 0, 2, ScopeReserved),
		six(0x80, 0, 0, 0, 1, ScopeReserved),
	}
}

// Scopes says of which scope addresses are. Its zero value knows no range.
type Scopes struct{ ranges []scopeRange }

// NewScopes returns the scopes of the IANA registries.
func NewScopes() Scopes { return Scopes{scopeRanges()} }

// Of returns the scope of a prefix: public only if the whole prefix is. An
// invalid prefix is reserved.
func (s Scopes) Of(p netip.Prefix) string {
	if !p.IsValid() {
		return ScopeReserved
	}
	p = unmapPrefix(p)
	for _, r := range s.ranges {
		if r.prefix.Overlaps(p) {
			return r.scope
		}
	}
	return ScopePublic
}
