package sheet_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/sheet"
)

func bundleOf(items ...export.Item) *export.Bundle {
	return &export.Bundle{Items: func(yield func(export.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}}
}

func indicator(kind evidence.Kind, text string) export.Item {
	return export.Item{Value: evidence.Value{Kind: kind, Text: text}, Indicator: true, Note: "seen"}
}

func csvOf(t interface{ Fatal(...any) }, b *export.Bundle, o sheet.Options) string {
	var out bytes.Buffer
	if err := sheet.CSV(context.Background(), &out, b, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCSV(t *testing.T) {
	formula, comma, gone, context, watch := indicator("ip", "192.0.2.1"), indicator("url", `https://x.example/?a="1",2`), indicator("ip", "192.0.2.2"), indicator("ip", "192.0.2.3"), indicator("hostname", "a.mail.example")
	formula.Note = "=HYPERLINK(\"x\")"
	gone.Withdrawn = true
	context.Indicator = false
	watch.Indicator, watch.Watch, watch.Reason = false, true, "of a mail provider"
	got := csvOf(t, bundleOf(
		indicator("asn", "AS1"), indicator("email", "a@x.example"), indicator("file_hash", "md5:0123456789abcdef0123456789abcdef"),
		indicator("forward_to", "b@x.example"), indicator("forward_to", "x.example"), watch, formula, gone, context, indicator("rule_name", "x"), comma,
	), sheet.Options{ShortHeader: true, Defang: true})
	const want = "\ufeffIndicator,Data,Note\r\n" +
		"email,a[@]x[.]example,seen\r\n" +
		"md5,0123456789abcdef0123456789abcdef,seen\r\n" +
		"email,b[@]x[.]example,seen\r\n" +
		"domain,x[.]example,seen\r\n" +
		"hostname,a[.]mail[.]example,seen (of a mail provider)\r\n" +
		"ip,192[.]0[.]2[.]1,\"'=HYPERLINK(\"\"x\"\")\"\r\n" +
		"url,\"hxxps://x[.]example/?a=\"\"1\"\",2\",seen\r\n"
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestAnyText: whatever a value or a note is, others read the rows as they were.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item := indicator(evidence.KindURL, rapid.StringN(1, 30, 100).Draw(t, "value"))
		item.Note = rapid.StringN(1, 30, 100).Draw(t, "note")
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(csvOf(t, bundleOf(item), sheet.Options{}), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		// Line ends within fields are read as \n by encoding/csv.
		plain := strings.NewReplacer("\r\n", "\n")
		note := plain.Replace(item.Note)
		if strings.ContainsAny(item.Note[:1], "=+-@\t\r") {
			note = "'" + note
		}
		if len(rows) != 2 || rows[1][1] != plain.Replace(item.Value.Text) || rows[1][2] != note {
			t.Fatalf("%q", rows)
		}
	})
}

func TestList(t *testing.T) {
	context := indicator("ip", "192.0.2.3")
	context.Indicator = false
	b := bundleOf(indicator("domain", "x.example"), indicator("ip", "192.0.2.1"), context, indicator("rule_name", "x"))
	for _, test := range []struct {
		o    sheet.Options
		want string
	}{
		{sheet.Options{}, "x.example\n192.0.2.1\n"},
		{sheet.Options{Kinds: []string{"ip"}, Defang: true}, "192[.]0[.]2[.]1\n"},
		{sheet.Options{Kinds: []string{"md5"}}, ""},
	} {
		var out bytes.Buffer
		if err := sheet.List(t.Context(), &out, b, test.o); err != nil || out.String() != test.want {
			t.Errorf("%v: %q, %v", test.o, out.String(), err)
		}
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	b := &export.Bundle{Items: func(yield func(export.Item, error) bool) { yield(export.Item{}, broken) }}
	write := []func(context.Context, io.Writer, *export.Bundle, sheet.Options) error{sheet.CSV, sheet.List}
	for _, w := range write {
		if err := w(t.Context(), io.Discard, b, sheet.Options{}); !errors.Is(err, broken) {
			t.Error(err)
		}
		if err := w(t.Context(), full{broken}, bundleOf(slices.Repeat([]export.Item{indicator("ip", "192.0.2.1")}, 10_000)...), sheet.Options{}); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }
