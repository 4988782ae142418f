package git

import (
	"log/slog"
	"strings"
	"unicode"
)

// Secret is a token or a private key. It prints as three dots.
type Secret struct{ text string }

// NewSecret returns a secret.
func NewSecret(s string) Secret { return Secret{s} }

// String implements fmt.Stringer without the secret.
func (Secret) String() string { return "…" }

// GoString implements fmt.GoStringer without the secret.
func (Secret) GoString() string { return "git.Secret{…}" }

// LogValue implements slog.LogValuer without the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("…") }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.text == "" }

func (s Secret) reveal() string { return s.text }

// clean makes a text of others one line of bounded length without secrets.
func clean(text string, secrets ...Secret) string {
	for _, s := range secrets {
		if !s.IsZero() {
			text = strings.ReplaceAll(text, s.text, "…")
		}
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxSaid/4 {
		text = string(r[:maxSaid/4]) + "…"
	}
	return text
}
