package m365

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is the JSON type of a Value.
type Kind uint8

// Kinds. Absent is that of the zero Value.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is a place in parsed JSON. The zero Value is absent, and every method
// can be used on it. Names are found without regard to case.
type Value struct {
	d *document
	i int32
}

// document is JSON text with its values in the order of the text.
type document struct {
	text  string
	nodes []node
}

// node is one value; offsets are into the document's text.
type node struct {
	kind                Kind
	keyEscaped, escaped bool
	key, keyEnd         uint32 // within the quotes
	from, to            uint32 // within the quotes of a string
	next                int32  // the node after this value and all in it
}

// Kind returns the JSON type.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Absent
	}
	return v.d.nodes[v.i].kind
}

// Get follows names of objects inwards and returns the first value there, or an
// absent one.
func (v Value) Get(path ...string) Value {
	for _, name := range path {
		v = v.field(name)
	}
	return v
}

func (v Value) field(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for i := v.i + 1; i < v.d.nodes[v.i].next; i = v.d.nodes[i].next {
		n := &v.d.nodes[i]
		if !n.keyEscaped && int(n.keyEnd-n.key) != len(name) {
			continue
		}
		if strings.EqualFold(v.d.key(n), name) {
			return Value{v.d, i}
		}
	}
	return Value{}
}

func (d *document) key(n *node) string {
	s := d.text[n.key:n.keyEnd]
	if n.keyEscaped {
		s = unescape(s)
	}
	return s
}

// Text returns a string's characters, a number or a bool as written, nothing for
// null, and the JSON of an array or object.
func (v Value) Text() string {
	switch v.Kind() {
	case Absent, Null:
		return ""
	case String:
		n := &v.d.nodes[v.i]
		s := v.d.text[n.from:n.to]
		if n.escaped {
			s = unescape(s)
		}
		return s
	default:
		return v.JSON()
	}
}

// JSON returns the value as it stood in the text.
func (v Value) JSON() string {
	if v.d == nil {
		return ""
	}
	n := &v.d.nodes[v.i]
	if n.kind == String && n.from > 0 {
		return v.d.text[n.from-1 : min(int(n.to)+1, len(v.d.text))]
	}
	return v.d.text[n.from:n.to]
}

// Bool reports whether the value is true, or a word for it.
func (v Value) Bool() bool {
	b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(v.Text())))
	return err == nil && b
}

// Elements yields the elements of an array; of anything else that is present
// and not null the value itself, as services write a list of one without
// brackets.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		switch v.Kind() {
		case Absent, Null:
		case Array:
			for i := v.i + 1; i < v.d.nodes[v.i].next; i = v.d.nodes[i].next {
				if !yield(Value{v.d, i}) {
					return
				}
			}
		default:
			yield(v)
		}
	}
}

// Fields yields the names, as written, and values of an object.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := v.i + 1; i < v.d.nodes[v.i].next; i = v.d.nodes[i].next {
			if !yield(v.d.key(&v.d.nodes[i]), Value{v.d, i}) {
				return
			}
		}
	}
}

// Embedded returns the value that a string holds as JSON text, or v where it is
// no such string.
func (v Value) Embedded() Value {
	if v.Kind() != String {
		return v
	}
	if e := embedded(v.Text()); e.Kind() != Absent {
		return e
	}
	return v
}

// Strings returns all texts at or below the value that are not empty, in order.
func (v Value) Strings() []string {
	var all []string
	if v.d == nil {
		return nil
	}
	for i := v.i; i < v.d.nodes[v.i].next; i++ {
		switch v.d.nodes[i].kind {
		case String, Number, Bool:
			if s := strings.TrimSpace((Value{v.d, i}).Text()); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// unescape resolves the escapes of a JSON string. What is none stays.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 >= len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, ok := hex4(s)
			if !ok {
				b.WriteString(`\u`)
				continue
			}
			s = s[4:]
			if utf16.IsSurrogate(r) && len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				if low, ok := hex4(s[2:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
					r = utf16.DecodeRune(r, low)
					s = s[6:]
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}
