package export

import (
	"crypto/aes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Keys derive what nobody outside may: pseudonyms, hashes of victim tokens and
// approvals. They never print.
type Keys struct{ pseudonym, token, tag, approval, producer func() []byte }

// NewKeys derives keys from a 256-bit secret of the deployment.
func NewKeys(secret []byte) (*Keys, error) {
	var k Keys
	for _, of := range []struct {
		to   *func() []byte
		info string
	}{
		{&k.pseudonym, "elsewhere export pseudonym"},
		{&k.token, "elsewhere export victim token"},
		{&k.tag, "elsewhere export victim token tag"},
		{&k.approval, "elsewhere export approval"},
		{&k.producer, "elsewhere export producer"},
	} {
		key, err := hkdf.Key(sha256.New, secret, nil, of.info, 32)
		if err != nil {
			return nil, err
		}
		*of.to = func() []byte { return key }
	}
	return &k, nil
}

// digest is the keyed digest of parts, each of which is preceded by its length.
func digest(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b[:0], uint64(len(p)))
		mac.Write(b)
		mac.Write([]byte(p))
	}
	return mac.Sum(nil)
}

// pseudonymLength is that of what stands for a case: 80 bits.
const pseudonymLength = 16

// Pseudonym names a case to one receiver: always the same, and to another receiver
// another.
func (k *Keys) Pseudonym(to Receiver, ref evidence.Ref) string {
	sum := digest(k.pseudonym(), to.Name, ref.Tenant, ref.Case)
	return "case-" + base32Text(sum)[:pseudonymLength]
}

// TokenHash is the keyed hash of a victim token.
func (k *Keys) TokenHash(squeezed string) uint64 {
	return binary.BigEndian.Uint64(digest(k.token(), squeezed))
}

// tokenHasher is TokenHash for one goroutine that asks often.
func (k *Keys) tokenHasher() func(string) uint64 {
	mac := hmac.New(sha256.New, k.token())
	var b []byte
	return func(squeezed string) uint64 {
		mac.Reset()
		b = append(binary.AppendUvarint(b[:0], uint64(len(squeezed))), squeezed...)
		mac.Write(b)
		b = mac.Sum(b[:0])
		return binary.BigEndian.Uint64(b)
	}
}

// tokenTagger returns the tag of a victim token, for one goroutine. A tag is far
// cheaper than a hash and tells of nearly all tokens that they are no victim's; that
// one is says only the hash. It is a CBC-MAC with AES of the length, in the first
// byte, and the token, which no two tokens begin alike with.
func (k *Keys) tokenTagger() func(squeezed []byte) uint32 {
	// The key has 32 bytes, which is a length that there is.
	block, err := aes.NewCipher(k.tag())
	if err != nil {
		return nil
	}
	var state [aes.BlockSize]byte
	return func(squeezed []byte) uint32 {
		state = [aes.BlockSize]byte{byte(len(squeezed))}
		at := 1
		for {
			n := min(len(squeezed), aes.BlockSize-at)
			subtle.XORBytes(state[at:at+n], state[at:at+n], squeezed[:n])
			block.Encrypt(state[:], state[:])
			if squeezed = squeezed[n:]; len(squeezed) == 0 {
				return binary.BigEndian.Uint32(state[:])
			}
			at = 0
		}
	}
}

// ProducerID identifies the deployment under a name to receivers, and tells nothing
// of its secret.
func (k *Keys) ProducerID(name string) UUID {
	return NewUUID(Namespace(), "producer", string(digest(k.producer(), name)))
}

func base32Text(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
