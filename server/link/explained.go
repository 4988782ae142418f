package link

import (
	"math/bits"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// value is what a Scorer knows of a value.
type value struct {
	evidence.Value
	// class is shared in a World by all values of which the same is known.
	class          *Class
	group          string
	share          float64 // background, of names of mail rules and of user agents
	tenants, cases uint32
	known          bool // the spread has been read
	// weightless says that it says nothing whatever its roles.
	weightless bool
	weak       bool // weighs little or nothing by nature: explains nothing
	// mute values propose nothing, however few have them.
	mute bool

	// From here on set by representatives.
	read     bool
	tenantOf []uint8 // tenant of a representative, 0 to 63
	on       []*side // representatives, tenant by tenant, nil until it is needed
	// explained has, for a representative, a bit for each tenant with one that
	// shares enough else with it. The bit of its own tenant says that this is known.
	explained []uint64
	*outside
}

// outside is what a value has outside of a World, which has no room for it.
type outside struct {
	refs []evidence.Ref // representatives
	// others is explained for cases that are no representatives.
	others map[*side]uint64
}

// maxRepresentatives bounds the cases that stand for one tenant on one value.
const maxRepresentatives = 4

func (s *Scorer) value(v evidence.Value) *value {
	if known := s.values[v]; known != nil {
		return known
	}
	out := s.model.newValue(v, s.classifier.Class(v))
	s.values[v] = out
	s.held++
	return out
}

func (m *Model) newValue(v evidence.Value, class Class) *value {
	out := &value{
		Value: v, class: &class, group: m.group(v, class),
		weightless: m.weightless(v, class), weak: m.weak(v, class), mute: m.mute(v, class),
	}
	switch v.Kind {
	case evidence.KindRuleName:
		out.share = m.ruleShare(v.Text)
	case evidence.KindUserAgent:
		out.share = m.agentShare(v.Text)
	}
	return out
}

// spread reads in how many tenants and cases a value is.
func (s *Scorer) spread(v *value) error {
	if v.known {
		return nil
	}
	tenants, cases, err := s.corpus.Spread(v.Value)
	if err != nil {
		return err
	}
	v.tenants, v.cases, v.known = tenants, cases, true
	return nil
}

// proposes reports whether a value may propose pairs.
func (s *Scorer) proposes(v *value) (bool, error) {
	if v.mute {
		return false, nil
	}
	err := s.spread(v)
	return int(v.tenants) <= s.caps.CandidateTenants, err
}

// representatives reads the cases that stand for their tenants on a value with
// few enough of them.
func (s *Scorer) representatives(v *value) error {
	if v.read {
		return nil
	}
	refs, err := s.corpus.Representatives(v.Value)
	if err != nil {
		return err
	}
	v.stand(refs)
	s.held += len(v.refs)
	return nil
}

// stand sets the representatives of a value.
func (v *value) stand(refs []evidence.Ref) {
	tenants := 0
	v.tenantOf = make([]uint8, 0, len(refs))
	for i, ref := range refs {
		if i == 0 || ref.Tenant != refs[i-1].Tenant {
			tenants++
		}
		if tenants > 64 || i == 64*maxRepresentatives {
			refs = refs[:i]
			break
		}
		v.tenantOf = append(v.tenantOf, uint8(tenants-1))
	}
	v.outside, v.read = &outside{refs: refs}, true
	v.on = make([]*side, len(refs))
	v.explained = make([]uint64, len(refs))
}

// ref names a representative.
func (v *value) ref(i int) evidence.Ref {
	if v.outside == nil {
		return v.on[i].Ref
	}
	return v.refs[i]
}

// position returns the place of a case among the representatives, -1 if it is
// none.
func (v *value) position(ref evidence.Ref) int {
	for i := v.of(ref.Tenant); i < len(v.on); i++ {
		switch at := v.ref(i); {
		case at.Tenant != ref.Tenant:
			return -1
		case at.Case == ref.Case:
			return i
		}
	}
	return -1
}

// of returns the place of the first representative of a tenant, or where it
// would be.
func (v *value) of(tenant string) int {
	lo, hi := 0, len(v.on)
	for lo < hi {
		if mid := (lo + hi) / 2; v.ref(mid).Tenant < tenant {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// unexplained returns d: the tenants on v, other than those of a and b, none of
// whose representatives shares enough else with a or b to be part of the same
// story (SCORING.md A3).
func (s *Scorer) unexplained(v *value, a, b *side) (uint32, error) {
	if err := s.spread(v); err != nil {
		return 0, err
	}
	switch {
	case s.model.off.count:
		return 0, nil
	case int(v.tenants) > s.caps.CandidateTenants:
		return s.otherTenants(v, a, b)
	case v.tenants <= 2 && a.live && b.live && a.Tenant != b.Tenant:
		return 0, nil
	}
	if err := s.representatives(v); err != nil {
		return 0, err
	}
	open := ^uint64(0)
	if n := len(v.on); n == 0 {
		open = 0
	} else if last := v.tenantOf[n-1]; last < 63 {
		open = 1<<(last+1) - 1
	}
	for _, tenant := range [2]string{a.Tenant, b.Tenant} {
		if i := v.of(tenant); i < len(v.on) && v.ref(i).Tenant == tenant {
			open &^= 1 << v.tenantOf[i]
		}
	}
	if open == 0 || a.bulk || b.bulk || s.model.off.explain {
		return uint32(bits.OnesCount64(open)), nil
	}
	for _, sd := range [2]*side{a, b} {
		mask, err := s.explainedBy(v, sd)
		if err != nil {
			return 0, err
		}
		open &^= mask
	}
	return uint32(bits.OnesCount64(open)), nil
}

// otherTenants returns the tenants on v less those of a and b. A withheld case
// is on no value, but its tenant may be by another case.
func (s *Scorer) otherTenants(v *value, a, b *side) (uint32, error) {
	d := v.tenants
	for i, sd := range [2]*side{a, b} {
		if i == 1 && b.Tenant == a.Tenant {
			break
		}
		cases := 1
		if !sd.live {
			var err error
			if cases, err = s.corpus.CasesOf(v.Value, sd.Tenant, 1); err != nil {
				return 0, err
			}
		}
		if d > 0 {
			d -= uint32(cases)
		}
	}
	return d, nil
}

// explainedBy returns the tenants on v with a representative that shares, with
// one side of a pair and outside the group of v, one rare value or values of
// three groups.
func (s *Scorer) explainedBy(v *value, sd *side) (uint64, error) {
	at := v.position(sd.Ref)
	if at >= 0 && v.on[at] == sd && v.explained != nil && v.explained[at]&(1<<v.tenantOf[at]) != 0 {
		return v.explained[at], nil
	}
	if at < 0 && s.world == nil {
		if mask, ok := v.others[sd]; ok {
			return mask, nil
		}
	}
	var mask uint64
	for i := range v.on {
		if mask&(1<<v.tenantOf[i]) != 0 || v.ref(i).Tenant == sd.Tenant {
			continue
		}
		third, err := s.representative(v, i)
		if err != nil {
			return 0, err
		}
		explains, err := s.explains(v, third, sd)
		if err != nil {
			return 0, err
		}
		if explains {
			mask |= 1 << v.tenantOf[i]
		}
	}
	switch {
	case s.world != nil:
		return mask, nil
	case at >= 0:
		v.on[at], v.explained[at] = sd, mask|1<<v.tenantOf[at]
		return mask, nil
	}
	if v.others == nil {
		v.others = make(map[*side]uint64)
	}
	v.others[sd] = mask
	s.held++
	return mask, nil
}

// representative returns a representative of v as a side.
func (s *Scorer) representative(v *value, i int) (*side, error) {
	if v.on[i] != nil {
		return v.on[i], nil
	}
	sd, err := s.read(v.refs[i])
	v.on[i] = sd
	return sd, err
}

// explains reports whether a third case on v shares enough else with one side
// of a pair. A bulk case explains nothing.
func (s *Scorer) explains(v *value, third, sd *side) (bool, error) {
	if third.bulk {
		return false, nil
	}
	var groups [2]string
	n := 0
	s.third = common(s.third[:0], third, sd)
	for _, at := range s.third {
		w := s.valueOf(third, at.a)
		if w.weak || w.group == v.group {
			continue
		}
		if err := s.spread(w); err != nil {
			return false, err
		}
		switch {
		case int(w.tenants) > s.caps.CandidateTenants, int(w.cases) > s.caps.ExplainingCases:
		case int(w.tenants) <= s.caps.ExplainingTenants:
			return true, nil
		case slices.Contains(groups[:n], w.group):
		case n == len(groups):
			return true, nil
		default:
			groups[n] = w.group
			n++
		}
	}
	return false, nil
}
