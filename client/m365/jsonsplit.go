package m365

import "bytes"

// objects cuts a stream of JSON into its records: elements of arrays, of the
// lists that a page of answers holds, or objects one after the other.
type objects struct {
	*splitter
	open []byte // brackets around the record: of arrays, and of pages
	// firsts are the first keys of records, in quotes, and indent is the line
	// end and space before them where each begins a line. After damage records go
	// on at the next object that begins like this.
	firsts [][]byte
	indent []byte
	skip   bool // the row is too long to be kept

	depth    int
	kinds    uint64 // of the innermost 64 brackets, 1 for an object
	inString bool
	odd      bool // an odd number of backslashes is before pos
	from     int  // of the string, relative to start
	// last is the last string, and key the last key of depth 1, without quotes
	// and relative to start.
	last, lastN, key, keyN int
	// known says that a key was one of the audit schema: this is no page.
	known bool
}

const (
	// maxName is the longest key that means something.
	maxName = 64
	// maxBlank is how much space may stand after a bracket.
	maxBlank = 4096
	// maxIndent is how much space may stand around the bracket of a record that
	// is looked for.
	maxIndent = 128
	// maxFirsts is how many first keys of records are told apart.
	maxFirsts = 8
)

func (o *objects) run() {
	for {
		c, ok := o.peek()
		if !ok {
			break
		}
		top := byte(0)
		if n := len(o.open); n > 0 {
			top = o.open[n-1]
		}
		switch {
		case top == '{':
			o.record(1)
		case c == '[' && len(o.open) < maxDepth:
			o.open = append(o.open, '[')
			o.advance(o.pos + 1)
		case c == ']' && top == '[':
			o.open = o.open[:len(o.open)-1]
			o.advance(o.pos + 1)
		case c == '{' || c == '[':
			o.record(0)
		case o.firsts != nil:
			// Behind a record stands what belongs to none.
			o.damaged("text between records")
		default:
			o.scalar()
		}
		if o.stopped {
			return
		}
	}
	if len(o.open) > 0 && !o.stopped {
		o.truncated = true
		o.whole(ReasonTruncated, "the list of records is not closed")
	}
}

// peek goes to the next byte that is neither space nor comma.
func (o *objects) peek() (byte, bool) {
	for {
		for o.pos < len(o.buf) {
			switch c := o.buf[o.pos]; c {
			case ' ', '\t', '\r', '\n', ',':
				o.pos++
			default:
				o.advance(o.pos)
				return c, true
			}
		}
		o.advance(o.pos)
		if !o.more() {
			return 0, false
		}
	}
}

// scalar takes an element that is no object: a record as text, or nothing known.
func (o *objects) scalar() {
	quoted := o.buf[o.pos] == '"'
	o.pos++
	escaped := false
	for {
		for end := o.bound(); o.pos < end; {
			c := o.buf[o.pos]
			o.pos++
			if escaped || quoted && c == '\\' {
				escaped = !escaped
				continue
			}
			if quoted && c == '"' {
				o.take(o.pos)
				return
			}
			if c == '\n' || !quoted && (c == ',' || c == ']' || c == '{') {
				o.pos--
				o.take(o.pos)
				return
			}
		}
		if o.tooLong() {
			o.giveUp(ReasonTooLong, "")
			return
		}
		if !o.more() {
			o.finish(quoted)
			return
		}
	}
}

// record scans one object or array. With depth 1 it is the rest of a page, after
// a list in it.
func (o *objects) record(depth int) {
	page := depth > 0
	o.depth, o.inString, o.keyN, o.lastN, o.known, o.skip = depth, false, 0, 0, false, false
	o.kinds = uint64(depth) // the rest of a page is within an object
	for {
		end := len(o.buf)
		if !o.skip && !page {
			end = o.bound()
		}
		for o.pos < end {
			if o.inString {
				if !o.str(end) {
					o.damaged("a line ends within a string")
					return
				}
				continue
			}
			c := o.buf[o.pos]
			switch c {
			case '"':
				o.inString, o.odd = true, false
				o.from = o.pos - o.start
			case '{', '[':
				if o.depth == 1 && !o.skip && (page || o.onTop()) && !o.known {
					entered, wait := o.enter(c, page)
					if entered {
						return
					}
					if wait && o.more() {
						// The buffer may have moved.
						if end = len(o.buf); !page {
							end = o.bound()
						}
						continue
					}
				}
				o.depth++
				o.kinds <<= 1
				if c == '{' {
					o.kinds |= 1
				}
			case '}', ']':
				if o.depth < 64 && o.kinds&1 == 1 != (c == '}') {
					o.damaged("brackets do not match")
					return
				}
				o.depth--
				o.kinds >>= 1
			case ':':
				if o.depth == 1 {
					o.named()
				}
			default:
				if !bare(c) {
					o.damaged("text outside of a string")
					return
				}
			}
			o.pos++
			if o.depth == 0 {
				o.complete(page)
				return
			}
		}
		if !o.skip && !page && o.tooLong() {
			if o.long() {
				return
			}
			continue
		}
		if o.skip || page {
			o.forget()
		}
		if !o.more() {
			o.cut(page)
			return
		}
	}
}

