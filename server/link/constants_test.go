package link

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryNumberHasAName walks over all numbers of a model and holds that each is a
// constant that people can see, or stands here with the reason why not.
func TestEveryNumberHasAName(t *testing.T) {
	exempt := []string{
		"version", "base", "changes", "namings", // what the model is, not what it says
		"addresses.*.name", "tiers.*.tier",
		"referencedHalfLife", "referencedLength", "keepsHalfLife", // of rows that were made from others
		"spoofedPair",                 // name.spoofed with the length of kind.spoof_pair
		"theme.alpha", "theme.length", // a theme has a background and no unseen users
		"lexicon", "initialAccess", // words
		"off", // of ablations
	}
	for _, version := range BuiltInVersions() {
		m, _ := BuiltIn(version)
		// Every constant is set to a value of its own; what then still is as it
		// was has no name.
		changed := m.clone()
		for _, c := range changed.constants() {
			v := c.Max
			if v == c.Value {
				v = c.Min
			}
			c.set(v)
		}
		was, is := make(map[string]float64), make(map[string]float64)
		collect(reflect.ValueOf(m).Elem(), "", was)
		collect(reflect.ValueOf(changed).Elem(), "", is)
		for at, v := range was {
			if is[at] != v || slices.ContainsFunc(exempt, func(e string) bool { return at == e || strings.HasPrefix(at, e+".") }) {
				continue
			}
			// Of what is everybody's nothing weighs.
			if service(m, at) || v == 0 && version == 1 && (strings.HasPrefix(at, "alike.") || strings.HasPrefix(at, "agents.")) {
				continue
			}
			t.Errorf("model %d: %s is no constant", version, at)
		}
	}
}

// collect notes all numbers below a value by their path.
func collect(v reflect.Value, at string, out map[string]float64) {
	join := func(name string) string { return strings.TrimPrefix(at+"."+name, ".") }
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type().Elem().Name() != "namings" {
			collect(v.Elem(), at, out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), join(v.Type().Field(i).Name), out)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			collect(v.MapIndex(k), join(k.String()), out)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collect(v.Index(i), join("#"+string(rune('a'+i))), out)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		out[at] = float64(v.Int())
	case reflect.Uint8, reflect.Uint32:
		if !strings.HasSuffix(at, ".tier") {
			out[at] = float64(v.Uint())
		}
	case reflect.Float64:
		out[at] = v.Float()
	}
}

// service reports whether a path lies in a row that weighs nothing.
func service(m *Model, at string) bool {
	parts := strings.Split(at, ".")
	if len(parts) != 3 {
		return false
	}
	r := map[string]map[string]*row{"addresses": m.addresses, "referenced": m.referenced, "names": m.names}[parts[0]][parts[1]]
	return r != nil && r.service
}

// TestCalibrationIsMonotone holds that a calibration moves no pair past another, and
// that the one of a model of the program changes nothing.
func TestCalibrationIsMonotone(t *testing.T) {
	for _, c := range []calibration{{scale: 1}, {scale: .5, shift: -4000}, {scale: 2, shift: 4000}, {scale: 1.337, shift: 123}} {
		before := int32(math.MinInt32)
		for total := int32(-60_000); total <= 60_000; total += 7 {
			got := c.apply(total)
			if got < before {
				t.Fatalf("%+v: %d after %d", c, got, before)
			}
			if before = got; c == (calibration{scale: 1}) && got != total {
				t.Fatalf("%d became %d", total, got)
			}
		}
		for _, total := range []int32{math.MinInt32, math.MaxInt32} {
			if got := c.apply(total); got < -maxOdds || got > maxOdds {
				t.Errorf("%+v: %d became %d", c, total, got)
			}
		}
	}
}
