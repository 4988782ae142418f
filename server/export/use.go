package export

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// use is what a value is good for.
type use struct {
	indicator, watch bool
	reason           string // why it is context
}

// Networks larger than these are too many machines to be blocked.
const (
	leastBits4 = 24
	leastBits6 = 48
)

// useOf decides whether a value is an indicator or context, once for all formats.
func useOf(v evidence.Value, class string, roles []string) use {
	context := func(reason string) use { return use{reason: reason} }
	switch v.Kind {
	case evidence.KindIP:
		return useOfAddress(class)
	case evidence.KindCIDR:
		p, err := netip.ParsePrefix(v.Text)
		if err != nil || p.Addr().Is4() && p.Bits() < leastBits4 || p.Addr().Is6() && p.Bits() < leastBits6 {
			return context("a network of too many machines")
		}
		return useOfAddress(class)
	case evidence.KindDomain, evidence.KindHostname:
		return useOfName(v.Text, class, roles)
	case evidence.KindForwardTo:
		if !strings.Contains(v.Text, "@") {
			return useOfName(v.Text, class, roles)
		}
		return use{indicator: true}
	case evidence.KindEmail, evidence.KindURL, evidence.KindFileHash:
		return use{indicator: true}
	case evidence.KindAppID:
		if class == link.ClassM365Service || class == link.ClassService {
			return context("an application of everybody's")
		}
		return use{indicator: true}
	case evidence.KindASN:
		return context("a whole network operator")
	case evidence.KindUserAgent, evidence.KindJA4:
		return context("many programs look like this")
	case evidence.KindPortProfile:
		return context("open ports of a machine")
	case evidence.KindRuleName:
		return context("the name of a mail rule, for people to look for")
	}
	return context("nothing that can be blocked")
}

func useOfAddress(class string) use {
	switch class {
	case link.ClassM365Service:
		return use{reason: "a service address of Microsoft 365"}
	case link.ClassUnknownMicrosoft:
		return use{reason: "an address of Microsoft"}
	case link.ClassService, link.ClassCorporateProxy:
		return use{reason: "a service address that many organisations use"}
	case link.ClassCDN:
		return use{reason: "an address of a content network"}
	case link.ClassPrivacyRelay:
		return use{reason: "an address of a privacy relay"}
	case link.ClassBogon:
		return use{reason: "an address that is not routed"}
	}
	return use{indicator: true}
}

func useOfName(name, class string, roles []string) use {
	registrable := registrable(name) == name
	if operator, ok := operatorNames[strings.TrimPrefix(name, "www.")]; ok {
		return use{reason: operator}
	}
	switch class {
	case link.ClassMailProvider, link.ClassFreemail:
		switch {
		case registrable:
			return use{reason: "the domain of a mail provider"}
		case slices.Contains(roles, evidence.RoleAllowListed):
			return use{watch: true, reason: "a host of a mail provider, others send from it too"}
		}
		return use{reason: "a host of a mail provider"}
	case link.ClassTopDomain:
		return use{reason: "among the most visited domains"}
	case link.ClassM365Service, link.ClassService, link.ClassCDN:
		return use{reason: "the name of a service that many organisations use"}
	case link.ClassURLShortener:
		if registrable {
			return use{reason: "the domain of a link shortener"}
		}
	case link.ClassDynamicDNS:
		if registrable {
			return use{reason: "the domain of a dynamic DNS provider"}
		}
	}
	return use{indicator: true}
}

// registrable returns the part of a name that somebody registered, the name itself
// if there is none.
func registrable(name string) string {
	if r, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return r
	}
	return name
}

// operatorNames are hosting companies and marketplaces of addresses, by the domain
// that reports name them with. Whoever blocks them blocks their other customers.
var operatorNames = func() map[string]string {
	out := make(map[string]string)
	for kind, list := range map[string]string{
		"the domain of a hosting company": `
			a2hosting.com alibabacloud.com amazonaws.com azure.com bluehost.com clouvider.com colocrossing.com
			contabo.com digitalocean.com dreamhost.com fdcservers.net gcore.com godaddy.com hetzner.com hetzner.de
			hostgator.com hostinger.com hostwinds.com hostwinds.net interserver.net ionos.com ioflood.com leaseweb.com linode.com
			m247.com multacom.com namecheap.com nforce.com ovh.com ovh.net ovhcloud.com psychz.net quadranet.com
			rackspace.com scaleway.com servermania.com sharktech.net softlayer.com stark-industries.solutions tencentcloud.com
			terrahost.com vultr.com worldstream.nl zenlayer.com`,
		"the domain of a marketplace of addresses": `
			interlir.com ipv4.global ipxo.com logicweb.com heficed.com prefixbroker.com`,
	} {
		for name := range strings.FieldsSeq(list) {
			out[name] = kind
		}
	}
	return out
}()
