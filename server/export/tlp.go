package export

import (
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// labels are the labels from the strictest to the most open.
var labels = []evidence.TLP{evidence.TLPRed, evidence.TLPAmberStrict, evidence.TLPAmber, evidence.TLPGreen, evidence.TLPClear}

// openness orders labels; -1 for what is none.
func openness(l evidence.TLP) int { return slices.Index(labels, l) }

// ownLabel is the label of a case, or the ceiling of a tenant, that says nothing.
const ownLabel = evidence.TLPAmberStrict

// permits reports whether what is labelled own may be given on under a label.
func permits(own, under evidence.TLP) bool {
	if own == "" {
		own = ownLabel
	}
	return openness(own) >= 0 && openness(under) <= openness(own)
}
