package link

import (
	"slices"
	"strings"
)

// slab is room for many small slices side by side: each by itself would take up to
// twice its length, and time of the collector. The zero slab is empty.
type slab[T any] struct {
	free []T
	kept int
}

// Bounds of what a slab takes at a time, in elements. It takes as much as it has,
// so that a small world stays small.
const (
	leastSlab = 16
	mostSlab  = 4_096
)

// take returns n zero elements, whose capacity is their number.
func (s *slab[T]) take(n int) []T {
	if n > len(s.free) {
		s.free = make([]T, max(n, min(max(s.kept, leastSlab), mostSlab)))
	}
	s.kept += n
	var out []T
	out, s.free = s.free[:n:n], s.free[n:]
	return out
}

// keep returns a copy, nil of nothing.
func (s *slab[T]) keep(x []T) []T {
	if len(x) == 0 {
		return nil
	}
	out := s.take(len(x))
	copy(out, x)
	return out
}

// one returns a copy of one element.
func (s *slab[T]) one(x T) *T { return &s.keep([]T{x})[0] }

// standingRoom is where one goroutine puts the representatives of values, and what
// it uses for that again and again.
type standingRoom struct {
	on        slab[*side]
	of        slab[uint8]
	explained slab[uint64]
	sides     []*side
	tenantOf  []uint8
}

// worldRoom is where the cases of a world are put, and what they have in common as
// long as they come.
type worldRoom struct {
	cases      slab[side]
	keys       slab[uint32]
	sights     slab[sight]
	rules      slab[ruleSet]
	themes     slab[theme]
	likenesses slab[likeness]
	names      slab[ruleName]
	contents   slab[ruleContent]
	neighbours slab[neighbour]
	systems    slab[neighbour]

	tenants map[string]string
	texts   map[string]string
	// named are the names of mail rules.
	named map[nameKey]*nameText
	// noRules is what all cases without mail rules have of them.
	noRules *ruleSet
	// bare are standings without systems, by their logins.
	bare map[int32]*standing
}

// nameKey is what names of one text may differ in: a case may spell one in several ways.
type nameKey struct {
	text, tokens string
	share        float64
}

func newWorldRoom() worldRoom {
	return worldRoom{
		tenants: make(map[string]string), texts: make(map[string]string), named: make(map[nameKey]*nameText),
		noRules: &ruleSet{}, bare: make(map[int32]*standing),
	}
}

// keep returns a case of which nothing stays but what it needs: of the text not the
// whole record that the profile was read from.
func (r *worldRoom) keep(c side) *side {
	c.Tenant, c.Case = same(r.tenants, c.Tenant), strings.Clone(c.Case)
	c.keys, c.sights = r.keys.keep(c.keys), r.sights.keep(c.sights)
	if c.rules.empty() {
		c.rules = r.noRules
	} else {
		c.rules = r.ruleSet(*c.rules)
	}
	if c.like != nil {
		c.like = r.likeness(*c.like)
	}
	return r.cases.one(c)
}

func (r *worldRoom) ruleSet(s ruleSet) *ruleSet {
	s.names, s.contents, s.themed = r.names.keep(s.names), r.contents.keep(s.contents), r.themes.keep(s.themed)
	for i := range s.names {
		n := &s.names[i]
		key := nameKey{n.text, n.tokens, n.share}
		if r.named[key] == nil {
			n.text, n.tokens, n.trigrams = same(r.texts, n.text), same(r.texts, n.tokens), slices.Clip(n.trigrams)
			r.named[nameKey{n.text, n.tokens, n.share}] = n.nameText
		}
		n.nameText = r.named[key]
	}
	for i := range s.contents {
		s.contents[i].text = same(r.texts, s.contents[i].text)
	}
	for i := range s.themed {
		s.themed[i].name = same(r.texts, s.themed[i].name)
	}
	return r.rules.one(s)
}

func (r *worldRoom) likeness(l likeness) *likeness {
	l.networks.all, l.domains.all = r.neighbours.keep(l.networks.all), r.neighbours.keep(l.domains.all)
	if len(l.standing.as.all) == 0 {
		if r.bare[l.standing.logins] == nil {
			r.bare[l.standing.logins] = l.standing
		}
		l.standing = r.bare[l.standing.logins]
	} else {
		l.standing.as.all = r.systems.keep(l.standing.as.all)
	}
	return r.likenesses.one(l)
}

// same returns the string that stands for all that are equal.
func same(known map[string]string, s string) string {
	if one, ok := known[s]; ok {
		return one
	}
	s = strings.Clone(s)
	known[s] = s
	return s
}
