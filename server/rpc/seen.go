package rpc

import (
	"context"
	"fmt"
	"strings"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Bounds of one answer of Seen.
const (
	maxSeen       = 10_000
	seenSightings = 10
)

// Seen implements elsewherev1.CorrelationServiceServer.
func (s *Service) Seen(ctx context.Context, req *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
	if n := len(req.GetObservables()); n > maxSeen {
		return nil, toStatus(ctx, s.log, violation("observables", "TOO_MANY", fmt.Sprintf("%d values; at most %d", n, maxSeen)))
	}
	res := elsewherev1.SeenResponse_builder{Results: make([]*elsewherev1.SeenResult, len(req.GetObservables()))}
	o := s.options()
	err := s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		for i, obs := range req.GetObservables() {
			if err := ctx.Err(); err != nil {
				return err
			}
			path := fmt.Sprintf("observables[%d].", i)
			value, invalid, err := asked(v, snap, obs, path, o)
			if err != nil {
				return err
			}
			if invalid != nil {
				res.Results[i] = elsewherev1.SeenResult_builder{
					Observable: elsewherev1.Observable_builder{Kind: obs.GetKind(), Value: echo(obs)}.Build(),
					Status:     elsewherev1.SeenStatus_SEEN_STATUS_INVALID,
					Violation:  wireViolation(*invalid),
				}.Build()
				continue
			}
			result, err := s.seen(v, snap, value)
			if err != nil {
				return err
			}
			if obs.GetKind() == "" && value.Kind == evidence.KindRuleName && result.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN {
				// Nobody said that it is the name of a rule; it had no other form.
				result.GetObservable().SetValue(obs.GetValue())
			}
			res.Results[i] = result
		}
		return nil
	})
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return res.Build(), nil
}

// otherReadings are the kinds that a value may also be of whose form says kind.
func otherReadings(kind evidence.Kind) []evidence.Kind {
	switch kind {
	case evidence.KindEmail, evidence.KindDomain:
		return []evidence.Kind{evidence.KindForwardTo}
	case evidence.KindRuleName:
		return []evidence.Kind{
			evidence.KindUserAgent, evidence.KindAppID, evidence.KindJA4, evidence.KindPortProfile,
			evidence.KindAccountPattern,
		}
	}
	return nil
}

// asked reads a value that somebody asks for. Where no kind is given and the
// form fits several, it is the first that was seen: who pastes an address may
// not know that a case has it as the target of a forwarding rule.
func asked(v access.Viewer, snap graph.Snapshot, obs *elsewherev1.Observable, path string, o evidence.Options) (evidence.Value, *evidence.Violation, error) {
	p, invalid := evidence.ParseValue(evidence.Kind(obs.GetKind()), obs.GetValue(), o)
	if invalid != nil {
		at := *invalid
		at.Path = path + at.Path
		return evidence.Value{}, &at, nil
	}
	if obs.GetKind() != "" {
		return p.Value, nil, nil
	}
	readings := []evidence.Value{p.Value}
	for _, kind := range otherReadings(p.Kind) {
		if other, invalid := evidence.ParseValue(kind, obs.GetValue(), o); invalid == nil {
			readings = append(readings, other.Value)
		}
	}
	for _, value := range readings {
		summary, err := snap.Summary(value)
		if err != nil {
			return evidence.Value{}, nil, err
		}
		withheld, err := withheldFrom(v, snap, value, summary)
		if err != nil {
			return evidence.Value{}, nil, err
		}
		if summary.Cases > 0 || len(withheld) > 0 {
			return value, nil, nil
		}
	}
	return p.Value, nil, nil
}

// echo returns a value as it was sent, but never one that may be private.
func echo(obs *elsewherev1.Observable) string {
	kind := strings.ToLower(strings.TrimSpace(obs.GetKind()))
	v, known := evidence.KindVisibility(evidence.Kind(kind))
	if kind == "" || known && v != evidence.Private {
		return obs.GetValue()
	}
	return ""
}

