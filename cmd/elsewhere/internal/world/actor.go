package world

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
)

// channel is a way to sign in.
type channel uint8

const (
	byServer channel = iota
	byCloud
	byLeased
	byVPN
	byProxy
	byMobile
	byHome
	byTor
	channels
)

// actor is somebody who breaks into mailboxes, with habits and belongings.
type actor struct {
	id    int
	cases int
	r     *rand.Rand // for what the actor has; cases have their own
	dwell moment     // mean

	// taste is how often the actor signs in by each channel, relative.
	taste       [channels]float64
	bulletproof bool
	// rented are chains of rentals, one after the other.
	rented [][]*rental
	// servers, clouds and block are places of chains in rented.
	servers, clouds []int
	block           int

	vpn       *provider
	exits     []netip.Addr // favourites of the VPN
	carrier   *provider
	line      []*holding // the actor's own line, whose address changes
	service   *service   // a phishing service, nil for none
	habits    [stages]bool
	ruleStyle ruleStyle
	names     []string // of mail rules, the actor's own
	keywords  []string // of mail rules
	tutored   bool

	drops     []*holding // mail is forwarded to
	senders   []*holding // spoofed mail is sent from
	lures     []*holding // names that look like a brand's
	mailboxes []*holding // other people's, from which the first mail comes
	brands    []string
	// agent, app and phone are "" where the actor has none of their own.
	agent, app, pattern, phone string
}

// label names the actor in the truth.
func (a *actor) label() string { return "actor-" + strconv.Itoa(a.id) }

// holding is a value in an actor's hands for a while.
type holding struct {
	to   moment
	text string
}

// holdings returns values one after the other that cover a time.
func holdings(r *rand.Rand, from, to, mean, least, most moment, next func() string) []*holding {
	var all []*holding
	at := from
	for at <= to || len(all) == 0 {
		n := span(r, mean, least, most)
		if len(all) == 0 {
			// The first was there before.
			n = max(hour, moment(r.Float64()*float64(n)))
		}
		at += n
		all = append(all, &holding{to: at, text: next()})
	}
	return all
}

// at returns what is held at a time.
func at(all []*holding, when moment) string {
	for _, h := range all {
		if when < h.to {
			return h.text
		}
	}
	return all[len(all)-1].text
}

// tastes are the channels of the archetypes, in their order in level.
func tastes() [4][channels]float64 {
	return [4][channels]float64{
		{byServer: .5, byCloud: .22, byLeased: .14, byVPN: .06, byHome: .05, byProxy: .02, byTor: .01},
		{byVPN: .68, byServer: .1, byCloud: .06, byHome: .08, byMobile: .05, byTor: .03},
		{byProxy: .68, byServer: .12, byCloud: .1, byVPN: .06, byHome: .04},
		{byHome: .5, byMobile: .3, byVPN: .16, byServer: .04},
	}
}

// newActor draws what an actor is like.
func (p *plan) newActor(id, cases int) *actor {
	r := p.stream(streamActor, uint64(id))
	a := &actor{id: id, cases: cases, r: r}
	a.dwell = span(r, 12*day, 6*hour, 60*day)
	a.taste = tastes()[weighted(r, p.archetypes[:])]
	for i := range a.taste {
		// No two of a kind are alike.
		a.taste[i] *= .3 + float64(1.4*r.Float64())
	}
	a.bulletproof = a.taste[byServer] > .2 && chance(r, p.bulletproof)
	if chance(r, p.subscriber) {
		a.service = pick(r, p.services)
	}
	return a
}

// Belongings of actors: how long they last, and who has them.
const (
	// Dedicated servers stay for weeks to months, machines of a cloud for days to
	// weeks, leased blocks for months.
	serverMean, serverLeast, serverMost = 75 * day, 14 * day, 300 * day
	cloudMean, cloudLeast, cloudMost    = 18 * day, 2 * day, 90 * day
	blockMean, blockLeast, blockMost    = 110 * day, 30 * day, 300 * day
	lineMean, lineLeast, lineMost       = 9 * day, day, 60 * day
	dropMean, dropLeast, dropMost       = 150 * day, 20 * day, 500 * day
	senderMean, senderLeast, senderMost = 90 * day, 14 * day, 300 * day
	lureMean, lureLeast, lureMost       = 35 * day, 5 * day, 150 * day
	boxMean, boxLeast, boxMost          = 12 * day, 2 * day, 40 * day

	// modernLine is the share of own lines that sign in by IPv6.
	modernLine = .2

	ownAgent   = .12
	ownApp     = .08
	ownPattern = .5
	ownPhone   = .15
	// freeDrop is the share of drop mailboxes at a freemail provider.
	freeDrop = .75
)

