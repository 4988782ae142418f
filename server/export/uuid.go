package export

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
)

// UUID is a universally unique identifier (RFC 9562).
type UUID [16]byte

// String writes the five groups in lower case.
func (u UUID) String() string {
	var b [36]byte
	at := 0
	for i, group := range [...]struct{ from, to int }{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b[at] = '-'
			at++
		}
		at += hex.Encode(b[at:], u[group.from:group.to])
	}
	return string(b[:])
}

// IsZero reports whether there is no identifier.
func (u UUID) IsZero() bool { return u == UUID{} }

// ErrUUID is returned for a text that is no UUID.
var ErrUUID = errors.New("not a UUID of the form 01234567-89ab-cdef-0123-456789abcdef")

// ParseUUID reads the five groups in either case.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, ErrUUID
	}
	if _, err := hex.Decode(u[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return UUID{}, ErrUUID
	}
	return u, nil
}

// Namespace is the namespace of this project's identifiers: version 5, of the DNS
// name elsewhere-project.github.io.
func Namespace() UUID {
	dns := UUID{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	return sha1UUID(dns, []byte("elsewhere-project.github.io"))
}

// NewUUID returns the identifier of version 5 for parts in a namespace. Different
// parts give different names: each is preceded by its length.
func NewUUID(space UUID, parts ...string) UUID {
	var name []byte
	for _, p := range parts {
		n := len(p)
		name = append(name, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		name = append(name, p...)
	}
	return sha1UUID(space, name)
}

// NewNameUUID returns the identifier of version 5 for one name, as standards
// define it that say what the name is.
func NewNameUUID(space UUID, name string) UUID { return sha1UUID(space, []byte(name)) }

func sha1UUID(space UUID, name []byte) UUID {
	h := sha1.New()
	h.Write(space[:])
	h.Write(name)
	var u UUID
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}
