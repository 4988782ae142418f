package link

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// side is one case of a comparison, reduced to numbers.
type side struct {
	evidence.Ref
	// profile is what the side was made from, nil in a World, where keys are the
	// numbers of values.
	profile *evidence.Profile
	trust   float64
	rarity  *rarity // of the techniques of the case's kind, nil if nobody knows
	// techniques has a bit for each technique in rarity.
	techniques uint64

	keys   []uint32 // of the values, ascending; equal values have equal keys
	sights []sight  // of keys
	rules  *ruleSet // never nil
	like   *likeness

	revision uint32 // in a World
	active   span
	dwell    int32 // days, -1 where the evidence does not show it
	live     bool
	// dismissed cases never link.
	dismissed bool
	// bulk cases have more values of a kind that weighs than an investigation has.
	bulk bool
	// partial sides lack values: those of a bulk case that was read in outline.
	partial bool
}

// sighting returns the sighting at a place among the keys.
func (sd *side) sighting(i int32) *evidence.Sighting { return &sd.profile.Sightings[sd.sights[i].at] }

// valueOf returns the value at a place among the keys of a side.
func (s *Scorer) valueOf(sd *side, i int32) *value {
	if s.world != nil {
		return s.world.values[sd.keys[i]]
	}
	return s.value(sd.sighting(i).Value)
}

// sight is a value in a case, reduced to numbers. A World has millions, so it is
// kept small.
type sight struct {
	span
	// at is the index of the sighting in the profile; while a World is made, when the
	// value was seen last, in Unix seconds.
	at uint32
	// size is the number of values among which this one is.
	size  uint16
	roles roleSet
	// words says how ordinary a spelling of a mail-rule name is: the number of
	// words of the lexicon that it consists of, 0 if it has others.
	words uint8
}

// bulk reports whether the case has too many values of the kind.
func (x *sight) bulk() bool { return x.roles&inBulk != 0 }

// theme is the name of a mail rule that speaks of security.
type theme struct {
	span
	name string
	at   int32 // index of the sighting in the profile
}

// span is a time in whole UTC days since 1970, both ends unknown or neither.
type span struct{ first, last uint16 }

// noDay stands for an unknown day. No case has a time before 1990.
const noDay = 0

func spanOf(first, last time.Time) span {
	if first.IsZero() {
		return span{noDay, noDay}
	}
	return span{dayOf(first), dayOf(last)}
}

// dayOf numbers a day up to the year 2149; later ones count as the last.
func dayOf(t time.Time) uint16 { return uint16(min(max(utcDay(t), noDay+1), math.MaxUint16)) }

// gap returns the whole days between two spans, 0 if they touch; ok is false
// where a side has no date.
func (x span) gap(y span) (days int64, ok bool) {
	if x.first == noDay || y.first == noDay {
		return noDateGap, false
	}
	return max(0, int64(y.first)-int64(x.last), int64(x.first)-int64(y.last)), true
}

// roleSet is what matters about the roles of a sighting.
type roleSet uint8

const (
	roleActor       roleSet = 1 << iota // the actor's to use
	roleSending                         // sent or was allow-listed
	roleSpoofed                         // pretended to be the sender
	roleOther                           // any other role
	roleOnlySpoofed                     // spoofed and nothing else
	// inBulk is no role: it says that the case has too many values of the kind.
	inBulk
)

func rolesOf(roles []string) roleSet {
	var set roleSet
	for _, r := range roles {
		switch r {
		case evidence.RoleSpoofed:
			set |= roleSpoofed
		case evidence.RoleSendingInfrastructure, evidence.RoleAllowListed:
			set |= roleSending | roleActor
		case evidence.RoleLoginSource:
			set |= roleOther | roleActor
		default:
			set |= roleOther
		}
	}
	if len(roles) == 1 && set == roleSpoofed {
		set |= roleOnlySpoofed
	}
	return set
}

// side returns a profile as a side, from memory where possible. One that was
// read for one comparison is not remembered.
func (s *Scorer) side(p *evidence.Profile) (*side, error) {
	if sd := s.cases[p.Ref]; sd != nil && sd.profile == p {
		return sd, nil
	}
	sd, err := s.newSide(p)
	if err == nil && p.Counts == nil {
		s.cases[p.Ref] = sd
	}
	return sd, err
}

func (s *Scorer) newSide(p *evidence.Profile) (*side, error) {
	trust, err := s.corpus.Trust(p.Tenant)
	if err != nil {
		return nil, err
	}
	trust = min(1, max(0, trust))
	s.held += len(p.Sightings) + 1
	if sd := s.sides.get(p); sd != nil && sd.trust == trust {
		return sd, nil
	}
	order := s.order[:0]
	for i := range p.Sightings {
		order = append(order, keyed{s.sides.key(p.Sightings[i].Value), int32(i)})
	}
	s.order = order
	sd := s.model.newSide(p, order, s.kinds, s.sides.seed)
	sd.trust, sd.profile, sd.partial = trust, p, p.Counts != nil
	if sd.like != nil {
		sd.like.networks.index()
		sd.like.domains.index()
	}
	s.sides.put(sd)
	return sd, nil
}

// Sides remembers cases as scorers of one model compare them, so that one that is
// compared often is reduced to numbers once. It is for any number of goroutines.
type Sides struct {
	seed  maphash.Seed
	slots []atomic.Pointer[side]
}

// NewSides returns room for at most that many cases of up to maxShared values,
// about 250 bytes for each value, with the profiles they were made of.
func NewSides(cases int) *Sides {
	return &Sides{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[side], max(cases, 1))}
}

