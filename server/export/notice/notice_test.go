package notice_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/notice"
)

func address(text string, asn uint32) export.Item {
	seen := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600)).UTC()
	return export.Item{
		Value: evidence.Value{Kind: evidence.KindIP, Text: text}, Indicator: true, ASN: asn, First: seen, Last: seen.Add(time.Hour),
		Note: "signed in to compromised accounts", Techniques: []string{"T1078.004"}, Cases: []string{"case-aaaaaaaaaaaaaaaa"},
	}
}

func bundleOf(items ...export.Item) *export.Bundle {
	return &export.Bundle{
		TLP: "tlp:amber", Producer: export.Producer{Name: "Elsewhere"}, Techniques: []export.Technique{{ID: "T1078.004", Name: "Cloud Accounts"}},
		Items: func(yield func(export.Item, error) bool) {
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
			}
		},
	}
}

// TestOperators: a draft for each operator, those unknown last; nothing of cases.
func TestOperators(t *testing.T) {
	undated, context := address("192.0.2.4", 0), address("192.0.2.9", 64500)
	undated.First, undated.Last = time.Time{}, time.Time{}
	context.Indicator = false
	domain := address("x.example", 64500)
	domain.Value.Kind = evidence.KindDomain
	var out bytes.Buffer
	err := notice.Write(t.Context(), &out, bundleOf(undated, address("192.0.2.1", 64501), address("192.0.2.2", 64500), address("192.0.2.3", 64500), context, domain), false)
	if err != nil {
		t.Fatal(err)
	}
	letters := strings.Split(out.String(), "\n----------------------------------------------------------------------\n\n")
	if len(letters) != 3 {
		t.Fatalf("%d letters:\n%s", len(letters), out.String())
	}
	for n, want := range [][]string{
		{"AS64500", "2 addresses", "192.0.2.2 ", "192.0.2.3 ", "2026-03-04 04:06 to 2026-03-04 05:06", "Cloud Accounts (T1078.004)", "TLP:AMBER", "UTC"},
		{"AS64501", "1 address ", "192.0.2.1 "},
		{"the operator of this network", "192.0.2.4 ", "time unknown"},
	} {
		for _, text := range want {
			if !strings.Contains(letters[n], text) {
				t.Errorf("no %q in letter %d:\n%s", text, n, letters[n])
			}
		}
	}
	for _, text := range []string{"case-", "192.0.2.9", "x.example"} {
		if strings.Contains(out.String(), text) {
			t.Errorf("%q is in\n%s", text, out.String())
		}
	}
}

func TestBounds(t *testing.T) {
	items := make([]export.Item, notice.MaxAddresses+1)
	for i := range items {
		items[i] = address("192.0.2.1", 1)
	}
	if err := notice.Write(t.Context(), io.Discard, bundleOf(items...), true); !errors.Is(err, notice.ErrTooMany) {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := notice.Write(t.Context(), &out, bundleOf(), true); err != nil || !strings.Contains(out.String(), "No address") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
