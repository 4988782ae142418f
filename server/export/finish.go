package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export/victim"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// finish makes the bundle of what was gathered: it decides and checks every item,
// so that nothing is left to be refused while somebody writes.
func (w *work) finish(ctx context.Context) error {
	b := w.bundle
	if err := w.fillGuard(ctx); err != nil {
		return err
	}
	for _, c := range w.cases {
		if b.Created.IsZero() || c.created.Before(b.Created) {
			b.Created = c.created
		}
		if c.updated.After(b.Modified) {
			b.Modified = c.updated
		}
	}
	b.Created, b.Modified = milliseconds(b.Created), milliseconds(b.Modified)
	b.ID = NewUUID(Namespace(), b.Scope, b.receiver)
	for _, t := range b.Techniques {
		b.span(t.First, t.Last)
	}
	sum := sha256.New()
	out := json.NewEncoder(sum)
	for item, err := range w.items(func(why string) { b.Counts.Denied[why]++ }) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = w.guard.item(&item)
		}
		var names *VictimError
		if w.selection.Standing && errors.As(err, &names) {
			if err := w.holdBack(item.Value, names); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		b.Counts.Items++
		if item.Indicator {
			b.Counts.Indicators++
		}
		if w.selection.TLP == evidence.TLPClear {
			if err := out.Encode(item); err != nil {
				return err
			}
		}
	}
	b.Title = w.title()
	if err := w.guard.header(b); err != nil {
		return err
	}
	b.Items = w.kept(w.items(func(string) {}))
	b.makeEverybody = w.everybody
	header := *b
	header.Items = nil
	if err := out.Encode(struct {
		Receiver string
		Bundle   any
	}{b.receiver, headerOf(&header)}); err != nil {
		return err
	}
	b.digest = sum.Sum(nil)
	return nil
}

// headerOf is what of a bundle is not an item, for its digest.
func headerOf(b *Bundle) any {
	return []any{
		b.Scope, b.Title, b.TLP, b.First, b.Last, b.Modified, b.Model, b.Feeds, b.Producer, b.Links, b.Techniques,
		b.Actor, b.Counts,
	}
}

func milliseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// span widens the span of what was seen.
func (b *Bundle) span(first, last time.Time) {
	if !first.IsZero() && (b.First.IsZero() || first.Before(b.First)) {
		b.First = first
	}
	if last.After(b.Last) {
		b.Last = last
	}
}

// maxHeld is how many values may be held back, and maxTold of how many the bundle
// says why.
const (
	maxHeld = 10_000
	maxTold = 100
)

// holdBack keeps a value that names a victim out of what lasts.
func (w *work) holdBack(v evidence.Value, names *VictimError) error {
	if len(w.held) >= maxHeld {
		return ErrTooManyHeld
	}
	w.held[v] = true
	w.bundle.Counts.HeldBack++
	if len(w.bundle.Held) < maxTold {
		w.bundle.Held = append(w.bundle.Held, *names)
	}
	return nil
}

