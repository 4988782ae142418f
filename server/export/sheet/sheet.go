// Package sheet writes bundles as what people paste and firewalls load: the CSV
// form in which indicators are published, and lists of one value a line.
//
// It knows those two forms. It must not know where a bundle comes from or decide
// what is in it.
package sheet

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// Options change how values are written.
type Options struct {
	// Defang writes values so that nothing makes links of them.
	Defang bool
	// ShortHeader begins the header of a CSV with Indicator in place of
	// Indicator_type.
	ShortHeader bool
	// Kinds, where not empty, are the only types of a list, as in ip.
	Kinds []string
}

// rowType is what a value is called in the first column, "" if it has no place in
// a sheet.
func rowType(v evidence.Value) string {
	switch v.Kind {
	case evidence.KindIP, evidence.KindCIDR, evidence.KindDomain, evidence.KindHostname, evidence.KindURL, evidence.KindEmail:
		return string(v.Kind)
	case evidence.KindForwardTo:
		if strings.Contains(v.Text, "@") {
			return "email"
		}
		return "domain"
	case evidence.KindFileHash:
		algorithm, _, _ := strings.Cut(v.Text, ":")
		return algorithm
	}
	return ""
}

func rowValue(v evidence.Value, o Options) string {
	text := v.Text
	if v.Kind == evidence.KindFileHash {
		_, text, _ = strings.Cut(text, ":")
	}
	if o.Defang {
		text = export.Defang(text)
	}
	return text
}

// CSV writes indicators, and hosts to watch, with a byte order mark, a header and
// CRLF, values as they are. Notes that a spreadsheet would take for a formula are
// quoted with an apostrophe.
func CSV(ctx context.Context, w io.Writer, b *export.Bundle, o Options) error {
	out := bufio.NewWriterSize(w, 32<<10)
	header := "\ufeffIndicator_type,Data,Note\r\n"
	if o.ShortHeader {
		header = "\ufeffIndicator,Data,Note\r\n"
	}
	if _, err := out.WriteString(header); err != nil {
		return err
	}
	for item, err := range b.Items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		kind := rowType(item.Value)
		if kind == "" || item.Withdrawn || !item.Indicator && !item.Watch {
			continue
		}
		note := item.Note
		if item.Watch {
			note += " (" + item.Reason + ")"
		}
		row := []string{field(kind), field(rowValue(item.Value, o)), field(inert(note))}
		if _, err := out.WriteString(strings.Join(row, ",") + "\r\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

// field quotes a field where RFC 4180 asks for it.
func field(s string) string {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// inert keeps spreadsheets from calculating a text.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// List writes indicators, one a line.
func List(ctx context.Context, w io.Writer, b *export.Bundle, o Options) error {
	wanted := make(map[string]bool)
	for _, k := range o.Kinds {
		wanted[k] = true
	}
	out := bufio.NewWriterSize(w, 32<<10)
	for item, err := range b.Items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		kind := rowType(item.Value)
		if kind == "" || item.Withdrawn || !item.Indicator || len(wanted) > 0 && !wanted[kind] {
			continue
		}
		if _, err := out.WriteString(rowValue(item.Value, o) + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}
