package jsonform

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxFindings is how many faults of one object are told.
const MaxFindings = 100

// Reasons of findings. Where the service would find the same in a case, the code is
// the service's.
const (
	ReasonFieldUnknown = "FIELD_UNKNOWN"
	ReasonFieldTwice   = "FIELD_TWICE"
	ReasonType         = "TYPE_WRONG"
)

// Finding is a field that a message does not take as it is written.
type Finding struct {
	Offset  int    // of the field's name or value, in bytes
	Path    string // as findings[3].observables[17].value
	Reason  string
	Message string // without anything of the value
}

// Check compares a well-formed object with the fields of a message and returns
// what it would not take, in order of place, at most MaxFindings. protojson would
// find the same, but only the first of it and without a place that is promised.
func Check(raw []byte, message protoreflect.MessageDescriptor) []Finding {
	c := &checker{cursor: cursor{raw: raw}}
	if c.space(); c.is('{', "an object") {
		c.object(message)
	}
	return c.found
}

type checker struct {
	cursor
	path  []byte // of the value that is being read
	found []Finding
}

// report adds a finding at an offset, for the value that is being read. Behind the
// last of them the walk goes on and only tells nobody.
func (c *checker) report(at int, reason, format string, args ...any) {
	if len(c.found) < MaxFindings {
		c.found = append(c.found, Finding{min(at, len(c.raw)), string(c.path), reason, fmt.Sprintf(format, args...)})
	}
}

// into makes path that of a field of the object that is being read, and returns the
// length to which leave cuts it.
func (c *checker) into(name string) int {
	n := len(c.path)
	if n > 0 {
		c.path = append(c.path, '.')
	}
	c.path = append(c.path, name...)
	return n
}

func (c *checker) leave(n int) { c.path = c.path[:n] }

// object reads an object into a message.
func (c *checker) object(message protoreflect.MessageDescriptor) {
	fields := message.Fields()
	seen := make([]bool, fields.Len())
	c.members(func(name string, at int) bool {
		field := fields.ByJSONName(name)
		if field == nil {
			field = fields.ByTextName(name)
		}
		if field == nil {
			defer c.leave(c.into(name))
			c.report(at, ReasonFieldUnknown, "%s has no such field", strings.ToLower(string(message.Name())))
			c.skip()
			return true
		}
		defer c.leave(c.into(string(field.Name())))
		if seen[field.Index()] {
			c.report(at, ReasonFieldTwice, "the field is there twice")
			c.skip()
			return true
		}
		seen[field.Index()] = true
		c.field(field)
		return true
	})
}

// field reads the value of a field. A null is the same as no field.
func (c *checker) field(f protoreflect.FieldDescriptor) {
	switch {
	case c.space() == 'n':
		c.skip()
	case f.IsMap():
		if !c.is('{', "an object") {
			return
		}
		seen := make(map[string]bool)
		c.members(func(name string, at int) bool {
			if seen[name] {
				c.report(at, ReasonFieldTwice, "the key is there twice")
			}
			seen[name] = true
			defer c.leave(len(c.path))
			c.path = append(strconv.AppendQuote(append(c.path, '['), name), ']')
			c.single(f.MapValue())
			return true
		})
	case f.IsList():
		if !c.is('[', "a list") {
			return
		}
		c.elements(func(n int) bool {
			defer c.leave(len(c.path))
			c.path = append(strconv.AppendInt(append(c.path, '['), int64(n), 10), ']')
			c.single(f)
			return true
		})
	default:
		c.single(f)
	}
}

// single reads one value of a field.
func (c *checker) single(f protoreflect.FieldDescriptor) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		c.message(f.Message())
	case protoreflect.StringKind:
		if c.is('"', "a string") {
			c.str()
		}
	case protoreflect.BoolKind:
		if b := c.space(); b == 't' || b == 'f' {
			c.skip()
		} else {
			c.wrong("true or false")
		}
	case protoreflect.EnumKind:
		c.enum(f.Enum())
	case protoreflect.Uint32Kind:
		c.number()
	case protoreflect.DoubleKind:
		if b := c.space(); b == '-' || b == '"' || isDigit(b) {
			c.skip()
		} else {
			c.wrong("a number")
		}
	default:
		// protojson judges what the schema does not use so far.
		c.skip()
	}
}

