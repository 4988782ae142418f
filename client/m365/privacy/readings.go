package privacy

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxReadings and maxDepth bound how often a text is decoded again; a text
	// of 4 KiB in three layers has far fewer readings.
	maxReadings = 512
	maxBytes    = 96 << 10 // of all readings together
	maxDepth    = 4
	// minEncoded is the shortest run that is decoded.
	minEncoded = 8
)

var (
	percent         = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	quotedPrintable = regexp.MustCompile(`=[0-9A-Fa-f]{2}`)
	backslash       = regexp.MustCompile(`\\+(?:u\{[0-9A-Fa-f]{1,6}\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|U[0-9A-Fa-f]{8})`)
	percentU        = regexp.MustCompile(`%u[0-9A-Fa-f]{4}`)
	base64Runs      = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
	base32Runs      = regexp.MustCompile(`[A-Za-z2-7]{8,}`)
	hexRuns         = regexp.MustCompile(`(?:[0-9A-Fa-f]{2}[\s:,.-]?){5,}`)
	aceLabel        = regexp.MustCompile(`(?i)xn--[a-z0-9-]+`)
	utf7Section     = regexp.MustCompile(`\+[A-Za-z0-9+/]+-?`)
)

// Readings returns the text and what it says in the encodings that texts are
// usually wrapped in, also in several: compatibility forms, percent and
// quoted-printable, escapes of JSON and HTML, base64, base32 and hexadecimal,
// UTF-16 and UTF-7, punycode. It is not complete where a text says too much.
func Readings(s string) (all []string, complete bool) {
	seen, size := map[string]bool{s: true}, len(s)
	all = []string{s}
	// Shallow readings come first, so that what is left out is far-fetched.
	for from, depth := 0, 0; depth < maxDepth; depth++ {
		to := len(all)
		for _, text := range all[from:to] {
			for _, decoded := range decode(text) {
				if seen[decoded] || decoded == "" {
					continue
				}
				size += len(decoded)
				if len(all) == maxReadings || size > maxBytes {
					return all, false
				}
				seen[decoded] = true
				all = append(all, decoded)
			}
		}
		from = to
	}
	return all, true
}

// decode returns what a text says in each encoding that it may be in.
func decode(s string) []string {
	var out []string
	keep := func(t string) {
		if t != s {
			out = append(out, t)
		}
	}
	keep(strings.Map(visible, norm.NFKC.String(strings.ToValidUTF8(s, " "))))
	if strings.Contains(s, "\x00") {
		keep(strings.ReplaceAll(s, "\x00", ""))
		out = append(out, utf16Text([]byte(s), false), utf16Text([]byte(s), true))
	}
	if !utf8.ValidString(s) {
		keep(latin1(s))
		for skip := range 2 {
			out = append(out, utf16Text([]byte(s)[skip:], false), utf16Text([]byte(s)[skip:], true))
		}
	}
	// One sign at a time: what follows another may be text.
	for _, codes := range []*regexp.Regexp{percent, quotedPrintable} {
		keep(codes.ReplaceAllStringFunc(s, func(m string) string {
			b, err := hex.DecodeString(m[1:])
			if err != nil {
				return m
			}
			return string(b)
		}))
	}
	if strings.Contains(s, "%u") {
		keep(percentU.ReplaceAllStringFunc(s, func(m string) string { return codePoint(m[2:]) }))
	}
	if strings.ContainsRune(s, '\\') {
		keep(backslash.ReplaceAllStringFunc(s, func(m string) string {
			return codePoint(strings.Trim(strings.TrimLeft(m, `\`), "uxU{}"))
		}))
		keep(strings.ReplaceAll(s, `\`, ""))
	}
	if strings.ContainsRune(s, '&') {
		keep(html.UnescapeString(s))
	}
	keep(aceLabel.ReplaceAllStringFunc(s, func(m string) string {
		if t, err := idna.Punycode.ToUnicode(strings.ToLower(m)); err == nil {
			return t
		}
		return m
	}))
	for _, m := range base64Runs.FindAllString(s, 32) {
		out = appendBase64(out, m)
	}
	for _, m := range base32Runs.FindAllString(s, 32) {
		m = strings.ToUpper(m)
		for _, text := range []string{m, m[:len(m)/8*8]} {
			if b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text); err == nil {
				out = appendBytes(out, b)
			}
		}
	}
	for _, m := range hexRuns.FindAllString(s, 32) {
		digits := strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return r
			}
			return -1
		}, m)
		for skip := range 2 {
			d := digits[min(skip, len(digits)):]
			if b, err := hex.DecodeString(d[:len(d)/2*2]); err == nil {
				out = appendBytes(out, b)
			}
		}
	}
	if strings.ContainsRune(s, '+') {
		keep(utf7Section.ReplaceAllStringFunc(s, func(m string) string {
			b, err := base64.RawStdEncoding.DecodeString(strings.Trim(m, "+-"))
			if err != nil {
				return m
			}
			return utf16Text(b, true)
		}))
	}
	return out
}

// appendBase64 decodes a run from each of the four places where its first group
// may begin, in both alphabets.
func appendBase64(out []string, run string) []string {
	run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
	for skip := range 4 {
		if len(run)-skip < minEncoded {
			break
		}
		text := run[skip:]
		if len(text)%4 == 1 {
			text = text[:len(text)-1]
		}
		b, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		out = appendBytes(out, b)
	}
	return out
}

// appendBytes appends the texts that bytes may be, if they look like any.
func appendBytes(out []string, b []byte) []string {
	if len(b) == 0 {
		return out
	}
	texts := []string{string(b)}
	// Half the bytes of Latin text in UTF-16 are 0, of full-width text 0xff.
	if n := max(strings.Count(string(b), "\x00"), bytes.Count(b, []byte{0xff})); 3*n >= len(b) {
		texts = append(texts, utf16Text(b, false), utf16Text(b, true))
	}
	for _, t := range texts {
		printable := 0
		for _, r := range t {
			if r != utf8.RuneError && unicode.IsPrint(r) {
				printable++
			}
		}
		// Beside the text there may be more in a run.
		if printable*2 >= utf8.RuneCountInString(t) {
			out = append(out, t)
		}
	}
	return out
}

func utf16Text(b []byte, bigEndian bool) string {
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		low, high := b[i], b[i+1]
		if bigEndian {
			low, high = high, low
		}
		units = append(units, uint16(high)<<8|uint16(low))
	}
	return string(utf16.Decode(units))
}

// latin1 reads every byte as a character.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func codePoint(hexadecimal string) string {
	n, err := strconv.ParseUint(hexadecimal, 16, 32)
	if err != nil || n > unicode.MaxRune {
		return " "
	}
	return string(rune(n))
}

// visible drops what a reader does not see.
func visible(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return -1
	}
	return r
}
