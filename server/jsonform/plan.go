package jsonform

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is how messages of a type are written, found out once.
type plan struct {
	fields []field // in the order of the schema
	// library leaves the type to protojson, which has a form of its own for it.
	library bool
	// seconds and nanos are the fields of a Timestamp, nil for any other type.
	seconds, nanos protoreflect.FieldDescriptor
}

// field is a field of a plan.
type field struct {
	of       protoreflect.FieldDescriptor
	name     string // with quotes and colon
	optional bool   // left out where it is not set
	value
}

// value is how one value of a field is written.
type value struct {
	kind protoreflect.Kind
	enum map[protoreflect.EnumNumber]string
	// message is nil for what is no message.
	message *plan
}

// planOf returns the plan of a type, made together with those of all types that it
// leads to, which may be the type itself.
func planOf(d protoreflect.MessageDescriptor, known map[protoreflect.MessageDescriptor]*plan) *plan {
	if p, ok := known[d]; ok {
		return p
	}
	p := &plan{}
	known[d] = p
	fields := d.Fields()
	switch {
	case d.FullName() == "google.protobuf.Timestamp":
		p.seconds, p.nanos = fields.ByName("seconds"), fields.ByName("nanos")
		return p
	case d.ParentFile().Package() == "google.protobuf", d.ExtensionRanges().Len() > 0:
		p.library = true
		return p
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		kind := f
		if f.IsMap() {
			kind = f.MapValue()
		}
		if f.IsMap() && f.MapKey().Kind() != protoreflect.StringKind || !isWritten(kind.Kind()) {
			p.library = true
			return p
		}
		v := value{kind: kind.Kind()}
		if m := kind.Message(); m != nil {
			v.message = planOf(m, known)
		}
		if e := kind.Enum(); e != nil {
			v.enum = enumTexts(e)
		}
		name, _ := appendText(nil, f.JSONName())
		p.fields = append(p.fields, field{f, string(name) + ":", f.HasPresence(), v})
	}
	return p
}

// isWritten reports whether value.append knows a kind. The schema has no other.
func isWritten(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.BoolKind, protoreflect.StringKind, protoreflect.BytesKind,
		protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.Int64Kind, protoreflect.Uint64Kind,
		protoreflect.DoubleKind, protoreflect.EnumKind, protoreflect.MessageKind:
		return true
	}
	return false
}

// enumTexts returns what is written for each number of an enum.
func enumTexts(e protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	texts := make(map[protoreflect.EnumNumber]string)
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		// Of two names for a number the first is the one.
		if _, ok := texts[v.Number()]; ok {
			continue
		}
		texts[v.Number()] = strconv.Quote(string(v.Name()))
		if e.FullName() == "google.protobuf.NullValue" {
			texts[v.Number()] = "null"
		}
	}
	return texts
}

