package linker

import "sync/atomic"

// Source hands out the rules of now. A request and a pass take them once and use
// them to their end, so that no answer mixes two models.
type Source interface{ Now() Rules }

// Now implements Source for rules that never change.
func (r Rules) Now() Rules {
	r.Limits = r.Limits.OrDefaults()
	return r
}

// Changeable are rules that are exchanged, as a whole, while they are in use.
// Whoever exchanges them starts a sweep afterwards: rows that were scored by the
// rules before stay until they are replaced.
type Changeable struct{ now atomic.Pointer[Rules] }

// NewChangeable returns a source of these rules.
func NewChangeable(r Rules) *Changeable {
	c := &Changeable{}
	c.Exchange(r)
	return c
}

// Now implements Source.
func (c *Changeable) Now() Rules { return *c.now.Load() }

// Exchange puts other rules in the place of those in use.
func (c *Changeable) Exchange(r Rules) {
	r = r.Now()
	c.now.Store(&r)
}
