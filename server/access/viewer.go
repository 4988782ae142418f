package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Viewer is who asks. The zero Viewer sees and may do nothing.
type Viewer struct {
	name string
	open bool
	role Role
	// all stands for every tenant, else tenants are sorted.
	all     bool
	tenants []string
	// restricted says that restricted and tlp:red cases of the tenants are read.
	restricted bool
	rules      *Rules
}

// Open is the viewer of a deployment without keys: it sees all and may do all.
// Such a deployment listens on loopback only.
func Open() Viewer { return Viewer{name: "open", open: true, all: true, restricted: true} }

// viewerPrefix begins the names of viewers with a key.
const viewerPrefix = "key "

// viewer is who asks with a key.
func (r *Rules) viewer(k *Key) Viewer {
	return Viewer{
		name: viewerPrefix + k.ID, role: k.Role, all: k.AllTenants, tenants: k.Tenants, restricted: k.Restricted, rules: r,
	}
}

// Name tells one viewer's tokens and log lines from another's.
func (v Viewer) Name() string { return v.name }

// Who names the viewer where his calls are recorded: by what his key begins with.
func (v Viewer) Who() string {
	switch id, keyed := strings.CutPrefix(v.name, viewerPrefix); {
	case v.open:
		return audit.KeyOpen
	case keyed:
		return keyPrefix + id
	}
	return ""
}

// Of returns the tenant whose key the viewer has, "" for keys of several.
func (v Viewer) Of() string {
	if (v.role == RoleSubmitter || v.role == RoleTenant) && len(v.tenants) == 1 {
		return v.tenants[0]
	}
	return ""
}

// Role returns the role of the viewer's key, 0 without one.
func (v Viewer) Role() Role { return v.role }

// IsOpen reports whether nobody needs a key.
func (v Viewer) IsOpen() bool { return v.open }

// May reports whether a method, as gRPC names it, is for the viewer.
func (v Viewer) May(fullMethod string) bool {
	if v.open {
		return true
	}
	return v.rules != nil && slices.Contains(v.rules.methods[fullMethod], v.role)
}

// Knows reports whether there is such a method for anybody.
func (v Viewer) Knows(fullMethod string) bool {
	if v.rules == nil {
		return false
	}
	_, ok := v.rules.methods[fullMethod]
	return ok
}

// has reports whether a tenant is one of the viewer's.
func (v Viewer) has(tenant string) bool {
	if v.all {
		return true
	}
	_, ok := slices.BinarySearch(v.tenants, tenant)
	return ok
}

// Writes reports whether the viewer may submit and delete a tenant's cases.
func (v Viewer) Writes(tenant string) bool { return v.has(tenant) }

// Reads reports whether the viewer may be told of a tenant's cases by name.
func (v Viewer) Reads(tenant string) bool { return v.has(tenant) }

// ReadsAll reports whether the viewer reads every tenant's cases, also of tenants
// to come.
func (v Viewer) ReadsAll() bool { return v.all }

// Tenants are those whose cases the viewer reads, sorted, if not all.
func (v Viewer) Tenants() []string { return v.tenants }

// ReadsWithheld reports whether the viewer may read a tenant's restricted and
// tlp:red cases.
func (v Viewer) ReadsWithheld(tenant string) bool { return v.restricted && v.has(tenant) }

// ReadsCase reports whether the viewer may read a case.
func (v Viewer) ReadsCase(c *graph.StoredCase) bool {
	if c.Restricted || c.TLP == evidence.TLPRed {
		return v.ReadsWithheld(c.Tenant)
	}
	return v.Reads(c.Tenant)
}

// Links reports whether the viewer may be told that two cases are linked.
func (v Viewer) Links(a, b evidence.Ref) bool {
	return v.SeesLinks() && v.Reads(a.Tenant) && v.Reads(b.Tenant)
}

// Administers reports whether the viewer may change how a deployment scores.
func (v Viewer) Administers() bool { return v.open || v.role == RoleAdmin }

// SeesLinks reports whether the viewer may hear of links at all.
func (v Viewer) SeesLinks() bool { return v.open || v.role.readsMany() }

// LooksUp reports whether the viewer's questions may reach third parties and what
// they said to others before. Who sees one tenant would learn what others asked.
func (v Viewer) LooksUp() bool { return v.open || v.role.readsMany() }

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
