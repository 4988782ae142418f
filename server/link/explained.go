package link

import (
	"math/bits"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// value is what a Scorer knows of a value.
type value struct {
	evidence.Value
	class Class
	group string
	weak  bool // weighs little or nothing by nature: explains nothing
	// mute values propose nothing, however few have them.
	mute bool

	known          bool // the spread has been read
	tenants, cases uint32

	// From here on set by representatives.
	on        map[evidence.Ref]int // representatives, by place
	refs      []evidence.Ref
	tenantOf  []int          // tenant of a representative, 0 to 63
	tenantNum map[string]int // number of a tenant
	// index has, for every other value that may explain a case, the
	// representatives that have it.
	index map[*value]*set
	// explained has, for a case, a bit for each tenant with a representative
	// that shares enough else with the case.
	explained map[*side]uint64
}

// set is a set of representatives of one value: at most 64 tenants with at most
// maxRepresentatives cases each.
type set [maxRepresentatives]uint64

// maxRepresentatives bounds the cases that stand for one tenant on one value.
const maxRepresentatives = 4

func (s *Scorer) value(v evidence.Value) *value {
	if known := s.values[v]; known != nil {
		return known
	}
	class := s.classifier.Class(v)
	out := &value{
		Value: v, class: class, group: s.model.group(v, class),
		weak: s.model.weak(v, class), mute: s.model.mute(v, class),
	}
	s.values[v] = out
	s.held++
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
	if v.on != nil {
		return nil
	}
	refs, err := s.corpus.Representatives(v.Value)
	if err != nil {
		return err
	}
	v.on, v.tenantNum = make(map[evidence.Ref]int, len(refs)), make(map[string]int)
	v.explained = make(map[*side]uint64)
	for _, ref := range refs {
		num, ok := v.tenantNum[ref.Tenant]
		if !ok {
			if num = len(v.tenantNum); num == 64 {
				break
			}
			v.tenantNum[ref.Tenant] = num
		}
		if len(v.refs) == 64*maxRepresentatives {
			break
		}
		v.on[ref] = len(v.refs)
		v.refs = append(v.refs, ref)
		v.tenantOf = append(v.tenantOf, num)
	}
	s.held += len(v.refs)
	return nil
}

// unexplained returns d: the tenants on v, other than those of a and b, none of
// whose representatives shares enough else with a or b to be part of the same
// story (SCORING.md A3).
func (s *Scorer) unexplained(v *value, a, b *side) (uint32, error) {
	if err := s.spread(v); err != nil {
		return 0, err
	}
	if int(v.tenants) > s.caps.CandidateTenants {
		return s.otherTenants(v, a, b)
	}
	if err := s.representatives(v); err != nil {
		return 0, err
	}
	open := uint64(1)<<len(v.tenantNum) - 1
	for _, tenant := range []string{a.Tenant, b.Tenant} {
		if num, ok := v.tenantNum[tenant]; ok {
			open &^= 1 << num
		}
	}
	if open == 0 || a.bulk || b.bulk {
		return uint32(bits.OnesCount64(open)), nil
	}
	for _, sd := range []*side{a, b} {
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
	for i, sd := range []*side{a, b} {
		if i == 1 && b.Tenant == a.Tenant {
			break
		}
		cases := 1
		if !sd.Live {
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
	if mask, ok := v.explained[sd]; ok {
		return mask, nil
	}
	if err := s.indexRepresentatives(v); err != nil {
		return 0, err
	}
	var own, rare set
	for at := range v.refs {
		if v.refs[at].Tenant == sd.Tenant {
			own[at/64] |= 1 << (at % 64)
		}
	}
	byGroup := make(map[string]*set)
	for _, w := range sd.values {
		have := v.index[w]
		// What nobody else has is not worth asking about; and a side may be
		// among the representatives itself.
		if have == nil || have.within(&own) {
			continue
		}
		if err := s.spread(w); err != nil {
			return 0, err
		}
		switch {
		case int(w.tenants) > s.caps.CandidateTenants, int(w.cases) > s.caps.ExplainingCases:
		case int(w.tenants) <= s.caps.ExplainingTenants:
			rare.add(have)
		default:
			g := byGroup[w.group]
			if g == nil {
				g = &set{}
				byGroup[w.group] = g
			}
			g.add(have)
		}
	}
	var one, two, three set // in as many groups or more
	for _, g := range byGroup {
		for i := range g {
			three[i] |= two[i] & g[i]
			two[i] |= one[i] & g[i]
			one[i] |= g[i]
		}
	}
	var mask uint64
	for i := range rare {
		for found := rare[i] | three[i]; found != 0; found &= found - 1 {
			mask |= 1 << v.tenantOf[i*64+bits.TrailingZeros64(found)]
		}
	}
	v.explained[sd] = mask
	s.held++
	return mask, nil
}

// within reports whether all of s is in o.
func (s *set) within(o *set) bool {
	for i := range s {
		if s[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

func (s *set) add(o *set) {
	for i := range s {
		s[i] |= o[i]
	}
}

// indexRepresentatives notes which representatives of v have which other value
// that may explain a case by its nature: one of another group and not weak. How
// common it is, is asked only of those that a pair has. A bulk case explains
// nothing.
func (s *Scorer) indexRepresentatives(v *value) error {
	if v.index != nil {
		return nil
	}
	index := make(map[*value]*set)
	for at, ref := range v.refs {
		sd, err := s.read(ref)
		if err != nil {
			return err
		}
		if sd.bulk {
			continue
		}
		for _, w := range sd.values {
			if w.weak || w.group == v.group {
				continue
			}
			if index[w] == nil {
				index[w] = &set{}
				s.held++
			}
			index[w][at/64] |= 1 << (at % 64)
		}
	}
	v.index = index
	return nil
}
