package access

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Errors of who comes with a key.
var (
	// ErrUnauthenticated is returned for a call without a key that is taken. It
	// does not say what is wrong with it.
	ErrUnauthenticated = errors.New("a key is needed, and this call has none that is taken: it is unknown, expired, revoked or not for this address")
	// ErrMisplacedKey is returned for a key outside of the authorization header,
	// where proxies and logs may keep it.
	ErrMisplacedKey = errors.New("a key was sent where it may be recorded: rotate it, and send it as \"authorization: Bearer\" only")
	// ErrForbidden is returned for a method that is not for the role of a key.
	ErrForbidden = errors.New("the key's role may not call this method")
	// ErrEnded is the cause of a context that ended with its key.
	ErrEnded = errors.New("the key was revoked, rotated or has expired")
)

// BusyError is returned to who asks too often or too much at a time.
type BusyError struct {
	What  string
	Retry time.Duration // when to come back
}

func (e *BusyError) Error() string { return e.What }

// held is a key in use. The record is exchanged under the lock of Keys.
type held struct {
	record  keyRecord
	viewer  Viewer
	limits  Limits
	limiter *rate.Limiter // nil: as often as it likes

	// now and before are the two secrets.
	now, before *tie
	expiry      *time.Timer

	busy        atomic.Int32
	reading     chan struct{} // a place for each request that is being read
	bytes       atomic.Int64  // of requests under way
	used        atomic.Int64  // Unix seconds
	usedWritten int64         // for the writer alone
	from        atomic.Pointer[netip.Prefix]
}

// tie is what ends with a secret.
type tie struct {
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer
}

func newTie() *tie {
	ctx, end := context.WithCancelCause(context.Background())
	return &tie{ctx: ctx, end: end}
}

func (t *tie) cut() {
	if t == nil {
		return
	}
	t.end(ErrEnded)
	if t.timer != nil {
		t.timer.Stop()
	}
}

// cutAt ends everything at a time.
func (t *tie) cutAt(in time.Duration) {
	t.timer = time.AfterFunc(max(in, 0), func() { t.end(ErrEnded) })
}

// hold puts a stored key in use.
func (k *Keys) hold(r keyRecord) *held {
	now := k.clock()
	h := &held{
		record: r, viewer: k.rules.viewer(&r.Key), limits: r.limits(), now: newTie(),
		reading: make(chan struct{}, readTogether),
	}
	if l := h.limits; l.CallsPerSecond > 0 {
		h.limiter = rate.NewLimiter(rate.Limit(l.CallsPerSecond), int(l.Burst))
	}
	if len(r.Before) > 0 {
		h.before = newTie()
		h.before.cutAt(r.OverlapUntil.Sub(now))
	}
	if !r.Expires.IsZero() {
		h.expiry = time.AfterFunc(max(r.Expires.Sub(now), 0), h.cut)
	}
	if r.Ended(now) {
		h.cut()
	}
	return h
}

// cut ends everything that was opened with the key.
func (h *held) cut() {
	h.now.cut()
	h.before.cut()
}

func (h *held) end() {
	h.cut()
	if h.expiry != nil {
		h.expiry.Stop()
	}
}

// exchange takes a changed record into use.
func (h *held) exchange(r keyRecord, now time.Time) {
	rotated := string(r.Digest) != string(h.record.Digest)
	h.record = r
	switch {
	case !r.Revoked.IsZero():
		h.end()
	case rotated:
		h.before.cut()
		h.before = nil
		if len(r.Before) > 0 {
			h.before = h.now
			h.before.cutAt(r.OverlapUntil.Sub(now))
		} else {
			h.now.cut()
		}
		h.now = newTie()
	}
}

// key returns what may be told of the key. It is for who holds the lock of Keys,
// or that of changes.
func (h *held) key() Key {
	k := h.record.Key
	if at := h.used.Load(); at > 0 {
		k.LastUsed = time.Unix(at, 0).UTC()
	}
	return k
}

func (h *held) stored() keyRecord { return h.record }

// Session is a call that came with a key. Done has to be called at its end.
type Session struct {
	Viewer Viewer
	// Ended ends with the secret that the call came with, with ErrEnded as cause.
	Ended context.Context
	held  *held
	clock func() time.Time
}

// bearer is what a key follows in the authorization header.
const bearer = "Bearer "

