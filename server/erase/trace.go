package erase

import (
	"context"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Trace is a sort of things that a deployment keeps about tenants. Whatever keeps
// something more about them adds one.
type Trace interface {
	// Name is what the trace is called while it is worked on, as "cases".
	Name() string
	// Count returns what there is of a tenant, by the sorts that a receipt names.
	Count(ctx context.Context, tenant string) ([]Tally, error)
	// Erase takes it away. It is called again where it was interrupted, also by
	// another process, and then goes on; what is gone already is no error.
	Erase(ctx context.Context, tenant string, progress func(done uint64)) error
}

// CaseTrace is a Trace of which single cases can be taken out. Both functions are
// called for every case that is deleted, by whomever, and may be called again.
type CaseTrace interface {
	Trace
	// Before is called before the case goes.
	Before(ctx context.Context, ref evidence.Ref) error
	// After is called when it has gone.
	After(ctx context.Context, ref evidence.Ref) error
}

// PurgedTrace is a Trace of which something is left until the files are purged.
type PurgedTrace interface {
	Trace
	// Purge takes that away, too, after Erase and before the files are written anew.
	Purge(ctx context.Context, tenant string) error
}

// Tally is how many things of a sort there were.
type Tally struct {
	Sort  string `json:"sort"`
	Count uint64 `json:"count"`
}

// Link waits until links follow the cases.
type Link interface {
	Settle(ctx context.Context) error
}
