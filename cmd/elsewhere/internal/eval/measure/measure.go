// Package measure says how good a ranking of pairs and a clustering are against
// known labels: precision and recall, average precision, B-cubed, calibration,
// bootstrap intervals and two plots. It is arithmetic over numbers: it knows no
// case, no evidence, no model and no server, has no clock, and gives the same
// bytes for the same input on any number of cores.
//
// What counts. A pair is judged when its two cases belong to different tenants.
// It is same when the two cases have one label and different otherwise. It is
// sharing when the caller says that the two cases have a value in common. Pairs
// of one tenant are dropped wherever they are met.
package measure

import (
	"fmt"
	"math"
	"strconv"
)

// Pair is what one method says about two cases.
type Pair struct {
	I, J  int32   // case numbers, I < J
	Score float64 // the method's ranking score, higher is more alike; finite
	P     float64 // likelihood of one actor, 0 to 1; NaN where the method states none
	Tier  uint8   // the method's own verdict, 0 none, higher is surer
}

// Truth is what is known of the cases, by case number.
type Truth struct {
	Labels  []int32 // cases with one label are the same actor; any numbers
	Tenants []int32 // pairs of one tenant are not judged; any numbers
}

// Couple is two case numbers, I < J.
type Couple struct{ I, J int32 }

// Value is a measure. It is NaN where it is not defined, as a share of nothing
// is; JSON says null then, and six decimals otherwise.
type Value float64

// Defined reports whether the measure has a value.
func (v Value) Defined() bool { return !math.IsNaN(float64(v)) }

// MarshalJSON writes null for what is not defined.
func (v Value) MarshalJSON() ([]byte, error) {
	f := float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	// Adding zero turns a negative zero into zero.
	return strconv.AppendFloat(nil, math.Round(f*1e6)/1e6+0, 'f', -1, 64), nil
}

// Estimate is a measure with its 95 % bootstrap interval (Resamples).
type Estimate struct {
	Value Value `json:"value"` // on the data themselves
	Low   Value `json:"low"`   // percentile 2.5 of the resamples
	High  Value `json:"high"`  // percentile 97.5
}

// InputError says which part of the input cannot be measured.
type InputError struct {
	What  string // "truth", "sharing", "pair", "rest", "cluster", "likelihood ratio"
	Index int    // position in that slice, as it was given
	Why   string
}

func (e *InputError) Error() string {
	return fmt.Sprintf("measure: %s %d: %s", e.What, e.Index, e.Why)
}
