package world

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// stage is a part of an intrusion, and a finding of its case.
type stage struct {
	technique, operation, summary string
	// share of actors who do it: 2^-idf of the shares that the model's table of
	// techniques was elicited from, rounded; of the rest a guess.
	share float64
}

// Places in allStages.
const (
	signIn = iota
	read
	inboxRule
	deletion
	change
	delegation
	newAccount
	allowList
	sites
	phish
	inside
	consent
	stages
)

func allStages() [stages]stage {
	return [stages]stage{
		signIn:     {"T1078.004", "UserLoggedIn", "Sign-ins from addresses outside the organisation.", .97},
		read:       {"T1114.002", "MailItemsAccessed", "Mail was read and searched for payments.", .5},
		inboxRule:  {"T1114.003", "New-InboxRule", "Rules forward or hide mail.", .55},
		deletion:   {"T1070.008", "SoftDelete", "Mail was deleted to hide the traces.", .25},
		change:     {"T1098", "Update user.", "Details of an account were changed.", .35},
		delegation: {"T1098.002", "Add-MailboxPermission", "Permissions on mailboxes were delegated.", .15},
		newAccount: {"T1136.003", "Add user.", "An account was created.", .08},
		allowList:  {"T1562.001", "New-TenantAllowBlockListSpoofItems", "Entries let spoofed mail through.", .07},
		sites:      {"T1098.003", "SiteCollectionAdminAdded", "A site collection got a new administrator.", .06},
		phish:      {"T1566.002", "", "The mail that the intrusion began with.", .35},
		inside:     {"T1534", "Send", "Mail was sent to others from the mailbox.", .4},
		consent:    {"T1528", "Consent to application.", "An application was given access.", .12},
	}
}

// writer puts together one case.
type writer struct {
	*plan
	r    *rand.Rand
	k    *intrusion
	at   [stages][]evidence.Observable
	seen map[evidence.Value]bool
}

// logKept is how long Microsoft keeps the audit log by default for most of its
// history. What is older is not in the case.
const logKept = 90 * day

// unusual is how often an actor does what is not in the playbook, times the
// stage's share.
const unusual = .15

