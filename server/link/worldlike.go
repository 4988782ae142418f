package link

import (
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// nearKeys says of the networks and domains of a world which may be in two cases, so
// that those of one case alone, which are most, take no memory.
type nearKeys struct {
	once, again []atomic.Uint64
	mu          sync.Mutex
	// domains are those under the keys of names that may be in two cases.
	domains map[uint64]string
}

// bitsPerCase is the room for the keys of one case, which are about ten.
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

// add notes the keys of one case. named returns the domain of a neighbour; nil for
// networks.
func (k *nearKeys) add(n *neighbours, named func(*neighbour) string) {
	for i := range n.all {
		if i > 0 && n.all[i].key == n.all[i-1].key {
			continue
		}
		word, bit := k.place(n.all[i].key)
		if k.once[word].Or(bit)&bit == 0 {
			continue
		}
		k.again[word].Or(bit)
		if named != nil {
			k.mu.Lock()
			if _, known := k.domains[n.all[i].key]; !known {
				k.domains[n.all[i].key] = strings.Clone(named(&n.all[i]))
			}
			k.mu.Unlock()
		}
	}
}

// prune takes the keys out of a list that no other case has, and puts what is left
// into a slab.
func (k *nearKeys) prune(n *neighbours, into *slab[neighbour]) {
	kept := n.all[:0]
	for _, one := range n.all {
		if word, bit := k.place(one.key); k.again[word].Load()&bit != 0 {
			kept = append(kept, one)
		}
	}
	n.all = into.keep(kept)
	n.index()
}

// settle fixes, in a case of a world, what else a Scorer asks the classifier and the
// profile for.
func (w *World) settle(c *side, p *evidence.Profile) {
	l := c.like
	if l == nil {
		return
	}
	for i := range l.names {
		n := &l.names[i]
		n.number, n.known = w.number(evidence.Value{Kind: evidence.KindRuleName, Text: n.text})
	}
	l.standing = &standing{}
	for i := range l.networks.all {
		n := &l.networks.all[i]
		v := p.Sightings[n.at].Value
		class := w.classifier.Class(v)
		n.set(nearStrange, w.model.strange(v, class))
		l.standing.add(w.model, *n, class.ASN)
		n.at = class.ASN
	}
	l.standing.as.sort()
	l.standing.as.index()
	for i := range l.domains.all {
		n := &l.domains.all[i]
		n.set(nearStrange, w.model.foreign(w.classifier.Class(p.Sightings[n.at].Value)))
	}
	w.near.add(&l.networks, nil)
	w.near.add(&l.domains, func(n *neighbour) string { return evidence.RegistrableDomain(p.Sightings[n.at].Text) })
}

// pruneNear drops what is near nothing. The cases are in the order in which they
// came, so that the old lists go one after the other.
func (w *World) pruneNear() {
	var into slab[neighbour]
	for _, c := range w.cases {
		if c.like == nil {
			continue
		}
		w.near.prune(&c.like.networks, &into)
		w.near.prune(&c.like.domains, &into)
	}
	w.near.once, w.near.again = nil, nil
}