// maxShared is the number of values above which a case is not remembered.
const maxShared = 64

func (m *Sides) slot(r evidence.Ref) *atomic.Pointer[side] {
	at := maphash.String(m.seed, r.Case) + maphash.String(m.seed, r.Tenant)
	return &m.slots[at%uint64(len(m.slots))]
}

// get returns the side of a profile: of this very one, since another of the same
// case may be of another version.
func (m *Sides) get(p *evidence.Profile) *side {
	if sd := m.slot(p.Ref).Load(); sd != nil && sd.profile == p {
		return sd
	}
	return nil
}

func (m *Sides) put(sd *side) {
	// Of a partial profile there is another for every comparison.
	if !sd.partial && len(sd.keys) <= maxShared {
		m.slot(sd.Ref).Store(sd)
	}
}

// Forget forgets them.
func (m *Sides) Forget() {
	for i := range m.slots {
		m.slots[i].Store(nil)
	}
}

// key returns a number by which values are compared first.
func (m *Sides) key(v evidence.Value) uint32 {
	return uint32(maphash.String(m.seed, v.Text) + maphash.String(m.seed, string(v.Kind)))
}

// newSide makes a side of those sightings of a profile that are in order, which
// it sorts. kinds is room for counting, seed that of what compares texts.
func (m *Model) newSide(p *evidence.Profile, order []keyed, kinds map[evidence.Kind]int, seed maphash.Seed) *side {
	sd := &side{
		Ref: p.Ref, live: p.Live, dismissed: p.Dismissed,
		active: spanOf(p.First, p.Last), dwell: dwellDays(p),
		keys: make([]uint32, len(order)), sights: make([]sight, len(order)),
	}
	sd.rarity = m.techniques[p.Kind]
	sd.techniques = sd.rarity.set(p.Techniques)
	counts := m.count(p, kinds)
	sd.bulk, sd.like, sd.rules = counts.bulk, m.likeness(p, &counts, seed), m.ruleSet(p, &counts)
	slices.SortFunc(order, func(x, y keyed) int { return cmp.Compare(x.key, y.key) })
	for k, at := range order {
		sg := &p.Sightings[at.at]
		sd.keys[k] = at.key
		sd.sights[k] = sight{
			span: spanOf(sg.First, sg.Last), at: uint32(at.at), roles: rolesOf(sg.Roles), size: shortSize(counts.size(sg)),
		}
		if counts.kinds[sg.Kind] > m.bulkValues || counts.listed && m.listed[sg.Kind] {
			sd.sights[k].roles |= inBulk
		}
		if sg.Kind == evidence.KindRuleName {
			sd.sights[k].words, _ = m.spellings(sg)
		}
	}
	return sd
}

// keyed is a sighting of a profile with the key of its value.
type keyed struct {
	key uint32
	at  int32
}

// counts are the numbers of values of a case by kind, and of addresses in a role
// of the actor.
type counts struct {
	kinds  map[evidence.Kind]int
	logins int
	bulk   bool
	listed bool // bulk in a kind that lists consist of
}

// count counts the values of a profile, in kinds unless they are counted.
func (m *Model) count(p *evidence.Profile, kinds map[evidence.Kind]int) counts {
	c := counts{kinds: p.Counts}
	if c.kinds == nil {
		clear(kinds)
		c.kinds = kinds
		for i := range p.Sightings {
			c.kinds[p.Sightings[i].Kind]++
		}
	}
	for i := range p.Sightings {
		if sg := &p.Sightings[i]; sg.Kind == evidence.KindIP && actorRole(sg.Roles) {
			c.logins++
		}
	}
	for k, n := range c.kinds {
		if n > m.bulkValues && m.carries(k) {
			c.bulk = true
			c.listed = c.listed || m.listed[k]
		}
	}
	return c
}

// size returns the number of values among which one with these roles is: of the
// addresses that the actor used, if it is one of them, else of its kind. Of a
// bulk case it is always the kind: such a case may be known in part only, and
// has to score the same.
func (c *counts) size(s *evidence.Sighting) int32 {
	if s.Kind == evidence.KindIP && !c.bulk && actorRole(s.Roles) {
		return int32(c.logins)
	}
	return int32(c.kinds[s.Kind])
}

// place is where a common value stands in either case.
type place struct{ a, b int32 }

// common appends the places of the values that both sides have.
func common(out []place, x, y *side) []place {
	a, b := x.keys, y.keys
	switch {
	case len(a) > 16*len(b):
		from := len(out)
		out = common(out, y, x)
		for i := from; i < len(out); i++ {
			out[i] = place{out[i].b, out[i].a}
		}
		return out
	case len(b) > 16*len(a):
		from := 0
		for i, key := range a {
			k, _ := slices.BinarySearch(b[from:], key)
			from += k
			out = appendEqual(out, x, y, i, from)
		}
		return out
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			out = appendEqual(out, x, y, i, j)
			i++
		}
	}
	return out
}

// appendEqual appends the place of the value at i of x among those of y that
// have its key, the first of which would stand at j. Two values may have one key.
func appendEqual(out []place, x, y *side, i, j int) []place {
	for ; j < len(y.keys) && y.keys[j] == x.keys[i]; j++ {
		if x.profile == nil || x.sighting(int32(i)).Value == y.sighting(int32(j)).Value {
			return append(out, place{int32(i), int32(j)})
		}
	}
	return out
}
