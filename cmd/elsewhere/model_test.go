package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// FuzzLabels holds that what is read of a file of labels is whole, in order and
// reads the same once more.
func FuzzLabels(f *testing.F) {
	f.Add(`{"a":"alder/1","b":"birch/1","same":true}`)
	f.Add("\uFEFF{\"a\":\"alder/1\",\"b\":\"birch/1\",\"same\":false,\"weight\":2.5}\r\n\n{\"a\":\"x/1\",\"b\":\"y/2\",\"same\":true}")
	f.Add(`{"a":"alder/1","b":"birch/1","same":true} {}`)
	f.Add(`{"a":null,"b":"birch/1","same":true,"weight":1e999}`)
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, text string) {
		judged, wrong := parseLabels("labels", strings.NewReader(text))
		if len(judged.pairs) != len(judged.lines) {
			t.Fatalf("%d pairs on %d lines", len(judged.pairs), len(judged.lines))
		}
		for _, err := range wrong {
			if !strings.HasPrefix(err.Error(), "labels:") {
				t.Fatalf("no line: %v", err)
			}
		}
		if len(wrong) > 0 {
			return
		}
		var again strings.Builder
		for i, p := range judged.pairs {
			if i > 0 && judged.lines[i] <= judged.lines[i-1] {
				t.Fatal("lines out of order")
			}
			if p.GetWeight() < 0 {
				t.Fatalf("weight %v", p.GetWeight())
			}
			fmt.Fprintf(&again, "{\"a\":%s,\"b\":%s,\"same\":%v,\"weight\":%s}\n", quoted(p.GetA()), quoted(p.GetB()), p.GetSame(), exact(max(p.GetWeight(), 1e-300)))
		}
		if more, wrong := parseLabels("labels", strings.NewReader(again.String())); len(wrong) > 0 || len(more.pairs) != len(judged.pairs) {
			t.Fatalf("%q: %v", again.String(), wrong)
		}
	})
}

func TestCalibrated(t *testing.T) {
	for reviews, want := range map[uint32]string{0: "uncalibrated", 1: "calibrated on 1 review", 1200: "calibrated on 1,200 reviews"} {
		if got := calibrated(reviews); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
