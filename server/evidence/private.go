package evidence

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The form of a private value after hashing: hmac1:<key id>:<26 base32 chars>.
const (
	hashedPrefix    = "hmac1:"
	maxKeyIDBytes   = 64
	hashedTextBytes = 26
)

const (
	minPhoneDigits, maxPhoneDigits = 7, 15 // E.164
	minBankChars, maxBankChars     = 4, 34 // 34 is the longest IBAN
)

// readPrivate normalises a value and has it hashed. One that is hashed already
// passes, so that a case can be read, changed and submitted again. No message
// here may depend on the value.
func readPrivate(e kindEntry, raw string, hash func(Kind, string) string) (reading, *flaw) {
	if strings.HasPrefix(raw, hashedPrefix) {
		if !isHashed(raw) {
			return reading{}, flawf(ReasonMalformed, "not a whole hash of a private value")
		}
		return reading{Value: Value{e.Kind, raw}}, nil
	}
	r, f := e.read(e.Kind, raw)
	if f != nil {
		return reading{}, f
	}
	if hash == nil {
		return reading{}, flawf(ReasonPrivate, "values of this kind are taken only where they can be hashed")
	}
	r.Text = hash(e.Kind, r.Text)
	return r, nil
}

func isHashed(s string) bool {
	keyID, text, ok := strings.Cut(strings.TrimPrefix(s, hashedPrefix), ":")
	return ok && keyID != "" && len(keyID) <= maxKeyIDBytes && len(text) == hashedTextBytes &&
		only(keyID, func(c byte) bool { return letterOrDigit(c) || strings.IndexByte("._-", c) >= 0 }) &&
		only(text, func(c byte) bool { return letterOrDigit(c) && (!digit(c) || '2' <= c && c <= '7') })
}

func readPhone(k Kind, raw string) (reading, *flaw) {
	s := norm.NFKC.String(raw)
	if rest, ok := cutPrefixFold(s, "tel:"); ok {
		s = rest
	}
	// A trunk zero is written for callers within the country only.
	s = strings.Replace(s, "(0)", "", 1)
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(".()/", r) {
			return -1
		}
		return r
	}, s)
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	digits, ok := strings.CutPrefix(s, "+")
	good := ok && minPhoneDigits <= len(digits) && len(digits) <= maxPhoneDigits && only(digits, digit) && digits[0] != '0'
	if !good {
		return reading{}, flawf(ReasonMalformed, "not a telephone number with +, country code and %d-%d digits", minPhoneDigits, maxPhoneDigits)
	}
	return reading{Value: Value{k, s}}, nil
}

func readAccount(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, strings.ToLower(raw)}}, nil
}

func readBankAccount(k Kind, raw string) (reading, *flaw) {
	s := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return r
	}, norm.NFKC.String(raw))
	if len(s) < minBankChars || len(s) > maxBankChars || !only(s, letterOrDigit) {
		return reading{}, flawf(ReasonMalformed, "not a bank account number of %d-%d letters and digits", minBankChars, maxBankChars)
	}
	return reading{Value: Value{k, strings.ToUpper(s)}}, nil
}

func readSession(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, raw}}, nil
}
