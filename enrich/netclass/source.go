package netclass

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// Claim returns the match as a claim about the class of a value; ok is false
// where the list says nothing about the class.
func (m Match) Claim() (c enrich.Claim, ok bool) {
	if m.Class == "" {
		return enrich.Claim{}, false
	}
	c = enrich.Claim{Effect: enrich.Sets, Class: m.Class, Source: m.List.Title, Entry: m.entry(), DataDate: m.List.Time()}
	if !decides(m) {
		c.Effect, c.Grade = enrich.Grades, m.Grade()
	}
	return c, true
}

// entry is what matched, in one word or two.
func (m Match) entry() string {
	switch {
	case !m.Prefix.IsValid():
		return m.Entry
	case m.Entry == "":
		return m.Prefix.String()
	}
	return m.Prefix.String() + " " + m.Entry
}

// Claims returns all that the lists claim, for enrich.Decide to weigh against
// what others say.
func (c Class) Claims() []enrich.Claim {
	claims := make([]enrich.Claim, 0, len(c.Matches))
	for _, m := range c.Matches {
		if claim, ok := m.Claim(); ok {
			claims = append(claims, claim)
		}
	}
	return claims
}

// Of classifies a value of any kind: names by themselves, addresses of mail and
// of the web by the host they are at.
func (t *Table) Of(v enrich.Value) Class {
	switch v.Kind {
	case enrich.KindAppID:
		return t.App(v.Text)
	case enrich.KindFileHash:
		return t.Hash(v.Text)
	}
	if host, ok := hostOf(v); ok {
		return t.host(host)
	}
	return Class{Name: Unknown}
}

// hostOf returns the address, prefix or name that a value is at.
func hostOf(v enrich.Value) (string, bool) {
	switch v.Kind {
	case enrich.KindIP, enrich.KindCIDR, enrich.KindDomain, enrich.KindHostname:
		return v.Text, true
	case enrich.KindEmail:
		return v.Text[strings.LastIndexByte(v.Text, '@')+1:], true
	case enrich.KindURL:
		if u, err := url.Parse(v.Text); err == nil {
			return u.Hostname(), true
		}
	}
	return "", false
}

func (t *Table) host(s string) Class {
	if a, err := netip.ParseAddr(s); err == nil {
		return t.Address(a)
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return t.Prefix(p)
	}
	return t.Name(s)
}

// Registrable returns the part of a name that one party registers: its public
// suffix and one label more, the private section of the list included. A name
// that is itself a suffix is returned as it is.
func Registrable(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}

// source answers the questions of package enrich.
type source struct {
	current func() *Table
	public  bool
}

// NewSource returns the lists as a source of records. current is asked at every
// look-up, so that the lists can be exchanged meanwhile.
func NewSource(current func() *Table) enrich.Source { return source{current: current} }

// NewPublicSource is NewSource for those who may not know who the tenants are: what
// it says of a value is what the lists would say if none held the tenants' own
// addresses.
func NewPublicSource(current func() *Table) enrich.Source { return source{current, true} }

// public is a class without the lists of the tenants' own addresses.
func (c Class) public() Class {
	own := func(m Match) bool { return m.Class == TenantEgress }
	if !slices.ContainsFunc(c.Matches, own) {
		return c
	}
	return resolve(slices.DeleteFunc(slices.Clone(c.Matches), own), c.Route)
}

// sourceName is the name under which the lists stand in records.
const sourceName = "lists"

// fieldRegistrable is the registrable domain of a name.
const fieldRegistrable = "registrable_domain"

// About implements enrich.Source.
func (s source) About() enrich.About {
	return enrich.About{
		Name: sourceName,
		Kinds: []enrich.Kind{
			enrich.KindIP, enrich.KindCIDR, enrich.KindDomain, enrich.KindHostname, enrich.KindEmail, enrich.KindURL,
			enrich.KindAppID, enrich.KindFileHash,
		},
		Fields: []string{
			enrich.FieldASN, enrich.FieldASOrg, enrich.FieldPrefix, enrich.FieldProvider, enrich.FieldRegion,
			enrich.FieldService, enrich.FieldAttribution, fieldRegistrable,
		},
	}
}

// Lookup implements enrich.Source.
func (s source) Lookup(_ context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer {
	c := s.current().Of(v)
	if s.public {
		c = c.public()
	}
	a := enrich.Answer{Source: sourceName, Status: enrich.OK, Claims: c.Claims()}
	add := func(name, value string, list *Info) {
		if value != "" {
			a.Fields = append(a.Fields, enrich.Field{
				Name: name, Value: value, Source: list.Title, DataDate: list.Time(), Status: enrich.OK,
			})
		}
	}
	var used []*Info
	if r := c.Route; r.ASN != 0 {
		add(enrich.FieldASN, strconv.FormatUint(uint64(r.ASN), 10), r.List)
		add(enrich.FieldASOrg, Word(r.Org), r.List)
		add(enrich.FieldPrefix, r.Prefix.String(), r.List)
		used = append(used, r.List)
	}
	for i, m := range c.Matches {
		if i == 0 && decides(m) {
			switch m.Class {
			case CloudVM, CDN, M365Service, PrivacyRelay, CorporateProxy:
				add(enrich.FieldProvider, m.List.Attribution, m.List)
			}
			add(enrich.FieldRegion, c.Region, m.List)
			add(enrich.FieldService, c.Service, m.List)
		}
		if !slices.Contains(used, m.List) {
			used = append(used, m.List)
		}
	}
	if host, ok := hostOf(v); ok && v.Kind != enrich.KindIP && v.Kind != enrich.KindCIDR && !isAddress(host) {
		suffixes := Info{Title: "Public Suffix List"}
		add(fieldRegistrable, Registrable(host), &suffixes)
	}
	for _, list := range used {
		add(enrich.FieldAttribution, list.Title+" ("+list.Licence+"): "+list.Attribution, list)
	}
	if len(a.Fields) == 0 {
		a.Status = enrich.NoData
	}
	return a
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
