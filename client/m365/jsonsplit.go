package m365

import (
	"bytes"
)

// objects cuts a stream of JSON into its records: elements of arrays, of the
// lists that a page of answers holds, or objects one after the other.
type objects struct {
	*splitter
	open []byte // brackets around the record: of arrays, and of pages
	// first is the first key of the first record, in quotes. After damage the
	// next object that begins with it is where records go on.
	first []byte
	skip  bool // the row is too long to be kept

	depth    int
	inString bool
	from     int // of the string, relative to start
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
		case c == '[' && top == 0:
			o.open = append(o.open, '[')
			o.advance(o.pos + 1)
		case c == ']' && top == '[':
			o.open = o.open[:len(o.open)-1]
			o.advance(o.pos + 1)
		case c == '{' || c == '[':
			o.record(0)
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
	for {
		for o.pos < len(o.buf) {
			c := o.buf[o.pos]
			o.pos++
			if quoted && c == '\\' && o.pos < len(o.buf) {
				o.pos++
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
	o.depth, o.inString, o.keyN, o.known, o.skip = depth, false, 0, false, false
	o.lastN = 0
	for {
		for o.pos < len(o.buf) {
			if o.inString {
				if !o.str() {
					o.damaged(ReasonJSON, "a line ends within a string")
					return
				}
				continue
			}
			c := o.buf[o.pos]
			switch c {
			case '"':
				o.inString = true
				o.from = o.pos - o.start
			case '{', '[':
				if o.depth == 1 && !o.skip && (page || o.onTop()) && !o.known {
					entered, wait := o.enter(c, page)
					if entered {
						return
					}
					if wait && o.more() {
						continue
					}
				}
				o.depth++
			case '}', ']':
				o.depth--
			case ':':
				if o.depth == 1 {
					o.named()
				}
			}
			o.pos++
			if o.depth == 0 {
				o.complete(page)
				return
			}
		}
		if !o.skip && !page && o.tooLong() && o.long() {
			return
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

// str goes on within a string; false means that it holds a line end, which JSON
// does not allow.
func (o *objects) str() bool {
	rest := o.buf[o.pos:]
	i := bytes.IndexByte(rest, '"')
	if i < 0 {
		i = len(rest)
	}
	if bytes.IndexByte(rest[:i], '\n') >= 0 {
		return false
	}
	o.pos += i
	if i == len(rest) {
		return true
	}
	slashes := 0
	for at := o.pos - 1; at > o.start+o.from && o.buf[at] == '\\'; at-- {
		slashes++
	}
	o.pos++
	if slashes%2 == 1 {
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
		next := bytes.TrimLeft(o.buf[o.pos+1:], " \t\r\n")
		if len(next) == 0 {
			return false, len(o.buf)-o.pos < maxBlank
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
		if o.first == nil && o.buf[o.start] == '{' {
			o.remember()
		}
		o.take(o.pos)
	}
}

func (o *objects) remember() {
	b := bytes.TrimLeft(o.buf[o.start+1:o.pos], " \t\r\n")
	if len(b) < 2 || b[0] != '"' {
		return
	}
	if end := bytes.IndexByte(b[1:], '"'); end >= 0 && end < 80 {
		o.first = bytes.Clone(b[:end+2])
	}
}

// long deals with a record beyond the limit. Where another record seems to begin
// within it, it is damaged; else it is left out. It reports whether the scan of
// this record is over.
func (o *objects) long() bool {
	if at := o.next(o.after()); at >= 0 {
		o.lose(ReasonJSON, "a string or bracket is not closed")
		o.resume(at)
		return true
	}
	o.lose(ReasonTooLong, "")
	o.skip = true
	return false
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

// cut deals with the end of the input within a record.
func (o *objects) cut(page bool) {
	if o.stopped || page || o.skip {
		if !page && o.skip {
			o.truncated = true
		}
		o.advance(len(o.buf))
		return
	}
	if at := o.next(o.after()); at >= 0 {
		o.lose(ReasonJSON, "a string or bracket is not closed")
		o.resume(at)
		return
	}
	o.truncated = true
	o.lose(ReasonTruncated, "the last record is cut")
	o.advance(len(o.buf))
}

// damaged gives a record up and looks for the next one.
func (o *objects) damaged(reason Reason, detail string) {
	if o.skip {
		o.skip = false
	} else {
		o.lose(reason, detail)
	}
	from := o.after()
	for {
		if at := o.next(from); at >= 0 {
			o.resume(at)
			return
		}
		// A key may lie across the end of the buffer.
		if to := len(o.buf) - 256; to > o.start {
			o.advance(to)
		}
		o.pos = len(o.buf)
		if !o.more() {
			o.advance(len(o.buf))
			return
		}
		from = o.start
	}
}

func (o *objects) resume(at int) {
	o.again += int64(max(0, o.pos-at))
	o.advance(at)
	o.pos = at
}

// after is where the search for another record begins: within the damaged one,
// or behind what was scanned where that was done too often.
func (o *objects) after() int {
	if o.first == nil && o.buf[o.start] == '{' {
		o.remember()
	}
	if o.exhausted() {
		return max(o.pos, o.start+1)
	}
	return o.start + 1
}

// next finds where an object with the known first key begins, or -1.
func (o *objects) next(from int) int {
	if o.first == nil {
		return -1
	}
	for at := from; at < len(o.buf); {
		i := bytes.Index(o.buf[at:], o.first)
		if i < 0 {
			return -1
		}
		before := bytes.TrimRight(o.buf[o.start:at+i], " \t\r\n")
		if n := len(before); n > 0 && before[n-1] == '{' && o.start+n-1 >= from {
			return o.start + n - 1
		}
		at += i + len(o.first)
	}
	return -1
}
