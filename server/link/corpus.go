package link

import (
	"math/bits"
	"slices"

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
	// Profile returns a case that Representatives named, whole.
	Profile(evidence.Ref) (*evidence.Profile, error)
	// Outline is Profile, but of a case with very many values it may leave out
	// the sightings and set Counts.
	Outline(evidence.Ref) (*evidence.Profile, error)
	// Overlap is Outline with at least the sightings whose value with has too,
	// and those of mail-rule names.
	Overlap(ref evidence.Ref, with *evidence.Profile) (*evidence.Profile, error)
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

// Scorer compares cases on one state of the corpus. It remembers what it reads,
// up to a bound, and is for one goroutine.
type Scorer struct {
	model      *Model
	caps       Caps
	corpus     Corpus
	classifier Classifier

	n      uint32
	prior  int32
	values map[evidence.Value]*value
	cases  map[evidence.Ref]*side
	held   int // sightings and index entries remembered
}

// maxHeld bounds what a Scorer remembers between two comparisons: about 100 MB.
const maxHeld = 500_000

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
	s.values = make(map[evidence.Value]*value)
	s.cases = make(map[evidence.Ref]*side)
	s.held = 0
}

// side is one case of a comparison.
type side struct {
	*evidence.Profile
	values []*value // of the sightings, in their order
	counts map[evidence.Kind]int
	logins int                  // addresses in a role of the actor
	bulk   bool                 // more values of a kind that weighs than an investigation has
	themed []*evidence.Sighting // names of mail rules that speak of security
}

// side returns a profile as a side, from memory where possible. One that was
// read for one comparison is not remembered.
func (s *Scorer) side(p *evidence.Profile) *side {
	if sd := s.cases[p.Ref]; sd != nil && sd.Profile == p {
		return sd
	}
	sd := s.newSide(p)
	if p.Counts == nil {
		s.cases[p.Ref] = sd
		s.held += len(p.Sightings) + 1
	}
	return sd
}

func (s *Scorer) newSide(p *evidence.Profile) *side {
	sd := &side{Profile: p, values: make([]*value, len(p.Sightings)), counts: p.Counts}
	if p.Counts == nil {
		sd.counts = make(map[evidence.Kind]int)
	}
	for i := range p.Sightings {
		sighting := &p.Sightings[i]
		sd.values[i] = s.value(sighting.Value)
		if p.Counts == nil {
			sd.counts[sighting.Kind]++
		}
		if sighting.Kind == evidence.KindRuleName && s.model.themed(sighting) {
			sd.themed = append(sd.themed, sighting)
		}
		if sighting.Kind == evidence.KindIP && actorRole(sighting.Roles) {
			sd.logins++
		}
	}
	for k, n := range sd.counts {
		sd.bulk = sd.bulk || n > s.model.bulkValues && s.model.carries(k)
	}
	return sd
}

// size returns the number of values among which one with these roles is: of the
// addresses that the actor used, if it is one of them, else of its kind. Of a
// bulk case it is always the kind: such a case may be known in part only, and
// has to score the same.
func (sd *side) size(s *evidence.Sighting) int {
	if s.Kind == evidence.KindIP && actorRole(s.Roles) && !sd.bulk {
		return sd.logins
	}
	return sd.counts[s.Kind]
}

// read returns a case of the corpus, from memory where possible. Of a bulk case
// the values may be missing.
func (s *Scorer) read(ref evidence.Ref) (*side, error) {
	if sd := s.cases[ref]; sd != nil {
		return sd, nil
	}
	p, err := s.corpus.Outline(ref)
	if err != nil {
		return nil, err
	}
	sd := s.newSide(p)
	if p.Counts != nil && !sd.bulk {
		if p, err = s.corpus.Profile(ref); err != nil {
			return nil, err
		}
		sd = s.newSide(p)
	}
	s.cases[ref] = sd
	s.held += len(p.Sightings) + 1
	return sd, nil
}

// Against returns a case of the corpus as far as it takes to compare it with p,
// which is whole.
func (s *Scorer) Against(p *evidence.Profile, ref evidence.Ref) (*evidence.Profile, error) {
	sd, err := s.read(ref)
	if err != nil {
		return nil, err
	}
	if sd.Counts == nil {
		return sd.Profile, nil
	}
	return s.corpus.Overlap(ref, p)
}

// Pair returns two cases of the corpus as far as it takes to compare them.
func (s *Scorer) Pair(x, y evidence.Ref) (a, b *evidence.Profile, err error) {
	sdX, err := s.read(x)
	if err != nil {
		return nil, nil, err
	}
	sdY, err := s.read(y)
	if err != nil {
		return nil, nil, err
	}
	if sdX.Counts != nil && sdY.Counts == nil {
		b, a, err = s.Pair(y, x)
		return a, b, err
	}
	a = sdX.Profile
	if a.Counts != nil {
		if a, err = s.corpus.Profile(x); err != nil {
			return nil, nil, err
		}
	}
	b, err = s.Against(a, y)
	return a, b, err
}

// shared returns the values that both sides have, in order of Value.
func (s *Scorer) shared(a, b *side) []sharedValue {
	var out []sharedValue
	for _, at := range common(a.Sightings, b.Sightings) {
		out = append(out, sharedValue{a.values[at.a], &a.Sightings[at.a], &b.Sightings[at.b]})
	}
	return out
}

// sharedValue is a value with its sighting in either case.
type sharedValue struct {
	v    *value
	a, b *evidence.Sighting
}

// place is where a common value stands in either case.
type place struct{ a, b int }

// common returns the places of common values, in order of Value.
func common(a, b []evidence.Sighting) []place {
	var out []place
	switch {
	case len(a) > 16*len(b):
		for _, p := range common(b, a) {
			out = append(out, place{p.b, p.a})
		}
	case len(b) > 16*len(a):
		from := 0
		for i := range a {
			from += search(b[from:], a[i].Value)
			if from < len(b) && b[from].Value == a[i].Value {
				out = append(out, place{i, from})
			}
		}
	default:
		for i, j := 0, 0; i < len(a) && j < len(b); {
			switch c := a[i].Value.Compare(b[j].Value); {
			case c < 0:
				i++
			case c > 0:
				j++
			default:
				out = append(out, place{i, j})
				i, j = i+1, j+1
			}
		}
	}
	return out
}

// search returns the index of the first sighting not before v.
func search(s []evidence.Sighting, v evidence.Value) int {
	i, _ := slices.BinarySearchFunc(s, v, func(s evidence.Sighting, v evidence.Value) int { return s.Value.Compare(v) })
	return i
}