// seen answers for one value what the viewer may know of it.
func (s *Service) seen(v access.Viewer, snap graph.Snapshot, value evidence.Value) (*elsewherev1.SeenResult, error) {
	res := elsewherev1.SeenResult_builder{Observable: wireValue(value)}
	if !v.Asks(value.Kind) {
		res.Status = elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED
		return res.Build(), nil
	}
	summary, err := snap.Summary(value)
	if err != nil {
		return nil, err
	}
	withheld, err := withheldFrom(v, snap, value, summary)
	if err != nil {
		return nil, err
	}
	class := s.rules.Classes.Class(value)
	res.Class, res.ClassReasons = class.Name, class.Reasons
	res.GenericReason = s.rules.Model.Generic(value, class, int(summary.Tenants), s.rules.Limits.ScoringTenants)
	res.Generic = res.GenericReason != ""
	tenants, cases := v.Counts(summary)
	res.Tenants, res.Cases = wireCounts(tenants), wireCounts(cases)
	res.Status = elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN
	if cases.Min == 0 && len(withheld) == 0 {
		return res.Build(), nil
	}
	res.Status = elsewherev1.SeenStatus_SEEN_STATUS_SEEN
	res.FirstSeen, res.LastSeen = exactTime(summary.First), exactTime(summary.Last)
	for _, sighting := range summary.Newest {
		if v.Reads(sighting.Tenant) {
			res.Sightings = append(res.Sightings, wireSighting(sighting, false))
		}
	}
	for _, sighting := range withheld {
		res.Sightings = append(res.Sightings, wireSighting(sighting, true))
	}
	res.MoreSightings = int(cases.Min)+len(withheld) > len(res.Sightings) || len(res.Sightings) > seenSightings
	res.Sightings = res.Sightings[:min(len(res.Sightings), seenSightings)]
	return res.Build(), nil
}

// withheldFrom returns sightings in restricted and tlp:red cases that the viewer
// may read: one more at most than an answer holds.
func withheldFrom(v access.Viewer, snap graph.Snapshot, value evidence.Value, summary graph.Summary) ([]graph.Sighting, error) {
	if summary.Withheld == 0 {
		return nil, nil
	}
	var out []graph.Sighting
	for sighting, err := range snap.Withheld(value, nil) {
		if err != nil {
			return nil, err
		}
		if !v.ReadsWithheld(sighting.Tenant) {
			continue
		}
		if out = append(out, sighting); len(out) > seenSightings {
			break
		}
	}
	return out, nil
}

// ListSightings implements elsewherev1.CorrelationServiceServer.
func (s *Service) ListSightings(ctx context.Context, req *elsewherev1.ListSightingsRequest) (*elsewherev1.ListSightingsResponse, error) {
	res, err := s.listSightings(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listSightings(ctx context.Context, req *elsewherev1.ListSightingsRequest) (*elsewherev1.ListSightingsResponse, error) {
	var res elsewherev1.ListSightingsResponse_builder
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		value, invalid, err := asked(v, snap, req.GetObservable(), "observable.", s.options())
		if err != nil {
			return err
		}
		if invalid != nil {
			return &evidence.InvalidError{Violations: []evidence.Violation{*invalid}, Total: 1}
		}
		if !v.Asks(value.Kind) {
			return graph.ErrNotFound
		}
		query := []string{"ListSightings", string(value.Kind), value.Text}
		var at sightingCursor
		if err := s.openToken(v, req.GetPageToken(), &at, query...); err != nil {
			return err
		}
		// Live sightings come first, then those withheld from others.
		for ; at.Part < 2; at = (sightingCursor{Part: at.Part + 1}) {
			sequence := snap.Sightings
			if at.Part == 1 {
				sequence = snap.Withheld
			}
			for sighting, err := range sequence(value, at.After) {
				if err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if !v.Reads(sighting.Tenant) || at.Part == 1 && !v.ReadsWithheld(sighting.Tenant) {
					continue
				}
				if len(res.Sightings) == size {
					res.NextPageToken, err = s.sealToken(v, at, query...)
					return err
				}
				res.Sightings = append(res.Sightings, wireSighting(sighting, at.Part == 1))
				at.After = &graph.Position{Ref: sighting.Ref, Last: sighting.Last}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

// sightingCursor is the place after which the next page begins.
type sightingCursor struct {
	Part  int
	After *graph.Position
}
