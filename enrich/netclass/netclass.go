// Package netclass says what an address, a name or an application id is: whose
// it is by its nature, not who used it.
//
// It knows published ranges and lists and answers from memory. It must not know
// cases or weights. What it carries are facts that their owners publish, each
// with the date it was read; everything else is unknown.
//
// Every list (Feed) is a table of its own: merged tables would let the longest
// prefix win, and ranges of one publisher lie inside those of another that
// means something else. All that the lists say is kept (Class.Matches); the
// class is the strongest statement in a fixed order. Lists that a community
// collects never decide by a range: they grade (Match.Grades).
package netclass

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// Table is a set of lists. Its zero value knows nothing. It is immutable and for
// concurrent use.
type Table struct {
	reserved *Feed
	m365     *Feed // nil where a feed has taken its place
	freemail map[string]bool
	mail     map[string]bool
	service  map[string]bool
	short    map[string]bool
	public   map[string]bool
	suffixes map[string]bool
	apps     map[string]bool
	empty    map[string]bool
	clouds   map[uint32]cloudNetwork

	feeds   []*Feed
	routes  []Router
	marks   []Marker
	lists   builtinLists
	version string
}

// Data is what a table knows beyond the lists that are part of the program.
type Data struct {
	// Feeds are consulted all; of two with one name the first counts.
	Feeds []*Feed
	// Routes are asked in order until one knows the address.
	Routes []Router
	// Marks are consulted all.
	Marks []Marker
}

// Builtin returns the lists that are part of the program.
func Builtin() *Table {
	return &Table{
		freemail: set(freemailDomains),
		mail:     set(mailProviderDomains),
		service:  set(serviceDomains),
		short:    set(shortenerDomains),
		public:   set(publicDomains),
		suffixes: set(customerSuffixes),
		apps:     set(firstPartyApps),
		empty:    set(emptyFileHashes),
		reserved: builtinReserved(),
		m365:     builtinM365(),
		lists:    newBuiltinLists(),
		version:  "builtin-2",
	}
}

// New returns the lists that are part of the program and more data. The built-in
// ranges of Microsoft 365 give way to a feed named M365Endpoints.
func New(d Data) *Table {
	t := Builtin()
	t.clouds = cloudNetworks()
	t.routes, t.marks = slices.Clone(d.Routes), slices.Clone(d.Marks)
	seen := make(map[string]bool)
	for _, f := range d.Feeds {
		if seen[f.info.Name] {
			continue
		}
		seen[f.info.Name] = true
		t.feeds = append(t.feeds, f)
	}
	if seen[M365Endpoints] {
		t.m365 = nil
	}
	t.version = t.sum()
	return t
}

// rules is the version of the code that makes classes of data; it changes with
// the parsers and the precedence.
const rules = "2"

