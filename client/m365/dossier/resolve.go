package dossier

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

const (
	loginHunt   = "external-login"
	alertHunt   = "alert"
	roamingHunt = "roaming-session"
)

// view is the dossier with everything told apart that only all records together
// say.
type view struct {
	d     *Dossier
	cells []placed

	roams    map[netip.Addr]bool // addresses of sessions that were used elsewhere too
	worked   map[netip.Addr]bool // somebody did something from there, not only tried
	loggedIn map[netip.Addr]bool
	allow    []netip.Prefix // let through by an allow list
}

// placed is a cell with where it came from.
type placed struct {
	*cell
	hunt *hunt.Hunt
	from []netip.Addr
	// inferred says that the record itself had no address.
	inferred bool
}

func (d *Dossier) view() *view {
	v := &view{
		d: d, roams: make(map[netip.Addr]bool), worked: make(map[netip.Addr]bool), loggedIn: make(map[netip.Addr]bool),
	}
	for _, h := range d.pack.Hunts() {
		for e := range d.cells[h].All() {
			v.cells = append(v.cells, d.place(h, &e.Value))
		}
	}
	for i := range v.cells {
		c := &v.cells[i]
		for _, a := range c.from {
			if c.outcome != Failed && c.hunt.Name != alertHunt && !c.inferred {
				v.worked[a] = true
				v.loggedIn[a] = v.loggedIn[a] || c.hunt.Name == loginHunt
			}
		}
		for o := range c.observables {
			if o.Role != "allow_listed" {
				continue
			}
			if a, err := netip.ParseAddr(o.Value); err == nil {
				v.allow = append(v.allow, netip.PrefixFrom(a, a.BitLen()))
			} else if p, err := netip.ParsePrefix(o.Value); err == nil {
				v.allow = append(v.allow, p)
			}
		}
	}
	v.roaming()
	return v
}

// place finds where a cell came from: its own addresses, else those of its
// session, else those where its user had signed in.
func (d *Dossier) place(h *hunt.Hunt, c *cell) placed {
	p := placed{cell: c, hunt: h, from: c.addresses}
	if len(p.from) > 0 || c.user == "" {
		return p
	}
	p.inferred = true
	if c.session != "" {
		p.from = d.book.Session(c.session)
	}
	if len(p.from) == 0 {
		at := c.at
		if at.IsZero() {
			at = c.first
		}
		p.from = d.book.At(c.user, at)
	}
	return p
}

// own reports whether an address is the tenant's or nobody's: no intruder's.
func (v *view) own(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || v.d.egress(a)
}

// egress reports whether an address is where the tenant's people work. Who has
// phished many of them signs in as many users too, from a place that is rented:
// such an address is the tenant's only if most of them work there.
func (d *Dossier) egress(a netip.Addr) bool {
	if classPoints(d.nature(a).Class) > 0 {
		return d.book.Most(a)
	}
	return d.book.Egress(a)
}

// allowed reports whether mail from an address was let through and somebody
// signed in from it.
func (v *view) allowed(a netip.Addr) bool {
	return v.loggedIn[a] && slices.ContainsFunc(v.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// roaming makes findings of sessions that were used from several networks.
func (v *view) roaming() {
	h := &hunt.Hunt{
		Name: roamingHunt, Title: "One session from several addresses", Technique: "T1557", Points: 1,
		Private: "session ids, users",
	}
	o := v.d.options
	for r := range v.d.book.Roaming() {
		if !o.From.IsZero() && r.Last.Before(o.From) || !o.To.IsZero() && !r.First.Before(o.To) {
			continue
		}
		telling := false
		for _, a := range r.Addresses {
			v.roams[a] = true
			telling = telling || classPoints(v.d.nature(a).Class) > 0
		}
		for _, user := range r.Users {
			c := &cell{technique: h.Technique, operation: "session", user: user, count: 1, observables: map[hunt.Observable]*span{}}
			c.add(r.First, r.Last, 1)
			c.addresses = r.Addresses
			if telling {
				c.hot = 2
			}
			c.sessions.Add(r.Session, maxSessions)
			v.cells = append(v.cells, placed{cell: c, hunt: h, from: r.Addresses})
		}
	}
}

// Filter says whose doings a report is about. Of both empty it is about whoever
// looks compromised.
type Filter struct {
	Users    []string // in any case
	Prefixes []netip.Prefix
}

// Empty reports whether the filter names nobody.
func (f Filter) Empty() bool { return len(f.Users)+len(f.Prefixes) == 0 }

// names reports whether the filter has a prefix with the address.
func (f Filter) names(a netip.Addr) bool {
	return slices.ContainsFunc(f.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// choose returns the cells that a filter is about, each with the addresses that
// remain of where it may have come from.
func (v *view) choose(f Filter, suspects []Suspect) []placed {
	users := make(map[string]bool)
	for _, u := range f.Users {
		users[strings.ToLower(strings.TrimSpace(u))] = true
	}
	suspectAddresses := make(map[netip.Addr]bool)
	for _, s := range suspects {
		if s.User != "" {
			users[s.User] = users[s.User] || f.Empty()
		} else {
			suspectAddresses[s.Address] = true
		}
	}
	var chosen []placed
	for _, c := range v.cells {
		switch {
		case f.Empty():
			c.from = slices.DeleteFunc(slices.Clone(c.from), func(a netip.Addr) bool { return !suspectAddresses[a] })
			// What came from nowhere is the doing of a user that looks
			// compromised.
			if len(c.from) == 0 && !(users[c.user] && c.unplaced()) {
				continue
			}
		default:
			if len(f.Users) > 0 && !users[c.user] {
				continue
			}
			if len(f.Prefixes) > 0 {
				c.from = slices.DeleteFunc(slices.Clone(c.from), func(a netip.Addr) bool { return !f.names(a) })
				if len(c.from) == 0 {
					continue
				}
			}
		}
		if c.hunt.Name == loginHunt && len(c.from) > 0 && !slices.ContainsFunc(c.from, func(a netip.Addr) bool { return f.names(a) || !v.own(a) }) {
			continue // no login from outside
		}
		if c.hunt.Name == roamingHunt && f.Empty() && c.hot == 0 {
			continue // a phone that left the house, for all that is known
		}
		chosen = append(chosen, c)
	}
	return chosen
}

// unplaced reports whether nothing says from where a cell came.
func (p *placed) unplaced() bool { return len(p.cell.addresses) == 0 }
