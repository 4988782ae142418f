package access

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Key is what is kept of an API key: all but its secret.
type Key struct {
	ID   string // 12 characters, random
	Name string // for people
	Role Role
	// Tenants are sorted. Exactly one for submitters and tenants, none for admins.
	Tenants    []string `json:",omitempty"`
	AllTenants bool     `json:",omitempty"` // analysts and leads
	// Restricted lets it read restricted and tlp:red cases of its tenants.
	Restricted bool           `json:",omitempty"`
	Addresses  []netip.Prefix `json:",omitempty"` // from which it may be used; none: anywhere
	Limits
	Expires time.Time `json:",omitzero"`
	// What follows is not the caller's to say.
	Created      time.Time `json:",omitzero"`
	Revoked      time.Time `json:",omitzero"`
	Rotated      time.Time `json:",omitzero"`
	OverlapUntil time.Time `json:",omitzero"` // the secret before is taken until then
	LastUsed     time.Time `json:"-"`         // to about a minute
	Revision     uint32
}

// Limits are how much a key may ask. Zero fields are those of its role.
type Limits struct {
	CallsPerSecond float64 `json:",omitempty"`
	Burst          uint32  `json:",omitempty"`
	Concurrent     uint32  `json:",omitempty"` // calls under way
}

// Limits of keys that have none of their own. Who may see least has most reason
// to try many values.
const (
	tenantCalls       = 10
	tenantBurst       = 100
	defaultConcurrent = 64
)

func (k *Key) limits() Limits {
	l := k.Limits
	if l.CallsPerSecond == 0 && k.Role == RoleTenant {
		l.CallsPerSecond = tenantCalls
	}
	if l.CallsPerSecond > 0 && l.Burst == 0 {
		l.Burst = uint32(max(tenantBurst, l.CallsPerSecond))
	}
	l.Concurrent = cmp.Or(l.Concurrent, defaultConcurrent)
	return l
}

// Prefix is what the key begins with: enough to find it by, nothing of its secret.
func (k *Key) Prefix() string { return keyPrefix + k.ID }

// Ended reports whether the key is no longer taken.
func (k *Key) Ended(now time.Time) bool {
	return !k.Revoked.IsZero() || !k.Expires.IsZero() && !now.Before(k.Expires)
}

// Bounds of what a key holds.
const (
	maxKeyName      = 200
	maxKeyTenants   = 1_000
	maxKeyAddresses = 100
	maxKeyLife      = 20 * 365 * 24 * time.Hour
	maxCalls        = 1e6
	maxOverlap      = 30 * 24 * time.Hour
)

// fault is one violation, as an error.
func fault(path, reason, message string) error {
	return &evidence.InvalidError{Violations: []evidence.Violation{{Path: path, Reason: reason, Message: message}}, Total: 1}
}

// check returns what is wrong with a key that somebody asks for, and puts its
// lists in order. Tenants are named by id or alias.
func (k *Key) check(now time.Time, tenants *Tenants) error {
	switch {
	case k.Role < RoleSubmitter || k.Role > RoleAdmin:
		return fault("key.role", "REQUIRED", "a role is needed")
	case len(k.Name) > maxKeyName:
		return fault("key.name", "TOO_LONG", "at most 200 bytes")
	case !plain(k.Name):
		return fault("key.name", "NOT_TEXT", "the name is not plain text")
	case len(k.Tenants) > 0 && k.AllTenants:
		return fault("key.all_tenants", "NOT_WITH_TENANTS", "either tenants or all_tenants, not both")
	case len(k.Tenants) > maxKeyTenants:
		return fault("key.tenants", "TOO_MANY", "at most 1,000; all_tenants means every one")
	case len(k.Addresses) > maxKeyAddresses:
		return fault("key.addresses", "TOO_MANY", "at most 100")
	case k.CallsPerSecond < 0 || k.CallsPerSecond > maxCalls || k.CallsPerSecond != k.CallsPerSecond:
		return fault("key.calls_per_second", "OUT_OF_RANGE", "0 to 1,000,000")
	case !k.Expires.IsZero() && !k.Expires.After(now):
		return fault("key.expire_time", "OUT_OF_RANGE", "the key would have expired already")
	case !k.Expires.IsZero() && k.Expires.Sub(now) > maxKeyLife:
		return fault("key.expire_time", "OUT_OF_RANGE", "at most 20 years ahead")
	}
	for i, name := range k.Tenants {
		t, ok := tenants.Get(name)
		if !ok {
			return fault("key.tenants["+strconv.Itoa(i)+"]", "UNKNOWN", "no such tenant")
		}
		k.Tenants[i] = t.ID
	}
	slices.Sort(k.Tenants)
	k.Tenants = slices.Compact(k.Tenants)
	for i, p := range k.Addresses {
		k.Addresses[i] = p.Masked()
	}
	slices.SortFunc(k.Addresses, netip.Prefix.Compare)
	k.Addresses = slices.Compact(k.Addresses)
	return k.checkScope()
}

func (k *Key) checkScope() error {
	one := k.Role == RoleSubmitter || k.Role == RoleTenant
	switch {
	case one && (len(k.Tenants) != 1 || k.AllTenants):
		return fault("key.tenants", "REQUIRED", "a "+k.Role.String()+" has exactly one tenant")
	case k.Role == RoleAdmin && (len(k.Tenants) > 0 || k.AllTenants || k.Restricted):
		return fault("key.tenants", "NOT_WITH_ADMIN", "an admin reads no cases")
	case k.Role.readsMany() && (len(k.Tenants) == 0) != k.AllTenants:
		return fault("key.tenants", "REQUIRED", "either tenants or all_tenants is needed")
	}
	return nil
}

// ParsePrefix reads a prefix, or an address as the prefix of itself.
func ParsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}
