package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/git"
	"github.com/elsewhere-project/elsewhere/server/export/ledger"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Errors of a publication.
var (
	ErrNoTarget = errors.New("no such target; an operator sets targets up")
	ErrBusy     = errors.New("this target is being published to")
	// ErrOthers keeps the values of tenants apart: what another key published may be
	// of more tenants, and a new publication would name and withdraw theirs.
	ErrOthers = errors.New("another key published this to the target; a key for all tenants may change it")
)

// LabelError is a bundle that is too strict for a target.
type LabelError struct {
	Target       string
	Bundle, Most evidence.TLP
}

func (e *LabelError) Error() string {
	return fmt.Sprintf("target %s takes bundles labelled %s or more open, not %s", e.Target, e.Most, e.Bundle)
}

// Bundles makes bundles.
type Bundles interface {
	Build(ctx context.Context, v access.Viewer, s export.Selection) (*export.Bundle, error)
	// Remains returns the header of a bundle that cannot be built.
	Remains(v access.Viewer, s export.Selection) (*export.Bundle, error)
}

// Config is what a Publisher is made of.
type Config struct {
	Targets []Target
	Bundles Bundles
	Ledger  *ledger.Ledger
	// Formats are the files of a publication in a repository, besides the feed of
	// MISP.
	Formats []git.Format
	Log     *slog.Logger
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Backoff is the first wait before something is tried again; 0 is the default of
	// each way.
	Backoff time.Duration
}

// Publisher publishes. It is safe for concurrent use.
type Publisher struct {
	c  Config
	mu sync.Mutex
	// busy are the targets that are published to.
	busy map[string]bool
}

// New returns a publisher. It calls nobody.
func New(c Config) *Publisher {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Publisher{c: c, busy: make(map[string]bool)}
}

// Targets are what may be published to, in order of name.
func (p *Publisher) Targets() []Target { return slices.Clone(p.c.Targets) }

// Ledger is what was published.
func (p *Publisher) Ledger() *ledger.Ledger { return p.c.Ledger }

// Options say how to publish.
type Options struct {
	DryRun bool
	// Publish publishes an event of MISP, as a second step.
	Publish bool
	// Withdraw takes back all that was sent of the selection.
	Withdraw bool
	// Progress is told how many values are sent; nil tells nobody.
	Progress func(done, of int)
}

// Result is what a publication did, or would do.
type Result struct {
	Target  Target
	Bundle  *export.Bundle // closed: for its header and counts
	Outcome string         // created, updated, unchanged, withdrawn
	// Revision is that of the ledger, 0 where nothing ever was sent.
	Revision uint32
	misp.Difference
	Files                      []git.File
	Event, Extends             string
	Timestamp                  time.Time
	Published                  bool
	Commit, Branch, Pull       string
	Attempts                   int
	Dropped, Altered           []misp.Change
	DroppedTotal, AlteredTotal int
	TagsDropped                []string
	Notes                      []string
	settled                    string
	sums                       [][sha256.Size]byte
}

