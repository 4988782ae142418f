package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"
)

// A key is written els_<id>_<secret>: 12 and 52 characters of lower-case base32,
// which are 60 and 256 bits (the last character holds one).
const (
	keyPrefix   = "els_"
	idLength    = 12
	secretBytes = 32
	// keyLength is that of a whole key.
	keyLength = len(keyPrefix) + idLength + 1 + 52
)

// redacted stands wherever a secret would.
const redacted = "REDACTED"

// Secret is a whole key that does not show itself: not when printed, logged or
// encoded, on its own or within another value.
type Secret struct {
	// A function, because fmt prints unexported fields without asking them.
	reveal func() string
}

// Reveal returns the key, to be told once to whom it is for.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format implements fmt.Formatter, so that no verb prints anything else.
func (Secret) Format(f fmt.State, _ rune) {
	// A writer that fails has nothing to tell a formatter.
	_, _ = f.Write([]byte(redacted))
}

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// digest is what is kept of a secret. Of 256 random bits nothing can be found by
// trying, so one round of a hash is enough.
type digest [sha256.Size]byte

func digestOf(id, secret string) digest {
	return sha256.Sum256([]byte("elsewhere key\x00" + id + "\x00" + secret))
}

func alphabet() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

func newID() string {
	b := make([]byte, 8)
	rand.Read(b)
	return alphabet().EncodeToString(b)[:idLength]
}

// newSecret returns a whole new key and the digest of its secret.
func newSecret(id string) (Secret, digest) {
	b := make([]byte, secretBytes)
	rand.Read(b)
	secret := alphabet().EncodeToString(b)
	whole := keyPrefix + id + "_" + secret
	return Secret{func() string { return whole }}, digestOf(id, secret)
}

// cutKey takes a key apart. It allocates nothing.
func cutKey(whole string) (id, secret string, ok bool) {
	if len(whole) != keyLength || !strings.HasPrefix(whole, keyPrefix) || whole[len(keyPrefix)+idLength] != '_' {
		return "", "", false
	}
	id, secret = whole[len(keyPrefix):len(keyPrefix)+idLength], whole[len(keyPrefix)+idLength+1:]
	return id, secret, encoded(id) && encoded(secret)
}

func encoded(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// HoldsKey reports whether a text has something of the form of a key in it, whose
// place is the authorization header and nowhere else.
func HoldsKey(text string) bool {
	for {
		i := strings.Index(text, keyPrefix)
		if i < 0 {
			return false
		}
		text = text[i:]
		if len(text) < keyLength {
			return false
		}
		if _, _, ok := cutKey(text[:keyLength]); ok {
			return true
		}
		text = text[len(keyPrefix):]
	}
}
