package evidence

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

const (
	maxDNSNameBytes  = 253
	maxDNSLabelBytes = 63
	maxRuneBytes     = 4
	acePrefix        = "xn--"
)

// lookupProfile maps a name as a resolver's client does. Underscores and
// hyphens in odd places pass: such names are in use.
var lookupProfile = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false))

// readName reads a domain or hostname. Which of the two it is, its form says.
func readName(sent Kind, raw string) (reading, *flaw) {
	s := refang(raw)
	if f := otherThanName(sent, s); f != nil {
		return reading{}, f
	}
	host, port, ok := cutPort(s)
	if !ok {
		host = s
	}
	name, f := dnsName(host)
	if f != nil {
		return reading{}, f
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	// A suffix of the list's private section is some company's own domain.
	if icann && suffix == name {
		return reading{}, flawf(ReasonPublicSuffix, "%s is a public suffix: anybody may register below it", excerpt(name))
	}
	kind := KindDomain
	if below, ok := strings.CutSuffix(name, "."+suffix); ok && strings.Contains(below, ".") {
		kind = KindHostname
	}
	return reading{Value: Value{kind, name}, facts: portFacts(port)}, nil
}

// otherThanName says what a value is that was sent as a name and is none.
func otherThanName(sent Kind, s string) *flaw {
	other := Kind("")
	if strings.Contains(s, "://") {
		other = KindURL
	} else if p, ok := readPrefix(s); ok {
		other = prefixReading(p).Kind
	} else if _, ok := readEndpoint(s); ok {
		other = KindIP
	} else if strings.Contains(s, "@") {
		other = KindEmail
	}
	switch {
	case other != "":
		return flawf(ReasonKindMismatch, "%s is not a %s; its kind is %s", excerpt(s), sent, other)
	case strings.Contains(s, "/"):
		return flawf(ReasonKindMismatch, "%s has a path; send a url with its scheme", excerpt(s))
	case strings.HasPrefix(s, "*."):
		return flawf(ReasonMalformed, "%s is a pattern; send the name behind *.", excerpt(s))
	}
	return nil
}

// dnsName returns s in lower-case ASCII without a final dot, if that is a name
// of at least two labels.
func dnsName(s string) (string, *flaw) {
	name := strings.TrimSuffix(s, ".")
	if len(name) > maxDNSNameBytes*maxRuneBytes {
		// More than fits, however it is written; mapping it would be wasted work.
		return "", flawf(ReasonMalformed, "%s is longer than a name of %d characters", excerpt(s), maxDNSNameBytes)
	}
	ascii := isASCII(name)
	if ascii {
		name = strings.ToLower(name)
	}
	if !ascii || strings.Contains(name, acePrefix) {
		mapped, err := lookupProfile.ToASCII(name)
		switch {
		case err == nil:
			name = strings.TrimSuffix(mapped, ".")
		case !ascii:
			return "", flawf(ReasonMalformed, "%s is not an internationalised name", excerpt(s))
		}
		// An ASCII name that decodes to nothing valid still resolves as it is.
	}
	if len(name) > maxDNSNameBytes {
		return "", flawf(ReasonMalformed, "%s is longer than a name of %d characters", excerpt(s), maxDNSNameBytes)
	}
	last, labels := "", 0
	for label := range strings.SplitSeq(name, ".") {
		good := label != "" && len(label) <= maxDNSLabelBytes && only(label, func(c byte) bool {
			return lowerAlnum(c) || c == '-' || c == '_'
		})
		if !good {
			return "", flawf(ReasonMalformed, "%s is not a name: a label is 1-%d letters, digits, - and _", excerpt(s), maxDNSLabelBytes)
		}
		last = label
		labels++
	}
	if labels < 2 {
		return "", flawf(ReasonMalformed, "%s is not a full name: it has no dot", excerpt(s))
	}
	if numeric(last) {
		return "", flawf(ReasonMalformed, "%s ends in a number and is no address", excerpt(s))
	}
	return name, nil
}

// numeric reports whether a last label makes programs read the whole name as an
// IPv4 address, decimal or hexadecimal.
func numeric(label string) bool {
	hex, ok := strings.CutPrefix(label, "0x")
	return only(label, digit) || ok && only(hex, hexDigit)
}

// RegistrableDomain returns the part of a normalised name that one party
// registers: its public suffix and one label more, the private section of the
// list included (so the customers of a hosting suffix are apart). A name that
// is itself a suffix is returned as it is.
func RegistrableDomain(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}

// underListedSuffix reports whether the list knows the suffix of a name.
func underListedSuffix(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	return icann || strings.Contains(suffix, ".")
}
