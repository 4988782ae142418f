package misp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// PushOptions say how a bundle is pushed. The zero value leaves an unpublished
// event behind.
type PushOptions struct {
	Options
	// Publish publishes the event after it was written and found to be complete.
	Publish bool
	// DryRun writes nothing.
	DryRun bool
	// Settled is the fingerprint of a push after which the server had less than was
	// sent, or something else. While the event is the same that is not tried again.
	Settled string
	// Progress is told how many of how many values were written; nil tells nobody.
	Progress func(done, of int)
}

// Outcome is what a push did to an event.
type Outcome string

// The outcomes of a push.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
	Withdrawn Outcome = "withdrawn"
)

// Report is what a push did, or would do.
type Report struct {
	Outcome   Outcome
	EventUUID string
	Timestamp time.Time // of the event on the server, zero if it has none
	Published bool      // as the server has it
	// Extends is the foreign event that ours adds to.
	Extends string
	Difference
	// Dropped are values that the server did not store, and Altered those that it
	// stored otherwise, the first MaxChanges of each; all are counted.
	Dropped, Altered           []Change
	DroppedTotal, AlteredTotal int
	// TagsDropped are tags that the server does not know.
	TagsDropped []string
	// Notes are for people.
	Notes []string
	// Settled is the fingerprint of this event if the server has less than was sent,
	// or something else, for PushOptions.
	Settled string
	Server  string // version
}

// batch is how many attributes or objects are sent in one request. A server needs
// memory and time for each.
const batch = 2_000

// rounds bounds how often an event is read and written again because it changed
// meanwhile.
const rounds = 4

// ErrChanging is returned where an event kept changing on the server.
var ErrChanging = errors.New("the event kept changing on the server; nothing is lost, try again")

// Push makes an event on the server what a bundle says and reads it again. It
// writes only what differs, so a push that was cut short is taken up by the next.
// Values of earlier pushes that are not in the bundle are withdrawn; the event
// itself never is deleted, for it could not be made again. An event of another
// organisation is not touched: an event of ours extends it.
func (c *Client) Push(ctx context.Context, b *export.Bundle, o PushOptions) (*Report, error) {
	account, err := c.Account(ctx)
	if err != nil {
		return nil, err
	}
	p := &push{client: c, bundle: b, o: o, account: account, report: &Report{Server: account.Version, Outcome: Unchanged}}
	if !account.MayAdd && !o.DryRun {
		return nil, &Refusal{ReasonPermission, 403, "the key is read-only"}
	}
	for range rounds {
		done, err := p.round(ctx)
		if err != nil {
			return nil, err
		}
		if done {
			return p.report, nil
		}
	}
	return nil, ErrChanging
}

// push is one call of Push.
type push struct {
	client  *Client
	bundle  *export.Bundle
	o       PushOptions
	account *Account
	report  *Report
	extends string
	stamp   int64 // of the last write
}

// round reads, writes and reads again. It is not done where the event changed
// meanwhile.
func (p *push) round(ctx context.Context) (done bool, err error) {
	options := p.o.Options
	options.Extends = p.extends
	content := NewContent(p.bundle, options)
	p.report.EventUUID, p.report.Extends = content.Event.UUID, p.extends
	difference, stored, err := p.read(ctx, content)
	if err != nil {
		return false, err
	}
	if stored != nil && stored.OrgcID != p.account.OrgID && p.extends == "" {
		p.extends = content.Event.UUID
		p.report.Notes = append(p.report.Notes, "the server has this event of another organisation: an event of ours extends it")
		return false, nil
	}
	settled := content.fingerprint(difference)
	if p.o.DryRun || settled == p.o.Settled || stored == nil && p.o.Withdraw || stored != nil && difference.Empty() {
		if settled == p.o.Settled && !difference.Empty() && !p.o.DryRun {
			p.report.Settled = settled
			p.report.Notes = append(p.report.Notes, "what the server did not take before was not sent again")
			difference = &Difference{}
		}
		p.note(difference, stored)
		return true, p.publish(ctx, content, stored)
	}
	p.note(difference, stored)
	err = p.write(ctx, content, difference, stored)
	if refused, ok := errors.AsType[*Refusal](err); ok {
		switch {
		case refused.Reason == ReasonExists && p.extends == "":
			// There, but not for us to see.
			if _, again, readErr := p.read(ctx, content); readErr == nil && again == nil {
				p.extends = content.Event.UUID
				p.report.Notes = append(p.report.Notes, "the server has this event and does not show it to us: an event of ours extends it")
			}
			return false, nil
		case refused.Reason == ReasonStale || refused.Reason == ReasonExists:
			return false, nil
		}
	}
	if err != nil {
		return false, err
	}
	return true, p.verify(ctx, content)
}

