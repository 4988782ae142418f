package server

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// classes answers the score's question what a value is from the lists of package
// enrich, which knows no evidence.
type classes struct{ lists *netclass.Table }

// Version implements link.Classifier.
func (c classes) Version() string { return c.lists.Version() }

// Class implements link.Classifier.
func (c classes) Class(v evidence.Value) link.Class {
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
		return class(c.lists.App(v.Text))
	case evidence.KindFileHash:
		return class(c.lists.Hash(v.Text))
	}
	return link.Class{}
}

// host classifies an address, a prefix or a name.
func (c classes) host(s string) link.Class {
	if a, err := netip.ParseAddr(s); err == nil {
		return class(c.lists.Address(a))
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return class(c.lists.Prefix(p))
	}
	return class(c.lists.Name(s))
}

func class(c netclass.Class) link.Class { return link.Class{Name: c.Name, Reasons: c.Reasons} }
