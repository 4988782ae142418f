package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Bounds of what people write, in characters.
const (
	maxReason  = 1_000
	maxName    = 100
	maxNote    = 4_000
	maxAliases = 20
)

// checkText refuses what is too long or would not print.
func checkText(path, text string, most int, lines bool) error {
	if utf8.RuneCountInString(text) > most {
		return violation(path, "TOO_LONG", fmt.Sprintf("at most %d characters", most))
	}
	for _, r := range text {
		if r == '\n' && lines {
			continue
		}
		if !unicode.IsPrint(r) {
			return violation(path, "NOT_TEXT", "holds a character that does not print")
		}
	}
	return nil
}

// ReviewLink implements elsewherev1.CorrelationServiceServer.
func (s *Service) ReviewLink(ctx context.Context, req *elsewherev1.ReviewLinkRequest) (*elsewherev1.ReviewLinkResponse, error) {
	res, err := s.reviewLink(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

// readReview reads what a request says, without looking at any case.
func (s *Service) readReview(v access.Viewer, req *elsewherev1.ReviewLinkRequest) (r graph.Review, err error) {
	var ends [2]evidence.Ref
	for i, end := range []struct{ path, ref string }{{"a", req.GetA()}, {"b", req.GetB()}} {
		if ends[i], err = s.refAt(end.path, end.ref); err != nil {
			return r, err
		}
	}
	if ends[0] == ends[1] {
		return r, link.ErrSameCase
	}
	r = graph.Review{RowKey: graph.Pair(ends[0], ends[1]), Author: v.Name(), Reason: req.GetReason(), Time: s.clock().UTC().Truncate(time.Microsecond)}
	switch req.GetAction() {
	case elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM:
		r.Verdict = graph.Confirmed
	case elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE:
		r.Verdict = graph.Refuted
	case elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR:
	default:
		return r, violation("action", "REQUIRED", "CONFIRM, REFUTE or CLEAR")
	}
	if r.Reason == "" && r.Verdict != graph.Unreviewed {
		return r, violation("reason", "REQUIRED", "a reason is needed")
	}
	return r, checkText("reason", r.Reason, maxReason, false)
}

func (s *Service) reviewLink(ctx context.Context, req *elsewherev1.ReviewLinkRequest) (*elsewherev1.ReviewLinkResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	r, err := s.readReview(viewer, req)
	if err != nil {
		return nil, err
	}
	var res elsewherev1.ReviewLinkResponse_builder
	err = s.store.View(ctx, func(snap graph.Snapshot) error {
		for _, ref := range [...]evidence.Ref{r.A, r.B} {
			if err := readable(viewer, snap, ref); err != nil {
				return err
			}
		}
		was, err := snap.Review(r.RowKey)
		if err != nil {
			return err
		}
		for said, err := range snap.ReviewHistory(r.RowKey) {
			if err != nil {
				return err
			}
			res.History = append(res.History, wireReview(said))
		}
		if r.Verdict != graph.Unreviewed || was.Verdict != graph.Unreviewed {
			res.History = append(res.History, wireReview(r))
		}
		return s.effect(ctx, viewer, snap, was, r, &res)
	})
	if err != nil || req.GetDryRun() {
		return res.Build(), err
	}
	if err := s.store.Judge(ctx, r); err != nil {
		return nil, err
	}
	// So that who asks next is told what follows from it; it does all the same.
	return res.Build(), s.settled(ctx)
}

// effect writes what a review changes.
func (s *Service) effect(ctx context.Context, v access.Viewer, snap graph.Snapshot, was, r graph.Review, res *elsewherev1.ReviewLinkResponse_builder) error {
	if err := s.linksAround(snap, was, r, res); err != nil {
		return err
	}
	p, err := linker.PreviewReview(ctx, snap, was, r)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		actors []actor.Actor
		out    *[]*elsewherev1.Actor
	}{{p.Before, &res.ActorsBefore}, {p.After, &res.ActorsAfter}} {
		for i := range side.actors {
			w, err := viewActor(v, snap, side.actors[i].Members)
			if errors.Is(err, errNoActor) {
				continue
			}
			if err != nil {
				return err
			}
			a, _, err := s.brief(w, maxMembers)
			if err != nil {
				return err
			}
			*side.out = append(*side.out, a)
		}
	}
	res.Conflicts, err = wireConflicts(v, snap, p.Conflicts)
	return err
}

// linksAround writes the link of a pair before and after a review.
func (s *Service) linksAround(snap graph.Snapshot, was, r graph.Review, res *elsewherev1.ReviewLinkResponse_builder) error {
	var sides [2]*evidence.Profile
	for i, ref := range [...]evidence.Ref{r.A, r.B} {
		var err error
		if sides[i], err = snap.Profile(ref); err != nil {
			return err
		}
	}
	scorer, err := s.rules.Now().Scorer(snap)
	if err != nil {
		return err
	}
	o, err := scorer.Score(sides[0], sides[1])
	if err != nil {
		return err
	}
	for _, end := range []struct {
		verdict graph.Verdict
		out     **elsewherev1.Link
	}{{was.Verdict, &res.Before}, {r.Verdict, &res.After}} {
		if end.verdict == graph.Unreviewed && o.Tier < link.Lead {
			continue
		}
		row := graph.Row{RowKey: r.RowKey, Score: linker.ScoreOf(o), Verdict: end.verdict}
		if row.Held, err = linker.Holds(snap, &row); err != nil {
			return err
		}
		if *end.out, err = s.link(snap, row); err != nil {
			return err
		}
	}
	return nil
}
