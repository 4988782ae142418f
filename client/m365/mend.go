package m365

import (
	"strings"
	"unicode/utf8"
)

// maxMend bounds the text that is mended: parameters as people print them, and
// records that were cut.
const maxMend = 1 << 20

// mend parses JSON that was damaged on its way: typographic, doubled or escaped
// quotes, quotes that are missing or not escaped, missing commas and closing
// brackets, a cut end. It returns nil where nothing of an array or object is
// found.
func mend(text string) *document {
	if len(text) > maxMend || text == "" {
		return nil
	}
	for _, once := range []string{`\"`, `""`} {
		if strings.Contains(text, once) {
			if d, err := parse(strings.ReplaceAll(text, once, `"`)); err == nil {
				return d
			}
		}
	}
	m := mender{in: text}
	m.out.Grow(len(text) + 16)
	m.run()
	out := m.out.String()
	if m.list {
		out = "[" + out + "]"
	}
	d, err := parse(out)
	if err != nil {
		return nil
	}
	if k := d.nodes[0].kind; k != Array && k != Object {
		return nil
	}
	return d
}

// mender writes valid JSON for what it reads, and closes what is left open.
type mender struct {
	in   string
	at   int
	out  strings.Builder
	open []level
	list bool // more than one value was written
}

// level is an array or object that is being written.
type level struct {
	object  bool
	started bool // an element was written
	value   bool // within an object: a key was written, its value not yet
}

func (m *mender) run() {
	for m.at < len(m.in) {
		switch c := m.in[m.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			m.at++
		case '{', '[':
			if len(m.open) >= maxDepth {
				m.at = len(m.in)
				break
			}
			if len(m.open) == 0 && m.out.Len() > 0 {
				m.list = true
				m.out.WriteByte(',')
			}
			if n := len(m.open); n > 1 && c == '{' && m.open[n-1].object && !m.open[n-1].value && !m.open[n-2].object {
				m.close() // an element of a list that nothing closed
			}
			m.before(false)
			m.out.WriteByte(c)
			m.open = append(m.open, level{object: c == '{'})
			m.at++
		case '}', ']':
			m.at++
			// A bracket that nothing opened is left out.
			if n := len(m.open); n > 0 && m.open[n-1].object == (c == '}') {
				m.close()
			} else if n > 1 && m.open[n-2].object == (c == '}') {
				m.close()
				m.close()
			}
		default:
			if len(m.open) == 0 {
				m.at = len(m.in)
				break
			}
			m.scalar()
		}
	}
	for len(m.open) > 0 {
		m.close()
	}
}

// before writes what must stand before an element; a key's missing value, or a
// missing key, are made up.
func (m *mender) before(key bool) {
	if len(m.open) == 0 {
		return
	}
	top := &m.open[len(m.open)-1]
	switch {
	case top.object && top.value && !key:
		top.value = false
		return
	case top.object && top.value:
		m.out.WriteString("null")
		top.value = false
	}
	if top.started {
		m.out.WriteByte(',')
	}
	top.started = true
	if top.object && !key {
		m.out.WriteString(`"":`)
	}
	top.value = top.object && key
}

func (m *mender) close() {
	top := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	if top.value {
		m.out.WriteString("null")
	}
	if top.object {
		m.out.WriteByte('}')
	} else {
		m.out.WriteByte(']')
	}
}

// quote returns the length of the quotation mark at i, or 0.
func (m *mender) quote(i int) int {
	if i >= len(m.in) {
		return 0
	}
	if m.in[i] == '"' {
		return 1
	}
	switch r, n := utf8.DecodeRuneInString(m.in[i:]); r {
	case '\u201c', '\u201d', '\u201e', '\u201f', '\u2033', '\u00ab', '\u00bb':
		return n
	}
	return 0
}

// scalar reads a string or bare word and writes it as key or value.
func (m *mender) scalar() {
	top := m.open[len(m.open)-1]
	wantKey := top.object && !top.value
	var s string
	q := m.quote(m.at)
	if q > 0 {
		m.at += q
		s = m.quoted(wantKey)
	} else {
		s = m.bare(wantKey)
	}
	if wantKey && !m.colon() {
		// A value without a name, in an object, says nothing.
		if s != "" {
			m.before(false)
			writeString(&m.out, s)
		}
		return
	}
	m.before(wantKey)
	switch {
	case wantKey:
		writeString(&m.out, s)
		m.out.WriteByte(':')
	case q == 0 && (s == "true" || s == "false" || s == "null"):
		m.out.WriteString(s)
	default:
		writeString(&m.out, s)
	}
}

// colon reports whether a colon comes next.
func (m *mender) colon() bool {
	i := m.blank(m.at)
	return i < len(m.in) && m.in[i] == ':'
}

func (m *mender) blank(i int) int {
	for i < len(m.in) && strings.IndexByte(" \t\r\n", m.in[i]) >= 0 {
		i++
	}
	return i
}

// bare reads up to the next mark of JSON.
func (m *mender) bare(key bool) string {
	start := m.at
	for m.at < len(m.in) {
		c := m.in[m.at]
		if c == ',' || c == '}' || c == ']' || (c == ':' && key) || m.quote(m.at) > 0 {
			break
		}
		m.at++
	}
	s := strings.TrimSpace(m.in[start:m.at])
	m.at += m.quote(m.at)
	if m.at == start {
		m.at++
	}
	return s
}

// quoted reads up to the quotation mark that ends the string: one before a mark
// of JSON, or before another key.
func (m *mender) quoted(key bool) string {
	start := m.at
	comma := -1 // where the string ends, if its closing mark is missing
	for i := m.at; i < len(m.in); {
		if m.in[i] == '\\' {
			i += 2
			continue
		}
		q := m.quote(i)
		if q == 0 {
			i++
			continue
		}
		after := m.blank(i + q)
		switch {
		case after >= len(m.in):
		case m.in[after] == ':' && !key:
			if comma < 0 {
				i += q
				continue
			}
			// What looked like text was the next key: end before it.
			m.at = comma
			return m.text(m.in[start:comma])
		case strings.IndexByte(",:]}", m.in[after]) >= 0:
		case m.quote(after) > 0 && m.keyAt(after):
		default:
			if before := strings.TrimRight(m.in[start:i], " \t\r\n"); strings.HasSuffix(before, ",") || strings.HasSuffix(before, "{") {
				comma = start + len(strings.TrimRight(before, ",{}[] \t\r\n"))
			}
			i += q
			continue
		}
		m.at = i + q
		return m.text(m.in[start:i])
	}
	m.at = len(m.in)
	return m.text(m.in[start:])
}

// keyAt reports whether a short quoted text with a colon behind it begins at i.
func (m *mender) keyAt(i int) bool {
	i += m.quote(i)
	for end := min(len(m.in), i+64); i < end; i++ {
		if q := m.quote(i); q > 0 {
			j := m.blank(i + q)
			return j < len(m.in) && m.in[j] == ':'
		}
	}
	return false
}

// text resolves the escapes of what was read.
func (m *mender) text(s string) string {
	if strings.IndexByte(s, '\\') >= 0 {
		return unescape(s)
	}
	return s
}

// writeString writes a JSON string.
func writeString(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b.WriteString(s[from:i])
		from = i + 1
		switch c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	b.WriteString(s[from:])
	b.WriteByte('"')
}
