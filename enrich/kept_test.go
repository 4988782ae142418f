package enrich

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func FuzzDecodeAnswer(f *testing.F) {
	good, err := json.Marshal(Answer{
		Source: "abuseipdb", Status: OK, LookedUpAt: time.Unix(1, 0).UTC(),
		Fields: []Field{{Name: FieldReports, Value: "7", Status: OK}}, Claims: []Claim{{Class: ClassLeased, Source: "abuseipdb"}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"status":"quota","looked_up_at":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"status":"ok","looked_up_at":"2026-01-01T00:00:00Z","claims":[{"effect":3,"factor":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeAnswer(data)
		if err != nil {
			return
		}
		if !a.Status.Answered() || a.LookedUpAt.IsZero() || len(a.Fields) > maxFields {
			t.Fatalf("%+v", a)
		}
		for _, f := range a.Fields {
			if f.Status == OK && f.Value == "" || len(f.Value) > maxText {
				t.Fatalf("%+v", f)
			}
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > maxKept {
			return
		}
		b, err := decodeAnswer(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, b); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodeLine(f *testing.F) {
	f.Add([]byte(`{"value":{"kind":"ip","text":"185.241.149.122"},"by":[{"source":"abuseipdb","claims":[{"class":"leased","source":"abuseipdb"}]}],"untold":true}`))
	f.Add([]byte(`{"value":{"kind":"ip","text":"::ffff:1.2.3.4"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		line, err := decodeLine(data)
		if err != nil {
			return
		}
		if line.Value != line.Value.Normal() {
			t.Fatalf("%+v", line.Value)
		}
		Decide(line.claims()...)
	})
}

// Keys stay within the bounds of a Store whatever is asked about.
func TestStoreKey(t *testing.T) {
	seen := make(map[string]bool)
	for _, text := range []string{"a", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("a", 4096)} {
		key := storeKey("answer", "abuseipdb", Value{KindURL, text})
		if len(key) > 512 || seen[key] {
			t.Errorf("%d bytes, seen before: %v", len(key), seen[key])
		}
		seen[key] = true
	}
}
