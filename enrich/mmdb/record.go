package mmdb

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// Record is what databases know of one address. Each part names the database it
// is from; a part without one is not known.
type Record struct {
	// Route is the announcing network.
	Route netclass.Route
	Place Place
	// Hides is whether the address hides who is behind it.
	Hides Hides
	// User is who uses the address.
	User User
}

func (r Record) empty() bool {
	return r.Route.List == nil && r.Place.List == nil && r.Hides.List == nil && r.User.List == nil
}

// Place is where an address is said to be.
type Place struct {
	Country string // ISO 3166-1 alpha-2
	Region  string
	City    string
	List    *netclass.Info
	Prefix  netip.Prefix
}

// Hides says in which ways an address hides somebody.
type Hides struct {
	VPN, Tor, Hosting, PublicProxy, ResidentialProxy, Relay bool
	// Service is the name of the VPN or proxy service.
	Service string
	List    *netclass.Info
	Prefix  netip.Prefix
}

type hidingFlag struct {
	set         bool
	class, word string
}

func (h Hides) flags() []hidingFlag {
	return []hidingFlag{
		{h.Tor, netclass.Tor, "tor exit"},
		{h.Relay, netclass.PrivacyRelay, "relay"},
		{h.VPN, netclass.VPN, "vpn"},
		// Whoever finds an open proxy uses it, as with a VPN.
		{h.PublicProxy, netclass.VPN, "public proxy"},
		{h.ResidentialProxy, netclass.ResidentialProxy, "residential proxy"},
		{h.Hosting, netclass.Hosting, "hosting"},
	}
}

// User is who uses an address, in the vendor's words.
type User struct {
	ISP, Organization, Domain string
	// Type is such as residential, business or cellular.
	Type   string
	Mobile bool
	List   *netclass.Info
	Prefix netip.Prefix
}

// Route implements netclass.Router.
func (v *View) Route(a netip.Addr) (netclass.Route, bool) {
	r, _ := v.Lookup(a) // what does not decode is not known
	return r.Route, r.Route.ASN != 0
}

// Marks implements netclass.Marker.
func (v *View) Marks(matches []netclass.Match, a netip.Addr) []netclass.Match {
	r, _ := v.Lookup(a) // what does not decode is not known
	h := r.Hides
	for _, flag := range h.flags() {
		if flag.set {
			matches = append(matches, netclass.Match{
				List: h.List, Class: flag.class, Prefix: h.Prefix, Entry: flag.word, Service: h.Service,
			})
		}
	}
	if class := r.User.class(); class != "" {
		word := r.User.Type
		if word == "" {
			word = "mobile network"
		}
		matches = append(matches, netclass.Match{List: r.User.List, Class: class, Prefix: r.User.Prefix, Entry: word})
	}
	return matches
}

// class maps the words of MaxMind's Enterprise database and of IPinfo's.
func (u User) class() string {
	if u.Mobile {
		return netclass.Mobile
	}
	switch strings.ToLower(u.Type) {
	case "cellular", "mobile":
		return netclass.Mobile
	case "residential", "isp":
		return netclass.ResidentialDynamic
	case "business":
		return netclass.Business
	case "college", "school", "library", "education":
		return netclass.Education
	case "government", "military":
		return netclass.Government
	case "hosting":
		return netclass.Hosting
	case "content_delivery_network":
		return netclass.CDN
	case "consumer_privacy_network":
		return netclass.PrivacyRelay
	}
	return ""
}

type source struct {
	list   *netclass.Info
	prefix netip.Prefix
}

// decodeFunc adds one database's answer to a record.
type decodeFunc func(maxminddb.Result, *Record, source) error

// decoderOf chooses by the type that the database states. A type may name the
// one it is compatible with, as in "DBIP-ASN-Lite (compat=GeoLite2-ASN)".
func decoderOf(kind string) decodeFunc {
	if _, compatible, ok := strings.Cut(kind, "(compat="); ok {
		kind = "GeoIP2-" + strings.TrimPrefix(strings.TrimSuffix(compatible, ")"), "GeoLite2-")
	}
	has := func(prefix, word string) bool { return strings.HasPrefix(kind, prefix) && strings.Contains(kind, word) }
	vendor := strings.HasPrefix(kind, "Geo") || strings.HasPrefix(kind, "DBIP-")
	switch {
	case !vendor:
		return decodeOther(strings.Contains(strings.ToLower(kind), "resproxy"))
	case has("Geo", "Residential-Proxy"):
		return decodeOther(true)
	case has("", "Anonymous"):
		return decodeAnonymous
	case has("", "Enterprise"):
		return decodeEnterprise
	case has("", "ISP"):
		return decodeISP
	case has("", "ASN"):
		return decodeASN
	case has("", "Connection-Type"):
		return decodeConnection
	case has("", "Domain"):
		return decodeDomain
	case has("", "City"), has("", "Country"), has("", "Location"):
		return decodeCity
	}
	return decodeOther(false)
}

func (r *Record) setRoute(asn uint, org string, s source) {
	if r.Route.List == nil && asn != 0 && asn <= 1<<32-1 {
		r.Route = netclass.Route{ASN: uint32(asn), Org: netclass.Word(org), Prefix: s.prefix, List: s.list}
	}
}

func (r *Record) setPlace(p Place, s source) {
	if r.Place.List == nil && p != (Place{}) {
		p.Country, p.Region, p.City = netclass.Word(p.Country), netclass.Word(p.Region), netclass.Word(p.City)
		p.List, p.Prefix = s.list, s.prefix
		r.Place = p
	}
}

func (r *Record) setHides(h Hides, s source) {
	if r.Hides.List == nil && h != (Hides{}) {
		h.Service, h.List, h.Prefix = netclass.Word(h.Service), s.list, s.prefix
		r.Hides = h
	}
}

