package victim

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// reading is what a text says, as it stands or decoded.
type reading struct {
	text string
	// garbled says that most of it is no text: it is what decoding gives where
	// nothing was encoded, or something lies within other data. Then it stands in
	// bytes, which are good until the next reading.
	garbled bool
	bytes   []byte
}

// ending says why a walk over readings ended.
type ending int

const (
	walked  ending = iota
	stopped        // the caller had enough
	tooMany        // there are more
)

const (
	// maxDepth is how many encodings may lie within one another.
	maxDepth = 4
	// maxReadings and maxGrowth bound the readings of one text, in number and in
	// bytes relative to its length.
	maxReadings = 256
	maxGrowth   = 48
	// minEncoded is the shortest run of base64 or hexadecimal digits that is decoded:
	// six and four characters of text.
	minEncoded = 8
)

// readings walks over a text and what it says decoded, in every order of encodings.
func readings(text string, visit func(reading) bool) ending {
	if !visit(reading{text: text}) {
		return stopped
	}
	var found []string // nil until something can be decoded
	var seen map[string]bool
	size, end := 0, walked
	visitNew := func(r reading) bool {
		if !r.garbled && (r.text == "" || r.text == text || seen[r.text]) {
			return true
		}
		if !visit(r) {
			end = stopped
			return false
		}
		if r.garbled {
			// Counted, as looking at it costs as much.
			size += len(r.bytes)
		} else {
			if seen == nil {
				seen = make(map[string]bool)
			}
			seen[r.text] = true
			found = append(found, r.text)
			size += len(r.text)
		}
		if len(found) > maxReadings || size > maxGrowth*(len(text)+64) {
			end = tooMany
			return false
		}
		return true
	}
	if !decode(text, visitNew) {
		return end
	}
	for from, depth := 0, 1; depth < maxDepth; depth++ {
		to := len(found)
		for _, t := range found[from:to] {
			if !decode(t, visitNew) {
				return end
			}
		}
		from = to
	}
	return end
}

