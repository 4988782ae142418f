package rpc

import (
	"errors"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// ExportActors tells exports of actors what GetActor tells of them: whoever reads a
// part of the cases hands on an actor made of that part. Names that people gave stay,
// as receivers merge actors of one name.
type ExportActors struct{ Key *CorrelationKey }

// Members implements export.Actors.
func (a ExportActors) Members(v access.Viewer, snap graph.Snapshot, id string) (export.Actor, []evidence.Ref, error) {
	_, w, err := actorAt(v, snap, "selection.actor", id)
	if errors.Is(err, errNoActor) {
		err = errors.Join(errNoActor, graph.ErrNotFound)
	}
	if err != nil {
		return export.Actor{}, nil, err
	}
	return export.Actor{ID: a.Key.ActorID(w.founder), Cases: len(w.cases)}, w.refs(), nil
}
