package client

import (
	"context"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// learnTimeout bounds a Propose whose context has no deadline: the server compares
// every judged pair under some twenty models.
const learnTimeout = 10 * time.Minute

// Models returns the versions of the model that the server can use, in order, and
// when which was active, newest first.
func (c *Client) Models(ctx context.Context) (*elsewherev1.ListModelsResponse, error) {
	return call(ctx, c, c.models.ListModels, elsewherev1.ListModelsRequest_builder{}.Build())
}

// Model returns every constant of one version of the model, of the active one for
// 0. ErrNotFound if there is none of that number.
func (c *Client) Model(ctx context.Context, version uint32) (*elsewherev1.GetModelResponse, error) {
	return call(ctx, c, c.models.GetModel, elsewherev1.GetModelRequest_builder{Version: version}.Build())
}

// Propose learns a model from judged pairs. It changes no link: see ApplyModel.
func (c *Client) Propose(ctx context.Context, req *elsewherev1.ProposeModelRequest) (*elsewherev1.ProposeModelResponse, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, learnTimeout)
		defer cancel()
	}
	return call(ctx, c, c.models.ProposeModel, req)
}

// ApplyModel makes a version the active one, from which on all links are scored
// anew. One that was learned while another version was active than now is refused
// unless evenIfOutdated is set.
func (c *Client) ApplyModel(ctx context.Context, version uint32, evenIfOutdated bool) (*elsewherev1.ApplyModelResponse, error) {
	return call(ctx, c, c.models.ApplyModel, elsewherev1.ApplyModelRequest_builder{
		Version: version, EvenIfOutdated: evenIfOutdated,
	}.Build())
}

// RollbackModel makes the version active that was before the last ApplyModel that
// was not taken back yet.
func (c *Client) RollbackModel(ctx context.Context) (*elsewherev1.RollbackModelResponse, error) {
	return call(ctx, c, c.models.RollbackModel, elsewherev1.RollbackModelRequest_builder{}.Build())
}
