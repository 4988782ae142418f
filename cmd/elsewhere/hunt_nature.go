package main

import (
	"net/netip"
	"slices"

	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/enrich/local"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// natures says of addresses, domains and applications whose they are, from the
// data that are part of the program. Nobody is asked.
type natures struct {
	table *netclass.Table
	named []netip.Prefix // addresses that the analyst named
}

func loadNatures(named []netip.Prefix) (*natures, error) {
	data, _, err := local.Open(local.Options{})
	if err != nil {
		return nil, err
	}
	return &natures{data.Table(), named}, nil
}

// microsoftBlocks are what the registries gave to Microsoft (ARIN, RIPE NCC) and
// where servers of Exchange Online name each other by addresses that they never
// announce.
func microsoftBlocks() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("2603:1000::/24"), netip.MustParsePrefix("2a01:110::/31")}
}

func (n *natures) of(a netip.Addr) dossier.Nature {
	c := n.table.Address(a)
	out := dossier.Nature{Class: c.Name}
	if len(c.Reasons) > 0 {
		out.Why = c.Reasons[0]
	}
	switch c.Name {
	case netclass.Unknown:
		out.Class = ""
		out.Microsoft = slices.ContainsFunc(microsoftBlocks(), func(p netip.Prefix) bool { return p.Contains(a) })
	case netclass.Bogon:
		out.Reserved = true
	case netclass.M365Service:
		out.Microsoft = true
	case netclass.UnknownMicrosoft:
		// The admin centre and other services act from there, and are not
		// published. An analyst who names the address knows better.
		out.Microsoft = !slices.ContainsFunc(n.named, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return out
}

// public reports whether a domain is everybody's.
func (n *natures) public(domain string) bool {
	switch n.table.Name(domain).Name {
	case netclass.Freemail, netclass.MailProvider, netclass.Disposable, netclass.Service, netclass.M365Service:
		return true
	}
	return false
}

func (n *natures) firstParty(app string) bool { return n.table.App(app).Name == netclass.Service }
