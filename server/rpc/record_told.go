package rpc

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// told gathers what goes on record of messages: the tenants that they name, how much
// they hold, and values of kinds that are nobody's secret.
type told struct {
	known  *access.Tenants
	names  map[string]bool
	last   string // added last: sightings come in runs
	counts map[string]uint64
	asked  []audit.Value
}

func newTold(known *access.Tenants) *told { return &told{known: known} }

// name adds a tenant that there is, under its id. Other text is nobody's name.
func (t *told) name(name string) {
	if name == "" || name == t.last {
		return
	}
	if t.last = name; t.names[name] {
		// An id is the name of nobody else.
		return
	}
	tenant, ok := t.known.Get(name)
	if !ok {
		return
	}
	if t.names == nil {
		t.names = make(map[string]bool)
	}
	t.names[tenant.ID] = true
}

// ref adds the tenant of a case.
func (t *told) ref(ref string) {
	tenant, _, _ := strings.Cut(ref, "/")
	t.name(tenant)
}

func (t *told) list() []string { return slices.Sorted(maps.Keys(t.names)) }

func (t *told) count(what string, n int) {
	if n == 0 {
		return
	}
	if t.counts == nil {
		t.counts = make(map[string]uint64)
	}
	t.counts[what] += uint64(n)
}

// request gathers the tenants that a request is about.
func (t *told) request(m proto.Message) {
	switch m := m.(type) {
	case nil:
	case *elsewherev1.SubmitCaseRequest:
		// The rest of a case is large and names nobody.
		t.name(m.GetCase().GetTenant())
	default:
		t.walk(m.ProtoReflect())
	}
}

// response gathers the tenants that an answer names, and counts what it holds.
func (t *told) response(m proto.Message) {
	switch m := m.(type) {
	case nil:
	case *elsewherev1.SeenResponse:
		t.seen(m)
	case *elsewherev1.SubmitCaseResponse:
		for _, l := range m.GetLinks() {
			t.ref(l.GetA())
			t.ref(l.GetB())
		}
		t.count("links", len(m.GetLinks()))
	case *elsewherev1.AuditTrailResponse:
		// What the trail tells is on record already: it is the trail.
		t.count("entries", len(m.GetEntries()))
		t.count("bytes", len(m.GetLines()))
	default:
		r := m.ProtoReflect()
		r.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if f.IsList() && f.Message() != nil {
				t.count(string(f.Name()), v.List().Len())
			}
			return true
		})
		t.walk(r)
	}
}

// seen is response without reflection: most calls are of this kind.
func (t *told) seen(m *elsewherev1.SeenResponse) {
	var by [elsewherev1.SeenStatus_SEEN_STATUS_INVALID + 1]int
	sightings, others := 0, 0
	for _, r := range m.GetResults() {
		if s := r.GetStatus(); s >= 0 && int(s) < len(by) {
			by[s]++
		}
		shown := r.GetSightings()
		sightings += len(shown)
		for _, s := range shown {
			t.name(s.GetTenant())
		}
		if r.GetOtherTenants().GetMin() > 0 {
			others++
		}
	}
	t.count("values", len(m.GetResults()))
	t.count("seen", by[elsewherev1.SeenStatus_SEEN_STATUS_SEEN])
	t.count("not_disclosed", by[elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED])
	t.count("invalid", by[elsewherev1.SeenStatus_SEEN_STATUS_INVALID])
	t.count("sightings", sightings)
	t.count("in_other_tenants", others)
}

// walk gathers tenants from the fields that name them, whatever the message.
func (t *told) walk(m protoreflect.Message) {
	switch named := m.Interface().(type) {
	case *elsewherev1.Tenant:
		t.name(named.GetId())
		return
	case *elsewherev1.Actor:
		for _, tenant := range named.GetTenants() {
			t.name(tenant.GetName())
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.StringKind && !f.IsMap():
			t.field(string(f.Name()), f.IsList(), v)
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				t.walk(v.List().Get(i).Message())
			}
		default:
			t.walk(v.Message())
		}
		return true
	})
}

// field adds the tenants of a field by its name.
func (t *told) field(name string, list bool, v protoreflect.Value) {
	add := t.ref
	switch name {
	case "tenant", "tenants":
		add = t.name
	case "case_ref", "case_refs", "cases", "a", "b", "members", "anchor":
	default:
		return
	}
	if !list {
		add(v.String())
		return
	}
	for i := range v.List().Len() {
		add(v.List().Get(i).String())
	}
}

// values keeps some of the values that were asked for.
func (t *told) values(request, response proto.Message) {
	switch m := response.(type) {
	case *elsewherev1.SeenResponse:
		for _, r := range m.GetResults() {
			switch r.GetStatus() {
			case elsewherev1.SeenStatus_SEEN_STATUS_SEEN, elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
				if !t.value(r.GetObservable()) {
					return
				}
			}
		}
	case *elsewherev1.EnrichResponse:
		for _, r := range m.GetRecords() {
			if r.GetStatus() == elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED && !t.value(r.GetObservable()) {
				return
			}
		}
	case *elsewherev1.ListSightingsResponse:
		asked := request.(*elsewherev1.ListSightingsRequest).GetObservable()
		if p, invalid := evidence.ParseValue(evidence.Kind(asked.GetKind()), asked.GetValue(), unhashed()); invalid == nil {
			t.value(elsewherev1.Observable_builder{Kind: string(p.Kind), Value: p.Text}.Build())
		}
	}
}

// unhashed are options to read values with of which private ones are of no use.
func unhashed() evidence.Options {
	return evidence.Options{Now: time.Time{}, Private: func(evidence.Kind, string) string { return "" }}
}

// value keeps a value as it was read, and reports whether there is room for more. The
// kinds are of infrastructure and have a form: nothing that somebody writes by
// mistake, such as a name or a password, can be read as one.
func (t *told) value(o *elsewherev1.Observable) bool {
	switch evidence.Kind(o.GetKind()) {
	case evidence.KindIP, evidence.KindCIDR, evidence.KindASN, evidence.KindDomain, evidence.KindHostname,
		evidence.KindFileHash, evidence.KindPortProfile:
		t.asked = append(t.asked, audit.Value{Kind: o.GetKind(), Text: o.GetValue()})
	}
	return len(t.asked) < audit.MaxValues
}

// beyond reports whether tenants are named besides those of another.
func (t *told) beyond(other *told) bool {
	for name := range t.names {
		if !other.names[name] {
			return true
		}
	}
	return false
}
