package world

// byLevel holds a number for clean, normal and hostile.
type byLevel [3]float64

// level is every share that depends on the noise. All are judgments: public
// sources give the direction of most and the size of few. Where one gives a
// size, it is named. Shares are of cases unless said otherwise.
type level struct {
	// alone is the share of cases that are the only one of their actor. A
	// provider sees a small part of what an actor does, so most actors are seen
	// once.
	alone float64

	// Archetypes of actors by where they sign in from, relative: renters of
	// servers, customers of a VPN, buyers of residential proxies, the careless
	// (their own lines). Hosting and VPN were the rule until about 2022;
	// residential proxies and phishing services have taken over since.
	archetypes [4]float64

	// rerented is the share of new rentals whose address another actor of the
	// world had given back: cloud, hosting and leased addresses. Clouds reuse
	// addresses within hours (Pauley et al., arXiv 2210.14999), but most go to
	// people who are in no case, so the share is small.
	rerentedCloud, rerentedHosting, rerentedLeased float64
	// bulletproof is the share of renting actors at hosters who look away; these
	// have few networks, each with many such customers.
	bulletproof float64
	// subscriber is the share of actors who use a phishing service, whose relays
	// sign in for all customers.
	subscriber float64

	// vpnExits and proxies are the sizes of the shared pools; a smaller pool is
	// shared more. Real proxy pools have millions of addresses, but customers of
	// one region meet the same few thousand.
	vpnExits, proxies int

	// Shares of addresses of which enrichment knows the class; the rest are
	// unknown or what they look like. A third of VPN exits unlabelled in
	// hostile.
	knowsVPN, knowsProxy, knowsMobile, knowsHosting, knowsLeased, knowsCloud,
	knowsHome, knowsBusiness, knowsService, knowsEgress, knowsSSE, knowsTor,
	knowsManager float64
	// knowsNames is the share of mail providers and common applications that
	// lists know. Freemail domains are all known.
	knowsNames float64

	// egress is the share where an analyst took the tenant's own address for the
	// actor's, microsoft where Microsoft's own are in the evidence, microsoftLogin
	// the share of those in the role of a login. About a third of address-bearing
	// audit records have such; a careful tool drops most of them.
	egress, microsoft, microsoftLogin float64
	// sse is the share of tenants that reach the internet through the proxy of a
	// security service that other tenants use too, sseLogin the share of their
	// cases where its address is a login's.
	sse, sseLogin float64

	// managed is the share of tenants whose systems another company runs, for them
	// and others, managedLogin the share of their cases where that company's work
	// is listed as the actor's: its address and, managedRule of the time, its own
	// mail rule. Correlated evidence that means nothing.
	managed, managedLogin, managedRule float64

	// userAgent and firstParty are the shares of cases that list an ordinary
	// browser or one of Microsoft's own applications; a careful tool drops these
	// too.
	userAgent, firstParty float64

	// ruleStyles are the habits of naming mail rules, relative: signs only,
	// everyday words, words of security, an actor's own words. Malicious rules
	// overwhelmingly have minimal names (Proofpoint, 2025).
	ruleStyles [4]float64
	// generic is the share of ordinary things that are left in the case: rule
	// names, patterns and brands that everybody has; pooled the same of addresses
	// of VPNs, proxies, Tor and carriers. Who writes a report leaves them out.
	generic, pooled float64
	// redacted is the share of rule names that somebody blacked out, typo the
	// share of names and addresses copied by hand with a slip.
	redacted, typo float64
	// tutorial is the share of actors whose keywords come from a text that
	// others read too.
	tutorial float64

	// undated is the share without any date in the findings, spanOnly the share
	// of observables without dates of their own.
	undated, spanOnly float64
	// missed is how often a stage of an actor's playbook is not found.
	missed float64

	// popularBrand is the share of spoofed senders that are a brand everybody
	// spoofs, sharedSender the share of sending infrastructure that is a mail
	// provider's.
	popularBrand, sharedSender float64

	// poisoned is the share of cases that a poisoned tenant made up, at least two
	// in a world of 100, bridging how many of these are small enough not to be
	// noticed by their size.
	poisoned, bridging float64
}

func levelOf(n Noise) level {
	of := func(b byLevel) float64 { return b[n] }
	return level{
		alone: of(byLevel{.45, .5, .55}),

		archetypes: [3][4]float64{
			{.80, .08, .06, .06},
			{.42, .26, .20, .12},
			{.28, .32, .28, .12},
		}[n],

		rerentedCloud:   of(byLevel{.01, .06, .15}),
		rerentedHosting: of(byLevel{.003, .02, .05}),
		rerentedLeased:  of(byLevel{.005, .03, .08}),
		bulletproof:     of(byLevel{.02, .12, .25}),
		subscriber:      of(byLevel{.02, .10, .20}),

		vpnExits: [3]int{4_000, 1_500, 800}[n],
		proxies:  [3]int{40_000, 12_000, 5_000}[n],

		knowsVPN:      of(byLevel{1, .85, .67}),
		knowsProxy:    of(byLevel{.9, .5, .3}),
		knowsMobile:   of(byLevel{1, .85, .65}),
		knowsHosting:  of(byLevel{.95, .85, .7}),
		knowsLeased:   of(byLevel{.9, .6, .4}),
		knowsCloud:    of(byLevel{.99, .95, .9}),
		knowsHome:     of(byLevel{.95, .8, .7}),
		knowsBusiness: of(byLevel{.9, .7, .5}),
		knowsService:  of(byLevel{.99, .95, .88}),
		knowsEgress:   of(byLevel{.9, .5, .25}),
		knowsSSE:      of(byLevel{.9, .6, .4}),
		knowsTor:      of(byLevel{1, .99, .97}),
		knowsManager:  of(byLevel{1, .8, .6}),
		knowsNames:    of(byLevel{1, .9, .75}),

		egress:         of(byLevel{.01, .05, .2}),
		microsoft:      of(byLevel{.01, .12, .6}),
		microsoftLogin: of(byLevel{0, .15, .5}),
		sse:            of(byLevel{0, .04, .15}),
		sseLogin:       of(byLevel{0, .15, .4}),

		managed:      of(byLevel{.2, .2, .3}),
		managedLogin: of(byLevel{0, .015, .05}),
		managedRule:  .3,

		userAgent:  of(byLevel{.01, .15, .7}),
		firstParty: of(byLevel{.01, .1, .6}),

		ruleStyles: [3][4]float64{
			{.15, .1, .35, .4},
			{.5, .2, .15, .15},
			{.55, .25, .12, .08},
		}[n],
		generic:  of(byLevel{.04, .8, 1}),
		pooled:   of(byLevel{.08, .9, 1}),
		redacted: of(byLevel{0, .03, .08}),
		typo:     of(byLevel{0, .015, .04}),
		tutorial: of(byLevel{.05, .3, .5}),

		undated:  of(byLevel{.02, .08, .2}),
		spanOnly: of(byLevel{.05, .25, .5}),
		missed:   of(byLevel{.1, .15, .3}),

		popularBrand: of(byLevel{.1, .4, .6}),
		sharedSender: of(byLevel{.05, .3, .45}),

		poisoned: of(byLevel{0, .001, .002}),
		bridging: of(byLevel{0, 0, .6}),
	}
}
