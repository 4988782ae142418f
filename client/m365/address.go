package m365

import (
	"net/netip"
	"strconv"
	"strings"
)

// trim removes surrounding space; exports add some, and NULs where a column is
// of fixed width.
func trim(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n > 0 && (s[0] == 0 || s[n-1] == 0) {
		s = strings.TrimSpace(strings.Trim(s, "\x00"))
	}
	return s
}

// nothing reports a word that stands for no value.
func nothing(s string) bool {
	if len(s) > len("not available") {
		return false
	}
	switch strings.ToLower(s) {
	case "", "null", "<null>", "-", "none", "n/a", "not available", "undefined", "nil":
		return true
	}
	return false
}

// parseAddress reads an address in the ways that the services write one: bare,
// with a port, in brackets, in parentheses behind a host name, with a zone. ok
// is false where there is nothing at all; what is no address has an invalid
// Addr.
func parseAddress(fieldName, raw string) (a Address, ok bool) {
	s := trim(raw)
	if nothing(s) {
		return Address{}, false
	}
	a = Address{Field: fieldName, Raw: s}
	if open := strings.LastIndexByte(s, '('); open >= 0 {
		if end := strings.IndexByte(s[open:], ')'); end > 0 {
			s = trim(s[open+1 : open+end])
		}
	}
	a.Addr, a.Port = addrPort(s)
	return a, true
}

func addrPort(s string) (netip.Addr, uint16) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return plain(addr), 0
	}
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return netip.Addr{}, 0
		}
		host, port = s[1:end], strings.TrimPrefix(s[end+1:], ":")
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.IndexByte(s, ':') == i {
		host, port = s[:i], s[i+1:]
	}
	addr, err := netip.ParseAddr(trim(host))
	if err != nil {
		return netip.Addr{}, 0
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		n = 0
	}
	return plain(addr), uint16(n)
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// addAddress adds what a field says, once for each field and address.
func (r *Record) addAddress(fieldName, raw string) {
	a, ok := parseAddress(fieldName, raw)
	if !ok || len(r.Addresses) >= maxList {
		return
	}
	for _, b := range r.Addresses {
		if b.Field == a.Field && (b.Raw == a.Raw || (a.Addr.IsValid() && b.Addr == a.Addr && b.Port == a.Port)) {
			return
		}
	}
	r.Addresses = append(r.Addresses, a)
}
