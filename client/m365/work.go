package m365

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// outcome is what became of a row.
type outcome struct {
	span
	rec    *Record
	mark   mark
	err    error
	header bool // the header again, no row
}

// worker makes records of the rows of chunks. It is used by one goroutine.
type worker struct {
	builder
	seed    maphash.Seed
	cells   []cell
	scratch []byte
}

func (w *worker) chunk(name string, c *chunk) {
	c.out = make([]outcome, 0, len(c.rows))
	for _, s := range c.rows {
		row := c.data[s.from:s.to]
		if !utf8.Valid(row) {
			row = makeValid(row)
		}
		for {
			o := outcome{span: s}
			if c.header != nil {
				w.row(&o, row, c.header)
			} else {
				o.rec, o.err = w.json(row)
			}
			if r := o.rec; r != nil {
				r.Origin.File, r.Origin.Line, r.Origin.Number = name, s.line, s.number
				o.mark = fingerprint(w.seed, r)
			}
			c.out = append(c.out, o)
			next := bytes.IndexByte(row, '\n')
			if next < 0 || !errors.Is(o.err, errCells) {
				break
			}
			// A stray quotation mark may have swallowed whole rows.
			row, s.line = row[next+1:], s.line+1
		}
	}
	c.rows = nil
}

// makeValid makes UTF-8 of a row that is none: of the code page that older tools
// of Windows write, or of UTF-8 that was cut within a character.
func makeValid(row []byte) []byte {
	for rest := row; len(rest) > 0; {
		_, n := utf8.DecodeRune(rest)
		if n > 1 {
			return bytes.ToValidUTF8(row, []byte("\ufffd"))
		}
		rest = rest[n:]
	}
	if b, err := charmap.Windows1252.NewDecoder().Bytes(row); err == nil {
		return b
	}
	return bytes.ToValidUTF8(row, []byte("\ufffd"))
}

// json makes a record of one JSON value.
func (w *worker) json(text []byte) (*Record, error) {
	s := string(bytes.TrimSuffix(text, []byte(",")))
	d, err := parse(s)
	if err == nil {
		return w.object(Value{d, 0}.Embedded())
	}
	if !errors.Is(err, errSyntax) && !errors.Is(err, errEnd) {
		return nil, err
	}
	// What is slightly wrong is still worth reading, but it is not whole.
	if d := mend(s); d != nil {
		if r, _ := w.object(Value{d, 0}); r != nil && r.Operation != "" {
			r.Partial = true
			return r, err
		}
	}
	return nil, err
}

var (
	errCells = errors.New("the row does not fit its header")
	errFew   = fmt.Errorf("%w: it has fewer cells", errCells)
)

// row makes a record of a row of a table.
func (w *worker) row(o *outcome, row []byte, h *header) {
	w.cells = cells(w.cells, row, h.delimiter)
	if h.repeats(row, w.cells) {
		o.header = true
		return
	}
	fits := len(w.cells) >= len(h.names) &&
		!slices.ContainsFunc(w.cells[len(h.names):], func(c cell) bool { return c.from < c.to })
	var around string
	around, w.scratch = h.object(row, w.cells, w.scratch)
	env, err := parse(around)
	if err != nil {
		o.err = errCells
		return
	}
	if h.audit < 0 {
		if !fits && len(w.cells) > len(h.names) {
			o.err = errCells
			return
		}
		o.rec, o.err = w.object(Value{env, 0})
		return
	}
	r := &Record{Envelope: Value{env, 0}}
	r.Origin.Form = h.form
	if h.audit >= len(w.cells) {
		o.err = errFew
		return
	}
	var text string
	text, w.scratch = w.cells[h.audit].text(row, w.scratch)
	o.rec, o.err = w.auditData(r, text)
	if o.err != nil && !fits {
		// Cells that stand under the wrong name say nothing.
		o.rec, o.err = nil, errCells
	}
}

// auditData makes a record of the JSON of a cell, and of the row around it.
func (w *worker) auditData(r *Record, text string) (*Record, error) {
	text = trim(text)
	d, err := parse(text)
	if err == nil {
		w.w.look(Value{d, 0})
		var rec *Record
		if rec, err = w.schema(r, r.Envelope); err == nil {
			return rec, nil
		}
	}
	return w.fromEnvelope(r, text, hollow(text, err))
}

// reason is the stable word for an error of a row.
func reason(err error) (Reason, string) {
	switch {
	case errors.Is(err, errNoAudit):
		return ReasonNoAudit, ""
	case errors.Is(err, errCells):
		return ReasonCells, err.Error()
	case errors.Is(err, errForm):
		return ReasonForm, ""
	default:
		return ReasonJSON, err.Error()
	}
}
