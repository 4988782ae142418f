package jsonform

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cursor walks over JSON that was found to be well formed. On any other
// text it ends somewhere, but it does end.
type cursor struct {
	raw []byte
	i   int
}

// space moves to the next byte that is no white space and returns it, 0 at the
// end.
func (c *cursor) space() byte {
	for c.i < len(c.raw) {
		switch b := c.raw[c.i]; b {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return b
		}
	}
	return 0
}

// str moves behind a string and returns what it says.
func (c *cursor) str() string {
	start, plain := c.i, true
	for c.i++; c.i < len(c.raw); c.i++ {
		switch b := c.raw[c.i]; {
		case b == '\\':
			c.i++
			plain = false
		case b == '"':
			c.i++
			if plain {
				return string(c.raw[start+1 : c.i-1])
			}
			var s string
			// The text is well formed; on another the name is just another.
			_ = json.Unmarshal(c.raw[start:c.i], &s)
			return s
		case b < ' ' || b >= utf8.RuneSelf:
			// For the library to judge.
			plain = false
		}
	}
	c.i = len(c.raw)
	return ""
}

// skip moves behind a value of any type.
func (c *cursor) skip() {
	depth := 0
	for {
		switch b := c.space(); b {
		case 0:
			return
		case '{', '[':
			depth++
			c.i++
		case '}', ']':
			depth--
			c.i++
		case '"':
			c.str()
		case ',', ':':
			c.i++
		default:
			c.scalar()
		}
		if depth <= 0 {
			return
		}
	}
}

// scalar moves behind a number or a word and returns it.
func (c *cursor) scalar() string {
	start := c.i
	if n := bytes.IndexAny(c.raw[c.i:], " \t\r\n,:{}[]\""); n > 0 {
		c.i += n
	} else {
		c.i = len(c.raw)
	}
	return string(c.raw[start:c.i])
}

// members moves behind an object and calls f for each member, at its value,
// with the name and where the name stands. f has to move behind the value; false
// ends the walk where it is.
func (c *cursor) members(f func(name string, at int) bool) {
	for c.i++; c.space() == '"'; {
		at := c.i
		name := c.str()
		if c.space() != ':' {
			return
		}
		c.i++
		c.space()
		if !f(name, at) {
			return
		}
		if c.space() != ',' {
			break
		}
		c.i++
	}
	if c.space() == '}' {
		c.i++
	}
}

// elements is members for lists.
func (c *cursor) elements(f func(n int) bool) {
	c.i++
	for n := 0; c.space() != 0 && c.raw[c.i] != ']'; n++ {
		if !f(n) {
			return
		}
		if c.space() != ',' {
			break
		}
		c.i++
	}
	if c.space() == ']' {
		c.i++
	}
}

// Locate returns the offset of the value at path in an object, or of the value
// nearest around it that is there.
func Locate(raw []byte, path string) int {
	c := &cursor{raw: raw}
	c.space()
	for path != "" {
		var s step
		s, path = firstStep(path)
		at := c.i
		if !c.enter(s) {
			return min(at, len(raw))
		}
	}
	return min(c.i, len(raw))
}

// step is one part of a path: a name, or the index or key in brackets.
type step struct {
	name     string
	brackets bool
}

// firstStep splits a path behind its first step.
func firstStep(path string) (s step, rest string) {
	path = strings.TrimPrefix(path, ".")
	inner, brackets := strings.CutPrefix(path, "[")
	if !brackets {
		if n := strings.IndexAny(path, ".["); n >= 0 {
			return step{name: path[:n]}, path[n:]
		}
		return step{name: path}, ""
	}
	if quoted, err := strconv.QuotedPrefix(inner); err == nil {
		if key, err := strconv.Unquote(quoted); err == nil {
			return step{key, true}, strings.TrimPrefix(inner[len(quoted):], "]")
		}
	}
	name, rest, _ := strings.Cut(inner, "]")
	return step{name, true}, rest
}

// enter moves from a value to the part of it that s names, and reports whether
// there is one.
func (c *cursor) enter(s step) bool {
	found := false
	switch c.space() {
	case '[':
		index, err := strconv.Atoi(s.name)
		if err != nil || !s.brackets {
			return false
		}
		c.elements(func(n int) bool {
			if found = n == index; !found {
				c.skip()
			}
			return !found
		})
	case '{':
		c.members(func(name string, _ int) bool {
			found = name == s.name || !s.brackets && fieldName(name) == fieldName(s.name)
			if !found {
				c.skip()
			}
			return !found
		})
	}
	return found
}

// fieldName brings both spellings of a field, first_seen and firstSeen, into
// one.
func fieldName(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "_", ""))
}
