package bench

import (
	"context"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// linkValues is the number of observables of the cases whose submit is timed
// with its links.
const linkValues = 50

// supply holds cases that are not stored yet, made ahead so that making them is
// not timed.
type supply struct {
	generator corpus.Generator
	mu        sync.Mutex
	next      *int // index of the first case that nobody has made
	ready     []*elsewherev1.Case
}

// take returns a case, which it makes if there is none.
func (s *supply) take() *elsewherev1.Case {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		s.ready = append(s.ready, s.make())
	}
	c := s.ready[len(s.ready)-1]
	s.ready = s.ready[:len(s.ready)-1]
	return c
}

func (s *supply) make() *elsewherev1.Case {
	c := s.generator.Case(*s.next)
	*s.next++
	return c
}

// fill makes cases until so many are ready.
func (s *supply) fill(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ready) < n {
		s.ready = append(s.ready, s.make())
	}
}

// prepared returns what to do before a round of submits: wait until the service
// is quiet, and make about as many cases as a round may take.
func (r *runner) prepared(s *supply, perSecond float64) func(context.Context) error {
	return func(ctx context.Context) error {
		s.fill(1 + int(r.Round.Seconds()*perSecond))
		return r.settled(ctx)
	}
}

// submitOne stores a case over gRPC, and gets its links if that is asked for.
func (r *runner) submitOne(ctx context.Context, c *elsewherev1.Case, links bool) error {
	err := r.service.submit(ctx, c, links)
	if err == nil {
		r.stored.Add(1)
	}
	return err
}

func (s *service) submit(ctx context.Context, c *elsewherev1.Case, links bool) error {
	_, err := s.cases.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c, NoLinks: !links}.Build())
	return err
}

// Goals for a submit with its links.
const (
	goalLink    = 2      // times the reads, p50
	goalLinkP99 = 25_000 // microseconds
)

// link submits cases of 50 observables and gets their links, beside what has to
// be read for that.
func (r *runner) link(ctx context.Context) error {
	if err := r.needRaw(ctx); err != nil {
		return err
	}
	r.Progress("cases of 50 observables with their links")
	const planned = 256
	g := r.Corpus
	g.ValuesPerCase, g.Exact = linkValues, true
	cases := &supply{generator: g, next: &r.next}
	plans := make([]plan, planned)
	for i := range plans {
		if err := ctx.Err(); err != nil {
			return err
		}
		plans[i] = r.plan(cases.take())
	}
	submit := func(ctx context.Context, _ int) error { return r.submitOne(ctx, cases.take(), true) }
	read := func(_ context.Context, i int) error { return r.raw.View(plans[i%planned].read) }
	readAndPut := func(ctx context.Context, i int) error {
		if err := read(ctx, i); err != nil {
			return err
		}
		return r.raw.putCase(cases.take())
	}
	spent := r.spent()
	s, err := r.turns(ctx, 1, side{call: read, before: r.settled},
		side{call: readAndPut, before: r.prepared(cases, 2_000)}, side{call: submit, before: r.prepared(cases, 1_000)})
	if err != nil {
		return err
	}
	var gets, keys int
	for _, p := range plans {
		gets += 1 + len(p.records) + len(p.profiles)
		keys += p.keys
	}
	base := s[0].row("link/badger", fmt.Sprintf("%d Gets and scans of %d keys of Badger, in process", gets/planned, keys/planned), "cases", 1)
	durable := s[1].row("link/badger+sync", "the same, then the case's keys in one transaction with SyncWrites", "cases", 1)
	row := s[2].row("link", "SubmitCase of 50 observables, with its links, 1 client", "cases", 1)
	r.state(&base)
	r.state(&row)
	spent(&row)
	r.add(base, durable, row.against(ofP50, base, Goal{AtMost: goalLink, Cases: million}).against(ofP50, durable).
		bound(ofP99, Goal{AtMost: goalLinkP99, Cases: million}))
	return nil
}

// plan is what has to be read of the baseline to link a case.
type plan struct {
	own      []byte // the key of the case
	records  [][]byte
	scans    [][]byte // prefixes
	keys     int      // that are read under them
	profiles [][]byte
}

// Bounds of what a value proposes: values in more tenants propose nothing, and
// of one tenant no more cases count. A list of few sightings fits the record.
const (
	proposingTenants = 64
	casesPerTenant   = 4
	fitsRecord       = 10
)

func (r *runner) plan(c *elsewherev1.Case) plan {
	p := plan{own: caseKey(bodySpace, c)}
	proposed := make(map[string]bool)
	_ = r.raw.View(func(txn *badger.Txn) error {
		for _, o := range observables(c) {
			p.records = append(p.records, recordKey(o))
			var refs []string
			tenants, last := 0, ""
			representatives(txn, postingPrefix(o), func(tenant, ref []byte) bool {
				if tenants == 0 || string(tenant) != last {
					tenants, last = tenants+1, string(tenant)
				}
				refs = append(refs, string(ref))
				return tenants <= proposingTenants
			})
			if tenants > proposingTenants {
				continue
			}
			if len(refs) > fitsRecord {
				p.scans, p.keys = append(p.scans, postingPrefix(o)), p.keys+len(refs)
			}
			for _, ref := range refs {
				if !proposed[ref] {
					proposed[ref] = true
					p.profiles = append(p.profiles, append([]byte{profileSpace}, ref...))
				}
			}
		}
		return nil
	})
	return p
}

// read does it.
func (p plan) read(txn *badger.Txn) error {
	if err := get(txn, p.own); err != nil {
		return err
	}
	for _, k := range p.records {
		if err := get(txn, k); err != nil {
			return err
		}
	}
	for _, prefix := range p.scans {
		representatives(txn, prefix, func(_, _ []byte) bool { return true })
	}
	for _, k := range p.profiles {
		if err := get(txn, k); err != nil {
			return err
		}
	}
	return nil
}
