package evidence

import "strings"

const pairSeparator = ">"

// part is one side of a spoof pair, an observable of its own.
type part struct {
	Value
	role string
}

// readSpoofPair reads SPOOFED>INFRASTRUCTURE, also with an arrow.
func readSpoofPair(k Kind, raw string) (reading, *flaw) {
	s := strings.NewReplacer("->", pairSeparator, "→", pairSeparator, "＞", pairSeparator).Replace(raw)
	left, right, ok := strings.Cut(s, pairSeparator)
	if !ok || strings.Contains(right, pairSeparator) {
		return reading{}, flawf(ReasonMalformed, "not of the form SPOOFED>INFRASTRUCTURE")
	}
	spoofed, f := readPairSide(left, true)
	if f != nil {
		return reading{}, f
	}
	infrastructure, f := readPairSide(right, false)
	if f != nil {
		return reading{}, f
	}
	return reading{
		Value: Value{k, spoofed.Text + pairSeparator + infrastructure.Text},
		parts: []part{{spoofed, RoleSpoofed}, {infrastructure, RoleSendingInfrastructure}},
	}, nil
}

func readPairSide(raw string, mayBeEmail bool) (Value, *flaw) {
	s := refang(raw)
	if e, ok := readEndpoint(s); ok && e.port == 0 {
		return addressReading(e).Value, nil
	} else if ok {
		return Value{}, pairPortFlaw(s)
	}
	if p, ok := readPrefix(s); ok {
		return prefixReading(p).Value, nil
	}
	if mayBeEmail && strings.Contains(s, "@") {
		address, f := mailAddress(s)
		return Value{KindEmail, address}, f
	}
	r, f := readName(KindSpoofPair, s)
	if f == nil && r.facts != nil {
		f = pairPortFlaw(s)
	}
	return r.Value, f
}

func pairPortFlaw(side string) *flaw {
	return flawf(ReasonMalformed, "%s has a port; the sides of a pair have none", excerpt(side))
}
