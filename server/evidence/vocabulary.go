package evidence

import "strings"

const (
	maxTokenBytes     = 63 // case kinds and roles
	techniqueBytes    = len("T1234")
	subTechniqueBytes = len("T1234.001")
)

func readTLP(s string) (TLP, *flaw) {
	name := strings.ToLower(strings.TrimSpace(s))
	name = strings.TrimSpace(strings.TrimPrefix(name, "tlp:"))
	switch t := TLP(name); t {
	case "":
		return TLPAmberStrict, nil
	case "white": // the name of clear before version 2
		return TLPClear, nil
	case TLPRed, TLPAmberStrict, TLPAmber, TLPGreen, TLPClear:
		return t, nil
	}
	return "", flawf(ReasonTLPUnknown, "the label %s is not red, amber+strict, amber, green or clear", excerpt(s))
}

func readCaseKind(s string) (string, *flaw) {
	k := strings.ToLower(strings.TrimSpace(s))
	if k != "" && !token(k, "_-") {
		return "", flawf(ReasonMalformed, "the case kind %s is not 1-%d of a-z, 0-9, _ and -, beginning with a letter", excerpt(s), maxTokenBytes)
	}
	return k, nil
}

// readRole repeats nothing of what was sent: a role stands beside values that
// may be private.
func readRole(s string) (string, *flaw) {
	r := strings.ToLower(strings.TrimSpace(s))
	if !token(r, "_") {
		return "", flawf(ReasonMalformed, "a role is 1-%d of a-z, 0-9 and _, beginning with a letter", maxTokenBytes)
	}
	return r, nil
}

func readTechnique(s string) (string, *flaw) {
	t := strings.ToUpper(strings.TrimSpace(s))
	if t == "" {
		return "", nil
	}
	good := len(t) == techniqueBytes || len(t) == subTechniqueBytes && t[techniqueBytes] == '.'
	for i := 0; good && i < len(t); i++ {
		switch i {
		case 0:
			good = t[i] == 'T'
		case techniqueBytes: // the dot
		default:
			good = digit(t[i])
		}
	}
	if !good {
		return "", flawf(ReasonMalformed, "the technique %s is not of the form T1234 or T1234.001", excerpt(s))
	}
	return t, nil
}

// token reports whether s is a lower-case word of the vocabularies: a letter,
// then letters, digits and the extra characters.
func token(s, extra string) bool {
	return s != "" && len(s) <= maxTokenBytes && 'a' <= s[0] && s[0] <= 'z' && only(s, func(c byte) bool {
		return lowerAlnum(c) || strings.IndexByte(extra, c) >= 0
	})
}
