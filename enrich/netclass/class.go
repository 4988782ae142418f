package netclass

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The classes of addresses, strongest claim first: of several that are true of
// an address, the first in this order is its class.
const (
	Bogon              = "bogon"
	TenantEgress       = "tenant_egress"
	M365Service        = "m365_service"
	Service            = "service"
	Tor                = "tor"
	PrivacyRelay       = "privacy_relay"
	VPN                = "vpn"
	ResidentialProxy   = "residential_proxy"
	CorporateProxy     = "corporate_proxy"
	CDN                = "cdn"
	Mobile             = "mobile"
	CloudVM            = "cloud_vm"
	Leased             = "leased"
	UnknownMicrosoft   = "unknown_microsoft"
	Hosting            = "hosting"
	ResidentialStatic  = "residential_static"
	ResidentialDynamic = "residential_dynamic"
	Business           = "business"
	Education          = "education"
	Government         = "government"
)

// The classes of names; Service and M365Service are classes of names too.
const (
	Freemail     = "freemail"
	MailProvider = "mail_provider"
	Disposable   = "disposable"
	URLShortener = "url_shortener"
	DynamicDNS   = "dynamic_dns"
	Parking      = "parking"
	TopDomain    = "top_domain"
)

// Unknown is what no list knows.
const Unknown = "unknown"

// unranked is the rank of a match that decides nothing.
const unranked = 255

// rank returns the place of a class in the precedence, lower is stronger.
// UnknownMicrosoft stands before Hosting because lists of data centres name all
// of Microsoft's network, where machines are rented by the hour.
func rank(class string) uint8 {
	switch class {
	case Bogon:
		return 0
	case TenantEgress:
		return 1
	case M365Service:
		return 2
	case Service:
		return 3
	case Tor:
		return 4
	case PrivacyRelay:
		return 5
	case VPN:
		return 6
	case ResidentialProxy:
		return 7
	case CorporateProxy:
		return 8
	case CDN:
		return 9
	case Mobile:
		return 10
	case CloudVM:
		return 11
	case Leased:
		return 12
	case UnknownMicrosoft:
		return 13
	case Hosting:
		return 14
	case ResidentialStatic:
		return 15
	case ResidentialDynamic:
		return 16
	case Business:
		return 17
	case Education:
		return 18
	case Government:
		return 19
	}
	return nameRank(class)
}

// nameRank orders the classes that only names have.
func nameRank(class string) uint8 {
	switch class {
	case Freemail:
		return 30
	case MailProvider:
		return 31
	case Disposable:
		return 32
	case URLShortener:
		return 33
	case DynamicDNS:
		return 34
	case Parking:
		return 35
	case TopDomain:
		return 36
	}
	return unranked
}

// everybodys reports whether a class takes all weight from a value. A list that
// the community keeps never gives such a class to an address: it must not be
// able to delete a link.
func everybodys(class string) bool {
	switch class {
	case Bogon, TenantEgress, M365Service, Service, CDN, MailProvider:
		return true
	}
	return false
}

// Match is one statement of one list about a value.
type Match struct {
	// List is where the statement comes from.
	List *Info
	// Class is what the list says the value is, "" if it only lists it.
	Class string
	// Prefix is the listed range; invalid for names and AS numbers.
	Prefix netip.Prefix
	// Entry is the listed name, the AS number or the publisher's tag of the
	// range, such as AzureCloud.eastus.
	Entry string
	// Region and Service are the provider's own words, "" where not given.
	Region, Service string
	// Tenant owns the entry of an operator's list. It is not for other tenants'
	// eyes; Reasons leave it out.
	Tenant string
	// Grades says that the list grades how many share the value and does not
	// decide what it is.
	Grades bool
}

// Grade returns how fully a graded range of a list speaks for one address in
// it, from 0 (nothing) to 1 (the address itself): (L-16)/16 for IPv4, and
// (L-32)/32 for IPv6, where a /64 is one customer's.
func (m Match) Grade() float64 {
	if !m.Prefix.IsValid() {
		return 0
	}
	step := 16
	if m.Prefix.Addr().Is6() {
		step = 32
	}
	return min(1, max(0, float64(m.Prefix.Bits()-step)/float64(step)))
}

