package world

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// began is the first moment of every world.
func began() time.Time { return time.Date(2022, time.January, 3, 0, 0, 0, 0, time.UTC) }

func (m moment) time() time.Time { return began().Add(time.Duration(m) * time.Second) }

// plan is everything that cases have in common: who, when, where and with what.
type plan struct {
	Config
	level
	*space
	tenants    []*tenant
	actors     []*actor
	intrusions []*intrusion // by case
	// busy is until when an address that was rented again is taken.
	busy map[netip.Addr]moment
	*pools
	// drafted holds the values of cases that a poisoned tenant can list.
	drafted [][]listed
}

// intrusion is one case before it is written.
type intrusion struct {
	actor    *actor
	from, to moment
	tenant   *tenant
	poison   poison
	marks    marks
	dated    bool // the findings have dates
}

// tenant is a customer.
type tenant struct {
	id string
	// egress is where the tenant's own people come from.
	egress []netip.Addr
	// proxied says that the egress is a security service's, which others share.
	proxied bool
	// manager runs the tenant's systems, nil for nobody.
	manager *manager
	// partners are names that are spoofed towards the tenant's people.
	partners []string
	weight   float64
}

// manager is a company that runs the systems of several tenants.
type manager struct {
	addresses []netip.Addr
	rule      string // the mail rule that it gives everybody
}

// Shape of the population of tenants.
const (
	// casesPerTenant is the mean; a few tenants have many.
	casesPerTenant = 3.3
	// sseGroup is how many tenants meet behind one proxy of a security service.
	sseGroup = 8
	// managedGroup is how many tenants a manager has.
	managedGroup = 6
	// again is how often an actor comes back to a tenant.
	again = .06
)

func newPlan(c Config) *plan {
	l := levelOf(c.Noise)
	p := &plan{Config: c, level: l, space: newSpace(c, l), busy: make(map[netip.Addr]moment)}
	p.pools = p.newPools()
	p.addTenants()
	p.addActors()
	p.market()
	p.addPoison()
	slices.SortStableFunc(p.intrusions, func(x, y *intrusion) int { return cmp.Compare(x.from, y.from) })
	return p
}

func (p *plan) addTenants() {
	r := p.stream(streamTenants, 0)
	n := max(5, int(float64(p.Cases)/casesPerTenant))
	var proxy []netip.Addr
	var boss *manager
	grouped, managed := 0, 0
	for i := range n {
		t := &tenant{id: "tenant-" + tenantNumber(i), weight: 1 + float64(tail(r, 1, 1.5, 20))}
		if chance(r, p.sse) {
			if grouped%sseGroup == 0 {
				proxy = nil
				provider := pick(r, p.of[securityProxy])
				for range 3 {
					proxy = append(proxy, p.address(r, provider, -1))
				}
			}
			grouped++
			t.proxied, t.egress = true, proxy
		} else {
			provider := pick(r, p.of[business])
			for range between(r, 1, 3) {
				a := p.address(r, provider, -1)
				p.known.egress(r, a, p.knowsEgress)
				t.egress = append(t.egress, a)
			}
		}
		if chance(r, p.managed) {
			if managed%managedGroup == 0 {
				boss = p.newManager(r)
			}
			managed++
			t.manager = boss
		}
		for range 3 {
			t.partners = append(t.partners, domain(r))
		}
		p.tenants = append(p.tenants, t)
	}
}

func (p *plan) newManager(r *rand.Rand) *manager {
	provider, known := pick(r, p.of[business]), chance(r, p.knowsManager)
	m := &manager{rule: ownName(r, pick(r, []ruleStyle{securitySounding, ownWords}))}
	for range between(r, 1, 2) {
		a := p.address(r, provider, -1)
		if known {
			p.known.egress(r, a, 1)
		}
		m.addresses = append(m.addresses, a)
	}
	return m
}

// addActors fills the world with actors until it has its number of cases.
func (p *plan) addActors() {
	r := p.stream(streamActors, 0)
	weights := make([]float64, len(p.tenants))
	for i, t := range p.tenants {
		weights[i] = t.weight
	}
	choose := newChooser(weights)
	for left := p.Cases; left > 0; {
		a := p.newActor(len(p.actors), min(left, actorSize(r, p.alone)))
		p.actors = append(p.actors, a)
		left -= a.cases
		used := make(map[*tenant]bool)
		var last *tenant
		for _, k := range p.campaigns(a) {
			if last != nil && chance(a.r, again) {
				k.tenant = last
			} else {
				const tries = 8
				for range tries {
					if k.tenant = p.tenants[choose.place(a.r)]; !used[k.tenant] {
						break
					}
				}
			}
			used[k.tenant], last = true, k.tenant
			p.intrusions = append(p.intrusions, k)
		}
		p.equip(a)
	}
}

// largestActor bounds how many cases one actor has.
const largestActor = 24

// actorSize returns how many cases an actor has. alone is the share of cases, not
// of actors, that are the only one.
func actorSize(r *rand.Rand, alone float64) int {
	// Mean of the sizes below, so that the share of cases comes out right.
	const several = 3.35
	if chance(r, alone*several/(1-alone+float64(alone*several))) {
		return 1
	}
	return 2 + tail(r, 2.5, 2.2, largestActor-2)
}

// campaigns returns an actor's intrusions in order: waves of a few within weeks,
// with months between them.
func (p *plan) campaigns(a *actor) []*intrusion {
	r := a.r
	const end = days * day
	life := min(span(r, 300*day, 20*day, end), end-20*day)
	if a.cases == 1 {
		life = 10 * day
	}
	begin := moment(r.Float64() * float64(end-life))
	var all []*intrusion
	for len(all) < a.cases {
		start := begin + moment(r.Float64()*float64(life))
		length := span(r, 14*day, day, 50*day)
		for range min(1+tail(r, 2, 1.5, 10), a.cases-len(all)) {
			k := &intrusion{actor: a, from: start + moment(r.Float64()*float64(length))}
			k.from = k.from.round()
			k.to = (k.from + span(r, a.dwell, hour, 100*day)).round()
			all = append(all, k)
		}
	}
	slices.SortStableFunc(all, func(x, y *intrusion) int { return cmp.Compare(x.from, y.from) })
	return all
}

// round returns a whole minute.
func (m moment) round() moment { return m - m%60 }

// chooser draws places by weight.
type chooser []float64

func newChooser(weights []float64) chooser {
	sums := make(chooser, len(weights))
	sum := 0.0
	for i, w := range weights {
		sum += w
		sums[i] = sum
	}
	return sums
}

func (c chooser) place(r *rand.Rand) int {
	x := float64(r.Float64() * c[len(c)-1])
	i, _ := slices.BinarySearch(c, x)
	return min(i, len(c)-1)
}

func tenantNumber(i int) string { return strconv.Itoa(10_000 + i) }
