package erase

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

func newSigner(t testing.TB, n byte) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner(bytes.Repeat([]byte{n}, audit.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func someReceipt() *Receipt {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return &Receipt{
		Format: Format, Tenant: "alder", AskedBy: "key abc", Asked: at, Erased: at.Add(time.Minute), Purged: &at,
		Removed: []Tally{{"cases", 3}, {"links", 0}}, Stays: []string{"<this> & that"}, Backups: "copies", Models: []uint32{3, 1001},
	}
}

func TestReceipt(t *testing.T) {
	signer := newSigner(t, 1)
	document, err := someReceipt().sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	got, key, err := Verify(document)
	if err != nil || key != signer.Public() {
		t.Fatalf("%v, %v", key, err)
	}
	if diff := cmp.Diff(someReceipt(), &got); diff != "" {
		t.Error(diff)
	}
	// White space is nobody's.
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(append(compact.Bytes(), "\n\n"...)); err != nil {
		t.Errorf("without white space: %v", err)
	}
	other, err := someReceipt().sign(newSigner(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func([]byte) []byte{
		"another tenant": func(b []byte) []byte { return bytes.Replace(b, []byte("alder"), []byte("birch"), 1) },
		"another count":  func(b []byte) []byte { return bytes.Replace(b, []byte(`"count": 3`), []byte(`"count": 30`), 1) },
		"not purged":     func(b []byte) []byte { return bytes.Replace(b, []byte(`"2026-05-01T12:00:00Z",`), []byte(`null,`), 1) },
		"another key": func(b []byte) []byte {
			return bytes.Replace(b, fieldOf(b, "public_key"), fieldOf(other, "public_key"), 1)
		},
		"other signature": func(b []byte) []byte {
			return bytes.Replace(b, fieldOf(b, "signature"), fieldOf(other, "signature"), 1)
		},
		"a field more":    func(b []byte) []byte { return bytes.Replace(b, []byte("{"), []byte(`{"more": 1,`), 1) },
		"something after": func(b []byte) []byte { return append(bytes.Clone(b), "{}"...) },
		"cut":             func(b []byte) []byte { return b[:len(b)-2] },
		"nothing":         func([]byte) []byte { return nil },
		"too long":        func(b []byte) []byte { return append(bytes.Repeat([]byte(" "), maxReceipt), b...) },
	} {
		changed := change(document)
		if bytes.Equal(changed, document) {
			t.Fatalf("%s: nothing was changed", what)
		}
		if _, _, err := Verify(changed); !errors.Is(err, ErrNoReceipt) && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// fieldOf returns a field of a signed document, in quotes.
func fieldOf(document []byte, name string) []byte {
	_, rest, _ := bytes.Cut(document, []byte(`"`+name+`": `))
	end := bytes.IndexByte(rest[1:], '"')
	return rest[:end+2]
}

// TestReceiptOfSomethingElse signs what is well formed and no receipt of this format.
func TestReceiptOfSomethingElse(t *testing.T) {
	r := someReceipt()
	r.Format = "elsewhere erasure receipt 2"
	document, err := r.sign(newSigner(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(document); !errors.Is(err, ErrNoReceipt) {
		t.Errorf("another format: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	document, err := someReceipt().sign(newSigner(f, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"receipt":{},"public_key":"","signature":""}`))
	f.Add([]byte(`{"receipt":null}`))
	f.Add(bytes.Replace(document, []byte("alder"), []byte("al\\u0064er"), 1))
	want := someReceipt()
	f.Fuzz(func(t *testing.T, document []byte) {
		r, key, err := Verify(document)
		if err != nil || key != newSigner(t, 1).Public() {
			return
		}
		// Nobody else has the key: what holds says what was signed.
		if diff := cmp.Diff(want, &r); diff != "" {
			t.Errorf("%q verifies:\n%s", document, diff)
		}
	})
}
