package rpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// CorrelationKeyBytes is the length of the correlation key: 256 bits.
const CorrelationKeyBytes = 32

// CorrelationKey turns private values into hashes that match within the
// deployment and nowhere else. It never prints.
type CorrelationKey struct {
	key []byte
	id  string
}

// NewCorrelationKey returns the key made of exactly CorrelationKeyBytes.
func NewCorrelationKey(key []byte) (*CorrelationKey, error) {
	if len(key) != CorrelationKeyBytes {
		return nil, fmt.Errorf("a correlation key has %d bytes, not %d", CorrelationKeyBytes, len(key))
	}
	k := &CorrelationKey{key: append([]byte(nil), key...)}
	k.id = k.digest("key id", "")[:8]
	return k, nil
}

// ID names the key and tells nothing of it.
func (k *CorrelationKey) ID() string { return k.id }

// Hash returns hmac1:<key id>:<26 characters> for a normalised private value:
// HMAC-SHA-256 cut to 128 bits, separated by kind, in lower-case base32.
func (k *CorrelationKey) Hash(kind evidence.Kind, normalised string) string {
	return "hmac1:" + k.id + ":" + k.digest("value "+string(kind), normalised)
}

func (k *CorrelationKey) digest(domain, value string) string {
	sum := k.mac([]byte(domain + "\x00" + value))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// ActorID returns what an actor is called by who knows a member.
func (k *CorrelationKey) ActorID(member evidence.Ref) string { return actor.ID(k.mac, member) }

func (k *CorrelationKey) mac(message []byte) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(message)
	mac.Sum(sum[:0])
	return sum
}

// String hides the key.
func (k *CorrelationKey) String() string { return "correlation key (hidden)" }

// GoString hides the key.
func (k *CorrelationKey) GoString() string { return k.String() }

// LogValue hides the key.
func (k *CorrelationKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
