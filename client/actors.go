package client

import (
	"context"
	"iter"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Review says what was found out about two cases, or takes it back, and returns what
// follows from it. ErrNotFound if one of the cases does not exist.
func (c *Client) Review(ctx context.Context, req *elsewherev1.ReviewLinkRequest) (*elsewherev1.ReviewLinkResponse, error) {
	return call(ctx, c, c.correlate.ReviewLink, req)
}

// ActorPages yields all actors, by page.
func (c *Client) ActorPages(ctx context.Context) iter.Seq2[*elsewherev1.ListActorsResponse, error] {
	return follow(func(token string) (*elsewherev1.ListActorsResponse, error) {
		return call(ctx, c, c.correlate.ListActors, elsewherev1.ListActorsRequest_builder{PageSize: pageSize, PageToken: token}.Build())
	})
}

// Actor returns an actor by its id, or by one that it had before. ErrNotFound if
// there is none.
func (c *Client) Actor(ctx context.Context, id string) (*elsewherev1.GetActorResponse, error) {
	return call(ctx, c, c.correlate.GetActor, elsewherev1.GetActorRequest_builder{Actor: id}.Build())
}

// UpdateActor changes what an actor is called, as far as the mask names it.
func (c *Client) UpdateActor(ctx context.Context, req *elsewherev1.UpdateActorRequest) (*elsewherev1.UpdateActorResponse, error) {
	return call(ctx, c, c.correlate.UpdateActor, req)
}

// ActorHistoryPages yields what became of an actor, newest first, by page.
func (c *Client) ActorHistoryPages(ctx context.Context, id string) iter.Seq2[*elsewherev1.ActorHistoryResponse, error] {
	return follow(func(token string) (*elsewherev1.ActorHistoryResponse, error) {
		return call(ctx, c, c.correlate.ActorHistory, elsewherev1.ActorHistoryRequest_builder{Actor: id, PageSize: pageSize, PageToken: token}.Build())
	})
}