// read returns what differs on the server, and its event, nil if it shows none.
func (p *push) read(ctx context.Context, content *Content) (*Difference, *Stored, error) {
	var d *Difference
	var stored *Stored
	err := p.client.view(ctx, content.Event.UUID, func(r io.Reader) (err error) {
		d, stored, err = content.Compare(ctx, r)
		return err
	})
	if refused, ok := errors.AsType[*Refusal](err); ok && refused.Reason == ReasonAbsent {
		d, _, err = content.Compare(ctx, nil)
		return d, nil, err
	}
	return d, stored, err
}

// note puts into the report what is done.
func (p *push) note(d *Difference, stored *Stored) {
	r := p.report
	r.Difference = *d
	switch {
	case stored == nil && p.o.Withdraw:
		r.Notes = append(r.Notes, "the server has no such event: nothing to withdraw")
		r.Difference = Difference{}
		return
	case stored == nil:
		r.Outcome = Created
	case d.Empty():
	case p.o.Withdraw:
		r.Outcome = Withdrawn
	default:
		r.Outcome = Updated
	}
	if stored != nil {
		r.Timestamp, r.Published = Time(stored.Timestamp), stored.Published
	}
}

// write sends what differs, a batch at a time, each dated later than the one
// before.
func (p *push) write(ctx context.Context, content *Content, d *Difference, stored *Stored) error {
	header := content.Event
	header.Orgc = nil // the server knows whose key it is
	stamp, _ := strconv.ParseInt(header.Timestamp, 10, 64)
	exists := stored != nil
	if exists {
		had, _ := strconv.ParseInt(stored.Timestamp, 10, 64)
		stamp = max(stamp, had+1)
		// Leaving it out would take the event back.
		header.Published = stored.Published
		for _, tag := range staleTLP(stored.Tag, header.Tag) {
			if err := p.client.removeTag(ctx, header.UUID, tag); err != nil {
				return fmt.Errorf("tag %s: %w", tag, err)
			}
		}
	}
	total, sent := len(d.want)+len(d.gone)+len(d.lost), 0
	send := func(attributes []Attribute, objects []Object) error {
		stamp = max(stamp, p.stamp+1)
		header.Timestamp = strconv.FormatInt(stamp, 10)
		one := &Content{Event: header}
		var body bytes.Buffer
		if err := one.write(ctx, &body, stamped(attributes, header.Timestamp), stampedObjects(objects, header.Timestamp)); err != nil {
			return err
		}
		var err error
		if exists {
			err = p.client.edit(ctx, header.UUID, body.Bytes())
		} else {
			err = p.client.add(ctx, body.Bytes())
		}
		if err != nil {
			return err
		}
		exists, p.stamp = true, stamp
		if sent += len(attributes) + len(objects); p.o.Progress != nil {
			p.o.Progress(sent, total)
		}
		return nil
	}
	if err := inBatches(content.changedAttributes(d), func(a []Attribute) error { return send(a, nil) }); err != nil {
		return err
	}
	if err := inBatches(content.changedObjects(d), func(o []Object) error { return send(nil, o) }); err != nil {
		return err
	}
	if sent == 0 {
		return send(nil, nil)
	}
	return nil
}

