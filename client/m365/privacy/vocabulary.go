// Package privacy keeps what names a tenant from leaving it: its domains,
// organisation, users, their names and its object ids, as the evidence shows
// them.
//
// A Vocabulary gathers such strings, a Guard made of it looks for them in
// whatever is about to leave. It knows text and its encodings. It must not know
// what a finding or a case is, and it never says in an error or reason which
// string it found.
package privacy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

const (
	// maxStrings bounds a vocabulary, far above the users of a large tenant. A
	// tenant with more is not guarded by halves: see Guard.Complete.
	maxStrings = 1 << 20
	// minStrong is the shortest string, in letters and digits, that is looked
	// for within words. What is shorter has to be a word of its own.
	minStrong = 5
	// minLocal is the shortest local part of one word that is looked for within
	// words; shorter ones are first names and trades.
	minLocal = 8
	// minWord is the shortest word of a name.
	minWord = 3
)

// Vocabulary gathers strings that name a tenant, in any order. Use NewVocabulary.
type Vocabulary struct {
	lexicon *lexicon.Lexicon
	public  func(domain string) bool

	domains map[string]bool // names of hosts, lower case
	guests  map[string]bool // domains that guests come from
	strong  map[string]bool // squeezed; forbidden wherever they stand
	whole   map[string]bool // squeezed; forbidden as a word or local part
	words   map[string]bool // of names; forbidden as words of free text
	pairs   map[string]bool // two words of one name; forbidden together in an address
	seen    map[string]bool // inputs
	maybe   map[string]bool // see Mention
	full    bool
}

// NewVocabulary returns an empty vocabulary. A domain that is public, as that of
// a mail provider for everybody, names no tenant.
func NewVocabulary(l *lexicon.Lexicon, public func(domain string) bool) *Vocabulary {
	return &Vocabulary{
		lexicon: l, public: public,
		domains: make(map[string]bool), guests: make(map[string]bool), strong: make(map[string]bool), whole: make(map[string]bool),
		words: make(map[string]bool), pairs: make(map[string]bool), seen: make(map[string]bool),
		maybe: make(map[string]bool),
	}
}

// first reports whether an input of a kind is new.
func (v *Vocabulary) first(kind, s string) bool {
	if s == "" || v.full {
		return false
	}
	key := kind + s
	if v.seen[key] {
		return false
	}
	if len(v.seen) >= maxStrings {
		v.full = true
		return false
	}
	v.seen[strings.Clone(key)] = true
	return true
}

// Domain adds a domain of the tenant.
func (v *Vocabulary) Domain(name string) {
	name = strings.Trim(strings.ToLower(strings.TrimSpace(name)), ".")
	if !strings.Contains(name, ".") || !v.first("d", name) || v.publicName(name) {
		return
	}
	v.domains[strings.Clone(name)] = true
	v.add(v.strong, name)
	labels := strings.Split(name, ".")
	// What stands before the public suffix names somebody; so do the labels
	// below it, unless they are words like mail.
	for _, label := range labels[:len(labels)-1] {
		v.organisationWord(strings.TrimSuffix(label, "-my"))
	}
	if sld := labels[0]; strings.HasSuffix(name, ".onmicrosoft.com") {
		v.add(v.strong, strings.TrimSuffix(sld, "-my"))
	}
}

// publicName reports whether a domain is everybody's, or Microsoft's own.
func (v *Vocabulary) publicName(name string) bool {
	for d := name; strings.Contains(d, "."); _, d, _ = strings.Cut(d, ".") {
		if v.public(d) {
			return true
		}
	}
	for _, s := range []string{"prod.outlook.com", "support.onmicrosoft.com", "sharepoint.com", "microsoft.com", "office365.com", "office.com"} {
		if name == s || strings.HasSuffix(name, "."+s) && s != "sharepoint.com" {
			return true
		}
	}
	return false
}

// organisationWord adds a word of the tenant's own name.
func (v *Vocabulary) organisationWord(w string) {
	squeezed := squeeze(w)
	switch {
	case len(squeezed) < minWord || v.lexicon.Generic(squeezed) || publicLabel[squeezed]:
	case len(squeezed) < minStrong:
		v.add(v.whole, w)
	default:
		v.add(v.strong, w)
	}
}

// publicLabel are second-level suffixes.
var publicLabel = map[string]bool{"com": true, "net": true, "org": true, "edu": true, "gov": true, "gouv": true, "onmicrosoft": true}

