package enrich

import (
	"net/netip"
)

// Kind is what sort of value is asked about, in the words of server/evidence.
type Kind string

// The kinds that sources know.
const (
	KindIP       Kind = "ip"
	KindCIDR     Kind = "cidr"
	KindDomain   Kind = "domain"
	KindHostname Kind = "hostname"
	KindEmail    Kind = "email"
	KindURL      Kind = "url"
	KindASN      Kind = "asn"
	KindAppID    Kind = "app_id"
	KindFileHash Kind = "file_hash"
)

// Value is what is asked about. Text is normalised: for ip and cidr it is what
// AddressValue and PrefixValue write.
type Value struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

// AddressValue returns an address as a value. An IPv4 address written as IPv6 is
// the IPv4 address, and zones are dropped: they are the same node of the graph.
func AddressValue(a netip.Addr) Value {
	return Value{KindIP, a.Unmap().WithZone("").String()}
}

// PrefixValue returns a prefix, masked, as a value.
func PrefixValue(p netip.Prefix) Value {
	return Value{KindCIDR, unmapPrefix(p).String()}
}

// Prefix returns the addresses that an ip or cidr stands for.
func (v Value) Prefix() (netip.Prefix, bool) {
	switch v.Kind {
	case KindIP:
		if a, err := netip.ParseAddr(v.Text); err == nil {
			a = a.Unmap().WithZone("")
			return netip.PrefixFrom(a, a.BitLen()), true
		}
	case KindCIDR:
		if p, err := netip.ParsePrefix(v.Text); err == nil {
			return unmapPrefix(p), true
		}
	}
	return netip.Prefix{}, false
}

// Normal returns the value as AddressValue and PrefixValue would write it; other
// kinds, and text that is no address, stay as they are.
func (v Value) Normal() Value {
	p, ok := v.Prefix()
	switch {
	case ok && v.Kind == KindIP:
		return Value{KindIP, p.Addr().String()}
	case ok:
		return Value{KindCIDR, p.String()}
	}
	return v
}

func unmapPrefix(p netip.Prefix) netip.Prefix {
	a := p.Addr()
	bits := p.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}
