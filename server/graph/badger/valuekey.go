package badger

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// A value key is a kind code and an order-preserving form of the text:
//
//   - an address has 16 bytes, a CIDR 16 bytes and its length, so that a range of
//     addresses is a range of keys;
//   - domains and hostnames share one space, label-reversed, so that the
//     subdomains of a name are a range of keys;
//   - other text stands as it is, terminated, while it is short, and as a prefix
//     with a hash when it is long. The record of the value then has the text.
//
// No value key is the beginning of another one.

// kindCodes are part of the layout: a code is never changed or used again.
var kindCodes = map[evidence.Kind]byte{
	evidence.KindIP:             1,
	evidence.KindCIDR:           2,
	evidence.KindASN:            3,
	evidence.KindDomain:         4,
	evidence.KindHostname:       5,
	evidence.KindFileHash:       6,
	evidence.KindJA4:            7,
	evidence.KindUserAgent:      8,
	evidence.KindAppID:          9,
	evidence.KindPortProfile:    10,
	evidence.KindEmail:          11,
	evidence.KindURL:            12,
	evidence.KindSpoofPair:      13,
	evidence.KindForwardTo:      14,
	evidence.KindRuleName:       15,
	evidence.KindRuleWords:      16,
	evidence.KindAccountPattern: 17,
	evidence.KindPhone:          18,
	evidence.KindAccount:        19,
	evidence.KindBankAccount:    20,
	evidence.KindSession:        21,
	evidence.KindRuleBand:       22,
	evidence.KindRuleTokens:     23,
}

// kindNames turns kindCodes around.
var kindNames = func() (names [codeOther]evidence.Kind) {
	for k, c := range kindCodes {
		names[c] = k
	}
	return names
}()

const (
	codeIP       = 1
	codeCIDR     = 2
	codeDomain   = 4
	codeHostname = 5

	// codeOther stands for kinds without a code; their name follows.
	codeOther = 0x7f
	// rawText, added to a code, says that the text is not in the form that the
	// structured key of the kind can hold.
	rawText = 0x80
)

// Bytes that end a part of a key. Text that contains one is hashed.
const (
	endText     = 0
	endDomain   = 1
	endHostname = 2
	endHashed   = 3 // and the hash follows
	firstPlain  = 4
)

const (
	maxPlain   = 40 // bytes of text that stand in a key as they are
	hashPrefix = 24 // bytes of longer text that keep the order
	hashBytes  = 16
)

// appendValueKey appends the key of v. exact says that the key holds all of v.
func appendValueKey(b []byte, v evidence.Value) (key []byte, exact bool) {
	code, known := kindCodes[v.Kind]
	if !known {
		b, kindExact := appendText(append(b, codeOther), string(v.Kind))
		b, textExact := appendText(b, v.Text)
		return b, kindExact && textExact
	}
	switch code {
	case codeIP:
		if a, err := netip.ParseAddr(v.Text); err == nil && !a.Is4In6() && a.Zone() == "" && a.String() == v.Text {
			a16 := a.As16()
			return append(append(b, code), a16[:]...), true
		}
		code |= rawText
	case codeCIDR:
		if p, err := netip.ParsePrefix(v.Text); err == nil && !p.Addr().Is4In6() && p.String() == v.Text {
			a16, bits := p.Addr().As16(), p.Bits()
			if p.Addr().Is4() {
				bits += 96
			}
			return append(append(append(b, code), a16[:]...), byte(bits)), true
		}
		code |= rawText
	case codeDomain, codeHostname:
		if isName(v.Text) {
			return appendName(append(b, codeDomain), v.Text, code)
		}
		code |= rawText
	}
	return appendText(append(b, code), v.Text)
}

func appendText(b []byte, s string) (key []byte, exact bool) {
	plain := strings.IndexFunc(s, func(r rune) bool { return r < firstPlain })
	if plain < 0 && len(s) <= maxPlain {
		return append(append(b, s...), endText), true
	}
	if plain < 0 {
		plain = len(s)
	}
	b = append(b, s[:min(plain, hashPrefix)]...)
	return appendHash(b, s), false
}