// bare reports a byte that may stand outside of strings: space, a comma, or part
// of a number, true, false or null.
func bare(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', '-', '+', '.', 'E', 't', 'r', 'u', 'e', 'f', 'a', 'l', 's', 'n':
		return true
	}
	return c >= '0' && c <= '9'
}

// str goes on within a string; false means that it holds a line end, which JSON
// does not allow.
func (o *objects) str(end int) bool {
	rest := o.buf[o.pos:end]
	i := bytes.IndexByte(rest, '"')
	if i < 0 {
		i = len(rest)
	}
	if end := bytes.IndexByte(rest[:i], '\n'); end >= 0 {
		o.pos += end
		return false
	}
	slashes := i - len(bytes.TrimRight(rest[:i], `\`))
	escaped := slashes%2 == 1
	if slashes == i {
		escaped = escaped != o.odd
	}
	o.pos += i
	if i == len(rest) {
		o.odd = escaped
		return true
	}
	o.pos++
	o.odd = false
	if escaped {
		return true
	}
	o.inString = false
	o.last, o.lastN = o.from+1, o.pos-2-o.start-o.from
	return true
}

// named takes the string before a colon as the key of what follows.
func (o *objects) named() {
	o.key, o.keyN = o.last, o.lastN
	if o.known || o.keyN > maxName || o.keyN <= 0 {
		o.keyN = 0
		return
	}
	var space [maxName]byte
	f := fieldOf(string(foldName(space[:0], string(o.buf[o.start+o.key:o.start+o.key+o.keyN]))))
	o.known = f != fNone && f <= fMessageID
}

// onTop reports whether no array is around.
func (o *objects) onTop() bool { return bytes.IndexByte(o.open, '[') < 0 }

// enter goes into a list of records, or into an object that holds one. wait asks
// for more of the input.
func (o *objects) enter(c byte, page bool) (entered, wait bool) {
	if o.keyN == 0 {
		return false, false
	}
	name := string(bytes.ToLower(o.buf[o.start+o.key : o.start+o.key+o.keyN]))
	if c == '{' {
		if name != "hits" {
			return false, false
		}
	} else {
		next := bytes.TrimLeft(o.buf[o.pos+1:min(len(o.buf), o.pos+maxBlank)], " \t\r\n")
		if len(next) == 0 {
			return false, len(o.buf) < o.pos+maxBlank
		}
		switch name {
		case "value", "records", "hits":
			if next[0] != '{' && next[0] != ']' {
				return false, false
			}
		case "results", "items", "rows", "events", "data":
			if next[0] != '{' {
				return false, false
			}
		default:
			return false, false
		}
	}
	if !page {
		o.open = append(o.open, '{')
	}
	o.open = append(o.open, c)
	o.advance(o.pos + 1)
	return true, false
}

// complete ends a record, or a page that was entered.
func (o *objects) complete(page bool) {
	switch {
	case page:
		o.open = o.open[:len(o.open)-1]
		o.advance(o.pos)
	case o.skip:
		o.skip = false
		o.advance(o.pos)
	default:
		o.remember()
		o.take(o.pos)
	}
}

// forget drops what was scanned of something that is not kept.
func (o *objects) forget() {
	const keep = 4096 // for the backslashes before a quotation mark, and a key
	if to := o.pos - keep; to > o.start {
		n := to - o.start
		o.from = max(0, o.from-n)
		if o.last -= n; o.last < 0 {
			o.lastN = 0
		}
		if o.key -= n; o.key < 0 {
			o.keyN = 0
		}
		o.advance(to)
	}
}
