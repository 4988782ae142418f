package dossier

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365/bounded"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
	"github.com/elsewhere-project/elsewhere/client/m365/privacy"
)

const (
	// maxEvents bounds a timeline.
	maxEvents = 10_000
	// maxUsers bounds the users of a finding that are told.
	maxUsers = 50
	// maxAddresses bounds the addresses of a finding.
	maxAddresses = 400
	// early is how near to the beginning of the evidence a first sign has to be
	// for what came before it to be likely.
	early = 24 * time.Hour
)

// Report is what a Dossier says. Everything in it may be private.
type Report struct {
	// Suspects are the users and addresses that look compromised, most
	// suspicious first. Proposed says that the findings are theirs, because the
	// filter named nobody.
	Suspects []Suspect
	Proposed bool
	Findings []Finding
	// Events are the parts of the findings in order of time.
	Events     []Event
	MoreEvents int
	// Addresses are those of the findings, in order.
	Addresses []Address

	// From and To are the times of the first and last record within the bounds,
	// or the bounds themselves where they are nearer.
	From, To time.Time
	// Looked at are so many records; Outside were not within the bounds, Undated
	// have no time, Services are of services and the system.
	Looked, Outside, Undated, Services int
	// LeftOut says which hunts saw more than is remembered.
	LeftOut []LeftOut
	// LeftVisits counts visits of users at addresses that are not remembered;
	// what they did without an address stays without one.
	LeftVisits uint64
	// AtStart says that the first sign of the actor is where the evidence
	// begins: they may have been there before.
	AtStart bool

	// Guard knows what names the tenant, Domains are its own.
	Guard   *privacy.Guard
	Domains []string
	// Public reports whether a domain is everybody's, Classify what an address is.
	Public   func(domain string) bool
	Classify func(netip.Addr) Nature
}

// LeftOut counts records of one hunt that are in no finding.
type LeftOut struct {
	Hunt    string
	Records uint64
}

// Finding is one behaviour in a case, before anything was left out for privacy.
type Finding struct {
	ID, Hunt, Title, Technique, Operation string
	Outcome                               Outcome
	First, Last                           time.Time
	Count                                 uint64
	Users                                 []string
	Addresses                             []Use
	Observables                           []Observable
	Facts                                 []hunt.Fact
	Kept                                  []hunt.Kept
	// More says that there are more users, values or facts than are listed.
	More bool
	// Targets and Sessions are how many were told apart, at most 100.
	Targets, Sessions int
	// Origins are the first records behind the finding.
	Origins []Origin
	// Private says what the hunt sees that stays.
	Private string
}

// Observable is a value with its span.
type Observable struct {
	hunt.Observable
	First, Last time.Time
	Count       uint64
}

// Use is an address with its span in a finding.
type Use struct {
	Addr        netip.Addr
	First, Last time.Time
	Count       uint64
	// Inferred says that the records themselves have no address.
	Inferred bool
}

// Address is what is known of an address of the findings.
type Address struct {
	Addr   netip.Addr
	Nature Nature
	Users  int
	// Stays says why it must not leave, "" if it may.
	Stays string
}

// Event is a line of the timeline.
type Event struct {
	First, Last     time.Time
	Hunt, Operation string
	Technique       string
	Outcome         Outcome
	User            string
	Addresses       []netip.Addr
	Count           uint64
	Origin          Origin
}

// Report says what the gathered records show of those that the filter names.
func (d *Dossier) Report(f Filter) *Report {
	v := d.view()
	r := &Report{
		Suspects: v.suspects(), Proposed: f.Empty(),
		From: d.first, To: d.last, Looked: d.looked, Outside: d.outside, Undated: d.undated, Services: d.services,
		Guard: d.vocabulary.Guard(), Domains: d.vocabulary.Domains(), Public: d.options.Public, Classify: d.nature,
	}
	for _, h := range d.pack.Hunts() {
		if n := d.cells[h].Left(); n > 0 {
			r.LeftOut = append(r.LeftOut, LeftOut{h.Name, n})
		}
	}
	r.LeftVisits = d.book.Left()
	chosen := v.choose(f, r.Suspects)
	r.findings(d, chosen)
	r.addresses(v, f)
	r.events(d, chosen)
	if len(r.Events) > 0 && !r.From.IsZero() {
		r.AtStart = r.Events[0].First.Sub(r.From) < early
	}
	return r
}

