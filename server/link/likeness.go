package link

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// likeness is what of a case is near something of another, although it is not equal. A
// bulk case has none: it would be near everybody's, and it may be known in part only. So
// every list is as short as bulk lets it be.
type likeness struct {
	networks, domains neighbours // addresses and networks; names
	logins            int32      // addresses in a role of the actor
	// standing is set in a World.
	standing *standing
}

// ruleSet is what is known of the mail rules of a case besides their values. A bulk case
// has no names and contents, as it has no likeness.
type ruleSet struct {
	names                   []ruleName // in order of text
	contents                []ruleContent
	nameCount, contentCount int32   // of values of the kind
	themed                  []theme // names that speak of security
}

func (r *ruleSet) empty() bool { return len(r.names)+len(r.contents)+len(r.themed) == 0 }

// ruleName is the name of a mail rule in a case.
type ruleName struct {
	span
	at int32 // index of the sighting in the profile
	*nameText
}

// nameText is what does not depend on when a name was seen. A World has each once.
type nameText struct {
	text     string
	tokens   string // of its derived value, "" if it has none
	trigrams []uint64
	share    float64 // measured background
	// number is that of the value in a World; known, that it has one.
	number uint32
	known  bool
}

// ruleContent is the set of keywords of a mail rule.
type ruleContent struct {
	span
	evidence.RuleContent
	text string
	at   int32
}

// neighbour is an address or a name with what it has to share with another to be
// near it: the /24, the /48, the autonomous system or the registrable domain. It is
// kept small: a World has one for most sightings while its cases come.
type neighbour struct {
	key  uint64
	self uint32 // tells values under one key apart
	// at is the index of the sighting in the profile; among the networks of a World,
	// which has no profiles, the number of the autonomous system.
	at uint32
	span
	size  uint16 // number of values among which this one is
	flags nearFlags
}

type nearFlags uint8

const (
	nearAddress nearFlags = 1 << iota // no network in CIDR notation
	nearActor                         // in a role of the actor
	nearStrange                       // of a class that is everybody's or weak; set in a World only
)

func (n *neighbour) is(f nearFlags) bool { return n.flags&f != 0 }

func (n *neighbour) set(f nearFlags, yes bool) {
	if yes {
		n.flags |= f
	}
}

// neighbours are values in order of key.
type neighbours struct {
	all []neighbour
	// bits has one for every key.
	bits uint64
}

func (n *neighbours) add(one neighbour) { n.all = append(n.all, one) }

func (n *neighbours) sort() {
	slices.SortFunc(n.all, func(x, y neighbour) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Compare(x.at, y.at)
	})
}

// index fills bits.
func (n *neighbours) index() {
	for i := range n.all {
		n.bits |= 1 << (scatter(n.all[i].key) >> 58)
	}
}

// apart reports whether two lists have certainly no key in common, as most have not.
func (n *neighbours) apart(o *neighbours) bool {
	return n.bits&o.bits == 0
}

// meet calls f with what two lists have under one key.
func (n *neighbours) meet(o *neighbours, f func(x, y []neighbour)) {
	if n.apart(o) {
		return
	}
	for i, k := 0, 0; i < len(n.all) && k < len(o.all); {
		switch {
		case n.all[i].key < o.all[k].key:
			i++
		case n.all[i].key > o.all[k].key:
			k++
		default:
			x, y := n.under(i), o.under(k)
			f(x, y)
			i, k = i+len(x), k+len(y)
		}
	}
}

// under returns the values with the key of the one at i, which is the first of them.
func (n *neighbours) under(i int) []neighbour {
	to := i + 1
	for to < len(n.all) && n.all[to].key == n.all[i].key {
		to++
	}
	return n.all[i:to]
}

// standing is what the addresses of a case are, now.
type standing struct {
	// logins is the number of addresses in a role of the actor that are not weak.
	logins int32
	as     neighbours // those that are not weak, by number of their system
}

// likes reports whether the model compares what is not equal.
func (m *Model) likes() bool {
	a := &m.alike
	return a.names || a.content > 0 || a.network.m > 0 || a.as.m > 0 || a.domain.m > 0 || a.noLogin != 0 || a.noContent != 0
}

