// Package world makes up raw cases of mailbox compromise together with the truth
// of who was behind each, so that a score can be measured where no public data
// exists: names of mail rules, sign-in addresses, the noise of real logs.
//
// It knows what such cases look like and what enrichment would say of their
// values; it must not know how links are weighed or stored. Nothing in it is
// observed: every share is a judgment (see level), addresses are drawn at random
// by a plan of providers, and names end in .example.
package world

import (
	"errors"
	"fmt"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Noise is how much unrelated cases have in common, and how little enrichment
// knows about it.
type Noise uint8

// The levels of noise.
const (
	// Clean cases read like published reports: an analyst kept what matters.
	Clean Noise = iota
	// Normal cases are what a careful provider's tools submit.
	Normal
	// Hostile cases come from careless tools, and some are made to mislead.
	Hostile
)

// String returns the name of the level.
func (n Noise) String() string {
	switch n {
	case Clean:
		return "clean"
	case Normal:
		return "normal"
	case Hostile:
		return "hostile"
	}
	return fmt.Sprintf("noise %d", uint8(n))
}

// ErrNoise is returned for a level of noise that there is not.
var ErrNoise = errors.New("the level of noise is not clean, normal or hostile")

// ParseNoise reads the name of a level.
func ParseNoise(s string) (Noise, error) {
	for _, n := range []Noise{Clean, Normal, Hostile} {
		if strings.EqualFold(s, n.String()) {
			return n, nil
		}
	}
	return 0, ErrNoise
}

// MinCases and MaxCases bound the size of a world.
const (
	MinCases = 10
	MaxCases = 20_000
)

// ErrCases is returned for a number of cases outside MinCases..MaxCases.
var ErrCases = fmt.Errorf("a world has %d to %d cases", MinCases, MaxCases)

// Config says which world to make. Equal configurations make equal worlds.
//
// Who is behind a case, when and with which address depends on the whole world,
// because an address is given back by one and rented by another; everything
// else in a case depends on Seed, Noise, its actor and its number.
type Config struct {
	Seed  uint64
	Cases int
	Noise Noise
}

// World is cases with their truth.
type World struct {
	Config
	// Cases are in order of the first day of the intrusion.
	Cases []*evidence.Case
	// Labels name, by case, the actor behind it. A case of nobody's, an actor
	// with one case or a made-up case of the poisoned tenant, has a label that
	// no other case has.
	Labels []string
	// Classes is what enrichment would say of the values, which is less than what
	// is true.
	Classes link.Classifier

	tenants int
	marks   []marks // by case
}

// Generate makes a world.
func Generate(c Config) (*World, error) {
	if c.Cases < MinCases || c.Cases > MaxCases {
		return nil, ErrCases
	}
	if c.Noise > Hostile {
		return nil, ErrNoise
	}
	p := newPlan(c)
	w := &World{
		Config: c, Classes: p.known, tenants: len(p.tenants),
		Cases: make([]*evidence.Case, c.Cases), Labels: make([]string, c.Cases), marks: make([]marks, c.Cases),
	}
	for i, k := range p.intrusions {
		draft := p.draft(i)
		parsed, _, err := evidence.Parse(draft, evidence.Options{Private: keyed})
		if err != nil {
			return nil, fmt.Errorf("making case %s: %w", draft.Case, err)
		}
		w.Cases[i], w.Labels[i], w.marks[i] = parsed, k.actor.label(), k.marks
	}
	return w, nil
}
