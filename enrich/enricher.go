package enrich

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxLookups is how many look-ups at third parties one call causes
// unless it says otherwise: a list of thousands must not use up a day's quota.
const DefaultMaxLookups = 100

// window is how many values of one call are worked on at the same time.
const window = 64

// Config is what an Enricher needs. With a third party among the sources every
// field but Log is needed too.
type Config struct {
	// Sources in the order of a record; local ones are always asked first.
	Sources []Source
	// Store keeps the answers of third parties.
	Store Store
	// Book keeps what look-ups say about classes.
	Book *Book
	// Gate decides by tenant, Shield by value, whether a third party is asked.
	Gate   Gate
	Shield Shield
	// Log gets what no asker is told; nil is silent. Values are not logged.
	Log *slog.Logger
}

// Ask is how a question is asked. The zero value is the operator's own.
type Ask struct {
	// Tenant is on whose behalf; see Disclosure.
	Tenant string
	// TLP is the strictest label of the cases that the values come from.
	TLP     TLP
	Purpose Purpose
	// LocalOnly keeps every value inside the deployment.
	LocalOnly bool
	// Kept lets the asker see kept answers of third parties where the gate does
	// not let it ask: nothing leaves, but the asker learns that somebody asked.
	Kept bool
	// MaxLookups bounds the look-ups at third parties that this call causes; 0 is
	// DefaultMaxLookups, below 0 is none. Kept answers do not count, asking again
	// for stale ones does.
	MaxLookups int
}

// Enricher asks sources. Close it before its Store.
type Enricher struct {
	local, remote []source
	abouts        []About // of all sources, in the order of a record
	scopes        Scopes
	cache         cache
	book          *Book
	gate          Gate
	shield        Shield
	log           *slog.Logger
	flights       flights
	base          context.Context
	stop          context.CancelFunc
}

// source is a Source with what the Enricher keeps about it.
type source struct {
	Source
	about About
	order int
	slots chan struct{} // a token for each running look-up; nil for local sources
}

// New returns an Enricher.
func New(c Config) (*Enricher, error) {
	e := &Enricher{
		scopes: NewScopes(), cache: cache{c.Store}, book: c.Book, gate: c.Gate, shield: c.Shield, log: c.Log,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	names := make(map[string]bool)
	for i, s := range c.Sources {
		src := source{Source: s, about: s.About(), order: i}
		if src.about.Name == "" || names[src.about.Name] {
			return nil, fmt.Errorf("two sources are named %q", src.about.Name)
		}
		names[src.about.Name] = true
		e.abouts = append(e.abouts, src.about)
		if !src.about.ThirdParty {
			e.local = append(e.local, src)
			continue
		}
		if c.Store == nil || c.Book == nil || c.Gate == nil || c.Shield == nil {
			return nil, fmt.Errorf("the third party %s needs a store, a book, a gate and a shield", src.about.Name)
		}
		if src.about.Timeout <= 0 {
			src.about.Timeout = DefaultTimeout
		}
		if src.about.Concurrency <= 0 {
			src.about.Concurrency = DefaultConcurrency
		}
		src.slots = make(chan struct{}, src.about.Concurrency)
		e.remote = append(e.remote, src)
	}
	e.base, e.stop = context.WithCancel(context.Background())
	return e, nil
}

// Close cancels what is on its way and waits for it. Later questions are
// answered by local sources alone.
func (e *Enricher) Close() {
	e.stop()
	e.flights.close()
}

// Enrich yields one record a value, in order. A source that fails, is too slow
// or may not be asked leaves a partial record, and so does the end of ctx: what
// is in memory is answered still. At most a window of values is in work.
func (e *Enricher) Enrich(ctx context.Context, ask Ask, values []Value) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		budget := e.budget(ask)
		if len(e.remote) == 0 || ask.LocalOnly {
			for _, v := range values {
				if !yield(e.one(ctx, ask, budget, v)) {
					return
				}
			}
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var pending []chan Record
		for len(values) > 0 || len(pending) > 0 {
			for len(values) > 0 && len(pending) < window {
				v, c := values[0], make(chan Record, 1)
				values, pending = values[1:], append(pending, c)
				wg.Go(func() { c <- e.contained(ctx, ask, budget, v) })
			}
			if !yield(<-pending[0]) {
				return
			}
			pending = pending[1:]
		}
	}
}

// One is Enrich for one value.
func (e *Enricher) One(ctx context.Context, ask Ask, v Value) Record {
	return e.one(ctx, ask, e.budget(ask), v)
}

// contained is one on a goroutine that nobody else watches over. What it panics with
// may hold the value.
func (e *Enricher) contained(ctx context.Context, ask Ask, budget *atomic.Int64, v Value) (r Record) {
	defer func() {
		if recover() != nil {
			e.log.ErrorContext(ctx, "panic while a value was enriched", "stack", string(debug.Stack()))
			r = Record{Value: v}
		}
	}()
	return e.one(ctx, ask, budget, v)
}

// budget is what a call may still look up.
func (e *Enricher) budget(ask Ask) *atomic.Int64 {
	n := int64(ask.MaxLookups)
	if n == 0 {
		n = DefaultMaxLookups
	}
	var b atomic.Int64
	b.Store(n)
	return &b
}

func (e *Enricher) one(ctx context.Context, ask Ask, budget *atomic.Int64, v Value) Record {
	v = v.Normal()
	answers := make([]Answer, len(e.local)+len(e.remote))
	var claims []Claim
	var unsure string
	for _, s := range e.local {
		if !s.about.answers(v) {
			continue
		}
		ans := s.look(ctx, v, ask.Purpose)
		answers[s.order] = ans
		claims = append(claims, ans.Claims...)
		if ans.Status == Error {
			unsure = s.about.Name
		}
	}
	if len(e.remote) > 0 {
		e.askRemote(ctx, ask, budget, v, e.never(v, claims, unsure), answers)
	}
	if e.book != nil {
		claims = append(claims, e.book.Claims(v)...)
	}
	return e.record(v, answers, claims)
}

// askRemote fills in what third parties say, or why they were not asked.
func (e *Enricher) askRemote(ctx context.Context, ask Ask, budget *atomic.Int64, v Value, never string, answers []Answer) {
	if never == "" && ask.LocalOnly {
		never = "only local sources were asked"
	}
	var wg sync.WaitGroup
	for _, s := range e.remote {
		switch {
		case !s.about.answers(v):
		case never != "":
			answers[s.order] = s.about.without(NotLookedUp, never)
		default:
			wg.Go(func() {
				defer func() {
					if recover() != nil {
						e.log.ErrorContext(ctx, "panic while a third party was asked", "stack", string(debug.Stack()))
						answers[s.order] = s.about.without(Error, "the look-up was given up")
					}
				}()
				answers[s.order] = e.ask(ctx, ask, budget, s, v)
			})
		}
	}
	wg.Wait()
}

func (e *Enricher) record(v Value, answers []Answer, claims []Claim) Record {
	r := Record{Value: v}
	n := 1
	for i, ans := range answers {
		if ans.Source != "" {
			n += len(ans.Fields) + len(e.abouts[i].Fields)
		}
	}
	r.Fields = make([]Field, 0, n)
	if p, ok := v.Prefix(); ok {
		scope := e.scopes.Of(p)
		r.Fields = append(r.Fields, Field{Name: FieldScope, Value: scope, Source: "iana", Status: OK})
		if scope != ScopePublic {
			claims = append(claims, Claim{Class: ClassBogon, Source: "iana", Entry: scope})
		}
	}
	r.Class = Decide(claims...)
	for i, ans := range answers {
		if ans.Source == "" {
			continue
		}
		r.Fields = e.abouts[i].fields(r.Fields, ans)
		ans.Fields, ans.Claims = nil, nil
		r.Answers = append(r.Answers, ans)
	}
	return r
}

// never returns why v must not be sent to anybody, or "". Where a local source
// failed nobody can tell, so nothing is sent.
func (e *Enricher) never(v Value, claims []Claim, unsure string) string {
	if p, ok := v.Prefix(); ok {
		if scope := e.scopes.Of(p); scope != ScopePublic {
			return "never sent: " + scope + " address space"
		}
	} else if v.Kind == KindIP || v.Kind == KindCIDR {
		return "never sent: no address"
	}
	for _, c := range claims {
		if c.Effect == Sets && slices.Contains(shieldedClasses(), c.Class) {
			return "never sent: " + c.Class
		}
	}
	if why := e.shield.Shielded(v); why != "" {
		return "never sent: " + Sanitize(why, maxText)
	}
	if unsure != "" {
		return "not sent: " + unsure + " could not say whether it may be"
	}
	return ""
}

// look asks a source and bounds what it says. A panic is an error of the source.
func (s source) look(ctx context.Context, v Value, purpose Purpose) (ans Answer) {
	defer func() {
		if recover() != nil {
			ans = s.about.without(Error, "the source gave up on this value")
			ans.LookedUpAt = time.Now().UTC()
		}
	}()
	ans = s.Lookup(ctx, v, purpose)
	if ans.Status > Error {
		ans = s.about.without(Error, "the source answered with an unknown status")
	}
	if !ans.Status.Answered() {
		ans.Fields, ans.Claims = nil, nil
	}
	ans.Claims = slices.DeleteFunc(ans.Claims, func(c Claim) bool { return c.check() != nil })
	ans.Source, ans.LookedUpAt, ans.Stale = s.about.Name, time.Time{}, false
	if ans.Status.Answered() || ans.Status == Error {
		ans.LookedUpAt = time.Now().UTC()
	}
	return ans.sanitize()
}

// errUnfit is the cause of every refused claim.
var errUnfit = errors.New("a claim does not fit its effect")

// check refuses claims that would turn a weight into nonsense.
func (c Claim) check() error {
	good := c.Effect <= Multiplies
	switch c.Effect {
	case Grades:
		good = c.Grade >= 0 && c.Grade <= 1
	case Multiplies:
		good = c.Factor > 0 && c.Factor <= 1000
	}
	if !good {
		return errUnfit
	}
	return nil
}
