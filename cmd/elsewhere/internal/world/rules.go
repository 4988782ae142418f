package world

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// ruleStyle is how an actor names mail rules, in the order of level.ruleStyles.
type ruleStyle uint8

const (
	signs ruleStyle = iota
	everyday
	securitySounding
	ownWords
)

// signNames are names that say nothing, the most usual first.
func signNames() []string {
	return []string{".", "..", "...", ";", ",", "a", "..,", "-", "1", "…", "x"}
}

// everydayNames are names that many rules have, the most usual first.
func everydayNames() []string {
	return []string{
		"Spam", "rule", "Junk", "RSS Feeds", "Archive", "Inbox", "New rule", "move", "delete", "test", "News", "Invoices",
		"Notifications", "Meeting", "Old", "Bank", "Payment",
	}
}

// securityParts are words of which names that sound like security are made.
func securityParts() (first, middle, last []string) {
	return []string{"Block", "Bypass", "Warn", "Audit", "Quarantine", "Allow", "Anti", "High-Risk", "External", "Safe"},
		[]string{"Spoofing", "SPAM", "Phishing", "Display Name", "Malware", "Impersonation", "Mail Flow", "Sender", "Attachment"},
		[]string{"Filter", "Patterns", "Protection", "Compromise", "Policy", "Alert", "Rule", "Check"}
}

// vocabulary is what rules of intruders search mail for, the most usual first.
func vocabulary() []string {
	return []string{
		"invoice", "payment", "bank", "wire", "hacked", "phish", "password", "transfer", "account", "remittance", "statement",
		"spam", "suspicious", "fraud", "virus", "payroll", "docusign", "purchase", "order", "due", "ach", "swift", "iban", "deposit",
		"overdue", "helpdesk", "delivery", "undeliverable", "mailer", "daemon", "security", "alert", "compromised", "scam",
		"link", "click", "attachment", "onedrive", "sharepoint", "dropbox", "contract", "closing", "escrow", "settlement",
		"refund", "balance", "quote", "proforma", "shipment", "vendor", "supplier", "aging", "receivable", "treasury", "cheque",
		"tax", "w2", "benefits", "donation", "pension",
	}
}

func keywordsFrom(r *rand.Rand, n int) []string {
	words := vocabulary()
	var out []string
	for len(out) < n {
		if w := words[rank(r, len(words))]; !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// Habits with rules.
const (
	// fewNames is how many names of their own actors with a style have.
	fewNames = 4
	// odd is how often an actor departs from the style.
	odd = .12
	// evolves is after how long an actor's keywords have changed by a word.
	evolves = 80 * day
)

// style gives an actor habits of naming and filling rules.
func (p *plan) style(a *actor) {
	r := a.r
	a.ruleStyle = ruleStyle(weighted(r, p.ruleStyles[:]))
	for range between(r, 1, fewNames) {
		a.names = append(a.names, ownName(r, a.ruleStyle))
	}
	if chance(r, p.tutorial) {
		a.tutored = true
		a.keywords = slices.Clone(pick(r, p.tutorials))
		return
	}
	a.keywords = keywordsFrom(r, between(r, 3, 10))
	if chance(r, .5) {
		// A word of the actor's own trade or tongue.
		a.keywords = append(a.keywords, word(r))
	}
}

// ownName makes up a name in a style, of at least two words where it is the
// actor's own.
func ownName(r *rand.Rand, s ruleStyle) string {
	switch s {
	case signs:
		names := signNames()
		return names[rank(r, len(names))]
	case everyday:
		names := everydayNames()
		return names[rank(r, len(names))]
	case securitySounding:
		first, middle, last := securityParts()
		name := pick(r, first) + " " + pick(r, middle)
		if chance(r, .6) {
			name += " " + pick(r, last)
		}
		return name
	default:
		own := word(r)
		name := strings.ToUpper(own[:1]) + own[1:] + " " + pick(r, []string{"Accounts", "Desk", "Team", "Office", "Inbound", "Vendors", "Notices"})
		if chance(r, .4) {
			name = pick(r, []string{"Global", "New", "Main", "Group"}) + " " + name
		}
		return name
	}
}

// ruleName returns the name that a case's rule has, and whether it is one that
// many have.
func (p *plan) ruleName(r *rand.Rand, k *intrusion) (name string, generic bool) {
	a := k.actor
	style := a.ruleStyle
	name = pick(r, a.names)
	if chance(r, odd) {
		style = ruleStyle(r.IntN(int(ownWords)))
		name = ownName(r, style)
	}
	switch style {
	case signs, everyday:
		return name, true
	}
	written := variant(r, name)
	if written != name {
		k.marks.set(NameVariant)
	}
	return written, false
}

// variant writes a name as it is in one of its rules: as it is, a copy, with a
// number, run together, its words in another order or a letter wrong.
func variant(r *rand.Rand, name string) string {
	words := strings.Fields(name)
	switch u := r.IntN(100); {
	case u < 50:
		return name
	case u < 58:
		return "Copy of " + name
	case u < 66:
		return name + " " + strconv.Itoa(between(r, 1, 9))
	case u < 74:
		return strings.Join(words, "")
	case u < 82:
		return strings.ToUpper(name)
	case u < 91:
		slices.Reverse(words)
		return strings.Join(words, " ")
	default:
		return swap(r, name)
	}
}

// words returns the keywords of a case's rule: the actor's, as they are by then.
func (p *plan) words(r *rand.Rand, k *intrusion) []string {
	a := k.actor
	words := slices.Clone(a.keywords)
	own := p.stream(streamActor, uint64(a.id)|1<<40)
	all := vocabulary()
	for range int(k.from / evolves) {
		// Each step replaces, adds or drops one word and stays for good; steps
		// before the actor's first case do no harm.
		w, at, what := all[rank(own, len(all))], own.IntN(len(words)), own.IntN(3)
		if slices.Contains(words, w) {
			continue
		}
		switch {
		case what == 0:
			words[at] = w
		case what == 1 && len(words) < 14:
			words = append(words, w)
		case len(words) > 3:
			words = slices.Delete(words, at, at+1)
		}
		k.marks.set(KeywordsDrifted)
	}
	if chance(r, .15) {
		// The investigator saw a rule that was cut short.
		words = words[:max(2, len(words)*2/3)]
	}
	if a.tutored {
		k.marks.set(TutorialKeywords)
	}
	return words
}
