package link

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// alikeness says how two values are alike that one piece of evidence stands for.
type alikeness uint8

const (
	equal       alikeness = iota // one value
	sameTheme                    // names of mail rules with words of security
	sameWords                    // names of mail rules with the same words
	sameLetters                  // names of mail rules with nearly the same letters
	sameContent                  // mail rules that look for nearly the same words
	sameNetwork
	sameSystem
	sameDomain
)

// common reports whether the evidence is a value that both cases have.
func (k alikeness) common() bool { return k == equal }

// counts reports whether the evidence may make its group one of those that a strong
// link needs: what is merely near may not, and a theme is no match.
func (k alikeness) counts() bool { return k < sameNetwork && k != sameTheme }

// match is a pair of mail rules that are alike but not equal.
type match struct {
	how alikeness
	// a and b are the places among the names or contents of either side.
	a, b int
	// both and all are the trigrams or keywords in common and together.
	both, all int
	// by are the derived common values that the match rests on.
	by []*value
}

// likes finds, once for each meeting, the mail rules that are alike.
func (s *Scorer) likes() []match {
	if s.matched {
		return s.matches
	}
	s.matched, s.matches = true, s.matches[:0]
	a, b := s.a.rules, s.b.rules
	if len(a.names)*len(b.names)+len(a.contents)*len(b.contents) == 0 {
		return s.matches
	}
	s.derived = s.derived[:0]
	for _, at := range s.shared {
		if v := s.valueOf(s.a, at.a); v.Kind.Derived() {
			s.derived = append(s.derived, v)
		}
	}
	s.matchNames(a, b)
	s.matchContents(a, b)
	return s.matches
}

// matchNames pairs the names that either side has alone, each at most once: first
// those with the same words, then those with nearly the same letters, the nearest
// first, and between equals in order of text.
func (s *Scorer) matchNames(a, b *ruleSet) {
	var all []match
	for i := range a.names {
		x := &a.names[i]
		if hasName(b.names, x.text) {
			continue
		}
		for k := range b.names {
			y := &b.names[k]
			if hasName(a.names, y.text) {
				continue
			}
			if x.tokens != "" && x.tokens == y.tokens {
				if by := s.derivedValue(evidence.Value{Kind: evidence.KindRuleTokens, Text: x.tokens}); by != nil {
					all = append(all, match{how: sameWords, a: i, b: k, both: 1, all: 1, by: []*value{by}})
				}
				continue
			}
			most := min(len(x.trigrams), len(y.trigrams))
			least := max(len(x.trigrams), len(y.trigrams))
			if most == 0 || float64(most) < float64(s.model.alike.letters*float64(least)) {
				continue
			}
			both := overlap(x.trigrams, y.trigrams)
			together := most + least - both
			if float64(both) >= float64(s.model.alike.letters*float64(together)) {
				all = append(all, match{how: sameLetters, a: i, b: k, both: both, all: together})
			}
		}
	}
	s.assign(all, func(m *match) (x, y string) { return a.names[m.a].text, b.names[m.b].text })
}

// matchContents pairs the keyword sets that either side has alone and that have a
// band in common, each at most once.
func (s *Scorer) matchContents(a, b *ruleSet) {
	var all []match
	for i := range a.contents {
		x := &a.contents[i]
		if hasContent(b.contents, x.text) {
			continue
		}
		for k := range b.contents {
			y := &b.contents[k]
			if hasContent(a.contents, y.text) {
				continue
			}
			both, together := x.Overlap(&y.RuleContent)
			if float64(both) < float64(s.model.alike.content*float64(together)) {
				continue
			}
			var by []*value
			for band := range x.Bands {
				if x.Bands[band] != y.Bands[band] {
					continue
				}
				if v := s.derivedValue(x.Band(band)); v != nil {
					by = append(by, v)
				}
			}
			if len(by) > 0 {
				all = append(all, match{how: sameContent, a: i, b: k, both: both, all: together, by: by})
			}
		}
	}
	s.assign(all, func(m *match) (x, y string) { return a.contents[m.a].text, b.contents[m.b].text })
}