func (p *plan) append(b []byte, m protoreflect.Message) ([]byte, error) {
	switch {
	case p.seconds != nil:
		return appendTime(b, m.Get(p.seconds).Int(), m.Get(p.nanos).Int())
	case p.library:
		return appendByLibrary(b, m.Interface())
	}
	b = append(b, '{')
	begin := len(b)
	for i := range p.fields {
		f := &p.fields[i]
		if f.optional && !m.Has(f.of) {
			continue
		}
		if len(b) > begin {
			b = append(b, ',')
		}
		b = append(b, f.name...)
		var err error
		switch v := m.Get(f.of); {
		case f.of.IsList():
			b, err = f.appendList(b, v.List())
		case f.of.IsMap():
			b, err = f.appendMap(b, v.Map())
		default:
			b, err = f.append(b, v)
		}
		if err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// spareBytes is room for an element of most lists.
const spareBytes = 512

func (v *value) appendList(b []byte, list protoreflect.List) ([]byte, error) {
	b = append(b, '[')
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if cap(b)-len(b) < spareBytes {
			// By doubling, which copies large answers less often than append would.
			b = slices.Grow(b, len(b)+spareBytes)
		}
		var err error
		if b, err = v.append(b, list.Get(i)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendMap adds a map in the order of its keys.
func (v *value) appendMap(b []byte, m protoreflect.Map) ([]byte, error) {
	entries := make(map[string]protoreflect.Value, m.Len())
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		entries[k.String()] = v
		return true
	})
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendText(b, key); err != nil {
			return b, err
		}
		if b, err = v.append(append(b, ':'), entries[key]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// append adds a value. Numbers of 64 bits are text, as JSON's numbers do not hold them.
func (v *value) append(b []byte, x protoreflect.Value) ([]byte, error) {
	switch v.kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, x.Bool()), nil
	case protoreflect.StringKind:
		return appendText(b, x.String())
	case protoreflect.BytesKind:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), x.Bytes()), '"'), nil
	case protoreflect.Int32Kind:
		return strconv.AppendInt(b, x.Int(), 10), nil
	case protoreflect.Uint32Kind:
		return strconv.AppendUint(b, x.Uint(), 10), nil
	case protoreflect.Int64Kind:
		return append(strconv.AppendInt(append(b, '"'), x.Int(), 10), '"'), nil
	case protoreflect.Uint64Kind:
		return append(strconv.AppendUint(append(b, '"'), x.Uint(), 10), '"'), nil
	case protoreflect.DoubleKind:
		return appendNumber(b, x.Float()), nil
	case protoreflect.EnumKind:
		if text, ok := v.enum[x.Enum()]; ok {
			return append(b, text...), nil
		}
		return strconv.AppendInt(b, int64(x.Enum()), 10), nil
	}
	return v.message.append(b, x.Message())
}

// appendText adds text with quotes. Nothing is escaped that need not be.
func appendText(b []byte, s string) ([]byte, error) {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	begin, ascii := 0, true
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			ascii = ascii && c < utf8.RuneSelf
			continue
		}
		b = append(append(b, s[begin:i]...), '\\')
		begin = i + 1
		switch c {
		case '"', '\\':
			b = append(b, c)
		case '\b':
			b = append(b, 'b')
		case '\f':
			b = append(b, 'f')
		case '\n':
			b = append(b, 'n')
		case '\r':
			b = append(b, 'r')
		case '\t':
			b = append(b, 't')
		default:
			b = append(b, 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return b, errNotUTF8
	}
	return append(append(b, s[begin:]...), '"'), nil
}

// appendNumber adds a number, as short as says which it is.
func appendNumber(b []byte, n float64) []byte {
	abs := math.Abs(n)
	switch {
	case math.IsNaN(n):
		return append(b, `"NaN"`...)
	case math.IsInf(n, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(n, -1):
		return append(b, `"-Infinity"`...)
	case abs == 0 || abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(b, n, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, n, 'e', -1, 64)
	// An exponent of one digit is written as one: 1e-7, not 1e-07.
	if end := len(b); end >= 4 && string(b[end-4:end-1]) == "e-0" {
		b = append(b[:end-2], b[end-1])
	}
	return b
}

// appendTime adds a time in UTC, with 0, 3, 6 or 9 digits of a second.
func appendTime(b []byte, seconds, nanos int64) ([]byte, error) {
	if !isTime(seconds, nanos) {
		return b, errNoTime
	}
	b = time.Unix(seconds, 0).UTC().AppendFormat(append(b, '"'), time.RFC3339)
	b = b[:len(b)-1] // the Z, which stands behind the digits
	for digits, rest := 9, nanos; rest > 0; digits -= 3 {
		if rest%1000 != 0 || digits == 0 {
			text := strconv.Itoa(int(1_000_000_000 + nanos))
			b = append(append(b, '.'), text[1:1+digits]...)
			break
		}
		rest /= 1000
	}
	return append(b, "Z\""...), nil
}
