// Package lexicon reads words of security, finance and mail out of names and
// subjects in seven languages, and says them in English.
//
// It knows generic words only. It must not know a company, a bank, a person or a
// product: what it returns leaves a tenant, and so can never say more than its
// own lists do.
package lexicon

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// minPrefix is the shortest stem that stands for all words that begin with it.
const minPrefix = 5

// Lexicon finds generic words. Use New; it is immutable and for concurrent use.
type Lexicon struct {
	words    map[string]string   // a folded form to its concept
	stems    map[string][]stem   // by the first minPrefix bytes, longest first
	phrases  map[string][]phrase // by their first word
	subjects map[string]string   // a concept to its tag
	generic  map[string]bool     // words that name nobody
}

type stem struct{ prefix, concept string }

type phrase struct {
	words []string
	tag   string
}

// New returns the lexicon that is part of the program.
func New() *Lexicon {
	l := &Lexicon{
		words: make(map[string]string), stems: make(map[string][]stem),
		phrases: make(map[string][]phrase), subjects: make(map[string]string), generic: make(map[string]bool),
	}
	for line := range lines(concepts) {
		concept, forms, _ := strings.Cut(line, ":")
		l.words[concept] = concept
		for form := range strings.FieldsSeq(forms) {
			form = fold(form)
			if prefix, ok := strings.CutSuffix(form, "*"); ok && len(prefix) >= minPrefix {
				l.stems[prefix[:minPrefix]] = append(l.stems[prefix[:minPrefix]], stem{prefix, concept})
			} else {
				l.words[form] = concept
			}
		}
	}
	for _, list := range l.stems {
		slices.SortFunc(list, func(a, b stem) int { return len(b.prefix) - len(a.prefix) })
	}
	for line := range lines(subjectTags) {
		tag, rest, _ := strings.Cut(line, ":")
		for p := range strings.SplitSeq(rest, ",") {
			switch words := Words(p); len(words) {
			case 0:
			case 1:
				l.subjects[words[0]] = tag
			default:
				l.phrases[words[0]] = append(l.phrases[words[0]], phrase{words, tag})
			}
		}
	}
	for word := range strings.FieldsSeq(genericWords) {
		l.generic[fold(word)] = true
	}
	return l
}

func lines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && !yield(line) {
				return
			}
		}
	}
}

// concept returns what a folded word means, "" if the lexicon does not know it.
func (l *Lexicon) concept(word string) string {
	if c, ok := l.words[word]; ok {
		return c
	}
	if len(word) >= minPrefix {
		for _, s := range l.stems[word[:minPrefix]] {
			if strings.HasPrefix(word, s.prefix) {
				return s.concept
			}
		}
	}
	return ""
}

// Keywords returns the generic words of texts in English, sorted, each once.
func (l *Lexicon) Keywords(texts ...string) []string {
	found := make(map[string]bool)
	for _, text := range texts {
		for _, w := range Words(text) {
			if c := l.concept(w); c != "" {
				found[c] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Tags returns what kinds of mail a subject or name speaks of (passcode,
// invoice, bank, ...), sorted, each once.
func (l *Lexicon) Tags(text string) []string {
	words := Words(text)
	found := make(map[string]bool)
	for i, w := range words {
		for _, p := range l.phrases[w] {
			if len(words)-i >= len(p.words) && slices.Equal(words[i:i+len(p.words)], p.words) {
				found[p.tag] = true
			}
		}
		if tag := l.subjects[w]; tag != "" {
			found[tag] = true
		} else if tag := l.subjects[l.concept(w)]; tag != "" {
			found[tag] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Generic reports whether a word names nobody: it is in the lexicon, or one of
// the words of which everybody makes names of accounts, rules and services.
func (l *Lexicon) Generic(word string) bool {
	word = fold(word)
	return l.generic[word] || l.concept(word) != ""
}

// Words splits a text at everything but letters and digits, where a capital
// follows a small letter, and between letters and digits, and returns the words
// without case and accents.
func Words(text string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, fold(string(word)))
			word = word[:0]
		}
	}
	var before rune
	for _, r := range norm.NFKC.String(text) {
		switch {
		case unicode.IsMark(r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
		case unicode.IsLower(before) && unicode.IsUpper(r), unicode.IsDigit(before) != unicode.IsDigit(r) && before != 0:
			end()
			word = append(word, r)
		default:
			word = append(word, r)
		}
		before = r
	}
	end()
	return words
}

// fold returns a word without case and accents.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
	return strings.ReplaceAll(norm.NFC.String(s), "ß", "ss")
}
