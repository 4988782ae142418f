package evidence

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// placeholder stands for what somebody blacked out in a name. It is no longer
// than anything that redaction matches.
const placeholder = "⟨R⟩"

// redaction matches what people write in place of a name, and our own
// placeholder in any case.
var redaction = regexp.MustCompile(`(?i)[\[({<⟨]\s*redact[^\])}>⟩]*[\])}>⟩]|⟨r⟩|\bredacted\b`)

// redact replaces what somebody blacked out.
func redact(s, by string) string {
	if !mayBeRedacted(s) {
		return s
	}
	return redaction.ReplaceAllString(s, by)
}

// mayBeRedacted reports whether s holds what every match of redaction does. It
// costs a tenth of looking for one.
func mayBeRedacted(s string) bool {
	const word = "redact"
	for i := range len(s) {
		switch s[i] {
		case 'r', 'R':
			if len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word) {
				return true
			}
		case placeholder[0]:
			return true
		}
	}
	return false
}

func readRuleName(k Kind, raw string) (reading, *flaw) {
	return reading{Value: Value{k, NormaliseRuleName(raw)}, written: raw}, nil
}

// NormaliseRuleName returns the form in which names of mail rules are equal:
// NFKC, no case, single spaces, without a leading "copy of" and trailing
// numbers or GUIDs, redactions as ⟨R⟩. It never turns a name into nothing, and
// normalising twice changes nothing more.
func NormaliseRuleName(s string) string {
	s = fold(s)
	for {
		next := redact(stripCopyMarks(collapse(s)), placeholder)
		if next == s {
			return s
		}
		s = next
	}
}

// IsPlaceholder reports whether a normalised rule name says nothing but that
// something was redacted.
func IsPlaceholder(normalised string) bool {
	rest := strings.ReplaceAll(normalised, placeholder, "")
	return rest != normalised && !strings.ContainsFunc(rest, func(r rune) bool {
		asciiSign := r <= unicode.MaxASCII && !wordRune(r)
		return !asciiSign && !unicode.IsPunct(r) && !unicode.IsSpace(r)
	})
}

// HasPlaceholder reports whether something was redacted in a normalised rule name.
func HasPlaceholder(normalised string) bool { return strings.Contains(normalised, placeholder) }

// WithoutPlaceholders returns what is left of a normalised rule name without
// what was redacted, normalised again.
func WithoutPlaceholders(normalised string) string {
	return NormaliseRuleName(strings.ReplaceAll(normalised, placeholder, " "))
}

// RuleWords returns the words of a mail rule's name as written, in order and
// without case: split at everything but letters and where a capital follows a
// small letter. What NormaliseRuleName takes away and redactions give no words.
func RuleWords(written string) []string {
	name := collapse(norm.NFKC.String(written))
	name = redact(stripCopyMarks(name), " ")
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, fold(string(word)))
			word = word[:0]
		}
	}
	small := false
	for _, r := range name {
		switch {
		case unicode.IsMark(r) && len(word) > 0:
		case !unicode.IsLetter(r):
			end()
			small = false
			continue
		default:
			if small && (unicode.IsUpper(r) || unicode.IsTitle(r)) {
				end()
			}
			small = unicode.IsLower(r)
		}
		word = append(word, r)
	}
	end()
	return words
}

// stripCopyMarks takes away what a mail program or an admin adds to the name of
// a copy, as long as something remains.
func stripCopyMarks(s string) string {
	for {
		rest, ok := cutPrefixFold(s, "copy of ")
		if !ok || rest == "" {
			break
		}
		s = rest
	}
	for {
		// What closes a bracket belongs to the number before it.
		t := strings.TrimRight(s, " )]}")
		cut := strings.TrimRightFunc(t, unicode.IsDigit)
		if i := len(t) - guidBytes; i >= 0 && isGUID(t[i:]) {
			cut = t[:i]
		}
		if len(cut) == len(t) {
			return s
		}
		if cut = strings.TrimRight(cut, " -_.#:([{"); cut == "" {
			return s
		}
		s = cut
	}
}

func readRuleWords(k Kind, raw string) (reading, *flaw) {
	words := strings.FieldsFunc(fold(raw), func(r rune) bool { return !wordRune(r) })
	if len(words) == 0 {
		return reading{}, flawf(ReasonMalformed, "%s holds no word", excerpt(raw))
	}
	slices.Sort(words)
	return reading{Value: Value{k, strings.Join(slices.Compact(words), " ")}}, nil
}