// message reads a message, also those that are written as a string.
func (c *checker) message(m protoreflect.MessageDescriptor) {
	switch m.FullName() {
	case "google.protobuf.Timestamp":
		c.time()
	case "google.protobuf.Duration":
		at := c.i
		if c.is('"', "a time span, as in \"3600s\"") {
			if s, ok := strings.CutSuffix(c.str(), "s"); !ok || !isSpan(s) {
				c.report(at, ReasonType, "not a time span as in \"3600s\"")
			}
		}
	case "google.protobuf.FieldMask":
		if c.is('"', "names of fields, as in \"displayName,trust\"") {
			c.str()
		}
	default:
		if c.is('{', "an object") {
			c.object(m)
		}
	}
}

// isSpan reports whether s is a number of seconds that the wire format has.
func isSpan(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, part, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 64)
	return err == nil && n <= 315_576_000_000 && len(part) <= 9 && strings.Trim(part, "0123456789") == ""
}

// time reads an RFC 3339 time.
func (c *checker) time() {
	at := c.i
	if !c.is('"', "a time, as in \"2023-02-22T15:04:05Z\"") {
		return
	}
	t, err := time.Parse(time.RFC3339, c.str())
	// The bounds of the wire format; the server has its own.
	if err != nil || t.Year() < 1 || t.Year() > 9999 || fraction(string(c.raw[at:c.i])) > 9 {
		c.report(at, ReasonType, "not a time as in \"2023-02-22T15:04:05Z\"")
	}
}

// fraction counts the digits behind the point of a time.
func fraction(s string) int {
	_, s, _ = strings.Cut(s, ".")
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// enum reads the name of a value, or its number.
func (c *checker) enum(e protoreflect.EnumDescriptor) {
	at := c.i
	if b := c.space(); b == '-' || isDigit(b) {
		if n, err := strconv.ParseFloat(c.scalar(), 64); err != nil || n != math.Trunc(n) || n < math.MinInt32 || n > math.MaxInt32 {
			c.report(at, ReasonType, "not the number of a value")
		}
		return
	}
	names := EnumNames(e)
	if !c.is('"', "one of "+strings.Join(names, ", ")) {
		return
	}
	if e.Values().ByName(protoreflect.Name(c.str())) == nil {
		c.report(at, ReasonType, "not one of %s", strings.Join(names, ", "))
	}
}

// EnumNames returns the names of values that mean something, sorted.
func EnumNames(e protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range e.Values().Len() {
		if v := e.Values().Get(i); v.Number() != 0 {
			names = append(names, string(v.Name()))
		}
	}
	slices.Sort(names)
	return names
}

// number reads an unsigned integer, also from a string.
func (c *checker) number() {
	at := c.i
	var text string
	switch b := c.space(); {
	case b == '"':
		text = c.str()
	case b == '-' || isDigit(b):
		text = c.scalar()
	default:
		c.wrong("a number")
		return
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !isDigit(text[0]) || n != math.Trunc(n) || n > math.MaxUint32 || strings.ContainsAny(text, "xXpP_") {
		c.report(at, ReasonType, "not a whole number from 0 to %d", uint32(math.MaxUint32))
	}
}

// is reports whether a value begins as it should; if not it reports that and
// moves behind the value.
func (c *checker) is(first byte, want string) bool {
	if c.space() == first {
		return true
	}
	c.wrong(want)
	return false
}

// wrong reports a value of another type and moves behind it.
func (c *checker) wrong(want string) {
	c.report(c.i, ReasonType, "%s where %s belongs", typeName(c.space()), want)
	c.skip()
}

// typeName names the type of a value by its first byte.
func typeName(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
