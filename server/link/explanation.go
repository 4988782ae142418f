package link

import (
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Tier says what to do with a likelihood. The numbers are those of the wire and
// of stored rows.
type Tier uint8

// The tiers, lowest first.
const (
	None          Tier = iota + 1 // nothing in common that says anything
	SharedGeneric                 // only values in common that everybody uses
	Lead                          // likelihood of at least .05
	Possible                      // at least .30
	Probable                      // at least .75
	Strong                        // at least .95 from two groups of evidence
	Confirmed                     // a person said so
)

// Explanation is a score as the sum of its parts. Prior, what the families use
// and Negative add up to Total exactly; so do the groups of a family to its Raw
// and the values of a group to its Used.
type Explanation struct {
	A, B           evidence.Ref // A is the smaller
	ModelVersion   uint32
	CalibratedOn   uint32 // reviews that the likelihood was fitted on, 0: uncalibrated
	FeedsVersion   string
	N              uint32 // live cases, rounded up to a power of two
	Prior          int32  // millibits, as all int32 here
	Families       []FamilyScore
	Negative       int32
	Total          int32
	Micros         uint32 // likelihood, millionths
	Tier           Tier
	Generic        []Generic
	Counterfactual []Counterfactual
	Notes          []string
	// SharedCount counts the common values that carry weight.
	SharedCount uint32
	SameTenant  bool
}

// Likelihood returns the probability that one actor is behind both cases, 0 to
// .995, with six decimals.
func (e *Explanation) Likelihood() float64 { return float64(e.Micros) / 1e6 }

// FamilyScore is what the evidence of one family adds: Used = min(Raw, Cap).
type FamilyScore struct {
	Name           Family
	Raw, Cap, Used int32
	Groups         []Group // best first
}

// Group is evidence that is not independent of each other. Rank 1 counts in
// full, each further rank half of the one before.
type Group struct {
	ID     string
	Rank   int
	Used   int32
	Values []Value
}

// Value is one common value, or one common behaviour, with the numbers behind
// its weight.
type Value struct {
	evidence.Value
	RolesA, RolesB           []string
	TechniquesA, TechniquesB []string
	// Row names the constants that weighed it, as in address.hosting; see
	// Parameters. Empty for behaviour.
	Row          string
	Class        string
	ClassReasons []string
	M, Alpha     float64
	Background   float64 // share of unrelated cases with the value
	Trust        float64 // product of both tenants' trust
	Unexplained  uint32  // d, rounded down to 0, 1, 2, 3, 5, 9, ...
	GapDays      uint32
	Weight       int32 // before rank and caps
	Used         int32
	Reasons      []string
}

// Generic is a common value that adds nothing, and why.
type Generic struct {
	evidence.Value
	Class, Reason string
}

// Counterfactual is the likelihood without one group of evidence.
type Counterfactual struct {
	Without string
	Micros  uint32
}
