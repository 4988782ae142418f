package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/watch"
)

const (
	// finalTries is how often an event is posted to a target that refuses it.
	finalTries = 3
	// noteEvery is how often the place of a webhook is noted where it hears nothing,
	// so that the place does not grow too old.
	noteEvery = time.Hour
)

// worker posts for one webhook.
type worker struct {
	*Hooks
	hook   Hook
	scope  watch.Scope
	secret access.Secret
	again  chan struct{}
	ended  context.Context
	stop   context.CancelFunc
	done   chan struct{}

	lock  sync.Mutex
	state State
	// stopRound ends the round of now, or the last one, and waits until it has
	// ended; nil before the first.
	stopRound func()
}

func (h *Hooks) newWorker(hook Hook) (*worker, error) {
	secret, err := h.Secret(hook.ID)
	if err != nil {
		return nil, err
	}
	w := &worker{
		Hooks: h, hook: hook, secret: secret, again: make(chan struct{}, 1), done: make(chan struct{}), state: State{Hook: hook},
		scope: watch.Scope{Viewer: h.Rules.Webhook(hook.ID, hook.Tenants, hook.AllTenants), MinTier: hook.MinTier},
	}
	w.ended, w.stop = context.WithCancel(context.Background())
	return w, nil
}

// now is how the webhook fares.
func (w *worker) now() State {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.state
}

func (w *worker) delivered() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.state.Delivered++
	w.state.LastDelivered = w.Clock().UTC().Truncate(time.Second)
	w.state.Failing, w.state.LastError = time.Time{}, ""
}

func (w *worker) fails(err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.state.Failing.IsZero() {
		w.state.Failing = w.Clock().UTC().Truncate(time.Second)
	}
	w.state.LastError = err.Error()
}

// errPanic is the error of a delivery that panicked.
var errPanic = errors.New("panic while a webhook was served")

// run posts until ctx ends. An error of the store is logged and tried again.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.round(ctx); err != nil && ctx.Err() == nil {
			w.Logger.WarnContext(ctx, "a webhook waits", "webhook", w.hook.ID, "error", err)
			w.wait(ctx, w.Options.MaxRetry)
		}
	}
}

// guarded is follow without panics. What was panicked with may hold a ref.
func (w *worker) guarded(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			w.Logger.ErrorContext(ctx, "panic while a webhook was served", slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	return w.follow(ctx)
}

// wait lets a time pass.
func (w *worker) wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow posts what the log holds from the noted place on.
func (w *worker) follow(ctx context.Context) error {
	at, err := w.place(ctx)
	if err != nil {
		return err
	}
	noted := w.Clock()
	for {
		news := w.Log.News()
		events, to, more, err := w.Log.Read(ctx, w.scope, at)
		if errors.Is(err, watch.ErrTooOld) {
			w.fails(err)
			w.Logger.WarnContext(ctx, "a webhook was not served for 30 days, and begins anew", "webhook", w.hook.ID)
			if to, err = w.Log.Begin(ctx); err == nil {
				err = w.note(ctx, to)
			}
		}
		if err != nil {
			return err
		}
		for i := range events {
			if err := w.deliver(ctx, &events[i]); err != nil {
				return err
			}
			if err := w.note(ctx, events[i].Cursor); err != nil {
				return err
			}
		}
		at = to
		if w.Clock().Sub(noted) >= noteEvery {
			if err := w.note(ctx, at); err != nil {
				return err
			}
			noted = w.Clock()
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-time.After(noteEvery):
		case <-w.again:
			if err := w.raise(ctx); err != nil {
				return err
			}
		}
	}
}

// place is where the webhook has come to.
func (w *worker) place(ctx context.Context) (watch.Cursor, error) {
	raw, err := w.Store.Get(ctx, storedAt+w.hook.ID)
	if err != nil {
		return watch.Cursor{}, err
	}
	return watch.ParseCursor(raw)
}

func (w *worker) note(ctx context.Context, at watch.Cursor) error {
	return w.Store.Put(ctx, storedAt+w.hook.ID, at.Bytes(), time.Time{})
}

// deliver posts an event until the target takes it or it is a dead letter.
func (w *worker) deliver(ctx context.Context, e *watch.Heard) error {
	body, err := w.Encode(&e.Event)
	if err != nil {
		return err
	}
	l := Letter{Since: w.Clock().UTC(), Body: body}
	for wait := w.Options.Retry; ; wait = min(2*wait, w.Options.MaxRetry) {
		l.Attempts++
		err := w.post(ctx, e.ID, body)
		if err == nil {
			w.delivered()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.fails(err)
		var answer answerError
		if errors.As(err, &answer) && answer.final() && l.Attempts >= finalTries || w.Clock().Sub(l.Since) >= w.Options.GiveUp {
			l.Reason = err.Error()
			w.Logger.WarnContext(ctx, "an event is a dead letter", "webhook", w.hook.ID, "event", e.ID, "attempts", l.Attempts, "error", err)
			return w.bury(ctx, e, l)
		}
		w.wait(ctx, time.Duration((.5+rand.Float64()/2)*float64(wait)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Headers of a delivery.
const (
	HeaderWebhook   = "Elsewhere-Webhook"
	HeaderEvent     = "Elsewhere-Event"
	HeaderSignature = "Elsewhere-Signature"
)

// post sends a body once. An error tells nothing of the target.
func (w *worker) post(ctx context.Context, event string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.hook.URL, bytes.NewReader(body))
	if err != nil {
		return reason(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "elsewhere")
	req.Header.Set(HeaderWebhook, w.hook.ID)
	req.Header.Set(HeaderEvent, event)
	req.Header.Set(HeaderSignature, sign(w.secret, w.Clock(), body))
	res, err := w.client.Do(req)
	if err != nil {
		return reason(err)
	}
	defer res.Body.Close()
	// Read to its end, within bounds, so that the connection serves again.
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)); err != nil {
		return reason(err)
	}
	if res.StatusCode/100 != 2 {
		return answerError(res.StatusCode)
	}
	return nil
}

// sign returns the signature of a body sent at a time: HMAC-SHA-256, with the secret
// as key, of the Unix time in seconds, a dot, and the body.
func sign(secret access.Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
