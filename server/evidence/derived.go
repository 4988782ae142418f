package evidence

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Kinds of values that a profile has beside those of its case, so that cases meet
// whose mail rules are alike but not equal. They are in no registry: nobody submits
// one, asks for one or is shown one, and none carries weight.
const (
	// KindRuleBand is a band of the MinHash of a rule's keywords.
	KindRuleBand Kind = "rule_band"
	// KindRuleTokens is the set of words of a rule's name.
	KindRuleTokens Kind = "rule_tokens"
)

// Derived reports whether values of a kind are made by Derive.
func (k Kind) Derived() bool { return k == KindRuleBand || k == KindRuleTokens }

// Bounds of what a case gets derived values for.
const (
	// MaxAlikeNames is the number of names of mail rules above which none of a case
	// is compared by its words.
	MaxAlikeNames = 64
	// MaxAlikeContents is how many keyword sets of a case are compared by their
	// words: the first in order of text.
	MaxAlikeContents = 16
)

// Derive returns the derived sightings that belong to sightings in order of Value,
// in that order: a set of words for each name of a mail rule that has two or more,
// and the bands of each of the first keyword sets. Those among the sightings that
// are derived already are passed over. At most MaxAlikeNames +
// MaxAlikeContents*RuleBands are returned. What it makes of a value is part of the
// layout of every store.
func Derive(sightings []Sighting) []Sighting {
	names, contents := ofKind(sightings, KindRuleName), ofKind(sightings, KindRuleWords)
	if len(names) > MaxAlikeNames {
		names = nil
	}
	if len(names)+len(contents) == 0 {
		return nil
	}
	by := make(map[Value]*Sighting)
	add := func(v Value, from *Sighting) {
		s := by[v]
		if s == nil {
			s = &Sighting{Value: v}
			by[v] = s
		}
		s.Roles = append(s.Roles, from.Roles...)
		seen := interval{s.First, s.Last}.union(interval{from.First, from.Last})
		s.First, s.Last = seen.first, seen.last
	}
	for i := range names {
		if v, ok := RuleTokens(&names[i]); ok {
			add(v, &names[i])
		}
	}
	for i := range contents[:min(len(contents), MaxAlikeContents)] {
		if c, ok := ReadRuleContent(contents[i].Text); ok {
			for band := range c.Bands {
				add(c.Band(band), &contents[i])
			}
		}
	}
	out := make([]Sighting, 0, len(by))
	for _, s := range by {
		s.Roles = sortedSet(s.Roles)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Sighting) int { return a.Compare(b.Value) })
	return out
}

// ofKind returns the sightings of one kind, of sightings in order.
func ofKind(sightings []Sighting, k Kind) []Sighting {
	at := func(s Sighting, k Kind) int { return strings.Compare(string(s.Kind), string(k)) }
	from, _ := slices.BinarySearchFunc(sightings, k, at)
	to := from
	for to < len(sightings) && sightings[to].Kind == k {
		to++
	}
	return sightings[from:to]
}

// RuleTokens returns the value that names of mail rules with the same words have in
// common, whatever their order and what stands between them; false for a name of
// fewer than two words and for one in which something was redacted. Of several spellings the one with most words counts, which
// is the one that shows where words begin.
func RuleTokens(name *Sighting) (Value, bool) {
	if HasPlaceholder(name.Text) {
		return Value{}, false
	}
	var words []string
	spellings := name.Written
	if len(spellings) == 0 {
		spellings = []string{name.Text}
	}
	for _, written := range spellings[:min(len(spellings), maxSpellings)] {
		if w := sortedSet(RuleWords(written)); len(w) > len(words) {
			words = w
		}
	}
	if len(words) < 2 {
		return Value{}, false
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return Value{KindRuleTokens, base64.RawURLEncoding.EncodeToString(sum[:tokenBytes])}, true
}

const (
	// maxSpellings bounds the spellings of one name that are looked at.
	maxSpellings = 8
	// tokenBytes makes an accidental collision among billions of names unlikely.
	tokenBytes = 12
)

// RuleBands is the number of bands of a MinHash, bandRows the number of permutations
// in each. Two sets that share the fraction j of their words have a band in common
// with the chance 1-(1-j^4)^16: .89 at .6, .12 at .3.
const (
	RuleBands = 16
	bandRows  = 4
)

// MinKeywords is the number of telling keywords below which the content of a mail
// rule says nothing.
const MinKeywords = 2

// RuleContent is the set of the telling keywords of a mail rule.
type RuleContent struct {
	// Words are hashes of the keywords, in order.
	Words []uint64
	Bands [RuleBands]uint64
}

// ReadRuleContent reads the text of a rule_words; false if it has too few telling
// keywords.
func ReadRuleContent(text string) (RuleContent, bool) {
	var c RuleContent
	for word := range strings.FieldsSeq(text) {
		if !ordinaryKeywords[word] {
			c.Words = append(c.Words, hashWord(word))
		}
	}
	slices.Sort(c.Words)
	c.Words = slices.Compact(c.Words)
	if len(c.Words) < MinKeywords {
		return RuleContent{}, false
	}
	for band := range c.Bands {
		var mixed uint64
		for i := range bandRows {
			least := ^uint64(0)
			seed := mix(uint64(band*bandRows+i) + 1)
			for _, w := range c.Words {
				least = min(least, mix(w^seed))
			}
			mixed = mix(mixed ^ least)
		}
		c.Bands[band] = mixed
	}
	return c, true
}

// Band returns the value that stands for a band.
func (c *RuleContent) Band(band int) Value {
	var b [9]byte
	b[0] = byte(band)
	binary.BigEndian.PutUint64(b[1:], c.Bands[band])
	return Value{KindRuleBand, hex.EncodeToString(b[:])}
}

// Overlap returns how many words two sets share, and how many they have together.
func (c *RuleContent) Overlap(o *RuleContent) (both, all int) {
	for i, k := 0, 0; i < len(c.Words) && k < len(o.Words); {
		switch {
		case c.Words[i] < o.Words[k]:
			i++
		case c.Words[i] > o.Words[k]:
			k++
		default:
			both++
			i++
			k++
		}
	}
	return both, len(c.Words) + len(o.Words) - both
}

// hashWord is the same in every process and on every platform, as all that is
// stored has to be.
func hashWord(word string) uint64 {
	sum := sha256.Sum256([]byte(word))
	return binary.BigEndian.Uint64(sum[:])
}

// mix maps numbers one to one onto numbers that look random.
func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// ordinaryKeywords are those that more than 5 % of the rules of unrelated intruders
// look for, by judgment: what a victim would be warned with, and what money is
// called. They say nothing and are left out. Since stores hold what is derived from
// the rest, the list is part of every model version so far.
var ordinaryKeywords = func() map[string]bool {
	words := make(map[string]bool)
	for w := range strings.FieldsSeq(`
		a an and at by for from in is of on or re fw fwd the to with
		subject body sender address recipient header contains
		account ach bank banking credit deposit document iban invoice invoices order
		payment payments payroll purchase quote receipt remittance salary statement swift
		transfer wire mail message inbox
		docusign hack hacked hacker malware phish phishing scam spam virus
		compromised security suspicious fraud password helpdesk
		daemon mailer postmaster undeliverable delivery`) {
		words[w] = true
	}
	return words
}()
