package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// classes answers the score's question what a value is: from the lists of package
// enrich, which knows no evidence, and from the book of what look-ups
// established. It is a linker.Changing.
type classes struct {
	model *link.Model
	// book is nil until there is one.
	book *enrich.Book
	// egress returns the networks of the tenants' records; nil: there are none.
	egress func() []netip.Prefix
	now    atomic.Pointer[classTable]
}

func newClasses(m *link.Model, t *netclass.Table) *classes {
	c := &classes{model: m}
	c.exchange(t)
	return c
}

// exchange puts other lists in the place of those in use.
func (c *classes) exchange(t *netclass.Table) {
	c.now.Store(c.table(t))
}

// renew takes other lists, or other networks of tenants, into use and reports
// whether anything is not as it was.
func (c *classes) renew(t *netclass.Table) bool {
	next := c.table(t)
	if next.Version() == c.Version() {
		return false
	}
	c.now.Store(next)
	return true
}

func (c *classes) table(t *netclass.Table) *classTable {
	table := &classTable{model: c.model, book: c.book, lists: t, seed: maphash.MakeSeed(), version: t.Version()}
	if c.egress == nil {
		return table
	}
	if table.egress = c.egress(); len(table.egress) > 0 {
		sum := sha256.Sum256(fmt.Append(nil, table.egress))
		table.version += "+egress-" + hex.EncodeToString(sum[:4])
	}
	return table
}

// Current implements linker.Changing.
func (c *classes) Current() link.Classifier { return c.now.Load() }

// Class implements link.Classifier.
func (c *classes) Class(v evidence.Value) link.Class { return c.now.Load().Class(v) }

// Version implements link.Classifier.
func (c *classes) Version() string { return c.now.Load().Version() }

// rememberedClasses is how many values a table remembers the class of: about 12 MB
// where most have reasons.
const rememberedClasses = 1 << 15

// classTable is one state of the lists. The book goes on changing: what it says
// anew is followed by marks, what lists say anew by a sweep.
type classTable struct {
	model *link.Model
	book  *enrich.Book
	lists *netclass.Table
	// egress are the networks of the tenants' records.
	egress  []netip.Prefix
	version string
	seed    maphash.Seed
	known   [rememberedClasses]atomic.Pointer[knownClass]
}

type knownClass struct {
	value evidence.Value
	link.Class
}

// Version implements link.Classifier.
func (c *classTable) Version() string { return c.version }

// Class implements link.Classifier.
func (c *classTable) Class(v evidence.Value) link.Class {
	if len(c.egress) > 0 && (v.Kind == evidence.KindIP || v.Kind == evidence.KindCIDR) && c.tenants(v.Text) {
		// No record is named: the reason is shown to all.
		return link.Class{Name: link.ClassTenantEgress, Reasons: reasons(link.ClassTenantEgress, []string{shieldedEgress})}
	}
	if c.book != nil && (v.Kind == evidence.KindIP || v.Kind == evidence.KindCIDR) {
		if claims := c.book.Claims(enrich.Value{Kind: enrich.Kind(v.Kind), Text: v.Text}); len(claims) > 0 {
			of := c.of(v)
			return c.decide(of.Route, append(of.Claims(), claims...))
		}
	}
	slot := &c.known[(maphash.String(c.seed, v.Text)+maphash.String(c.seed, string(v.Kind)))%rememberedClasses]
	if k := slot.Load(); k != nil && k.value == v {
		return k.Class
	}
	class := c.listed(v)
	// Or all that the value was read from stays.
	v.Text = strings.Clone(v.Text)
	slot.Store(&knownClass{v, class})
	return class
}

// tenants reports whether an address or a network is one of the tenants' own.
func (c *classTable) tenants(s string) bool {
	p, err := access.ParsePrefix(s)
	return err == nil && slices.ContainsFunc(c.egress, func(own netip.Prefix) bool {
		return own.Bits() <= p.Bits() && own.Contains(p.Addr())
	})
}

// listed is the class that follows from the lists alone.
func (c *classTable) listed(v evidence.Value) link.Class {
	of := c.of(v)
	if len(of.Grades) > 0 {
		return c.decide(of.Route, of.Claims())
	}
	return link.Class{Name: of.Name, ASN: of.Route.ASN, Reasons: reasons(of.Name, of.Reasons)}
}

// decide makes one class of all claims about a value.
func (c *classTable) decide(route netclass.Route, claims []enrich.Claim) link.Class {
	d := enrich.Decide(claims...)
	grades := make([]link.Grade, len(d.Grades))
	for i, g := range d.Grades {
		grades[i] = link.Grade{Class: g.Class, Share: g.Grade}
	}
	return link.Class{
		Name: d.Name, ASN: route.ASN, Reasons: reasons(d.Name, d.Reasons),
		Alpha:           c.model.GradedAlpha(d.Name, grades, d.Factor),
		AlphaReferenced: c.model.GradedAlphaReferenced(d.Name, grades, d.Factor),
	}
}

// reasons puts the class before what decided it.
func reasons(class string, because []string) []string {
	if len(because) == 0 || class == "" || class == netclass.Unknown {
		return because
	}
	out := append(make([]string, 0, len(because)), class+": "+because[0])
	return append(out, because[1:]...)
}

// of asks the lists about a value.
func (c *classTable) of(v evidence.Value) netclass.Class {
	switch v.Kind {
	case evidence.KindIP, evidence.KindCIDR, evidence.KindDomain, evidence.KindHostname:
		return c.host(v.Text)
	case evidence.KindEmail, evidence.KindForwardTo:
		if _, domain, ok := strings.Cut(v.Text, "@"); ok {
			return c.host(domain)
		}
		return c.host(v.Text)
	case evidence.KindSpoofPair:
		_, sender, _ := strings.Cut(v.Text, ">")
		return c.host(sender)
	case evidence.KindURL:
		if u, err := url.Parse(v.Text); err == nil {
			return c.host(u.Hostname())
		}
	case evidence.KindAppID:
		return c.lists.App(v.Text)
	case evidence.KindFileHash:
		return c.lists.Hash(v.Text)
	}
	return netclass.Class{}
}

// host asks about an address, a prefix or a name.
func (c *classTable) host(s string) netclass.Class {
	if a, err := netip.ParseAddr(s); err == nil {
		return c.lists.Address(a)
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return c.lists.Prefix(p)
	}
	return c.lists.Name(s)
}
