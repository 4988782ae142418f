package actor

import (
	"context"
	"fmt"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Graph is where Gather finds what hangs together.
type Graph interface {
	// Case returns a case; ok is false if there is none.
	Case(ctx context.Context, ref evidence.Ref) (c Case, ok bool, err error)
	// Edges returns the scored pairs of a case, in any order. A pair is returned
	// for either of its ends.
	Edges(ctx context.Context, ref evidence.Ref) ([]Edge, error)
	// Reviews returns the reviews of pairs of a case, in any order, for either
	// end.
	Reviews(ctx context.Context, ref evidence.Ref) ([]Review, error)
}

// Neighbourhood is a part of the graph that can be clustered by itself: no pair
// that pulls and no confirm leads out of it.
type Neighbourhood struct {
	Cases   []Case
	Edges   []Edge
	Reviews []Review
}

// Gather reads all that hangs together with some cases. Its order is of no
// meaning. It holds as much in memory as there is.
func Gather(ctx context.Context, g Graph, from []evidence.Ref) (Neighbourhood, error) {
	var n Neighbourhood
	seen := map[evidence.Ref]bool{} // true once its pairs are read
	todo := slices.Clone(from)
	for len(todo) > 0 {
		ref := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, ok := seen[ref]; ok {
			continue
		}
		seen[ref] = false
		next, err := n.read(ctx, g, ref, seen)
		if err != nil {
			return Neighbourhood{}, fmt.Errorf("what hangs together with %s: %w", ref, err)
		}
		todo = append(todo, next...)
	}
	return n, nil
}

// read adds a case with its pairs and reviews, but those that the other end has
// brought, and returns the cases that hang together with it.
func (n *Neighbourhood) read(ctx context.Context, g Graph, ref evidence.Ref, seen map[evidence.Ref]bool) ([]evidence.Ref, error) {
	c, ok, err := g.Case(ctx, ref)
	if err != nil || !ok {
		return nil, err
	}
	edges, err := g.Edges(ctx, ref)
	if err != nil {
		return nil, err
	}
	reviews, err := g.Reviews(ctx, ref)
	if err != nil {
		return nil, err
	}
	n.Cases = append(n.Cases, c)
	var next []evidence.Ref
	for i := range edges {
		e := &edges[i]
		other := otherEnd(ref, e.A, e.B)
		if seen[other] {
			continue
		}
		n.Edges = append(n.Edges, *e)
		if pulls(e) {
			next = append(next, other)
		}
	}
	for _, r := range reviews {
		other := otherEnd(ref, r.A, r.B)
		if seen[other] {
			continue
		}
		n.Reviews = append(n.Reviews, r)
		if r.Same {
			next = append(next, other)
		}
	}
	seen[ref] = true
	return next, nil
}

func otherEnd(ref, a, b evidence.Ref) evidence.Ref {
	if a == ref {
		return b
	}
	return a
}

// Refresh returns the clustering of a graph of which previous was the clustering
// before some cases were touched. Touched are the cases that came, went or
// changed, both ends of every pair whose edge or reviews did, and what a case that
// went was confirmed with. Only what hangs together with them is read; the result
// is that of Cluster on the whole graph.
func Refresh(ctx context.Context, g Graph, previous Result, touched []evidence.Ref) (Result, error) {
	n, err := Gather(ctx, g, touched)
	if err != nil {
		return Result{}, err
	}
	fresh := Cluster(n.Cases, n.Edges, n.Reviews)
	done := make(map[evidence.Ref]bool, len(touched)+len(n.Cases))
	for _, ref := range touched {
		done[ref] = true
	}
	for i := range n.Cases {
		done[n.Cases[i].Ref] = true
	}
	return previous.replace(done, fresh), nil
}

// replace puts fresh in the place of what was known of some cases.
func (r Result) replace(done map[evidence.Ref]bool, fresh Result) Result {
	for _, a := range r.Actors {
		if !slices.ContainsFunc(a.Members, func(m evidence.Ref) bool { return done[m] }) {
			fresh.Actors = append(fresh.Actors, a)
		}
	}
	for _, c := range r.Conflicts {
		if !done[c.SetAside.A] && !done[c.SetAside.B] {
			fresh.Conflicts = append(fresh.Conflicts, c)
		}
	}
	slices.SortFunc(fresh.Actors, compareActors)
	slices.SortFunc(fresh.Conflicts, compareConflicts)
	return fresh
}
