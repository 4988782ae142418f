package m365

import (
	"bytes"
	"slices"
)

// remember learns how records begin.
func (o *objects) remember() {
	if o.buf[o.start] != '{' || len(o.firsts) >= maxFirsts {
		return
	}
	head := o.buf[o.start+1 : min(o.pos, o.start+maxBlank)]
	b := bytes.TrimLeft(head, " \t\r\n")
	if len(b) < 2 || b[0] != '"' {
		return
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 || end > maxName {
		return
	}
	if o.firsts == nil {
		before := o.buf[:o.start]
		blank := before[len(bytes.TrimRight(before, " \t")):]
		if n := len(before) - len(blank); n > 0 && before[n-1] == '\n' && len(blank) < maxIndent {
			o.indent = append(bytes.Clone(before[n-1:]), '{')
		}
	}
	first := b[:end+2]
	if !slices.ContainsFunc(o.firsts, func(f []byte) bool { return bytes.Equal(f, first) }) {
		o.firsts = append(o.firsts, bytes.Clone(first))
	}
}

// long deals with a record beyond the limit. Where another record seems to begin
// within it, it is damaged; else it is left out. It reports whether the scan of
// this record is over.
func (o *objects) long() bool {
	if at := o.next(o.after(), o.pos); at >= 0 {
		o.lose(ReasonJSON, "a string or bracket is not closed")
		o.resume(at)
		return true
	}
	o.lose(ReasonTooLong, "")
	o.skip = true
	return false
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
	if at := o.next(o.after(), o.pos); at >= 0 {
		o.lose(ReasonJSON, "a string or bracket is not closed")
		o.resume(at)
		return
	}
	o.truncated = true
	o.lose(ReasonTruncated, "the last record is cut")
	o.advance(len(o.buf))
}

// damaged gives a record up and looks for the next one.
func (o *objects) damaged(detail string) {
	if !o.skip {
		o.lose(ReasonJSON, detail)
	}
	from := o.after() - o.start
	for {
		if at := o.next(o.start+from, len(o.buf)); at >= 0 {
			o.resume(at)
			return
		}
		// A key may lie across the end of the buffer.
		if to := len(o.buf) - 2*maxIndent; to > o.start {
			from = max(0, from-(to-o.start))
			o.advance(to)
		}
		o.pos = len(o.buf)
		if !o.more() {
			// The brackets that close went with the damage.
			o.open = nil
			o.advance(len(o.buf))
			return
		}
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
	if o.firsts == nil {
		o.remember()
	}
	if o.exhausted() {
		return max(o.pos, o.start+1)
	}
	return o.start + 1
}

// next finds where between from and end an object begins as the records before,
// or -1.
func (o *objects) next(from, end int) int {
	found := -1
	if o.indent != nil {
		// The line end may stand before from, but not the bracket.
		at := min(end, max(o.start, from-len(o.indent)+1))
		if i := bytes.Index(o.buf[at:end], o.indent); i >= 0 {
			found = at + i + len(o.indent) - 1
			end = found
		}
	}
	for _, first := range o.firsts {
		for at := from; at < end; {
			i := bytes.Index(o.buf[at:end], first)
			if i < 0 {
				break
			}
			before := bytes.TrimRight(o.buf[max(o.start, at+i-maxIndent):at+i], " \t\r\n")
			if n := len(before); n > 0 && before[n-1] == '{' {
				if bracket := max(o.start, at+i-maxIndent) + n - 1; bracket >= from {
					found = bracket
					end = found
					break
				}
			}
			at += i + len(first)
		}
	}
	return found
}
