package casefile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// peek returns the next byte of the text, and false at its end.
func (r *Reader) peek() (byte, bool) {
	b, _ := r.in.Peek(1)
	if len(b) == 0 {
		return 0, false
	}
	return b[0], true
}

// take moves n bytes, which are one character, into the case.
func (r *Reader) take(n int) {
	b, _ := r.in.Peek(n)
	if len(b) == 1 && b[0] == '\n' {
		r.pos = Position{r.pos.Line + 1, 1}
	} else {
		r.pos.Column++
	}
	r.store(b)
}

// store appends what is next in the text to the case.
func (r *Reader) store(b []byte) {
	switch {
	case !r.keep:
	case len(r.raw)+len(b) > maxCaseBytes:
		r.keep, r.tooLong = false, true
	default:
		r.raw = append(r.raw, b...)
	}
	_, _ = r.in.Discard(len(b))
}

// plain takes the characters of a string that are one byte and mean
// themselves, as far as they are in memory.
func (r *Reader) plain() {
	b, _ := r.in.Peek(r.in.Buffered())
	n := 0
	for n < len(b) && b[n] >= ' ' && b[n] < utf8.RuneSelf && b[n] != '"' && b[n] != '\\' {
		n++
	}
	r.pos.Column += n
	r.store(b[:n])
}

// space takes white space.
func (r *Reader) space() {
	for {
		switch c, ok := r.peek(); {
		case ok && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			r.take(1)
		default:
			return
		}
	}
}

// line drops the rest of the line.
func (r *Reader) line() {
	r.keep = false
	for {
		c, ok := r.peek()
		if !ok || c == '\n' {
			return
		}
		r.take(1)
	}
}

// top takes one case.
func (r *Reader) top() *Problem {
	switch c, _ := r.peek(); c {
	case '{':
		return r.value(1)
	case '[':
		return r.syntax("a case is an object; write the cases one after the other, not as a list")
	default:
		return r.unexpected("a case, an object,")
	}
}

// syntax is a problem at the next byte.
func (r *Reader) syntax(message string) *Problem {
	return &Problem{r.pos, "", ReasonSyntax, message}
}

// unexpected says that the next character is not what belongs there.
func (r *Reader) unexpected(want string) *Problem {
	c, ok := r.peek()
	if !ok {
		return r.cutOff()
	}
	if c == 0 {
		return &Problem{r.pos, "", ReasonNUL, "a NUL where " + want + " belongs"}
	}
	char, _ := r.char()
	if char == utf8.RuneError {
		return r.encoding()
	}
	return r.syntax(fmt.Sprintf("%s where %s belongs", quoted(char), want))
}

func (r *Reader) cutOff() *Problem {
	return &Problem{r.pos, "", ReasonCutOff, "the text is cut off within a case"}
}

func (r *Reader) encoding() *Problem {
	return &Problem{r.pos, "", ReasonEncoding, "the text is not UTF-8 here"}
}

// char returns the next character without taking it; utf8.RuneError with length
// 1 or 0 if there is none.
func (r *Reader) char() (rune, int) {
	b, _ := r.in.Peek(utf8.UTFMax)
	return utf8.DecodeRune(b)
}

// value takes one value of any type.
func (r *Reader) value(depth int) *Problem {
	if depth > maxDepth {
		return r.syntax("the values are nested too deep")
	}
	c, ok := r.peek()
	switch {
	case !ok:
		return r.cutOff()
	case c == '{':
		return r.list('}', func() *Problem { return r.member(depth) })
	case c == '[':
		return r.list(']', func() *Problem { return r.value(depth + 1) })
	case c == '"':
		return r.str()
	case c == '-' || isDigit(c):
		return r.number()
	case c == 't':
		return r.word("true")
	case c == 'f':
		return r.word("false")
	case c == 'n':
		return r.word("null")
	default:
		return r.unexpected("a value")
	}
}

// list takes an object or a list with its brackets.
func (r *Reader) list(closing byte, item func() *Problem) *Problem {
	r.take(1)
	for n := 0; ; n++ {
		r.space()
		c, ok := r.peek()
		switch {
		case !ok:
			return r.cutOff()
		case c == closing && n == 0:
			r.take(1)
			return nil
		}
		if p := item(); p != nil {
			return p
		}
		r.space()
		switch c, _ := r.peek(); c {
		case closing:
			r.take(1)
			return nil
		case ',':
			r.take(1)
		default:
			return r.unexpected("a comma or " + quoted(rune(closing)))
		}
	}
}

