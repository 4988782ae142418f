package link

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// off are the parts of the score that an ablation takes away and that no constant
// can. Its zero value is the whole score.
type off struct {
	count   bool // d is 0, whoever else has a value
	explain bool // nobody's presence on a value is explained
	groups  bool // the values of a group count in full
	ranks   bool // every group counts in full
}

// features turn parts of the score off, by name.
func features() map[string]func(*Model) {
	return map[string]func(*Model){
		"fuzzy_names":        func(m *Model) { m.alike.names = false },
		"rule_content":       func(m *Model) { delete(m.kinds, evidence.KindRuleWords); m.alike.content, m.alike.noContent = 0, 0 },
		"registrable_domain": func(m *Model) { m.alike.domain = row{} },
		"network":            func(m *Model) { m.alike.network, m.alike.as = row{}, row{} },
		"negatives":          func(m *Model) { m.alike.noLogin, m.alike.noContent = 0, 0 },
		"behaviour":          func(m *Model) { m.behaviourCap = 0 },
		"theme":              func(m *Model) { m.theme.m = 0 },
		"bulk_lists":         func(m *Model) { m.listed = nil },
		"user_agents":        func(m *Model) { m.agents = agents{} },
		"decay":              func(m *Model) { m.eachRow(func(r *row) { r.halfLife = forever }) },
		"length":             func(m *Model) { m.eachRow(func(r *row) { r.length = math.MaxFloat64 }) },
		"unexplained":        func(m *Model) { m.off.count = true },
		"explaining":         func(m *Model) { m.off.explain = true },
		"group_discount":     func(m *Model) { m.off.groups = true },
		"rank_discount":      func(m *Model) { m.off.ranks = true },
		"caps": func(m *Model) {
			for f := range m.familyAbovePrior {
				m.familyAbovePrior[f] = uncapped
			}
			m.rulesCap = uncapped
		},
		"class_caps": func(m *Model) {
			m.eachRow(func(r *row) {
				if r.cap > 0 {
					r.cap = uncapped
				}
			})
		},
	}
}

// forever is a half-life, in days, in which nothing decays.
const forever = 1 << 40

// uncapped is more than any evidence adds up to, in millibits.
const uncapped = 1 << 28

// Features returns the names of the parts of the score that Without can turn off,
// in order. Of those that do not speak for themselves, bulk_lists is that a case
// bulk in one kind of infrastructure is in all, user_agents their background,
// unexplained that a value counts for less because others have it, explaining that
// some of those others do not count, caps those of families and of all names of mail
// rules, class_caps those of weak rows.
func Features() []string { return slices.Sorted(maps.Keys(features())) }

// Without returns the model with one part of the score turned off, to measure what
// the part is for. It keeps the version: no store may hold links of it.
func (m *Model) Without(feature string) (*Model, error) {
	turnOff, ok := features()[feature]
	if !ok {
		return nil, fmt.Errorf("the score has no part named %q", feature)
	}
	out := m.clone()
	turnOff(out)
	out.derivePair()
	return out, nil
}

// eachRow calls f for every row that weighs values.
func (m *Model) eachRow(f func(*row)) {
	for _, rows := range []map[string]*row{m.addresses, m.referenced, m.names} {
		for _, r := range rows {
			f(r)
		}
	}
	for _, r := range m.kinds {
		f(r)
	}
	for _, r := range []*row{
		&m.sendingName, &m.otherName, &m.spoofedName, &m.forwardDomain, &m.theme,
		&m.alike.network, &m.alike.as, &m.alike.domain,
	} {
		f(r)
	}
}
