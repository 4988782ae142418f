package casefile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// check compares a well-formed object with the fields of a message and returns
// what it would not take, in order of place. protojson would find the same, but
// only the first of it and without a place that is promised.
func check(d *Document, message protoreflect.MessageDescriptor) []Problem {
	c := &checker{cursor: cursor{raw: d.raw}, doc: d}
	c.space()
	c.object(message, "")
	return c.problems
}

type checker struct {
	cursor
	doc      *Document
	problems []Problem
}

// report adds a problem at an offset. Behind the last of them the walk goes on
// and only tells nobody.
func (c *checker) report(at int, path, reason, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{c.doc.at(at), path, reason, fmt.Sprintf(format, args...)})
	}
}

// object reads an object into a message.
func (c *checker) object(message protoreflect.MessageDescriptor, path string) {
	fields := message.Fields()
	seen := make(map[protoreflect.FieldNumber]bool)
	c.members(func(name string, at int) bool {
		field := fields.ByJSONName(name)
		if field == nil {
			field = fields.ByTextName(name)
		}
		switch {
		case field == nil:
			c.report(at, join(path, name), ReasonFieldUnknown, "%s has no such field", strings.ToLower(string(message.Name())))
			c.skip()
		case seen[field.Number()]:
			c.report(at, join(path, string(field.Name())), ReasonFieldTwice, "the field is there twice")
			c.skip()
		default:
			seen[field.Number()] = true
			c.field(field, join(path, string(field.Name())))
		}
		return true
	})
}

// field reads the value of a field. A null is the same as no field.
func (c *checker) field(f protoreflect.FieldDescriptor, path string) {
	switch {
	case c.space() == 'n':
		c.skip()
	case f.IsMap():
		if !c.is('{', path, "an object") {
			return
		}
		seen := make(map[string]bool)
		c.members(func(name string, at int) bool {
			if seen[name] {
				c.report(at, path, ReasonFieldTwice, "the key is there twice")
			}
			seen[name] = true
			c.single(f.MapValue(), fmt.Sprintf("%s[%q]", path, name))
			return true
		})
	case f.IsList():
		if !c.is('[', path, "a list") {
			return
		}
		c.elements(func(n int) bool {
			c.single(f, fmt.Sprintf("%s[%d]", path, n))
			return true
		})
	default:
		c.single(f, path)
	}
}

// single reads one value of a field.
func (c *checker) single(f protoreflect.FieldDescriptor, path string) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			c.time(path)
		} else if c.is('{', path, "an object") {
			c.object(f.Message(), path)
		}
	case protoreflect.StringKind:
		if c.is('"', path, "a string") {
			c.str()
		}
	case protoreflect.BoolKind:
		if b := c.space(); b == 't' || b == 'f' {
			c.skip()
		} else {
			c.wrong(path, "true or false")
		}
	case protoreflect.EnumKind:
		c.enum(f.Enum(), path)
	case protoreflect.Uint32Kind:
		c.number(path)
	default:
		// protojson judges what the schema of a case does not use so far.
		c.skip()
	}
}

// time reads an RFC 3339 time.
func (c *checker) time(path string) {
	at := c.i
	if !c.is('"', path, "a time, as in \"2023-02-22T15:04:05Z\"") {
		return
	}
	t, err := time.Parse(time.RFC3339, c.str())
	// The bounds of the wire format; the server has its own.
	if err != nil || t.Year() < 1 || t.Year() > 9999 || fraction(string(c.raw[at:c.i])) > 9 {
		c.report(at, path, ReasonType, "not a time as in \"2023-02-22T15:04:05Z\"")
	}
}

// fraction counts the digits behind the point of a time.
func fraction(s string) int {
	_, s, _ = strings.Cut(s, ".")
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// enum reads the name of a value, or its number.
func (c *checker) enum(e protoreflect.EnumDescriptor, path string) {
	at := c.i
	if b := c.space(); b == '-' || isDigit(b) {
		if n, err := strconv.ParseFloat(c.scalar(), 64); err != nil || n != math.Trunc(n) || n < math.MinInt32 || n > math.MaxInt32 {
			c.report(at, path, ReasonType, "not the number of a value")
		}
		return
	}
	names := enumNames(e)
	if !c.is('"', path, "one of "+strings.Join(names, ", ")) {
		return
	}
	if e.Values().ByName(protoreflect.Name(c.str())) == nil {
		c.report(at, path, ReasonType, "not one of %s", strings.Join(names, ", "))
	}
}

// enumNames returns the values that mean something.
func enumNames(e protoreflect.EnumDescriptor) []string {
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
func (c *checker) number(path string) {
	at := c.i
	var text string
	switch b := c.space(); {
	case b == '"':
		text = c.str()
	case b == '-' || isDigit(b):
		text = c.scalar()
	default:
		c.wrong(path, "a number")
		return
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !isDigit(text[0]) || n != math.Trunc(n) || n > math.MaxUint32 || strings.ContainsAny(text, "xXpP_") {
		c.report(at, path, ReasonType, "not a whole number from 0 to %d", uint32(math.MaxUint32))
	}
}

// is reports whether a value begins as it should; if not it reports that and
// moves behind the value.
func (c *checker) is(first byte, path, want string) bool {
	if c.space() == first {
		return true
	}
	c.wrong(path, want)
	return false
}

// wrong reports a value of another type and moves behind it.
func (c *checker) wrong(path, want string) {
	c.report(c.i, path, ReasonType, "%s where %s belongs", typeName(c.space()), want)
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
