package access

import "time"

// K is the number of owners from which tenants are told that others have a value.
const K = 3

// Rules are what a deployment discloses across tenants, besides what roles may.
type Rules struct {
	Tenants *Tenants
	// ExistsBelowK lets tenants learn that a value was seen elsewhere at all,
	// though by fewer than K owners.
	ExistsBelowK bool
	// AtOnce counts a sighting for tenants when it is stored, in place of from the
	// UTC day after. It is for tests and demonstrations: with it, who submits and
	// asks in turn sees others come and go.
	AtOnce bool
	clock  func() time.Time
	// methods never changes.
	methods methodRoles
}

// NewRules returns rules on the records of tenants. clock is time.Now when nil.
func NewRules(tenants *Tenants, existsBelowK, atOnce bool, clock func() time.Time) *Rules {
	if clock == nil {
		clock = time.Now
	}
	return &Rules{tenants, existsBelowK, atOnce, clock, newMethodRoles()}
}