// changedAttributes are those to send, withdrawn ones among them.
func (c *Content) changedAttributes(d *Difference) iter.Seq2[Attribute, error] {
	return func(yield func(Attribute, error) bool) {
		for _, a := range d.gone {
			a.Deleted, a.Tag, a.Distribution, a.SharingGroupID = true, nil, inherit, "0"
			if !yield(a, nil) {
				return
			}
		}
		for a, err := range c.Attributes() {
			if _, send := d.want[parsed(a.UUID)]; err == nil && (!send || a.Deleted) {
				continue
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// changedObjects are those to send, withdrawn ones among them.
func (c *Content) changedObjects(d *Difference) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, o := range d.lost {
			o.Deleted, o.Distribution, o.SharingGroupID = true, inherit, "0"
			o.Attribute = slices.Clone(o.Attribute)
			for i := range o.Attribute {
				a := &o.Attribute[i]
				a.Deleted, a.Tag, a.Distribution, a.SharingGroupID = true, nil, inherit, "0"
			}
			if !yield(o, nil) {
				return
			}
		}
		for o, err := range c.Objects() {
			if _, send := d.want[parsed(o.UUID)]; err == nil && (!send || o.Deleted) {
				continue
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// inBatches gathers elements and hands them on, batch of them at a time.
func inBatches[T any](elements iter.Seq2[T, error], send func([]T) error) error {
	var held []T
	for element, err := range elements {
		if err != nil {
			return err
		}
		if held = append(held, element); len(held) == batch {
			if err := send(held); err != nil {
				return err
			}
			held = held[:0]
		}
	}
	if len(held) == 0 {
		return nil
	}
	return send(held)
}

// stamped dates attributes: MISP takes no change of one that is not newer.
func stamped(attributes []Attribute, stamp string) iter.Seq2[Attribute, error] {
	return func(yield func(Attribute, error) bool) {
		for _, a := range attributes {
			a.Timestamp = stamp
			if !yield(a, nil) {
				return
			}
		}
	}
}

func stampedObjects(objects []Object, stamp string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, o := range objects {
			o.Timestamp = stamp
			o.Attribute = slices.Clone(o.Attribute)
			for i := range o.Attribute {
				o.Attribute[i].Timestamp = stamp
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// errVanished is returned where an event is not there after it was written.
var errVanished = errors.New("the server took the event and does not show it")

// verify reads what was written and reports what the server made of it.
func (p *push) verify(ctx context.Context, content *Content) error {
	left, stored, err := p.read(ctx, content)
	if err != nil {
		return err
	}
	if stored == nil {
		return errVanished
	}
	r := p.report
	r.Timestamp, r.Published = Time(stored.Timestamp), stored.Published
	for _, c := range left.Changes {
		switch c.Op {
		case Added:
			r.Dropped = append(r.Dropped, c)
		default:
			r.Altered = append(r.Altered, c)
		}
	}
	r.DroppedTotal, r.AlteredTotal = left.Added, left.Changed+left.Withdrawn
	r.TagsDropped = missingTags(stored.Tag, content.Event.Tag)
	if !left.Empty() {
		r.Settled = content.fingerprint(left)
	}
	return p.publish(ctx, content, stored)
}

// fingerprint identifies what is wanted and not there.
func (c *Content) fingerprint(d *Difference) string {
	if d.Empty() {
		return ""
	}
	parts := []string{c.Event.UUID}
	for id := range d.want {
		parts = append(parts, id.String())
	}
	slices.Sort(parts[1:])
	for _, a := range d.gone {
		parts = append(parts, "gone", a.UUID)
	}
	for _, o := range d.lost {
		parts = append(parts, "gone", o.UUID)
	}
	parts = append(parts, d.Header...)
	for _, change := range d.Changes {
		parts = append(parts, string(change.Op), change.Detail)
	}
	sum := digestOf(parts...)
	return fmt.Sprintf("%x", sum[:])
}

// publish publishes where that was asked for and is not done.
func (p *push) publish(ctx context.Context, content *Content, stored *Stored) error {
	r := p.report
	if !p.o.Publish || p.o.DryRun || stored == nil {
		return nil
	}
	if stored.Published && Time(stored.PublishTimestamp).Compare(Time(stored.Timestamp)) >= 0 {
		return nil
	}
	if !p.account.MayPublish {
		r.Notes = append(r.Notes, "stored and not published: the key may not publish")
		return nil
	}
	err := p.client.publish(ctx, content.Event.UUID)
	if refused, ok := errors.AsType[*Refusal](err); ok {
		r.Notes = append(r.Notes, "stored and not published: "+refused.Error())
		return nil
	}
	if err != nil {
		return err
	}
	return p.client.view(ctx, content.Event.UUID, func(in io.Reader) error {
		stored, err := Read(ctx, in, Visitor{})
		if err == nil {
			if r.Published = stored.Published; !r.Published {
				r.Notes = append(r.Notes, "the server answered that it published the event, and it is not")
			}
		}
		return err
	})
}
