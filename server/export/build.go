package export

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Actors knows which cases are of one actor.
type Actors interface {
	// Members returns what a viewer may know of an actor and its cases, or
	// graph.ErrNotFound if that is nothing. It is asked by id.
	Members(v access.Viewer, snap graph.Snapshot, id string) (Actor, []evidence.Ref, error)
}

// Tenants are the records of tenants.
type Tenants interface {
	Get(name string) (access.Tenant, bool)
	// List returns those after an id, in order of id, at most limit.
	List(after string, limit int) []access.Tenant
}

// Config is what a Builder is made of.
type Config struct {
	Store   graph.Reader
	Tenants Tenants
	// Ceiling is the most open label under which values of a tenant may leave; "" is
	// amber+strict.
	Ceiling func(ctx context.Context, tenant string) (evidence.TLP, error)
	Rules   linker.Source
	Hints   *Hints
	Keys    *Keys
	Actors  Actors
	// Producer is the name under which the deployment hands on; "" is Elsewhere.
	Producer string
	// Scratch makes room for what does not fit into memory.
	Scratch func() (Scratch, error)
	// Clock is time.Now when nil. Only approvals have a time.
	Clock func() time.Time
	// Held is how many values of cases are in memory at once; 0: 16,384.
	Held int
}

// Builder makes bundles. It is safe for concurrent use.
type Builder struct{ c Config }

// ErrProducer is returned for a name that is none.
var ErrProducer = errors.New("the name of the producer is not at most 100 bytes of plain text")

// DefaultProducer is the name under which a deployment hands on that has none.
const DefaultProducer = "Elsewhere"

// CheckProducer returns ErrProducer for a name that Config.Producer cannot be.
func CheckProducer(name string) error {
	if len(name) > maxReceiver || !plain(name) {
		return ErrProducer
	}
	return nil
}

// NewBuilder returns a builder.
func NewBuilder(c Config) *Builder {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Held <= 0 {
		c.Held = heldFragments
	}
	if c.Producer == "" {
		c.Producer = DefaultProducer
	}
	return &Builder{c}
}

// ProducerID identifies what is handed on by this deployment, under the name that it
// has now.
func (b *Builder) ProducerID() UUID { return b.c.Keys.ProducerID(b.c.Producer) }

// Build gathers a selection as far as the viewer may read it, decides what every
// value is, and looks for victims in all of it. When it returns a bundle, nothing
// in there is left to be refused. The caller closes it.
func (b *Builder) Build(ctx context.Context, v access.Viewer, s Selection) (*Bundle, error) {
	w, err := b.prepare(ctx, v, s)
	if err != nil {
		return nil, err
	}
	if s.TLP == evidence.TLPClear {
		if err := b.approved(v, w.bundle, s.Approval); err != nil {
			return nil, errors.Join(err, w.bundle.Close())
		}
	}
	return w.bundle, nil
}

// Remains returns what there is of a bundle when nothing of its selection is there any
// more, or may leave: the identifiers under which it was handed on, and no items.
func (b *Builder) Remains(v access.Viewer, s Selection) (*Bundle, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	w := b.work(v, s)
	w.bundle.Scope = w.scope()
	w.bundle.ID = NewUUID(Namespace(), w.bundle.Scope, w.bundle.receiver)
	w.bundle.Items = func(func(Item, error) bool) {}
	return w.bundle, nil
}

// prepare is Build without the approval.
func (b *Builder) prepare(ctx context.Context, v access.Viewer, s Selection) (*work, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	w := b.work(v, s)
	w.bundle.close = w.values.close
	err := b.c.Store.View(ctx, func(snap graph.Snapshot) error { return w.gather(ctx, snap) })
	if err == nil {
		err = w.finish(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.values.close())
	}
	return w, nil
}

// work begins a build.
func (b *Builder) work(v access.Viewer, s Selection) *work {
	w := &work{
		Config: b.c, viewer: v, selection: s, rules: b.c.Rules.Now(),
		values:  sorter{open: b.c.Scratch, most: b.c.Held},
		tenants: make(map[string]*named), held: make(map[evidence.Value]bool),
		bundle: &Bundle{TLP: "tlp:" + string(s.TLP), receiver: s.Receiver.Name, Counts: Counts{Denied: make(map[string]int)}},
	}
	w.bundle.Producer = Producer{Name: b.c.Producer, ID: b.c.Keys.ProducerID(b.c.Producer)}
	return w
}

// work is one build.
type work struct {
	Config
	viewer    access.Viewer
	selection Selection
	rules     linker.Rules
	classes   link.Classifier
	bundle    *Bundle
	values    sorter
	cases     []source // that the bundle is made of
	without   map[evidence.Value]bool
	only      map[evidence.Value]bool // nil: all
	// asked are the texts of those that were not seen: a text may be of several kinds.
	asked map[string]bool
	guard guard
	// tenants are what is known of those of whom something may leave.
	tenants map[string]*named
	// held are values that name a victim, of what lasts.
	held map[evidence.Value]bool
}

