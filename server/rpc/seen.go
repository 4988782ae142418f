package rpc

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Bounds of one answer of Seen.
const (
	maxSeen = 10_000
	// seenTogether values are answered by one goroutine before it takes more.
	// Fewer are not worth a second one.
	seenTogether = 32
)

// Seen implements elsewherev1.CorrelationServiceServer.
func (s *Service) Seen(ctx context.Context, req *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
	res, err := s.seenAnswer(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) seenAnswer(ctx context.Context, req *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
	var stated *statedFacts
	if req.GetIncludeRecords() && s.enricher != nil {
		if n := len(req.GetObservables()); n > maxSeenRecords {
			return nil, violation("observables", "TOO_MANY", fmt.Sprintf("%d values; at most %d with include_records", n, maxSeenRecords))
		}
		stated = newStatedFacts()
	}
	results, err := s.seen(ctx, req.GetObservables(), stated)
	if err != nil {
		return nil, err
	}
	var credits credits
	if stated != nil {
		if err := s.addRecords(ctx, results, stated, &credits); err != nil {
			return nil, err
		}
	}
	return elsewherev1.SeenResponse_builder{Results: results, Attributions: credits.list}.Build(), nil
}

// seen answers for all values of a call from one state of the store, a chunk at
// a time on as many processors as there are. What cases stated of the values is
// added to stated unless that is nil.
func (s *Service) seen(ctx context.Context, asked []*elsewherev1.Observable, stated *statedFacts) ([]*elsewherev1.SeenResult, error) {
	if n := len(asked); n > maxSeen {
		return nil, violation("observables", "TOO_MANY", fmt.Sprintf("%d values; at most %d", n, maxSeen))
	}
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	options, rules := s.options(), s.rules.Now()
	chunks := (len(asked) + seenTogether - 1) / seenTogether
	results := make([]*elsewherev1.SeenResult, len(asked))
	var next atomic.Int64
	err = s.store.Views(ctx, max(min(chunks, runtime.GOMAXPROCS(0)), 1), func(snap graph.Snapshot) (err error) {
		defer func() {
			if err != nil {
				// Nobody will read what the others would find.
				next.Store(int64(chunks))
			}
		}()
		defer contain(ctx, s.log, elsewherev1.CorrelationService_Seen_FullMethodName, &err)
		q := question{service: s, viewer: viewer, snap: snap, options: options, rules: rules}
		for {
			i := int(next.Add(1) - 1)
			if i >= chunks {
				return nil
			}
			end := min((i+1)*seenTogether, len(asked))
			messages := seenMessages{answers: end - i*seenTogether}
			for nth := i * seenTogether; nth < end; nth++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				a, err := q.answer(nth, asked[nth])
				if err != nil {
					return err
				}
				results[nth] = messages.result(&a)
				if stated != nil {
					if err := stated.add(viewer, snap, nth, &a); err != nil {
						return err
					}
				}
			}
		}
	})
	return results, err
}

// question is who asks for values, and where.
type question struct {
	service *Service
	viewer  access.Viewer
	snap    graph.Snapshot
	options evidence.Options
	rules   linker.Rules
	// readings and sightings are used again for each value.
	readings  []evidence.Value
	sightings []graph.Sighting
}

// seenAnswer is what a SeenResult says.
type seenAnswer struct {
	kind, value   string
	status        elsewherev1.SeenStatus
	violation     *evidence.Violation // where status is INVALID
	genericReason string
	disclosed     bool // what follows is given
	access.Disclosed
	class link.Class
}

// answer says of the nth value what the viewer may know of it. The sightings are
// good until the next.
func (q *question) answer(nth int, obs *elsewherev1.Observable) (seenAnswer, error) {
	if invalid := q.read(obs); invalid != nil {
		invalid.Path = "observables[" + strconv.Itoa(nth) + "]." + invalid.Path
		return seenAnswer{
			kind: obs.GetKind(), value: echo(obs),
			status: elsewherev1.SeenStatus_SEEN_STATUS_INVALID, violation: invalid,
		}, nil
	}
	value, d, err := q.choose()
	if err != nil {
		return seenAnswer{}, err
	}
	a := seenAnswer{kind: string(value.Kind), value: value.Text}
	if d.Refused {
		a.status = elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED
		if private(value.Kind) {
			a.value = ""
		}
		return a, nil
	}
	rules := q.rules
	// What look-ups said of a value tells that somebody asked about it.
	if q.viewer.LooksUp() {
		a.class = rules.Classes.Class(value)
	}
	a.genericReason = rules.Model.Generic(value, a.class, d.Spread, rules.Limits.ScoringTenants)
	a.Disclosed, a.disclosed = d, true
	if a.status = elsewherev1.SeenStatus_SEEN_STATUS_SEEN; !d.Seen() {
		a.status = elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN
		if obs.GetKind() == "" && value.Kind == evidence.KindRuleName {
			// Nobody said that it is the name of a rule; it had no other form.
			a.value = obs.GetValue()
		}
	}
	return a, nil
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

// read sets the readings of a value that somebody asks for: more than one where
// no kind is given and the form fits several.
func (q *question) read(obs *elsewherev1.Observable) *evidence.Violation {
	p, invalid := evidence.ParseValue(evidence.Kind(obs.GetKind()), obs.GetValue(), q.options)
	if invalid != nil {
		return invalid
	}
	q.readings = append(q.readings[:0], p.Value)
	if obs.GetKind() != "" {
		return nil
	}
	for _, kind := range otherReadings(p.Kind) {
		if other, invalid := evidence.ParseValue(kind, obs.GetValue(), q.options); invalid == nil {
			q.readings = append(q.readings, other.Value)
		}
	}
	return nil
}

// choose returns the first reading that was seen as far as the viewer may know,
// else the first: who pastes an address may not know that a case has it as the
// target of a forwarding rule.
func (q *question) choose() (evidence.Value, access.Disclosed, error) {
	var first access.Disclosed
	for i, value := range q.readings {
		d, err := q.viewer.Look(q.snap, value, q.sightings)
		if err != nil {
			return evidence.Value{}, access.Disclosed{}, err
		}
		q.sightings = d.Sightings[:0]
		if d.Seen() {
			return value, d, nil
		}
		if i == 0 {
			first = d
		}
	}
	return q.readings[0], first, nil
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
		q := question{service: s, viewer: v, snap: snap, options: s.options()}
		if invalid := q.read(req.GetObservable()); invalid != nil {
			return violation("observable."+invalid.Path, invalid.Reason, invalid.Message)
		}
		value, _, err := q.choose()
		if err != nil {
			return err
		}
		if !v.Asks(value.Kind) {
			return violation("observable.kind", "NOT_DISCLOSED", "values of this kind are not for this key")
		}
		query := []string{"ListSightings", string(value.Kind), value.Text}
		var at sightingCursor
		if err := s.openToken(v, req.GetPageToken(), &at, query...); err != nil {
			return err
		}
		// Live sightings come first, then those withheld from others.
		for ; at.Part < 2; at = (sightingCursor{Part: at.Part + 1}) {
			sequence := v.Sightings
			if at.Part == 1 {
				sequence = v.Withheld
			}
			for sighting, err := range sequence(snap, value, at.After) {
				if err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return err
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
