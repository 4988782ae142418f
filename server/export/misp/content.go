package misp

import (
	"cmp"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Options are what a receiver of events may choose. The zero value is for a feed.
type Options struct {
	// Tags are added to the event's; tlp tags among them are ignored, the bundle
	// has the one that holds.
	Tags []string
	// Distribution is 0 (own organisation, the default) to 3 (all communities).
	Distribution int
	// Timestamp is the event's in place of the bundle's time.
	Timestamp time.Time
	// Extends is the UUID of an event of another organisation that this one adds to.
	Extends string
	// Withdraw marks every value as deleted.
	Withdraw bool
}

// Content is a bundle as an event has it. Attributes and objects are made while
// they are walked, and may be walked again.
type Content struct {
	Event Event

	bundle *export.Bundle
	uuid   export.UUID
	attack map[string]string // tags of techniques by id
	all    bool              // deleted
}

// NewContent returns the event of a bundle.
func NewContent(b *export.Bundle, o Options) *Content {
	stamp := b.Modified
	if !o.Timestamp.IsZero() {
		stamp = o.Timestamp
	}
	// MISP takes no event of the time 0 and dates it itself.
	stamp = time.Unix(max(stamp.Unix(), 1), 0).UTC()
	dated := stamp
	for _, t := range [...]time.Time{b.Modified, b.Last} {
		if !t.IsZero() {
			dated = t
		}
	}
	c := &Content{bundle: b, uuid: b.ID, attack: make(map[string]string), all: o.Withdraw}
	if o.Extends != "" {
		c.uuid = export.NewUUID(b.ID, "extension", o.Extends)
	}
	for _, t := range b.Techniques {
		if tag := attackTag(t); tag != "" {
			c.attack[t.ID] = tag
		}
	}
	c.Event = Event{
		UUID: c.uuid.String(), Info: cmp.Or(oneLine(b.Title, maxInfo), "Elsewhere"), Date: dated.UTC().Format(time.DateOnly),
		Timestamp: unix(stamp), Analysis: "2", ThreatLevelID: "2",
		Distribution: strconv.Itoa(o.Distribution), SharingGroupID: "0", ExtendsUUID: o.Extends,
		Orgc: &Org{Name: b.Producer.Name, UUID: b.Producer.ID.String()}, Tag: eventTags(b, o.Tags),
	}
	return c
}

// Attributes yields an attribute for each item. Items that are one attribute here,
// as a domain and a forwarding to it, yield one, withdrawn only if all are.
func (c *Content) Attributes() iter.Seq2[Attribute, error] {
	return func(yield func(Attribute, error) bool) {
		seen := make(map[string]bool)
		var last []Attribute
		for item, err := range c.items() {
			if err != nil {
				yield(Attribute{}, err)
				return
			}
			a, err := c.attribute(&item)
			if err == nil && sharesForm(item.Value.Kind) {
				if seen[a.UUID] {
					continue
				}
				if a.Deleted {
					last = append(last, a)
					continue
				}
				seen[a.UUID] = true
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
		for _, a := range last {
			if seen[a.UUID] {
				continue
			}
			seen[a.UUID] = true
			if !yield(a, nil) {
				return
			}
		}
	}
}

// items are those of the bundle, withdrawn where all is.
func (c *Content) items() iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		for item, err := range c.bundle.Items {
			if c.all {
				item.Withdrawn = true
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// Objects yields the objects of the items, then those of the bundle as a whole.
func (c *Content) Objects() iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for item, err := range c.items() {
			if err != nil {
				yield(Object{}, err)
				return
			}
			if item.Withdrawn && !c.all {
				continue
			}
			for _, o := range c.itemObjects(&item) {
				if !yield(o, nil) {
					return
				}
			}
		}
		for _, o := range c.bundleObjects() {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// bundleObjects describe the actor and what links the cases.
func (c *Content) bundleObjects() []Object {
	var out []Object
	b := c.bundle
	if a := b.Actor; a != nil {
		o := c.object(templateIntrusionSet, a.ID)
		c.add(&o, "name", typeText, categoryAttribution, a.Name)
		for _, alias := range a.Aliases {
			c.add(&o, "aliases", typeText, categoryAttribution, alias)
		}
		c.add(&o, "description", typeText, categoryAttribution,
			fmt.Sprintf("cluster of %d linked cases; model %d, uncalibrated", a.Cases, b.Model))
		out = append(out, o)
	}
	for _, l := range b.Links {
		o := c.object(templateAnnotation, "link", l.A, l.B)
		c.add(&o, "text", typeText, categoryAnalysis, fmt.Sprintf(
			"likelihood of same actor of cases %s and %s: %s (%s; model %d, uncalibrated)",
			l.A, l.B, strconv.FormatFloat(l.Likelihood, 'f', 3, 64), l.Tier, l.Model))
		o.Attribute[0].Tag = []Tag{{likelihoodTag(l.Likelihood)}}
		out = append(out, o)
	}
	if text := provenance(b); text != "" {
		o := c.object(templateAnnotation, "provenance")
		c.add(&o, "text", typeText, categoryAnalysis, text)
		out = append(out, o)
	}
	return out
}

// provenance says what the bundle rests on.
func provenance(b *export.Bundle) string {
	var parts []string
	if b.Feeds != "" {
		parts = append(parts, "classes of "+b.Feeds)
	}
	if len(b.Techniques) > 0 {
		ids := make([]string, len(b.Techniques))
		for i, t := range b.Techniques {
			ids[i] = t.ID
		}
		parts = append(parts, "ATT&CK "+export.AttackVersion+": "+strings.Join(ids, " "))
	}
	return strings.Join(parts, "; ")
}
