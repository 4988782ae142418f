package access

import "fmt"

// Role is what somebody with a key is there for. The zero Role may do nothing.
type Role uint8

// The roles, numbered as on the wire.
const (
	RoleSubmitter Role = iota + 1
	RoleTenant
	RoleAnalyst
	RoleLead
	RoleAdmin
)

// roleNames are the roles as they are written.
var roleNames = [...]string{
	RoleSubmitter: "submitter", RoleTenant: "tenant", RoleAnalyst: "analyst", RoleLead: "lead", RoleAdmin: "admin",
}

// Roles returns all roles, the one that may least first.
func Roles() []Role { return []Role{RoleSubmitter, RoleTenant, RoleAnalyst, RoleLead, RoleAdmin} }

// String returns the name of a role.
func (r Role) String() string {
	if r == 0 || int(r) >= len(roleNames) {
		return "nobody"
	}
	return roleNames[r]
}

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Role) UnmarshalText(text []byte) error {
	for _, role := range Roles() {
		if role.String() == string(text) {
			*r = role
			return nil
		}
	}
	return fmt.Errorf("no role %q", text)
}

// readsMany reports whether a role is for people who see tenants by name.
func (r Role) readsMany() bool { return r == RoleAnalyst || r == RoleLead }
