package evidence

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func readFileHash(k Kind, raw string) (reading, *flaw) {
	s := strings.ToLower(raw)
	name, hex, prefixed := strings.Cut(s, ":")
	if !prefixed {
		hex = s
	}
	hex = strings.TrimSpace(hex)
	var algorithm string
	switch len(hex) {
	case 32:
		algorithm = "md5"
	case 40:
		algorithm = "sha1"
	case 64:
		algorithm = "sha256"
	case 128:
		algorithm = "sha512"
	}
	if algorithm == "" || !only(hex, hexDigit) {
		return reading{}, flawf(ReasonMalformed, "%s is not 32, 40, 64 or 128 hexadecimal digits", excerpt(raw))
	}
	if prefixed && strings.ReplaceAll(strings.TrimSpace(name), "-", "") != algorithm {
		return reading{}, flawf(ReasonMalformed, "%s has the length of %s", excerpt(raw), algorithm)
	}
	return reading{Value: Value{k, hex}}, nil
}

func readJA4(k Kind, raw string) (reading, *flaw) {
	s := strings.ToLower(raw)
	good := only(s, func(c byte) bool { return lowerAlnum(c) || strings.IndexByte("_,-", c) >= 0 })
	if !good {
		return reading{}, flawf(ReasonMalformed, "%s is not a fingerprint of letters, digits, _ , and -", excerpt(raw))
	}
	return reading{Value: Value{k, s}}, nil
}

func readUserAgent(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, collapse(raw)}}, nil
}

func readAppID(k Kind, raw string) (reading, *flaw) {
	s := strings.ToLower(raw)
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return reading{}, flawf(ReasonMalformed, "%s holds white space", excerpt(raw))
	}
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		if inner, ok := strings.CutSuffix(inner, "}"); ok && isGUID(inner) {
			s = inner
		}
	}
	return reading{Value: Value{k, s}}, nil
}

const guidBytes = len("00000000-0000-0000-0000-000000000000")

func isGUID(s string) bool {
	if len(s) != guidBytes {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !hexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func readPortProfile(k Kind, raw string) (reading, *flaw) {
	var ports []int
	for field := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		port, ok := readPort(field)
		if !ok || port == 0 {
			return reading{}, flawf(ReasonMalformed, "%s is not a port from 1 to 65535", excerpt(field))
		}
		ports = append(ports, port)
	}
	if len(ports) == 0 {
		return reading{}, flawf(ReasonMalformed, "%s holds no port", excerpt(raw))
	}
	slices.Sort(ports)
	return reading{Value: Value{k, joinPorts(slices.Compact(ports))}}, nil
}

func readAccountPattern(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, strings.ToLower(raw)}}, nil
}

func readOwn(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, raw}}, nil
}

func joinPorts(ports []int) string {
	var b []byte
	for i, p := range ports {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(p), 10)
	}
	return string(b)
}