// likeness reads what of a profile may be near something of another, nil if there is
// nothing. Its neighbours have no index yet. seed is that of texts.
func (m *Model) likeness(p *evidence.Profile, c *counts, seed maphash.Seed) *likeness {
	if c.bulk || !m.likes() {
		return nil
	}
	l := &likeness{logins: int32(c.logins)}
	l.networks.all = make([]neighbour, 0, c.kinds[evidence.KindIP]+c.kinds[evidence.KindCIDR])
	l.domains.all = make([]neighbour, 0, c.kinds[evidence.KindDomain]+c.kinds[evidence.KindHostname])
	for i := range p.Sightings {
		sg := &p.Sightings[i]
		switch sg.Kind {
		case evidence.KindIP, evidence.KindCIDR:
			if n, ok := networkNeighbour(sg.Value); ok {
				n.span = spanOf(sg.First, sg.Last)
				n.at, n.size = uint32(i), shortSize(c.size(sg))
				n.set(nearActor, actorRole(sg.Roles))
				l.networks.add(n)
			}
		case evidence.KindDomain, evidence.KindHostname:
			if m.alike.domain.m > 0 && rolesOf(sg.Roles)&roleOnlySpoofed == 0 {
				l.domains.add(neighbour{
					span: spanOf(sg.First, sg.Last), at: uint32(i), size: shortSize(c.size(sg)),
					key: maphash.String(seed, evidence.RegistrableDomain(sg.Text)), self: textHash(sg.Text),
				})
			}
		}
	}
	if len(l.networks.all)+len(l.domains.all) == 0 {
		return nil
	}
	l.networks.sort()
	l.domains.sort()
	return l
}

// ruleSet reads the mail rules of a profile.
func (m *Model) ruleSet(p *evidence.Profile, c *counts) *ruleSet {
	r := ruleSet{nameCount: int32(c.kinds[evidence.KindRuleName]), contentCount: int32(c.kinds[evidence.KindRuleWords])}
	names := !c.bulk && m.alike.names && r.nameCount <= evidence.MaxAlikeNames
	contents := !c.bulk && m.alike.content > 0
	for i := range p.Sightings {
		sg := &p.Sightings[i]
		switch sg.Kind {
		case evidence.KindRuleName:
			if _, themed := m.spellings(sg); themed {
				r.themed = append(r.themed, theme{spanOf(sg.First, sg.Last), sg.Text, int32(i)})
			}
			if names && !evidence.HasPlaceholder(sg.Text) {
				r.names = append(r.names, m.ruleName(sg, int32(i)))
			}
		case evidence.KindRuleWords:
			if !contents || len(r.contents) == evidence.MaxAlikeContents {
				continue
			}
			if content, ok := evidence.ReadRuleContent(sg.Text); ok {
				r.contents = append(r.contents, ruleContent{spanOf(sg.First, sg.Last), content, sg.Text, int32(i)})
			}
		}
	}
	return &r
}

// networkNeighbour places an address, or a network that is no wider than a /24 or a
// /48.
func networkNeighbour(v evidence.Value) (n neighbour, ok bool) {
	var at netip.Addr
	bits := 0
	if v.Kind == evidence.KindIP {
		a, err := netip.ParseAddr(v.Text)
		if err != nil {
			return n, false
		}
		at, bits = a, a.BitLen()
	} else {
		p, err := netip.ParsePrefix(v.Text)
		if err != nil || p.Bits() < networkBits(p.Addr()) {
			return n, false
		}
		at, bits = p.Addr(), p.Bits()
	}
	b := at.As16()
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	n.self = uint32(low) ^ uint32(bits)<<24
	n.set(nearAddress, v.Kind == evidence.KindIP)
	if at.Is4() {
		n.key = low >> 8
	} else {
		n.key = 1<<63 | high>>16
		n.self = uint32(scatter(high^scatter(low))) ^ uint32(bits)
	}
	if !n.is(nearAddress) {
		n.self = ^n.self
	}
	return n, true
}

