package rpc

import (
	"context"
	"errors"
	"iter"
	"slices"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Bounds of a history: how many actors that went into this one are followed, and how
// many events are read of all.
const (
	maxHistories     = 64
	maxHistoryEvents = graph.MaxActorEvents
)

// ActorHistory implements elsewherev1.CorrelationServiceServer.
func (s *Service) ActorHistory(ctx context.Context, req *elsewherev1.ActorHistoryRequest) (*elsewherev1.ActorHistoryResponse, error) {
	res, err := s.actorHistory(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) actorHistory(ctx context.Context, req *elsewherev1.ActorHistoryRequest) (*elsewherev1.ActorHistoryResponse, error) {
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	var res elsewherev1.ActorHistoryResponse_builder
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		a, _, err := actorAt(v, snap, "actor", req.GetActor())
		if err != nil {
			return err
		}
		query := []string{"ActorHistory", req.GetActor()}
		var h histories
		if err := s.openToken(v, req.GetPageToken(), &h, query...); err != nil {
			return err
		}
		h.begin(a.Founder)
		for e, err := range h.events(ctx, snap) {
			if err != nil {
				return err
			}
			wire, err := s.wireEvent(v, snap, e)
			if err != nil {
				return err
			}
			if wire == nil {
				continue
			}
			if len(res.Events) == size {
				res.NextPageToken, err = s.sealToken(v, h.at(e, v.ReadsAll()), query...)
				return err
			}
			res.Events = append(res.Events, wire)
		}
		if v.ReadsAll() {
			res.OlderDropped, err = h.dropped(snap)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

// histories are those of an actor and of the actors that went into it, read together
// from the newest event on. It is also where a reader stands.
type histories struct {
	// Founders are those that are followed, the actor's own first.
	Founders []evidence.Ref
	// UpTo is the graph.EventPlace of the next event, nil at the beginning.
	UpTo []byte
	// Read is how many events were read.
	Read int

	// skip is the place of the first event to yield, where those before have to be
	// read again to find out what is followed.
	skip graph.EventPlace
	// full says that there were more than are read.
	full bool
}

// begin goes on with the history of an actor.
func (h *histories) begin(founder evidence.Ref) {
	if len(h.Founders) == 0 {
		*h = histories{Founders: []evidence.Ref{founder}, skip: graph.EventPlace(h.UpTo)}
	}
}

// at returns where who reads stands before an event. Who reads a part of the tenants
// carries nothing of how much else there is, not even by the length of his token.
func (h *histories) at(e *graph.ActorEvent, all bool) histories {
	if !all {
		return histories{UpTo: []byte(e.Place)}
	}
	return histories{Founders: h.Founders, UpTo: []byte(e.Place), Read: h.Read - 1}
}

// stream is one history, with its next event.
type stream struct {
	next func() (graph.ActorEvent, error, bool)
	stop func()
	head graph.ActorEvent
	over bool
}

// advance reads the next event.
func (s *stream) advance() error {
	e, err, ok := s.next()
	s.head, s.over = e, !ok
	return err
}

// events yields what became of the actor and of those that went into it, newest first.
func (h *histories) events(ctx context.Context, snap graph.Snapshot) iter.Seq2[*graph.ActorEvent, error] {
	return func(yield func(*graph.ActorEvent, error) bool) {
		var open []*stream
		defer func() {
			for _, s := range open {
				s.stop()
			}
		}()
		follow := func(founder evidence.Ref, upTo graph.EventPlace) error {
			s := &stream{}
			s.next, s.stop = iter.Pull2(snap.ActorEvents(founder, upTo))
			open = append(open, s)
			return s.advance()
		}
		for _, founder := range h.Founders {
			if err := follow(founder, graph.EventPlace(h.UpTo)); err != nil {
				yield(nil, err)
				return
			}
		}
		for {
			var newest *stream
			for _, s := range open {
				if !s.over && (newest == nil || s.head.Place > newest.head.Place) {
					newest = s
				}
			}
			if newest == nil {
				return
			}
			if h.full = h.Read == maxHistoryEvents; h.full {
				return
			}
			e := newest.head
			// What went into an actor that is followed is followed from there on.
			before := e.Change == graph.ActorRenamed || e.Change == graph.ActorMerged
			if before && h.follows(e.To) && !h.follows(e.From) && len(h.Founders) < maxHistories {
				h.Founders = append(h.Founders, e.From)
				if err := follow(e.From, e.Place); err != nil {
					yield(nil, err)
					return
				}
			}
			h.Read++
			if (h.skip == "" || e.Place <= h.skip) && !yield(&e, ctx.Err()) {
				return
			}
			// An event is kept under both actors that it names.
			for _, s := range open {
				if !s.over && s.head.Place == e.Place {
					if err := s.advance(); err != nil {
						yield(nil, err)
						return
					}
				}
			}
		}
	}
}

func (h *histories) follows(founder evidence.Ref) bool { return slices.Contains(h.Founders, founder) }

// dropped reports whether there were older events.
func (h *histories) dropped(snap graph.Snapshot) (bool, error) {
	for _, founder := range h.Founders {
		n, err := snap.ActorEventsDropped(founder)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return h.full, nil
}

// wireEvent writes an event as far as the viewer may know of it, nil if that is not
// at all.
func (s *Service) wireEvent(v access.Viewer, snap graph.Snapshot, e *graph.ActorEvent) (*elsewherev1.ActorEvent, error) {
	b := elsewherev1.ActorEvent_builder{
		Time: toTimestamp(e.Time), Change: elsewherev1.ActorChange(e.Change), Author: e.Author, Text: e.Text,
		MoreMembers: e.More > 0,
	}
	for _, m := range e.Members {
		if !v.Reads(m.Tenant) {
			b.MoreMembers = true
			continue
		}
		h, err := snap.Header(m)
		if errors.Is(err, graph.ErrNotFound) || err == nil && !v.ReadsCase(h) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b.Members = append(b.Members, m.String())
	}
	if len(b.Members) == 0 && !v.ReadsAll() {
		return nil, nil
	}
	for _, end := range []struct {
		ref evidence.Ref
		out *string
	}{{e.From, &b.From}, {e.To, &b.To}} {
		if end.ref != (evidence.Ref{}) && v.Reads(end.ref.Tenant) {
			*end.out = s.key.ActorID(end.ref)
		}
	}
	return b.Build(), nil
}
