package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
)

// redacted stands wherever a key would.
const redacted = "REDACTED"

// The form of a key: els_, its id, _ and its secret, in lower-case base32.
const (
	keyPrefix = "els_"
	keyLength = len(keyPrefix) + 12 + 1 + 52
)

// Key is an API key that does not show itself: not when printed, logged or encoded,
// on its own or within another value. The zero value is no key.
type Key struct {
	// A function, because fmt prints unexported fields without asking them.
	reveal func() string
}

// NewKey reads a key. The error does not repeat it.
func NewKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	if len(s) != keyLength || !strings.HasPrefix(s, keyPrefix) || strings.Trim(s[len(keyPrefix):], "abcdefghijklmnopqrstuvwxyz234567_") != "" {
		return Key{}, errors.New("this is no key: one begins with els_ and has 69 characters")
	}
	return Key{func() string { return s }}, nil
}

// maxKeyFile bounds what is read as a key.
const maxKeyFile = 4 << 10

// ReadKey reads the key that a file holds.
func ReadKey(path string) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("key file: %w", err)
	}
	if info.Size() > maxKeyFile {
		return Key{}, fmt.Errorf("key file %s: too large to be one", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("key file: %w", err)
	}
	key, err := NewKey(string(raw))
	if err != nil {
		return Key{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.reveal == nil }

// Format implements fmt.Formatter, so that no verb prints anything else.
func (Key) Format(f fmt.State, _ rune) {
	// A writer that fails has nothing to tell a formatter.
	_, _ = f.Write([]byte(redacted))
}

// MarshalText implements encoding.TextMarshaler.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// ErrPlaintextKey is returned where a key would go over a network in clear text.
var ErrPlaintextKey = errors.New("a key is sent in clear text to this machine only: use TLS")

// keyCredentials send a key with every call.
type keyCredentials struct {
	key   Key
	local bool // the server is on this machine
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (c keyCredentials) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if !c.local {
		ri, _ := credentials.RequestInfoFromContext(ctx)
		if credentials.CheckSecurityLevel(ri.AuthInfo, credentials.PrivacyAndIntegrity) != nil {
			return nil, ErrPlaintextKey
		}
	}
	return map[string]string{"authorization": "Bearer " + c.key.reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: whether it is
// needed depends on where the server is.
func (keyCredentials) RequireTransportSecurity() bool { return false }

// isLocal reports whether an address is one of this machine, that no network sees.
func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
