package world

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// pools are what unrelated actors and cases share.
type pools struct {
	exits     map[*provider][]netip.Addr // of VPNs
	proxied   map[int]netip.Addr         // homes, by place in the pool, as they are met
	towers    map[*provider][]netip.Addr // of mobile carriers
	tor       []netip.Addr
	exchange  []netip.Addr // Microsoft's own
	services  []*service
	freemail  []string
	mailers   []string // providers that send mail for anybody
	brands    []string
	patterns  []string
	agents    []string
	kitAgents []string
	apps      []string // Microsoft's own
	abused    []string // honest applications that intruders like
	tutorials [][]string
	relays    map[relayKey]netip.Addr
	hosts     map[relayKey]string
}

// service is a phishing service: its relays sign in for all of its customers.
type service struct {
	id    int
	agent string
	path  string
}

type relayKey struct {
	service, slot int
	epoch         moment
}

// Sizes of what is shared.
const (
	towersPerCarrier = 60
	torExits         = 400
	exchangeHosts    = 256
	freemailDomains  = 12
	mailProviders    = 12
	brandNames       = 40
	ownApps          = 12
	abusedApps       = 20
	tutorialTexts    = 10
	phishServices    = 6
	// A service has so many relays at a time, and changes each after a few days,
	// when it is blocked.
	relaysAtOnce = 14
	relayLife    = 8 * day
	// Landing pages are fewer than customers: so many hosts at a time.
	hostsAtOnce = 10
	hostLife    = 12 * day
)

func (p *plan) newPools() *pools {
	r := p.stream(streamPools, 1)
	o := &pools{
		exits: make(map[*provider][]netip.Addr), towers: make(map[*provider][]netip.Addr),
		proxied: make(map[int]netip.Addr), relays: make(map[relayKey]netip.Addr), hosts: make(map[relayKey]string),
	}
	for _, v := range p.of[vpn] {
		third := r.IntN(256)
		for n := range p.vpnExits / len(p.of[vpn]) {
			// Exits stand together in a few networks.
			if n%40 == 0 {
				third = r.IntN(256)
			}
			o.exits[v] = append(o.exits[v], p.address(r, v, third))
		}
	}
	for _, c := range p.of[mobile] {
		for range towersPerCarrier {
			o.towers[c] = append(o.towers[c], p.address(r, c, -1))
		}
	}
	for range torExits {
		o.tor = append(o.tor, p.address(r, pick(r, p.of[torExit]), -1))
	}
	for range exchangeHosts {
		o.exchange = append(o.exchange, p.address(r, p.of[microsoft][0], -1))
	}
	for i := range freemailDomains {
		name := fmt.Sprintf("freemail%d%s", i+1, suffix)
		o.freemail = append(o.freemail, name)
		p.known.names[name] = link.ClassFreemail
	}
	for i := range mailProviders {
		name := fmt.Sprintf("mailer%d%s", i+1, suffix)
		o.mailers = append(o.mailers, name)
		if chance(r, p.knowsNames) {
			p.known.names[name] = link.ClassMailProvider
		}
	}
	for range brandNames {
		o.brands = append(o.brands, word(r)+word(r)+suffix)
	}
	o.patterns = []string{"svc-<digits>", "admin<digits>", "helpdesk-<digits>", "sync_<hex>", "test<digits>", "backup.<word>"}
	for i := range 40 {
		o.agents = append(o.agents, fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 131-i))
	}
	o.kitAgents = []string{
		"axios/1.7.2", "axios/1.6.8", "axios/1.7.7", "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", "python-requests/2.31.0",
		"python-requests/2.28.1", "fasthttp", "Go-http-client/2.0", "BAV2ROPC", "okhttp/4.9.3",
	}
	for range ownApps {
		id := guid(r)
		o.apps = append(o.apps, id)
		if chance(r, p.knowsNames) {
			p.known.apps[id] = true
		}
	}
	for range abusedApps {
		id := guid(r)
		o.abused = append(o.abused, id)
		// Lists of abused applications exist, and are shorter than those of
		// Microsoft's own.
		if chance(r, p.knowsNames/2) {
			p.known.apps[id] = true
		}
	}
	for range tutorialTexts {
		o.tutorials = append(o.tutorials, keywordsFrom(r, between(r, 4, 9)))
	}
	for i := range phishServices {
		o.services = append(o.services, &service{id: i, agent: o.kitAgents[i%len(o.kitAgents)], path: "/" + word(r) + "/" + word(r)})
	}
	return o
}

