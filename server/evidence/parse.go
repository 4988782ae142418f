package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Draft is a case as somebody sent it. Nothing in it was checked: values,
// kinds, roles and times are raw. An observable's raw value is its Written
// where that is set, else its Text, so a Case converts to a Draft that parses
// to an equal case.
type Draft Case

// Options say how to parse. The zero value rejects private values.
type Options struct {
	// Now bounds times: they may lie a day ahead of it. The zero time bounds
	// nothing.
	Now time.Time
	// Partial leaves out what is invalid inside findings, where otherwise the
	// case is rejected.
	Partial bool
	// Private returns what replaces the normalised value of a private kind. Nil
	// rejects private values that are not hashed yet.
	Private func(k Kind, normalised string) string
}

// maxAhead is how far a sender's clock may be ahead.
const maxAhead = 24 * time.Hour

// earliest is a time before which nothing was recorded that a case could hold.
func earliest() time.Time { return time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Parse returns the case that a draft describes. The error is an *InvalidError
// with every violation; where the case exceeds a limit as a whole, its findings
// were not looked at.
//
// With Partial a bad observable, fact or role is left out, and a finding with
// any other violation is left out whole; what was left out is returned in order
// of occurrence. Violations outside findings and exceeded limits reject the case
// all the same.
//
// The draft is neither changed nor kept.
func Parse(d Draft, o Options) (*Case, []Violation, error) {
	p := parser{Options: o, fatal: &report{max: MaxViolations}}
	p.inner = p.fatal
	if o.Partial {
		p.inner = &report{}
	}
	c := p.header(&d)
	before := p.fatal.total
	checkLimits(&d, p.fatal)
	if p.fatal.total == before {
		for i := range d.Findings {
			if f, ok := p.finding("findings["+strconv.Itoa(i)+"]", &d.Findings[i]); ok {
				c.Findings = append(c.Findings, f)
			}
		}
		if p.fatal.total == 0 {
			// What the parser added counts too: a case that exists can be
			// submitted again.
			checkLimits((*Draft)(c), p.fatal)
		}
	}
	if err := p.fatal.err(); err != nil {
		return nil, nil, err
	}
	if !o.Partial {
		return c, nil, nil
	}
	return c, p.inner.list, nil
}

// parser gathers violations: fatal ones, and those inside findings. Without
// Partial the two are one.
type parser struct {
	Options
	fatal, inner *report
}

// header reads everything but the findings.
func (p *parser) header(d *Draft) *Case {
	r := p.fatal
	c := &Case{Ref: d.Ref, State: d.State, Restricted: d.Restricted}
	addFlaw(r, "", "tenant", tenantFlaw(d.Tenant))
	addFlaw(r, "", "id", caseIDFlaw(d.Case))
	c.Title = text(r, "", "title", d.Title, maxTitleBytes, "")
	var f *flaw
	c.Kind, f = readCaseKind(d.Kind)
	addFlaw(r, "", "kind", f)
	switch {
	case d.State == 0:
		c.State = Open
	case d.State > Dismissed:
		r.add("state", ReasonOutOfRange, fmt.Sprintf("%d is not a state", d.State))
	}
	c.OpenedAt, c.ClosedAt = p.span(r, "", "opened_at", "closed_at", d.OpenedAt, d.ClosedAt)
	c.EvidenceFrom, c.EvidenceTo = p.span(r, "", "evidence_from", "evidence_to", d.EvidenceFrom, d.EvidenceTo)
	c.TLP, f = readTLP(string(d.TLP))
	addFlaw(r, "", "tlp", f)
	c.Source = text(r, "", "source", d.Source, maxNameBytes, "")
	c.Labels = readLabels(r, d.Labels)
	c.References = readReferences(r, d.References)
	return c
}

func readLabels(r *report, labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	if len(labels) > maxLabels {
		r.add("labels", ReasonTooMany, fmt.Sprintf("%d labels; %d at most", len(labels), maxLabels))
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		path := "labels[" + quoteKey(k) + "]"
		if k == "" {
			r.add(path, ReasonRequired, "the label has no name")
		}
		text(r, path, "", k, maxLabelKeyBytes, "")
		text(r, path, "", labels[k], maxNameBytes, "")
	}
	return maps.Clone(labels)
}

// quoteKey quotes a key whole unless it is too long to be one.
func quoteKey(k string) string {
	if len(k) > maxLabelKeyBytes {
		return excerpt(k)
	}
	return strconv.Quote(k)
}

func readReferences(r *report, references []string) []string {
	if len(references) > maxReferences {
		r.add("references", ReasonTooMany, fmt.Sprintf("%d references; %d at most", len(references), maxReferences))
		return nil
	}
	for i, s := range references {
		path := "references[" + strconv.Itoa(i) + "]"
		if s == "" {
			r.add(path, ReasonRequired, "the reference is empty")
		}
		text(r, path, "", s, maxReferenceBytes, "")
	}
	return slices.Clone(references)
}

// finding reads one finding; false if it is to be left out.
func (p *parser) finding(at string, d *Finding) (Finding, bool) {
	r, before := p.inner, p.inner.total
	f := Finding{Outcome: d.Outcome, Count: d.Count}
	f.ID = text(r, at, ".id", d.ID, maxNameBytes, "")
	technique, bad := readTechnique(d.Technique)
	addFlaw(r, at, ".technique", bad)
	f.Technique = technique
	f.Operation = text(r, at, ".operation", d.Operation, maxNameBytes, "")
	if d.Outcome > Partial {
		r.add(at+".outcome", ReasonOutOfRange, fmt.Sprintf("%d is not an outcome", d.Outcome))
	}
	f.FirstSeen, f.LastSeen = p.span(r, at, ".first_seen", ".last_seen", d.FirstSeen, d.LastSeen)
	f.Summary = text(r, at, ".summary", d.Summary, maxSummaryBytes, "\n\t")
	if p.Partial && r.total > before {
		r.add(at, ReasonLeftOut, fmt.Sprintf("the whole finding, with %d observables", len(d.Observables)))
		return Finding{}, false
	}
	f.Facts = p.facts(at, d.Facts, nil)
	s := sightings{}
	for i := range d.Observables {
		if o, parts, ok := p.observable(at+".observables["+strconv.Itoa(i)+"]", &d.Observables[i]); ok {
			s.add(o, parts)
		}
	}
	f.Observables = s.merged()
	return f, true
}

// observable reads one observable; false if it is to be left out. Its roles may
// be empty still.
func (p *parser) observable(at string, d *Observable) (Observable, []part, bool) {
	r := p.inner
	raw := d.Text
	if d.Written != "" {
		raw = d.Written
	}
	v, field, bad := readValue(d.Kind, raw, p.Options)
	if bad != nil {
		r.add(at+"."+field, bad.reason, bad.message)
		if p.Partial {
			return Observable{}, nil, false
		}
	}
	o := Observable{Value: v.Value, Written: v.written, Count: d.Count}
	for i, sent := range d.Roles {
		role, bad := readRole(sent)
		if bad != nil {
			r.add(at+".roles["+strconv.Itoa(i)+"]", bad.reason, bad.message)
			continue
		}
		o.Roles = append(o.Roles, role)
	}
	o.Roles = sortedSet(o.Roles)
	before := r.total
	o.FirstSeen, o.LastSeen = p.span(r, at, ".first_seen", ".last_seen", d.FirstSeen, d.LastSeen)
	if p.Partial && r.total > before {
		r.add(at, ReasonLeftOut, "the whole observable")
		return Observable{}, nil, false
	}
	o.Facts = p.facts(at, d.Facts, v.facts)
	if o.Kind == KindEmail && slices.Contains(o.Roles, RoleForwardTarget) {
		o.Kind = KindForwardTo
	}
	return o, v.parts, true
}

// facts reads facts and appends those that reading a value gave, each once.
func (p *parser) facts(at string, sent, derived []Fact) []Fact {
	var facts []Fact
	for i, d := range sent {
		r, before := p.inner, p.inner.total
		at := at + ".facts[" + strconv.Itoa(i) + "]"
		if d.Name == "" {
			r.add(at+".name", ReasonRequired, "the fact has no name")
		}
		f := Fact{
			Name:   text(r, at, ".name", d.Name, maxNameBytes, ""),
			Value:  text(r, at, ".value", d.Value, maxFactBytes, "\n\t"),
			Source: text(r, at, ".source", d.Source, maxNameBytes, ""),
		}
		f.ObservedAt = p.time(r, at, ".observed_at", d.ObservedAt)
		if r.total == before {
			facts = append(facts, f)
		}
	}
	return uniqueFacts(append(facts, derived...))
}

// span reads two times of which the second may not be before the first.
func (p *parser) span(r *report, at, first, last string, from, to time.Time) (time.Time, time.Time) {
	from = p.time(r, at, first, from)
	to = p.time(r, at, last, to)
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		r.add(at+last, ReasonEndBeforeStart, strings.TrimPrefix(last, ".")+" is before "+strings.TrimPrefix(first, "."))
	}
	return from, to
}

func (p *parser) time(r *report, at, field string, t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	if t.Before(earliest()) || !p.Now.IsZero() && t.After(p.Now.Add(maxAhead)) {
		r.add(at+field, ReasonTimeRange, "the time is before 1990 or more than a day ahead")
		return time.Time{}
	}
	return t.UTC()
}

// text checks a text field and returns it.
func text(r *report, at, field, s string, limit int, allowedControls string) string {
	switch {
	case len(s) > limit:
		addFlaw(r, at, field, tooLong(limit))
	case !utf8.ValidString(s):
		addFlaw(r, at, field, notUTF8())
	case hasControl(s, allowedControls):
		addFlaw(r, at, field, hasControlFlaw())
	}
	return s
}

// addFlaw adds a flaw, if there is one, of a field of what stands at a place.
// Only then is the path put together.
func addFlaw(r *report, at, field string, f *flaw) {
	if f != nil {
		r.add(at+field, f.reason, f.message)
	}
}
