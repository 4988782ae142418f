package m365_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// read reads one text and returns its records and account.
func read(t testing.TB, texts ...string) ([]*m365.Record, *m365.Account) {
	t.Helper()
	var sources []m365.Source
	for i, text := range texts {
		sources = append(sources, m365.Stream(fmt.Sprintf("file%d", i), strings.NewReader(text)))
	}
	return readSources(t, sources, m365.Options{})
}

func readSources(t testing.TB, sources []m365.Source, opts m365.Options) ([]*m365.Record, *m365.Account) {
	t.Helper()
	r := m365.NewReader(sources, opts)
	var all []*m365.Record
	for rec, err := range r.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	a := r.Account()
	if a.Rows != a.Records+a.Duplicates+a.Empty+a.Unreadable {
		t.Errorf("rows do not add up: %+v", a.Tally)
	}
	if len(all) != a.Records+a.Kept {
		t.Errorf("%d records yielded, %d accounted for", len(all), a.Records+a.Kept)
	}
	return all, a
}

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func wide(s string, order binary.AppendByteOrder, bom bool) string {
	var b []byte
	if bom {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}