// decode visits what a text says in each encoding that it may be in, until visit
// returns false.
func decode(s string, visit func(reading) bool) bool {
	var signs [256]bool
	for i := range len(s) {
		signs[s[i]] = true
	}
	text := func(t string) bool { return t == s || visit(reading{text: t}) }
	if signs['%'] && !(text(codes(s, '%')) && text(strings.ReplaceAll(codes(s, '%'), "+", " "))) {
		return false
	}
	// A query writes spaces so, also where it has nothing else to write otherwise.
	if signs['+'] && !signs['%'] && !text(strings.ReplaceAll(s, "+", " ")) {
		return false
	}
	if signs['='] && !text(codes(strings.NewReplacer("=\r\n", "", "=\n", "").Replace(s), '=')) {
		return false
	}
	if signs['\\'] && !(text(escapes(s)) && text(strings.ReplaceAll(s, `\`, ""))) {
		return false
	}
	if signs['&'] && !text(html.UnescapeString(s)) {
		return false
	}
	if signs[0] && !bytesOf([]byte(s), visit) {
		return false
	}
	if signs['-'] && !text(punycode(s)) {
		return false
	}
	return base64Runs(s, visit) && hexRuns(s, visit)
}

// codes replaces a sign and two hexadecimal digits, or u and four, by what they
// stand for.
func codes(s string, sign byte) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == sign && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
			if (s[i+1] == 'u' || s[i+1] == 'U') && i+5 < len(s) {
				if n, err := strconv.ParseUint(s[i+2:i+6], 16, 32); err == nil {
					b.WriteRune(rune(n))
					i += 5
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapes replaces backslashes with u, U, x and hexadecimal digits.
func escapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			at := i + 1
			for at < len(s) && s[at] == '\\' {
				at++
			}
			if r, n := escaped(s[at:]); n > 0 {
				b.WriteRune(r)
				i = at + n - 1
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escaped reads what stands behind a backslash and returns its length, 0 if it is
// no code.
func escaped(s string) (rune, int) {
	if s == "" {
		return 0, 0
	}
	digits := map[byte]int{'u': 4, 'U': 8, 'x': 2}[s[0]]
	body, extra := s[1:], 1
	if strings.HasPrefix(body, "{") && s[0] == 'u' {
		if digits = strings.IndexByte(body, '}') - 1; digits < 1 || digits > 6 {
			return 0, 0
		}
		body, extra = body[1:], 3
	}
	if digits == 0 || len(body) < digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(body[:digits], 16, 32)
	if err != nil || n > unicode.MaxRune {
		return 0, 0
	}
	return rune(n), digits + extra
}

// punycode decodes the labels that begin with xn--.
func punycode(s string) string {
	lower := strings.ToLower(s)
	if !strings.Contains(lower, "xn--") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(lower, "xn--")
		if i < 0 {
			b.WriteString(lower)
			return b.String()
		}
		end := i
		for end < len(lower) && (lower[end] == '-' || isLetter(rune(lower[end]))) {
			end++
		}
		label := lower[i:end]
		if t, err := idna.Punycode.ToUnicode(label); err == nil {
			label = t
		}
		b.WriteString(lower[:i])
		b.WriteString(label)
		lower = lower[end:]
	}
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// base64Runs decodes runs from each place in their first group where the text may
// begin, in both alphabets. Line ends within a run do not end it.
func base64Runs(s string, visit func(reading) bool) bool {
	for i := 0; i < len(s); {
		if !isBase64(s[i]) {
			i++
			continue
		}
		end, breaks := i, 0
		for end < len(s) && (isBase64(s[end]) || s[end] == '\n' || s[end] == '\r') {
			if !isBase64(s[end]) {
				breaks++
			}
			end++
		}
		if end-i-breaks >= minEncoded && !base64Run(s[i:end], visit) {
			return false
		}
		i = end
	}
	return true
}

func base64Run(run string, visit func(reading) bool) bool {
	var small [2 * 128]byte
	plain, b := small[:0:128], small[128:]
	if len(run) > 128 {
		plain, b = make([]byte, 0, len(run)), make([]byte, len(run))
	}
	for i := range len(run) {
		switch c := run[i]; c {
		case '-':
			plain = append(plain, '+')
		case '_':
			plain = append(plain, '/')
		case '\n', '\r':
		default:
			plain = append(plain, c)
		}
	}
	for skip := range 4 {
		part := plain[min(skip, len(plain)):]
		if len(part) < minEncoded-3 {
			break
		}
		if len(part)%4 == 1 {
			part = part[:len(part)-1]
		}
		n, err := base64.RawStdEncoding.Decode(b, part)
		if err == nil && !bytesOf(b[:n], visit) {
			return false
		}
	}
	return true
}

// hexRuns decodes runs of hexadecimal digits, also with one separator or \x or 0x
// before each pair.
func hexRuns(s string, visit func(reading) bool) bool {
	digits := make([]byte, 0, 64)
	gap := 0
	flush := func() bool {
		defer func() { digits = digits[:0] }()
		for skip := range 2 {
			part := digits[min(skip, len(digits)):]
			if len(part) < minEncoded {
				return true
			}
			b := make([]byte, len(part)/2)
			if _, err := hex.Decode(b, part[:len(part)/2*2]); err == nil && !bytesOf(b, visit) {
				return false
			}
		}
		return true
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			digits = append(digits, c)
			gap = 0
		case len(digits) > 0 && len(digits)%2 == 0 && gap == 0 && strings.IndexByte(" :,.-", c) >= 0:
			gap++
		default:
			if !flush() {
				return false
			}
			gap = 0
		}
	}
	return flush()
}

// bytesOf visits the texts that bytes may be.
func bytesOf(b []byte, visit func(reading) bool) bool {
	zeros, high, printable := 0, 0, 0
	for _, c := range b {
		switch {
		case c == 0:
			zeros++
		case c >= utf8.RuneSelf:
			high++
		case c >= ' ' && c < 0x7f:
			printable++
		}
	}
	// Half the bytes of Latin text in UTF-16 are 0.
	if 3*zeros >= len(b) {
		for _, bigEndian := range []bool{false, true} {
			if !visit(reading{text: utf16Text(b, bigEndian)}) {
				return false
			}
		}
		return true
	}
	if high > 0 && utf8.Valid(b) {
		printable += high
	}
	if 2*printable < len(b) {
		return visit(reading{garbled: true, bytes: b})
	}
	return visit(reading{text: string(b)})
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