// equip gives an actor belongings for the time of the actor's cases, which are
// the last in the plan.
func (p *plan) equip(a *actor) {
	r := a.r
	cases := p.intrusions[len(p.intrusions)-a.cases:]
	from, to := cases[0].from, cases[0].to
	for _, k := range cases {
		to = max(to, k.to)
	}
	rent := func(t trade, mean, least, most moment) int {
		a.rented = append(a.rented, chainOf(r, a, t, from, to, mean, least, most))
		return len(a.rented) - 1
	}
	for range 1 + tail(r, 1, 1.5, 3) {
		a.servers = append(a.servers, rent(hosting, serverMean, serverLeast, serverMost))
	}
	for range between(r, 1, 2) {
		a.clouds = append(a.clouds, rent(cloud, cloudMean, cloudLeast, cloudMost))
	}
	a.block = rent(leased, blockMean, blockLeast, blockMost)
	a.vpn = pick(r, p.of[vpn])
	for range between(r, 2, 7) {
		a.exits = append(a.exits, p.exit(r, a.vpn))
	}
	a.carrier = pick(r, p.of[mobile])
	isp := pick(r, p.of[home])
	address := func() netip.Addr { return p.address(r, isp, -1) }
	if chance(r, modernLine) {
		address = func() netip.Addr { return p.address6(r, isp) }
	}
	a.line = holdings(r, from, to, lineMean, lineLeast, lineMost, func() string { return address().String() })
	a.drops = holdings(r, from, to, dropMean, dropLeast, dropMost, func() string {
		if chance(r, freeDrop) {
			return word(r) + "." + word(r) + strconv.Itoa(r.IntN(10_000)) + "@" + pick(r, p.freemail)
		}
		return word(r) + "@" + domain(r)
	})
	a.senders = holdings(r, from, to, senderMean, senderLeast, senderMost, func() string { return domain(r) })
	for range between(r, 1, 3) {
		a.brands = append(a.brands, p.brands[rank(r, len(p.brands))])
	}
	a.lures = holdings(r, from, to, lureMean, lureLeast, lureMost, func() string { return lookalike(r, pick(r, a.brands)) })
	a.mailboxes = holdings(r, from, to, boxMean, boxLeast, boxMost, func() string { return word(r) + "." + word(r) + "@" + domain(r) })
	if chance(r, ownAgent) {
		a.agent = oddAgent(r)
	}
	if chance(r, ownApp) {
		a.app = guid(r)
	}
	a.pattern = p.patterns[rank(r, len(p.patterns))]
	if chance(r, ownPattern) {
		a.pattern = word(r) + pick(r, []string{"-<digits>", ".<word>", "_<digits>", "<digits>"})
	}
	if chance(r, ownPhone) {
		a.phone = "+1" + strconv.Itoa(between(r, 2_000_000_000, 9_999_999_999))
	}
	for i, s := range allStages() {
		a.habits[i] = chance(r, s.share)
	}
	p.style(a)
}

// lookalike returns a name that looks like a brand's. There are enough that two
// actors seldom have one: a name has one owner at a time.
func lookalike(r *rand.Rand, brand string) string {
	name := strings.TrimSuffix(brand, suffix)
	switch r.IntN(4) {
	case 0:
		name += "-" + pick(r, []string{"secure", "login", "mail", "portal", "docs", "support"}) + "-" + word(r)
	case 1:
		name = pick(r, []string{"my", "get", "go", "the"}) + name + "-" + word(r)
	default:
		i := r.IntN(len(name) - 1)
		name = name[:i] + string(name[i+1]) + string(name[i]) + name[i+2:] + "-" + word(r)
	}
	return name + suffix
}