// exit returns an exit of a VPN; some cities are liked more than others.
func (p *plan) exit(r *rand.Rand, v *provider) netip.Addr {
	list := p.pools.exits[v]
	return list[skewed(r, len(list))]
}

// proxy returns a home that sells its line.
func (p *plan) proxy(r *rand.Rand) netip.Addr {
	n := skewed(r, p.proxies)
	a, ok := p.proxied[n]
	if !ok {
		own := p.stream(streamProxy, uint64(n))
		a = p.address(own, pick(own, p.of[proxy]), -1)
		p.proxied[n] = a
	}
	return a
}

// relay returns the address of one of a phishing service's relays.
func (p *plan) relay(r *rand.Rand, s *service, when moment) netip.Addr {
	key := relayKey{s.id, r.IntN(relaysAtOnce), 0}
	key.epoch = (when + moment(key.slot)*relayLife/relaysAtOnce) / relayLife
	a, ok := p.relays[key]
	if !ok {
		own := p.stream(streamKit, uint64(key.service)<<40|uint64(key.slot)<<32|uint64(key.epoch))
		a = p.address(own, pick(own, p.of[hosting]), -1)
		p.relays[key] = a
	}
	return a
}

// landing returns a page of a phishing service; its host changes, its path does
// not.
func (p *plan) landing(r *rand.Rand, s *service, when moment) string {
	key := relayKey{s.id, r.IntN(hostsAtOnce), when / hostLife}
	host, ok := p.hosts[key]
	if !ok {
		host = domain(p.stream(streamKit, uint64(key.service)<<40|uint64(key.slot)<<32|1<<39|uint64(key.epoch)))
		p.hosts[key] = host
	}
	return "https://" + host + s.path
}

// oddAgent returns a user agent that few others have: an old build, kept.
func oddAgent(r *rand.Rand) string {
	build := between(r, 60, 115)
	return fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.%d.%d", build, build, r.IntN(10), r.IntN(1000))
}

// egress records what enrichment knows of a tenant's own address: an operator's
// list has it, or it is an address of some business.
func (k *known) egress(r *rand.Rand, a netip.Addr, share float64) {
	if chance(r, share) {
		class := k.addresses[a]
		class.Name = link.ClassTenantEgress
		k.addresses[a] = class
	}
}

// network returns the /24 of an address as a CIDR.
func network(a netip.Addr) string { return netip.PrefixFrom(a, 24).Masked().String() }

// slip copies a value as a hurried person does.
func slip(r *rand.Rand, k evidence.Kind, s string) string {
	if k == evidence.KindIP && !strings.Contains(s, ":") {
		return s[:strings.LastIndexByte(s, '.')+1] + strconv.Itoa(between(r, 1, 254))
	}
	// A slip in the suffix would show.
	name, ok := strings.CutSuffix(s, suffix)
	if !ok {
		return swap(r, s)
	}
	return swap(r, name) + suffix
}

// swap exchanges two neighbouring letters.
func swap(r *rand.Rand, s string) string {
	letters := []rune(s)
	var places []int
	for i := 0; i+1 < len(letters); i++ {
		if letter(letters[i]) && letter(letters[i+1]) && letters[i] != letters[i+1] {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return s
	}
	i := pick(r, places)
	letters[i], letters[i+1] = letters[i+1], letters[i]
	return string(letters)
}

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
