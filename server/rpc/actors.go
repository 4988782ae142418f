package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// actorAt finds the actor that an id stands for.
func actorAt(v access.Viewer, snap graph.Snapshot, path, id string) (*graph.Actor, *actorView, error) {
	if id == "" {
		return nil, nil, violation(path, "REQUIRED", "the id of an actor is needed")
	}
	ref, ok, err := snap.ActorCase(id)
	if err != nil {
		return nil, nil, err
	}
	if !ok || !v.Reads(ref.Tenant) {
		return nil, nil, errNoActor
	}
	a, err := snap.ActorOf(ref)
	if err != nil {
		return nil, nil, err
	}
	if a == nil {
		return nil, nil, errNoActor
	}
	w, err := viewActor(v, snap, a.Members)
	return a, w, err
}

// settled waits, within bounds, for the linker, so that who asks at once after a
// change is told what follows from it.
func (s *Service) settled(ctx context.Context) error {
	settle, cancel := context.WithTimeout(ctx, s.settleWithin)
	defer cancel()
	if err := s.settler.Settle(settle); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// ListActors implements elsewherev1.CorrelationServiceServer.
func (s *Service) ListActors(ctx context.Context, req *elsewherev1.ListActorsRequest) (*elsewherev1.ListActorsResponse, error) {
	res, err := s.listActors(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listActors(ctx context.Context, req *elsewherev1.ListActorsRequest) (*elsewherev1.ListActorsResponse, error) {
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	var res elsewherev1.ListActorsResponse_builder
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		var after evidence.Ref
		if err := s.openToken(v, req.GetPageToken(), &after, "ListActors"); err != nil {
			return err
		}
		for w, err := range actorViews(ctx, v, snap, after, size+1) {
			if err != nil {
				return err
			}
			if len(res.Actors) == size {
				res.NextPageToken, err = s.sealToken(v, after, "ListActors")
				return err
			}
			one, _, err := s.brief(w, maxListedMembers)
			if err != nil {
				return err
			}
			one.SetTechniques(nil)
			res.Actors = append(res.Actors, one)
			after = w.place
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

// GetActor implements elsewherev1.CorrelationServiceServer.
func (s *Service) GetActor(ctx context.Context, req *elsewherev1.GetActorRequest) (*elsewherev1.GetActorResponse, error) {
	if err := s.settled(ctx); err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	a, err := s.actor(ctx, req.GetActor())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return elsewherev1.GetActorResponse_builder{Actor: a}.Build(), nil
}

func (s *Service) actor(ctx context.Context, id string) (out *elsewherev1.Actor, err error) {
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		_, w, err := actorAt(v, snap, "actor", id)
		if err == nil {
			out, err = s.whole(ctx, w)
		}
		return err
	})
	return out, err
}

// UpdateActor implements elsewherev1.CorrelationServiceServer.
func (s *Service) UpdateActor(ctx context.Context, req *elsewherev1.UpdateActorRequest) (*elsewherev1.UpdateActorResponse, error) {
	a, err := s.updateActor(ctx, req)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return elsewherev1.UpdateActorResponse_builder{Actor: a}.Build(), nil
}

// renameTries is how often a change of a name is made anew because somebody else has
// changed it meanwhile.
const renameTries = 100

func (s *Service) updateActor(ctx context.Context, req *elsewherev1.UpdateActorRequest) (*elsewherev1.Actor, error) {
	for try := 1; ; try++ {
		err := s.renameOnce(ctx, req)
		if errors.Is(err, graph.ErrAnchorChanged) && try < renameTries {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.actor(ctx, req.GetActor().GetId())
	}
}

// renameOnce makes a change of what is there now, graph.ErrAnchorChanged if it is not
// any more when the change is written.
func (s *Service) renameOnce(ctx context.Context, req *elsewherev1.UpdateActorRequest) error {
	var now graph.Anchor
	var was []graph.Anchor
	var founder evidence.Ref
	err := s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		a, w, err := actorAt(v, snap, "actor.id", req.GetActor().GetId())
		if err != nil {
			return err
		}
		founder, now = a.Founder, w.anchor
		if now.Time.IsZero() {
			now.Ref = w.founder
		}
		now.Author, now.Time = v.Name(), s.clock().UTC().Truncate(time.Microsecond)
		if err := s.rename(&now, w, req); err != nil {
			return err
		}
		if !w.anchor.Time.IsZero() && w.anchor.Ref != now.Ref {
			was = append(was, w.anchor)
		}
		hung, err := snap.AnchorOf(now.Ref)
		was = append(was, hung)
		return err
	})
	if err != nil {
		return err
	}
	event := graph.ActorEvent{Change: graph.ActorNamed, To: founder, Members: []evidence.Ref{now.Ref}, Author: now.Author, Text: now.Name}
	return s.store.Anchor(ctx, now, was, event)
}

// rename applies a request to what hangs on a case.
func (s *Service) rename(a *graph.Anchor, w *actorView, req *elsewherev1.UpdateActorRequest) error {
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		return violation("update_mask", "REQUIRED", "name, aliases, note or anchor")
	}
	for _, path := range paths {
		switch path {
		case "name":
			a.Name = req.GetActor().GetName()
			if err := checkText("actor.name", a.Name, maxName, false); err != nil {
				return err
			}
		case "note":
			a.Note = req.GetActor().GetNote()
			if err := checkText("actor.note", a.Note, maxNote, true); err != nil {
				return err
			}
		case "aliases":
			a.Aliases = req.GetActor().GetAliases()
			if len(a.Aliases) > maxAliases {
				return violation("actor.aliases", "TOO_MANY", fmt.Sprintf("at most %d", maxAliases))
			}
			for i, alias := range a.Aliases {
				at := fmt.Sprintf("actor.aliases[%d]", i)
				if alias == "" {
					return violation(at, "REQUIRED", "an alias is not empty")
				}
				if err := checkText(at, alias, maxName, false); err != nil {
					return err
				}
			}
		case "anchor":
			ref, err := s.refAt("actor.anchor", req.GetActor().GetAnchor())
			if err != nil {
				return err
			}
			if !slices.Contains(w.refs(), ref) {
				return violation("actor.anchor", "NOT_A_MEMBER", "not a case of this actor")
			}
			a.Ref = ref
		default:
			return violation("update_mask", "UNKNOWN", "only name, aliases, note and anchor can be changed")
		}
	}
	return nil
}

// linksOfActor lists the links among the cases of an actor.
func (s *Service) linksOfActor(ctx context.Context, req *elsewherev1.ListLinksRequest, tier link.Tier) (*elsewherev1.ListLinksResponse, error) {
	var res elsewherev1.ListLinksResponse_builder
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	if req.GetIncludeSameTenant() {
		return nil, violation("include_same_tenant", "NOT_WITH_ACTOR", "links within a tenant are listed by case")
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		_, w, err := actorAt(v, snap, "actor", req.GetActor())
		if err != nil {
			return err
		}
		query := []string{"ListLinks actor", req.GetActor(), tierName(tier), boolName(req.GetIncludeRefuted())}
		var at graph.RowKey
		if err := s.openToken(v, req.GetPageToken(), &at, query...); err != nil {
			return err
		}
		in := make(map[evidence.Ref]bool)
		for _, ref := range w.refs() {
			in[ref] = true
		}
		for _, ref := range w.refs() {
			if ref.Compare(at.A) < 0 {
				continue
			}
			for row, err := range snap.RowsOfCase(ref) {
				if err != nil {
					return err
				}
				if row.A != ref || !in[row.B] || row.Compare(at) <= 0 {
					continue
				}
				listed := row.Verdict != graph.Refuted && linker.EffectiveTier(row.Score, row.Verdict) >= tier
				if !listed && (row.Verdict != graph.Refuted || !req.GetIncludeRefuted()) {
					continue
				}
				if len(res.Links) == size {
					res.NextPageToken, err = s.sealToken(v, at, query...)
					return err
				}
				l, err := s.link(snap, row)
				if errors.Is(err, graph.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				res.Links = append(res.Links, l)
				at = row.RowKey
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}
