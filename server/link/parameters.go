package link

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// FirstOwnVersion is the least version of a model of a deployment's own; those
// below are part of the program.
const FirstOwnVersion = 1000

// Parameter is one constant of a model.
type Parameter struct {
	// Name is stable over versions, as in address.hosting.alpha.
	Name  string
	Value float64
	// Unit is for people; a count, millibits and days are whole numbers.
	Unit string
	// Min and Max are the values that With accepts.
	Min, Max float64
	// Origin says where the value is from, as in "elicited" and "learned from 132
	// reviews".
	Origin string
}

// Change is another value for a constant.
type Change struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Origin says where the value is from, for people.
	Origin string `json:"origin"`
}

// ParameterError is returned for a change that cannot be made.
type ParameterError struct{ Name, Reason string }

func (e *ParameterError) Error() string { return fmt.Sprintf("parameter %q: %s", e.Name, e.Reason) }

// BuiltIn returns a version that is part of the program; false if there is none of
// that number.
func BuiltIn(version uint32) (*Model, bool) {
	for _, m := range builtIns() {
		if m.version == version {
			return m, true
		}
	}
	return nil, false
}

// Newest returns the newest version that is part of the program.
func Newest() *Model {
	all := builtIns()
	return all[len(all)-1]
}

// BuiltInVersions returns the versions that are part of the program, oldest first.
func BuiltInVersions() []uint32 {
	var out []uint32
	for _, m := range builtIns() {
		out = append(out, m.version)
	}
	return out
}

func builtIns() []*Model { return []*Model{Version1(), Version2()} }

// Base returns the built-in version that the model is, or was made from.
func (m *Model) Base() uint32 { return m.base }

// Changes returns what differs from the built-in version, in order of name.
func (m *Model) Changes() []Change { return slices.Clone(m.changes) }

// Parameters returns every constant that With can change, in order of name.
func (m *Model) Parameters() []Parameter {
	constants := m.constants()
	out := make([]Parameter, len(constants))
	for i, c := range constants {
		out[i] = c.Parameter
	}
	return out
}

// Parameter returns one constant; false if the model has none of that name.
func (m *Model) Parameter(name string) (Parameter, bool) {
	for _, c := range m.constants() {
		if c.Name == name {
			return c.Parameter, true
		}
	}
	return Parameter{}, false
}

// With returns a model of another version with other values for some constants.
// The error is a *ParameterError that names what cannot be changed so. A change to
// the value that the built-in version has takes an earlier change back.
func (m *Model) With(version uint32, changes []Change) (*Model, error) {
	out := m.clone()
	out.version = version
	original, ok := BuiltIn(m.base)
	if !ok {
		return nil, &ParameterError{Name: "base", Reason: fmt.Sprintf("this program has no model version %d", m.base)}
	}
	was := make(map[string]float64)
	for _, p := range original.constants() {
		was[p.Name] = p.Value
	}
	known := make(map[string]*constant)
	constants := out.constants()
	for i := range constants {
		known[constants[i].Name] = &constants[i]
	}
	differs := make(map[string]Change)
	for _, c := range out.changes {
		differs[c.Name] = c
	}
	seen := make(map[string]bool)
	for _, c := range changes {
		p, ok := known[c.Name]
		if !ok {
			return nil, &ParameterError{c.Name, "the model has no constant of this name"}
		}
		if seen[c.Name] {
			return nil, &ParameterError{c.Name, "given twice"}
		}
		seen[c.Name] = true
		if err := p.check(c.Value); err != nil {
			return nil, err
		}
		if p.Value == c.Value {
			continue
		}
		p.set(c.Value)
		differs[c.Name] = c
		if was[c.Name] == c.Value {
			delete(differs, c.Name)
		}
	}
	if err := out.checkTiers(); err != nil {
		return nil, err
	}
	out.changes = slices.SortedFunc(maps.Values(differs), func(x, y Change) int { return strings.Compare(x.Name, y.Name) })
	out.derivePair()
	return out, nil
}

// checkTiers holds that a higher tier never asks for less.
func (m *Model) checkTiers() error {
	for i, t := range m.tiers[1:] {
		if above := m.tiers[i]; t.micros >= above.micros {
			return &ParameterError{
				"tier." + tierName(t.tier) + ".likelihood",
				"has to be below that of tier " + tierName(above.tier),
			}
		}
	}
	return nil
}

