package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func newSealer(t interface{ Fatal(...any) }, secret string) *access.Sealer {
	s, err := access.NewSealer([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokens(t *testing.T) {
	secret := strings.Repeat("s", 32)
	rapid.Check(t, func(t *rapid.T) {
		s := newSealer(t, secret)
		cursor := rapid.SliceOf(rapid.Byte()).Draw(t, "cursor")
		query := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "query")
		token := s.Seal(access.Open(), cursor, query...)
		got, err := s.Open(access.Open(), token, query...)
		if err != nil || string(got) != string(cursor) {
			t.Fatalf("opens as %q, %v", got, err)
		}
		if again := newSealer(t, secret).Seal(access.Open(), cursor, query...); again != token {
			t.Error("equal input, another token")
		}
		for what, open := range map[string]func() ([]byte, error){
			"another viewer": func() ([]byte, error) { return s.Open(access.Viewer{}, token, query...) },
			"a longer query": func() ([]byte, error) { return s.Open(access.Open(), token, append(query, "")...) },
			"another secret": func() ([]byte, error) {
				return newSealer(t, strings.Repeat("t", 32)).Open(access.Open(), token, query...)
			},
			"a token cut off":  func() ([]byte, error) { return s.Open(access.Open(), token[:len(token)-1], query...) },
			"no token of ours": func() ([]byte, error) { return s.Open(access.Open(), rapid.String().Draw(t, "other"), query...) },
		} {
			if _, err := open(); !errors.Is(err, access.ErrBadToken) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	// Parts that run together are not the same query.
	s := newSealer(t, secret)
	if _, err := s.Open(access.Open(), s.Seal(access.Open(), nil, "a", "bc"), "ab", "c"); err == nil {
		t.Error("a token for a, bc opens for ab, c")
	}
}

func TestNobodySeesNothing(t *testing.T) {
	var nobody access.Viewer
	c := &graph.StoredCase{Case: evidence.Case{Ref: evidence.Ref{Tenant: "a", Case: "1"}}}
	d, err := nobody.Look(nil, evidence.Value{Kind: evidence.KindIP, Text: "192.0.2.1"}, nil)
	if err != nil || !d.Refused {
		t.Errorf("the zero viewer is told %+v, %v", d, err)
	}
	if nobody.Writes("a") || nobody.Reads("a") || nobody.ReadsWithheld("a") || nobody.ReadsCase(c) ||
		nobody.Asks(evidence.KindIP) || nobody.Links(c.Ref, c.Ref) || nobody.May("/elsewhere.v1.CorrelationService/Seen") {
		t.Error("the zero viewer may do something")
	}
	if _, err := access.From(context.Background()); !errors.Is(err, access.ErrNoViewer) {
		t.Errorf("a request without a viewer: %v", err)
	}
	v, err := access.From(access.With(context.Background(), access.Open()))
	if err != nil || !v.ReadsCase(c) {
		t.Errorf("the open viewer: %v", err)
	}
}
