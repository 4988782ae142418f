package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Models keeps the versions of the model and which one is active.
type Models interface {
	// Models returns every version in order, and the activations, newest first.
	Models(context.Context) ([]Model, []Activation, error)
	// Model returns one version, the active one for 0, or graph.ErrNotFound.
	Model(ctx context.Context, version uint32) (Model, error)
	// Propose learns from judged pairs. What it stores has a version; with dryRun,
	// and where nothing would change, it stores nothing. Errors are those of package
	// learn.
	Propose(ctx context.Context, by, note string, judged []learn.Judged, dryRun bool) (Proposal, error)
	// Apply makes a version active, and Rollback the one before; they return the
	// version that was active. Errors are graph.ErrNotFound, ErrModelOutdated and
	// ErrNoRollback.
	Apply(ctx context.Context, by string, version uint32, evenIfOutdated bool) (Model, uint32, error)
	Rollback(ctx context.Context, by string) (Model, uint32, error)
}

// ErrModelOutdated is returned for a model that was learned while another version
// was active than now.
var ErrModelOutdated = errors.New("another model is active than the one that this was learned from")

// ErrNoRollback is returned where no model was applied that could be taken back.
var ErrNoRollback = errors.New("no applied model is left to take back")

// Model is one version of the model in a deployment.
type Model struct {
	*link.Model
	Active bool
	// LearnedFrom is the version that was active when it was learned, 0 for what
	// is part of the program.
	LearnedFrom   uint32
	Definition    *link.Definition
	By            string
	Reviews       int
	Before, After float64 // NaN where nothing was held out
}

// Activation is one change of the active model.
type Activation struct {
	Version, Previous uint32
	Rollback          bool
	At                time.Time
	By                string
}

// Proposal is what a deployment would change.
type Proposal struct {
	*learn.Proposal
	// Model is nil where nothing would change.
	Model *Model
	// Tiers counts pairs by their tier now and under the proposal, of Compared pairs.
	Tiers    map[[2]link.Tier]int
	Compared int
}

// Bounds of one call.
const (
	maxJudged      = 10_000
	maxActivations = 100
)

// errNoModels is what a service answers that cannot change its model.
func errNoModels() error {
	return status.Error(codes.Unimplemented, "this server does not keep models")
}

// administrator returns who asks where only an administrator may.
func (s *Service) administrator(ctx context.Context) (access.Viewer, error) {
	if s.models == nil {
		return access.Viewer{}, errNoModels()
	}
	v, err := access.From(ctx)
	if err == nil && !v.Administers() {
		err = status.Error(codes.PermissionDenied, "only an administrator may change the model")
	}
	return v, err
}

