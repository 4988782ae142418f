package link

import (
	"fmt"
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

// behaviour compares what the intruders did, how long they stayed and when.
func (m *Model) behaviour(a, b *evidence.Profile) FamilyScore {
	f := FamilyScore{Name: Behaviour, Cap: m.behaviourCap}
	add := func(kind evidence.Kind, text string, level int32) {
		v := Value{Value: evidence.Value{Kind: kind, Text: text}, Trust: 1, Weight: level, Used: level}
		if kind == behaviourAttack {
			v.TechniquesA, v.TechniquesB = a.Techniques, b.Techniques
		}
		f.Groups = append(f.Groups, Group{ID: string(kind), Rank: 1, Used: level, Values: []Value{v}})
		f.Raw += level
	}
	if level, text, ok := m.attack(a, b); ok {
		add(behaviourAttack, text, level)
	}
	if level, text, ok := dwell(a, b); ok {
		add(behaviourDwell, text, level)
	}
	if level, text, ok := timing(a, b); ok {
		add(behaviourTiming, text, level)
	}
	f.Used = max(-f.Cap, min(f.Raw, f.Cap))
	return f
}

// attack compares the techniques by their rarity among cases of the kind: J is
// the rarity in common over the rarity of all.
func (m *Model) attack(a, b *evidence.Profile) (level int32, text string, ok bool) {
	table := m.techniques[a.Kind]
	if a.Kind != b.Kind || table == nil {
		return 0, "", false
	}
	var both, all int64
	common := 0
	for _, t := range a.Techniques {
		all += int64(table[t])
		if slices.Contains(b.Techniques, t) {
			both += int64(table[t])
			common++
		}
	}
	for _, t := range b.Techniques {
		if !slices.Contains(a.Techniques, t) {
			all += int64(table[t])
		}
	}
	if common == 0 {
		return 0, "", false
	}
	if both < 3000 {
		return 0, fmt.Sprintf("%s in common, too ordinary to say anything", counted(common)), true
	}
	switch {
	case both*10 >= all*8:
		level = 2500
	case both*10 >= all*6:
		level = 1500
	case both*10 >= all*4:
		level = 500
	case both*10 >= all*2:
		level = 0
	default:
		level = -1000
	}
	if both == all {
		return level, counted(common) + " in common, the same on both sides", true
	}
	j := divHalfEven(both*1000, all)
	return level, fmt.Sprintf("%s in common, .%03d of all by rarity", counted(common), min(j, 999)), true
}

// dwell compares how long the intruders stayed, where the evidence shows it.
func dwell(a, b *evidence.Profile) (level int32, text string, ok bool) {
	x, okX := dwellDays(a)
	y, okY := dwellDays(b)
	if !okX || !okY {
		return 0, "", false
	}
	if 100*max(x-y, y-x) <= 15*max(x, y) {
		level = 500
	}
	return level, fmt.Sprintf("stayed %d and %d days", x, y), true
}

func dwellDays(p *evidence.Profile) (int64, bool) {
	if p.First.IsZero() {
		return 0, false
	}
	days := utcDay(p.Last) - utcDay(p.First)
	// An intruder already there when the evidence begins came at some unknown
	// earlier time.
	censored := !p.EvidenceFrom.IsZero() && p.First.Sub(p.EvidenceFrom) <= 24*time.Hour
	return days, days >= minDwell && !censored
}

// timing compares when the intruders were active.
func timing(a, b *evidence.Profile) (level int32, text string, ok bool) {
	gap, ok := gapDays(a.First, a.Last, b.First, b.Last)
	if !ok {
		return 0, "", false
	}
	switch {
	case gap <= 14:
		level = 1000
	case gap <= 90:
		level = 0
	case gap <= 365:
		level = -1000
	default:
		level = -2000
	}
	if gap == 0 {
		return level, "active at the same time", true
	}
	return level, fmt.Sprintf("active %d days apart", gap), true
}

func counted(techniques int) string {
	if techniques == 1 {
		return "1 technique"
	}
	return fmt.Sprintf("%d techniques", techniques)
}