func appendHash(b []byte, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return append(append(b, endHashed), sum[:hashBytes]...)
}

// isName reports whether s survives being cut into labels and put together.
func isName(s string) bool {
	last := byte('.')
	for i := range len(s) {
		if s[i] <= ' ' || (s[i] == '.' && last == '.') {
			return false
		}
		last = s[i]
	}
	return last != '.'
}

func appendName(b []byte, name string, code byte) (key []byte, exact bool) {
	start := len(b)
	labels := strings.Split(name, ".")
	for _, l := range slices.Backward(labels) {
		b = append(append(b, l...), 0)
	}
	if len(name) > maxPlain {
		// A domain and a hostname of one text have to differ.
		return appendHash(b[:start+hashPrefix], string(code)+name), false
	}
	if code == codeDomain {
		return append(b, endDomain), true
	}
	return append(b, endHostname), true
}

// cutValueKey cuts the value key at the beginning of b from the rest. exact
// says that the key holds the whole value.
func cutValueKey(b []byte) (v evidence.Value, key, rest []byte, exact, ok bool) {
	none := func() (evidence.Value, []byte, []byte, bool, bool) {
		return evidence.Value{}, nil, nil, false, false
	}
	if len(b) == 0 {
		return none()
	}
	code, rest := b[0], b[1:]
	switch {
	case code == codeOther:
		kind, tail, kindExact, ok := cutText(rest)
		if !ok {
			return none()
		}
		text, tail, textExact, ok := cutText(tail)
		if !ok {
			return none()
		}
		v = evidence.Value{Kind: evidence.Kind(kind), Text: string(text)}
		return v, b[:len(b)-len(tail)], tail, kindExact && textExact, true
	case code == codeIP:
		if len(rest) < 16 {
			return none()
		}
		a := netip.AddrFrom16([16]byte(rest)).Unmap()
		return evidence.Value{Kind: evidence.KindIP, Text: a.String()}, b[:17], rest[16:], true, true
	case code == codeCIDR:
		if len(rest) < 17 {
			return none()
		}
		a, bits := netip.AddrFrom16([16]byte(rest)), int(rest[16])
		if a.Is4In6() {
			a, bits = a.Unmap(), bits-96
		}
		p := netip.PrefixFrom(a, bits)
		return evidence.Value{Kind: evidence.KindCIDR, Text: p.String()}, b[:18], rest[17:], true, p.IsValid()
	case code == codeDomain:
		name, kind, tail, exact, ok := cutName(rest)
		return evidence.Value{Kind: kind, Text: name}, b[:len(b)-len(tail)], tail, exact, ok
	}
	kind := evidence.Kind("")
	if c := code &^ rawText; c < codeOther {
		kind = kindNames[c]
	}
	text, tail, exact, ok := cutText(rest)
	if kind == "" || !ok {
		return none()
	}
	return evidence.Value{Kind: kind, Text: string(text)}, b[:len(b)-len(tail)], tail, exact, true
}

func cutText(b []byte) (text, rest []byte, exact, ok bool) {
	i := bytes.IndexFunc(b, func(r rune) bool { return r < firstPlain })
	switch {
	case i < 0:
		return nil, nil, false, false
	case b[i] == endText:
		return b[:i], b[i+1:], true, true
	case b[i] == endHashed && len(b) >= i+1+hashBytes:
		return b[:i], b[i+1+hashBytes:], false, true
	}
	return nil, nil, false, false
}

func cutName(b []byte) (name string, kind evidence.Kind, rest []byte, exact, ok bool) {
	i := bytes.IndexFunc(b, func(r rune) bool { return 0 < r && r < firstPlain })
	if i < 1 {
		return "", "", nil, false, false
	}
	switch b[i] {
	case endDomain:
		kind = evidence.KindDomain
	case endHostname:
		kind = evidence.KindHostname
	default:
		if len(b) < i+1+hashBytes {
			return "", "", nil, false, false
		}
		return "", "", b[i+1+hashBytes:], false, true
	}
	labels := strings.Split(string(b[:i-1]), "\x00")
	slices.Reverse(labels)
	return strings.Join(labels, "."), kind, b[i+1:], true, true
}
