package victim

import "strings"

// Why a text may not leave.
const (
	// Names says that the text names a tenant or something of theirs.
	Names = "names a tenant or something of theirs"
	// OwnNetwork says that it holds an address that a tenant comes from.
	OwnNetwork = "holds an address that a tenant comes from"
	// Unchecked says that it can be read in more ways than can be checked.
	Unchecked = "can be read in more ways than can be checked"
)

const (
	// rememberedTexts bounds the texts, and the tokens, that a Scanner knows to be
	// harmless: names of lists and the like come again and again.
	rememberedTexts  = 1 << 12
	rememberedTokens = 1 << 15
	rememberedBytes  = 256
)

// Scanner looks for the terms of a dictionary. It is for one goroutine.
type Scanner struct {
	d        *Dictionary
	harmless map[string]bool
	tokens   map[string]bool // harmless ones
	squeezed squeezed
}

// Scanner returns a scanner for the dictionary as it is now.
func (d *Dictionary) Scanner() *Scanner {
	return &Scanner{d: d, harmless: make(map[string]bool), tokens: make(map[string]bool)}
}

// Check returns why a text may not leave, "" if it may. Its cost is bounded by the
// length of the text.
func (s *Scanner) Check(text string) string {
	if text == "" || s.harmless[text] {
		return ""
	}
	why := s.check(text)
	if why == "" && len(text) <= rememberedBytes {
		if len(s.harmless) >= rememberedTexts {
			clear(s.harmless)
		}
		s.harmless[strings.Clone(text)] = true
	}
	return why
}

func (s *Scanner) check(text string) string {
	complete := readings(text, func(r reading) bool { return s.reads(r) == "" })
	if complete == stopped {
		// Asked again which it was: hits are few.
		why := ""
		readings(text, func(r reading) bool {
			why = s.reads(r)
			return why == ""
		})
		return why
	}
	if complete == tooMany {
		return Unchecked
	}
	return ""
}

// reads looks for terms in one reading of a text.
func (s *Scanner) reads(r reading) string {
	if r.garbled {
		if s.squeezed.letters = squeezeBytes(s.squeezed.letters[:0], r.bytes); s.d.within.in(s.squeezed.letters) {
			return Names
		}
		return ""
	}
	folded := fold(r.text)
	if s.squeezed.read(folded); s.d.within.in(s.squeezed.letters) {
		return Names
	}
	if len(s.d.own) > 0 && s.address(folded) {
		return OwnNetwork
	}
	if len(s.d.whole) == 0 && len(s.d.hashes) == 0 {
		return ""
	}
	q := &s.squeezed
	if s.neighbours(q.runs) || len(q.words) > len(q.runs) && s.neighbours(q.words) {
		return Names
	}
	return ""
}

// neighbours reports whether words that stand together are a term.
func (s *Scanner) neighbours(words []word) bool {
	for i := range words {
		for n := range min(maxWords, len(words)-i) {
			token := s.squeezed.letters[words[i].from:words[i+n].to]
			if len(token) > maxTerm {
				break
			}
			if len(token) >= minWhole && s.names(token) {
				return true
			}
		}
	}
	return false
}

// names reports whether neighbouring words are a term.
func (s *Scanner) names(token []byte) bool {
	if s.d.whole[string(token)] {
		return true
	}
	if len(s.d.hashes) == 0 || !s.d.likely(token) || s.tokens[string(token)] {
		return false
	}
	if s.d.hashes[s.d.hash(string(token))] {
		return true
	}
	if len(s.tokens) >= rememberedTokens {
		clear(s.tokens)
	}
	s.tokens[string(token)] = true
	return false
}

// address reports whether a folded text holds an address of a tenant's.
func (s *Scanner) address(folded string) bool {
	isPart := func(r rune) bool {
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || r == ':' || r == '.' || r == '/'
	}
	for part := range strings.FieldsFuncSeq(folded, func(r rune) bool { return !isPart(r) }) {
		part = strings.Trim(part, "./")
		if strings.Contains(part, ".") {
			part = strings.TrimLeft(part, ":/")
		}
		if len(part) < 3 || !strings.ContainsAny(part, ".:") || part[0] > '9' && !strings.Contains(part, ":") {
			continue
		}
		if s.d.owns(part) {
			return true
		}
		// With a path behind it, or a port, or both.
		host, _, _ := strings.Cut(part, "/")
		if s.d.owns(host) {
			return true
		}
		if i := strings.LastIndexByte(host, ':'); i > 0 && s.d.owns(host[:i]) {
			return true
		}
	}
	return false
}
