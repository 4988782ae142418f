package draft

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

// Reasons why a value stays, beside those of package privacy.
const (
	whyInternal  = "the tenant's own"
	whyEverybody = "everybody's: it says nothing about an actor"
	whySecret    = "of a private kind: leaves with --submit as a keyed hash, in a file only with --private"
	whyMalformed = "cannot be read as a value of its kind"
	whyAnyApp    = "which applications people sign in to says nothing about an actor"
)

// value is an observable with the decision about it.
type value struct {
	hunt.Observable
	stays string // why it stays
	note  string // how it was changed
}

func stays(o hunt.Observable, why string) []value { return []value{{Observable: o, stays: why}} }

// maxValueBytes is the service's limit.
const maxValueBytes = 4 << 10

// gate decides about one observable of a finding. It may become two: an address
// that mail is sent to is one at a domain.
func (b *builder) gate(o hunt.Observable, f *dossier.Finding) []value {
	g := b.report.Guard
	o.Value = strings.Join(strings.Fields(o.Value), " ")
	if len(o.Value) > maxValueBytes || strings.ContainsFunc(o.Value, unicode.IsControl) {
		return stays(o, whyMalformed)
	}
	if o.Secret {
		if !b.Secret {
			return stays(o, whySecret)
		}
		return []value{{Observable: o, note: "replaced by a keyed hash on the server"}}
	}
	switch o.Kind {
	case "rule_name":
		name, reason := g.Name(o.Value)
		if reason != "" {
			return stays(o, reason)
		}
		v := value{Observable: o}
		if v.Value = name; name != strings.Join(strings.Fields(o.Value), " ") {
			v.note = "without the words that name somebody"
		}
		return []value{v}
	case "rule_words", "account_pattern":
		if reason := g.Text(o.Value); reason != "" {
			return stays(o, reason)
		}
	case "user_agent":
		if hunt.Tool(o.Value) == "" && ordinaryAgent(o.Value) {
			return stays(o, whyEverybody)
		}
		if reason := g.Text(o.Value); reason != "" {
			return stays(o, reason)
		}
	case "app_id":
		switch {
		case b.FirstParty(o.Value):
			return stays(o, whyEverybody)
		case f.Hunt == "external-login":
			return stays(o, whyAnyApp)
		}
		if reason := g.Value(o.Value); reason != "" {
			return stays(o, reason)
		}
	case "ip", "cidr":
		return b.gateAddress(o)
	case "domain":
		return b.gateName(o)
	case "forward_to", "email":
		return b.gateMail(o)
	case "spoof_pair":
		return b.gatePair(o)
	case "url":
		host, ok := urlHost(o.Value)
		switch {
		case !ok:
			return stays(o, whyMalformed)
		case g.IsOwn(host):
			return stays(o, whyInternal)
		}
		if reason := g.Value(o.Value); reason != "" {
			return stays(o, reason)
		}
	case "file_hash":
	default:
		return stays(o, whyMalformed)
	}
	return []value{{Observable: o}}
}

// ordinaryAgent reports whether a user agent is a browser's or one of the
// programs that everybody reads mail with.
func ordinaryAgent(agent string) bool {
	agent = strings.ToLower(agent)
	for _, part := range []string{
		"mozilla/", "opera/", "microsoft", "outlook", "office", "exchange", "windows", "apple", "ios/", "iphone", "ipad", "android",
		"darwin", "onedrive", "teams", "skype", "edge", "chrome", "samsung", "macos", "owa", "mapi", "client=", "owintelescope",
	} {
		if strings.Contains(agent, part) {
			return true
		}
	}
	return false
}

func (b *builder) gateAddress(o hunt.Observable) []value {
	if why := b.ways[o.Value]; why != "" {
		return stays(o, why)
	}
	p, err := netip.ParsePrefix(o.Value)
	if a, aerr := netip.ParseAddr(o.Value); aerr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return stays(o, whyMalformed)
	}
	switch n := b.report.Classify(p.Addr()); {
	case n.Microsoft:
		return stays(o, "an address of Microsoft's services")
	case n.Reserved:
		return stays(o, "private or reserved: nobody else's can be compared with it")
	}
	for _, a := range b.report.Addresses {
		if a.Stays != "" && p.Contains(a.Addr) {
			return stays(o, a.Stays)
		}
	}
	return []value{{Observable: o}}
}

func (b *builder) gateName(o hunt.Observable) []value {
	g := b.report.Guard
	name, ok := hostName(o.Value)
	switch {
	case !ok:
		return stays(o, whyMalformed)
	case g.IsOwn(name):
		return stays(o, whyInternal)
	}
	if reason := g.Value(o.Value); reason != "" {
		return stays(o, reason)
	}
	o.Value = name
	if registrable, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil && registrable != name {
		o.Kind = "hostname"
	}
	return []value{{Observable: o}}
}

func (b *builder) gateMail(o hunt.Observable) []value {
	g := b.report.Guard
	_, domain, _ := strings.Cut(o.Value, "@")
	name, ok := hostName(domain)
	switch {
	case !ok:
		return stays(o, whyMalformed)
	case g.IsOwn(name):
		return stays(o, whyInternal)
	}
	if reason := g.Value(o.Value); reason != "" {
		return stays(o, reason)
	}
	out := []value{{Observable: o}}
	if o.Kind == "forward_to" && !b.report.Public(name) {
		out = append(out, b.gateName(hunt.Observable{Kind: "domain", Value: name, Role: o.Role})...)
	}
	return out
}

// gatePair lets a pair pass where both of its sides may.
func (b *builder) gatePair(o hunt.Observable) []value {
	g := b.report.Guard
	spoofed, infrastructure, _ := strings.Cut(o.Value, ">")
	for _, side := range []string{spoofed, infrastructure} {
		_, domain, isAddress := strings.Cut(side, "@")
		if !isAddress {
			domain = side
		}
		_, prefixErr := netip.ParsePrefix(side)
		_, addrErr := netip.ParseAddr(side)
		name, ok := hostName(domain)
		switch {
		case prefixErr == nil || addrErr == nil:
			continue
		case !ok:
			return stays(o, whyMalformed)
		case g.IsOwn(name):
			return stays(o, "the spoofed sender or the server is the tenant's own")
		case g.IsPartner(name):
			return stays(o, "names a partner of the tenant")
		}
		if reason := g.Value(side); reason != "" {
			return stays(o, reason)
		}
	}
	return []value{{Observable: o}}
}

// webAddress is a URL whose host and separators every reader takes for the same.
var webAddress = regexp.MustCompile(`^(?:https?|ftp)://([A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?(?:/[^\[\](){}\\ ]*)?$`)

// urlHost returns the host of a URL in the form in which the service reads it.
func urlHost(s string) (string, bool) {
	m := webAddress.FindStringSubmatch(s)
	if m == nil || len(m[2]) == 5 && m[2] > "65535" {
		return "", false
	}
	if a, err := netip.ParseAddr(m[1]); err == nil {
		return a.String(), true
	}
	return hostName(m[1])
}

var labels = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+$`)

// hostName returns a name in the form in which the service reads it; false for
// what is none, and for suffixes below which anybody may register.
func hostName(s string) (string, bool) {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		name = ascii
	}
	if len(name) > 253 || !labels.MatchString(name) {
		return "", false
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	hex, prefixed := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || prefixed && strings.Trim(hex, "0123456789abcdef") == "" {
		return "", false // programs read it as an address
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	return name, !icann || suffix != name
}
