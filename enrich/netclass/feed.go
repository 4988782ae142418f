package netclass

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// Info says where the statements of a list come from.
type Info struct {
	// Name is the key of the list, as in "aws" or "misp-vpn-ipv4".
	Name string
	// Title is for people.
	Title string
	// Licence is an SPDX identifier, or in words under what terms the publisher
	// lets the data be used. Attribution is what has to be shown with them.
	Licence, Attribution string
	// URL is where the publisher offers the list.
	URL string
	// Date is the day or month of the data, ISO 8601, "" if unknown.
	Date string
	// Digest is the SHA-256 of the contents, in hexadecimal.
	Digest string
	// Entries is the number of ranges, AS numbers and names.
	Entries int
	// Skipped is the number of entries that could not be read, at most a hundredth.
	Skipped int `json:",omitempty"`
}

// Time returns the date, or the zero time.
func (i *Info) Time() time.Time {
	for _, layout := range []string{time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, i.Date); err == nil {
			return t
		}
	}
	return time.Time{}
}

// Entry is what a list says about what it lists.
type Entry struct {
	Class, Tag, Region, Service, Tenant string
}

// Feed is one list in memory. It is immutable and for concurrent use.
type Feed struct {
	info    Info
	grades  bool
	entries []Entry
	sets    [][]uint32 // of indexes into entries
	ranges  bart.Table[uint32]
	asns    map[uint32]uint32
	exact   map[string]uint32 // whole names
	suffix  map[string]uint32 // names and all below
	parts   fragments
	regexes []*regexp.Regexp
}

// Info describes the feed.
func (f *Feed) Info() Info { return f.info }

// Grades reports whether the feed's ranges only grade (Match.Grades).
func (f *Feed) Grades() bool { return f.grades }

// Ranges returns the listed ranges in order, each with what is said of it.
func (f *Feed) Ranges() iter.Seq2[netip.Prefix, []Entry] {
	return func(yield func(netip.Prefix, []Entry) bool) {
		for p, set := range f.ranges.AllSorted() {
			entries := make([]Entry, 0, len(f.sets[set]))
			for _, e := range f.sets[set] {
				entries = append(entries, f.entries[e])
			}
			if !yield(p, entries) {
				return
			}
		}
	}
}

// ASNs returns the listed AS numbers in order, each with what is said of it.
func (f *Feed) ASNs() iter.Seq2[uint32, Entry] {
	return func(yield func(uint32, Entry) bool) {
		for _, n := range slices.Sorted(maps.Keys(f.asns)) {
			if !yield(n, f.entries[f.asns[n]]) {
				return
			}
		}
	}
}

// Names returns the listed names in order: those that stand for themselves and
// all names below them.
func (f *Feed) Names() iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		for _, n := range slices.Sorted(maps.Keys(f.suffix)) {
			if !yield(n, f.entries[f.suffix[n]]) {
				return
			}
		}
	}
}

// addMatches appends what the feed says about ranges that contain p whole.
func (f *Feed) addMatches(matches []Match, p netip.Prefix) []Match {
	if p.IsSingleIP() && !f.ranges.Contains(p.Addr()) {
		return matches
	}
	for prefix, set := range f.ranges.Supernets(p) {
		for _, e := range f.sets[set] {
			matches = append(matches, f.match(e, prefix, f.entries[e].Tag))
		}
	}
	return matches
}

func (f *Feed) addASN(matches []Match, asn uint32) []Match {
	if e, ok := f.asns[asn]; ok {
		matches = append(matches, f.match(e, netip.Prefix{}, "AS"+strconv.FormatUint(uint64(asn), 10)))
	}
	return matches
}

func (f *Feed) addNames(matches []Match, name string) []Match {
	if e, ok := f.exact[name]; ok {
		matches = append(matches, f.match(e, netip.Prefix{}, name))
	}
	for d := name; d != "" && len(f.suffix) > 0; _, d, _ = strings.Cut(d, ".") {
		if e, ok := f.suffix[d]; ok {
			matches = append(matches, f.match(e, netip.Prefix{}, d))
			break
		}
	}
	if len(matches) == 0 || matches[len(matches)-1].List != &f.info {
		if part, ok := f.parts.in(name); ok {
			matches = append(matches, Match{List: &f.info, Entry: part})
		}
	}
	for _, re := range f.regexes {
		if re.MatchString(name) {
			matches = append(matches, Match{List: &f.info, Entry: re.String()})
			break
		}
	}
	return matches
}

func (f *Feed) match(e uint32, p netip.Prefix, what string) Match {
	entry := &f.entries[e]
	return Match{
		List: &f.info, Class: entry.Class, Prefix: p, Entry: what,
		Region: entry.Region, Service: entry.Service, Tenant: entry.Tenant, Grades: f.grades && p.IsValid(),
	}
}

// Builder collects a feed. Make one with NewBuilder.
type Builder struct {
	feed    *Feed
	entries map[Entry]uint32
	last    Entry // and its number: most entries are as the one before
	lastID  uint32
	grown   map[[2]uint32]uint32 // set and entry -> the set with the entry
	bad     int
	wide    error
}

