package victim

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes equal what people read as equal: compatibility forms, case, accents
// and characters that nobody sees. Bytes that are no text become spaces.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	s = norm.NFKD.String(strings.ToValidUTF8(s, " "))
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0 || unicode.In(r, unicode.Mn, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return unicode.ToLower(r)
	}, s)
}

// isLetter reports whether a folded character is part of a word.
func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// word is a part of a squeezed text.
type word struct{ from, to int }

// squeezed are the letters and digits of a folded text, and where words begin and
// end among them.
type squeezed struct {
	letters []byte
	runs    []word // end at all that is no letter or digit
	words   []word // end also between letters and digits
}

func (s *squeezed) read(folded string) {
	s.letters, s.runs, s.words = s.letters[:0], s.runs[:0], s.words[:0]
	open, digits := false, false
	for _, r := range folded {
		if !isLetter(r) {
			open = false
			continue
		}
		digit := unicode.IsDigit(r)
		begins := word{from: len(s.letters)}
		if !open {
			s.runs = append(s.runs, begins)
		}
		if !open || digit != digits {
			s.words = append(s.words, begins)
		}
		open, digits = true, digit
		s.letters = utf8.AppendRune(s.letters, r)
		s.runs[len(s.runs)-1].to, s.words[len(s.words)-1].to = len(s.letters), len(s.letters)
	}
}

// squeezeBytes appends the plain letters and digits of bytes that are no text.
func squeezeBytes(letters, b []byte) []byte {
	for _, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			letters = append(letters, c+'a'-'A')
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			letters = append(letters, c)
		}
	}
	return letters
}

// Squeeze returns the letters and digits of a text as they are compared.
func Squeeze(s string) string {
	var q squeezed
	q.read(fold(s))
	return string(q.letters)
}
