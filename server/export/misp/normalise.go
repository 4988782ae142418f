package misp

import (
	"net/netip"
	"strings"
)

// normalise writes a value as MISP stores it: refanged, in lower case where case
// means nothing, addresses in their short form, numbers of networks bare.
func normalise(typ, value string) string {
	value = strings.TrimSpace(value)
	switch typ {
	case typeIPSrc, "ip-dst":
		value = refang(value)
		if a, err := netip.ParseAddr(value); err == nil {
			return a.String()
		}
		if p, err := netip.ParsePrefix(value); err == nil {
			return p.String()
		}
	case typeDomain, typeHostname:
		return strings.ToLower(refang(value))
	case typeEmailSrc, typeEmailDst, "md5", "sha1", "sha256", "sha512":
		return strings.ToLower(value)
	case typeURL:
		return refang(value)
	case typeAS:
		return strings.TrimPrefix(strings.ToUpper(value), "AS")
	case typeText, typeOther, typeUserAgent:
		return strings.ReplaceAll(value, "\r\n", "\n")
	}
	return value
}

func refang(s string) string {
	s = strings.NewReplacer("[.]", ".", "(.)", ".", "[:]", ":").Replace(s)
	if rest, ok := strings.CutPrefix(s, "hxxp"); ok {
		return "http" + rest
	}
	return s
}
