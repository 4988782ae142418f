package graph

import (
	"slices"
	"time"
)

// MaxHolders is how many tenants a Holders names of each sort.
const MaxHolders = CandidateTenants

// Holders are the tenants that have a value. Others read the lists too: they are not
// to be changed.
type Holders struct {
	// Tenants and Cases are those of Summary.
	Tenants, Cases uint32
	// Live are the tenants with the value in live cases, sorted: the first MaxHolders.
	Live []string
	// Withheld are those with it in restricted and tlp:red cases, sorted: the first
	// MaxHolders. They must not show in any answer to somebody who may not read these.
	Withheld []string
}

// AllLive reports whether Live is all of them.
func (h *Holders) AllLive() bool { return len(h.Live) == int(h.Tenants) }

// AllWithheld reports whether Withheld is known to be all of them.
func (h *Holders) AllWithheld() bool { return len(h.Withheld) < MaxHolders }

// MaxPutTogether is the number of sightings of a value up to which Held holds all.
const MaxPutTogether = 64

// Held is what sightings of a value are together. Others read it too: it is not to be
// changed.
type Held struct {
	// By are the tenants, in order of their ids: the first MaxHolders.
	By []HeldBy
	// Whole says that the sightings are at most MaxPutTogether, and By is made of all.
	// Else it is made of the newest sighting of each tenant.
	Whole bool
}

// HeldBy is what the sightings of one tenant are together.
type HeldBy struct {
	Tenant string
	// Roles are all of them, sorted; Plain says that there is a sighting without any.
	Roles       []string
	Plain       bool
	First, Last time.Time // zero when no sighting has one
}

// Add puts a sighting of the tenant to the others.
func (h *HeldBy) Add(s Sighting) {
	if len(s.Roles) == 0 {
		h.Plain = true
	}
	for _, role := range s.Roles {
		if i, found := slices.BinarySearch(h.Roles, role); !found {
			h.Roles = slices.Insert(h.Roles, i, role)
		}
	}
	if !s.First.IsZero() && (h.First.IsZero() || s.First.Before(h.First)) {
		h.First = s.First
	}
	if s.Last.After(h.Last) {
		h.Last = s.Last
	}
}
