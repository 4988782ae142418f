package erase

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Config is what an Eraser is made of.
type Config struct {
	Keeper Keeper
	// Gate keeps the cases of a tenant out while it is erased.
	Gate *Gate
	// Traces are erased in this order. Where a later one depends on an earlier one, as
	// links do on cases, it comes after it.
	Traces []Trace
	// Purger writes the files anew; nil where there are none.
	Purger graph.Purger
	Signer Signer
	// Exists reports whether there is a tenant of that id.
	Exists func(tenant string) bool
	// Closing is told before and after a tenant is erased, so that it is not made
	// anew meanwhile.
	Closing func(tenant string, closed bool)
	// Models returns the versions of the model that were learned from a tenant's
	// cases.
	Models func(ctx context.Context, tenant string) ([]uint32, error)
	// Stays is what a receipt says about what is not taken out.
	Stays []string
	// UntilPurged is what it says in addition where the files were not purged.
	UntilPurged []string
	Clock       func() time.Time // nil: time.Now
	Log         *slog.Logger
}

// ErrNoTenant is returned for a tenant that there is not, and that was not erased.
var ErrNoTenant = errors.New("no such tenant")

// Eraser erases tenants, one after the other, in the background: what was asked for
// is carried out whoever still waits for it, and goes on at the next start. It is
// safe for concurrent use.
type Eraser struct {
	c     Config
	wake  chan struct{}
	asked sync.Mutex // held by who asks

	mu   sync.Mutex
	jobs map[string]*job
}

// Phase is what is being done.
type Phase uint8

// The phases, numbered as on the wire.
const (
	Waiting Phase = iota + 1
	Counting
	Erasing
	Purging
	Done
)

// Progress is how far an erasure is.
type Progress struct {
	Phase Phase
	// Trace is the one that is being erased.
	Trace string
	// Done and Of count cases while they are erased, and entries of the store while
	// it is purged; Of is 0 where it is not known.
	Done, Of uint64
	// Receipt and Document are set once the phase is Done.
	Receipt  *Receipt
	Document []byte
}

// job is an erasure as those see it who wait for it.
type job struct {
	now     Progress
	err     error
	changed chan struct{} // closed with every change
}

// Traces returns the names of all that is erased, in order.
func (e *Eraser) Traces() []string {
	names := make([]string, len(e.c.Traces))
	for i, t := range e.c.Traces {
		names[i] = t.Name()
	}
	return names
}

// New returns an Eraser that knows what an earlier one was asked for. Its Run has to
// be called.
func New(ctx context.Context, c Config) (*Eraser, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	e := &Eraser{c: c, wake: make(chan struct{}, 1), jobs: make(map[string]*job)}
	open, err := e.intentions(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range open {
		e.closeTenant(&i)
		e.tell(i.Tenant, Progress{Phase: Waiting}, nil)
	}
	return e, nil
}

// closeTenant keeps out the cases of a tenant that is not erased yet.
func (e *Eraser) closeTenant(i *intention) {
	if !i.Erased.IsZero() {
		return
	}
	e.c.Gate.close(i.Tenant)
	e.c.Closing(i.Tenant, true)
}

// Ask has a tenant erased, and the files purged too if asked for. It returns when the
// intention is stored. Who asks again waits for the same erasure, and for one that
// was carried out gets its receipt.
func (e *Eraser) Ask(ctx context.Context, tenant, by string, purge bool) error {
	if purge && e.c.Purger == nil {
		return graph.ErrNoFiles
	}
	e.asked.Lock()
	defer e.asked.Unlock()
	i, err := e.find(ctx, tenant)
	if err != nil {
		return err
	}
	switch exists := e.c.Exists(tenant); {
	case i != nil && !i.done():
		if purge && !i.Purge {
			i.Purge = true
			if err := e.keep(ctx, i); err != nil {
				return err
			}
		}
		e.hurry(tenant)
		return nil
	case exists:
		i = &intention{Tenant: tenant, By: by, Asked: e.now(), Purge: purge}
	case i == nil:
		return ErrNoTenant
	case purge && i.Purged.IsZero():
		i.Purge = true
	default:
		return e.showStored(i)
	}
	if err := e.keep(ctx, i); err != nil {
		return err
	}
	e.tell(tenant, Progress{Phase: Waiting}, nil)
	e.signal()
	return nil
}

// now is the clock in the resolution of receipts.
func (e *Eraser) now() time.Time { return e.c.Clock().UTC().Truncate(time.Second) }

// signal has Run look for what is to be done.
func (e *Eraser) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// tell lets those who wait know how far an erasure is.
func (e *Eraser) tell(tenant string, now Progress, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := e.jobs[tenant]
	if j == nil {
		j = &job{}
		e.jobs[tenant] = j
	} else {
		close(j.changed)
	}
	j.now, j.err, j.changed = now, err, make(chan struct{})
}

// Watch yields how far an erasure is, now and with every change, as far as the
// listener keeps up. It ends when the phase is Done, with the error why it is not
// for now, or with that of ctx.
func (e *Eraser) Watch(ctx context.Context, tenant string) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		for {
			e.mu.Lock()
			j := e.jobs[tenant]
			if j == nil {
				e.mu.Unlock()
				yield(Progress{}, ErrNoTenant)
				return
			}
			now, err, changed := j.now, j.err, j.changed
			e.mu.Unlock()
			if !yield(now, err) || err != nil || now.Phase == Done {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(Progress{}, ctx.Err())
				return
			}
		}
	}
}

// retryAfter is how long Run waits after an error. Whoever asks anew does not wait.
const retryAfter = time.Minute

// Run carries out what was asked for, until ctx ends.
func (e *Eraser) Run(ctx context.Context) {
	for {
		again := e.carryOut(ctx)
		var retry <-chan time.Time
		if again {
			retry = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-retry:
		}
	}
}

// carryOut reports whether something went wrong.
func (e *Eraser) carryOut(ctx context.Context) (again bool) {
	open, err := e.intentions(ctx)
	if err != nil {
		e.c.Log.WarnContext(ctx, "erasures are not known", "error", err)
		return true
	}
	slices.SortStableFunc(open, func(x, y intention) int { return x.Asked.Compare(y.Asked) })
	for _, i := range open {
		err := e.one(ctx, i.Tenant)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			e.c.Log.WarnContext(ctx, "a tenant is not erased yet", "error", err)
			e.tell(i.Tenant, Progress{Phase: Waiting}, err)
			again = true
		}
	}
	return again
}

// one carries out the intention of a tenant from where it was left.
func (e *Eraser) one(ctx context.Context, tenant string) error {
	i, err := e.find(ctx, tenant)
	if err != nil {
		return err
	}
	e.closeTenant(i)
	if !i.Counted {
		if err := e.count(ctx, i); err != nil {
			return err
		}
	}
	if i.Erased.IsZero() {
		if err := e.erase(ctx, i); err != nil {
			return err
		}
	}
	if i, err = e.find(ctx, tenant); err != nil {
		return err
	}
	if i.Purge && i.Purged.IsZero() {
		if err := e.purge(ctx, i); err != nil {
			return err
		}
	}
	return e.showDone(ctx, tenant)
}

// count notes what there is before anything is taken away.
func (e *Eraser) count(ctx context.Context, i *intention) error {
	e.tell(i.Tenant, Progress{Phase: Counting}, nil)
	i.Removed = nil
	for _, t := range e.c.Traces {
		found, err := t.Count(ctx, i.Tenant)
		if err != nil {
			return fmt.Errorf("count %s: %w", t.Name(), err)
		}
		i.Removed = append(i.Removed, found...)
	}
	var err error
	if i.Models, err = e.c.Models(ctx, i.Tenant); err != nil {
		return err
	}
	i.Counted = true
	return e.change(ctx, i.Tenant, func(stored *intention) {
		stored.Counted, stored.Removed, stored.Models = true, i.Removed, i.Models
	})
}

func (e *Eraser) erase(ctx context.Context, i *intention) error {
	e.c.Log.InfoContext(ctx, "a tenant is being erased")
	of := uint64(0)
	if len(i.Removed) > 0 {
		of = i.Removed[0].Count
	}
	for n, t := range e.c.Traces {
		p := Progress{Phase: Erasing, Trace: t.Name()}
		if n == 0 {
			p.Of = of
		}
		e.tell(i.Tenant, p, nil)
		err := t.Erase(ctx, i.Tenant, func(done uint64) {
			p.Done, p.Of = done, max(p.Of, done)
			e.tell(i.Tenant, p, nil)
		})
		if err != nil {
			return fmt.Errorf("erase %s: %w", t.Name(), err)
		}
	}
	err := e.change(ctx, i.Tenant, func(stored *intention) { stored.Erased = e.now() })
	if err != nil {
		return err
	}
	e.c.Closing(i.Tenant, false)
	e.c.Gate.open(i.Tenant)
	e.c.Log.InfoContext(ctx, "a tenant was erased")
	return nil
}

func (e *Eraser) purge(ctx context.Context, i *intention) error {
	e.tell(i.Tenant, Progress{Phase: Purging}, nil)
	for _, t := range e.c.Traces {
		if p, ok := t.(PurgedTrace); ok {
			if err := p.Purge(ctx, i.Tenant); err != nil {
				return fmt.Errorf("purge %s: %w", t.Name(), err)
			}
		}
	}
	began := e.now()
	err := e.c.Purger.Purge(ctx, func(done, of uint64) {
		e.tell(i.Tenant, Progress{Phase: Purging, Done: done, Of: of}, nil)
	})
	if err != nil {
		return err
	}
	e.c.Log.InfoContext(ctx, "the store was purged", "seconds", e.now().Sub(began).Seconds())
	i.Purged = e.now()
	return e.change(ctx, i.Tenant, func(stored *intention) { stored.Purged = i.Purged })
}

// change changes a stored intention, to which more may have been added since.
func (e *Eraser) change(ctx context.Context, tenant string, f func(*intention)) error {
	e.asked.Lock()
	defer e.asked.Unlock()
	i, err := e.find(ctx, tenant)
	if err != nil {
		return err
	}
	f(i)
	if !i.Erased.IsZero() {
		r := e.receipt(i)
		if i.Document, err = r.sign(e.c.Signer); err != nil {
			return err
		}
	}
	return e.keep(ctx, i)
}

// hurry has an erasure that went wrong tried again at once.
func (e *Eraser) hurry(tenant string) {
	e.mu.Lock()
	j := e.jobs[tenant]
	idle := j == nil || j.err != nil || j.now.Phase == Done
	e.mu.Unlock()
	if idle {
		e.tell(tenant, Progress{Phase: Waiting}, nil)
	}
	e.signal()
}

func (e *Eraser) receipt(i *intention) *Receipt {
	r := &Receipt{
		Format: Format, Tenant: i.Tenant, AskedBy: i.By, Asked: i.Asked, Erased: i.Erased,
		Removed: i.Removed, Stays: e.c.Stays, Models: slices.Clone(i.Models),
	}
	if r.Models == nil {
		r.Models = []uint32{}
	}
	until := i.Erased
	if i.Purge && !i.Purged.IsZero() {
		until = i.Purged
		r.Purged = &until
	} else {
		r.Stays = slices.Concat(r.Stays, e.c.UntilPurged)
	}
	r.Backups = "Copies of the data folder that were made before " + until.Format(time.RFC3339) +
		" may hold what was removed; this service knows of none and reaches none."
	return r
}

// showDone shows those who wait the receipt of what was carried out, unless more was
// asked for since.
func (e *Eraser) showDone(ctx context.Context, tenant string) error {
	e.asked.Lock()
	defer e.asked.Unlock()
	i, err := e.find(ctx, tenant)
	if err != nil || !i.done() {
		return err
	}
	return e.showStored(i)
}

func (e *Eraser) showStored(i *intention) error {
	r, _, err := Verify(i.Document)
	if err != nil {
		return err
	}
	e.tell(i.Tenant, Progress{Phase: Done, Receipt: &r, Document: i.Document}, nil)
	return nil
}
