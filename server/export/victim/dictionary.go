package victim

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

const (
	// minWithin is the shortest term, in bytes of its letters and digits, that is
	// looked for within words. A shorter one has to be a word, or words, of its own.
	minWithin = 6
	// minWhole is the shortest term at all.
	minWhole = 3
	// maxTerm cuts what no name is as long as.
	maxTerm = 255
	// maxWords is how many neighbouring words may be a term.
	maxWords = 6
)

// Dictionary is what names tenants. Fill it, then make Scanners of it; it must not
// be changed any more then.
type Dictionary struct {
	within within
	whole  map[string]bool
	own    []netip.Prefix
	hashes map[uint64]bool
	hash   func(squeezed string) uint64
	// tags has a bit for the first bits of each tag; nil where hashes have none.
	tags     []uint64
	tag      func(squeezed []byte) uint32
	untagged bool // some hashes have no tag
	// told is the number of names, domains, networks and hashes that somebody gave.
	told int
}

// Hash is the keyed hash of a token. Its tag, if it has one, is another keyed hash,
// which costs less and says less.
type Hash struct {
	Exact  uint64
	Tag    uint32
	Tagged bool
}

// tagBits is how many bits of a tag are looked at: in 128 KB, of 1,000 tokens one in
// 1,000 texts looks like one, of 100,000 one in eleven.
const tagBits = 20

// NewDictionary returns an empty one. hash and tag are the keyed hashes of AddHashes;
// nil where there are none.
func NewDictionary(hash func(squeezed string) uint64, tag func(squeezed []byte) uint32) *Dictionary {
	return &Dictionary{whole: make(map[string]bool), hashes: make(map[uint64]bool), hash: hash, tag: tag}
}

// likely reports whether a token may be one of which there is a hash.
func (d *Dictionary) likely(token []byte) bool {
	if d.untagged || d.tags == nil || d.tag == nil {
		return true
	}
	at := d.tag(token) >> (32 - tagBits)
	return d.tags[at>>6]>>(at&63)&1 == 1
}

// Empty reports whether nobody said what names the tenants. Identifiers do not
// count: they come with every case.
func (d *Dictionary) Empty() bool { return d.told == 0 }

// AddIdentifier adds what a tenant is called within the deployment.
func (d *Dictionary) AddIdentifier(id string) {
	if s := Squeeze(id); len(s) >= minWhole {
		d.whole[s] = true
	}
}

// AddName adds the name of an organisation, with and without its legal form.
func (d *Dictionary) AddName(name string) {
	d.told++
	d.add(Squeeze(name))
	words := strings.FieldsFunc(fold(name), func(r rune) bool { return !isLetter(r) })
	if n := len(words); n > 1 && legalForms[words[n-1]] {
		d.add(strings.Join(words[:n-1], ""))
	}
}

// AddDomain adds a domain and the labels that whoever registered it chose.
func (d *Dictionary) AddDomain(domain string) {
	d.told++
	domain = strings.Trim(fold(domain), ". ")
	d.add(Squeeze(domain))
	suffix, _ := publicsuffix.PublicSuffix(domain)
	own := strings.TrimSuffix(strings.TrimSuffix(domain, suffix), ".")
	for label := range strings.SplitSeq(own, ".") {
		if s := Squeeze(label); !ordinaryLabels[s] {
			d.add(s)
		}
	}
}

// AddNetwork adds a network that a tenant comes from.
func (d *Dictionary) AddNetwork(p netip.Prefix) {
	d.told++
	d.own = append(d.own, p.Masked())
}

// AddHashes adds keyed hashes of tokens as Tokens returns them.
func (d *Dictionary) AddHashes(hashes []Hash) {
	d.told += len(hashes)
	for _, h := range hashes {
		d.hashes[h.Exact] = true
		if !h.Tagged {
			d.untagged = true
			continue
		}
		if d.tags == nil {
			d.tags = make([]uint64, 1<<tagBits/64)
		}
		at := h.Tag >> (32 - tagBits)
		d.tags[at>>6] |= 1 << (at & 63)
	}
}

func (d *Dictionary) add(squeezed string) {
	squeezed = squeezed[:min(len(squeezed), maxTerm)]
	switch {
	case len(squeezed) < minWhole:
	case len(squeezed) < minWithin:
		d.whole[squeezed] = true
	default:
		d.within.add(squeezed)
	}
}

// owns reports whether a text is an address or a network of a tenant's.
func (d *Dictionary) owns(text string) bool {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return slices.ContainsFunc(d.own, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return slices.ContainsFunc(d.own, p.Overlaps)
	}
	return false
}

// Tokens returns what of a hint is hashed: all its letters and digits, and of a
// mail address also the local part, where that is long enough or of several words,
// and the domain. Nothing of a hint that is too short to name anybody.
func Tokens(hint string) []string {
	var out []string
	keep := func(s string, least int) {
		if least <= len(s) && len(s) <= maxTerm && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	var q squeezed
	if q.read(fold(hint)); len(q.runs) <= maxWords {
		keep(string(q.letters), minWhole)
	}
	if local, domain, ok := strings.Cut(hint, "@"); ok && !strings.Contains(domain, "@") {
		q.read(fold(local))
		least := minLocal
		if len(q.runs) > 1 {
			least = minWithin
		}
		keep(string(q.letters), least)
		keep(Squeeze(domain), minWithin)
	}
	return out
}

// minLocal is the shortest local part of one word that stands for somebody; the
// shorter ones are first names and trades.
const minLocal = 8

// within finds terms inside words. Its zero value is empty.
type within struct {
	terms map[string]bool
	// lengths are those of the terms, by their first four bytes, ascending.
	lengths map[uint32][]int
	// likely has a bit for each hash of four bytes that a term begins with.
	likely [1 << 10]uint64
}

func beginning(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func bit(begins uint32) uint32 { return begins * 2654435761 >> 16 }

func (w *within) add(term string) {
	if w.terms == nil {
		w.terms, w.lengths = make(map[string]bool), make(map[uint32][]int)
	}
	w.terms[term] = true
	begins := beginning([]byte(term))
	if i, found := slices.BinarySearch(w.lengths[begins], len(term)); !found {
		w.lengths[begins] = slices.Insert(w.lengths[begins], i, len(term))
	}
	at := bit(begins)
	w.likely[at>>6] |= 1 << (at & 63)
}

// in reports whether a squeezed text holds a term.
func (w *within) in(letters []byte) bool {
	if len(w.terms) == 0 {
		return false
	}
	for i := 0; i+4 <= len(letters); i++ {
		begins := beginning(letters[i:])
		if at := bit(begins); w.likely[at>>6]>>(at&63)&1 == 0 {
			continue
		}
		for _, n := range w.lengths[begins] {
			if i+n > len(letters) {
				break
			}
			if w.terms[string(letters[i:i+n])] {
				return true
			}
		}
	}
	return false
}

// legalForms stand behind the names of companies.
var legalForms = wordSet(`
	ab ag as asa bv bvba co company corp corporation eg ev ggmbh gmbh group holding inc incorporated kg kk limited
	llc llp ltd mbh nv ohg oy oyj plc pte pty sa sarl sas se spa srl sro ug`)

// ordinaryLabels are parts of domains that name nobody.
var ordinaryLabels = wordSet(`
	admin api app apps auth autodiscover cloud community company corp dev email exchange ftp group host hosting
	info internal intranet local login mail mailer mobile mx network news office online onmicrosoft outlook owa
	portal pop remote secure security server service services sharepoint shop site smtp sso staging store
	support system systems test vpn web webmail world www`)

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}
