// Package dossier gathers from the records of one tenant what an investigation
// needs: what the hunts see, by whom and from where, who signed in from which
// address, and what names the tenant. Its report says which users and addresses
// look compromised and what they did.
//
// Records may come in any order, and what is beyond its limits is left out in a
// way that does not depend on it; so shuffled and split evidence gives the same
// report. It knows records and hunts. It must not know the schema of a case, and
// decides nothing about what leaves the tenant.
package dossier

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/bounded"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
	"github.com/elsewhere-project/elsewhere/client/m365/privacy"
	"github.com/elsewhere-project/elsewhere/client/m365/session"
)

// Limits of what a Dossier remembers.
const (
	// maxCells is how many different combinations of operation, result, user
	// and address are kept of one hunt.
	maxCells = 20_000
	// maxNatures is how many addresses are remembered as classified; it is a
	// cache and changes no answer.
	maxNatures = 1 << 16
)

// Nature is what an address is, whoever used it.
type Nature struct {
	// Microsoft says that it is an address of Microsoft's services.
	Microsoft bool
	// Reserved says that it is private, loopback or nobody's.
	Reserved bool
	// Class is what kind of place it is (hosting, vpn, ...), "" if not known.
	Class string
	// Why names the list that says so.
	Why string
}

// Options say what to gather. Classify and Public are needed.
type Options struct {
	Classify func(netip.Addr) Nature
	// Public reports whether a domain is everybody's, as a mail provider's is.
	Public func(domain string) bool
	// From and To bound the records that are looked at; zero for none. To is
	// exclusive.
	From, To time.Time
}

// Dossier gathers. Use New. It is not for concurrent use.
type Dossier struct {
	options    Options
	pack       *hunt.Pack
	book       *session.Book
	vocabulary *privacy.Vocabulary
	natures    map[netip.Addr]Nature
	kept       map[string]string // see keep
	cells      map[*hunt.Hunt]*bounded.Map[cell]

	first, last time.Time // of records within the bounds
	looked      int       // records within the bounds
	outside     int       // of them
	undated     int
	services    int // records of services and the system
}

// New returns an empty Dossier.
func New(o Options) *Dossier {
	words := lexicon.New()
	d := &Dossier{
		options: o, pack: hunt.New(words, hunt.All()...), book: session.New(),
		vocabulary: privacy.NewVocabulary(words, o.Public),
		natures:    make(map[netip.Addr]Nature),
		kept:       make(map[string]string),
		cells:      make(map[*hunt.Hunt]*bounded.Map[cell]),
	}
	for _, h := range d.pack.Hunts() {
		d.cells[h] = bounded.New[cell](maxCells)
	}
	return d
}

// Pack returns the hunts.
func (d *Dossier) Pack() *hunt.Pack { return d.pack }

// Add takes in a record. Records that are no duplicates of each other may come
// in any order.
func (d *Dossier) Add(r *m365.Record) {
	d.learn(r)
	if r.Time.IsZero() {
		d.undated++
		return
	}
	person := hunt.Person(r)
	user := ""
	var addresses []netip.Addr
	failed := hunt.Failed(r)
	if person {
		user = hunt.Actor(r)
		addresses = d.addresses(r)
		// Also outside of the bounds: a sign-in explains what follows it.
		if !failed && !r.Interrupted() {
			for _, a := range addresses {
				d.visit(user, a, r)
			}
		}
	}
	if !d.options.From.IsZero() && r.Time.Before(d.options.From) || !d.options.To.IsZero() && !r.Time.Before(d.options.To) {
		d.outside++
		return
	}
	d.looked++
	if d.first.IsZero() || r.Time.Before(d.first) {
		d.first = r.Time
	}
	if r.Time.After(d.last) {
		d.last = r.Time
	}
	if !person {
		d.services++
	}
	for _, s := range d.pack.Look(r) {
		if !person {
			// Who used an anonymous link is an address; an alert names some.
			addresses = d.addresses(r)
		}
		d.note(r, s, user, addresses, failed)
	}
}

// maxStrings is how many strings keep shares.
const maxStrings = 1 << 16

// keep returns a copy of s that is shared by all that keep it. Strings of a
// record are parts of its whole text, which would be kept with them.
func (d *Dossier) keep(s string) string {
	k, ok := d.kept[s]
	if !ok {
		k = strings.Clone(s)
		if len(d.kept) < maxStrings {
			d.kept[k] = k
		}
	}
	return k
}

// visit tells the book of an address, in each of the record's sessions.
func (d *Dossier) visit(user string, a netip.Addr, r *m365.Record) {
	if len(r.Sessions) == 0 {
		d.book.Visit(user, a, "", r.Time)
	}
	for _, s := range r.Sessions {
		d.book.Visit(user, a, s, r.Time)
	}
}

// addresses returns the addresses of a record that may be its actor's: not
// Microsoft's own and not this machine's, each once, in order.
func (d *Dossier) addresses(r *m365.Record) []netip.Addr {
	var list []netip.Addr
	for _, a := range r.Addresses {
		if !a.Addr.IsValid() || a.Addr.IsLoopback() || a.Addr.IsUnspecified() {
			continue
		}
		if !slices.Contains(list, a.Addr) && !d.nature(a.Addr).Microsoft {
			list = append(list, a.Addr)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

func (d *Dossier) nature(a netip.Addr) Nature {
	n, ok := d.natures[a]
	if !ok {
		if len(d.natures) >= maxNatures {
			clear(d.natures)
		}
		n = d.options.Classify(a)
		d.natures[a] = n
	}
	return n
}
