package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/watch"
)

// maxDead bounds the dead letters of one webhook; the oldest go first.
const maxDead = 1_000

// Letter is a dead letter: an event that a target did not take.
type Letter struct {
	ID      string `json:"-"`
	EventID string
	// Tenants are those of the pair, so that what is erased can be found.
	Tenants  [2]string
	Since    time.Time // the first attempt
	Died     time.Time
	Attempts uint32
	Reason   string
	Body     []byte
}

// dead yields the dead letters of a webhook after one, the oldest first.
func (h *Hooks) dead(ctx context.Context, hook, after string) iter.Seq2[Letter, error] {
	prefix := storedDead + hook + "/"
	return func(yield func(Letter, error) bool) {
		for entry, err := range h.Store.Scan(ctx, prefix) {
			var l Letter
			if err == nil {
				if entry.Key <= prefix+after {
					continue
				}
				if err = json.Unmarshal(entry.Data, &l); err != nil {
					err = fmt.Errorf("a dead letter is damaged: %w", err)
				}
				l.ID = entry.Key[len(prefix):]
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// Dead returns the dead letters of a webhook after one, the oldest first, at most
// limit.
func (h *Hooks) Dead(ctx context.Context, hook, after string, limit int) ([]Letter, error) {
	if _, err := h.find(hook); err != nil {
		return nil, err
	}
	var letters []Letter
	for l, err := range h.dead(ctx, hook, after) {
		if err != nil {
			return nil, err
		}
		if letters = append(letters, l); len(letters) == limit {
			break
		}
	}
	return letters, nil
}

// bury keeps an event that a target did not take, as long as events are kept. Its key
// follows from the event, so that a crash does not bury it twice.
func (w *worker) bury(ctx context.Context, e *watch.Heard, l Letter) error {
	l.EventID, l.Tenants = e.ID, [2]string{e.A.Tenant, e.B.Tenant}
	l.Died = w.Clock().UTC()
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%016x-%s", e.Commit.UnixMicro(), e.ID)
	if err := w.Store.Put(ctx, storedDead+w.hook.ID+"/"+id, data, l.Died.Add(watch.Kept)); err != nil {
		return err
	}
	n := 0
	for _, err := range w.dead(ctx, w.hook.ID, "") {
		if err != nil {
			return err
		}
		n++
	}
	return w.dropDead(ctx, w.hook.ID, func(Letter) bool {
		n--
		return n >= maxDead
	})
}

// dropDead removes the dead letters that are to go, the oldest first.
func (h *Hooks) dropDead(ctx context.Context, hook string, goes func(Letter) bool) error {
	var errs []error
	for l, err := range h.dead(ctx, hook, "") {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if goes(l) {
			errs = append(errs, h.drop(ctx, storedDead+hook+"/"+l.ID))
		}
	}
	return errors.Join(errs...)
}

// Retry has the dead letters of a webhook posted once more, soon.
func (h *Hooks) Retry(hook string) error {
	w, err := h.find(hook)
	if err != nil {
		return err
	}
	select {
	case w.again <- struct{}{}:
	default:
	}
	return nil
}

// raise posts the dead letters once. Those that are not taken stay; where the target
// is not well, so do those after them, for what happens now waits meanwhile.
func (w *worker) raise(ctx context.Context) error {
	for l, err := range w.dead(ctx, w.hook.ID, "") {
		if err != nil {
			return err
		}
		if err := w.post(ctx, l.EventID, l.Body); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.fails(err)
			var answer answerError
			if errors.As(err, &answer) && answer.final() {
				continue
			}
			return nil
		}
		w.delivered()
		if err := w.drop(ctx, storedDead+w.hook.ID+"/"+l.ID); err != nil {
			return err
		}
	}
	return nil
}