// Authenticate returns the session of who calls from an address with the given
// authorization header. Errors are ErrUnauthenticated and *BusyError.
func (k *Keys) Authenticate(header string, from netip.Addr) (*Session, error) {
	if header == "" {
		// Nobody guesses by saying nothing.
		return nil, ErrUnauthenticated
	}
	now := k.clock()
	from = from.Unmap().WithZone("")
	place := Source(from)
	var h *held
	// Read as a key only if it has the length of one, so that nobody makes work.
	id, secret, ok := "", "", false
	if len(header) == len(bearer)+keyLength && header[:len(bearer)] == bearer {
		id, secret, ok = cutKey(header[len(bearer):])
	}
	if ok {
		k.mu.RLock()
		h = k.byID[id]
		k.mu.RUnlock()
	}
	// Who just came with this key from here is not slowed by his neighbours.
	if h == nil || h.from.Load() == nil || *h.from.Load() != place {
		if wait := k.guard.wait(place, now); wait > 0 {
			return nil, &BusyError{"too many calls without a key that is taken", wait}
		}
	}
	s := k.match(h, id, secret, from, now)
	if s == nil {
		if wait := k.guard.failed(place, now); wait > 0 {
			return nil, &BusyError{"too many calls without a key that is taken", wait}
		}
		return nil, ErrUnauthenticated
	}
	if last := h.from.Load(); last == nil || *last != place {
		h.from.Store(&place)
	}
	if at := now.Unix(); at-h.used.Load() >= int64(useEvery/time.Second) {
		h.used.Store(at)
	}
	return s, nil
}

// match returns the session if the secret is one of the key and the key is taken.
func (k *Keys) match(h *held, id, secret string, from netip.Addr, now time.Time) *Session {
	d := digestOf(id, secret)
	if h == nil {
		return nil
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	r := &h.record
	current := same(d, r.Digest)
	older := len(r.Before) > 0 && same(d, r.Before) && now.Before(r.OverlapUntil)
	if !current && !older || r.Ended(now) || !allows(r.Addresses, from) {
		return nil
	}
	s := &Session{Viewer: h.viewer, Ended: h.now.ctx, held: h, clock: k.clock}
	if !current {
		s.Ended = h.before.ctx
	}
	return s
}

// Bounds of what a key may make the service hold at a time, besides its answers.
const (
	// readTogether is how many of its requests are read side by side; others wait.
	readTogether = 8
	// maxHeldBytes is how large requests under way are together. One always fits.
	maxHeldBytes = 512 << 20
)

// Begin takes a place for a call, or returns a *BusyError.
func (s *Session) Begin() error {
	h := s.held
	if h.busy.Add(1) > int32(min(h.limits.Concurrent, 1<<30)) {
		h.busy.Add(-1)
		return &BusyError{"too many calls with this key at a time", time.Second}
	}
	if err := s.spend(1); err != nil {
		h.busy.Add(-1)
		return err
	}
	return nil
}

// Done gives the place back.
func (s *Session) Done() { s.held.busy.Add(-1) }

// Weigh counts a call that was begun as so many more, or returns a *BusyError.
func (s *Session) Weigh(more int) error {
	if s.held.limiter != nil {
		// The largest call of all takes a whole burst, of which Begin took one.
		more = min(more, s.held.limiter.Burst()-1)
	}
	if more <= 0 {
		return nil
	}
	return s.spend(more)
}

// spend counts calls against the rate of the key.
func (s *Session) spend(calls int) error {
	l := s.held.limiter
	if l == nil {
		return nil
	}
	now := s.clock()
	r := l.ReserveN(now, calls)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &BusyError{"too many calls with this key", wait}
	}
	return nil
}

// WaitToRead waits for a place to read a request in, which HasRead gives back.
func (s *Session) WaitToRead(ctx context.Context) error {
	select {
	case s.held.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// HasRead gives a place back.
func (s *Session) HasRead() { <-s.held.reading }

// Hold counts bytes of requests under way until release, or returns a *BusyError.
func (s *Session) Hold(bytes int) (release func(), err error) {
	h, n := s.held, int64(bytes)
	if all := h.bytes.Add(n); all > maxHeldBytes && all != n {
		h.bytes.Add(-n)
		return nil, &BusyError{"too many bytes under way with this key at a time", time.Second}
	}
	return func() { h.bytes.Add(-n) }, nil
}

// Wait counts one call against the rate of the key, when there is room for it.
func (s *Session) Wait(ctx context.Context) error {
	if s.held.limiter == nil {
		return nil
	}
	return s.held.limiter.Wait(ctx)
}
