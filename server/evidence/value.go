package evidence

import (
	"strings"
	"unicode/utf8"
)

// Parsed is one value as read, with what reading it took off.
type Parsed struct {
	Value
	Written string // as in Observable
	Facts   []Fact // the port that stood behind an address or a name
}

// ParseValue reads one value as a search asks for it, without roles. An empty
// kind is guessed. Of o only Private is used. The violation's path is value or
// kind.
func ParseValue(kind Kind, raw string, o Options) (Parsed, *Violation) {
	if kind == "" {
		kind = Guess(raw)
	}
	r, field, f := readValue(kind, raw, o)
	if f != nil {
		return Parsed{}, &Violation{field, f.reason, f.message}
	}
	return Parsed{r.Value, r.written, r.facts}, nil
}

// readValue reads a value of a given kind. field says which of kind and value a
// flaw is in.
func readValue(sent Kind, raw string, o Options) (r reading, field string, f *flaw) {
	kind := Kind(strings.ToLower(strings.TrimSpace(string(sent))))
	if kind == "" {
		return reading{}, "kind", flawf(ReasonRequired, "the kind is missing")
	}
	entry, ok := lookupKind(kind)
	if !ok {
		return reading{}, "kind", kindUnknown(kind)
	}
	text, f := cleanValue(raw)
	if f != nil {
		return reading{}, "value", f
	}
	if entry.Visibility == Private {
		r, f = readPrivate(entry, text, o.Private)
	} else {
		r, f = entry.read(kind, text)
	}
	if f == nil && len(r.Text) > MaxValueBytes {
		// Some characters grow when they are normalised.
		f = tooLong(MaxValueBytes)
	}
	if f != nil {
		return reading{}, "value", f
	}
	return r, "", nil
}

// cleanValue checks what no reader should have to.
func cleanValue(raw string) (string, *flaw) {
	if len(raw) > MaxValueBytes {
		return "", tooLong(MaxValueBytes)
	}
	if !utf8.ValidString(raw) {
		return "", notUTF8()
	}
	text := strings.TrimSpace(raw)
	if text == "" {
		return "", flawf(ReasonRequired, "the value is missing")
	}
	if hasControl(text, "") {
		return "", hasControlFlaw()
	}
	return text, nil
}

// Guess returns the kind that a value has by its form, refanged first. What has
// no form of its own is a rule_name.
func Guess(raw string) Kind {
	text, f := cleanValue(raw)
	if f != nil {
		return KindRuleName
	}
	for _, k := range [...]Kind{KindIP, KindCIDR, KindURL, KindEmail, KindSpoofPair, KindFileHash, KindASN, KindDomain} {
		entry, _ := lookupKind(k)
		r, f := entry.read(k, text)
		switch {
		case f != nil:
		case k == KindASN && only(refang(text), digit):
			// A bare number is the name of a rule rather than a network.
		case k == KindDomain && !underListedSuffix(r.Text):
			// "Invoice.Filter" has the form of a name but cannot be one.
		default:
			return r.Kind
		}
	}
	return KindRuleName
}
