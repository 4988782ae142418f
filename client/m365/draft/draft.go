// Package draft makes a case of what a dossier reports: it decides of every value
// whether it leaves the tenant, and says why where it does not.
//
// It knows the schema of a case and the privacy of the tenant. It must not read
// evidence, talk to a server or ask anybody: what leaves is known before anything
// does. Victims' words could be compared across tenants as keyed hashes only, for
// which the service has no call yet; until then they stay.
package draft

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Header is what the analyst says of a case.
type Header struct {
	Tenant, Case, Title string
}

// Options change what leaves.
type Options struct {
	// Secret lets values of private kinds into the case, which the server
	// replaces by keyed hashes. Such a case must only go to a server, over TLS or
	// the loopback interface, or where the analyst said so.
	Secret bool
	// FirstParty reports whether an application is Microsoft's own.
	FirstParty func(appID string) bool
}

// Draft is a case with the account of what is in it and what is not.
type Draft struct {
	Case   *elsewherev1.Case
	Leaves []Item
	Stays  []Item
}

// Item is a value that leaves, or one that stays.
type Item struct {
	// What is the kind of an observable, or what a hunt calls the value.
	What, Value string
	Role        string
	// Why says why it stays, or how it was changed before it leaves.
	Why string
	// Findings are the ids of those that have it.
	Findings []string
	Count    uint64
}

// builder puts a draft together.
type builder struct {
	Options
	report *dossier.Report
	leaves map[itemKey]*Item
	stays  map[itemKey]*Item
	ways   map[string]string // why an address stays
}

type itemKey struct{ what, value, role, why string }

// TitleError is a title that names the tenant.
type TitleError struct{ Reason string }

func (e *TitleError) Error() string {
	return "the title " + e.Reason + "; it would leave the tenant"
}

// New makes a case of a report. The error is an *TitleError for a title that must
// not leave.
func New(h Header, r *dossier.Report, o Options) (*Draft, error) {
	if reason := r.Guard.Text(h.Title); h.Title != "" && reason != "" {
		return nil, &TitleError{reason}
	}
	b := &builder{Options: o, report: r, leaves: make(map[itemKey]*Item), stays: make(map[itemKey]*Item), ways: make(map[string]string)}
	for _, a := range r.Addresses {
		b.ways[a.Addr.String()] = a.Stays
	}
	c := elsewherev1.Case_builder{
		Tenant: h.Tenant, Id: h.Case, Title: h.Title, Kind: "bec", Source: "elsewhere hunt",
		EvidenceFrom: stamp(r.From), EvidenceTo: stamp(r.To),
		Labels: map[string]string{"attack_version": hunt.ATTACKVersion},
	}.Build()
	var findings []*elsewherev1.Finding
	for i := range r.Findings {
		if f := b.finding(&r.Findings[i]); f != nil {
			findings = append(findings, f)
		}
	}
	c.SetFindings(findings)
	return &Draft{Case: c, Leaves: items(b.leaves), Stays: items(b.stays)}, nil
}

func items(m map[itemKey]*Item) []Item {
	list := make([]Item, 0, len(m))
	for _, i := range m {
		list = append(list, *i)
	}
	slices.SortFunc(list, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.What, b.What), strings.Compare(a.Value, b.Value),
			strings.Compare(a.Role, b.Role), strings.Compare(a.Why, b.Why))
	})
	return list
}

func account(m map[itemKey]*Item, what, value, role, why, finding string, count uint64) {
	k := itemKey{what, value, role, why}
	i := m[k]
	if i == nil {
		i = &Item{What: what, Value: value, Role: role, Why: why}
		m[k] = i
	}
	i.Count += count
	if !slices.Contains(i.Findings, finding) {
		i.Findings = append(i.Findings, finding)
	}
}

