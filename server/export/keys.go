package export

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Keys derive what nobody outside may: pseudonyms, hashes of victim tokens and
// approvals. They never print.
type Keys struct{ pseudonym, token, approval, producer func() []byte }

// NewKeys derives keys from a 256-bit secret of the deployment.
func NewKeys(secret []byte) (*Keys, error) {
	var k Keys
	for _, of := range []struct {
		to   *func() []byte
		info string
	}{
		{&k.pseudonym, "elsewhere export pseudonym"},
		{&k.token, "elsewhere export victim token"},
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

// ProducerID identifies the deployment under a name to receivers, and tells nothing
// of its secret.
func (k *Keys) ProducerID(name string) UUID {
	return NewUUID(Namespace(), "producer", string(digest(k.producer(), name)))
}

func base32Text(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
