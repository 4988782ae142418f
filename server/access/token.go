package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Sealer makes the page tokens of lists. A token tells its holder nothing and
// fits only the method, the query and the viewer that it was made for. Equal
// input gives equal tokens, so answers stay comparable byte by byte.
type Sealer struct {
	aead  cipher.AEAD
	nonce []byte
}

// ErrBadToken is returned for a token that was not made here for this request.
var ErrBadToken = errors.New("page token is not one of this list")

// NewSealer returns a sealer whose keys are derived from a 256-bit secret of the
// deployment.
func NewSealer(secret []byte) (*Sealer, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "elsewhere page token key", 32)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, secret, nil, "elsewhere page token nonce", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead, nonce: nonce}, nil
}

// Seal returns a token for a cursor. The parts of query are everything that the
// token is bound to besides the viewer.
func (s *Sealer) Seal(v Viewer, cursor []byte, query ...string) string {
	binding := bind(v, query)
	// The nonce is a keyed digest of all input, so it repeats only together
	// with the whole message.
	mac := hmac.New(sha256.New, s.nonce)
	mac.Write(binding)
	mac.Write(cursor)
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, cursor, binding))
}

// Open returns the cursor of a token, or ErrBadToken.
func (s *Sealer) Open(v Viewer, token string, query ...string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return nil, ErrBadToken
	}
	cursor, err := s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], bind(v, query))
	if err != nil {
		return nil, ErrBadToken
	}
	return cursor, nil
}

// bind joins what a token is bound to so that no two lists of parts give the
// same bytes.
func bind(v Viewer, query []string) []byte {
	var out []byte
	for _, part := range append([]string{v.name}, query...) {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}
