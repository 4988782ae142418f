package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// errCorrupt is returned for a record that cannot be read.
var errCorrupt = errors.New("the stored record is corrupt")

// unreadable says which kind of record it was. It never holds a value.
func unreadable(what string) error { return fmt.Errorf("%s: %w", what, errCorrupt) }

// decoder reads a record front to back. The strings that it returns share the
// record's memory, so a record is copied once. After the first mistake it
// returns zeros and is bad.
type decoder struct {
	s   string
	bad bool
}

func (d *decoder) fail() {
	d.s, d.bad = "", true
}

func (d *decoder) uvarint() uint64 {
	var x uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		x |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return x
		}
	}
	d.fail()
	return 0
}

func (d *decoder) varint() int64 { return unzigzag(d.uvarint()) }

func (d *decoder) uint32() uint32 {
	x := d.uvarint()
	if x > 1<<32-1 {
		d.fail()
		return 0
	}
	return uint32(x)
}

// count reads a number of elements that take a byte or more each. A corrupt
// record cannot make the caller allocate more than the record's own length.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.s)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail()
		return 0
	}
	c := d.s[0]
	d.s = d.s[1:]
	return c
}

func (d *decoder) str() string {
	n := d.count()
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// done returns an error unless the whole record was read without a mistake.
func (d *decoder) done(what string) error {
	if d.bad || d.s != "" {
		return unreadable(what)
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func zigzag(x int64) uint64   { return uint64(x<<1) ^ uint64(x>>63) }
func unzigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }

// Times are stored as seconds since the first of January of year 1, so that the
// zero time is 0, in 40 bits.
const (
	yearOne    = -62135596800 // Unix time
	maxSeconds = 1<<40 - 1
)

func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(min(max(t.Unix()-yearOne, 1), maxSeconds))
}

func fromSeconds(s uint64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s)+yearOne, 0).UTC()
}

// appendNear writes a time that is likely to lie near base.
func appendNear(b []byte, t time.Time, base uint64) []byte {
	s := seconds(t)
	if s == 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, 1+zigzag(int64(s)-int64(base)))
}

// moment reads a time that stands by itself.
func (d *decoder) moment() uint64 {
	s := d.uvarint()
	if s > maxSeconds {
		d.fail()
		return 0
	}
	return s
}

func (d *decoder) near(base uint64) uint64 {
	x := d.uvarint()
	if x == 0 {
		return 0
	}
	s := unzigzag(x-1) + int64(base)
	if s < 0 || s > maxSeconds {
		d.fail()
		return 0
	}
	return uint64(s)
}

// knownRoles are part of the layout: a role's place is its code, from 1.
var knownRoles = [...]string{
	evidence.RoleLoginSource,
	evidence.RoleAllowListed,
	evidence.RoleSendingInfrastructure,
	evidence.RoleSpoofed,
	evidence.RoleForwardTarget,
	evidence.RoleCreated,
	evidence.RoleReferenced,
}

func appendRoles(b []byte, roles []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(roles)))
	for _, r := range roles {
		code := byte(0)
		for i, k := range knownRoles {
			if r == k {
				code = byte(i + 1)
			}
		}
		b = append(b, code)
		if code == 0 {
			b = appendString(b, r)
		}
	}
	return b
}

func (d *decoder) roles() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	if n == 1 && d.s[0] != 0 && int(d.s[0]) <= len(knownRoles) {
		i := d.byte()
		return knownRoles[i-1 : i : i]
	}
	roles := make([]string, n)
	for i := range roles {
		switch c := int(d.byte()); {
		case c == 0:
			roles[i] = d.str()
		case c <= len(knownRoles):
			roles[i] = knownRoles[c-1]
		default:
			d.fail()
		}
	}
	return roles
}

func appendValue(b []byte, v evidence.Value) []byte {
	if code, ok := kindCodes[v.Kind]; ok {
		b = append(b, code)
	} else {
		b = appendString(append(b, codeOther), string(v.Kind))
	}
	return appendString(b, v.Text)
}

func (d *decoder) value() evidence.Value {
	var v evidence.Value
	switch c := d.byte(); {
	case c == codeOther:
		v.Kind = evidence.Kind(d.str())
	case c < codeOther && kindNames[c] != "":
		v.Kind = kindNames[c]
	default:
		d.fail()
	}
	v.Text = d.str()
	return v
}
