package evidence

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of the text fields of a case, in bytes.
const (
	maxTitleBytes     = 1 << 10
	maxSummaryBytes   = 16 << 10
	maxNameBytes      = 1 << 10 // operation, source, finding id, fact name, label
	maxFactBytes      = 4 << 10
	maxReferenceBytes = 4 << 10
	maxLabelKeyBytes  = 128
)

func tooLong(limit int) *flaw {
	return flawf(ReasonTooLong, "longer than %d bytes", limit)
}

func notUTF8() *flaw { return flawf(ReasonNotUTF8, "not valid UTF-8") }

func hasControlFlaw() *flaw { return flawf(ReasonControl, "holds a control character") }

// hasControl reports whether s holds a C0 or C1 control character (DEL
// included) other than those allowed.
func hasControl(s, allowed string) bool {
	if printable(s) {
		return false
	}
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	})
}

// printable reports whether s is ASCII without control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// fold returns s in NFKC and without distinction of case, such that fold(fold(s))
// is fold(s).
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cherokee, r) {
			// Folding leads Cherokee to its capitals, and the capitals away.
			return unicode.ToLower(r)
		}
		return r
	}, norm.NFKC.String(strings.ToValidUTF8(s, string(unicode.ReplacementChar))))
	return norm.NFKC.String(cases.Fold().String(s))
}

// collapse turns every run of white space into one space and trims.
func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

// wordRune reports whether r belongs to a word. Marks do: in many scripts they
// are half of a letter.
func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// only reports whether every byte of s is in the class.
func only(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func digit(c byte) bool      { return '0' <= c && c <= '9' }
func lowerAlnum(c byte) bool { return 'a' <= c && c <= 'z' || digit(c) }
func hexDigit(c byte) bool   { return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func letterOrDigit(c byte) bool { return lowerAlnum(c) || 'A' <= c && c <= 'Z' }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
