// Package netclass says what an address, a name or an application id is: whose
// it is by its nature, not who used it.
//
// It knows published ranges and lists and answers from memory. It must not know
// cases, tenants or weights. What it carries are facts that their owners
// publish, each with the date it was read; everything else is unknown.
package netclass

import (
	"net/netip"
	"strings"
)

// The classes that this package gives.
const (
	Unknown      = "unknown"
	Bogon        = "bogon"
	M365Service  = "m365_service"
	Service      = "service"
	Freemail     = "freemail"
	MailProvider = "mail_provider"
	URLShortener = "url_shortener"
)

// Class is what a value is.
type Class struct {
	Name string
	// Reasons name the list and the entry that decided; none when unknown.
	Reasons []string
}

// Table is a set of lists. Its zero value knows nothing.
type Table struct {
	reserved []reservedRange
	m365     []netip.Prefix
	freemail map[string]bool
	mail     map[string]bool
	service  map[string]bool
	short    map[string]bool
	suffixes map[string]bool
	apps     map[string]bool
	empty    map[string]bool
	version  string
}

type reservedRange struct {
	prefix netip.Prefix
	source string
}

// Builtin returns the lists that are part of the program.
func Builtin() *Table {
	t := &Table{
		freemail: set(freemailDomains),
		mail:     set(mailProviderDomains),
		service:  set(serviceDomains),
		short:    set(shortenerDomains),
		suffixes: set(customerSuffixes),
		apps:     set(firstPartyApps),
		empty:    set(emptyFileHashes),
		version:  "builtin-1",
	}
	for _, s := range strings.Fields(m365Ranges) {
		t.m365 = append(t.m365, netip.MustParsePrefix(s))
	}
	for line := range strings.Lines(strings.TrimSpace(reservedRanges)) {
		prefix, source, _ := strings.Cut(strings.TrimSpace(line), " ")
		t.reserved = append(t.reserved, reservedRange{netip.MustParsePrefix(prefix), source})
	}
	return t
}

func set(list string) map[string]bool {
	out := make(map[string]bool)
	for _, s := range strings.Fields(list) {
		out[s] = true
	}
	return out
}

// Version names the data; it changes whenever an answer may.
func (t *Table) Version() string { return t.version }

// Address classifies an address.
func (t *Table) Address(a netip.Addr) Class {
	a = a.Unmap().WithZone("")
	return t.Prefix(netip.PrefixFrom(a, a.BitLen()))
}

// Prefix classifies a prefix: it is what the first listed range is that contains
// it whole, reserved space before services.
func (t *Table) Prefix(p netip.Prefix) Class {
	for _, r := range t.reserved {
		if contains(r.prefix, p) {
			return Class{Bogon, []string{"reserved: " + r.prefix.String() + " (" + r.source + ")"}}
		}
	}
	for _, r := range t.m365 {
		if contains(r, p) {
			return Class{M365Service, []string{"Microsoft 365 endpoints " + m365Date + ": " + r.String()}}
		}
	}
	return Class{Name: Unknown}
}

func contains(outer, inner netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

// Name classifies a domain or host name (ASCII, lower case): the lists hold
// domains and speak for every name below them, the longest domain first.
func (t *Table) Name(name string) Class {
	if t.suffixes[name] {
		return Class{Service, []string{"suffixes of customers' names (built in): " + name}}
	}
	for d := name; d != ""; _, d, _ = strings.Cut(d, ".") {
		switch {
		case t.freemail[d]:
			return Class{Freemail, []string{"freemail domains (built in): " + d}}
		case t.mail[d]:
			return Class{MailProvider, []string{"mail providers (built in): " + d}}
		case t.service[d]:
			return Class{Service, []string{"domains of services (built in): " + d}}
		case t.short[d]:
			return Class{URLShortener, []string{"URL shorteners (built in): " + d}}
		}
	}
	return Class{Name: Unknown}
}

// App classifies an application id (GUID, lower case).
func (t *Table) App(id string) Class {
	if t.apps[id] {
		return Class{Service, []string{"first-party application of Microsoft"}}
	}
	return Class{Name: Unknown}
}

// Hash classifies the hash of a file (lower case).
func (t *Table) Hash(hash string) Class {
	if t.empty[hash] {
		return Class{Service, []string{"hash of the empty file"}}
	}
	return Class{Name: Unknown}
}