// ListModels implements elsewherev1.ModelServiceServer.
func (s *Service) ListModels(ctx context.Context, _ *elsewherev1.ListModelsRequest) (*elsewherev1.ListModelsResponse, error) {
	res, err := s.listModels(ctx)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listModels(ctx context.Context) (*elsewherev1.ListModelsResponse, error) {
	if s.models == nil {
		return nil, errNoModels()
	}
	if _, err := access.From(ctx); err != nil {
		return nil, err
	}
	models, activations, err := s.models.Models(ctx)
	if err != nil {
		return nil, err
	}
	var res elsewherev1.ListModelsResponse_builder
	for i := range models {
		res.Models = append(res.Models, wireModel(&models[i]))
	}
	for _, a := range activations[:min(len(activations), maxActivations)] {
		res.History = append(res.History, elsewherev1.ModelActivation_builder{
			Version: a.Version, PreviousVersion: a.Previous, Rollback: a.Rollback,
			ActivatedAt: toTimestamp(a.At), ActivatedBy: a.By,
		}.Build())
	}
	return res.Build(), nil
}

// GetModel implements elsewherev1.ModelServiceServer.
func (s *Service) GetModel(ctx context.Context, req *elsewherev1.GetModelRequest) (*elsewherev1.GetModelResponse, error) {
	res, err := s.getModel(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) getModel(ctx context.Context, req *elsewherev1.GetModelRequest) (*elsewherev1.GetModelResponse, error) {
	if s.models == nil {
		return nil, errNoModels()
	}
	if _, err := access.From(ctx); err != nil {
		return nil, err
	}
	m, err := s.models.Model(ctx, req.GetVersion())
	if err != nil {
		return nil, modelNotFound(err, req.GetVersion())
	}
	definition, err := m.Definition.JSON()
	if err != nil {
		return nil, err
	}
	base, ok := link.BuiltIn(m.Base())
	if !ok {
		return nil, &link.UnknownBaseError{Version: m.Version(), Base: m.Base()}
	}
	was := make(map[string]float64)
	for _, p := range base.Parameters() {
		was[p.Name] = p.Value
	}
	res := elsewherev1.GetModelResponse_builder{Model: wireModel(&m), Definition: string(definition)}
	for _, p := range m.Parameters() {
		res.Parameters = append(res.Parameters, elsewherev1.ModelParameter_builder{
			Name: p.Name, Value: p.Value, Unit: p.Unit, Min: p.Min, Max: p.Max, Origin: p.Origin, BaseValue: was[p.Name],
		}.Build())
	}
	return res.Build(), nil
}

// modelNotFound names the version that there is none of.
func modelNotFound(err error, version uint32) error {
	if errors.Is(err, graph.ErrNotFound) {
		return status.Error(codes.NotFound, fmt.Sprintf("there is no model version %d", version))
	}
	return err
}

// ProposeModel implements elsewherev1.ModelServiceServer.
func (s *Service) ProposeModel(ctx context.Context, req *elsewherev1.ProposeModelRequest) (*elsewherev1.ProposeModelResponse, error) {
	res, err := s.proposeModel(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) proposeModel(ctx context.Context, req *elsewherev1.ProposeModelRequest) (*elsewherev1.ProposeModelResponse, error) {
	viewer, err := s.administrator(ctx)
	if err != nil {
		return nil, err
	}
	if err := link.CheckNote(req.GetNote()); err != nil {
		return nil, violation("note", "INVALID", err.Error())
	}
	judged, err := s.readJudged(ctx, req.GetJudged())
	if err != nil {
		return nil, err
	}
	if req.GetFromReviews() {
		if judged, err = s.addReviewed(ctx, judged); err != nil {
			return nil, err
		}
	}
	p, err := s.models.Propose(ctx, viewer.Name(), req.GetNote(), judged, req.GetDryRun())
	if err != nil {
		return nil, judgedError(err, judged)
	}
	return wireProposal(&p), nil
}

// readJudged reads judged pairs, all of whose cases have to exist.
func (s *Service) readJudged(ctx context.Context, sent []*elsewherev1.JudgedPair) ([]learn.Judged, error) {
	if n := len(sent); n > maxJudged {
		return nil, violation("judged", "TOO_MANY", fmt.Sprintf("%d pairs; at most %d", n, maxJudged))
	}
	judged := make([]learn.Judged, len(sent))
	invalid := &evidence.InvalidError{}
	refuse := func(path, reason, message string) {
		if invalid.Total++; len(invalid.Violations) < evidence.MaxViolations {
			invalid.Violations = append(invalid.Violations, evidence.Violation{Path: path, Reason: reason, Message: message})
		}
	}
	err := s.store.View(ctx, func(snap graph.Snapshot) error {
		for i, pair := range sent {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := "judged[" + strconv.Itoa(i) + "]"
			j := &judged[i]
			*j = learn.Judged{Same: pair.GetSame(), Weight: pair.GetWeight()}
			for _, end := range []struct {
				path, ref string
				to        *evidence.Ref
			}{{at + ".a", pair.GetA(), &j.A}, {at + ".b", pair.GetB(), &j.B}} {
				ref, err := s.refAt(end.path, end.ref)
				if bad, ok := errors.AsType[*evidence.InvalidError](err); ok {
					refuse(end.path, bad.Violations[0].Reason, bad.Violations[0].Message)
					continue
				}
				if err != nil {
					return err
				}
				// An administrator reads no case, and names the pairs that others judged.
				switch _, err := snap.Meta(ref); {
				case errors.Is(err, graph.ErrNotFound):
					refuse(end.path, "NOT_FOUND", fmt.Sprintf("there is no case %s", ref))
				case err != nil:
					return err
				}
				*end.to = ref
			}
			if w := pair.GetWeight(); math.IsNaN(w) || w < 0 || w > learn.MaxWeight {
				refuse(at+".weight", "OUT_OF_RANGE", fmt.Sprintf("a weight is 0 to %g", float64(learn.MaxWeight)))
			}
			if j.A == j.B && j.A != (evidence.Ref{}) {
				refuse(at+".b", "SAME_CASE", link.ErrSameCase.Error())
			}
		}
		return nil
	})
	if err == nil && invalid.Total > 0 {
		err = invalid
	}
	return judged, err
}

// addReviewed adds the reviews that stand, of pairs that are not judged already. Those
// of one tenant say nothing of how many tenants use a value.
func (s *Service) addReviewed(ctx context.Context, judged []learn.Judged) ([]learn.Judged, error) {
	named := make(map[graph.RowKey]bool, len(judged))
	for _, j := range judged {
		named[graph.Pair(j.A, j.B)] = true
	}
	err := s.store.View(ctx, func(snap graph.Snapshot) error {
		for r, err := range snap.ReviewsAfter(graph.RowKey{}) {
			if err != nil {
				return err
			}
			if named[r.RowKey] || r.A.Tenant == r.B.Tenant {
				continue
			}
			if len(judged) == maxJudged {
				return violation("from_reviews", "TOO_MANY", fmt.Sprintf("more than %d pairs with those that are judged", maxJudged))
			}
			judged = append(judged, learn.Judged{A: r.A, B: r.B, Same: r.Verdict == graph.Confirmed})
		}
		return nil
	})
	return judged, err
}

// judgedError names the pair that an error of learning is about.
func judgedError(err error, judged []learn.Judged) error {
	if c, ok := errors.AsType[*learn.ContradictionError](err); ok {
		for i, j := range judged {
			if (j.A == c.A && j.B == c.B || j.A == c.B && j.B == c.A) && !j.Same {
				return violation("judged["+strconv.Itoa(i)+"].same", "CONTRADICTION", err.Error())
			}
		}
	}
	return err
}

// ApplyModel implements elsewherev1.ModelServiceServer.
func (s *Service) ApplyModel(ctx context.Context, req *elsewherev1.ApplyModelRequest) (*elsewherev1.ApplyModelResponse, error) {
	viewer, err := s.administrator(ctx)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	m, previous, err := s.models.Apply(ctx, viewer.Name(), req.GetVersion(), req.GetEvenIfOutdated())
	if err != nil {
		return nil, toStatus(ctx, s.log, modelNotFound(err, req.GetVersion()))
	}
	return elsewherev1.ApplyModelResponse_builder{Model: wireModel(&m), PreviousVersion: previous}.Build(), nil
}

// RollbackModel implements elsewherev1.ModelServiceServer.
func (s *Service) RollbackModel(ctx context.Context, _ *elsewherev1.RollbackModelRequest) (*elsewherev1.RollbackModelResponse, error) {
	viewer, err := s.administrator(ctx)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	m, previous, err := s.models.Rollback(ctx, viewer.Name())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return elsewherev1.RollbackModelResponse_builder{Model: wireModel(&m), PreviousVersion: previous}.Build(), nil
}

// modelStatus maps the errors of Models to their status, nil for any other.
func modelStatus(err error) error {
	reason := ""
	switch {
	case errors.Is(err, ErrModelOutdated):
		reason = "MODEL_OUTDATED"
	case errors.Is(err, ErrNoRollback):
		reason = "NOTHING_TO_ROLL_BACK"
	default:
		return nil
	}
	return withDetails(codes.FailedPrecondition, err.Error(), &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain})
}
