package m365

import (
	"bytes"
	"slices"
	"strings"
)

// maxColumns is several times what any export has.
const maxColumns = 2000

// header is the first row of a table.
type header struct {
	delimiter byte
	names     []string
	keys      []string // names as JSON, with a colon
	audit     int      // the column AuditData, or -1
	form      Form     // of rows with AuditData
}

// cell is one cell of a row: offsets within quotes, if there are some.
type cell struct {
	from, to int
	doubled  bool // holds doubled quotation marks
}

// cells finds the cells of a row.
func cells(list []cell, row []byte, delimiter byte) []cell {
	list = list[:0]
	for at := 0; ; {
		if at < len(row) && row[at] == '"' {
			c := cell{from: at + 1}
			i := at + 1
			for {
				j := bytes.IndexByte(row[i:], '"')
				if j < 0 {
					i = len(row)
					c.to = i
					break
				}
				i += j
				if i+1 < len(row) && row[i+1] == '"' {
					c.doubled = true
					i += 2
					continue
				}
				if i+1 < len(row) && row[i+1] != delimiter && row[i+1] != ' ' && row[i+1] != '\t' && row[i+1] != '\r' {
					i++
					continue
				}
				c.to = i
				i++
				break
			}
			list = append(list, c)
			j := bytes.IndexByte(row[i:], delimiter)
			if j < 0 {
				return list
			}
			at = i + j + 1
			continue
		}
		j := bytes.IndexByte(row[at:], delimiter)
		if j < 0 {
			return append(list, cell{from: at, to: len(row)})
		}
		list = append(list, cell{from: at, to: at + j})
		at += j + 1
	}
}

// text is a cell's text as a new string.
func (c cell) text(row []byte, scratch []byte) (string, []byte) {
	b := row[c.from:c.to]
	if !c.doubled {
		return string(b), scratch
	}
	scratch = scratch[:0]
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 || i+1 >= len(b) || b[i+1] != '"' {
			if i >= 0 {
				scratch = append(scratch, b[:i+1]...)
				b = b[i+1:]
				continue
			}
			scratch = append(scratch, b...)
			return string(scratch), scratch
		}
		scratch = append(scratch, b[:i+1]...)
		b = b[i+2:]
	}
}

// newHeader reads the first row with the delimiter under which it has the most
// columns that are known; nil where it has too few.
func newHeader(row []byte) *header {
	var best *header
	most := 0
	for _, delimiter := range []byte(",;\t|") {
		h, known := headerWith(row, delimiter)
		if known > most {
			best, most = h, known
		}
	}
	if best == nil || (best.audit < 0 && most < 2) {
		return nil
	}
	return best
}

func headerWith(row []byte, delimiter byte) (*header, int) {
	h := &header{delimiter: delimiter, audit: -1}
	known := 0
	var has [fieldCount]bool
	for _, c := range cells(nil, row, delimiter) {
		name, _ := c.text(row, nil)
		name = strings.ToValidUTF8(trim(strings.TrimPrefix(name, "\ufeff")), "\ufffd")
		var space [64]byte
		f := fieldOf(string(foldName(space[:0], name)))
		if f != fNone {
			known++
		}
		has[f] = true
		if f == fAuditData && h.audit < 0 {
			h.audit = len(h.names)
		}
		var key strings.Builder
		writeString(&key, name)
		key.WriteByte(':')
		h.names = append(h.names, name)
		h.keys = append(h.keys, key.String())
	}
	h.form = tableForm(&has)
	return h, known
}

// tableForm tells the tables with AuditData apart by their other columns.
func tableForm(has *[fieldCount]bool) Form {
	switch {
	case has[fNone]:
		return FormExport
	case has[fRunspace], has[fResultIndex], has[fResultCount]:
		return FormPowerShell
	default:
		return FormPurview
	}
}

// repeats reports whether a row is the header again, as where files were put
// together.
func (h *header) repeats(row []byte, list []cell) bool {
	if len(list) != len(h.names) {
		return false
	}
	return !slices.ContainsFunc(list, func(c cell) bool { return c.to-c.from > 100 }) &&
		func() bool {
			for i, c := range list {
				name, _ := c.text(row, nil)
				if !strings.EqualFold(trim(strings.TrimPrefix(name, "\ufeff")), h.names[i]) {
					return false
				}
			}
			return true
		}()
}

// object writes cells that are not empty as a JSON object, without AuditData.
func (h *header) object(row []byte, list []cell, scratch []byte) (string, []byte) {
	var b strings.Builder
	b.Grow(len(row)/4 + 64)
	b.WriteByte('{')
	for i, c := range list {
		if c.from == c.to || i == h.audit || i >= len(h.keys) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(h.keys[i])
		var s string
		s, scratch = c.text(row, scratch)
		writeString(&b, s)
	}
	b.WriteByte('}')
	return b.String(), scratch
}
