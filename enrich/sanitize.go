package enrich

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what a source may say. They are far above what is real and keep a
// hostile answer from filling the store.
const (
	maxText   = 512 // bytes of a field's value, a detail or an entry
	maxFields = 64  // fields of one answer, claims likewise
)

// Sanitize makes text of a third party safe to store and to show: no control,
// formatting or direction characters, no line breaks, no invalid UTF-8, single
// spaces, at most limit bytes cut at a character. PTR names, WHOIS and names of
// organisations are written by whoever holds the address.
func Sanitize(s string, limit int) string {
	if tame(s, limit) {
		return s
	}
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		// Cf holds the characters that turn or hide text, Co and Cs have no meaning.
		if r == utf8.RuneError || unicode.In(r, unicode.C) || !unicode.IsGraphic(r) {
			continue
		}
		n := utf8.RuneLen(r)
		if space {
			n++
		}
		if b.Len()+n > limit {
			break
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// tame reports that a text in ASCII, as most are, is safe as it stands.
func tame(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return false
		case c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' '):
			return false
		}
	}
	return true
}

// sanitize bounds an answer of a source.
func (a Answer) sanitize() Answer {
	a.Detail = Sanitize(a.Detail, maxText)
	fields := make([]Field, 0, min(len(a.Fields), maxFields))
	for _, f := range a.Fields[:min(len(a.Fields), maxFields)] {
		f.Name = Sanitize(f.Name, maxText)
		f.Source = Sanitize(f.Source, maxText)
		f.Value = Sanitize(f.Value, maxText)
		f.Detail = Sanitize(f.Detail, maxText)
		if f.Status == OK && f.Value == "" {
			f.Status = NoData
		}
		fields = append(fields, f)
	}
	a.Fields = fields
	claims := make([]Claim, 0, min(len(a.Claims), maxFields))
	for _, c := range a.Claims[:min(len(a.Claims), maxFields)] {
		c.Entry = Sanitize(c.Entry, maxText)
		claims = append(claims, c)
	}
	a.Claims = claims
	return a
}
