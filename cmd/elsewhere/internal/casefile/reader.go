// Package casefile reads cases from JSON text and knows the place of everything
// in it: of what is no JSON, of fields and types that the schema does not have,
// and of whatever field the server complains about.
//
// It knows JSON and the wire schema of a case. It must not know what a valid
// case is; that is the server's to say.
package casefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

const (
	// maxCaseBytes is the server's limit for one case.
	maxCaseBytes = 10 << 20
	// maxDepth is far beyond what a case needs; it bounds recursion.
	maxDepth = 64
)

// Reasons of problems that are found before the server sees a case. Where the
// server would find the same, the code is the server's.
const (
	ReasonSyntax       = "JSON_SYNTAX"
	ReasonCutOff       = "JSON_CUT_OFF"
	ReasonEncoding     = "NOT_UTF8"
	ReasonNUL          = "CONTROL_CHARACTER"
	ReasonTooLarge     = "TOO_LARGE"
	ReasonFieldUnknown = jsonform.ReasonFieldUnknown
	ReasonFieldTwice   = jsonform.ReasonFieldTwice
	ReasonType         = jsonform.ReasonType
)

// Position is a place in a text. Lines and columns count from 1, columns in
// characters.
type Position struct{ Line, Column int }

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Problem is one thing that is wrong with a case.
type Problem struct {
	Position
	Path    string // the field; "" where the JSON ends before there is one
	Reason  string
	Message string
}

// Error is a case that cannot be read. It has at least one problem.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	p := e.Problems[0]
	s := fmt.Sprintf("%s: %s (%s)", p.Position, p.Message, p.Reason)
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf("; and %d more", n)
	}
	return s
}

// Document is one case as it was written.
type Document struct {
	Case *elsewherev1.Case

	raw   []byte
	start Position
}

// Size returns the length of the text in bytes.
func (d *Document) Size() int { return len(d.raw) }

// Start returns where the case begins.
func (d *Document) Start() Position { return d.start }

// Place returns where the field at path stands, path being written as the
// server writes it: findings[3].observables[17].value. Of a field that is not
// there it is the place of what should hold it.
func (d *Document) Place(path string) Position { return d.at(jsonform.Locate(d.raw, path)) }

// at returns the place of an offset.
func (d *Document) at(offset int) Position {
	p := d.start
	before := d.raw[:offset]
	if n := bytes.Count(before, []byte("\n")); n > 0 {
		p.Line += n
		p.Column = 1
		before = before[bytes.LastIndexByte(before, '\n')+1:]
	}
	for _, c := range before {
		if startsCharacter(c) {
			p.Column++
		}
	}
	return p
}

// startsCharacter reports whether c is not the continuation of a UTF-8
// character.
func startsCharacter(c byte) bool { return c&0xC0 != 0x80 }

// Reader reads the cases of one text: one JSON object, or several one after the
// other with any white space between them. It holds one case at a time and never
// more than the largest that the server takes.
type Reader struct {
	in      *bufio.Reader
	source  *source
	pos     Position // of the next byte
	keep    bool     // within a case
	raw     []byte   // of the case so far
	tooLong bool     // the case has more bytes than raw
	done    error    // what Next returns from now on
	broken  bool     // the case before was broken at its first character
}

// source remembers the error that ended a text.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(b)
	s.err = err
	return n, err
}

// NewReader returns a Reader of the text in r. A byte order mark at its
// beginning is skipped.
func NewReader(r io.Reader) *Reader {
	s := &source{r: r}
	return &Reader{in: bufio.NewReaderSize(s, 64<<10), source: s, pos: Position{1, 1}}
}

// Next returns the next case. Its error is an *Error for a case that cannot be
// read; then the next call goes on behind it, as far as it can be told where
// that is. io.EOF ends the text. Any other error is the text's own.
func (r *Reader) Next() (*Document, error) {
	if r.done != nil {
		return nil, r.done
	}
	if p := r.mark(); p != nil {
		r.done = io.EOF
		return nil, &Error{[]Problem{*p}}
	}
	r.keep = false
	r.space()
	if _, ok := r.peek(); !ok {
		r.done = r.ended()
		return nil, r.done
	}
	r.keep, r.raw, r.tooLong = true, nil, false
	start := r.pos
	if p := r.top(); p != nil {
		if p.Reason == ReasonCutOff && !errors.Is(r.ended(), io.EOF) {
			r.done = r.ended()
			return nil, r.done
		}
		r.resume(start, p)
		return nil, &Error{[]Problem{*p}}
	}
	r.broken = false
	if r.tooLong {
		return nil, &Error{[]Problem{{
			start, "", ReasonTooLarge,
			fmt.Sprintf("the case is larger than %d MiB", maxCaseBytes>>20),
		}}}
	}
	return r.document(start)
}

// document turns the scanned text into a case.
func (r *Reader) document(start Position) (*Document, error) {
	d := &Document{Case: &elsewherev1.Case{}, raw: r.raw, start: start}
	r.raw = nil
	var problems []Problem
	for _, f := range jsonform.Check(d.raw, d.Case.ProtoReflect().Descriptor()) {
		problems = append(problems, Problem{d.at(f.Offset), f.Path, f.Reason, f.Message})
	}
	if len(problems) > 0 {
		return nil, &Error{problems}
	}
	if err := protojson.Unmarshal(d.raw, d.Case); err != nil {
		return nil, &Error{[]Problem{{start, "", ReasonType, printable(err.Error())}}}
	}
	return d, nil
}

// ended returns the error behind the last byte of the text.
func (r *Reader) ended() error {
	if r.source.err == nil {
		return io.ErrNoProgress
	}
	return r.source.err
}

// mark skips a byte order mark and recognises texts in UTF-16, which is what
// some shells write.
func (r *Reader) mark() *Problem {
	if (r.pos != Position{1, 1}) {
		return nil
	}
	head, _ := r.in.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")):
		_, _ = r.in.Discard(3)
	case bytes.HasPrefix(head, []byte("\xFF\xFE")), bytes.HasPrefix(head, []byte("\xFE\xFF")):
		return &Problem{r.pos, "", ReasonEncoding, "the text is UTF-16; save it as UTF-8"}
	}
	return nil
}

// resume looks for the next case behind a problem of the one that began at
// start. Only two ways are safe: a case that broke on its own line, as in a file
// with a case a line, ends with that line; and an object at the beginning of a
// line, where none can be, is the next case.
func (r *Reader) resume(start Position, p *Problem) {
	first := p.Position == start
	hopeless := first && r.broken
	r.broken = first
	c, ok := r.peek()
	switch {
	case !ok:
		r.done = io.EOF
	case hopeless, first && c == '[':
		r.giveUp(p)
	case p.Line == start.Line:
		r.line()
	case c == '{' && r.pos.Column == 1:
		p.Message += fmt.Sprintf("; the case that begins in line %d has no end", start.Line)
	default:
		r.giveUp(p)
	}
}

func (r *Reader) giveUp(p *Problem) {
	r.done = io.EOF
	p.Message += "; the rest is not read"
}
