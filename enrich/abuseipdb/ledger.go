package abuseipdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// quotaError says that no call may be made before a time.
type quotaError struct {
	endpoint string
	until    time.Time
	reserved bool // what is left is for interactive questions
}

func (e *quotaError) Error() string {
	if e.reserved {
		return "what is left of the quota of " + e.endpoint + " is reserved for interactive questions"
	}
	return "the quota of " + e.endpoint + " is used up"
}

// unsureError says that nobody knows what is left of the quota: the first call of
// its window brought no answer.
type unsureError struct {
	// until is when the call can no longer be counted and another may be made;
	// zero is now.
	until time.Time
}

func (e *unsureError) Error() string {
	return "what is left of the quota is not known: the first call of its window brought no answer"
}

// ledger counts the calls to one endpoint on one account. Every call is written
// down before it is made, so neither many askers nor a restart can make one too
// many. The first call of a window goes alone: what is left is known from its
// answer, as others may use the account too.
type ledger struct {
	store    enrich.Store
	key      string
	endpoint string
	assumed  int     // the limit until the service names it
	share    float64 // of the limit, reserved for interactive questions

	mu    sync.Mutex
	read  bool   // page is what the store holds
	known bool   // the calls under way are this process's own
	raw   []byte // what the store holds
	page  page
	first chan struct{} // closed when the first call of the window is over; nil if none is out
}

// strayTime is how long a call that nobody waits for any more may take to be
// counted by the service; calls are given far less.
const strayTime = time.Minute

// page is the state of the ledger in the store.
type page struct {
	// Until is the end of the window; nothing is known after it.
	Until time.Time `json:"until,omitzero"`
	Limit int       `json:"limit"`
	Left  int       `json:"left"`
	// Flying are the calls without an answer so far, the last of them made at Last.
	Flying int       `json:"flying"`
	Last   time.Time `json:"last,omitzero"`
	// Strays are calls that were given up, also with the process that made them.
	// The service may count them late, but not after Lost.
	Strays int       `json:"strays"`
	Lost   time.Time `json:"lost,omitzero"`
	// Low is the least that the service said is left since Flying was last 0, plus
	// one; 0 if it said nothing.
	Low int `json:"low"`
	// Blurred are the answers since then that did not say.
	Blurred int `json:"blurred"`
	// Window numbers the windows.
	Window uint64 `json:"window"`
	// Sure says that an answer confirmed the window.
	Sure bool `json:"sure"`
}

// decodePage reads a page and refuses what cannot have been written.
func decodePage(data []byte) (page, error) {
	var p page
	if len(data) > 4096 {
		return page{}, errors.New("the ledger is too long")
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return page{}, err
	}
	for _, n := range []int{p.Limit, p.Left, p.Flying, p.Strays, p.Low, p.Blurred} {
		if n < 0 || n > 1e9 {
			return page{}, errors.New("the ledger holds a number out of range")
		}
	}
	return p, nil
}

// astray adds n calls, made at the time given or before, to the strays.
func (p *page) astray(n int, made, now time.Time) {
	if !now.Before(p.Lost) {
		p.Strays = 0
	}
	p.Strays += n
	if lost := made.Add(strayTime); lost.After(p.Lost) {
		p.Lost = lost
	}
}

// reservation is a call that may be made.
type reservation struct {
	window uint64
	first  bool
}

// reserve writes a call down. It fails with a *quotaError, an *unsureError,
// or the error of the store or of ctx; then no call may be made.
func (l *ledger) reserve(ctx context.Context, purpose enrich.Purpose) (reservation, error) {
	l.mu.Lock()
	for waited := false; l.first != nil; waited = true {
		if waited {
			l.mu.Unlock()
			return reservation{}, &unsureError{}
		}
		first := l.first
		l.mu.Unlock()
		select {
		case <-first:
		case <-ctx.Done():
			return reservation{}, ctx.Err()
		}
		l.mu.Lock()
		if l.first == nil && !l.page.Sure {
			l.mu.Unlock()
			return reservation{}, &unsureError{}
		}
	}
	defer l.mu.Unlock()
	err := l.change(ctx, func(p *page) error {
		now := time.Now()
		if !now.Before(p.Until) {
			p.roll(l.assumed, now)
		}
		if !p.Sure && p.Strays > 0 && now.Before(p.Lost) {
			// It and the next one could be one call too many.
			return &unsureError{p.Lost}
		}
		floor := 0
		if purpose == enrich.Background {
			floor = int(math.Ceil(float64(p.Limit) * l.share))
		}
		if p.Left <= floor {
			return &quotaError{l.endpoint, p.Until, p.Left > 0}
		}
		if p.Flying == 0 {
			p.Low, p.Blurred = 0, 0
		}
		p.Left--
		p.Flying++
		p.Last = now.UTC()
		return nil
	})
	if err != nil {
		return reservation{}, err
	}
	r := reservation{window: l.page.Window, first: !l.page.Sure}
	if r.first {
		l.first = make(chan struct{})
	}
	return r, nil
}