// assign takes the best matches in which nothing comes twice.
func (s *Scorer) assign(all []match, texts func(*match) (x, y string)) {
	slices.SortFunc(all, func(m, n match) int {
		mx, my := texts(&m)
		nx, ny := texts(&n)
		// The smaller text first, so that it does not matter which side has it.
		return cmp.Or(
			cmp.Compare(m.how, n.how), cmp.Compare(n.both*m.all, m.both*n.all),
			cmp.Compare(min(mx, my), min(nx, ny)), cmp.Compare(max(mx, my), max(nx, ny)),
		)
	})
	from := len(s.matches)
	for _, m := range all {
		if !slices.ContainsFunc(s.matches[from:], func(o match) bool { return o.a == m.a || o.b == m.b }) {
			s.matches = append(s.matches, m)
		}
	}
}

func hasName(names []ruleName, text string) bool {
	return slices.ContainsFunc(names, func(n ruleName) bool { return n.text == text })
}

func hasContent(contents []ruleContent, text string) bool {
	return slices.ContainsFunc(contents, func(c ruleContent) bool { return c.text == text })
}

// derivedValue returns a derived value that both sides have, nil if they do not.
func (s *Scorer) derivedValue(v evidence.Value) *value {
	for _, known := range s.derived {
		if known.Value == v {
			return known
		}
	}
	return nil
}

// weighMatches weighs the mail rules that are alike. How many unrelated tenants have
// something like it is, for the same words and for content, that of the derived
// values that both cases have, the largest; for letters there is none, and every
// other tenant with either name counts as unexplained.
func (s *Scorer) weighMatches(trust float64) error {
	for i := range s.likes() {
		m := &s.matches[i]
		s.sharesContent = s.sharesContent || m.how == sameContent
		d, weighs, err := s.spreadOf(m)
		if err != nil {
			return err
		}
		if !weighs {
			continue
		}
		p := s.matchPart(m, quantise(d), trust)
		if p.weight > 0 {
			s.parts = append(s.parts, p)
		}
	}
	return nil
}

// matchPart weighs one match by the row of what would be equal.
func (s *Scorer) matchPart(m *match, d uint32, trust float64) part {
	kind, share := evidence.KindRuleName, 1.0
	p := part{group: rulesGroup, how: m.how, d: d, trust: trust, both: m.both, all: m.all}
	var na, nb int32
	var x, y span
	if m.how == sameContent {
		kind = evidence.KindRuleWords
		one, two := &s.a.rules.contents[m.a], &s.b.rules.contents[m.b]
		p.value, p.other = evidence.Value{Kind: kind, Text: one.text}, two.text
		p.near, x, y = place{one.at, two.at}, one.span, two.span
		na, nb = s.a.rules.contentCount, s.b.rules.contentCount
	} else {
		one, two := &s.a.rules.names[m.a], &s.b.rules.names[m.b]
		p.value, p.other = evidence.Value{Kind: kind, Text: one.text}, two.text
		p.near, x, y = place{one.at, two.at}, one.span, two.span
		p.background = max(one.share, two.share)
		na, nb = s.a.rules.nameCount, s.b.rules.nameCount
		share = s.model.alike.sameWords
		if m.how == sameLetters {
			share = s.model.alike.sameLetters
		}
	}
	p.row = s.model.kinds[kind]
	p.family, p.alpha = familyOf(p.row.family), p.row.alpha
	p.gap, p.dated = x.gap(y)
	p.sizes = place{na, nb}
	w := weigh(p.row, p.alpha, p.background, trust, d, s.n, int(na), int(nb), p.gap)
	p.weight = int32(math.RoundToEven(float64(share * float64(w))))
	return p
}

