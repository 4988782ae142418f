package link

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// family numbers the families in the order they are shown.
type family uint8

// families are those whose evidence is values.
var families = [...]Family{Infra, Deception, Tooling, Artifact}

func familyOf(f Family) family {
	for i, name := range families {
		if name == f {
			return family(i)
		}
	}
	return 0
}

// tally adds up evidence under the three discounts for dependence (SCORING.md
// A4): groups, ranks within a family, caps of families.
type tally struct {
	// parts are, after add, in order of family, rank and weight.
	parts []part
	sums  [len(families)]sum
	// groups is the number of groups with weight, without theme and behaviour.
	groups int

	sorted []part
	runs   []run
	// left is what bulk kinds may still add; listed ones together, as "".
	left map[evidence.Kind]int32
}

// sum is what the evidence of one family adds, in millibits.
type sum struct{ raw, cap, used int32 }

// run is a group of evidence: neighbours in a tally's parts.
type run struct {
	from, to int
	used     int32
}

// add fills sums, ranks and what each part adds.
func (t *tally) add(m *Model, prior int32) {
	slices.SortFunc(t.parts, comparePart)
	t.sorted = t.sorted[:0]
	clear(t.left)
	from := 0
	for f := range t.sums {
		to := from
		for to < len(t.parts) && int(t.parts[to].family) == f {
			to++
		}
		t.sums[f] = sum{cap: max(0, m.familyAbovePrior[families[f]]-prior)}
		t.addFamily(m, prior, &t.sums[f], t.parts[from:to])
		from = to
	}
	t.parts, t.sorted = t.sorted, t.parts
	t.countGroups()
}

func comparePart(x, y part) int {
	return cmp.Or(
		cmp.Compare(x.family, y.family), strings.Compare(x.group, y.group),
		cmp.Compare(y.weight, x.weight), x.value.Compare(y.value),
	)
}

// addFamily appends the parts of a family to sorted, best group first.
func (t *tally) addFamily(m *Model, prior int32, s *sum, parts []part) {
	t.runs = t.runs[:0]
	for from := 0; from < len(parts); {
		r := run{from: from, to: from}
		for r.to < len(parts) && parts[r.to].group == parts[from].group {
			r.to++
		}
		r.used = m.fill(parts[r.from:r.to])
		t.runs = append(t.runs, r)
		from = r.to
	}
	// The parts are in order of group names, which decides between equals.
	slices.SortStableFunc(t.runs, func(x, y run) int { return cmp.Compare(y.used, x.used) })
	begin, bulk := len(t.sorted), false
	for i, r := range t.runs {
		group := parts[r.from:r.to]
		m.rank(group, i+1)
		for k := range group {
			bulk = bulk || group[k].bulk
		}
		t.sorted = append(t.sorted, group...)
	}
	ranked := t.sorted[begin:]
	if bulk {
		t.capBulk(m, prior, ranked)
	}
	for i := range ranked {
		s.raw += ranked[i].used
	}
	s.used = min(s.raw, s.cap)
}

// fill sets what each part of a group adds, heaviest first, and returns their sum:
// the heaviest counts and all the rest together add a small bonus. Evidence of mail
// rules has a way of its own.
func (m *Model) fill(group []part) (total int32) {
	if group[0].group == rulesGroup {
		return m.fillRules(group)
	}
	for i := range group {
		p := &group[i]
		switch {
		case i == 0 || m.off.groups:
			p.used = p.weight
		case i == 1:
			p.used = min(p.weight, m.groupBonus)
		default:
			p.used = 0
		}
		total += p.used
	}
	return total
}

// fillRules is fill for mail rules. Names and contents each halve from one to the
// next, the names up to a cap; and the lesser of the two sums halves once more. So a
// heavier part never lowers the sum.
func (m *Model) fillRules(group []part) (total int32) {
	var sums [2]int32
	var count [2]int
	for i := range group {
		p, block := &group[i], ruleBlock(&group[i])
		p.used = p.weight
		if !m.off.groups {
			p.used = halved(p.weight, count[block])
		}
		if block == ruleNames {
			p.used = min(p.used, m.rulesCap-sums[block])
		}
		count[block]++
		sums[block] += p.used
	}
	lesser := ruleNames
	if sums[ruleContents] < sums[ruleNames] {
		lesser = ruleContents
	}
	for i := range group {
		p := &group[i]
		if ruleBlock(p) == lesser && !m.off.groups {
			p.used = halved(p.used, 1)
		}
		total += p.used
	}
	return total
}

// The two natures of evidence from mail rules.
const (
	ruleNames = iota
	ruleContents
)

func ruleBlock(p *part) int {
	if p.value.Kind == evidence.KindRuleName {
		return ruleNames
	}
	return ruleContents
}

// rank halves what the parts of a group add once for each better group. The sums
// are rounded, and the parts take the differences, so that they add up.
func (m *Model) rank(group []part, rank int) {
	total, before := int32(0), int32(0)
	for i := range group {
		p := &group[i]
		p.rank = rank
		total += p.used
		after := total
		if !m.off.ranks {
			after = halved(total, rank-1)
		}
		p.used = after - before
		before = after
	}
}

// capBulk bounds what kinds add in which a case is bulk: a case that lists half the
// internet matches everybody.
func (t *tally) capBulk(m *Model, prior int32, parts []part) {
	if t.left == nil {
		t.left = make(map[evidence.Kind]int32)
	}
	limit := max(0, -prior-m.bulkBelow)
	for i := range parts {
		p := &parts[i]
		if !p.bulk {
			continue
		}
		kind := p.value.Kind
		if m.listed[kind] {
			kind = ""
		}
		if _, ok := t.left[kind]; !ok {
			t.left[kind] = limit
		}
		p.capped = p.used > t.left[kind]
		p.used = min(p.used, t.left[kind])
		t.left[kind] -= p.used
	}
}

// countGroups counts the groups with weight; one that stands in two families
// counts once.
func (t *tally) countGroups() {
	t.groups = 0
	for i := range t.parts {
		p := &t.parts[i]
		if p.counts() && !slices.ContainsFunc(t.parts[:i], func(o part) bool { return o.counts() && o.group == p.group }) {
			t.groups++
		}
	}
}

// counts reports whether a part makes its group one of evidence.
func (p *part) counts() bool { return p.used > 0 && p.how.counts() }

// values returns the number of common values with weight.
func (t *tally) values() (n uint32) {
	for i := range t.parts {
		if t.parts[i].how.common() {
			n++
		}
	}
	return n
}

// total returns the score with the given behaviour, and its likelihood.
func (t *tally) total(m *Model, prior, behaviour int32) (int32, uint32) {
	total := prior + behaviour
	for _, s := range t.sums {
		total += s.used
	}
	return total, m.micros(total)
}

// micros returns the likelihood in millionths of a score in millibits.
func (m *Model) micros(total int32) uint32 {
	p := float64(m.ceiling / float64(1+exp2Millibits(-m.calibration.apply(total))))
	return uint32(math.RoundToEven(float64(p * 1e6)))
}
