package link

import (
	"maps"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// InBoth is a row of constants of which two cases have values.
type InBoth struct {
	// Row names the constants, as Value.Row does.
	Row string
	// Shared says that one of the values is the same.
	Shared bool
}

// InBoth returns, in order of name, the rows of constants of which both cases have a
// value in a role that the row weighs; none where a case is bulk, for nobody could say
// what of a list an actor used. The order of the cases says nothing.
func (s *Scorer) InBoth(x, y *evidence.Profile) ([]InBoth, error) {
	a, b, err := s.sidesOf(x, y)
	if err != nil {
		return nil, err
	}
	if a.bulk || b.bulk || a.partial || b.partial {
		return nil, nil
	}
	if err := s.ordered(a, b); err != nil {
		return nil, err
	}
	shared := make(map[string]bool)
	in, other := s.rowsOf(a), s.rowsOf(b)
	for row := range in {
		if other[row] {
			shared[row] = false
		}
	}
	for _, at := range s.shared {
		roles := s.a.sights[at.a].roles | s.b.sights[at.b].roles
		s.eachRowOf(s.valueOf(s.a, at.a), roles, func(row string) { shared[row] = true })
	}
	out := make([]InBoth, 0, len(shared))
	for _, row := range slices.Sorted(maps.Keys(shared)) {
		out = append(out, InBoth{row, shared[row]})
	}
	return out, nil
}

// rowsOf returns the names of the rows that weigh values of one side.
func (s *Scorer) rowsOf(sd *side) map[string]bool {
	out := make(map[string]bool)
	for i := range sd.keys {
		s.eachRowOf(s.valueOf(sd, int32(i)), sd.sights[i].roles, func(row string) { out[row] = true })
	}
	return out
}

// eachRowOf calls f with the rows that weigh a value in these roles.
func (s *Scorer) eachRowOf(v *value, roles roleSet, f func(row string)) {
	if v.Kind.Derived() {
		return
	}
	for _, r := range s.model.rows(v, roles, roles) {
		if r != nil && !r.service && r.name != "" {
			f(r.name)
		}
	}
}