// gathering is a finding on its way.
type gathering struct {
	Finding
	users       bounded.Set
	addresses   map[netip.Addr]*Use
	observables map[hunt.Observable]*span
	facts, kept bounded.Set
	targets     bounded.Set
	sessions    bounded.Set
}

func (r *Report) findings(d *Dossier, chosen []placed) {
	found := make(map[string]*gathering)
	order := make(map[string]int)
	for i, h := range d.pack.Hunts() {
		order[h.Name] = i
	}
	order[roamingHunt] = len(order)
	var firstLogin time.Time
	for i := range chosen {
		c := &chosen[i]
		id := findingID(c)
		g := found[id]
		if g == nil {
			g = &gathering{
				Finding: Finding{
					ID: id, Hunt: c.hunt.Name, Title: c.hunt.Title, Technique: c.technique,
					Operation: d.pack.Written(c.operation), Outcome: c.outcome, Private: c.hunt.Private,
				},
				addresses: make(map[netip.Addr]*Use), observables: make(map[hunt.Observable]*span),
			}
			found[id] = g
		}
		g.take(c)
		if c.hunt.Name == loginHunt && c.outcome == Succeeded && (firstLogin.IsZero() || c.first.Before(firstLogin)) {
			firstLogin = c.first
		}
	}
	for _, g := range found {
		r.Findings = append(r.Findings, g.finish(firstLogin))
	}
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(order[a.Hunt]-order[b.Hunt], strings.Compare(a.ID, b.ID))
	})
}

// findingID names a finding within its case, the same in every run.
func findingID(c *placed) string {
	id := c.hunt.Name + "." + strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, c.operation), "-")
	if c.technique != c.hunt.Technique {
		id += "." + strings.ToLower(c.technique)
	}
	switch c.outcome {
	case Failed:
		id += ".failed"
	case Partial:
		id += ".partial"
	}
	return id
}

func (g *gathering) take(c *placed) {
	s := span{g.First, g.Last, g.Count}
	s.add(c.first, c.last, c.count)
	g.First, g.Last, g.Count = s.first, s.last, s.n
	g.More = g.More || c.more || c.facts.More() || c.kept.More()
	if c.user != "" {
		g.users.Add(c.user, maxUsers)
	}
	// One of several places is not known to be the one.
	if len(c.from) == 1 || !c.inferred {
		for _, a := range c.from {
			u := g.addresses[a]
			if u == nil {
				u = &Use{Addr: a, Inferred: true}
				g.addresses[a] = u
			}
			s := span{u.First, u.Last, u.Count}
			s.add(c.first, c.last, c.count)
			u.First, u.Last, u.Count, u.Inferred = s.first, s.last, s.n, u.Inferred && c.inferred
		}
	}
	for o, s := range c.observables {
		t := g.observables[o]
		if t == nil {
			t = &span{}
			g.observables[o] = t
		}
		t.add(s.first, s.last, s.n)
	}
	for _, f := range c.facts.Elements() {
		g.facts.Add(f, maxFacts)
	}
	for _, k := range c.kept.Elements() {
		g.kept.Add(k, 40*maxKept)
	}
	for _, t := range c.targets.Elements() {
		g.targets.Add(t, maxTargets)
	}
	for _, t := range c.sessions.Elements() {
		g.sessions.Add(t, maxSessions)
	}
	for _, o := range c.origins {
		g.Origins = insertOrigin(g.Origins, o)
	}
}