// Publish sends a selection to a target. The receiver of the bundle is the
// target's; a selection without a label gets the target's.
func (p *Publisher) Publish(ctx context.Context, v access.Viewer, name string, s export.Selection, o Options) (result *Result, err error) {
	i := slices.IndexFunc(p.c.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return nil, ErrNoTarget
	}
	target := p.c.Targets[i]
	s.Receiver = export.Receiver{Name: target.Receiver}
	s.TLP = cmp.Or(s.TLP, target.TLP)
	if strictness(s.TLP) > strictness(target.TLP) {
		return nil, &LabelError{target.Name, s.TLP, target.TLP}
	}
	if !p.take(name) {
		return nil, ErrBusy
	}
	defer p.give(name)
	now := p.c.Clock().UTC().Truncate(time.Second)
	bundle, err := p.c.Bundles.Build(ctx, v, s)
	if err != nil && o.Withdraw && gone(err) {
		bundle, err = p.remains(ctx, v, name, s, now, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bundle.Close()) }()
	had, err := p.c.Ledger.Get(ctx, name, bundle.ID.String())
	if err != nil {
		return nil, err
	}
	if had != nil && !Sees(v, had) {
		return nil, ErrOthers
	}
	merge := ledger.Merge
	if o.Withdraw {
		merge = ledger.Withdraw
	}
	bundle.Items = merge(bundle.Items, p.c.Ledger.Values(ctx, had), now)
	note := ledger.Publication{Target: name, Bundle: bundle.ID.String()}
	if had != nil {
		note = *had
	}
	note.Kind, note.Title, note.TLP, note.Begun, note.By = target.Kind, bundle.Title, bundle.TLP, now, v.Name()
	if !o.DryRun {
		if err := p.c.Ledger.Begin(ctx, &note); err != nil {
			return nil, err
		}
	}
	result = &Result{Target: target, Bundle: bundle, Revision: note.Revision}
	if err := p.send(ctx, &target, bundle, had, o, result); err != nil {
		return nil, err
	}
	if o.DryRun {
		return result, nil
	}
	// What arrived is noted also where the caller has gone.
	ctx = context.WithoutCancel(ctx)
	if err := p.finish(ctx, &note, had, result, o); err != nil {
		return nil, err
	}
	p.c.Log.InfoContext(ctx, "a publication", "target", name, "kind", target.Kind, "bundle", note.Bundle, "outcome", result.Outcome,
		"revision", note.Revision, "tlp", note.TLP)
	return result, nil
}

// gone reports whether a bundle cannot be built for what its selection is now. What was
// sent of it can be taken back all the same.
func gone(err error) bool {
	for _, known := range []error{
		graph.ErrNotFound, export.ErrDismissed, export.ErrWeakLink, export.ErrTooManyCases, export.ErrApproval, export.ErrOwnApproval,
		export.ErrNoSecond,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var label *export.LabelError
	var victim *export.VictimError
	var empty *export.EmptyDictionaryError
	var approval *export.NeedsApprovalError
	return errors.As(err, &label) || errors.As(err, &victim) || errors.As(err, &empty) || errors.As(err, &approval)
}

// remains returns what the ledger knows of a bundle that cannot be built because of
// why; why, if that is nothing that the viewer may be told of.
func (p *Publisher) remains(ctx context.Context, v access.Viewer, target string, s export.Selection, now time.Time, why error) (*export.Bundle, error) {
	bundle, err := p.c.Bundles.Remains(v, s)
	if err != nil {
		return nil, why
	}
	had, err := p.c.Ledger.Get(ctx, target, bundle.ID.String())
	switch {
	case err != nil:
		return nil, err
	case had == nil || !Sees(v, had):
		return nil, why
	}
	bundle.Title = had.Title
	for sent, err := range p.c.Ledger.Values(ctx, had) {
		if err != nil {
			return nil, err
		}
		created, modified := sent.Dates()
		if bundle.Created.IsZero() || created.Before(bundle.Created) {
			bundle.Created = created
		}
		if modified.After(bundle.Modified) {
			bundle.Modified = modified
		}
	}
	// Taken back once more it is the same; what was stored within this second stays newer.
	if !had.Withdrawn && now.After(bundle.Modified) {
		bundle.Modified = now
	}
	return bundle, nil
}

// Sees reports whether somebody may be told of a publication: who made it, and who
// reads all tenants.
func Sees(v access.Viewer, p *ledger.Publication) bool { return v.ReadsAll() || p.By == v.Name() }

// strictness orders labels.
func strictness(t evidence.TLP) int {
	return slices.Index([]evidence.TLP{
		evidence.TLPClear, evidence.TLPGreen, evidence.TLPAmber, evidence.TLPAmberStrict, evidence.TLPRed,
	}, t)
}

func (p *Publisher) take(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[name] {
		return false
	}
	p.busy[name] = true
	return true
}

func (p *Publisher) give(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, name)
}

