package privacy

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

// Reasons why a text may not leave.
const (
	ReasonTenant     = "names the tenant, a user or something of theirs"
	ReasonIncomplete = "the tenant has more names than can be checked"
	ReasonEncoded    = "can be read in more ways than can be checked"
)

// Guard finds strings of a tenant. It is immutable and for concurrent use.
type Guard struct {
	v      *Vocabulary
	strong map[string][]string // by their first bytes
	banks  map[string]bool
}

// Guard returns a guard of what was gathered. The vocabulary must not be changed
// any more.
func (v *Vocabulary) Guard() *Guard {
	for address := range v.maybe {
		if _, domain, ok := strings.Cut(address, "@"); ok && v.IsOwn(domain) {
			v.User(address)
		}
	}
	g := &Guard{v: v, strong: make(map[string][]string), banks: make(map[string]bool)}
	for s := range v.strong {
		g.strong[s[:minStrong]] = append(g.strong[s[:minStrong]], s)
	}
	for b := range strings.FieldsSeq(bankNames) {
		g.banks[b] = true
	}
	return g
}

// Complete reports whether the guard knows every string that was gathered.
// Where it does not, Text and Name refuse everything.
func (g *Guard) Complete() bool { return !g.v.full }

// Tokens returns what names the tenant, for others who have to look for it: names,
// accounts and ids, and each two words of one name, in both orders; sorted. Single
// words of names are not among them.
func (g *Guard) Tokens() []string {
	var all []string
	for _, set := range []map[string]bool{g.v.strong, g.v.whole} {
		all = slices.AppendSeq(all, maps.Keys(set))
	}
	for pair := range g.v.pairs {
		a, b, _ := strings.Cut(pair, "\x00")
		all = append(all, a+" "+b, b+" "+a)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) > maxToken })
	slices.Sort(all)
	return slices.Compact(all)
}

// maxToken is the longest token that a server takes, in bytes.
const maxToken = 255

// IsOwn reports whether a domain is the tenant's or lies below one that is.
func (g *Guard) IsOwn(domain string) bool { return g.v.IsOwn(domain) }

// IsPartner reports whether guests of the tenant come from a domain.
func (g *Guard) IsPartner(domain string) bool { return g.v.IsPartner(domain) }

// Text returns why a free text may not leave, "" if it may: it holds something
// that names the tenant, also within words and in another encoding, or a word of
// a user's name.
func (g *Guard) Text(s string) string { return g.check(s, true) }

// Value is Text for addresses, domains and other values of outsiders. A single
// word of a user's name does not bar them: every tenant has a Martin, and so do
// their enemies. Two words of one name do.
func (g *Guard) Value(s string) string { return g.check(s, false) }

func (g *Guard) check(s string, free bool) string {
	if s == "" {
		return ""
	}
	if !g.Complete() {
		return ReasonIncomplete
	}
	readings, complete := Readings(s)
	for _, text := range readings {
		if g.names(text, free) {
			return ReasonTenant
		}
	}
	if !complete {
		return ReasonEncoded
	}
	return ""
}

// names reports whether a decoded text holds a string of the tenant.
func (g *Guard) names(text string, free bool) bool {
	squeezed := squeeze(text)
	if g.within(squeezed) || g.within(reverse(squeezed)) {
		return true
	}
	if local, _, ok := strings.Cut(text, "@"); ok && g.v.whole[squeeze(local)] {
		return true
	}
	words := lexicon.Words(text)
	for i, w := range words {
		if g.v.whole[w] || free && g.v.words[w] {
			return true
		}
		if free || !g.v.words[w] {
			continue
		}
		for _, u := range words[i+1:] {
			if g.v.pairs[pairKey(u, w)] {
				return true
			}
		}
	}
	// Words split at capitals and digits; names may have been written as one.
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if w := squeeze(f); g.v.whole[w] || free && g.v.words[w] {
			return true
		}
	}
	return false
}

// within reports whether a squeezed text holds a strong string.
func (g *Guard) within(squeezed string) bool {
	for i := 0; i+minStrong <= len(squeezed); i++ {
		for _, s := range g.strong[squeezed[i:i+minStrong]] {
			if strings.HasPrefix(squeezed[i:], s) {
				return true
			}
		}
	}
	return false
}

// Redacted stands for what was taken out of a name.
const Redacted = "[REDACTED]"

// Name returns the name of a rule without the words that name somebody: the
// tenant, its users, a bank, an address, a long number. The reason is not empty
// where nothing may leave.
func (g *Guard) Name(s string) (string, string) {
	if !g.Complete() {
		return "", ReasonIncomplete
	}
	fields := strings.Fields(s)
	kept := 0
	out := fields[:0:0]
	for i, f := range fields {
		switch {
		case g.private(f, fields[:i], fields[i+1:]):
			if len(out) == 0 || out[len(out)-1] != Redacted {
				out = append(out, Redacted)
			}
		default:
			out = append(out, f)
			kept++
		}
	}
	if kept == 0 {
		return "", ReasonTenant
	}
	name := strings.Join(out, " ")
	// A name may have been split over words.
	rest := strings.ReplaceAll(name, Redacted, " ")
	return name, g.Text(rest)
}

// private reports whether a word of a rule's name stays, given the words around
// it.
func (g *Guard) private(f string, before, after []string) bool {
	if g.Text(f) != "" || strings.Contains(f, "@") || strings.Contains(f, "://") || countDigits(f) >= 6 {
		return true
	}
	next := func(list []string, i int) string {
		if i < 0 || i >= len(list) {
			return ""
		}
		return squeeze(list[i])
	}
	for _, w := range lexicon.Words(f) {
		if g.banks[w] || len(w) > 5 && (strings.HasSuffix(w, "bank") || strings.HasPrefix(w, "sparkasse")) && !g.v.lexicon.Generic(w) {
			return true
		}
		// A capitalised word beside "bank" is the bank's name.
		first, _ := utf8.DecodeRuneInString(strings.TrimFunc(f, func(r rune) bool { return !unicode.IsLetter(r) }))
		if unicode.IsUpper(first) && !g.v.lexicon.Generic(w) && (next(after, 0) == "bank" || next(before, len(before)-1) == "banque" || next(before, len(before)-1) == "banco") {
			return true
		}
	}
	return g.banks[squeeze(f)]
}

func countDigits(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// squeeze returns the letters and digits of a text without case and accents.
func squeeze(s string) string {
	plain := true
	for i := range len(s) {
		c := s[i]
		if c < 'a' || c > 'z' {
			if c < '0' || c > '9' {
				plain = false
				break
			}
		}
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, strings.ReplaceAll(norm.NFKD.String(strings.ToValidUTF8(s, " ")), "ß", "ss"))
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// bankNames are large banks whose name in a rule says where a tenant has its
// money.
const bankNames = `
abnamro barclays bbva bnp bnpparibas caixa caixabank chase citi citibank citigroup commerzbank credit-agricole
deutschebank fargo hsbc ing intesa jpmorgan lloyds natwest paribas postbank rabobank rbc revolut sabadell
santander scotiabank societegenerale sparkasse sparkassen ubs unicredit volksbank wellsfargo westpac wise
itau bradesco nubank monzo n26 sogei unicaja bankinter novobanco millenniumbcp belfius kbc argenta
`