// spreadOf returns d of a match, and whether it may weigh anything.
func (s *Scorer) spreadOf(m *match) (d uint32, weighs bool, err error) {
	for _, v := range m.by {
		why, err := s.discounted(v, s.a, s.b, nil)
		if err != nil || why != mayWeigh {
			return 0, false, err
		}
		if s.bound && v.tenants > 2 && int(v.tenants) <= s.caps.CandidateTenants {
			s.guessed = true
			continue
		}
		more, err := s.unexplained(v, s.a, s.b)
		if err != nil {
			return 0, false, err
		}
		d = max(d, more)
	}
	if m.how != sameLetters {
		return d, true, nil
	}
	for i, name := range [2]*ruleName{&s.a.rules.names[m.a], &s.b.rules.names[m.b]} {
		others, weighs, err := s.otherHolders([2]*side{s.a, s.b}[i], name)
		if err != nil || !weighs {
			return 0, false, err
		}
		d = max(d, others)
	}
	return d, true, nil
}

// otherHolders returns how many tenants but the side's own have a name, and whether
// it may weigh anything.
func (s *Scorer) otherHolders(sd *side, name *ruleName) (others uint32, weighs bool, err error) {
	if s.world != nil {
		if !name.known {
			return 0, true, nil
		}
		v := s.world.values[name.number]
		return v.tenants - 1, int(v.tenants) <= s.caps.ScoringTenants, nil
	}
	v := s.value(evidence.Value{Kind: evidence.KindRuleName, Text: name.text})
	if err := s.spread(v); err != nil || int(v.tenants) > s.caps.ScoringTenants {
		return 0, false, err
	}
	others = v.tenants
	own := 1
	if s.a.Tenant == s.b.Tenant {
		if s.bound {
			s.guessed = true
		} else if own, err = s.corpus.CasesOf(v.Value, sd.Tenant, sameTenantCommon); err != nil || own >= sameTenantCommon {
			return 0, false, err
		}
	} else if !sd.live {
		if own, err = s.corpus.CasesOf(v.Value, sd.Tenant, 1); err != nil {
			return 0, false, err
		}
	}
	if others > 0 {
		others -= uint32(min(own, 1))
	}
	return others, true, nil
}

// rests returns the values, beside those that both cases have, that the score of
// the sides that met rests on.
func (s *Scorer) rests() (out []evidence.Value) {
	for _, m := range s.likes() {
		if m.how == sameLetters {
			for _, text := range [2]string{s.a.rules.names[m.a].text, s.b.rules.names[m.b].text} {
				out = append(out, evidence.Value{Kind: evidence.KindRuleName, Text: text})
			}
		}
	}
	return out
}

// weighableMatches counts the matches that may weigh something, as weighable counts
// values. What rests on values of which none proposes the pair for certain counts
// double, so that the pair keeps a row by which a change of them finds it.
func (s *Scorer) weighableMatches() (n int, err error) {
	for _, m := range s.likes() {
		if m.how != sameWords {
			n += 2
			continue
		}
		if err := s.spread(m.by[0]); err != nil {
			return 0, err
		}
		if int(m.by[0].tenants) <= s.caps.ScoringTenants {
			n++
		}
	}
	return n, nil
}

// matchReason says in words how two rules are alike.
func (p *part) matchReason() string {
	switch p.how {
	case sameWords:
		return fmt.Sprintf("the same words as %q", p.other)
	case sameLetters:
		return fmt.Sprintf("nearly the same letters as %q: %d of %d runs of three", p.other, p.both, p.all)
	case sameContent:
		return fmt.Sprintf("nearly the same keywords as %q: %d of %d", p.other, p.both, p.all)
	case sameNetwork:
		return fmt.Sprintf("%s and %s are different addresses of one network", p.one, p.other)
	case sameSystem:
		return fmt.Sprintf("%s and %s are in one autonomous system", p.one, p.other)
	case sameDomain:
		return fmt.Sprintf("%s and %s are under one domain", p.one, p.other)
	}
	return ""
}
