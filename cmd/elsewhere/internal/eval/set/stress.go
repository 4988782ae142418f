package set

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// The kinds of noise that Stressed adds.
const (
	// StressPool gives half of the cases one to three of 60 addresses, as exits of
	// one VPN would.
	StressPool = "pool"
	// StressWide gives each of 600 addresses to two to four cases.
	StressWide = "wide"
	// StressCorrelated makes half of the cases customers of one of 30 providers
	// each, of whose 8 addresses a customer has two to four.
	StressCorrelated = "correlated"
)

// Stresses are the kinds of noise.
func Stresses() []string { return []string{StressPool, StressWide, StressCorrelated} }

// ErrStress is returned for a kind of noise that does not exist.
var ErrStress = errors.New("no such stress")

const (
	poolAddresses     = 60
	poolMost          = 3
	wideAddresses     = 600
	wideLeast         = 2
	wideMost          = 4
	providers         = 30
	providerAddresses = 8
	customerLeast     = 2
	customerMost      = 4
)

// Stressed returns the cases with shared addresses added that say nothing about
// who is behind a case: public unicast ones, drawn at random, that no case has.
// They are in role referenced and of the time of their case. The same seed adds
// the same. s stays as it is.
func (s *Set) Stressed(kind string, seed uint64) (*Set, error) {
	n := noise{
		random: rand.New(rand.NewPCG(seed, 0x6e6f697365)),
		taken:  make(map[string]bool),
		added:  make([][]string, len(s.Cases)),
	}
	for _, c := range s.Cases {
		for i := range c.Findings {
			for _, o := range c.Findings[i].Observables {
				n.taken[o.Text] = true
			}
		}
	}
	switch kind {
	case StressPool:
		n.pool()
	case StressWide:
		n.wide()
	case StressCorrelated:
		n.correlated()
	default:
		return nil, fmt.Errorf("%w: %q", ErrStress, kind)
	}
	out := *s
	out.Cases = slices.Clone(s.Cases)
	for i, added := range n.added {
		if len(added) == 0 {
			continue
		}
		c, err := with(s.Cases[i], added)
		if err != nil {
			return nil, err
		}
		out.Cases[i] = c
	}
	return &out, nil
}

// with returns a case with addresses added.
func with(c *evidence.Case, addresses []string) (*evidence.Case, error) {
	p := c.Profile()
	f := evidence.Finding{FirstSeen: p.First, LastSeen: p.Last}
	for _, a := range addresses {
		f.Observables = append(f.Observables, evidence.Observable{
			Value: evidence.Value{Kind: evidence.KindIP, Text: a}, Roles: []string{evidence.RoleReferenced},
		})
	}
	d := evidence.Draft(*c)
	d.Findings = append(slices.Clone(c.Findings), f)
	more, _, err := evidence.Parse(d, evidence.Options{})
	return more, err
}

// noise is what is added, by case.
type noise struct {
	random *rand.Rand
	taken  map[string]bool
	added  [][]string
}

func (n *noise) pool() {
	addresses := n.addresses(poolAddresses)
	for _, i := range n.half() {
		n.some(i, addresses, 1, poolMost)
	}
}

func (n *noise) wide() {
	for _, a := range n.addresses(wideAddresses) {
		users := wideLeast + n.random.IntN(wideMost-wideLeast+1)
		for _, i := range n.random.Perm(len(n.added))[:min(users, len(n.added))] {
			n.added[i] = append(n.added[i], a)
		}
	}
}

func (n *noise) correlated() {
	var of [providers][]string
	for p := range of {
		of[p] = n.addresses(providerAddresses)
	}
	for _, i := range n.half() {
		n.some(i, of[n.random.IntN(providers)], customerLeast, customerMost)
	}
}

// half returns the numbers of half of the cases.
func (n *noise) half() []int {
	return n.random.Perm(len(n.added))[:len(n.added)/2]
}

// some gives a case some of the addresses.
func (n *noise) some(i int, addresses []string, least, most int) {
	for _, k := range n.random.Perm(len(addresses))[:least+n.random.IntN(most-least+1)] {
		n.added[i] = append(n.added[i], addresses[k])
	}
}

// addresses draws so many addresses that nobody has.
func (n *noise) addresses(count int) []string {
	out := make([]string, 0, count)
	for len(out) < count {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], n.random.Uint32())
		a := netip.AddrFrom4(b)
		if text := a.String(); public(a) && !n.taken[text] {
			n.taken[text] = true
			out = append(out, text)
		}
	}
	return out
}

// public reports whether an IPv4 address may belong to somebody's machine: it is
// in no range that the IANA registry of special-purpose addresses has (RFC 6890).
func public(a netip.Addr) bool {
	b := a.As4()
	switch {
	case b[0] == 0, b[0] >= 224, // this network; multicast, reserved
		!a.IsGlobalUnicast(), a.IsPrivate(),
		b[0] == 100 && b[1]&0xC0 == 64,           // shared address space
		b[0] == 192 && b[1] == 0,                 // protocol assignments, documentation
		b[0] == 192 && b[1] == 88 && b[2] == 99,  // 6to4 relay
		b[0] == 198 && b[1]&0xFE == 18,           // benchmarking
		b[0] == 198 && b[1] == 51 && b[2] == 100, // documentation
		b[0] == 203 && b[1] == 0 && b[2] == 113:  // documentation
		return false
	}
	return true
}