func (g *gathering) finish(firstLogin time.Time) Finding {
	f := g.Finding
	f.Users = g.users.Elements()
	f.More = f.More || g.users.More() || g.facts.More() || g.kept.More()
	f.Targets, f.Sessions = len(g.targets.Elements()), len(g.sessions.Elements())
	for _, u := range g.addresses {
		f.Addresses = append(f.Addresses, *u)
	}
	slices.SortFunc(f.Addresses, func(a, b Use) int { return a.Addr.Compare(b.Addr) })
	if len(f.Addresses) > maxAddresses {
		f.Addresses, f.More = f.Addresses[:maxAddresses], true
	}
	for o, s := range g.observables {
		f.Observables = append(f.Observables, Observable{o, s.first, s.last, s.n})
	}
	slices.SortFunc(f.Observables, func(a, b Observable) int { return compareObservables(a.Observable, b.Observable) })
	if len(f.Observables) > maxObservables {
		f.Observables, f.More = f.Observables[:maxObservables], true
	}
	for _, s := range g.facts.Elements() {
		name, value, _ := strings.Cut(s, "\x00")
		f.Facts = append(f.Facts, hunt.Fact{Name: name, Value: value})
	}
	for _, s := range g.kept.Elements() {
		what, value, _ := strings.Cut(s, "\x00")
		f.Kept = append(f.Kept, hunt.Kept{What: what, Value: value})
	}
	if f.Hunt == "new-account" && !firstLogin.IsZero() && !f.First.Before(firstLogin) {
		f.Facts = append(f.Facts, hunt.Fact{Name: "hours_after_first_login", Value: fmt.Sprint(int(f.First.Sub(firstLogin).Hours()))})
	}
	return f
}

// addresses says of each address of the findings whether it may leave.
func (r *Report) addresses(v *view, f Filter) {
	seen := make(map[netip.Addr]bool)
	for i := range r.Findings {
		for _, u := range r.Findings[i].Addresses {
			if seen[u.Addr] {
				continue
			}
			seen[u.Addr] = true
			n := v.d.nature(u.Addr)
			users, _ := v.d.book.Users(u.Addr)
			a := Address{Addr: u.Addr, Nature: n, Users: users}
			switch {
			case n.Microsoft:
				a.Stays = "an address of Microsoft's services"
			case n.Reserved:
				a.Stays = "private or reserved: nobody else's can be compared with it"
			case f.names(u.Addr):
			case v.d.egress(u.Addr):
				a.Stays = fmt.Sprintf("tenant egress: %d users work from it (--ip %v sends it all the same)", users, u.Addr)
			case !v.worked[u.Addr]:
				a.Stays = "nobody got in from it"
			}
			r.Addresses = append(r.Addresses, a)
		}
	}
	slices.SortFunc(r.Addresses, func(a, b Address) int { return a.Addr.Compare(b.Addr) })
}

func (r *Report) events(d *Dossier, chosen []placed) {
	for i := range chosen {
		c := &chosen[i]
		e := Event{
			First: c.first, Last: c.last, Hunt: c.hunt.Name, Operation: d.pack.Written(c.operation), Technique: c.technique,
			Outcome: c.outcome, User: c.user, Addresses: c.from, Count: c.count,
		}
		if len(c.origins) > 0 {
			e.Origin = c.origins[0]
		}
		r.Events = append(r.Events, e)
	}
	slices.SortStableFunc(r.Events, func(a, b Event) int {
		return cmp.Or(a.First.Compare(b.First), strings.Compare(a.Hunt, b.Hunt), strings.Compare(a.Operation, b.Operation),
			strings.Compare(a.User, b.User), slices.CompareFunc(a.Addresses, b.Addresses, netip.Addr.Compare))
	})
	if n := len(r.Events); n > maxEvents {
		r.Events, r.MoreEvents = r.Events[:maxEvents], n-maxEvents
	}
}