// draft returns case i, which nobody checked.
func (p *plan) draft(i int) evidence.Draft {
	k := p.intrusions[i]
	w := &writer{plan: p, r: p.stream(streamCase, uint64(i)), k: k, seen: make(map[evidence.Value]bool)}
	r := w.r
	if k.actor.cases == 1 {
		k.marks.set(OneOff)
	}
	k.dated = !chance(r, p.undated)
	if !k.dated {
		k.marks.set(Undated)
	}
	closed := k.to + span(r, 4*day, 4*hour, 40*day)
	d := evidence.Draft{
		Ref:   evidence.Ref{Tenant: k.tenant.id, Case: fmt.Sprintf("IR-%d-%05d", k.from.time().Year(), i)},
		Title: "Mailbox compromise", Kind: "bec", State: evidence.Closed, TLP: evidence.TLPAmber, Source: "generated",
		OpenedAt: k.to.time(), ClosedAt: closed.time(),
		// The log is read when the case opens.
		EvidenceFrom: (k.to - logKept).time(), EvidenceTo: k.to.time(),
	}
	if !k.dated {
		// Nobody wrote down when; the case was typed in long after.
		d.OpenedAt, d.ClosedAt, d.EvidenceFrom, d.EvidenceTo = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	does := [stages]bool{}
	if k.poison == honest {
		for s, st := range allStages() {
			does[s] = k.actor.habits[s] && !chance(r, p.missed) || chance(r, unusual*st.share)
		}
		if does == [stages]bool{} {
			// Without a finding there would be no case.
			does[signIn] = true
		}
		w.write(does)
	} else {
		does[signIn] = true
		w.list()
	}
	for s, st := range allStages() {
		if does[s] || len(w.at[s]) > 0 {
			d.Findings = append(d.Findings, w.finding(s, st))
		}
	}
	if k.poison == honest {
		p.drafted = append(p.drafted, w.listed())
	}
	return d
}

func (w *writer) finding(s int, st stage) evidence.Finding {
	f := evidence.Finding{
		ID: fmt.Sprintf("f%d", s), Technique: st.technique, Operation: st.operation, Summary: st.summary,
		Outcome: evidence.Succeeded, Count: uint32(between(w.r, 1, 200)), Observables: w.at[s],
	}
	if w.k.dated {
		f.FirstSeen, f.LastSeen = w.k.logged().time(), w.k.to.time()
		if s != signIn {
			f.FirstSeen = w.moment().time()
		}
		for _, o := range f.Observables {
			if !o.FirstSeen.IsZero() && o.FirstSeen.Before(f.FirstSeen) {
				f.FirstSeen = o.FirstSeen
			}
		}
	}
	return f
}

// logged returns when the evidence of an intrusion begins.
func (k *intrusion) logged() moment { return max(k.from, k.to-logKept) }

// moment returns a time within the case, a whole minute.
func (w *writer) moment() moment {
	from := w.k.logged()
	return from + moment(w.r.Float64()*float64(w.k.to-from)).round()
}

// add puts a value into a finding, once in a case, as it was written down.
func (w *writer) add(s int, kind evidence.Kind, text string, when moment, roles ...string) {
	v := evidence.Value{Kind: kind, Text: text}
	if text == "" || w.seen[v] {
		return
	}
	w.seen[v] = true
	o := evidence.Observable{Value: v, Roles: roles, Count: uint32(between(w.r, 1, 40))}
	if w.k.dated && !chance(w.r, w.spanOnly) {
		o.FirstSeen, o.LastSeen = when.time(), when.time()
		if kind == evidence.KindIP {
			o.LastSeen = min(when+span(w.r, day, hour, 20*day).round(), w.k.to).time()
		}
	}
	w.at[s] = append(w.at[s], o)
}

// byHand reports whether a value was copied by a person, with a slip.
func (w *writer) byHand(kind evidence.Kind, text string) string {
	if !chance(w.r, w.typo) {
		return text
	}
	w.k.marks.set(Typo)
	return slip(w.r, kind, text)
}

// write fills the findings of a case that happened.
func (w *writer) write(does [stages]bool) {
	w.signIns()
	w.noise()
	if does[inboxRule] {
		w.rules()
	}
	if does[newAccount] && (!slices.Contains(w.patterns, w.k.actor.pattern) || chance(w.r, w.generic)) {
		w.add(newAccount, evidence.KindAccountPattern, w.k.actor.pattern, w.moment(), evidence.RoleCreated)
	}
	if does[change] && w.k.actor.phone != "" && chance(w.r, .5) {
		w.add(change, evidence.KindPhone, w.k.actor.phone, w.moment())
	}
	if does[allowList] {
		w.allows()
	}
	if does[phish] {
		w.lure()
	}
	if does[consent] {
		app := w.k.actor.app
		if app == "" && !chance(w.r, w.generic) {
			return
		}
		if app == "" || chance(w.r, .2) {
			app = w.abused[rank(w.r, len(w.abused))]
			w.k.marks.set(AbusedApp)
		}
		w.add(consent, evidence.KindAppID, app, w.moment())
	}
}

// rules adds what mail rules show.
func (w *writer) rules() {
	for range between(w.r, 1, 2) {
		name, generic := w.ruleName(w.r, w.k)
		if generic && !chance(w.r, w.generic) {
			continue
		}
		if generic {
			w.k.marks.set(GenericRuleName)
		}
		switch {
		case chance(w.r, w.redacted):
			w.k.marks.set(RedactedName)
			name = pick(w.r, []string{"[REDACTED]", "[REDACTED] payments", "<redacted>"})
		default:
			name = w.byHand(evidence.KindRuleName, name)
		}
		w.add(inboxRule, evidence.KindRuleName, name, w.moment(), evidence.RoleCreated)
	}
	if chance(w.r, .55) {
		w.add(inboxRule, evidence.KindRuleWords, joined(w.words(w.r, w.k)), w.moment(), evidence.RoleCreated)
	}
	if chance(w.r, .3) {
		when := w.moment()
		w.add(inboxRule, evidence.KindForwardTo, w.byHand(evidence.KindForwardTo, at(w.k.actor.drops, when)), when, evidence.RoleForwardTarget)
	}
}

// allows adds entries of the allow list.
func (w *writer) allows() {
	a := w.k.actor
	for range between(w.r, 1, 3) {
		when := w.moment()
		spoofed := pick(w.r, w.k.tenant.partners)
		if chance(w.r, w.popularBrand) {
			w.k.marks.set(PopularBrand)
			spoofed = w.brands[rank(w.r, len(w.brands))]
			if chance(w.r, .6) {
				spoofed = pick(w.r, a.brands)
			}
		}
		sender := at(a.senders, when)
		switch {
		case chance(w.r, w.sharedSender):
			w.k.marks.set(SharedSender)
			sender = pick(w.r, w.mailers)
		case chance(w.r, .1):
			sender = network(held(a.rented[a.servers[0]], when).address)
		}
		w.k.marks.set(SpoofPair)
		w.add(allowList, evidence.KindSpoofPair, w.byHand(evidence.KindDomain, spoofed)+">"+sender, when)
	}
	if chance(w.r, .2) {
		when := w.moment()
		w.add(allowList, evidence.KindIP, held(a.rented[a.servers[0]], when).address.String(), when, evidence.RoleAllowListed)
	}
}

// lure adds the mail that the intrusion began with: a page of a service or a
// name of the actor's own, and the mailbox it came from.
func (w *writer) lure() {
	a, when := w.k.actor, w.k.logged()
	switch {
	case a.service != nil:
		w.k.marks.set(SharedKit)
		w.add(phish, evidence.KindURL, w.landing(w.r, a.service, when), when)
	case chance(w.r, .7):
		w.add(phish, evidence.KindDomain, w.byHand(evidence.KindDomain, at(a.lures, when)), when)
	}
	if chance(w.r, .5) {
		w.add(phish, evidence.KindEmail, at(a.mailboxes, when), when)
	}
	if chance(w.r, .25*w.generic) {
		w.k.marks.set(PopularBrand)
		w.add(phish, evidence.KindDomain, pick(w.r, a.brands), when, evidence.RoleSpoofed)
	}
}

// distinct appends an address that is not there yet.
func distinct(list []netip.Addr, a netip.Addr) []netip.Addr {
	if slices.Contains(list, a) {
		return list
	}
	return append(list, a)
}