// constant is a Parameter of one model that can be set.
type constant struct {
	Parameter
	set func(float64)
}

// check reports why a value cannot be taken.
func (c *constant) check(v float64) error {
	switch {
	case math.IsNaN(v) || v < c.Min || v > c.Max:
		return &ParameterError{c.Name, fmt.Sprintf("%v is not in %v to %v", v, c.Min, c.Max)}
	case wholeUnits(c.Unit) && v != math.Trunc(v):
		return &ParameterError{c.Name, fmt.Sprintf("%v is not a whole number of %s", v, c.Unit)}
	}
	return nil
}

// Units of constants.
const (
	unitShare      = "share"      // of cases, 0 to 1
	unitUsers      = "actors"     // unrelated ones that nobody has seen
	unitDays       = "days"       //
	unitMillibits  = "millibits"  // thousandths of log2 odds
	unitValues     = "values"     // of one kind in a case
	unitCases      = "cases"      //
	unitLikelihood = "likelihood" // 0 to 1
	unitGroups     = "groups"     // of evidence
	unitFactor     = "factor"     //
	unitReviews    = "reviews"    //
)

func wholeUnits(unit string) bool {
	return slices.Contains([]string{unitDays, unitMillibits, unitValues, unitGroups, unitReviews}, unit)
}

// maxAlpha bounds alpha: more users than there are cases weigh nothing.
const maxAlpha = 1e6

// constants returns every constant, in order of name, set to change m itself.
func (m *Model) constants() []constant {
	b := &book{}
	b.rows(m)
	b.scalars(m)
	b.shares(m)
	b.alike(m)
	slices.SortFunc(b.all, func(x, y constant) int { return cmp.Compare(x.Name, y.Name) })
	differs := make(map[string]string, len(m.changes))
	for _, c := range m.changes {
		differs[c.Name] = c.Origin
	}
	for i := range b.all {
		c := &b.all[i]
		if origin, ok := differs[c.Name]; ok {
			c.Origin = origin
		} else if c.Origin == "" {
			c.Origin = "elicited"
		}
	}
	return b.all
}

// book collects constants.
type book struct{ all []constant }

type number interface {
	~int | ~int32 | ~int64 | ~uint32 | ~float64
}

// add adds a constant that is a field.
func add[T number](b *book, name, unit string, at *T, low, high float64) {
	b.all = append(b.all, constant{
		Parameter{Name: name, Value: float64(*at), Unit: unit, Min: low, Max: high},
		func(v float64) { *at = T(v) },
	})
}

// nameRows names the rows of kinds and classes.
func (m *Model) nameRows() {
	for class, r := range m.addresses {
		r.name = "address." + class
	}
	for class, r := range m.referenced {
		r.name = "referenced." + class
	}
	for class, r := range m.names {
		r.name = "name.class." + class
	}
	for kind, r := range m.kinds {
		r.name = "kind." + string(kind)
	}
	m.sendingName.name, m.otherName.name, m.spoofedName.name = "name.sending", "name.other", "name.spoofed"
	m.forwardDomain.name, m.theme.name = "forward_domain", "theme"
}

// rows adds the rows of kinds and classes.
func (b *book) rows(m *Model) {
	for _, rows := range []map[string]*row{m.addresses, m.referenced, m.names} {
		for _, r := range rows {
			b.row(r)
		}
	}
	for _, r := range m.kinds {
		b.row(r)
	}
	for _, r := range []*row{&m.sendingName, &m.otherName, &m.spoofedName, &m.forwardDomain} {
		b.row(r)
	}
	add(b, "theme.m", unitShare, &m.theme.m, .001, 1)
	add(b, "theme.half_life", unitDays, &m.theme.halfLife, 1, 36_500)
	add(b, "theme.cap", unitMillibits, &m.theme.cap, 0, 40_000)
	add(b, "theme.background", unitShare, &m.themeShare, .0001, 1)
}

// row adds one row; one of a service weighs nothing and has no constants.
func (b *book) row(r *row) {
	name := r.name
	if r.service {
		return
	}
	add(b, name+".m", unitShare, &r.m, .0001, 1)
	add(b, name+".alpha", unitUsers, &r.alpha, .001, maxAlpha)
	add(b, name+".half_life", unitDays, &r.halfLife, 1, 36_500)
	add(b, name+".cap", unitMillibits, &r.cap, 0, 40_000)
	add(b, name+".length", unitValues, &r.length, 1, 10_000)
}

