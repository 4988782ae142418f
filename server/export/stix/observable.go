package stix

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// observableSpace is the namespace that the standard gives for identifiers of
// cyber-observables.
var observableSpace = export.UUID{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}

// observableOf returns the cyber-observable that a value is, and the pattern that
// finds it; false for what the standard has no object for.
func observableOf(v evidence.Value) (o observable, pattern string, ok bool) {
	text := v.Text
	kind := v.Kind
	if kind == evidence.KindForwardTo {
		kind = evidence.KindDomain
		if strings.Contains(text, "@") {
			kind = evidence.KindEmail
		}
	}
	switch kind {
	case evidence.KindIP, evidence.KindCIDR:
		return addressObservable(kind, text)
	case evidence.KindDomain, evidence.KindHostname:
		o = observable{Type: "domain-name", Value: text}
	case evidence.KindEmail:
		o = observable{Type: "email-addr", Value: text}
	case evidence.KindURL:
		o = observable{Type: "url", Value: text}
	case evidence.KindASN:
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "AS"), 10, 32)
		if err != nil {
			return o, "", false
		}
		number := uint32(n)
		o = observable{Type: "autonomous-system", Number: &number}
		return identified(o, map[string]any{"number": number}), "[autonomous-system:number = " + strconv.FormatUint(n, 10) + "]", true
	case evidence.KindFileHash:
		algorithm, sum, found := strings.Cut(text, ":")
		name := map[string]string{"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}[algorithm]
		if !found || name == "" {
			return o, "", false
		}
		o = observable{Type: "file", Hashes: map[string]string{name: sum}}
		return identified(o, map[string]any{"hashes": o.Hashes}), "[file:hashes." + quote(name) + " = " + quote(sum) + "]", true
	default:
		return o, "", false
	}
	return valued(o), "[" + o.Type + ":value = " + quote(text) + "]", true
}

// Shared returns what identifies the observable of a value of a kind that is not the
// only one with it: a forwarding to an address, and the address. Of two such values
// the observable is to be told once.
func Shared(v evidence.Value) (export.UUID, bool) {
	if !shares(v.Kind) {
		return export.UUID{}, false
	}
	o, _, ok := observableOf(v)
	if !ok {
		return export.UUID{}, false
	}
	return o.uuid()
}

func shares(k evidence.Kind) bool {
	return k == evidence.KindForwardTo || k == evidence.KindEmail || k == evidence.KindDomain || k == evidence.KindHostname
}

func (o *observable) uuid() (export.UUID, bool) {
	_, id, _ := strings.Cut(o.Identifier, "--")
	uuid, err := export.ParseUUID(id)
	return uuid, err == nil
}

func addressObservable(kind evidence.Kind, text string) (observable, string, bool) {
	o := observable{Type: "ipv4-addr", Value: text}
	host, _, _ := strings.Cut(text, "/")
	a, err := netip.ParseAddr(host)
	if err != nil {
		return o, "", false
	}
	if a.Is6() {
		o.Type = "ipv6-addr"
	}
	comparison := " = "
	if kind == evidence.KindCIDR {
		comparison = " ISSUBSET "
	}
	return valued(o), "[" + o.Type + ":value" + comparison + quote(text) + "]", true
}

// identified gives an observable the identifier that the standard derives from
// what contributes to it, written as canonical JSON.
func identified(o observable, contributing map[string]any) observable {
	var name bytes.Buffer
	encoder := json.NewEncoder(&name)
	encoder.SetEscapeHTML(false)
	// Texts, numbers and maps of texts can be encoded.
	_ = encoder.Encode(contributing)
	return named(o, strings.TrimSuffix(name.String(), "\n"))
}

// valued is identified for an observable that is its value. Nearly all of them need no
// escapes.
func valued(o observable) observable {
	plain := func(r rune) bool { return ' ' <= r && r <= '~' && r != '"' && r != '\\' }
	if strings.ContainsFunc(o.Value, func(r rune) bool { return !plain(r) }) {
		return identified(o, map[string]any{"value": o.Value})
	}
	return named(o, `{"value":"`+o.Value+`"}`)
}

func named(o observable, contributing string) observable {
	o.SpecVersion = specVersion
	o.Identifier = o.Type + "--" + export.NewNameUUID(observableSpace, contributing).String()
	return o
}

// quote writes a text of a pattern.
func quote(s string) string {
	if !strings.ContainsAny(s, `\'`) {
		return "'" + s + "'"
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
