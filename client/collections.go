package client

import (
	"context"
	"iter"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Collections yields the pages of the collections that the key may read.
func (c *Client) Collections(ctx context.Context) iter.Seq2[*elsewherev1.ListCollectionsResponse, error] {
	return func(yield func(*elsewherev1.ListCollectionsResponse, error) bool) {
		for token := ""; ; {
			page, err := call(ctx, c, c.exports.ListCollections, elsewherev1.ListCollectionsRequest_builder{
				PageSize: pageSize, PageToken: token,
			}.Build())
			if !yield(page, err) || err != nil {
				return
			}
			if token = page.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// CollectionObjects yields the pages of a collection from a request on. The add time of
// the last object is what AddedAfter of the next visit is.
func (c *Client) CollectionObjects(ctx context.Context, req *elsewherev1.ListCollectionObjectsRequest) iter.Seq2[*elsewherev1.ListCollectionObjectsResponse, error] {
	return func(yield func(*elsewherev1.ListCollectionObjectsResponse, error) bool) {
		for req := proto.CloneOf(req); ; {
			page, err := call(ctx, c, c.exports.ListCollectionObjects, req)
			if !yield(page, err) || err != nil {
				return
			}
			if page.GetNextPageToken() == "" {
				return
			}
			req.SetPageToken(page.GetNextPageToken())
		}
	}
}
