package stix

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

const specVersion = "2.1"

// tlpExtension is the extension that defines the labels of TLP 2.0.
const tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

// tlpMarkings are the identifiers of the labels.
var tlpMarkings = map[string]string{
	"clear":        "94868c89-83c2-464b-929b-a1a8aa3c8487",
	"green":        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
	"amber":        "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
	"amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
	"red":          "e828b379-4e03-4974-9ac4-e53a884c97c1",
}

// tlpCreated is when the labels were defined, and identityCreated when what we say
// of ourselves was: equal objects have equal times.
var (
	tlpCreated      = time.Date(2022, 10, 1, 0, 0, 0, 0, time.UTC)
	identityCreated = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// maxObserved is the largest count that the standard takes.
const maxObserved = 999_999_999

// factory makes the objects of one bundle.
type factory struct {
	b        *export.Bundle
	producer string
	markings []string
	patterns map[string]string // of techniques, by id
	actor    string            // "" if there is none
	// silent leaves descriptions out, for who looks at identifiers only.
	silent bool
}

func newFactory(b *export.Bundle) *factory {
	f := &factory{
		b: b, producer: "identity--" + b.Producer.ID.String(), patterns: make(map[string]string),
	}
	f.markings = []string{"marking-definition--" + tlpMarkings[strings.TrimPrefix(b.TLP, "tlp:")]}
	for _, t := range b.Techniques {
		f.patterns[t.ID] = "attack-pattern--" + b.Derive("stix", "attack-pattern", t.ID).String()
	}
	if b.Actor != nil {
		f.actor = "intrusion-set--" + b.Derive("stix", "intrusion-set", b.Actor.ID).String()
	}
	return f
}

// common makes what domain and relationship objects have.
func (f *factory) common(kind string, created, modified time.Time, parts ...string) common {
	return common{
		Type: kind, SpecVersion: specVersion, Created: stamp(created), Modified: stamp(modified),
		Identifier: kind + "--" + f.b.Derive(append([]string{"stix", kind}, parts...)...).String(),
		CreatedBy:  f.producer, Markings: f.markings,
	}
}

// header makes the objects that do not belong to one item.
func (f *factory) header() []Object {
	label := strings.TrimPrefix(f.b.TLP, "tlp:")
	us := identity{Name: f.b.Producer.Name, Class: "organization"}
	us.Type, us.SpecVersion, us.Identifier = "identity", specVersion, f.producer
	us.Created, us.Modified = stamp(identityCreated), stamp(identityCreated)
	out := []Object{
		marking{
			Type: "marking-definition", SpecVersion: specVersion, Identifier: f.markings[0], Created: stamp(tlpCreated),
			Name: "TLP:" + strings.ToUpper(label), Extensions: map[string]extension{tlpExtension: {"property-extension", label}},
		},
		us,
	}
	for _, t := range f.b.Techniques {
		out = append(out, f.technique(t))
	}
	if f.b.Actor != nil {
		out = append(out, intrusionSet{
			common: f.common("intrusion-set", f.b.Created, f.b.Modified, f.b.Actor.ID),
			Name:   f.b.Actor.Name, FirstSeen: optional(f.b.First), LastSeen: optional(f.b.Last),
		})
		for _, t := range f.b.Techniques {
			target := f.patterns[t.ID]
			out = append(out, relationship{
				common: f.common("relationship", f.b.Created, f.b.Modified, "uses", target), Relation: "uses", Source: f.actor, Target: target,
			})
		}
	}
	for _, r := range f.b.Links {
		out = append(out, f.likelihood(r)...)
	}
	return out
}

func (f *factory) technique(t export.Technique) Object {
	path := strings.ReplaceAll(t.ID, ".", "/")
	p := attackPattern{common: f.common("attack-pattern", f.b.Created, f.b.Modified, t.ID), Name: t.Name}
	if p.Name == "" {
		p.Name = t.ID
	}
	p.References = []reference{{Source: "mitre-attack", ID: t.ID, URL: "https://attack.mitre.org/techniques/" + path + "/"}}
	for _, tactic := range t.Tactics {
		p.Phases = append(p.Phases, phase{"mitre-attack", tactic})
	}
	return p
}

// likelihood says how two cases belong together: as a text, and as an opinion for
// who reads only that. Both are about the actor, or about us who say so.
func (f *factory) likelihood(r export.Relation) []Object {
	about := f.producer
	if f.actor != "" {
		about = f.actor
	}
	text := fmt.Sprintf("%s and %s are of one actor with a likelihood of %.3f (%s, model %d)", r.A, r.B, r.Likelihood, r.Tier, r.Model)
	agreement := "neutral"
	switch {
	case r.Likelihood >= .95:
		agreement = "strongly-agree"
	case r.Likelihood >= .75:
		agreement = "agree"
	}
	return []Object{
		note{
			common: f.common("note", f.b.Created, f.b.Modified, "link", r.A, r.B), Abstract: "Linked cases", Content: text,
			Refs: []string{about},
		},
		opinion{
			common: f.common("opinion", f.b.Created, f.b.Modified, "link", r.A, r.B), Explanation: text, Opinion: agreement,
			Refs: []string{about},
		},
	}
}

// group makes what holds all together, without its references.
func (f *factory) group(report bool) group {
	kind := "grouping"
	if report {
		kind = "report"
	}
	g := group{common: f.common(kind, f.b.Created, f.b.Modified), Name: f.b.Title}
	if report {
		g.Types, g.Published = []string{"indicator"}, optional(f.b.Modified)
	} else {
		g.Context = "suspicious-activity"
	}
	return g
}

// item makes the objects that belong to a value.
func (f *factory) item(i *export.Item) []Object {
	key := []string{string(i.Value.Kind), i.Value.Text}
	if i.Round > 0 {
		key = append(key, "round", strconv.FormatUint(uint64(i.Round), 10))
	}
	made := func(kind string, more ...string) common {
		c := f.common(kind, i.Created, i.Modified, append(more, key...)...)
		c.Revoked = i.Withdrawn
		return c
	}
	o, pattern, ok := observableOf(i.Value)
	if !ok {
		return []Object{note{
			common: made("note", "value"), Abstract: kindName(i.Value.Kind) + ": " + i.Written, Content: f.describe(i), Refs: []string{f.about(i)},
		}}
	}
	o.Markings = f.markings
	out := []Object{o}
	subject := o.Identifier
	var observed []string
	if !i.First.IsZero() {
		seen := observedData{
			common: made("observed-data"), First: stamp(i.First), Last: stamp(i.Last),
			Number: min(max(i.Count, 1), maxObserved), Refs: []string{o.Identifier},
		}
		out = append(out, seen)
		observed = []string{seen.Identifier}
	}
	related := func(kind, source, target string) {
		r := relationship{common: made("relationship", kind, target), Relation: kind, Source: source, Target: target}
		out = append(out, r)
	}
	if i.Indicator {
		found := f.indicator(i, pattern, made("indicator"))
		out = append(out, found)
		subject = found.Identifier
		saw := sighting{common: made("sighting"), Count: min(i.Count, maxObserved), Of: subject, Observed: observed}
		saw.First, saw.Last = optional(i.First), optional(i.Last)
		out = append(out, saw)
		for _, target := range observed {
			related("based-on", subject, target)
		}
		for _, t := range i.Techniques {
			if target, ok := f.patterns[t]; ok {
				related("indicates", subject, target)
			}
		}
		if f.actor != "" {
			related("indicates", subject, f.actor)
		}
	}
	if !i.Indicator || len(i.Facts) > 0 {
		out = append(out, note{common: made("note", "facts"), Content: f.describe(i), Refs: []string{subject}})
	}
	return out
}

// about is what a note on a value without an object of its own is on.
func (f *factory) about(i *export.Item) string {
	for _, t := range i.Techniques {
		if id, ok := f.patterns[t]; ok {
			return id
		}
	}
	return f.producer
}

func (f *factory) indicator(i *export.Item, pattern string, c common) indicator {
	out := indicator{
		common: c, Name: kindName(i.Value.Kind) + " " + i.Value.Text, Description: f.describe(i),
		Types: []string{"malicious-activity"}, Pattern: pattern, PatternType: "stix", ValidFrom: stamp(i.First),
	}
	if i.First.IsZero() {
		out.ValidFrom = stamp(i.Created)
	} else if i.ValidUntil.After(i.First) {
		out.ValidUntil = optional(i.ValidUntil)
	}
	return out
}

func kindName(k evidence.Kind) string { return strings.ReplaceAll(string(k), "_", " ") }

// describe says in words what is known of a value.
func (f *factory) describe(i *export.Item) string {
	if f.silent {
		return ""
	}
	lines := []string{i.Note}
	if i.Reason != "" {
		lines = append(lines, "context, not to be blocked: "+i.Reason)
	}
	if len(i.ClassReasons) > 0 {
		// The first reason begins with the class.
		lines = append(lines, "class "+strings.Join(i.ClassReasons, "; "))
	}
	if i.ASN != 0 {
		lines = append(lines, "announced by AS"+strconv.FormatUint(uint64(i.ASN), 10))
	}
	for _, fact := range i.Facts {
		line := fact.Name + ": " + fact.Value
		if fact.Source != "" {
			line += " (" + fact.Source + ")"
		}
		lines = append(lines, line)
	}
	if n := len(i.Cases); n > 0 {
		lines = append(lines, "cases: "+strings.Join(i.Cases, ", "))
	}
	return strings.Join(lines, "\n")
}
