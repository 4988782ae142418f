package m365

import (
	"errors"
	"strings"
)

const (
	// maxDepth is far beyond what any service writes.
	maxDepth = 64
	// maxValues bounds one record's tree to 14 MB.
	maxValues = 500_000
)

var (
	errSyntax = errors.New("not valid JSON")
	errEnd    = errors.New("JSON ends early")
	errDepth  = errors.New("JSON is nested too deep")
	errValues = errors.New("JSON has too many values")
)

// ParseValue parses JSON text, mending what is slightly wrong with it. Text that
// is no JSON becomes a string Value.
func ParseValue(text string) Value {
	if d, err := parse(strings.TrimSpace(text)); err == nil {
		return Value{d, 0}
	}
	if v := embedded(text); v.Kind() != Absent {
		return v
	}
	if len(text) > 1<<31 {
		return Value{}
	}
	return Value{&document{
		text:  text,
		nodes: []node{{kind: String, to: uint32(len(text)), next: 1}},
	}, 0}
}

// embedded is the array or object that text holds, mended where needed, or an
// absent Value.
func embedded(text string) Value {
	text = strings.TrimSpace(text)
	if text == "" || (text[0] != '[' && text[0] != '{') {
		return Value{}
	}
	d, err := parse(text)
	if err == nil {
		return Value{d, 0}
	}
	if errors.Is(err, errDepth) || errors.Is(err, errValues) {
		return Value{}
	}
	if d := mend(text); d != nil {
		return Value{d, 0}
	}
	return Value{}
}

// parse reads exactly one JSON value.
func parse(text string) (*document, error) {
	if len(text) > 1<<30 {
		return nil, errValues
	}
	p := parser{text: text, d: &document{text: text, nodes: make([]node, 0, len(text)/24+4)}}
	p.space()
	if err := p.value(0, 0, false, 0); err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(text) {
		return nil, errSyntax
	}
	return p.d, nil
}

type parser struct {
	text string
	at   int
	d    *document
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\n', '\r', '\t':
			p.at++
		default:
			return
		}
	}
}

// value reads the value that begins here, under the key at these offsets.
func (p *parser) value(key, keyEnd int, keyEscaped bool, depth int) error {
	if p.at >= len(p.text) {
		return errEnd
	}
	if len(p.d.nodes) >= maxValues {
		return errValues
	}
	if depth > maxDepth {
		return errDepth
	}
	i := len(p.d.nodes)
	p.d.nodes = append(p.d.nodes, node{
		key: uint32(key), keyEnd: uint32(keyEnd), keyEscaped: keyEscaped, from: uint32(p.at),
	})
	var err error
	kind, escaped := Absent, false
	from, to := p.at, 0
	switch c := p.text[p.at]; c {
	case '"':
		kind = String
		from, to, escaped, err = p.str()
	case '{':
		kind = Object
		err = p.object(depth)
		to = p.at
	case '[':
		kind = Array
		err = p.array(depth)
		to = p.at
	case 't':
		kind = Bool
		to, err = p.word("true")
	case 'f':
		kind = Bool
		to, err = p.word("false")
	case 'n':
		kind = Null
		to, err = p.word("null")
	default:
		kind = Number
		to, err = p.number()
	}
	if err != nil {
		return err
	}
	n := &p.d.nodes[i]
	n.kind, n.escaped = kind, escaped
	n.from, n.to = uint32(from), uint32(to)
	n.next = int32(len(p.d.nodes))
	return nil
}

func (p *parser) word(w string) (int, error) {
	if !strings.HasPrefix(p.text[p.at:], w) {
		return 0, errSyntax
	}
	p.at += len(w)
	return p.at, nil
}

func (p *parser) number() (int, error) {
	start := p.at
	digits := 0
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E':
		default:
			if digits == 0 {
				return 0, errSyntax
			}
			return p.at, nil
		}
	}
	if digits == 0 || p.at == start {
		return 0, errSyntax
	}
	return p.at, nil
}

// str reads a string and returns the offsets within its quotes.
func (p *parser) str() (from, to int, escaped bool, err error) {
	p.at++
	from = p.at
	text := p.text
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			p.at = i + 1
			return from, i, escaped, nil
		case c == '\\':
			escaped = true
			i++
			if i < len(text) && text[i] < ' ' {
				return 0, 0, false, errSyntax
			}
		case c < ' ':
			return 0, 0, false, errSyntax
		}
	}
	return 0, 0, false, errEnd
}

func (p *parser) object(depth int) error {
	p.at++
	p.space()
	if p.at < len(p.text) && p.text[p.at] == '}' {
		p.at++
		return nil
	}
	for {
		p.space()
		if p.at >= len(p.text) {
			return errEnd
		}
		if p.text[p.at] != '"' {
			return errSyntax
		}
		from, to, escaped, err := p.str()
		if err != nil {
			return err
		}
		p.space()
		if p.at >= len(p.text) {
			return errEnd
		}
		if p.text[p.at] != ':' {
			return errSyntax
		}
		p.at++
		p.space()
		if err := p.value(from, to, escaped, depth+1); err != nil {
			return err
		}
		if done, err := p.next('}'); done || err != nil {
			return err
		}
	}
}

func (p *parser) array(depth int) error {
	p.at++
	p.space()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return nil
	}
	for {
		p.space()
		if err := p.value(0, 0, false, depth+1); err != nil {
			return err
		}
		if done, err := p.next(']'); done || err != nil {
			return err
		}
	}
}

// next reads what follows an element: a comma, or the closing bracket.
func (p *parser) next(closing byte) (done bool, err error) {
	p.space()
	if p.at >= len(p.text) {
		return false, errEnd
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case ',':
		return false, nil
	case closing:
		return true, nil
	default:
		return false, errSyntax
	}
}
