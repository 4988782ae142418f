// Package set holds labelled cases: what a link is measured against. It reads
// published ones from JSON lines, and adds noise to them.
//
// It knows the product's domain and nothing of a score: what a value is has to
// come out of the product's own parsers, as for any other case.
//
// # Format
//
// One JSON object a line:
//
//	case_id     name of the case, once in a file; 1-128 of [A-Za-z0-9._:#-]
//	label       who is behind it; cases with one label are the same actor
//	date        2006-01-02 or null: when everything in the case was seen
//	indicators  [{"type": T, "value": V}], T being ipv4, ipv6, domain, url, hash,
//	            email or technique
//
// Other fields say where the case comes from; nothing is read from them. Each
// case is given a tenant of its own, so that every pair is judged; it is of kind
// report, and its values are in role referenced.
package set

import (
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Set is labelled cases. Two cases with one label are the same actor; pairs of
// one tenant are not judged.
type Set struct {
	Name   string
	Cases  []*evidence.Case
	Labels []string // by case, never ""; a case of nobody's has a label of its own
	// Classes are what is known of the values; nil: what the product's own data
	// say.
	Classes link.Classifier
	Values  Values
}

// Values says what became of the values of a file.
type Values struct {
	// Read are those that are in the cases, each as often as it was written,
	// Repaired of them URLs that were given the scheme that they lacked.
	Read     int `json:"read"`
	Repaired int `json:"repaired"`
	// Dropped are those that the product does not take, by type and reason.
	Dropped []Dropped `json:"dropped,omitempty"`
}

// Dropped counts values that were left out for one reason.
type Dropped struct {
	Type   string `json:"type"`   // as written; "other" for types that the format does not have
	Reason string `json:"reason"` // as evidence.Violation has it, or ReasonType
	N      int    `json:"n"`
}

// ReasonType is why a value of an unknown type was left out.
const ReasonType = "TYPE_UNKNOWN"