func (r *Record) setUser(u User, s source) {
	if r.User.List == nil && u != (User{}) {
		u.ISP, u.Organization, u.Domain = netclass.Word(u.ISP), netclass.Word(u.Organization), netclass.Word(u.Domain)
		u.Type, u.List, u.Prefix = netclass.Word(u.Type), s.list, s.prefix
		r.User = u
	}
}

func decodeASN(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.ASN
	if err := found.Decode(&v); err != nil {
		return err
	}
	r.setRoute(v.AutonomousSystemNumber, v.AutonomousSystemOrganization, s)
	return nil
}

func decodeISP(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.ISP
	if err := found.Decode(&v); err != nil {
		return err
	}
	r.setRoute(v.AutonomousSystemNumber, v.AutonomousSystemOrganization, s)
	r.setUser(User{ISP: v.ISP, Organization: v.Organization, Mobile: v.MobileCountryCode != ""}, s)
	return nil
}

func decodeConnection(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.ConnectionType
	if err := found.Decode(&v); err != nil {
		return err
	}
	// The other types name the cable, not the user.
	r.setUser(User{Mobile: v.ConnectionType == "Cellular"}, s)
	return nil
}

func decodeDomain(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.Domain
	if err := found.Decode(&v); err != nil {
		return err
	}
	r.setUser(User{Domain: v.Domain}, s)
	return nil
}

func decodeAnonymous(found maxminddb.Result, r *Record, s source) error {
	// The fields of Anonymous-IP are among those of Anonymous-Plus.
	var v geoip2.AnonymousPlus
	if err := found.Decode(&v); err != nil {
		return err
	}
	r.setHides(Hides{
		VPN: v.IsAnonymousVPN, Tor: v.IsTorExitNode, Hosting: v.IsHostingProvider, PublicProxy: v.IsPublicProxy,
		ResidentialProxy: v.IsResidentialProxy, Service: v.ProviderName,
	}, s)
	return nil
}

func decodeCity(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.City
	if err := found.Decode(&v); err != nil {
		return err
	}
	p := Place{Country: v.Country.ISOCode, City: v.City.Names.English}
	if len(v.Subdivisions) > 0 {
		p.Region = v.Subdivisions[0].Names.English
	}
	r.setPlace(p, s)
	return nil
}

func decodeEnterprise(found maxminddb.Result, r *Record, s source) error {
	var v geoip2.Enterprise
	if err := found.Decode(&v); err != nil {
		return err
	}
	p := Place{Country: v.Country.ISOCode, City: v.City.Names.English}
	if len(v.Subdivisions) > 0 {
		p.Region = v.Subdivisions[0].Names.English
	}
	r.setPlace(p, s)
	t := v.Traits
	r.setRoute(t.AutonomousSystemNumber, t.AutonomousSystemOrganization, s)
	r.setUser(User{
		ISP: t.ISP, Organization: t.Organization, Domain: t.Domain, Type: t.UserType,
		Mobile: t.ConnectionType == "Cellular" || t.MobileCountryCode != "",
	}, s)
	return nil
}

// decodeOther reads the fields that vendors agree on. Where being listed is what
// the database says, proxies is set.
func decodeOther(proxies bool) decodeFunc {
	return func(found maxminddb.Result, r *Record, s source) error {
		var v map[string]any
		if err := found.Decode(&v); err != nil {
			return err
		}
		r.setRoute(number(v, "asn", "as_number", "autonomous_system_number"),
			text(v, "as_name", "as_org", "autonomous_system_organization", "name"), s)
		r.setPlace(Place{
			Country: text(v, "country_code", "country"), Region: text(v, "region", "region_name"), City: text(v, "city", "city_name"),
		}, s)
		r.setHides(Hides{
			VPN: flag(v, "vpn", "is_vpn", "is_anonymous_vpn"), Tor: flag(v, "tor", "is_tor", "is_tor_exit_node"),
			Hosting: flag(v, "hosting", "is_hosting", "is_hosting_provider"), PublicProxy: flag(v, "proxy", "is_proxy", "is_public_proxy"),
			ResidentialProxy: proxies || flag(v, "residential_proxy", "res_proxy", "is_residential_proxy"),
			Relay:            flag(v, "relay", "is_relay"), Service: text(v, "service", "provider_name"),
		}, s)
		r.setUser(User{
			ISP: text(v, "isp"), Organization: text(v, "organization", "company"), Domain: text(v, "as_domain", "domain"),
			Type: text(v, "as_type", "usage_type", "user_type", "type"), Mobile: flag(v, "is_mobile", "mobile"),
		}, s)
		return nil
	}
}

// text returns the first of the fields that holds text, or a map with the text
// under a key that vendors use.
func text(v map[string]any, keys ...string) string {
	for _, k := range keys {
		switch f := v[k].(type) {
		case string:
			if f != "" {
				return f
			}
		case map[string]any:
			if s := text(f, "iso_code", "code", "name"); s != "" {
				return s
			}
		}
	}
	return ""
}

// number returns the first of the fields that holds an AS number, as a number or
// as "AS123".
func number(v map[string]any, keys ...string) uint {
	for _, k := range keys {
		switch f := v[k].(type) {
		case uint64:
			return uint(f)
		case uint32:
			return uint(f)
		case string:
			if n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(f), "AS"), 10, 32); err == nil {
				return uint(n)
			}
		}
	}
	return 0
}

// flag reports whether one of the fields is set, as a truth value or as text.
func flag(v map[string]any, keys ...string) bool {
	for _, k := range keys {
		switch f := v[k].(type) {
		case bool:
			if f {
				return true
			}
		case string:
			if f == "true" || f == "1" {
				return true
			}
		}
	}
	return false
}