// finish notes in the ledger what was sent.
func (p *Publisher) finish(ctx context.Context, note *ledger.Publication, had *ledger.Publication, r *Result, o Options) error {
	note.Done, note.Event, note.Settled = p.c.Clock().UTC().Truncate(time.Second), r.Event, r.settled
	note.Published = r.Published
	unchanged := r.Outcome == string(misp.Unchanged)
	if unchanged && had != nil && had.Revision > 0 {
		return p.c.Ledger.Begin(ctx, note)
	}
	if unchanged && o.Withdraw {
		return p.c.Ledger.Begin(ctx, note)
	}
	if note.Revision > 0 {
		note.Keep(had)
	}
	note.Revision++
	note.Commit, note.Pull, note.Withdrawn = r.Commit, r.Pull, o.Withdraw
	note.Values = 0
	counted := func(yield func(export.Item, error) bool) {
		for item, err := range r.Bundle.Items {
			if err == nil && !item.Withdrawn {
				note.Values++
			}
			if !yield(item, err) {
				return
			}
		}
	}
	r.Revision = note.Revision
	for _, sum := range r.sums {
		if err := p.c.Ledger.Remember(ctx, sum, note.Bundle, note.Done); err != nil {
			return err
		}
	}
	return p.c.Ledger.Finish(ctx, note, counted, p.c.Ledger.Values(ctx, had))
}

// send sends a bundle the way of the target.
func (p *Publisher) send(ctx context.Context, t *Target, b *export.Bundle, had *ledger.Publication, o Options, r *Result) error {
	client, err := httpClient(t)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	event := misp.Options{Tags: t.Tags, Distribution: t.Distribution, Withdraw: o.Withdraw}
	if t.Kind == KindMISP {
		key, err := readSecret(t.KeyFile)
		if err != nil {
			return err
		}
		at, err := url.Parse(t.URL)
		if err != nil {
			return err
		}
		server, err := misp.NewClient(misp.Config{URL: at, Key: misp.NewKey(key), HTTP: client, Backoff: p.c.Backoff})
		if err != nil {
			return err
		}
		push := misp.PushOptions{Options: event, Publish: o.Publish, DryRun: o.DryRun, Progress: o.Progress}
		if had != nil {
			push.Settled = had.Settled
		}
		report, err := server.Push(ctx, b, push)
		if err != nil {
			return err
		}
		r.Outcome, r.Difference, r.Event, r.Extends = string(report.Outcome), report.Difference, report.EventUUID, report.Extends
		r.Timestamp, r.Published, r.Notes = report.Timestamp, report.Published, report.Notes
		r.Dropped, r.DroppedTotal, r.Altered, r.AlteredTotal = report.Dropped, report.DroppedTotal, report.Altered, report.AlteredTotal
		r.TagsDropped, r.settled = report.TagsDropped, report.Settled
		return nil
	}
	remote, err := p.remote(t, client)
	if err != nil {
		return err
	}
	layout := git.Layout{Folder: t.Folder, Event: event}
	sums := newSums()
	for _, f := range p.c.Formats {
		layout.Formats = append(layout.Formats, sums.format(f))
	}
	report, err := git.Publish(ctx, remote, b, git.Options{
		Layout: layout, Branch: t.Branch, PullRequest: t.PullRequest, DryRun: o.DryRun, Backoff: p.c.Backoff,
	})
	if err != nil {
		return err
	}
	r.Outcome, r.Difference, r.Files, r.Commit = string(report.Outcome), report.Difference, report.Files, report.Commit
	r.Branch, r.Pull, r.Attempts, r.Notes, r.Event = report.Branch, report.Pull, report.Attempts, report.Notes, b.ID.String()
	r.sums = sums.all()
	return nil
}

// sums takes the sum of each file that is written, of its last writing.
type sums struct{ by map[string]hash.Hash }

func newSums() *sums { return &sums{make(map[string]hash.Hash)} }

func (s *sums) format(f git.Format) git.Format {
	write := f.Write
	f.Write = func(ctx context.Context, w io.Writer, b *export.Bundle) error {
		h := sha256.New()
		s.by[f.Folder] = h
		return write(ctx, io.MultiWriter(w, h), b)
	}
	return f
}

func (s *sums) all() (out [][sha256.Size]byte) {
	for _, h := range s.by {
		out = append(out, [sha256.Size]byte(h.Sum(nil)))
	}
	return out
}