// kept is items without those that are held back.
func (w *work) kept(items iter.Seq2[Item, error]) iter.Seq2[Item, error] {
	if len(w.held) == 0 {
		return items
	}
	return func(yield func(Item, error) bool) {
		for item, err := range items {
			if err == nil && w.held[item.Value] {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// named is what names a tenant.
type named struct {
	tenant access.Tenant
	hashes []victim.Hash
}

// known reports whether anybody said what names the tenant.
func (n *named) known() bool {
	t := &n.tenant
	return t.DisplayName != "" || len(t.Names)+len(t.Domains)+len(t.Egress)+len(n.hashes) > 0
}

// names returns what names a tenant.
func (w *work) names(ctx context.Context, tenant string) (*named, error) {
	if n := w.tenants[tenant]; n != nil {
		return n, nil
	}
	t, ok := w.Tenants.Get(tenant)
	if !ok {
		t = access.Tenant{ID: tenant}
	}
	hashes, err := w.Hints.Load(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	n := &named{t, hashes}
	w.tenants[tenant] = n
	return n, nil
}

// named returns an *EmptyDictionaryError for a tenant of which nothing can be looked
// for, where that matters.
func (w *work) named(ctx context.Context, tenant string) error {
	n, err := w.names(ctx, tenant)
	if err != nil {
		return err
	}
	open := openness(w.selection.TLP) > openness(evidence.TLPAmber)
	if open && !w.selection.AcceptEmptyDictionary && !n.known() {
		return &EmptyDictionaryError{n.tenant.ID}
	}
	return nil
}

// fillGuard gathers what names the tenants of the bundle.
func (w *work) fillGuard(ctx context.Context) error {
	w.guard = newGuard(w.Keys)
	seen := make(map[string]bool)
	for _, c := range w.cases {
		if seen[c.ref.Tenant] {
			continue
		}
		seen[c.ref.Tenant] = true
		if err := w.named(ctx, c.ref.Tenant); err != nil {
			return err
		}
		n := w.tenants[c.ref.Tenant]
		w.guard.tenant(&n.tenant, n.hashes)
		w.bundle.Tenants = append(w.bundle.Tenants, c.ref.Tenant)
	}
	slices.Sort(w.bundle.Tenants)
	w.guard.ready()
	return nil
}

// everybody gathers what names the tenants that the viewer reads.
func (w *work) everybody(ctx context.Context) (*guard, error) {
	ids := slices.Clone(w.bundle.Tenants)
	for _, t := range w.Tenants.List("", math.MaxInt) {
		if w.viewer.Reads(t.ID) {
			ids = append(ids, t.ID)
		}
	}
	slices.Sort(ids)
	g := newGuard(w.Keys)
	for _, id := range slices.Compact(ids) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := w.names(ctx, id)
		if err != nil {
			return nil, err
		}
		g.tenant(&n.tenant, n.hashes)
	}
	g.ready()
	return &g, nil
}

// items yields the items of the bundle, unchecked. denied is told why others are
// none.
func (w *work) items(denied func(why string)) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for f, err := range w.values.values() {
			if err != nil {
				yield(Item{}, err)
				return
			}
			class := w.classes.Class(f.Value)
			if why := deniedItem(class.Name, f.roles); why != "" {
				denied(why)
				continue
			}
			if !yield(w.item(&f, class), nil) {
				return
			}
		}
	}
}

// item decides what a value is.
func (w *work) item(f *fragment, class link.Class) Item {
	use := useOf(f.Value, class.Name, f.roles)
	item := Item{
		Value: f.Value, Written: cmp.Or(f.written, f.Text), Indicator: use.indicator, Watch: use.watch, Reason: use.reason,
		Roles: f.roles, Techniques: f.techniques, Class: class.Name, ClassReasons: class.Reasons, ASN: class.ASN,
		First: f.first, Last: f.last, Facts: f.facts, Count: f.count, Note: noteOf(f.Kind, f.roles), origin: f.origin,
	}
	for _, nth := range f.cases {
		c := &w.cases[nth]
		item.Cases = append(item.Cases, c.pseudonym)
		if item.Created.IsZero() || c.created.Before(item.Created) {
			item.Created = c.created
		}
		if c.updated.After(item.Modified) {
			item.Modified = c.updated
		}
	}
	slices.Sort(item.Cases)
	item.Cases = item.Cases[:min(len(item.Cases), MaxItemCases)]
	item.Created, item.Modified = milliseconds(item.Created), milliseconds(item.Modified)
	if !f.last.IsZero() {
		d := decayOf(f.Value, class.Name)
		item.ValidUntil = f.last.Add(d.validity())
		item.Score = d.score(w.bundle.Last.Sub(f.last))
	}
	return item
}

// noteOf says in words what a value did.
func noteOf(k evidence.Kind, roles []string) string {
	var did []string
	for _, role := range roles {
		switch role {
		case evidence.RoleLoginSource:
			did = append(did, "signed in to compromised accounts")
		case evidence.RoleAllowListed:
			did = append(did, "let through by rules or allow lists that the intruder changed")
		case evidence.RoleSendingInfrastructure:
			did = append(did, "allowed to send as somebody else")
		case evidence.RoleForwardTarget:
			did = append(did, "mail was forwarded to it")
		case evidence.RoleCreated:
			if k == evidence.KindRuleName {
				did = append(did, "mail rule that the intruder made")
			} else {
				did = append(did, "made by the intruder")
			}
		}
	}
	if len(did) == 0 {
		return "found in the investigation"
	}
	return strings.Join(did, "; ")
}

// title describes a bundle without naming anybody.
func (w *work) title() string {
	b := w.bundle
	subject := "Indicators"
	switch {
	case b.Actor != nil:
		subject = b.Actor.Name
	case w.only != nil:
		subject = "Values"
	case w.selection.Link[0] != evidence.Ref{}:
		subject = "Two linked cases"
	case len(w.cases) > 1:
		subject = "Linked cases"
	}
	parts := []string{
		subject + ": " + amount(b.Counts.Cases, "case"), amount(b.Counts.Items, "value"),
	}
	if n := len(b.Techniques); n > 0 {
		parts = append(parts, amount(n, "technique"))
	}
	title := strings.Join(parts, ", ")
	if !b.First.IsZero() {
		title += ", " + b.First.Format(time.DateOnly) + " to " + b.Last.Format(time.DateOnly)
	}
	return title
}

func amount(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