// scalars adds what stands for itself.
func (b *book) scalars(m *Model) {
	add(b, "siblings", unitCases, &m.siblings, 1./64, 64)
	add(b, "ceiling", unitLikelihood, &m.ceiling, .9, .999)
	add(b, "calibration.scale", unitFactor, &m.calibration.scale, .5, 4)
	add(b, "calibration.shift", unitMillibits, &m.calibration.shift, -8000, 8000)
	add(b, "calibration.reviews", unitReviews, &m.calibration.reviews, 0, 1e9)
	add(b, "rules.cap", unitMillibits, &m.rulesCap, 0, 40_000)
	add(b, "group.bonus", unitMillibits, &m.groupBonus, 0, 4000)
	add(b, "bulk.values", unitValues, &m.bulkValues, 8, 10_000)
	add(b, "bulk.below_prior", unitMillibits, &m.bulkBelow, 0, 40_000)
	add(b, "family.behaviour.cap", unitMillibits, &m.behaviourCap, 0, 20_000)
	for f, v := range m.familyAbovePrior {
		b.all = append(b.all, constant{
			Parameter{Name: "family." + string(f) + ".above_prior", Value: float64(v), Unit: unitMillibits, Min: -20_000, Max: 20_000},
			func(v float64) { m.familyAbovePrior[f] = int32(v) },
		})
	}
	for i := range m.tiers {
		t := &m.tiers[i]
		name := "tier." + tierName(t.tier)
		b.all = append(b.all, constant{
			Parameter{Name: name + ".likelihood", Value: float64(t.micros) / 1e6, Unit: unitLikelihood, Min: .001, Max: .999, Origin: policy},
			func(v float64) { t.micros = uint32(math.RoundToEven(float64(v * 1e6))) },
		})
		add(b, name+".groups", unitGroups, &t.groups, 0, 10)
		b.all[len(b.all)-1].Origin = policy
	}
}

// policy is the origin of what is not measured but wanted.
const policy = "policy"

// tierName names a tier that a likelihood gives.
func tierName(t Tier) string {
	switch t {
	case Strong:
		return "strong"
	case Probable:
		return "probable"
	case Possible:
		return "possible"
	}
	return "lead"
}

// shares adds how common names of mail rules and techniques are.
func (b *book) shares(m *Model) {
	for name, v := range m.ruleNames {
		b.all = append(b.all, constant{
			Parameter{Name: "rule_name." + name + ".background", Value: v, Unit: unitShare, Min: 0, Max: 1},
			func(v float64) { m.ruleNames[name] = v },
		})
	}
	add(b, "rule_name_short.background", unitShare, &m.shortName, 0, 1)
	for i := range m.lexiconOnly {
		add(b, fmt.Sprintf("rule_name_of_%d_lexicon_words.background", i+1), unitShare, &m.lexiconOnly[i], 0, 1)
	}
	for kind, r := range m.techniques {
		for i, t := range r.techniques {
			add(b, "technique."+kind+"."+t, unitMillibits, &r.millibits[i], 0, 20_000)
			b.all[len(b.all)-1].Origin = "illustrative"
		}
	}
}

// clone returns a copy that shares nothing that With may change.
func (m *Model) clone() *Model {
	out := *m
	out.addresses, out.referenced = cloneRows(m.addresses), cloneRows(m.referenced)
	out.names, out.kinds = cloneRows(m.names), cloneRows(m.kinds)
	out.familyAbovePrior, out.ruleNames = maps.Clone(m.familyAbovePrior), maps.Clone(m.ruleNames)
	out.tiers = slices.Clone(m.tiers)
	out.techniques = make(map[string]*rarity, len(m.techniques))
	for kind, r := range m.techniques {
		out.techniques[kind] = &rarity{slices.Clone(r.techniques), slices.Clone(r.millibits)}
	}
	return &out
}

func cloneRows[K evidence.Kind | string](rows map[K]*row) map[K]*row {
	out := make(map[K]*row, len(rows))
	for k, r := range rows {
		c := *r
		out[k] = &c
	}
	return out
}
