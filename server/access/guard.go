package access

import (
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Failures that a source of calls may make: so many at once, then one in a while.
const (
	guessBurst = 20
	guessEvery = 5 * time.Second
	// guessSlots bound the memory: 1.5 MB, however many addresses try.
	guessSlots = 1 << 16
)

// guard slows those who try keys. Sources share a slot by chance; nobody is
// forgotten because others are many.
type guard struct {
	mu    sync.Mutex
	seed  maphash.Seed
	slots []guessSlot
}

// guessSlot is how many failures are left, times guessEvery, as of a time.
type guessSlot struct {
	left time.Duration
	at   time.Time
}

func newGuard() *guard { return &guard{seed: maphash.MakeSeed()} }

// AddressOf is the address of the other end of a connection, the zero Addr if it has
// none.
func AddressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Source is who is taken for one: an address, of IPv6 the network of a site.
func Source(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

func (g *guard) slot(from netip.Prefix, now time.Time) *guessSlot {
	if g.slots == nil {
		g.slots = make([]guessSlot, guessSlots)
	}
	s := &g.slots[maphash.Comparable(g.seed, from)%guessSlots]
	const full = guessBurst * guessEvery
	if s.at.IsZero() {
		s.left = full
	} else if passed := now.Sub(s.at); passed > 0 {
		s.left = min(full, s.left+min(passed, full))
	}
	s.at = now
	return s
}

// wait returns how long a source has to wait before it may try again, 0 if it may.
func (g *guard) wait(from netip.Prefix, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.slots == nil {
		return 0
	}
	return max(0, guessEvery-g.slot(from, now).left)
}

// failed counts a failure, and returns how long to wait if it was one too many.
func (g *guard) failed(from netip.Prefix, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.slot(from, now)
	if s.left < guessEvery {
		return guessEvery - s.left
	}
	s.left -= guessEvery
	return 0
}
