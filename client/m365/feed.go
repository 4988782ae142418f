package m365

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// maxHead is how far into a file its form is looked for.
const maxHead = 1 << 20

// feed splits one source into chunks and hands them to emit, the last one
// marked as the end. It returns when the source is read or emit says no.
func feed(index int, src Source, limit int, pool *sync.Pool, emit func(*chunk) bool) {
	s := &splitter{
		name: src.Name, limit: limit, pool: pool, line: 1,
		buf: (*pool.Get().(*[]byte))[:0],
	}
	c := &counter{}
	s.emit = func(ch *chunk) bool {
		ch.file, ch.read = index, c.n
		return emit(ch)
	}
	f, err := src.Open()
	if err == nil {
		c.r = f
		s.r, err = decode(c)
	}
	if err != nil {
		s.err = err
	} else {
		s.split()
	}
	if f != nil {
		// What was read was read.
		_ = f.Close()
	}
	s.ended()
	if !s.stopped {
		s.hand(&chunk{data: s.buf[:s.start], end: true, truncated: s.truncated})
	}
}

// ended reports why the source could not be read to its end.
func (s *splitter) ended() {
	var corrupt flate.CorruptInputError
	var path *fs.PathError
	switch err := s.err; {
	case err == nil, errors.Is(err, io.EOF):
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.truncated = true
		s.whole(ReasonTruncated, "the compressed data ends early")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		s.whole(ReasonCompressed, err.Error())
	case errors.As(err, &path):
		s.whole(ReasonOpen, path.Err.Error())
	default:
		s.whole(ReasonOpen, err.Error())
	}
}

// split finds what the source holds.
func (s *splitter) split() {
	var head []byte
	for {
		if head = bytes.TrimLeft(s.buf[s.start:], " \t\r\n\x00"); len(head) > 0 {
			break
		}
		s.advance(len(s.buf))
		if !s.more() {
			return
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		s.whole(ReasonForm, "a zip archive; unpack it first")
	case head[0] == '{' || head[0] == '[':
		s.advance(len(s.buf) - len(head))
		if head[0] == '{' && s.isLines() {
			s.lines(0)
			return
		}
		o := &objects{splitter: s}
		o.run()
	default:
		s.table()
	}
}

// lineAt returns the line that begins at an offset from start and the offset
// behind it, or -1 where there is no end of it in reach.
func (s *splitter) lineAt(from int) (line []byte, next int) {
	for {
		rest := s.buf[s.start+from:]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			return rest[:i], from + i + 1
		}
		if len(s.buf)-s.start >= maxHead {
			return nil, -1
		}
		if !s.more() {
			rest = s.buf[s.start+from:]
			return rest, from + len(rest)
		}
	}
}

// isLines reports whether the records stand each on a line of their own. Some of
// the first lines may be damaged.
func (s *splitter) isLines() bool {
	const looked = 20
	var b builder
	at := 0
	for i := range looked {
		line, next := s.lineAt(at)
		if next <= at {
			break
		}
		line = bytes.TrimSpace(line)
		if i == 0 && (len(line) == 1 || bytes.HasSuffix(line, []byte("["))) {
			break // a page with its list on lines
		}
		if bytes.HasPrefix(line, []byte(`{"`)) {
			if d, err := parse(string(line)); err == nil {
				if r, _ := b.object(Value{d, 0}); r != nil {
					return true
				}
			}
		}
		at = next
	}
	return false
}

// table reads a table with a header.
func (s *splitter) table() {
	at := 0
	for {
		line, next := s.lineAt(at)
		if next < 0 {
			s.whole(ReasonColumns, "the first line is longer than any header")
			return
		}
		line = bytes.Trim(line, " \r\t\x00")
		if len(line) == 0 || line[0] == '#' || bytes.HasPrefix(bytes.ToLower(line), []byte("sep=")) {
			if next == at {
				return
			}
			at = next
			continue
		}
		h := newHeader(line)
		switch {
		case h == nil:
			s.whole(ReasonForm, "neither JSON nor a table with a column that is known")
		case len(h.names) > maxColumns:
			s.whole(ReasonColumns, "more than 2,000 columns")
		default:
			s.advance(s.start + next)
			s.header = h
			s.lines(h.delimiter)
		}
		return
	}
}
