// Package webhook posts how links change to targets that an administrator named.
//
// It knows HTTP, the log of events and what a webhook may hear (server/access); it
// must not know the wire schema: who opens it says how an event is written. Each
// webhook reads the log for itself and remembers its place in the store, so an event
// is posted at least once, those of one pair in order, through crashes and outages of
// the target. What a target will not take ends as a dead letter, to be seen and posted
// again.
package webhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/watch"
)

// Store keeps webhooks, their places and dead letters.
type Store interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, expire time.Time) error
	Scan(ctx context.Context, prefix string) iter.Seq2[graph.Kept, error]
}

// Log is the log of events; a *watch.Hub is one.
type Log interface {
	Begin(ctx context.Context) (watch.Cursor, error)
	Read(ctx context.Context, s watch.Scope, from watch.Cursor) (events []watch.Heard, to watch.Cursor, more bool, err error)
	News() <-chan struct{}
}

// Where records stand in the store.
const (
	storedHooks = "webhook/hook/"
	storedAt    = "webhook/at/"
	storedDead  = "webhook/dead/"
)

const (
	recordVersion = 1
	// maxHooks bounds the webhooks of a deployment.
	maxHooks = 100
	maxName  = 200
)

// Options are how an operator lets webhooks work.
type Options struct {
	// AllowPrivate lets targets be of this machine or the networks around it.
	AllowPrivate bool
	// AllowHTTP lets targets be without TLS.
	AllowHTTP bool
	// RootCAs are whom targets are trusted by; nil: whom the system trusts.
	RootCAs *x509.CertPool
	// Retry is the first wait after a failure, which doubles up to MaxRetry; 0: 1 s
	// and 5 min. After GiveUp, 0: 24 h, an event is a dead letter.
	Retry, MaxRetry, GiveUp time.Duration
}

// Hook is a webhook.
type Hook struct {
	ID         string
	Name       string `json:",omitempty"`
	URL        string
	Tenants    []string `json:",omitempty"` // sorted
	AllTenants bool     `json:",omitempty"`
	MinTier    link.Tier
	Created    time.Time
}

// State is how a webhook fares.
type State struct {
	Hook
	// Delivered counts since the service started.
	Delivered     uint64
	LastDelivered time.Time
	// Failing says since when the event that is due cannot be posted, LastError why.
	Failing   time.Time
	LastError string
	Dead      int
}

// record is a webhook as it is stored.
type record struct {
	Version int `json:"v"`
	Hook
}

// Dependencies are what Hooks are made of.
type Dependencies struct {
	Store  Store
	Log    Log
	Rules  *access.Rules
	Secret func(id string) (access.Secret, error)
	// Encode writes the body of a delivery.
	Encode  func(*watch.Event) ([]byte, error)
	Options Options
	Logger  *slog.Logger
	Clock   func() time.Time // nil: time.Now
}

// ErrNoHook is returned for a webhook that does not exist.
var ErrNoHook = errors.New("no such webhook")

// ErrTooMany is returned where there are as many webhooks as there may be.
var ErrTooMany = errors.New("there are 100 webhooks already")

// Hooks are the webhooks of a deployment. Open them and start Run once.
type Hooks struct {
	Dependencies
	client  *http.Client
	changes sync.Mutex // held by who adds or removes one

	mu      sync.Mutex
	workers map[string]*worker
	run     func(*worker) // nil before Run
}

// Open reads the webhooks of a store.
func Open(ctx context.Context, d Dependencies) (*Hooks, error) {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	o := &d.Options
	o.Retry = cmp.Or(o.Retry, time.Second)
	o.MaxRetry = cmp.Or(o.MaxRetry, 5*time.Minute)
	o.GiveUp = cmp.Or(o.GiveUp, 24*time.Hour)
	h := &Hooks{Dependencies: d, client: d.Options.newClient(), workers: make(map[string]*worker)}
	for entry, err := range d.Store.Scan(ctx, storedHooks) {
		if err != nil {
			return nil, err
		}
		var r record
		if err := json.Unmarshal(entry.Data, &r); err != nil {
			return nil, fmt.Errorf("a stored webhook is damaged: %w", err)
		}
		if r.Version > recordVersion {
			return nil, fmt.Errorf("a webhook is stored in version %d; this program reads up to %d", r.Version, recordVersion)
		}
		if h.workers[r.ID], err = h.newWorker(r.Hook); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Create makes a webhook, which begins with what is logged from now on, and returns
// it with the secret that it signs with, durable.
func (h *Hooks) Create(ctx context.Context, like Hook) (Hook, access.Secret, error) {
	hook := Hook{
		ID: access.NewWebhookID(), Name: like.Name, URL: like.URL, AllTenants: like.AllTenants,
		MinTier: cmp.Or(like.MinTier, link.Possible), Created: h.Clock().UTC().Truncate(time.Second),
	}
	var err error
	if hook.Tenants, err = h.Rules.Tenants.CheckScope("webhook.tenants", like.Tenants, like.AllTenants); err != nil {
		return Hook{}, access.Secret{}, err
	}
	if len(hook.Name) > maxName || strings.ContainsFunc(hook.Name, func(r rune) bool { return r < ' ' }) {
		return Hook{}, access.Secret{}, &evidence.InvalidError{Violations: []evidence.Violation{{Path: "webhook.name", Reason: "NOT_TEXT", Message: "at most 200 bytes of plain text"}}, Total: 1}
	}
	if err := h.Options.checkURL(hook.URL); err != nil {
		return Hook{}, access.Secret{}, err
	}
	secret, err := h.Secret(hook.ID)
	if err != nil {
		return Hook{}, access.Secret{}, err
	}
	h.changes.Lock()
	defer h.changes.Unlock()
	if h.count() >= maxHooks {
		return Hook{}, access.Secret{}, ErrTooMany
	}
	at, err := h.Log.Begin(ctx)
	if err != nil {
		return Hook{}, access.Secret{}, err
	}
	// The place first: a webhook without one would not know where to begin.
	if err := h.Store.Put(ctx, storedAt+hook.ID, at.Bytes(), time.Time{}); err != nil {
		return Hook{}, access.Secret{}, err
	}
	data, err := json.Marshal(record{recordVersion, hook})
	if err != nil {
		return Hook{}, access.Secret{}, err
	}
	if err := h.Store.Put(ctx, storedHooks+hook.ID, data, time.Time{}); err != nil {
		return Hook{}, access.Secret{}, err
	}
	w, err := h.newWorker(hook)
	if err != nil {
		return Hook{}, access.Secret{}, err
	}
	h.add(w)
	return hook, secret, nil
}

func (h *Hooks) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.workers)
}

func (h *Hooks) add(w *worker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.workers[w.hook.ID] = w
	if h.run != nil {
		h.run(w)
	}
}

func (h *Hooks) find(id string) (*worker, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.workers[id]; w != nil {
		return w, nil
	}
	return nil, ErrNoHook
}

// Delete removes a webhook with its dead letters.
func (h *Hooks) Delete(ctx context.Context, id string) error {
	h.changes.Lock()
	defer h.changes.Unlock()
	w, err := h.find(id)
	if err != nil {
		return err
	}
	return h.remove(ctx, w)
}

// remove removes a webhook. The caller holds changes.
func (h *Hooks) remove(ctx context.Context, w *worker) error {
	id := w.hook.ID
	if err := h.drop(ctx, storedHooks+id); err != nil {
		return err
	}
	if err := h.end(ctx, w); err != nil {
		return err
	}
	return errors.Join(h.drop(ctx, storedAt+id), h.dropDead(ctx, id, func(Letter) bool { return true }))
}

// end stops a worker. What it is about to write would outlive it, so it has ended
// when end returns.
func (h *Hooks) end(ctx context.Context, w *worker) error {
	h.mu.Lock()
	delete(h.workers, w.hook.ID)
	running := h.run != nil
	h.mu.Unlock()
	w.stop()
	if !running {
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop removes an entry of the store.
func (h *Hooks) drop(ctx context.Context, key string) error {
	return h.Store.Put(ctx, key, nil, h.Clock().Add(-time.Hour))
}

// List returns the webhooks after an id, in order of id, at most limit.
func (h *Hooks) List(ctx context.Context, after string, limit int) ([]State, error) {
	h.mu.Lock()
	var all []State
	for id, w := range h.workers {
		if id > after {
			all = append(all, w.now())
		}
	}
	h.mu.Unlock()
	slices.SortFunc(all, func(x, y State) int { return strings.Compare(x.ID, y.ID) })
	all = all[:min(len(all), limit)]
	for i := range all {
		for _, err := range h.dead(ctx, all[i].ID, "") {
			if err != nil {
				return nil, err
			}
			all[i].Dead++
		}
	}
	return all, nil
}

// Run posts until ctx ends.
func (h *Hooks) Run(ctx context.Context) {
	var running sync.WaitGroup
	h.mu.Lock()
	h.run = func(w *worker) {
		ctx, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(w.ended, cancel)
		running.Go(func() {
			defer close(w.done)
			defer cancel()
			defer stop()
			w.run(ctx)
		})
	}
	for _, w := range h.workers {
		h.run(w)
	}
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	// One that is made now starts with the service.
	h.run = nil
	h.mu.Unlock()
	running.Wait()
	h.client.CloseIdleConnections()
}