// User adds a user principal name or mail address of the tenant. What is none is
// passed over.
func (v *Vocabulary) User(upn string) {
	upn = strings.ToLower(strings.TrimSpace(upn))
	if !v.first("u", upn) {
		return
	}
	local, domain, ok := strings.Cut(upn, "@")
	if !ok || local == "" || strings.ContainsAny(upn, " /\\") {
		return
	}
	if i := strings.Index(local, "#ext#"); i >= 0 {
		// A guest: their own address is another's, and a partner's name private too.
		local = local[:i]
		if at := strings.LastIndexByte(local, '_'); at > 0 {
			v.add(v.strong, local)
			v.guests[strings.Clone(local[at+1:])] = true
			local = local[:at]
		}
	}
	v.Domain(domain)
	v.add(v.strong, upn)
	v.local(local)
}

// Mention adds a mail address that is a user's if its domain turns out to be the
// tenant's, and an outsider's otherwise.
func (v *Vocabulary) Mention(address string) {
	if address = strings.ToLower(strings.TrimSpace(address)); v.first("m", address) {
		v.maybe[strings.Clone(address)] = true
	}
}

func (v *Vocabulary) local(local string) {
	parts := lexicon.Words(local)
	own := slices.DeleteFunc(slices.Clone(parts), func(w string) bool {
		return len(w) < minWord || digits(w) || v.lexicon.Generic(w)
	})
	squeezed := squeeze(local)
	switch {
	case len(own) == 0:
		return
	case len(parts) > 1 && len(squeezed) > minStrong, len(squeezed) >= minLocal:
		v.add(v.strong, local)
	default:
		v.add(v.whole, local)
	}
	v.nameWords(own)
}

// Name adds the display name of a person, group or device.
func (v *Vocabulary) Name(name string) {
	if len(name) > 256 || !v.first("n", strings.TrimSpace(name)) {
		return
	}
	parts := lexicon.Words(name)
	own := slices.DeleteFunc(slices.Clone(parts), func(w string) bool {
		return len(w) < minWord || digits(w) || v.lexicon.Generic(w)
	})
	if len(own) == 0 {
		return
	}
	if len(parts) > 1 {
		v.add(v.strong, name)
	}
	v.nameWords(own)
}

// Organisation adds the name of the tenant as people write it.
func (v *Vocabulary) Organisation(name string) {
	if name = strings.TrimSpace(name); !v.first("o", name) {
		return
	}
	if strings.Contains(name, ".") && !strings.Contains(name, " ") {
		v.Domain(name)
		return
	}
	if guid.MatchString(name) {
		v.add(v.strong, name)
		return
	}
	v.Name(name)
	for _, w := range strings.Fields(name) {
		v.organisationWord(w)
	}
}

var guid = regexp.MustCompile(`^[{(]?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}[)}]?$`)

// ID adds an id that the tenant's own directory or mailboxes gave to something.
func (v *Vocabulary) ID(id string) {
	if id = strings.TrimSpace(id); len(id) <= 256 && v.first("i", id) && len(squeeze(id)) >= 8 {
		v.add(v.strong, id)
	}
}

func (v *Vocabulary) nameWords(own []string) {
	for i, w := range own {
		v.words[strings.Clone(w)] = true
		for _, u := range own[i+1:] {
			if u != w {
				v.pairs[pairKey(u, w)] = true
			}
		}
	}
}

// IsOwn reports whether a domain, or one above it, is the tenant's.
func (v *Vocabulary) IsOwn(domain string) bool {
	domain = strings.ToLower(domain)
	for d := domain; strings.Contains(d, "."); _, d, _ = strings.Cut(d, ".") {
		if v.domains[d] {
			return true
		}
	}
	return false
}

// IsPartner reports whether guests of the tenant come from a domain.
func (v *Vocabulary) IsPartner(domain string) bool { return v.guests[strings.ToLower(domain)] }

// Domains returns the tenant's domains, sorted.
func (v *Vocabulary) Domains() []string {
	list := make([]string, 0, len(v.domains))
	for d := range v.domains {
		list = append(list, d)
	}
	slices.Sort(list)
	return list
}

func (v *Vocabulary) add(to map[string]bool, s string) {
	squeezed := squeeze(s)
	if len(squeezed) < minWord {
		return
	}
	if len(squeezed) < minStrong {
		to = v.whole
	}
	if !to[squeezed] {
		to[strings.Clone(squeezed)] = true
	}
}

func pairKey(a, b string) string {
	if a > b {
		a, b = b, a
	}
	return a + "\x00" + b
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
