package evidence

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	maxSchemeBytes    = 32
	maxLocalPartBytes = 256 // more than the 64 of the RFC: senders that encode a recipient use more
)

// readURL keeps scheme, host, port, path and query. User info and fragment go:
// they say nothing about whose server it is, and may be a person's.
func readURL(k Kind, raw string) (reading, *flaw) {
	s := rejoin(dropInvisible(raw))
	s, _, _ = strings.Cut(s, "#")
	s = trimAround(s)
	// Compatibility forms count as what they look like in scheme and host only;
	// in a path they are bytes of their own.
	i := authorityEnd(s)
	head, tail := plain(s[:i]), s[i:]

	scheme, authority, ok := strings.Cut(head, "://")
	scheme, good := readScheme(scheme)
	if !ok || !good {
		return reading{}, flawf(ReasonMalformed, "not a URL with a scheme such as https://")
	}
	if strings.Contains(authority, `\`) {
		// Browsers end the host here, other readers do not.
		return reading{}, flawf(ReasonMalformed, "%s has a backslash in its host", excerpt(s))
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host, f := readURLHost(scheme, authority)
	if f != nil {
		return reading{}, f
	}
	// Again, because the user info may have held the partner of a bracket.
	text := escapeTail(trimAround(scheme + "://" + host + wideSeparators(tail)))
	start := len(scheme) + len("://") + len(host)
	if !strings.HasPrefix(text[start:], "/") {
		text = text[:start] + "/" + text[start:]
	}
	if refang(text) != text {
		return reading{}, flawf(ReasonMalformed, "%s is not clear about its separators", excerpt(s))
	}
	return reading{Value: Value{k, text}}, nil
}

// wideSeparators turns the separator that begins a path or query to ASCII.
func wideSeparators(tail string) string {
	if rest, ok := strings.CutPrefix(tail, "／"); ok {
		return "/" + rest
	}
	if rest, ok := strings.CutPrefix(tail, "？"); ok {
		return "?" + rest
	}
	return tail
}

// authorityEnd returns where the path or query of a URL begins, also where the
// separators are of full width.
func authorityEnd(s string) int {
	slashes := 0
	for i, r := range s {
		switch r {
		case '/', '／':
			if slashes++; slashes > len("//") {
				return i
			}
		case '?', '？':
			return i
		}
	}
	return len(s)
}

func readScheme(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "hxxp", "hxxps":
		s = strings.Replace(s, "xx", "tt", 1)
	}
	good := s != "" && len(s) <= maxSchemeBytes && 'a' <= s[0] && s[0] <= 'z' && only(s, func(c byte) bool {
		return lowerAlnum(c) || strings.IndexByte("+-.", c) >= 0
	})
	return s, good
}

func readURLHost(scheme, authority string) (string, *flaw) {
	host, port, ok := cutPort(authority)
	if !ok {
		host = strings.TrimSuffix(authority, ":")
	}
	inner, bracketed := unbracket(host)
	if a, isAddr := readAddr(inner); isAddr && (bracketed || a.Is4()) {
		host = a.String()
		if a.Is6() {
			host = "[" + host + "]"
		}
	} else {
		name, f := dnsName(host)
		if f != nil {
			return "", f
		}
		host = name
	}
	if ok && port != 0 && port != defaultPort(scheme) {
		host += ":" + strconv.Itoa(port)
	}
	return host, nil
}

func defaultPort(scheme string) int {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	case "ftp":
		return 21
	case "ssh", "sftp":
		return 22
	case "ldap":
		return 389
	case "smb":
		return 445
	}
	return 0
}

// escapeTail percent-encodes what may not stand in a URL and writes escapes in
// upper case.
func escapeTail(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) && hexDigit(s[i+2]):
			b.WriteString(strings.ToUpper(s[i : i+3]))
			i += 2
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func readEmail(k Kind, raw string) (reading, *flaw) {
	address, f := mailAddress(refang(raw))
	return reading{Value: Value{k, address}}, f
}

// readForwardTo reads an address, or a domain that stands for all of its
// addresses.
func readForwardTo(k Kind, raw string) (reading, *flaw) {
	s := refang(raw)
	if strings.Contains(s, "@") {
		address, f := mailAddress(s)
		return reading{Value: Value{k, address}}, f
	}
	if domain, ok := cutPrefixFold(s, "smtp:"); ok {
		s = domain
	}
	r, f := readName(k, s)
	if f == nil && r.facts != nil {
		f = flawf(ReasonMalformed, "%s has a port", excerpt(s))
	}
	return reading{Value: Value{k, r.Text}}, f
}

// mailAddress reads an address with or without a display name and a scheme.
func mailAddress(s string) (string, *flaw) {
	address := s
	if i := strings.LastIndexByte(s, '<'); i >= 0 && strings.HasSuffix(s, ">") {
		address = trimAround(s[i:])
	}
	if rest, ok := cutPrefixFold(address, "mailto:"); ok {
		address, _, _ = strings.Cut(rest, "?")
	} else if rest, ok := cutPrefixFold(address, "smtp:"); ok {
		address = rest
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", flawf(ReasonMalformed, "%s is not a mail address", excerpt(s))
	}
	local := address[:at]
	if isASCII(local) {
		local = strings.ToLower(local)
	} else {
		local = norm.NFKC.String(strings.ToLower(strings.Map(visible, local)))
	}
	domain, f := dnsName(address[at+1:])
	if f != nil {
		return "", f
	}
	address = local + "@" + domain
	good := local != "" && len(local) <= maxLocalPartBytes &&
		!strings.ContainsFunc(local, func(r rune) bool {
			return unicode.IsSpace(r) || strings.ContainsRune(`"<>()[]:;,@\`, r)
		}) &&
		refang(address) == address // else it begins or ends in what surrounds a value
	if !good {
		return "", flawf(ReasonMalformed, "%s has no readable part before the @", excerpt(s))
	}
	return address, nil
}

func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