// member takes the name and the value of a field.
func (r *Reader) member(depth int) *Problem {
	if c, _ := r.peek(); c != '"' {
		return r.unexpected("the name of a field")
	}
	if p := r.str(); p != nil {
		return p
	}
	r.space()
	if c, _ := r.peek(); c != ':' {
		return r.unexpected("a colon")
	}
	r.take(1)
	r.space()
	return r.value(depth + 1)
}

// str takes a string.
func (r *Reader) str() *Problem {
	r.take(1)
	for {
		c, ok := r.peek()
		switch {
		case !ok:
			return r.cutOff()
		case c == '"':
			r.take(1)
			return nil
		case c == '\\':
			if p := r.escape(); p != nil {
				return p
			}
		case c == 0:
			return &Problem{r.pos, "", ReasonNUL, "a NUL in a string"}
		case c == '\n' || c == '\r':
			return r.syntax("the string does not end on its line")
		case c < ' ':
			return r.syntax(fmt.Sprintf("the control character %s in a string has to be escaped", quoted(rune(c))))
		case c < utf8.RuneSelf:
			r.plain()
		default:
			char, n := r.char()
			if char == utf8.RuneError && n <= 1 {
				return r.encoding()
			}
			r.take(n)
		}
	}
}

// escape takes a backslash and what it escapes.
func (r *Reader) escape() *Problem {
	at := r.pos
	r.take(1)
	c, ok := r.peek()
	switch {
	case !ok:
		return r.cutOff()
	case c != 'u' && strings.IndexByte(`"\/bfnrt`, c) >= 0:
		r.take(1)
		return nil
	case c != 'u':
		return &Problem{at, "", ReasonSyntax, "no such escape"}
	}
	unit, p := r.unit(at)
	switch {
	case p != nil:
		return p
	case unit == 0:
		return &Problem{at, "", ReasonNUL, "a NUL in a string"}
	case !utf16.IsSurrogate(unit):
		return nil
	}
	if b, _ := r.in.Peek(2); string(b) == `\u` {
		r.take(1)
		low, p := r.unit(at)
		if p != nil {
			return p
		}
		if utf16.DecodeRune(unit, low) != utf8.RuneError {
			return nil
		}
	}
	return &Problem{at, "", ReasonEncoding, "half of a surrogate pair"}
}

// unit takes the u of an escape and its four digits.
func (r *Reader) unit(at Position) (rune, *Problem) {
	b, _ := r.in.Peek(5)
	if len(b) < 5 {
		for range b {
			r.take(1)
		}
		return 0, r.cutOff()
	}
	n, err := strconv.ParseUint(string(b[1:]), 16, 16)
	if err != nil {
		return 0, &Problem{at, "", ReasonSyntax, `four hexadecimal digits belong behind \u`}
	}
	for range 5 {
		r.take(1)
	}
	return rune(n), nil
}

// number takes a number.
func (r *Reader) number() *Problem {
	if c, _ := r.peek(); c == '-' {
		r.take(1)
	}
	if c, _ := r.peek(); c == '0' {
		r.take(1)
	} else if p := r.digits(); p != nil {
		return p
	}
	if c, _ := r.peek(); c == '.' {
		r.take(1)
		if p := r.digits(); p != nil {
			return p
		}
	}
	if c, _ := r.peek(); c == 'e' || c == 'E' {
		r.take(1)
		if c, _ := r.peek(); c == '+' || c == '-' {
			r.take(1)
		}
		return r.digits()
	}
	return nil
}

// digits takes at least one digit.
func (r *Reader) digits() *Problem {
	for n := 0; ; n++ {
		c, ok := r.peek()
		if !ok || !isDigit(c) {
			if n == 0 {
				return r.unexpected("a digit")
			}
			return nil
		}
		r.take(1)
	}
}

// word takes true, false or null.
func (r *Reader) word(w string) *Problem {
	at := r.pos
	for i := range len(w) {
		c, ok := r.peek()
		if !ok {
			return r.cutOff()
		}
		if c != w[i] {
			return &Problem{at, "", ReasonSyntax, "no value: is it " + w + "?"}
		}
		r.take(1)
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// quoted shows a character, by its number if it has no shape.
func quoted(c rune) string {
	if !unicode.IsPrint(c) {
		return fmt.Sprintf("U+%04X", c)
	}
	return "'" + string(c) + "'"
}

// printable makes an error of a library a line of plain text: it may hold
// no-break spaces and parts of the input.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case !unicode.IsPrint(c):
			return '?'
		}
		return c
	}, s)
}