// NewBuilder starts a feed; its ranges only grade if grades is set. Digest and
// Entries of the info are filled in by Build.
func NewBuilder(info Info, grades bool) *Builder {
	return &Builder{
		feed: &Feed{
			info: info, grades: grades,
			asns: make(map[uint32]uint32), exact: make(map[string]uint32), suffix: make(map[string]uint32),
			sets: make([][]uint32, 1),
		},
		entries: make(map[Entry]uint32), grown: make(map[[2]uint32]uint32),
	}
}

// Narrowest prefixes that no list of anybody's has a reason to exceed; a wider
// one would say something about a good part of the Internet.
const (
	minBits4 = 4
	minBits6 = 7
)

// Text adds a range or an address in text, and counts what is neither.
func (b *Builder) Text(s string, e Entry) {
	p, ok := parseRange(s)
	if !ok {
		b.bad++
		return
	}
	b.Range(p, e)
}

// Range adds a range. A range may be listed many times.
func (b *Builder) Range(p netip.Prefix, e Entry) {
	p = p.Masked()
	least := minBits6
	if p.Addr().Is4() {
		least = minBits4
	}
	if p.Bits() < least {
		b.wide = fmt.Errorf("%s lists %s, a good part of the Internet", b.feed.info.Name, p)
		return
	}
	id := b.entry(e)
	f := b.feed
	f.ranges.Modify(p, func(old uint32, listed bool) (uint32, bool) {
		if !listed {
			old = 0
		}
		return b.grow(old, id), false
	})
}

// grow returns the set old with one entry more; set 0 is empty.
func (b *Builder) grow(old, id uint32) uint32 {
	f := b.feed
	if slices.Contains(f.sets[old], id) {
		return old
	}
	key := [2]uint32{old, id}
	set, ok := b.grown[key]
	if !ok {
		set = uint32(len(f.sets))
		f.sets = append(f.sets, append(slices.Clip(slices.Clone(f.sets[old])), id))
		b.grown[key] = set
	}
	return set
}

// ASN adds an AS number.
func (b *Builder) ASN(n uint32, e Entry) {
	if n == 0 {
		b.bad++
		return
	}
	b.feed.asns[n] = b.entry(e)
}

// Name adds a name that stands for itself and all names below it.
func (b *Builder) Name(s string, e Entry) { b.name(b.feed.suffix, strings.Trim(s, ". \t"), e) }

// Exact adds a name, or another value, that stands for itself alone.
func (b *Builder) Exact(s string, e Entry) { b.name(b.feed.exact, strings.TrimSpace(s), e) }

// maxName bounds a listed name in bytes, as DNS does.
const maxName = 255

func (b *Builder) name(to map[string]uint32, s string, e Entry) {
	s = strings.ToLower(s)
	if s == "" || len(s) > maxName || strings.ContainsAny(s, " <>\"") {
		b.bad++
		return
	}
	to[s] = b.entry(e)
}

func (b *Builder) entry(e Entry) uint32 {
	if e == b.last && len(b.feed.entries) > 0 {
		return b.lastID
	}
	id, ok := b.entries[e]
	if !ok {
		id = uint32(len(b.feed.entries))
		b.feed.entries = append(b.feed.entries, e)
		b.entries[e] = id
	}
	b.last, b.lastID = e, id
	return id
}

// Refusals of a feed.
var (
	ErrEmpty   = errors.New("nothing is listed")
	ErrGarbled = errors.New("too much of it is not readable")
)

// Build ends the feed. It refuses one that lists nothing, of which more than a
// hundredth is unreadable, or that lists a good part of the Internet. digest is
// the SHA-256 of the contents in hexadecimal; where there is none, it is made of
// what is listed.
func (b *Builder) Build(digest string) (*Feed, error) {
	f := b.feed
	f.info.Entries = f.ranges.Size() + len(f.asns) + len(f.exact) + len(f.suffix) + len(f.regexes)
	switch {
	case b.wide != nil:
		return nil, b.wide
	case b.bad*100 > f.info.Entries+b.bad:
		return nil, fmt.Errorf("%s: %w: %d entries of %d", f.info.Name, ErrGarbled, b.bad, f.info.Entries+b.bad)
	case f.info.Entries == 0:
		return nil, fmt.Errorf("%s: %w", f.info.Name, ErrEmpty)
	}
	f.info.Skipped = b.bad
	f.info.Digest = digest
	if digest == "" {
		f.info.Digest = f.sum()
	}
	return f, nil
}

// sum hashes what is listed.
func (f *Feed) sum() string {
	h := sha256.New()
	for p, entries := range f.Ranges() {
		fmt.Fprintf(h, "%s %q\n", p, entries)
	}
	for n, e := range f.ASNs() {
		fmt.Fprintf(h, "%d %q\n", n, e)
	}
	for n, e := range f.Names() {
		fmt.Fprintf(h, "%s %q\n", n, e)
	}
	for _, n := range slices.Sorted(maps.Keys(f.exact)) {
		fmt.Fprintf(h, "=%s %q\n", n, f.entries[f.exact[n]])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parseRange reads an address or a prefix; IPv4 in IPv6 becomes IPv4.
func parseRange(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}
