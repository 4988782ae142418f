// Package session knows who worked from which address: sign-ins, sessions, and
// the addresses that many people of a tenant share.
//
// It answers where a directory event without an address came from, which
// sessions were used from several networks, and which addresses are the tenant's
// own. It knows users, addresses and times. It must not know hunts or cases, and
// what an address is by its nature it is told.
package session

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365/bounded"
)

// Limits of what a Book remembers. What is beyond them is left out whatever the
// order of the evidence, and counted.
const (
	maxVisits    = 200_000 // a user at an address on a day
	maxSessions  = 100_000
	maxAddresses = 100_000
	// perSession and perAddress bound how many addresses of a session, and users
	// of an address, are told apart.
	perSession = 16
	perAddress = 32
)

// Reach is how long after a sign-in an event without an address is still taken
// for a part of it. Sessions live longer, but then another sign-in is as likely.
const Reach = 12 * time.Hour

// Book gathers sign-ins and sessions in any order. Use New. It is not for
// concurrent use.
type Book struct {
	visits    *bounded.Map[uint32] // the hours of the day, a bit each
	sessions  *bounded.Map[trail]
	addresses *bounded.Map[sharing]
	users     *bounded.Map[struct{}]

	byUser map[string][]visit // made of visits when first asked
}

// trail is where a session was seen.
type trail struct {
	addresses   bounded.Set
	users       bounded.Set
	first, last time.Time
}

type sharing struct {
	users bounded.Set
}

type visit struct {
	addr  netip.Addr
	day   int64
	hours uint32
}

// New returns an empty Book.
func New() *Book {
	return &Book{
		visits:    bounded.New[uint32](maxVisits),
		sessions:  bounded.New[trail](maxSessions),
		addresses: bounded.New[sharing](maxAddresses),
		users:     bounded.New[struct{}](maxAddresses),
	}
}

// Visit notes that a user signed in or worked from an address, in a session if
// that is known. A failed sign-in is none.
func (b *Book) Visit(user string, addr netip.Addr, session string, t time.Time) {
	if user == "" || !addr.IsValid() || t.IsZero() {
		return
	}
	b.byUser = nil
	b.users.At(user)
	day := dayOf(t)
	var key [24]byte
	a := addr.As16()
	copy(key[:], a[:])
	binary.BigEndian.PutUint64(key[16:], uint64(day))
	if e := b.visits.At(user + "\x00" + string(key[:])); e != nil {
		e.Value |= 1 << t.UTC().Hour()
	}
	if e := b.addresses.At(string(a[:])); e != nil {
		e.Value.users.Add(user, perAddress)
	}
	if session != "" {
		if e := b.sessions.At(session); e != nil {
			e.Value.addresses.Add(string(a[:]), perSession)
			e.Value.users.Add(user, perSession)
			if e.Value.first.IsZero() || t.Before(e.Value.first) {
				e.Value.first = t
			}
			if t.After(e.Value.last) {
				e.Value.last = t
			}
		}
	}
}

// Session returns the addresses that a session was seen at, in order.
func (b *Book) Session(id string) []netip.Addr {
	e := b.sessions.Get(id)
	if e == nil {
		return nil
	}
	return unpack(&e.Value.addresses)
}

// At returns the addresses that a user signed in or worked from within Reach
// before t, in order. Hours are what is known: of two in the same hour both are
// returned.
func (b *Book) At(user string, t time.Time) []netip.Addr {
	if b.byUser == nil {
		b.index()
	}
	var found []netip.Addr
	hour := dayOf(t)*24 + int64(t.UTC().Hour())
	for _, v := range b.byUser[user] {
		for h := range int64(24) {
			at := v.day*24 + h
			if v.hours>>h&1 == 1 && at <= hour && hour-at <= int64(Reach/time.Hour) && !slices.Contains(found, v.addr) {
				found = append(found, v.addr)
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found
}

func (b *Book) index() {
	b.byUser = make(map[string][]visit)
	for e := range b.visits.All() {
		user, rest, _ := strings.Cut(e.Key, "\x00")
		key := []byte(rest)
		if len(key) != 24 {
			continue
		}
		b.byUser[user] = append(b.byUser[user], visit{
			addr: netip.AddrFrom16([16]byte(key[:16])).Unmap(), day: int64(binary.BigEndian.Uint64(key[16:])), hours: e.Value,
		})
	}
}

// Users returns how many users of the tenant worked from an address, and whether
// there were more than can be told apart.
func (b *Book) Users(addr netip.Addr) (n int, more bool) {
	a := addr.As16()
	e := b.addresses.Get(string(a[:]))
	if e == nil {
		return 0, false
	}
	return len(e.Value.users.Elements()), e.Value.users.More()
}

// Thresholds of tenant egress.
const (
	// egressUsers is how many users make an address the tenant's own, whatever
	// its size.
	egressUsers = 5
	// fewUsers is enough where that is half of all.
	fewUsers = 3
)

// Egress reports whether an address is where the tenant's people work: many
// different users of it signed in there.
func (b *Book) Egress(addr netip.Addr) bool {
	n, more := b.Users(addr)
	return more || n >= egressUsers || n >= fewUsers && 2*n >= b.users.Len()
}

// Most reports whether at least half of the tenant's users, and five, worked from
// an address.
func (b *Book) Most(addr netip.Addr) bool {
	n, _ := b.Users(addr)
	return n >= egressUsers && 2*n >= b.users.Len()
}

// Roaming is a session that was used from several networks.
type Roaming struct {
	Session     string
	Users       []string
	Addresses   []netip.Addr // in order
	First, Last time.Time
}

// Roaming yields the sessions that were used from addresses of several networks
// (an IPv4 /24, an IPv6 /48), in order of their ids. A phone that leaves the
// house is one too.
func (b *Book) Roaming() iter.Seq[Roaming] {
	return func(yield func(Roaming) bool) {
		for e := range b.sessions.All() {
			addresses := unpack(&e.Value.addresses)
			if networks(addresses) < 2 {
				continue
			}
			if !yield(Roaming{e.Key, e.Value.users.Elements(), addresses, e.Value.first, e.Value.last}) {
				return
			}
		}
	}
}

// Left counts visits that were not kept: their events without an address stay
// without one.
func (b *Book) Left() uint64 { return b.visits.Left() + b.sessions.Left() }

func networks(addresses []netip.Addr) int {
	seen := make(map[netip.Prefix]bool)
	for _, a := range addresses {
		bits := 24
		if a.Is6() {
			bits = 48
		}
		if p, err := a.Prefix(bits); err == nil {
			seen[p] = true
		}
	}
	return len(seen)
}

func unpack(s *bounded.Set) []netip.Addr {
	var list []netip.Addr
	for _, e := range s.Elements() {
		if len(e) == 16 {
			list = append(list, netip.AddrFrom16([16]byte([]byte(e))).Unmap())
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }
