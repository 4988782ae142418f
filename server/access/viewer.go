package access

import (
	"context"
	"errors"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Viewer is who asks. The zero Viewer sees and may do nothing.
type Viewer struct {
	name string
	all  bool
}

// Open is the viewer of a deployment without keys: it sees all and may do all.
// Such a deployment listens on loopback only.
func Open() Viewer { return Viewer{name: "open", all: true} }

// Name tells one viewer's tokens and log lines from another's.
func (v Viewer) Name() string { return v.name }

// Writes reports whether the viewer may submit and delete a tenant's cases.
func (v Viewer) Writes(tenant string) bool { return v.all }

// Reads reports whether the viewer may be told of a tenant's cases by name.
func (v Viewer) Reads(tenant string) bool { return v.all }

// ReadsWithheld reports whether the viewer may read a tenant's restricted and
// tlp:red cases.
func (v Viewer) ReadsWithheld(tenant string) bool { return v.all }

// ReadsCase reports whether the viewer may read a case.
func (v Viewer) ReadsCase(c *graph.StoredCase) bool {
	if c.Restricted || c.TLP == evidence.TLPRed {
		return v.ReadsWithheld(c.Tenant)
	}
	return v.Reads(c.Tenant)
}

// Asks reports whether the viewer may ask where values of a kind were seen.
func (v Viewer) Asks(k evidence.Kind) bool { return v.all }

// Links reports whether the viewer may be told that two cases are linked.
func (v Viewer) Links(a, b evidence.Ref) bool { return v.Reads(a.Tenant) && v.Reads(b.Tenant) }

// Administers reports whether the viewer may change how a deployment scores.
func (v Viewer) Administers() bool { return v.all }

// CountRange is a number as far as it is disclosed: exact where Min is Max.
type CountRange struct{ Min, Max uint32 }

// Counts returns how many tenants and live cases with a value are disclosed.
func (v Viewer) Counts(s graph.Summary) (tenants, cases CountRange) {
	if !v.all {
		return CountRange{}, CountRange{}
	}
	return CountRange{s.Tenants, s.Tenants}, CountRange{s.Cases, s.Cases}
}

type viewerKey struct{}

// With returns a context that carries a viewer.
func With(ctx context.Context, v Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// ErrNoViewer is a fault of the program: a request reached an answer without
// anybody having said who asks.
var ErrNoViewer = errors.New("request without a viewer")

// From returns the viewer of a request.
func From(ctx context.Context) (Viewer, error) {
	v, ok := ctx.Value(viewerKey{}).(Viewer)
	if !ok {
		return Viewer{}, ErrNoViewer
	}
	return v, nil
}
