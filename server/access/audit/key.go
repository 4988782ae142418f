package audit

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"sync"
)

// KeyBytes is the length of the secret that checkpoints are signed with.
const KeyBytes = ed25519.SeedSize

// Signer signs checkpoints and makes digests of requests. It never prints.
type Signer struct {
	private ed25519.PrivateKey
	digests sync.Pool // of hash.Hash
}

// NewSigner returns the signer of exactly KeyBytes.
func NewSigner(secret []byte) (*Signer, error) {
	if len(secret) != KeyBytes {
		return nil, fmt.Errorf("a key of the audit trail has %d bytes, not %d", KeyBytes, len(secret))
	}
	digest, err := hkdf.Key(sha256.New, secret, nil, "elsewhere audit request digest", 32)
	if err != nil {
		return nil, err
	}
	return &Signer{
		private: ed25519.NewKeyFromSeed(secret),
		digests: sync.Pool{New: func() any { return hmac.New(sha256.New, digest) }},
	}, nil
}

// Public returns the key that signatures are verified with. It is no secret.
func (s *Signer) Public() PublicKey {
	return PublicKey(hex.EncodeToString(s.private.Public().(ed25519.PublicKey)))
}

// Digest returns 32 hexadecimal digits that are equal for equal requests of one
// method and say nothing to who does not have the secret.
func (s *Signer) Digest(method string, request []byte) string {
	mac, ok := s.digests.Get().(hash.Hash)
	if !ok {
		return ""
	}
	defer s.digests.Put(mac)
	mac.Reset()
	mac.Write(append([]byte(method), 0))
	mac.Write(request)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// String hides the key.
func (s *Signer) String() string { return "audit key (hidden)" }

// GoString hides the key.
func (s *Signer) GoString() string { return s.String() }

// LogValue hides the key.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// The statements that are signed begin with what they are, so that none can stand
// for another.
const (
	signsCheckpoint = "elsewhere audit checkpoint\n"
	signsEnd        = "elsewhere audit end\n"
	signsStripped   = "elsewhere audit stripped\n"
)

func (s *Signer) sign(what string, statement []byte) string {
	return hex.EncodeToString(ed25519.Sign(s.private, append([]byte(what), statement...)))
}

// PublicKey is what signatures of a trail are verified with: 64 hexadecimal digits.
type PublicKey string

// ParsePublicKey reads a public key.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != ed25519.PublicKeySize {
		return "", fmt.Errorf("a public key has %d hexadecimal digits", 2*ed25519.PublicKeySize)
	}
	return PublicKey(text), nil
}

// signed reports whether a signature is one of the key.
func (k PublicKey) signed(what string, statement []byte, signature string) bool {
	raw, err := hex.DecodeString(string(k))
	given, errGiven := hex.DecodeString(signature)
	return err == nil && errGiven == nil && len(raw) == ed25519.PublicKeySize && len(given) == ed25519.SignatureSize &&
		signature == hex.EncodeToString(given) &&
		ed25519.Verify(raw, append([]byte(what), statement...), given)
}