// reason words the match for people.
func (m Match) reason() string {
	var b strings.Builder
	b.WriteString(m.List.Title)
	if m.List.Date != "" {
		b.WriteByte(' ')
		b.WriteString(m.List.Date)
	}
	b.WriteString(": ")
	if m.Prefix.IsValid() {
		b.WriteString(m.Prefix.String())
	} else {
		b.WriteString(m.Entry)
	}
	var notes []string
	if m.Prefix.IsValid() && m.Entry != "" {
		notes = append(notes, m.Entry)
	}
	if m.Region != "" && !strings.HasSuffix(m.Entry, "."+m.Region) {
		notes = append(notes, m.Region)
	}
	if m.Service != "" && m.Service != m.Entry {
		notes = append(notes, m.Service)
	}
	if m.Grades && m.Prefix.IsValid() {
		notes = append(notes, "grades "+strconv.FormatFloat(m.Grade(), 'f', 2, 64))
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}

// Class is what a value is.
type Class struct {
	Name string
	// Reasons name the list and the entry that decided, then the lists that
	// grade; none when no list knows the value.
	Reasons []string
	// Matches are all statements about the value: the one that decided first.
	Matches []Match
	// Grades are the matches that grade how many share an address, longest
	// prefix first. The score makes a factor of each (Match.Grade).
	Grades []Match
	// Route is what routing data say of an address; its ASN is 0 if unknown.
	Route Route
	// Region and Service are those of the match that decided, or of the next
	// that has them and the same class.
	Region, Service string
}

// Route is the announcement that carries an address.
type Route struct {
	ASN    uint32
	Org    string
	Prefix netip.Prefix
	List   *Info
}

// Router says by which network an address is announced.
type Router interface {
	// Route returns false where it has no data.
	Route(netip.Addr) (Route, bool)
	// Version changes whenever an answer may.
	Version() string
}

// Marker says more about an address than ranges do, as databases of anonymous
// networks do.
type Marker interface {
	// Marks appends what is known of the address.
	Marks([]Match, netip.Addr) []Match
	// Version changes whenever an answer may.
	Version() string
}

// resolve makes a class of all that is said about a value.
func resolve(matches []Match, route Route) Class {
	c := Class{Name: Unknown, Route: route}
	if len(matches) == 0 {
		return c
	}
	slices.SortStableFunc(matches, compareMatches)
	c.Matches = matches
	best := matches[0]
	if decides(best) {
		c.Name = best.Class
		c.Reasons = append(c.Reasons, best.reason())
		for _, m := range matches {
			if m.Class != best.Class || !decides(m) {
				break
			}
			if c.Region == "" {
				c.Region = m.Region
			}
			if c.Service == "" {
				c.Service = m.Service
			}
		}
	}
	for i, m := range matches {
		if m.Grades && m.Class != "" {
			c.Grades = append(c.Grades, m)
			if i > 0 || !decides(m) {
				c.Reasons = append(c.Reasons, m.reason())
			}
		}
	}
	return c
}

// decides reports whether a match may set the class: a list that grades does so
// only for the very address, and never for a class without weight.
func decides(m Match) bool {
	if m.Class == "" || rank(m.Class) == unranked {
		return false
	}
	return !m.Grades || m.Prefix.IsValid() && m.Prefix.IsSingleIP() && !everybodys(m.Class)
}

func compareMatches(a, b Match) int {
	if d := int(place(a)) - int(place(b)); d != 0 {
		return d
	}
	if d := b.Prefix.Bits() - a.Prefix.Bits(); d != 0 {
		return d
	}
	return detail(b) - detail(a)
}

// detail counts what a match says beyond the class: a provider's tag of a
// region or service says more than its tag of everything.
func detail(m Match) int {
	n := 0
	for _, s := range [...]string{m.Region, m.Service} {
		if s != "" {
			n++
		}
	}
	return n
}

func place(m Match) uint8 {
	if !decides(m) {
		return unranked
	}
	return rank(m.Class)
}
