package link

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Kinds of the values that stand for behaviour in an explanation.
const (
	behaviourAttack evidence.Kind = "attack"
	behaviourDwell  evidence.Kind = "dwell"
	behaviourTiming evidence.Kind = "timing"
)

// minDwell is, in days, what an intruder has to have stayed for the length to
// say something.
const minDwell = 2

// rarity is how rare techniques are among cases of one kind, in millibits. The
// place of a technique is its bit in a set: at most 64.
type rarity struct {
	techniques []string
	millibits  []int32
}

func newRarity(table map[string]int32) *rarity {
	r := &rarity{}
	for t := range table {
		r.techniques = append(r.techniques, t)
	}
	slices.Sort(r.techniques)
	for _, t := range r.techniques {
		r.millibits = append(r.millibits, table[t])
	}
	return r
}

// set returns the techniques whose rarity is known.
func (r *rarity) set(techniques []string) (set uint64) {
	if r == nil {
		return 0
	}
	for _, t := range techniques {
		if i, ok := slices.BinarySearch(r.techniques, t); ok {
			set |= 1 << i
		}
	}
	return set
}

func (r *rarity) of(set uint64) (sum int64) {
	for ; set != 0; set &= set - 1 {
		sum += int64(r.millibits[bits.TrailingZeros64(set)])
	}
	return sum
}

// levels are what behaviour adds, in millibits.
type levels struct {
	attack, dwell, timing int32
	// both and all are the rarity of the techniques in common and of all.
	both, all int64
	// dwells and timed say that dwell and timing could be compared.
	dwells, timed bool
	gap           int64 // days between the activities
}

// behaviour compares what the intruders did, how long they stayed and when.
func (m *Model) behaviour(a, b *side) (l levels) {
	if a.rarity != nil && a.rarity == b.rarity {
		l.both, l.all = a.rarity.of(a.techniques&b.techniques), a.rarity.of(a.techniques|b.techniques)
		l.attack = attackLevel(l.both, l.all)
	}
	if a.dwell >= 0 && b.dwell >= 0 {
		l.dwells = true
		if 100*max(a.dwell-b.dwell, b.dwell-a.dwell) <= 15*max(a.dwell, b.dwell) {
			l.dwell = 500
		}
	}
	if l.gap, l.timed = a.active.gap(b.active); l.timed {
		l.timing = timingLevel(l.gap)
	}
	return l
}

// used is what behaviour adds under its cap.
func (l levels) used(m *Model) int32 {
	return max(-m.behaviourCap, min(l.attack+l.dwell+l.timing, m.behaviourCap))
}

// attackLevel compares techniques by their rarity among cases of the kind.
func attackLevel(both, all int64) int32 {
	switch {
	case both < 3000:
		return 0
	case both*10 >= all*8:
		return 2500
	case both*10 >= all*6:
		return 1500
	case both*10 >= all*4:
		return 500
	case both*10 >= all*2:
		return 0
	}
	return -1000
}

func timingLevel(gap int64) int32 {
	switch {
	case gap <= 14:
		return 1000
	case gap <= 90:
		return 0
	case gap <= 365:
		return -1000
	}
	return -2000
}

// dwellDays returns how long the intruder stayed, -1 where the evidence does not
// show it.
func dwellDays(p *evidence.Profile) int32 {
	if p.First.IsZero() {
		return -1
	}
	days := utcDay(p.Last) - utcDay(p.First)
	// An intruder already there when the evidence begins came at some unknown
	// earlier time.
	censored := !p.EvidenceFrom.IsZero() && p.First.Sub(p.EvidenceFrom) <= 24*time.Hour
	if days < minDwell || censored {
		return -1
	}
	return int32(min(days, math.MaxUint16))
}

// explain writes the family of behaviour.
func (l levels) explain(m *Model, a, b *side) FamilyScore {
	f := FamilyScore{Name: Behaviour, Cap: m.behaviourCap}
	add := func(kind evidence.Kind, text string, level int32) {
		v := Value{Value: evidence.Value{Kind: kind, Text: text}, Trust: 1, Weight: level, Used: level}
		if kind == behaviourAttack {
			v.TechniquesA, v.TechniquesB = a.profile.Techniques, b.profile.Techniques
		}
		f.Groups = append(f.Groups, Group{ID: string(kind), Rank: 1, Used: level, Values: []Value{v}})
		f.Raw += level
	}
	if text := l.attackText(a, b); text != "" {
		add(behaviourAttack, text, l.attack)
	}
	if l.dwells {
		add(behaviourDwell, fmt.Sprintf("stayed %d and %d days", a.dwell, b.dwell), l.dwell)
	}
	if l.timed {
		text := "active at the same time"
		if l.gap > 0 {
			text = fmt.Sprintf("active %d days apart", l.gap)
		}
		add(behaviourTiming, text, l.timing)
	}
	f.Used = l.used(m)
	return f
}

// attackText says what the techniques have in common, "" if nothing.
func (l levels) attackText(a, b *side) string {
	if a.rarity == nil || a.rarity != b.rarity {
		return ""
	}
	n := 0
	for _, t := range a.profile.Techniques {
		if slices.Contains(b.profile.Techniques, t) {
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case l.both < 3000:
		return counted(n) + " in common, too ordinary to say anything"
	case l.both == l.all:
		return counted(n) + " in common, the same on both sides"
	}
	j := divHalfEven(l.both*1000, l.all)
	return fmt.Sprintf("%s in common, .%03d of all by rarity", counted(n), min(j, 999))
}

func counted(techniques int) string {
	if techniques == 1 {
		return "1 technique"
	}
	return fmt.Sprintf("%d techniques", techniques)
}
