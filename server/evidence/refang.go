package evidence

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const openers, closers = "([{<", ")]}>"

// halfOpen and halfClosed match a dot that lost one of its brackets.
var (
	halfOpen   = regexp.MustCompile(`\[+\.`)
	halfClosed = regexp.MustCompile(`\.\]+`)
)

// refang undoes what people and mail programs do to a network value before they
// pass it on, and takes away what stands around it.
func refang(s string) string {
	return trimAround(plain(s))
}

// plain is refang for the inside of a value. Compatibility forms go first: they
// decide what stands beside a joiner.
func plain(s string) string {
	if undisguised(s) {
		return s
	}
	return rejoin(norm.NFKC.String(dropInvisible(norm.NFKC.String(s))))
}

// undisguised reports whether s certainly has nothing that plain would change.
// Nearly every value is, and the general way costs far more than to see that.
func undisguised(s string) bool {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '(', ')', '[', ']', '{', '}', '<', '>':
			return false
		default:
			if c >= utf8.RuneSelf {
				return false
			}
		}
	}
	return true
}

// separators are what people put in brackets so that nothing becomes a link.
var separators = [...]struct{ written, meant string }{
	{".", "."}, {"dot", "."}, {"@", "@"}, {"at", "@"}, {":", ":"}, {"://", "://"}, {"//", "//"}, {"/", "/"},
}

// rejoin puts separators back, in one pass and from the inside out. The brackets
// of an IPv6 address hold no separator alone and stay.
func rejoin(s string) string {
	s = strings.ReplaceAll(s, "。", ".") // U+3002; NFKC leads the other dots here or to "."
	s = strings.ReplaceAll(s, `\.`, ".")
	if !strings.ContainsAny(s, openers+closers) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(closers, s[i]) >= 0 {
			if before, meant, ok := bracketed(out); ok {
				out = append(before, meant...)
				for i+1 < len(s) && s[i+1] == ' ' {
					i++
				}
				continue
			}
		}
		out = append(out, s[i])
	}
	// Half a pair, as in example[.com.
	s = halfOpen.ReplaceAllString(string(out), ".")
	return halfClosed.ReplaceAllString(s, ".")
}

// bracketed looks for an opening bracket and a separator at the end of out.
func bracketed(out []byte) (before []byte, meant string, ok bool) {
	tail := bytes.TrimRight(out, " ")
	for _, sep := range separators {
		i := len(tail) - len(sep.written)
		if i < 1 || !strings.EqualFold(string(tail[i:]), sep.written) {
			continue
		}
		head := bytes.TrimRight(tail[:i], " ")
		if n := len(head); n > 0 && strings.IndexByte(openers, head[n-1]) >= 0 {
			return bytes.TrimRight(head[:n-1], " "), sep.meant, true
		}
	}
	return nil, "", false
}

// dropInvisible removes characters that show nothing. A joiner between two
// letters of a script that needs it is part of an internationalised name.
func dropInvisible(s string) string {
	if isASCII(s) {
		return s
	}
	const zwnj, zwj = '\u200c', '\u200d'
	runes := []rune(s)
	kept := make([]rune, 0, len(runes))
	for i, r := range runes {
		joins := (r == zwnj || r == zwj) && i > 0 && i+1 < len(runes) && foreign(runes[i-1]) && foreign(runes[i+1])
		if !unicode.Is(unicode.Cf, r) || joins {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

func foreign(r rune) bool {
	return r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsMark(r))
}

// trimAround removes the quotes, brackets, punctuation and white space that a
// sentence or a list leaves around a value. A bracket that has its partner
// inside the value stays, as in [::1]:443.
func trimAround(s string) string {
	if s != "" && letterOrDigit(s[0]) && letterOrDigit(s[len(s)-1]) {
		return s
	}
	const quotes = "\"'`“”‘’„‚«»‹›"
	var count [utf8.RuneSelf]int // of each bracket in s
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			count[s[i]]++
		}
	}
	for {
		before := s
		s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(quotes, r) })
		s = strings.TrimRight(s, ",;.")
		if s == "" {
			return ""
		}
		first, last := s[0], s[len(s)-1]
		if i := strings.IndexByte(openers, first); i >= 0 {
			if closer := closers[i]; last == closer {
				s = s[1 : len(s)-1]
				count[first]--
				count[last]--
			} else if count[closer] == 0 {
				s = s[1:]
				count[first]--
			}
		} else if i := strings.IndexByte(closers, last); i >= 0 && count[openers[i]] < count[last] {
			s = s[:len(s)-1]
			count[last]--
		}
		if s == before {
			return s
		}
	}
}
