package world

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// moment is a time in seconds from the start of a world.
type moment int64

const (
	hour moment = 3600
	day         = 24 * hour
)

// days is how long a world lasts, from its first intrusion to the start of the
// last: three years, more than most teams keep.
const days = 1095

// rental is an address in somebody's hands for a while.
type rental struct {
	from, to moment
	trade    trade
	actor    *actor
	// neighbour is the former rental of the same actor in whose /24 this one may
	// lie.
	neighbour *rental
	provider  *provider
	address   netip.Addr
	// second says that another actor had the address before.
	second bool
}

// Habits of those who rent.
const (
	// nextDoor is how often a renter gets the next address in the same /24.
	nextDoor = .35
	// settled is how often a renter stays with a provider.
	settled = .7
	// idle is the shortest time between two holders of a dedicated or leased
	// address; cloud addresses go around within an hour, but it takes longer
	// until an actor finds one.
	idle = 20 * day
	// bulletproofNetworks is how many /24s hosters who look away have.
	bulletproofNetworks = 6
)

// chainOf returns rentals one after the other that cover a time, the first of
// which began earlier. mean is their mean length, which is bounded by least and
// most: a month is paid in advance, and what is reported is taken down.
func chainOf(r *rand.Rand, a *actor, t trade, from, to, mean, least, most moment) []*rental {
	length := func() moment { return span(r, mean, least, most) }
	var chain []*rental
	first := length()
	begin := from - moment(r.Float64()*float64(first))
	for n := first; ; n = length() {
		k := &rental{from: begin, to: begin + n, trade: t, actor: a}
		if len(chain) > 0 {
			k.neighbour = chain[len(chain)-1]
		}
		chain = append(chain, k)
		begin = k.to
		if begin > to {
			return chain
		}
	}
}

// held returns the rental of a chain at a time.
func held(chain []*rental, at moment) *rental {
	i := slices.IndexFunc(chain, func(k *rental) bool { return at < k.to })
	if i < 0 {
		i = len(chain) - 1
	}
	return chain[i]
}

// market gives every rental its address, in the order in which they begin.
func (p *plan) market() {
	var all []*rental
	for _, a := range p.actors {
		for _, chain := range a.rented {
			all = append(all, chain...)
		}
	}
	slices.SortStableFunc(all, func(x, y *rental) int { return cmp.Compare(x.from, y.from) })
	r := p.stream(streamMarket, 0)
	bulletproof := make([]*rental, bulletproofNetworks)
	for i := range bulletproof {
		h := pick(r, p.of[hosting])
		bulletproof[i] = &rental{provider: h, address: p.address(r, h, -1)}
	}
	again := [trades]float64{hosting: p.rerentedHosting, cloud: p.rerentedCloud, leased: p.rerentedLeased}
	var former [trades][]*rental
	for _, k := range all {
		switch old := p.givenBack(r, former[k.trade], k, again[k.trade]); {
		case old != nil:
			k.provider, k.address, k.second = old.provider, old.address, true
		case k.trade == hosting && k.actor.bulletproof:
			p.nextTo(r, k, pick(r, bulletproof))
		case k.neighbour != nil && chance(r, nextDoor):
			p.nextTo(r, k, k.neighbour)
		default:
			k.provider = pick(r, p.of[k.trade])
			if k.neighbour != nil && chance(r, settled) {
				k.provider = k.neighbour.provider
			}
			k.address = p.address(r, k.provider, -1)
		}
		former[k.trade] = append(former[k.trade], k)
	}
}

// nextTo gives a rental an address in the /24 of another.
func (p *plan) nextTo(r *rand.Rand, k, other *rental) {
	k.provider = other.provider
	k.address = p.address(r, k.provider, int(other.address.As4()[2]))
}

// givenBack returns a former rental of another actor whose address is free, with
// a probability.
func (p *plan) givenBack(r *rand.Rand, former []*rental, k *rental, share float64) *rental {
	if len(former) == 0 || !chance(r, share) {
		return nil
	}
	const tries = 16
	for range tries {
		old := pick(r, former)
		if old.actor != k.actor && old.to+idle <= k.from && p.busy[old.address] <= k.from {
			p.busy[old.address] = k.to + idle
			return old
		}
	}
	return nil
}

// span returns an exponential time around a mean, bounded.
func span(r *rand.Rand, mean, least, most moment) moment {
	return min(max(moment(r.ExpFloat64()*float64(mean)), least), most)
}
