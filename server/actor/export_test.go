package actor

// ClusterLimited is Cluster with another limit to what may hang together.
func ClusterLimited(cases []Case, edges []Edge, reviews []Review, limit int) Result {
	return cluster(cases, edges, reviews, limit)
}

// Repel returns what two cases repel each other by, in units of 1e-9 bit.
func Repel(gapDays int64) int64 { return repel(gapDays) }