// finding returns what leaves of a finding.
func (b *builder) finding(f *dossier.Finding) *elsewherev1.Finding {
	for _, k := range f.Kept {
		account(b.stays, k.What, k.Value, "", "never leaves the tenant", f.ID, 0)
	}
	for _, u := range f.Users {
		account(b.stays, "user", u, "", "never leaves the tenant", f.ID, 0)
	}
	var observables []*elsewherev1.Observable
	inferred := false
	if f.Hunt != "alert" {
		for _, u := range f.Addresses {
			value := u.Addr.String()
			if why := b.ways[value]; why != "" {
				account(b.stays, "ip", value, "login_source", why, f.ID, u.Count)
				continue
			}
			inferred = inferred || u.Inferred
			observables = append(observables, observable("ip", value, "login_source", u.First, u.Last, u.Count))
			account(b.leaves, "ip", value, "login_source", "", f.ID, u.Count)
		}
	}
	for _, o := range f.Observables {
		for _, v := range b.gate(o.Observable, f) {
			if v.stays != "" {
				account(b.stays, v.Kind, v.Value, v.Role, v.stays, f.ID, o.Count)
				continue
			}
			observables = append(observables, observable(v.Kind, v.Value, v.Role, o.First, o.Last, o.Count))
			account(b.leaves, v.Kind, v.Value, v.Role, v.note, f.ID, o.Count)
		}
	}
	if f.Hunt == "external-login" && f.Outcome == dossier.Failed && len(observables) == 0 {
		return nil // tries of strangers, from places that nobody got in from
	}
	out := elsewherev1.Finding_builder{
		Id: f.ID, Technique: f.Technique, Operation: f.Operation, Outcome: outcome(f.Outcome),
		FirstSeen: stamp(f.First), LastSeen: stamp(f.Last), Count: clamp(f.Count), Summary: f.Title + ".",
		Facts: facts(f, inferred), Observables: merged(observables),
	}
	return out.Build()
}

// merged joins what became equal when it was changed: names without the words
// that stay.
func merged(list []*elsewherev1.Observable) []*elsewherev1.Observable {
	seen := make(map[itemKey]*elsewherev1.Observable)
	var out []*elsewherev1.Observable
	for _, o := range list {
		k := itemKey{what: o.GetKind(), value: o.GetValue(), role: strings.Join(o.GetRoles(), " ")}
		if first := seen[k]; first != nil {
			if o.GetFirstSeen().AsTime().Before(first.GetFirstSeen().AsTime()) {
				first.SetFirstSeen(o.GetFirstSeen())
			}
			if o.GetLastSeen().AsTime().After(first.GetLastSeen().AsTime()) {
				first.SetLastSeen(o.GetLastSeen())
			}
			first.SetCount(clamp(uint64(first.GetCount()) + uint64(o.GetCount())))
			continue
		}
		seen[k] = o
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *elsewherev1.Observable) int {
		return cmp.Or(strings.Compare(a.GetKind(), b.GetKind()), strings.Compare(a.GetValue(), b.GetValue()),
			slices.Compare(a.GetRoles(), b.GetRoles()))
	})
	return out
}

func observable(kind, value, role string, first, last time.Time, count uint64) *elsewherev1.Observable {
	o := elsewherev1.Observable_builder{
		Kind: kind, Value: value, FirstSeen: stamp(first), LastSeen: stamp(last), Count: clamp(count),
	}.Build()
	if role != "" {
		o.SetRoles([]string{role})
	}
	return o
}

// facts are statements in words of the program.
func facts(f *dossier.Finding, inferred bool) []*elsewherev1.Fact {
	var list []*elsewherev1.Fact
	add := func(name, value string) {
		list = append(list, elsewherev1.Fact_builder{Name: name, Value: value, Source: "audit log"}.Build())
	}
	for _, s := range f.Facts {
		add(s.Name, s.Value)
	}
	number := func(name string, n int) {
		switch {
		case n >= 100:
			add(name, "100 or more")
		case n > 0:
			add(name, strconv.Itoa(n))
		}
	}
	number("users", len(f.Users))
	number("targets", f.Targets)
	number("sessions", f.Sessions)
	if inferred {
		add("address_from", "the actor's sign-in")
	}
	slices.SortStableFunc(list, func(a, b *elsewherev1.Fact) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetValue(), b.GetValue()))
	})
	return list
}

func outcome(o dossier.Outcome) elsewherev1.FindingOutcome {
	switch o {
	case dossier.Failed:
		return elsewherev1.FindingOutcome_FINDING_OUTCOME_FAILED
	case dossier.Partial:
		return elsewherev1.FindingOutcome_FINDING_OUTCOME_PARTIAL
	}
	return elsewherev1.FindingOutcome_FINDING_OUTCOME_SUCCEEDED
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func clamp(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }
