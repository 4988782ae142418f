package dossier

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

const (
	// suspicious is how many points make a user or an address look compromised.
	// What people do all day never gets there by itself, see everydayPoints.
	suspicious = 6
	// everydayPoints is the most that behaviour of one point each adds up to.
	everydayPoints = 2
	// allowListedPoints is for an address that somebody signed in from and
	// somebody let mail pass from.
	allowListedPoints = 4
	// roamingPoints is for a session that was taken from one place to another
	// where such places are rented.
	roamingPoints = 3
)

// classPoints is what an address has for being of a kind of place where few
// people sit and many intruders rent.
func classPoints(class string) int {
	switch class {
	case "tor":
		return 4
	case "vpn", "residential_proxy", "hosting", "cloud_vm", "leased":
		return 3
	}
	return 0
}

// Suspect is a user or an address that looks compromised, or an intruder's.
type Suspect struct {
	User    string     // "" for an address
	Address netip.Addr // invalid for a user
	Points  int
	// Reasons say what the points are for, heaviest first.
	Reasons []string
}

// tally adds up what speaks against one user or address.
type tally struct {
	hunts map[*hunt.Hunt]*mark
	extra map[string]int // reason to points
}

type mark struct {
	points int
	count  uint64
}

func (t *tally) see(h *hunt.Hunt, points int, count uint64) {
	if t.hunts == nil {
		t.hunts = make(map[*hunt.Hunt]*mark)
	}
	m := t.hunts[h]
	if m == nil {
		m = &mark{}
		t.hunts[h] = m
	}
	m.points = max(m.points, points)
	m.count += count
}

func (t *tally) add(reason string, points int) {
	if points <= 0 {
		return
	}
	if t.extra == nil {
		t.extra = make(map[string]int)
	}
	t.extra[reason] = points
}

func (t *tally) suspect() Suspect {
	type reason struct {
		points int
		text   string
	}
	var s Suspect
	var reasons []reason
	everyday := 0
	for h, m := range t.hunts {
		if m.points <= 1 {
			everyday += m.points
		} else {
			s.Points += m.points
		}
		if m.points > 0 {
			reasons = append(reasons, reason{m.points, fmt.Sprintf("%s (%d)", lower(h.Title), m.count)})
		}
	}
	s.Points += min(everyday, everydayPoints)
	for text, points := range t.extra {
		s.Points += points
		reasons = append(reasons, reason{points, text})
	}
	slices.SortFunc(reasons, func(a, b reason) int { return cmp.Or(b.points-a.points, strings.Compare(a.text, b.text)) })
	for _, r := range reasons {
		s.Reasons = append(s.Reasons, r.text)
	}
	return s
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// suspects returns who looks compromised, most suspicious first.
func (v *view) suspects() []Suspect {
	users, addresses := make(map[string]*tally), make(map[netip.Addr]*tally)
	of := func(a netip.Addr) *tally {
		t := addresses[a]
		if t == nil {
			t = &tally{}
			addresses[a] = t
		}
		return t
	}
	for i := range v.cells {
		c := &v.cells[i]
		if c.outcome == Failed {
			continue
		}
		points := max(c.hunt.Points, c.hot)
		outside := len(c.from) == 0
		for _, a := range c.from {
			if v.own(a) {
				continue
			}
			outside = true
			if len(c.from) == 1 || !c.inferred {
				of(a).see(c.hunt, points, c.count)
			}
		}
		if c.user == "" || !outside {
			continue
		}
		t := users[c.user]
		if t == nil {
			t = &tally{}
			users[c.user] = t
		}
		t.see(c.hunt, points, c.count)
		for _, a := range c.from {
			if n := v.d.nature(a); !v.own(a) && classPoints(n.Class) > 0 && c.hunt.Name == loginHunt {
				t.add("signed in from "+classWords(n.Class), classPoints(n.Class))
			}
		}
	}
	for a, t := range addresses {
		n := v.d.nature(a)
		t.add(strings.TrimSpace("address of "+classWords(n.Class)), classPoints(n.Class))
		if v.allowed(a) {
			t.add("mail from it was let through, and somebody signed in from it", allowListedPoints)
		}
		if v.roams[a] && classPoints(n.Class) > 0 {
			t.add("took over a session from another network", roamingPoints)
		}
	}
	var found []Suspect
	for u, t := range users {
		s := t.suspect()
		s.User = u
		found = append(found, s)
	}
	for a, t := range addresses {
		s := t.suspect()
		s.Address = a
		found = append(found, s)
	}
	found = slices.DeleteFunc(found, func(s Suspect) bool { return s.Points < suspicious })
	slices.SortFunc(found, func(a, b Suspect) int {
		return cmp.Or(b.Points-a.Points, a.Address.Compare(b.Address), strings.Compare(a.User, b.User))
	})
	return found
}

// classWords says a class to people.
func classWords(class string) string {
	switch class {
	case "tor":
		return "the Tor network"
	case "vpn":
		return "a VPN"
	case "residential_proxy":
		return "a residential proxy"
	case "hosting":
		return "a hosting provider"
	case "cloud_vm":
		return "a machine in a cloud"
	case "leased":
		return "a lessor of addresses"
	}
	return class
}