// roll opens a new window, of which nothing is known yet.
func (p *page) roll(assumed int, now time.Time) {
	if p.Limit == 0 {
		p.Limit = assumed
	}
	p.Left, p.Low, p.Sure = max(1, p.Limit), 0, false
	p.Until = now.UTC().Truncate(24 * time.Hour).Add(24*time.Hour + resetMargin)
	p.Window++
}

// settle writes down how a call ended; nil says that it brought no answer. It
// does not end with the call's context.
func (l *ledger) settle(ctx context.Context, r reservation, got *limits) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.first {
		defer func() {
			close(l.first)
			l.first = nil
		}()
	}
	return l.change(ctx, func(p *page) error {
		p.settle(r, got, time.Now().UTC())
		return nil
	})
}

// settle takes one call off the page and believes what its answer says.
func (p *page) settle(r reservation, got *limits, now time.Time) {
	p.Flying = max(0, p.Flying-1)
	switch {
	case got == nil:
		p.astray(1, now, now)
		return
	case got.unsent:
		if r.window == p.Window {
			p.Left++
		}
		return
	case got.refused:
		until := got.until.Add(resetMargin)
		if p.Left == 0 && p.Until.After(until) {
			until = p.Until
		}
		p.Left, p.Low, p.Until, p.Sure = 0, 0, until, true
		p.Window++
		return
	case r.window != p.Window:
		// In which of the windows the call was counted is not known.
		p.Blurred++
		return
	}
	if got.remaining < 0 {
		p.Blurred++
		if !got.answered {
			return // something before the service answered
		}
	}
	if got.limit > 0 {
		p.Limit = got.limit
	}
	if got.remaining >= 0 {
		p.believe(got.remaining, now)
	}
	switch {
	case !got.reset.IsZero():
		p.Until = got.reset.Add(resetMargin)
	case !p.Sure:
		p.Until = got.midnight.Add(resetMargin)
	}
	p.Sure = true
}

// believe takes what the service says is left. Answers overtake each other and
// calls under way may or may not be counted in them; the least that any answer
// said is right once nothing is under way, even if it is more than is left by
// the page: a call that failed may not have counted.
func (p *page) believe(remaining int, now time.Time) {
	if p.Low == 0 || remaining+1 < p.Low {
		p.Low = remaining + 1
	}
	open := p.Flying + p.Blurred
	if now.Before(p.Lost) {
		open += p.Strays
	}
	left := max(0, p.Low-1-open)
	if p.Sure && open > 0 {
		left = min(left, p.Left)
	}
	p.Left = left
}

// change applies f to the page and stores it. It needs l.mu.
func (l *ledger) change(ctx context.Context, f func(*page) error) error {
	for range 100 {
		if !l.read {
			if err := l.load(ctx); err != nil {
				return err
			}
		}
		p := l.page
		if err := f(&p); err != nil {
			return err
		}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		swapped, err := l.store.Swap(ctx, l.key, l.raw, data)
		switch {
		case err != nil:
			// What the store holds now is not known: it may hold this call.
			l.read, l.known = false, false
			return fmt.Errorf("ledger of the quota: %w", err)
		case swapped:
			l.raw, l.page = data, p
			return nil
		}
		l.read = false
	}
	return errors.New("ledger of the quota: others change it all the time")
}

// load reads the page. Unless it is known who made the calls that are under way,
// they are strays.
func (l *ledger) load(ctx context.Context) error {
	raw, err := l.store.Get(ctx, l.key)
	if err != nil {
		return fmt.Errorf("ledger of the quota: %w", err)
	}
	var p page
	if raw != nil {
		if p, err = decodePage(raw); err != nil {
			// Nothing is known any more: the next call goes alone and asks.
			p = page{}
		}
	}
	if !l.known {
		p.astray(p.Flying, p.Last, time.Now())
		p.Flying = 0
	}
	l.raw, l.page, l.read, l.known = raw, p, true, true
	return nil
}

// Usage is the state of a quota.
type Usage struct {
	Endpoint    string
	Limit, Left int
	// Until is when the window ends; zero when no call was made yet.
	Until time.Time
	// Sure says that the service confirmed the numbers in this window.
	Sure bool
}

func (l *ledger) usage(ctx context.Context) (Usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.read {
		if err := l.load(ctx); err != nil {
			return Usage{}, err
		}
	}
	p := l.page
	if !time.Now().Before(p.Until) {
		p.roll(l.assumed, time.Now())
		p.Until = time.Time{}
	}
	return Usage{Endpoint: l.endpoint, Limit: p.Limit, Left: p.Left, Until: p.Until, Sure: p.Sure}, nil
}
