package intake

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// readTable reads the public form of tables: a header of type, data and note in
// any case, and a value a row.
func readTable(ctx context.Context, r io.Reader, f *File) error {
	f.Format = FormatCSV
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = -1, true, true
	var columns *header
	for {
		row, err := in.Read()
		switch {
		case errors.Is(err, io.EOF) && columns == nil:
			return &PlaceError{lineOf(1), ErrForm}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if p, ok := errors.AsType[*csv.ParseError](err); ok {
				return &PlaceError{lineOf(p.Line), p.Err}
			}
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		line, _ := in.FieldPos(0)
		if columns == nil {
			if columns = headerOf(row); columns == nil {
				return &PlaceError{lineOf(line), ErrForm}
			}
			continue
		}
		if err := columns.row(f, row, lineOf(line)); err != nil {
			return err
		}
	}
}

// header says which column is what; -1 for none.
type header struct{ kind, data, note int }

func headerOf(row []string) *header {
	find := func(names ...string) int {
		return slices.IndexFunc(row, func(cell string) bool { return slices.Contains(names, word(cell)) })
	}
	h := header{
		kind: find("indicatortype", "type", "ioctype", "indicator"),
		data: find("data", "value", "indicatorvalue", "ioc", "observable"),
		note: find("note", "notes", "comment", "description"),
	}
	if h.data < 0 && h.kind >= 0 && word(row[h.kind]) != "indicator" {
		h.data = find("indicator")
	}
	if h.kind < 0 || h.data < 0 || h.kind == h.data {
		return nil
	}
	return &h
}

// word folds a name of a column or a type: case, spaces and hyphens say nothing.
func word(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "", "\ufeff", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}

func (h *header) row(f *File, row []string, place string) error {
	cell := func(i int) string {
		if i < 0 || i >= len(row) {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	typ, value := cell(h.kind), cell(h.data)
	if typ == "" && value == "" {
		return nil
	}
	if word(typ) == "description" {
		f.Title = shorten(value)
		return nil
	}
	kind, value := typed(word(typ), value)
	if kind == "" {
		f.Skipped++
		return nil
	}
	return f.add(Entry{Place: place, Kind: kind, Value: value, Note: cell(h.note)})
}

// typed is the kind of a value of a table by the name of its type, "" for what is no
// observable here.
func typed(typ, value string) (evidence.Kind, string) {
	switch typ {
	case "ip", "ipv4", "ipv6", "ipaddress", "ipaddr", "ipv4addr", "ipv6addr", "ipdst", "ipsrc":
		return addressKind(value), value
	case "cidr", "network", "subnet", "iprange":
		return evidence.KindCIDR, value
	case "url", "uri", "link":
		return hostKind(value)
	case "domain", "domainname", "hostname", "host", "fqdn":
		return evidence.KindDomain, value
	case "email", "emailaddress", "emailaddr", "sender", "emailsrc":
		return evidence.KindEmail, value
	case "md5", "sha1", "sha256", "sha512", "hash", "filehash":
		return evidence.KindFileHash, value
	case "asn", "as":
		return evidence.KindASN, value
	case "useragent", "ua":
		return evidence.KindUserAgent, value
	case "ja4":
		return evidence.KindJA4, value
	case "rulename", "mailrule", "inboxrule", "transportrule":
		return evidence.KindRuleName, value
	}
	return "", value
}
