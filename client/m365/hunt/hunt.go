// Package hunt finds in Microsoft 365 audit records what intruders do. Each hunt
// stands in a file of its own and says which operations it looks at, under which
// conditions, which ATT&CK technique that is, what can be compared across
// tenants and what never leaves this one. The first nine are the hunt queries
// of the published investigation.
//
// It knows the schema of records, one record at a time. It must not know who the
// intruder is, what other records say, or what may leave a tenant: it marks what
// is private, and package dossier decides.
package hunt

import (
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

// ATTACKVersion is the version of ATT&CK (Enterprise) that techniques are of.
const ATTACKVersion = "16.1"

// Hunt looks for one behaviour.
type Hunt struct {
	// Name is the finding's id in a case, Title says it to people.
	Name, Title string
	// Technique is the ATT&CK technique, unless Look says a closer one.
	Technique string
	// Operations are those that it looks at, as Microsoft writes them.
	Operations []string
	// Anybody lets records of services and of unknown actors count; otherwise a
	// person must have acted.
	Anybody bool
	// Where reports whether a record counts; nil if all do.
	Where func(*Event) bool
	// Look says what of a record is worth keeping.
	Look func(*Event)
	// Points is how much the behaviour speaks against whoever shows it, from 0,
	// what everybody does all day, to 5, what hardly anybody ever does.
	Points int
	// Private says to people what the hunt sees that stays.
	Private string
}

// Observable is a value for linking. All but Kind and Value may be empty.
type Observable struct {
	Kind, Value, Role string
	// Written says that people wrote the value freely, so that words in it may
	// name somebody.
	Written bool
	// Secret says that the value is of a private kind: a server keeps a keyed
	// hash of it.
	Secret bool
}

// Fact is a statement about a finding, of words that this package chose.
type Fact struct{ Name, Value string }

// Kept is something that a hunt saw and that stays in the tenant.
type Kept struct{ What, Value string }

// Sighting is one record as a hunt sees it.
type Sighting struct {
	Hunt        *Hunt
	Technique   string
	Observables []Observable
	Facts       []Fact
	Kept        []Kept
	// Target is what the operation was done to, to be counted; it stays.
	Target string
	// Hot adds points for what this very record shows.
	Hot int
}

// Event is a record on its way through a hunt.
type Event struct {
	*m365.Record
	Lexicon  *lexicon.Lexicon
	sighting Sighting
}

// Observe adds a value for linking.
func (e *Event) Observe(o Observable) {
	if o.Value = strings.TrimSpace(o.Value); o.Value != "" && !slices.Contains(e.sighting.Observables, o) {
		e.sighting.Observables = append(e.sighting.Observables, o)
	}
}

// State adds a fact.
func (e *Event) State(name, value string) {
	f := Fact{name, value}
	if value != "" && !slices.Contains(e.sighting.Facts, f) {
		e.sighting.Facts = append(e.sighting.Facts, f)
	}
}

// Keep notes what stays in the tenant.
func (e *Event) Keep(what string, values ...string) {
	for _, v := range values {
		k := Kept{what, strings.TrimSpace(v)}
		if k.Value != "" && !slices.Contains(e.sighting.Kept, k) {
			e.sighting.Kept = append(e.sighting.Kept, k)
		}
	}
}

// Technique replaces the hunt's technique by a closer one.
func (e *Event) Technique(id string) { e.sighting.Technique = id }

// Target says what the operation was done to, which stays.
func (e *Event) Target(name string) {
	e.Count(name)
	e.Keep("target", name)
}

// Count says what the operation was done to where that is told otherwise.
func (e *Event) Count(name string) { e.sighting.Target = strings.ToLower(strings.TrimSpace(name)) }

// Hot adds points.
func (e *Event) Hot(points int) { e.sighting.Hot = max(e.sighting.Hot, points) }

// Pack is a set of hunts, ready to look at records. Use New. It is immutable and
// for concurrent use.
type Pack struct {
	hunts   []*Hunt
	byName  map[string][]*Hunt // of operations, folded
	written map[string]string  // operations as Microsoft writes them, by their folded form
	lexicon *lexicon.Lexicon
}

// New returns a pack of hunts, in the order in which findings are shown.
func New(l *lexicon.Lexicon, hunts ...*Hunt) *Pack {
	p := &Pack{hunts: hunts, byName: make(map[string][]*Hunt), written: make(map[string]string), lexicon: l}
	for _, h := range hunts {
		for _, op := range h.Operations {
			folded := m365.FoldOperation(op)
			p.byName[folded] = append(p.byName[folded], h)
			p.written[folded] = op
		}
	}
	return p
}

// Hunts returns the hunts in their order. They must not be changed.
func (p *Pack) Hunts() []*Hunt { return p.hunts }

// Written returns an operation as Microsoft writes it, whatever its case was in
// the evidence; what no hunt looks at is returned as it is.
func (p *Pack) Written(operation string) string {
	if w, ok := p.written[operation]; ok {
		return w
	}
	return operation
}

// Known reports whether any hunt looks at an operation.
func (p *Pack) Known(operation string) bool { return len(p.byName[operation]) > 0 }

// Look returns what the hunts see in a record.
func (p *Pack) Look(r *m365.Record) []Sighting {
	hunts := p.byName[r.Operation]
	if len(hunts) == 0 {
		return nil
	}
	var found []Sighting
	person := Person(r)
	for _, h := range hunts {
		if !person && !h.Anybody {
			continue
		}
		e := &Event{Record: r, Lexicon: p.lexicon, sighting: Sighting{Hunt: h, Technique: h.Technique}}
		if h.Where != nil && !h.Where(e) {
			continue
		}
		if h.Look != nil {
			h.Look(e)
		}
		found = append(found, e.sighting)
	}
	return found
}

// All returns the hunts of the published investigation, then those that it
// lacks.
func All() []*Hunt {
	return []*Hunt{
		externalLogin(), newAccount(), changedAccount(), delegation(), sitePermission(), mailboxUse(),
		transportRules(), spoofAllowList(), deletion(),
		inboxRules(), forwarding(), consent(), credentials(), directoryRole(), strongAuthentication(),
		passwordReset(), mailRead(), auditOff(), intermediary(), search(), federation(), chat(), alert(),
	}
}
