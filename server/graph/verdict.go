package graph

// Verdict is what people said of a pair of cases, as far as it stands.
type Verdict uint8

// The verdicts on a pair.
const (
	Unreviewed Verdict = iota
	Confirmed          // the same actor
	Refuted            // not the same actor
)
