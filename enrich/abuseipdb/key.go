package abuseipdb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// redacted stands wherever a key would.
const redacted = "REDACTED"

// Key is an API key that does not show itself: not when printed, logged or
// encoded, on its own or within another value. The zero value is no key.
type Key struct {
	// A function, because fmt prints the fields of unexported fields without
	// asking them.
	reveal func() string
}

// NewKey returns a key. The error does not repeat it.
func NewKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 512 {
		return Key{}, errors.New("an API key has 1 to 512 characters")
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return Key{}, errors.New("an API key has no spaces and is ASCII")
		}
	}
	return Key{func() string { return s }}, nil
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.reveal == nil }

// account returns a name for the quota of the key's account from which the key
// cannot be found.
func (k Key) account() string {
	sum := sha256.Sum256([]byte("elsewhere abuseipdb account\x00" + k.reveal()))
	return hex.EncodeToString(sum[:8])
}

// String implements fmt.Stringer.
func (Key) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints anything else.
func (Key) Format(f fmt.State, _ rune) {
	// A writer that fails has nothing to tell a formatter.
	_, _ = f.Write([]byte(redacted))
}

// MarshalJSON implements json.Marshaler.
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }
