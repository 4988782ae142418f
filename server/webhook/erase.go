package webhook

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Naming returns how many webhooks are for a tenant by name, and how many dead letters
// are about pairs with an end in it.
func (h *Hooks) Naming(ctx context.Context, tenant string) (hooks, letters uint64, err error) {
	for _, w := range h.all() {
		if slices.Contains(w.hook.Tenants, tenant) {
			hooks++
		}
		for l, err := range h.dead(ctx, w.hook.ID, "") {
			if err != nil {
				return 0, 0, err
			}
			if l.names(tenant) {
				letters++
			}
		}
	}
	return hooks, letters, nil
}

func (l *Letter) names(tenant string) bool { return slices.Contains(l.Tenants[:], tenant) }

func (h *Hooks) all() []*worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*worker, 0, len(h.workers))
	for _, w := range h.workers {
		all = append(all, w)
	}
	return all
}

// Erase takes a tenant off all webhooks, durably, and removes what they hold about it:
// events that are being posted, which have to be gone from the log, and dead letters. A
// webhook that is for no other tenant goes.
func (h *Hooks) Erase(ctx context.Context, tenant string) error {
	h.changes.Lock()
	defer h.changes.Unlock()
	for _, w := range h.all() {
		if slices.Contains(w.hook.Tenants, tenant) {
			var err error
			if w, err = h.strike(ctx, w, tenant); err != nil {
				return err
			}
			if w == nil {
				continue
			}
		}
		w.readAnew()
		err := h.dropDead(ctx, w.hook.ID, func(l Letter) bool { return l.names(tenant) })
		if err != nil {
			return err
		}
	}
	return nil
}

// strike replaces a webhook by one that is not for a tenant, nil where it is for no
// other.
func (h *Hooks) strike(ctx context.Context, w *worker, tenant string) (*worker, error) {
	hook := w.hook
	hook.Tenants = slices.DeleteFunc(slices.Clone(hook.Tenants), func(id string) bool { return id == tenant })
	if len(hook.Tenants) == 0 && !hook.AllTenants {
		return nil, h.remove(ctx, w)
	}
	next, err := h.newWorker(hook)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(record{recordVersion, hook})
	if err != nil {
		return nil, err
	}
	if err := h.Store.Put(ctx, storedHooks+hook.ID, data, time.Time{}); err != nil {
		return nil, err
	}
	if err := h.end(ctx, w); err != nil {
		return nil, err
	}
	h.add(next)
	return next, nil
}

// round follows the log until ctx ends or readAnew is called, after which it returns
// nil.
func (w *worker) round(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	defer close(ended)
	defer cancel()
	w.lock.Lock()
	w.stopRound = func() {
		cancel()
		<-ended
	}
	w.lock.Unlock()
	err := w.guarded(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// readAnew gives up what the worker has read and not posted. When it returns, nothing
// is posted or buried that was read before.
func (w *worker) readAnew() {
	w.lock.Lock()
	stop := w.stopRound
	w.state.Failing, w.state.LastError = time.Time{}, ""
	w.lock.Unlock()
	if stop != nil {
		stop()
	}
}