// source is a case that is in a bundle.
type source struct {
	ref              evidence.Ref
	pseudonym        string
	created, updated time.Time
}

// gather reads the cases of the selection.
func (w *work) gather(ctx context.Context, snap graph.Snapshot) error {
	w.classes = w.rules.Classes
	if c, ok := w.rules.Classes.(linker.Changing); ok {
		w.classes = c.Current()
	}
	w.bundle.Model, w.bundle.Feeds = w.rules.Model.Version(), w.classes.Version()
	w.without = make(map[evidence.Value]bool, len(w.selection.Without))
	for _, v := range w.selection.Without {
		w.without[v] = true
	}
	refs, strict, err := w.choose(ctx, snap)
	if err != nil {
		return err
	}
	slices.SortFunc(refs, evidence.Ref.Compare)
	refs = slices.Compact(refs)
	if len(refs) > maxCases {
		return ErrTooManyCases
	}
	techniques := make(map[string]*Technique)
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := w.read(snap, ref)
		if err == nil {
			err = w.label(ctx, &c.Case)
		}
		if err == nil && w.selection.Standing {
			err = w.named(ctx, c.Tenant)
		}
		if err == nil {
			err = w.addCase(c, techniques)
		}
		var label *LabelError
		var unnamed *EmptyDictionaryError
		switch {
		case err == nil:
		case strict:
			return err
		case errors.As(err, &label):
			w.bundle.Counts.TooStrict++
		case errors.As(err, &unnamed):
			w.bundle.Counts.Unnamed++
		case errors.Is(err, graph.ErrNotFound), errors.Is(err, ErrDismissed):
		default:
			return err
		}
	}
	w.bundle.Counts.Cases = len(w.cases)
	w.bundle.Techniques = sortedTechniques(techniques)
	w.bundle.Counts.Unseen = len(w.asked)
	if err := w.values.finish(); err != nil {
		return err
	}
	return w.relate(snap)
}

// read returns a case that the viewer may read and that may leave at all.
func (w *work) read(snap graph.Snapshot, ref evidence.Ref) (*graph.StoredCase, error) {
	if !w.viewer.Reads(ref.Tenant) {
		return nil, graph.ErrNotFound
	}
	c, err := snap.Case(ref)
	if err != nil {
		return nil, err
	}
	switch {
	case !w.viewer.ReadsCase(c):
		return nil, graph.ErrNotFound
	case c.State == evidence.Dismissed:
		return nil, ErrDismissed
	}
	return c, nil
}

// label returns a *LabelError for a case that may not leave under the label of the
// bundle.
func (w *work) label(ctx context.Context, c *evidence.Case) error {
	under := w.selection.TLP
	own := c.TLP
	if c.Restricted {
		own = evidence.TLPRed
	}
	if !permits(own, under) {
		if own == "" {
			own = ownLabel
		}
		return &LabelError{Ref: c.Ref, Own: own, Under: under}
	}
	ceiling, err := w.Ceiling(ctx, c.Tenant)
	if err != nil {
		return err
	}
	if !permits(ceiling, under) {
		if ceiling == "" {
			ceiling = ownLabel
		}
		return &LabelError{Ref: c.Ref, Own: ceiling, Under: under, Ceiling: true}
	}
	return nil
}

// addCase takes what a case says into the bundle.
func (w *work) addCase(c *graph.StoredCase, techniques map[string]*Technique) error {
	nth := uint32(len(w.cases))
	w.cases = append(w.cases, source{
		ref: c.Ref, pseudonym: w.Keys.Pseudonym(w.selection.Receiver, c.Ref), created: c.CreateTime, updated: c.UpdateTime,
	})
	wanted := func(f *fragment) bool {
		if w.without[f.Value] || w.only != nil && !w.only[f.Value] || !w.selection.within(f.first, f.last) {
			return false
		}
		delete(w.asked, f.Text)
		w.bundle.span(f.first, f.last)
		return true
	}
	denials := w.bundle.Counts.Denied
	if w.only != nil {
		// What else is in the case was not asked for.
		denials = make(map[string]int)
	}
	if err := w.values.add(fragmentsOf(c, nth, wanted, denials)); err != nil {
		return err
	}
	if w.only != nil {
		return nil
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		first, last := f.FirstSeen.Truncate(time.Second), f.LastSeen.Truncate(time.Second)
		if f.Technique == "" || !w.selection.within(first, last) {
			continue
		}
		t := techniques[f.Technique]
		if t == nil {
			t = &Technique{ID: f.Technique}
			t.attack()
			techniques[f.Technique] = t
		}
		if t.Count += f.Count; t.Count < f.Count {
			t.Count = ^uint32(0)
		}
		if !first.IsZero() && (t.First.IsZero() || first.Before(t.First)) {
			t.First = first
		}
		if last.After(t.Last) {
			t.Last = last
		}
	}
	return nil
}

func sortedTechniques(by map[string]*Technique) []Technique {
	out := make([]Technique, 0, len(by))
	for _, t := range by {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Technique) int { return compareText(a.ID, b.ID) })
	return out
}
