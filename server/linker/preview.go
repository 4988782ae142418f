package linker

import (
	"context"
	"errors"

	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Preview is what follows from a review.
type Preview struct {
	// Before and After are the actors around the two cases.
	Before, After []actor.Actor
	// Conflicts are those around them, after.
	Conflicts []actor.Conflict
}

// PreviewReview works out what a review does to actors, on one snapshot that may have
// it already or not. was is what stood before, r what stands after.
func PreviewReview(ctx context.Context, s graph.Snapshot, was, r graph.Review) (p Preview, err error) {
	var after actor.Result
	for i, instead := range [...]graph.Review{was, r} {
		g := newClusters(s)
		g.instead = &instead
		n, err := actor.Gather(ctx, g, []evidence.Ref{r.A, r.B})
		if err != nil {
			return p, err
		}
		after = actor.Cluster(n.Cases, n.Edges, n.Reviews)
		if i == 0 {
			p.Before = after.Actors
		}
	}
	p.After, p.Conflicts = after.Actors, after.Conflicts
	return p, nil
}

// Around returns the conflicts among the reviews that hang together with some cases.
func Around(ctx context.Context, s graph.Snapshot, cases []evidence.Ref) ([]actor.Conflict, error) {
	n, err := actor.Gather(ctx, newClusters(s), cases)
	if err != nil {
		return nil, err
	}
	return actor.Cluster(n.Cases, n.Edges, n.Reviews).Conflicts, nil
}

// maxJoined is how many cases may hang together for Joined to find an actor.
const maxJoined = 500

// errTooMany ends a look at more cases than that.
var errTooMany = errors.New("too many cases hang together")

// Joined returns the members of the actor that a case is in by edges of its own that
// no row may have yet, nil if there is none or too many cases hang together to tell
// at once.
func Joined(ctx context.Context, s graph.Snapshot, ref evidence.Ref, edges []actor.Edge) ([]evidence.Ref, error) {
	g := newClusters(s)
	g.most, g.fresh, g.freshOf = maxJoined, edges, ref
	n, err := actor.Gather(ctx, g, []evidence.Ref{ref})
	if errors.Is(err, errTooMany) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, a := range actor.Cluster(n.Cases, n.Edges, n.Reviews).Actors {
		for _, m := range a.Members {
			if m == ref {
				return a.Members, nil
			}
		}
	}
	return nil, nil
}
