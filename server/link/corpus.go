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
	// Representatives returns, tenant by tenant in bytewise order, the few live
	// cases that stand for their tenant on a value; nil if the value is in too
	// many tenants.
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

	n     uint32
	prior int32

	sides  *Sides
	values map[evidence.Value]*value
	cases  map[evidence.Ref]*side
	// standings are what the addresses of cases are, by what that depends on now.
	standings map[*side]*standing
	latest    [2]latest
	domains   map[uint64]string // by key of a neighbour
	turn      int               // which of latest goes next
	held      int               // sightings and masks remembered

	// world is set where everything is known and nothing has to be read.
	world *World

	// What follows is room that is used again and again.
	kinds map[evidence.Kind]int
	order []keyed
	comparison
}

// maxHeld bounds what a Scorer remembers between two comparisons: about 150 MB.
const maxHeld = 500_000

// NewScorer returns a scorer of m on c, which shares sides, unless that is nil,
// with other scorers of the same model. A cap on candidates above 64 tenants is read as 64.
func NewScorer(m *Model, caps Caps, c Corpus, classes Classifier, sides *Sides) (*Scorer, error) {
	caps.CandidateTenants = min(caps.CandidateTenants, 64)
	if sides == nil {
		sides = NewSides(1)
	}
	size, err := c.Size()
	if err != nil {
		return nil, err
	}
	s := &Scorer{model: m, caps: caps, corpus: c, classifier: classes, n: CorpusN(size), sides: sides, kinds: make(map[evidence.Kind]int)}
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

// forget drops all that is remembered.
func (s *Scorer) forget() {
	s.values = make(map[evidence.Value]*value)
	s.cases = make(map[evidence.Ref]*side)
	s.standings, s.latest = make(map[*side]*standing), [2]latest{}
	s.domains = make(map[uint64]string)
	s.held = 0
}

// relax gives back memory where the scorer remembers more than it should.
func (s *Scorer) relax() {
	if s.held > maxHeld {
		s.forget()
	}
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
	sd, err := s.newSide(p)
	if err != nil {
		return nil, err
	}
	if sd.partial && !sd.bulk {
		if p, err = s.corpus.Profile(ref); err != nil {
			return nil, err
		}
		if sd, err = s.newSide(p); err != nil {
			return nil, err
		}
	}
	s.cases[ref] = sd
	return sd, nil
}

// against returns a case of the corpus as far as it takes to compare it with x,
// which is whole.
func (s *Scorer) against(x *side, ref evidence.Ref) (*side, error) {
	sd, err := s.read(ref)
	if err != nil || !sd.partial {
		return sd, err
	}
	p, err := s.corpus.Overlap(ref, x.profile)
	if err != nil {
		return nil, err
	}
	return s.newSide(p)
}

// pair returns two cases of the corpus as far as it takes to compare them.
func (s *Scorer) pair(x, y evidence.Ref) (a, b *side, err error) {
	if a, err = s.read(x); err != nil {
		return nil, nil, err
	}
	if b, err = s.read(y); err != nil {
		return nil, nil, err
	}
	switch {
	case !a.partial && !b.partial:
		return a, b, nil
	case !a.partial:
		b, err = s.against(a, y)
		return a, b, err
	case b.partial:
		p, err := s.corpus.Profile(y)
		if err != nil {
			return nil, nil, err
		}
		if b, err = s.newSide(p); err != nil {
			return nil, nil, err
		}
	}
	a, err = s.against(b, x)
	return a, b, err
}