// sum names the data: equal data have equal names.
func (t *Table) sum() string {
	h := sha256.New()
	io.WriteString(h, "rules "+rules+"\n") //nolint:errcheck // a hash takes everything
	feeds := slices.Clone(t.feeds)
	slices.SortFunc(feeds, func(a, b *Feed) int { return strings.Compare(a.info.Name, b.info.Name) })
	for _, f := range feeds {
		fmt.Fprintf(h, "feed %s %s %s\n", f.info.Name, f.info.Date, f.info.Digest)
	}
	for _, r := range t.routes {
		fmt.Fprintf(h, "routes %s\n", r.Version())
	}
	for _, m := range t.marks {
		fmt.Fprintf(h, "marks %s\n", m.Version())
	}
	return "feeds-" + hex.EncodeToString(h.Sum(nil))[:16]
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

// Lists describes the feeds of the table, in the order they were given.
func (t *Table) Lists() []Info {
	out := make([]Info, 0, len(t.feeds))
	for _, f := range t.feeds {
		out = append(out, f.info)
	}
	return out
}

// Address classifies an address. What others say of it, such as a reputation
// service that knows whom it is leased from, takes part in the precedence.
func (t *Table) Address(a netip.Addr, others ...Match) Class {
	a = a.Unmap().WithZone("")
	p := netip.PrefixFrom(a, a.BitLen())
	if c, ok := t.reservedClass(p); ok {
		return c
	}
	matches, route := t.known(p)
	for _, m := range t.marks {
		matches = m.Marks(matches, a)
	}
	return resolve(append(matches, others...), route)
}

// known returns what feeds say about a prefix and the network that announces it.
func (t *Table) known(p netip.Prefix) ([]Match, Route) {
	matches := t.ranges(p)
	for _, r := range t.routes {
		if route, ok := r.Route(p.Addr()); ok {
			if route.Prefix.Bits() > p.Bits() {
				break // the network of a part only
			}
			return t.networks(matches, route.ASN), route
		}
	}
	return matches, Route{}
}

// Prefix classifies a prefix: only ranges and announcements count that contain
// it whole.
func (t *Table) Prefix(p netip.Prefix) Class {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p = p.Masked(); p.IsSingleIP() {
		return t.Address(p.Addr())
	}
	if c, ok := t.reservedClass(p); ok {
		return c
	}
	return resolve(t.known(p))
}

// Egress reports whether an address is in the operator's list of the places
// from which a tenant's own people work.
func (t *Table) Egress(tenant string, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(t.ranges(netip.PrefixFrom(a, a.BitLen())), func(m Match) bool {
		return m.Class == TenantEgress && m.Tenant == tenant
	})
}

func (t *Table) reservedClass(p netip.Prefix) (Class, bool) {
	if t.reserved == nil {
		return Class{}, false
	}
	matches := t.reserved.addMatches(nil, p)
	return resolve(matches, Route{}), len(matches) > 0
}

func (t *Table) ranges(p netip.Prefix) []Match {
	var matches []Match
	if t.m365 != nil {
		matches = t.m365.addMatches(matches, p)
	}
	for _, f := range t.feeds {
		matches = f.addMatches(matches, p)
	}
	return matches
}

// networks appends what lists of networks say. Those of the cloud providers are
// known, so that a range newer than its provider's list is not taken for a
// dedicated server.
func (t *Table) networks(matches []Match, asn uint32) []Match {
	for _, f := range t.feeds {
		matches = f.addASN(matches, asn)
	}
	if c, ok := t.clouds[asn]; ok {
		matches = append(matches, Match{List: t.lists.clouds, Class: c.class, Entry: c.entry})
	}
	return matches
}

// Name classifies a domain or host name (ASCII, lower case): the lists hold
// domains and speak for every name below them, the longest domain first. The
// lists that are part of the program come before the feeds.
func (t *Table) Name(name string) Class {
	var matches []Match
	for _, f := range t.feeds {
		matches = f.addNames(matches, name)
	}
	m, ok := t.builtinName(name)
	if !ok {
		return resolve(matches, Route{})
	}
	c := resolve([]Match{m}, Route{})
	c.Matches = append(c.Matches, matches...)
	return c
}

func (t *Table) builtinName(name string) (Match, bool) {
	if t.suffixes[name] {
		return Match{List: t.lists.suffixes, Class: Service, Entry: name}, true
	}
	for d := name; d != ""; _, d, _ = strings.Cut(d, ".") {
		switch {
		case t.freemail[d]:
			return Match{List: t.lists.freemail, Class: Freemail, Entry: d}, true
		case t.mail[d]:
			return Match{List: t.lists.mail, Class: MailProvider, Entry: d}, true
		case t.service[d]:
			return Match{List: t.lists.service, Class: Service, Entry: d}, true
		case t.short[d]:
			return Match{List: t.lists.short, Class: URLShortener, Entry: d}, true
		case t.public[d]:
			return Match{List: t.lists.public, Class: TopDomain, Entry: d}, true
		}
	}
	return Match{}, false
}

// App classifies an application id (GUID, lower case).
func (t *Table) App(id string) Class {
	if t.apps[id] {
		return Class{Name: Service, Reasons: []string{"first-party application of Microsoft"}}
	}
	var matches []Match
	for _, f := range t.feeds {
		if e, ok := f.exact[id]; ok {
			matches = append(matches, f.match(e, netip.Prefix{}, id))
		}
	}
	return resolve(matches, Route{})
}

// Hash classifies the hash of a file (lower case).
func (t *Table) Hash(hash string) Class {
	if t.empty[hash] {
		return Class{Name: Service, Reasons: []string{"hash of the empty file"}}
	}
	return Class{Name: Unknown}
}
