package link

import (
	"math/bits"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Corpus is one unchanging state of all cases, as far as a score depends on it.
// It is for one goroutine.
type Corpus interface {
	// Size is the number of live cases of customers.
	Size() (uint32, error)
	// Spread returns in how many tenants and live cases a value is.
	Spread(evidence.Value) (tenants, cases uint32, err error)
	// Representatives returns, tenant by tenant, the few live cases that stand
	// for their tenant on a value; nil if the value is in too many tenants.
	Representatives(evidence.Value) ([]evidence.Ref, error)
	// CasesOf returns how many live cases of a tenant have the value, counted up
	// to limit.
	CasesOf(v evidence.Value, tenant string, limit int) (int, error)
	// Profile returns a case that Representatives named.
	Profile(evidence.Ref) (*evidence.Profile, error)
	// Trust is an administrator's setting for a tenant, 0 to 1.
	Trust(tenant string) (float64, error)
}

// Caps are where a value becomes too common; see graph.Limits, whose values they
// have to be.
type Caps struct {
	CandidateTenants  int // above: proposes no pair, and nothing on it is explained
	ExplainingTenants int // up to: explains a case by itself
	ExplainingCases   int // above: explains nothing
	ScoringTenants    int // above: weighs nothing
}

// explainingGroups is how many further groups of values that are not rare have
// to be shared until they explain a case.
const explainingGroups = 3

// Scorer compares cases on one state of the corpus. It remembers what it reads,
// up to a bound, and is for one goroutine.
type Scorer struct {
	model      *Model
	caps       Caps
	corpus     Corpus
	classifier Classifier

	n      uint32
	prior  int32
	values map[evidence.Value]*valueState
	cases  map[evidence.Ref]*side
	loaded int // sightings in cases
	masked int // entries in all masks
}

// What a Scorer remembers before it forgets: about 100 MB.
const (
	maxRememberedSightings = 250_000
	maxRememberedValues    = 100_000
	maxRememberedMasks     = 1_000_000
)

// valueState is what the scorer knows of a value.
type valueState struct {
	class          Class
	group          string
	tenants, cases uint32
	weak           bool // weighs little or nothing by nature: explains nothing
	proposes       bool

	representatives []evidence.Ref
	tenantIndex     map[string]int // of the representatives' tenants, 0 to 63
	// explained has, for a case, a bit for each tenant with a representative
	// that shares enough else with the case.
	explained map[evidence.Ref]uint64
}

// NewScorer returns a scorer of m on c. A cap on candidates above 64 tenants is
// read as 64.
func NewScorer(m *Model, caps Caps, c Corpus, classes Classifier) (*Scorer, error) {
	caps.CandidateTenants = min(caps.CandidateTenants, 64)
	size, err := c.Size()
	if err != nil {
		return nil, err
	}
	s := &Scorer{model: m, caps: caps, corpus: c, classifier: classes, n: CorpusN(size)}
	s.prior = log2Millibits(float64(m.siblings / float64(s.n)))
	s.forget()
	return s, nil
}

// CorpusN returns N for a number of live cases: the next power of two, at least
// 1,024, so that weights change only when the corpus doubles.
func CorpusN(live uint32) uint32 {
	if live <= 1024 {
		return 1024
	}
	if live > 1<<31 {
		return 1 << 31
	}
	return 1 << bits.Len32(live-1)
}

func (s *Scorer) forget() {
	s.values = make(map[evidence.Value]*valueState)
	s.cases = make(map[evidence.Ref]*side)
	s.loaded, s.masked = 0, 0
}

// side is one case of a comparison.
type side struct {
	*evidence.Profile
	counts map[evidence.Kind]int // values
	bulk   bool                  // more values of a kind than an investigation has
}

func (m *Model) side(p *evidence.Profile) *side {
	sd := &side{Profile: p, counts: make(map[evidence.Kind]int)}
	for i := range p.Sightings {
		k := p.Sightings[i].Kind
		sd.counts[k]++
		sd.bulk = sd.bulk || sd.counts[k] > m.bulkValues
	}
	return sd
}

// Profile returns a case of the corpus, from memory where possible.
func (s *Scorer) Profile(ref evidence.Ref) (*evidence.Profile, error) {
	sd, err := s.side(ref)
	if err != nil {
		return nil, err
	}
	return sd.Profile, nil
}

// known returns p as a side, from memory if it is the profile held there.
func (s *Scorer) known(p *evidence.Profile) *side {
	if sd := s.cases[p.Ref]; sd != nil && sd.Profile == p {
		return sd
	}
	return s.model.side(p)
}

func (s *Scorer) side(ref evidence.Ref) (*side, error) {
	if sd := s.cases[ref]; sd != nil {
		return sd, nil
	}
	p, err := s.corpus.Profile(ref)
	if err != nil {
		return nil, err
	}
	sd := s.model.side(p)
	if s.loaded += len(p.Sightings) + 1; s.loaded > maxRememberedSightings {
		s.cases = make(map[evidence.Ref]*side)
		s.loaded = len(p.Sightings) + 1
	}
	s.cases[ref] = sd
	return sd, nil
}

func (s *Scorer) value(v evidence.Value) (*valueState, error) {
	if st := s.values[v]; st != nil {
		return st, nil
	}
	tenants, cases, err := s.corpus.Spread(v)
	if err != nil {
		return nil, err
	}
	class := s.classifier.Class(v)
	st := &valueState{
		class: class, tenants: tenants, cases: cases,
		group: s.model.group(v, class),
		weak:  s.model.weak(v, class),
	}
	st.proposes = !s.model.weightless(v, class) && class.Name != ClassTopDomain &&
		int(tenants) <= s.caps.CandidateTenants
	if len(s.values) >= maxRememberedValues || s.masked > maxRememberedMasks {
		s.values, s.masked = make(map[evidence.Value]*valueState), 0
	}
	s.values[v] = st
	return st, nil
}

// readRepresentatives fills in the representatives of a value that has few
// enough tenants.
func (s *Scorer) readRepresentatives(v evidence.Value, st *valueState) error {
	if st.tenantIndex != nil {
		return nil
	}
	refs, err := s.corpus.Representatives(v)
	if err != nil {
		return err
	}
	index := make(map[string]int)
	for _, r := range refs {
		if _, ok := index[r.Tenant]; !ok {
			index[r.Tenant] = len(index)
		}
	}
	st.representatives, st.tenantIndex = refs, index
	st.explained = make(map[evidence.Ref]uint64)
	return nil
}

// unexplained returns d: the tenants on v, other than those of a and b, none of
// whose representatives shares enough else with a or b to be part of the same
// story.
func (s *Scorer) unexplained(v evidence.Value, st *valueState, a, b *side) (uint32, error) {
	if int(st.tenants) > s.caps.CandidateTenants {
		return s.otherTenants(v, st, a, b)
	}
	if err := s.readRepresentatives(v, st); err != nil {
		return 0, err
	}
	open := uint64(1)<<len(st.tenantIndex) - 1
	for _, tenant := range []string{a.Tenant, b.Tenant} {
		if i, ok := st.tenantIndex[tenant]; ok {
			open &^= 1 << i
		}
	}
	if open == 0 || a.bulk || b.bulk {
		return uint32(bits.OnesCount64(open)), nil
	}
	for _, p := range []*side{a, b} {
		mask, err := s.explainedBy(v, st, p)
		if err != nil {
			return 0, err
		}
		open &^= mask
	}
	return uint32(bits.OnesCount64(open)), nil
}

// otherTenants returns the tenants on v less those of a and b. A withheld case
// is on no value, but its tenant may be by another case.
func (s *Scorer) otherTenants(v evidence.Value, st *valueState, a, b *side) (uint32, error) {
	d := st.tenants
	for i, p := range []*side{a, b} {
		if i == 1 && b.Tenant == a.Tenant {
			break
		}
		cases := 1
		if !p.Live {
			var err error
			if cases, err = s.corpus.CasesOf(v, p.Tenant, 1); err != nil {
				return 0, err
			}
		}
		if d > 0 {
			d -= uint32(cases)
		}
	}
	return d, nil
}

func (s *Scorer) explainedBy(v evidence.Value, st *valueState, p *side) (uint64, error) {
	if mask, ok := st.explained[p.Ref]; ok {
		return mask, nil
	}
	var mask uint64
	for _, ref := range st.representatives {
		bit := uint64(1) << st.tenantIndex[ref.Tenant]
		if mask&bit != 0 || ref.Tenant == p.Tenant {
			continue
		}
		third, err := s.side(ref)
		if err != nil {
			return 0, err
		}
		yes, err := s.explains(st.group, third, p)
		if err != nil {
			return 0, err
		}
		if yes {
			mask |= bit
		}
	}
	st.explained[p.Ref] = mask
	s.masked++
	return mask, nil
}

// explains reports whether a third case and p share, outside the group of the
// value in question, one rare value or values of three other groups.
func (s *Scorer) explains(group string, third, p *side) (bool, error) {
	if third.bulk {
		return false, nil
	}
	var groups [explainingGroups]string
	found := 0
	for _, pair := range shared(third.Profile, p.Profile) {
		w := pair.a.Value
		st, err := s.value(w)
		if err != nil {
			return false, err
		}
		switch {
		case st.weak || st.group == group,
			int(st.tenants) > s.caps.CandidateTenants,
			int(st.cases) > s.caps.ExplainingCases:
			continue
		case int(st.tenants) <= s.caps.ExplainingTenants:
			return true, nil
		}
		known := false
		for _, g := range groups[:found] {
			known = known || g == st.group
		}
		if !known {
			groups[found] = st.group
			if found++; found == explainingGroups {
				return true, nil
			}
		}
	}
	return false, nil
}

// sharedValue is a value with its sighting in either case.
type sharedValue struct{ a, b *evidence.Sighting }

// shared returns the values that both cases have, in order of Value.
func shared(a, b *evidence.Profile) []sharedValue {
	if len(a.Sightings) > 16*len(b.Sightings) {
		swapped := shared(b, a)
		for i, p := range swapped {
			swapped[i] = sharedValue{p.b, p.a}
		}
		return swapped
	}
	var out []sharedValue
	if len(b.Sightings) > 16*len(a.Sightings) {
		rest := b.Sightings
		for i := range a.Sightings {
			j := search(rest, a.Sightings[i].Value)
			if j < len(rest) && rest[j].Value == a.Sightings[i].Value {
				out = append(out, sharedValue{&a.Sightings[i], &rest[j]})
			}
			rest = rest[j:]
		}
		return out
	}
	for i, j := 0, 0; i < len(a.Sightings) && j < len(b.Sightings); {
		switch c := a.Sightings[i].Value.Compare(b.Sightings[j].Value); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			out = append(out, sharedValue{&a.Sightings[i], &b.Sightings[j]})
			i, j = i+1, j+1
		}
	}
	return out
}

// search returns the index of the first sighting not before v.
func search(s []evidence.Sighting, v evidence.Value) int {
	lo, hi := 0, len(s)
	for lo < hi {
		if mid := (lo + hi) / 2; s[mid].Value.Compare(v) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
