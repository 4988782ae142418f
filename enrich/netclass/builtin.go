package netclass

import (
	"strconv"
	"strings"
)

// builtinLists describe the lists that are part of the program.
type builtinLists struct {
	freemail, mail, service, short, public, suffixes, clouds *Info
}

func newBuiltinLists() builtinLists {
	list := func(name, title string) *Info {
		i := builtinInfo(name, title, "", "the program")
		return &i
	}
	return builtinLists{
		freemail: list("freemail", "freemail domains (built in)"),
		mail:     list("mail-provider", "mail providers (built in)"),
		service:  list("service", "domains of services (built in)"),
		short:    list("url-shortener", "URL shorteners (built in)"),
		public:   list("public", "places for publishing and sharing (built in)"),
		suffixes: list("suffixes", "suffixes of customers' names (built in)"),
		clouds:   list("clouds", "networks of cloud providers (built in)"),
	}
}

func builtinInfo(name, title, date, by string) Info {
	return Info{Name: "builtin-" + name, Title: title, Date: date, Licence: facts, Attribution: by}
}

func builtinReserved() *Feed {
	b := NewBuilder(builtinInfo("reserved", "reserved", "", "IANA"), false)
	for line := range strings.Lines(strings.TrimSpace(reservedRanges)) {
		prefix, source, _ := strings.Cut(strings.TrimSpace(line), " ")
		b.Text(prefix, Entry{Class: Bogon, Tag: source})
	}
	return b.feed
}

func builtinM365() *Feed {
	b := NewBuilder(builtinInfo("m365", "Microsoft 365 endpoints", m365Date, "Microsoft"), false)
	for s := range strings.FieldsSeq(m365Ranges) {
		b.Text(s, Entry{Class: M365Service})
	}
	return b.feed
}

type cloudNetwork struct{ class, entry string }

// cloudNetworks are the AS numbers from which the providers with a list of their
// own announce what they rent out.
func cloudNetworks() map[uint32]cloudNetwork {
	out := make(map[uint32]cloudNetwork)
	add := func(class, owner string, asns ...uint32) {
		for _, n := range asns {
			out[n] = cloudNetwork{class, "AS" + strconv.FormatUint(uint64(n), 10) + " " + owner}
		}
	}
	add(UnknownMicrosoft, "Microsoft", 8068, 8075)
	add(CloudVM, "AWS", 14618, 16509)
	add(CloudVM, "Google", 15169, 396982)
	add(CloudVM, "Oracle Cloud", 31898)
	add(CloudVM, "DigitalOcean", 14061)
	add(CloudVM, "Linode", 63949)
	return out
}
