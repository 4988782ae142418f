package link

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// nearKeys says of the networks and domains of a world which may have two values, so
// that those of one value alone, which are most and near nothing, take no memory.
type nearKeys struct {
	once, again []atomic.Uint64
	mu          sync.Mutex
	// domains are those under the keys of two names.
	domains map[uint64]string
}

// bitsPerCase is the room for the keys of the values of one case, which are about ten.
const bitsPerCase = 64

func newNearKeys(m *Model, cases uint32) *nearKeys {
	if !m.likes() {
		return &nearKeys{}
	}
	n := 1 << bits.Len32(min(max(cases, 1<<10), 1<<24)*bitsPerCase/64)
	return &nearKeys{once: make([]atomic.Uint64, n), again: make([]atomic.Uint64, n), domains: make(map[uint64]string)}
}

func (k *nearKeys) place(key uint64) (word, bit uint64) {
	at := scatter(key)
	return at >> 6 & uint64(len(k.once)-1), 1 << (at & 63)
}

// addNear notes the key of a value, which comes once.
func (w *World) addNear(v evidence.Value) {
	k := w.near
	if len(k.once) == 0 {
		return
	}
	var key uint64
	domain := ""
	switch v.Kind {
	case evidence.KindIP, evidence.KindCIDR:
		n, ok := networkNeighbour(v)
		if !ok {
			return
		}
		key = n.key
	case evidence.KindDomain, evidence.KindHostname:
		domain = evidence.RegistrableDomain(v.Text)
		key = maphash.String(w.seed, domain)
	default:
		return
	}
	word, bit := k.place(key)
	if k.once[word].Or(bit)&bit == 0 {
		return
	}
	k.again[word].Or(bit)
	if domain == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.domains[key]; !known {
		k.domains[key] = strings.Clone(domain)
	}
}

// prune takes the keys out of a list that no other value has.
func (k *nearKeys) prune(n *neighbours) {
	kept := n.all[:0]
	for _, one := range n.all {
		if word, bit := k.place(one.key); k.again[word].Load()&bit != 0 {
			kept = append(kept, one)
		}
	}
	n.all = kept
	n.index()
}

// settle fixes, in a case of a world, what else a Scorer asks the classifier and the
// profile for. numbers are those of reducing.
func (w *World) settle(c *side, p *evidence.Profile, numbers []uint32) {
	for i := range c.rules.names {
		n := &c.rules.names[i]
		if at := numbers[n.at]; at > 0 {
			n.number, n.known = at-1, true
		}
	}
	l := c.like
	if l == nil {
		return
	}
	l.standing = &standing{}
	for i := range l.networks.all {
		n := &l.networks.all[i]
		v := p.Sightings[n.at].Value
		class := w.classOf(v, numbers[n.at])
		n.set(nearStrange, w.model.strange(v, class))
		l.standing.add(w.model, *n, class.ASN)
		n.at = class.ASN
	}
	l.standing.as.sort()
	l.standing.as.index()
	w.near.prune(&l.networks)
	w.near.prune(&l.domains)
	for i := range l.domains.all {
		n := &l.domains.all[i]
		n.set(nearStrange, w.model.foreign(w.classOf(p.Sightings[n.at].Value, numbers[n.at])))
	}
}

// classOf returns the class of a value, of which one that has a number knows it.
func (w *World) classOf(v evidence.Value, number uint32) Class {
	if number == 0 {
		return w.classifier.Class(v)
	}
	shards := uint32(len(w.shards))
	return *w.shards[(number-1)%shards].values[(number-1)/shards].class
}
