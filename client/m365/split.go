package m365

import (
	"bytes"
	"io"
	"sync"
)

const (
	chunkSize    = 512 << 10
	maxChunkRows = 4096
	// secondLook is how often each byte may be scanned again on average, before
	// damaged rows are given up sooner.
	secondLook = 4
	// smallLimit is the longest row that is still looked for then.
	smallLimit = 64 << 10
)

// span is a row within a chunk.
type span struct {
	from, to     int
	line, number int
}

// chunk is a part of one file with whole rows, and what was found while it was
// split. One goroutine at a time has it.
type chunk struct {
	file   int
	header *header // of a table; nil for JSON
	data   []byte
	rows   []span
	// problems are those of splitting. Of them lost are rows.
	problems  []Problem
	lost      int
	end       bool // of the file
	truncated bool
	read      int64 // of the file until here, before decompression

	out  []outcome
	done chan struct{}
}

// splitter cuts a stream into chunks of whole rows. The row under way begins at
// start and was scanned up to pos.
type splitter struct {
	name   string
	r      io.Reader
	pool   *sync.Pool
	limit  int
	emit   func(*chunk) bool
	header *header

	buf        []byte
	start, pos int
	line       int // of start, from 1
	number     int // of the last row
	rows       []span
	problems   []Problem
	lost       int
	err        error // why there is no more
	stopped    bool
	base       int64 // of buf within the text
	again      int64 // bytes scanned again, at most
	truncated  bool
}

// more makes further bytes available behind pos. Positions are relative to a
// buffer that may have moved: start and pos are adjusted.
func (s *splitter) more() bool {
	if s.err != nil || s.stopped {
		return false
	}
	if len(s.buf) == cap(s.buf) || len(s.rows) >= maxChunkRows {
		s.flush()
		if s.stopped {
			return false
		}
	}
	for range 100 {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err != nil {
			s.err = err
			return n > 0
		}
		if n > 0 {
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// flush hands over the rows found so far and goes on with the rest in a new
// buffer, larger where one row fills it.
func (s *splitter) flush() {
	old, rest := s.buf, s.buf[s.start:]
	if len(rest) > chunkSize/2 {
		// No more than one long row is in a chunk, so that chunks stay small.
		s.buf = make([]byte, 0, len(rest)+chunkSize)
	} else {
		s.buf = (*s.pool.Get().(*[]byte))[:0]
	}
	s.buf = append(s.buf, rest...)
	s.pos -= s.start
	s.base += int64(s.start)
	if len(s.rows) > 0 || len(s.problems) > 0 {
		s.hand(&chunk{data: old[:s.start]})
	} else if cap(old) == chunkSize {
		s.pool.Put(&old)
	}
	s.start = 0
}

func (s *splitter) hand(c *chunk) {
	c.header, c.rows, c.problems, c.lost = s.header, s.rows, s.problems, s.lost
	s.rows, s.problems, s.lost = nil, nil, 0
	if !s.emit(c) {
		s.stopped = true
	}
}

// advance begins the next row at to.
func (s *splitter) advance(to int) {
	s.line += bytes.Count(s.buf[s.start:to], []byte{'\n'})
	s.start = to
	s.pos = max(s.pos, to)
}

// take makes a row of what lies between start and to. Blank rows are none.
func (s *splitter) take(to int) {
	row := bytes.TrimRight(s.buf[s.start:to], " \t\r\n")
	if len(row) == 0 {
		s.advance(to)
		return
	}
	s.number++
	s.rows = append(s.rows, span{s.start, s.start + len(row), s.line, s.number})
	s.advance(to)
}

// lose counts the row under way as unreadable.
func (s *splitter) lose(reason Reason, detail string) {
	s.number++
	s.lost++
	s.problems = append(s.problems, Problem{
		File: s.name, Line: s.line, Number: s.number, Reason: reason, Detail: detail,
	})
}

// whole reports a problem of the whole file.
func (s *splitter) whole(reason Reason, detail string) {
	s.problems = append(s.problems, Problem{File: s.name, Reason: reason, Detail: detail})
}

// bound is how far the row under way may be scanned: to the end of the buffer, or
// one byte beyond the longest row.
func (s *splitter) bound() int {
	limit := s.limit
	if s.exhausted() {
		limit = min(limit, smallLimit)
	}
	return min(len(s.buf), s.start+limit+1)
}

// tooLong reports whether the row under way was scanned beyond its bound.
func (s *splitter) tooLong() bool { return s.pos < len(s.buf) || s.pos-s.start > s.limit }

// exhausted reports whether so much was scanned again that damage is no longer
// looked into, so that the time stays proportional to the input.
func (s *splitter) exhausted() bool {
	return s.again > secondLook*(s.base+int64(s.start))+int64(16*s.limit)
}

// lines cuts at line ends. Within quotes of a table a line end does not count.
func (s *splitter) lines(delimiter byte) {
	const (
		begin = iota // of a cell
		plain
		quoted
		quote // after a quotation mark within quotes
	)
	state := begin
	if delimiter == 0 {
		state = plain
	}
	first := state
	for {
		for end := s.bound(); s.pos < end; {
			if delimiter == 0 || state == quoted {
				mark := byte('\n')
				if state == quoted {
					mark = '"'
				}
				i := bytes.IndexByte(s.buf[s.pos:end], mark)
				if i < 0 {
					s.pos = end
					break
				}
				s.pos += i + 1
				if state == quoted {
					state = quote
				} else {
					s.take(s.pos)
					end = s.bound()
				}
				continue
			}
			c := s.buf[s.pos]
			s.pos++
			switch {
			case c == '\n':
				s.take(s.pos)
				state, end = first, s.bound()
			case c == delimiter:
				state = begin
			case c == '"' && state != plain:
				state = quoted
			case state == quote && c != '\r' && c != ' ' && c != '\t':
				// A quotation mark that was not doubled.
				state = quoted
			case state != quoted:
				state = plain
			}
		}
		if s.tooLong() {
			s.giveUp(ReasonTooLong, "")
			if s.exhausted() {
				delimiter, first = 0, plain
			}
			state = first
			continue
		}
		if s.more() {
			continue
		}
		if s.stopped {
			return
		}
		if state == quoted && bytes.IndexByte(s.buf[s.start:], '\n') >= 0 {
			s.giveUp(ReasonCells, "a quotation mark is not closed")
			if s.exhausted() {
				delimiter, first = 0, plain
			}
			state = first
			continue
		}
		break
	}
	s.finish(state == quoted)
}

// finish takes what is left at the end of the input.
func (s *splitter) finish(open bool) {
	if len(bytes.TrimSpace(s.buf[s.start:])) == 0 {
		return
	}
	if open {
		s.truncated = true
		s.lose(ReasonTruncated, "the last row is cut")
		s.advance(len(s.buf))
		return
	}
	s.take(len(s.buf))
}

// giveUp counts the row under way as lost and goes on at the line after its
// first.
func (s *splitter) giveUp(reason Reason, detail string) {
	s.lose(reason, detail)
	for {
		if i := bytes.IndexByte(s.buf[s.start:], '\n'); i >= 0 {
			s.again += int64(s.limit)
			s.start += i + 1
			s.line++
			s.pos = s.start
			return
		}
		s.start, s.pos = len(s.buf), len(s.buf)
		if !s.more() {
			s.truncated = s.truncated || reason == ReasonTooLong && !s.stopped
			return
		}
	}
}
