package evidence

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	maxPort       = 1<<16 - 1
	maxPortDigits = 5
	portFact      = "port"
)

// endpoint is an address with what may be written behind it.
type endpoint struct {
	addr netip.Addr // without zone, IPv4 never mapped
	port int        // 0 when there is none
}

func readIP(_ Kind, raw string) (reading, *flaw) {
	s := refang(raw)
	if p, ok := readPrefix(s); ok {
		if !p.IsSingleIP() {
			return reading{}, flawf(ReasonKindMismatch, "%s is a network; its kind is cidr", excerpt(s))
		}
		return addressReading(endpoint{addr: p.Addr()}), nil
	}
	e, ok := readEndpoint(s)
	if !ok {
		if strings.Contains(s, "://") {
			return reading{}, flawf(ReasonKindMismatch, "%s is a URL; its kind is url", excerpt(s))
		}
		return reading{}, flawf(ReasonMalformed, "%s is not an IPv4 or IPv6 address", excerpt(s))
	}
	return addressReading(e), nil
}

func readCIDR(_ Kind, raw string) (reading, *flaw) {
	s := refang(raw)
	p, ok := readPrefix(s)
	if !ok {
		if a, ok := readAddr(s); ok {
			return addressReading(endpoint{addr: a}), nil
		}
		return reading{}, flawf(ReasonMalformed, "%s is not a network such as 198.51.100.0/24", excerpt(s))
	}
	return prefixReading(p), nil
}

// prefixReading makes a network of one address an ip.
func prefixReading(p netip.Prefix) reading {
	if p.IsSingleIP() {
		return addressReading(endpoint{addr: p.Addr()})
	}
	return reading{Value: Value{KindCIDR, p.String()}}
}

func addressReading(e endpoint) reading {
	return reading{Value: Value{KindIP, e.addr.String()}, facts: portFacts(e.port)}
}

func portFacts(port int) []Fact {
	if port == 0 {
		return nil
	}
	return []Fact{{Name: portFact, Value: strconv.Itoa(port)}}
}

// readEndpoint reads v4, v6, v4:port, [v6]:port and [v4]:port.
func readEndpoint(s string) (endpoint, bool) {
	if a, ok := readAddr(s); ok {
		return endpoint{addr: a}, true
	}
	host, port, ok := cutPort(s)
	if !ok {
		return endpoint{}, false
	}
	inner, bracketed := unbracket(host)
	a, ok := readAddr(inner)
	if !ok || !bracketed && !a.Is4() {
		return endpoint{}, false
	}
	return endpoint{a, port}, true
}

func unbracket(s string) (inner string, bracketed bool) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return s, false
	}
	return s[1 : len(s)-1], true
}

func readAddr(s string) (netip.Addr, bool) {
	if !addressLike(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}

// addressLike reports whether s begins as an address can: most values are none,
// and the error of netip that says so costs more than that.
func addressLike(s string) bool {
	return s != "" && (digit(s[0]) || strings.IndexByte(s, ':') >= 0 && (s[0] == ':' || hexDigit(s[0])))
}

// readPrefix masks the network and unmaps IPv4.
func readPrefix(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') < 0 {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	const mapped = 128 - 32
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked(), true
}

// cutPort splits at the last colon if a port stands behind it.
func cutPort(s string) (host string, port int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	port, ok = readPort(s[i+1:])
	return s[:i], port, ok
}

func readPort(s string) (int, bool) {
	if s == "" || len(s) > maxPortDigits || !only(s, digit) {
		return 0, false
	}
	port, err := strconv.Atoi(s)
	return port, err == nil && port <= maxPort
}

func readASN(k Kind, raw string) (reading, *flaw) {
	s := refang(raw)
	number := strings.ToUpper(s)
	number = strings.TrimSpace(strings.TrimPrefix(number, "AS"))
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || !only(number, digit) {
		return reading{}, flawf(ReasonMalformed, "%s is not a number of 32 bits such as AS64500", excerpt(s))
	}
	return reading{Value: Value{k, "AS" + strconv.FormatUint(n, 10)}}, nil
}
