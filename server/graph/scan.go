package graph

import "github.com/elsewhere-project/elsewhere/server/evidence"

// Scan takes what is read of a whole store. Size comes first, all values before
// the first case. Value and Case are called from several goroutines, in no
// promised order.
type Scan struct {
	// Size is that of Snapshot.
	Size func(uint32)
	// Value is called for each value that live cases of two tenants or more have.
	Value func(v evidence.Value, tenants, cases uint32)
	// Alone is called for each address, network, domain and host name that live cases
	// of one tenant have; nil: nobody asks.
	Alone func(v evidence.Value)
	// Case is called for each live case with its revision; the profile is whole, and
	// good until Case returns.
	Case func(p *evidence.Profile, revision uint32)
}
