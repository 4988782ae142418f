package corpus

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// stage is a kind of finding.
type stage struct {
	technique, operation, summary string
	// share of the actors who do it
	share float64
}

// Places in stages.
const (
	signIn = iota
	read
	rule
	delegation
	change
	role
	newAccount
	allow
	hide
	phish
)

// stages are what people do in a mailbox that is not theirs.
func stages() [10]stage {
	return [10]stage{
		signIn:     {"T1078.004", "UserLoggedIn", "Sign-ins from addresses outside the organisation.", .98},
		read:       {"T1114.002", "MailItemsAccessed", "Mail was read and searched for payments.", .55},
		rule:       {"T1114.003", "New-InboxRule", "Rules forward or hide mail.", .6},
		delegation: {"T1098.002", "Add-MailboxPermission", "Permissions on mailboxes were delegated.", .15},
		change:     {"T1098", "Update user.", "Details of an account were changed.", .35},
		role:       {"T1098.003", "Add member to role.", "A role was given to an account.", .06},
		newAccount: {"T1136.003", "Add user.", "An account was created.", .08},
		allow:      {"T1562.001", "New-TenantAllowBlockListSpoofItems", "Entries let spoofed mail through.", .07},
		hide:       {"T1070.008", "SoftDelete", "Mail was deleted to hide the traces.", .25},
		phish:      {"T1534", "Send", "Mail was sent to others from the mailbox.", .4},
	}
}

// unusual is how often an actor leaves out or adds a stage.
const unusual = .1

// writer puts together one case.
type writer struct {
	Generator
	r           *rand.Rand
	campaign    campaign
	i           int
	first, last time.Time
	values      map[string]bool
	// alone says that no value is to be in another case.
	alone bool
}

// findings returns the findings of a case with n observables, and those given
// among the sign-ins.
func (w *writer) findings(n int, given ...value) []*elsewherev1.Finding {
	all := stages()
	var observables [len(all)][]*elsewherev1.Observable
	for _, v := range given {
		w.values[v.key()] = true
		observables[signIn] = append(observables[signIn], w.dated(v))
	}
	for range n {
		at, o := w.observable()
		observables[at] = append(observables[at], o)
	}
	habit := w.r
	if w.campaign.actor != 0 {
		habit = w.stream(streamActor, w.campaign.actor<<8)
	}
	var findings []*elsewherev1.Finding
	for at, s := range all {
		does := habit.Float64() < s.share
		if w.r.Float64() < unusual {
			does = !does
		}
		if !does && len(observables[at]) == 0 {
			continue
		}
		findings = append(findings, elsewherev1.Finding_builder{
			Id:          fmt.Sprintf("f%d", at),
			Technique:   s.technique,
			Operation:   s.operation,
			Outcome:     elsewherev1.FindingOutcome_FINDING_OUTCOME_SUCCEEDED,
			FirstSeen:   timestamppb.New(w.first),
			LastSeen:    timestamppb.New(w.last),
			Count:       uint32(1 + w.r.IntN(200)),
			Summary:     s.summary,
			Observables: observables[at],
		}.Build())
	}
	return findings
}

// Shares of observables: what everybody has, and what belongs to the campaign.
// The rest is in this case alone.
const (
	commonShare   = .25
	campaignShare = .2
)

// observable returns one that the case does not have yet, and its finding.
func (w *writer) observable() (at int, o *elsewherev1.Observable) {
	const tries = 4
	for try := 0; ; try++ {
		at, v := w.draw(w.alone || try >= tries)
		if !w.values[v.key()] {
			w.values[v.key()] = true
			return at, w.dated(v)
		}
	}
}

// draw returns a value; with own, one that no other case has.
func (w *writer) draw(own bool) (at int, v value) {
	u := w.r.Float64()
	switch {
	case own:
		return w.own()
	case u < commonShare:
		return w.common()
	case u < commonShare+campaignShare && w.campaign.actor != 0:
		return w.infrastructure()
	default:
		return w.own()
	}
}

// dated gives a value its times, within those of the case.
func (w *writer) dated(v value) *elsewherev1.Observable {
	b := elsewherev1.Observable_builder{Kind: v.kind, Value: v.text}
	if v.role != "" {
		b.Roles = []string{v.role}
	}
	if v.kind == "ip" {
		span := w.last.Sub(w.first)
		from := w.first.Add(time.Duration(w.r.Float64() * float64(span) / 2)).Truncate(time.Second)
		b.FirstSeen = timestamppb.New(from)
		b.LastSeen = timestamppb.New(from.Add(time.Duration(w.r.Float64() * float64(w.last.Sub(from)))).Truncate(time.Second))
		b.Count = uint32(1 + w.r.IntN(40))
		if w.r.IntN(4) == 0 {
			b.Facts = []*elsewherev1.Fact{elsewherev1.Fact_builder{
				Name: "country", Value: pick(w.r, []string{"DE", "FR", "GB", "NG", "NL", "US", "ZA"}), Source: "sign-in log",
			}.Build()}
		}
	}
	return b.Build()
}