// textHash tells names under one domain apart, the same in every process: where two
// have one hash, which one pair in four billion does, it is in every answer.
func textHash(s string) uint32 {
	h := uint32(2166136261) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// shortSize is a number of values as far as a weight can depend on it.
func shortSize(n int32) uint16 { return uint16(min(n, math.MaxUint16)) }

// networkName returns the /24 or the /48 with a key of networkNeighbour.
func networkName(key uint64) string {
	var b [16]byte
	if key>>63 == 0 {
		binary.BigEndian.PutUint64(b[8:], key<<8)
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[12:])), 24).String()
	}
	binary.BigEndian.PutUint64(b[:8], key<<16)
	return netip.PrefixFrom(netip.AddrFrom16(b), 48).String()
}

// scatter maps numbers one to one, so that their highest bits differ.
func scatter(x uint64) uint64 {
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>29
}

func (m *Model) ruleName(sg *evidence.Sighting, at int32) ruleName {
	n := ruleName{spanOf(sg.First, sg.Last), at, &nameText{text: sg.Text, share: m.ruleShare(sg.Text), trigrams: trigrams(sg.Text)}}
	words, _ := m.spellings(sg)
	n.share = max(n.share, m.wordsShare(words))
	if v, ok := evidence.RuleTokens(sg); ok {
		n.tokens = v.Text
	}
	return n
}

// maxTrigrams bounds the part of a name that is compared letter by letter.
const maxTrigrams = 256

// trigrams returns the distinct runs of three characters of a name, in order.
func trigrams(name string) []uint64 {
	var out []uint64
	var run uint64
	n := 0
	for _, r := range name {
		run = (run<<21 | uint64(r)) & (1<<63 - 1)
		if n++; n >= 3 {
			out = append(out, run)
		}
		if len(out) == maxTrigrams {
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// overlap returns how many elements two ordered sets share.
func overlap(x, y []uint64) (both int) {
	for i, k := 0, 0; i < len(x) && k < len(y); {
		switch {
		case x[i] < y[k]:
			i++
		case x[i] > y[k]:
			k++
		default:
			both++
			i++
			k++
		}
	}
	return both
}

// strange reports whether an address or a network is of a class that is everybody's
// or weak.
func (m *Model) strange(v evidence.Value, class Class) bool {
	r := m.address(class)
	return r.service || v.Kind == evidence.KindIP && r.cap > 0
}

// foreign reports whether many strangers have names under the domain of one.
func (m *Model) foreign(class Class) bool { return m.names[class.Name] != nil }

// latest is a standing that was asked for lately.
type latest struct {
	sd *side
	*standing
}

// standingOf returns what the addresses of a side are, from memory where possible.
func (s *Scorer) standingOf(sd *side) *standing {
	if sd.like.standing != nil {
		return sd.like.standing
	}
	for _, known := range s.latest {
		if known.sd == sd {
			return known.standing
		}
	}
	st := s.standings[sd]
	if st == nil {
		st = s.newStanding(sd)
		s.standings[sd] = st
		s.held += 1 + len(st.as.all)
	}
	// Pairs come with one side in common, most of them.
	s.latest[s.turn] = latest{sd, st}
	s.turn = 1 - s.turn
	return st
}

func (s *Scorer) newStanding(sd *side) *standing {
	st := &standing{}
	for _, n := range sd.like.networks.all {
		v := sd.profile.Sightings[n.at].Value
		class := s.classOf(v)
		n.set(nearStrange, s.model.strange(v, class))
		st.add(s.model, n, class.ASN)
	}
	st.as.sort()
	st.as.index()
	return st
}

func (st *standing) add(m *Model, n neighbour, asn uint32) {
	if !n.is(nearAddress) || n.is(nearStrange) {
		return
	}
	if n.is(nearActor) {
		st.logins++
	}
	if asn != 0 && m.alike.as.m > 0 {
		n.key = uint64(asn)
		st.as.add(n)
	}
}

// classOf returns the class of a value, without remembering one that is not known.
func (s *Scorer) classOf(v evidence.Value) Class {
	if known := s.values[v]; known != nil {
		return *known.class
	}
	return s.classifier.Class(v)
}
