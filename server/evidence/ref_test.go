package evidence_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func TestParseRef(t *testing.T) {
	long := strings.Repeat("a", 63) + "/" + strings.Repeat("B", 128)
	for _, s := range []string{"a/b", "0-a/2022-12:A_b.#1", long} {
		ref, err := evidence.ParseRef(s)
		if err != nil || ref.String() != s {
			t.Errorf("ParseRef(%q) = %v, %v", s, ref, err)
		}
	}
	for s, want := range map[string][]string{
		"":        {"REQUIRED"},
		"a":       {"MALFORMED"},
		"/":       {"REQUIRED", "REQUIRED"},
		"a/":      {"REQUIRED"},
		"/b":      {"REQUIRED"},
		"A/b":     {"MALFORMED"},
		"-a/b":    {"MALFORMED"},
		"a_b/c":   {"MALFORMED"},
		"a/b/c":   {"MALFORMED"},
		"a/b c":   {"MALFORMED"},
		"a/b\x00": {"MALFORMED"},
		"a/é":     {"MALFORMED"},
		"A/b c":   {"MALFORMED", "MALFORMED"},
		strings.Repeat("a", 64) + "/" + strings.Repeat("B", 129): {"MALFORMED", "MALFORMED"},
	} {
		ref, err := evidence.ParseRefAt("links[2].a", s)
		invalid, ok := errors.AsType[*evidence.InvalidError](err)
		if !ok || ref != (evidence.Ref{}) {
			t.Errorf("ParseRef(%q) = %v, %v", s, ref, err)
			continue
		}
		var got []string
		for _, v := range invalid.Violations {
			got = append(got, v.Reason)
			if v.Path != "links[2].a" {
				t.Errorf("ParseRef(%q): path %q", s, v.Path)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseRef(%q) (-want +got):\n%s", s, diff)
		}
	}
	_, err := evidence.ParseRef("x")
	if err == nil || !strings.HasPrefix(err.Error(), "case_ref: ") {
		t.Errorf("ParseRef: %v", err)
	}
}

func TestCheckTenant(t *testing.T) {
	if err := evidence.CheckTenant("acme-7"); err != nil {
		t.Error(err)
	}
	for id, reason := range map[string]string{"": "REQUIRED", "Acme": "MALFORMED", "a/b": "MALFORMED"} {
		invalid, ok := errors.AsType[*evidence.InvalidError](evidence.CheckTenant(id))
		if !ok || invalid.Total != 1 || invalid.Violations[0].Path != "tenant" || invalid.Violations[0].Reason != reason {
			t.Errorf("CheckTenant(%q) = %+v", id, invalid)
		}
	}
}

func TestInvalidErrorNamesTheFirst(t *testing.T) {
	e := &evidence.InvalidError{Total: 250}
	for _, p := range []string{"a", "b", "c", "d"} {
		e.Violations = append(e.Violations, evidence.Violation{Path: p, Reason: "MALFORMED", Message: "bad"})
	}
	if got, want := e.Error(), "a: bad; b: bad; c: bad; and 247 more"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
